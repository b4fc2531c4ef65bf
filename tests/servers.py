"""The real service as a child process, for tests that speak HTTP with it."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.conftest import eventually

ROOT = Path(__file__).parents[1]
PYTHONPATH = os.pathsep.join(map(str, (ROOT, ROOT / "client")))
START, STOP = 60.0, 15.0  # seconds, on a machine that may be busy

# Short texts, and few: a generation of the job below takes some hundredths of a second.
ROWS = {"train": 2, "dev": 2, "test": 6}  # of each label
COLORS_CSV = "text,label,split\n" + "".join(
    f"{thing} {number} is {color},{color},{split}\n"
    for split, n in ROWS.items()
    for number in range(n)
    for thing, color in (("sky", "blue"), ("rose", "red"))
)
BASELINE, GENERATION = 8, 4 * 4 + 4  # queries: train + dev once; population on train, one on dev
COLORS: dict[str, Any] = {
    "name": "colors",
    "endpoint": "minilm",
    "dataset": "colors",
    "method": {"name": "bbt", "intrinsic_dim": 8, "n_prompt_tokens": 2, "population_size": 4},
    "budget": {"queries": BASELINE + 12 * GENERATION},
    "seed": 7,
}


def spec(generations: int | None = None, **changes: Any) -> dict[str, Any]:
    """COLORS with other fields, and a budget for so many generations."""
    if generations is not None:
        changes["budget"] = {"queries": BASELINE + generations * GENERATION}
    return {**COLORS, **changes}


def clean_environment(**settings: str) -> dict[str, str]:
    """Ours without any setting of the service but those given: `api_key="k"`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRADLESS_")}
    given = {f"GRADLESS_{name.upper()}": value for name, value in settings.items()}
    offline = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    return {**kept, **offline, **given, "PYTHONPATH": PYTHONPATH, "PYTHONUNBUFFERED": "1"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Service:
    """`python -m app` on a folder of its own; it may be ended and started again on the same."""

    data: Path
    settings: dict[str, str] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        self.log = self.data / "service.log"  # of all its starts
        headers = {}
        if key := self.settings.get("api_key"):
            headers["authorization"] = f"Bearer {key}"
        self.http = httpx.Client(base_url=self.url, headers=headers, timeout=60, trust_env=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def database(self) -> Path:
        return self.data / "gradless.db"

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self) -> "Service":
        """Returns when the service answers."""
        command = [sys.executable, "-m", "app", "--host", self.host, "--port", str(self.port)]
        command += ["--data", str(self.data)]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.data,  # nobody's .env is there
                env=clean_environment(**self.settings),
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        eventually(self._answers, START)
        return self

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log.read_text()
        try:
            return self.http.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    def stop(self) -> int:
        """Ends it as an operator does; its exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(STOP)

    def kill(self) -> None:
        """Ends it as a power cut does; its children are on their own."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Nothing of it is left, whatever the test has done to it."""
        self.http.close()
        process = getattr(self, "_process", None)
        if process is None or process.poll() is not None:
            return
        family = self.family()
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()
        finally:
            for child in family:
                if child.is_running():
                    child.kill()

    def family(self) -> list[psutil.Process]:
        """Every process that it has started."""
        return psutil.Process(self.pid).children(recursive=True)

    def runner(self) -> dict[str, Any]:
        """The first runner, as /healthz tells of it."""
        runner: dict[str, Any] = self.http.get("/healthz").json()["runners"][0]
        return runner

    def get(self, path: str, **params: Any) -> Any:
        """The body of a good answer."""
        answer = self.http.get(path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, content: str = COLORS_CSV, name: str = "colors") -> dict[str, Any]:
        file = {"file": (f"{name}.csv", content.encode())}
        answer = self.http.post("/api/datasets", files=file, data={"name": name})
        assert answer.status_code == 201, answer.text
        dataset: dict[str, Any] = answer.json()
        return dataset

    def submit(self, body: dict[str, Any]) -> str:
        answer = self.http.post("/api/jobs", json=body)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.get(f"/api/jobs/{job_id}")
        return job

    def rows(self, query: str, *values: object) -> list[dict[str, Any]]:
        """Straight from the database: also when the service is away, and costs it nothing."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return [dict(row) for row in connection.execute(query, values)]

    def row(self, job_id: str) -> dict[str, Any]:
        """The job as it is stored."""
        [row] = self.rows("SELECT * FROM jobs WHERE id = ?", job_id)
        return row

    def ended(self, job_id: str, seconds: float = 120) -> dict[str, Any]:
        """The job when it is over."""
        eventually(lambda: self.row(job_id)["finished_at"], seconds)
        return self.job(job_id)

    def reached(self, job_id: str, generation: int, seconds: float = 120) -> None:
        """Returns when that generation has been recorded."""
        eventually(lambda: self.row(job_id)["generation"] >= generation, seconds)
