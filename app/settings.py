"""The service's settings: environment to types; refuses to start when they are unsafe."""

import ipaddress
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from jobs.retention import Retention


class Settings(BaseSettings):
    """Read from the environment and `.env`, each with the prefix GRADLESS_."""

    model_config = SettingsConfigDict(
        env_prefix="GRADLESS_", env_file=".env", extra="ignore", frozen=True
    )

    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8000, ge=0, le=65535, description="port to listen on; 0: any free one")
    data: Path = Field(Path("data"), description="folder of the database")
    database_url: str = Field(
        "", description="SQLAlchemy URL; empty: gradless.db in the data folder"
    )
    runners: int = Field(1, ge=0, le=64, description="processes that search, at the same time")
    running_jobs: int = Field(
        0,
        ge=0,
        le=10_000,
        description="most jobs that run at once, whichever service took them; 0: one a runner",
    )
    project_running_jobs: int = Field(
        0, ge=0, le=10_000, description="most jobs of one project that run at once; 0: no limit"
    )
    threads: int = Field(
        0, ge=0, le=1024, description="threads of one runner's model; 0: one for every core"
    )
    api_key: SecretStr = Field(
        SecretStr(""),
        description="key that every request must carry; needed when host is not a loopback address",
    )
    models_dir: Path | None = Field(
        None, description="folder of local models that endpoints may name; none: only built-ins"
    )
    private_hosts: bool | None = Field(
        None,
        description="whether endpoints may be on this machine and in its network; unset: only if "
        "the host is a loopback address",
    )
    max_upload_mb: int = Field(64, ge=1, le=4096, description="largest upload, in MB (10^6 bytes)")
    log: Literal["text", "json"] = Field(
        "text", description="form of the log: text for people, or json, one object a line"
    )
    keep_events_days: int = Field(
        0, ge=0, le=36_500, description="days that events of ended jobs are kept; 0: for ever"
    )
    keep_answers_days: int = Field(
        0, ge=0, le=36_500, description="days that answers of APIs are kept; 0: for ever"
    )
    keep_jobs_days: int = Field(
        0,
        ge=0,
        le=36_500,
        description="days that ended jobs are kept; 0: for ever, and named prompts always",
    )
    keep_audit_days: int = Field(
        0, ge=0, le=36_500, description="days that the audit log is kept; 0: for ever"
    )

    @model_validator(mode="after")
    def _key_when_reachable(self) -> Self:
        if not self.is_loopback and not self.api_key.get_secret_value():
            raise ValueError(
                f"host {self.host!r} can be reached from other machines, so GRADLESS_API_KEY must "
                "be set; or keep the host at 127.0.0.1"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def may_ask_private_hosts(self) -> bool:
        return self.is_loopback if self.private_hosts is None else self.private_hosts

    @property
    def retention(self) -> Retention:
        return Retention(
            self.keep_events_days,
            self.keep_answers_days,
            self.keep_jobs_days,
            self.keep_audit_days,
        )

    @property
    def database(self) -> str:
        """The URL to open; the data folder is made absolute, so runners may start anywhere."""
        return self.database_url or f"sqlite:///{self.data.resolve() / 'gradless.db'}"
