"""What the service will not start with, said in one sentence; real processes."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings
from tests.servers import clean_environment

UNSAFE = ["0.0.0.0", "::", "192.168.1.5", "gradless.example", "127.0.0.1.example"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "localhost"]


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GRADLESS_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def start(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", "--data", str(folder / "data"), *arguments],
        cwd=folder,
        env=clean_environment(**{"runners": "0", **settings}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_open_to_the_world_without_a_key_it_refuses_to_start(tmp_path: Path) -> None:
    process = start(tmp_path, "--host", "0.0.0.0")
    assert process.returncode == 2
    [line] = process.stderr.splitlines()
    assert line.startswith("gradless: ")
    for word in ("'0.0.0.0'", "GRADLESS_API_KEY", "127.0.0.1"):
        assert word in line
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"port": "70000"}, ["port", "65535"]),
        ({"port": "http"}, ["port", "integer"]),
        ({"runners": "-1"}, ["runners", "0"]),
        ({"max_upload_mb": "0"}, ["max_upload_mb", "1"]),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    settings: dict[str, str], words: list[str], tmp_path: Path
) -> None:
    process = start(tmp_path, **settings)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    for word in words:
        assert word in process.stderr


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        process = start(tmp_path, "--port", port)
    assert process.returncode not in (0, 2)
    assert "address already in use" in process.stderr
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("host", UNSAFE)
def test_an_address_of_others_needs_a_key(host: str) -> None:
    with pytest.raises(ValidationError, match="GRADLESS_API_KEY"):
        Settings(host=host)
    assert not Settings(host=host, api_key="k").is_loopback


@pytest.mark.parametrize("host", LOOPBACK)
def test_an_address_of_this_machine_needs_none(host: str) -> None:
    assert Settings(host=host).is_loopback


def test_the_key_is_masked() -> None:
    settings = Settings(api_key="very-secret")
    assert "very-secret" not in f"{settings!r} {settings} {settings.model_dump()}"
    assert settings.api_key.get_secret_value() == "very-secret"


def test_the_environment_and_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment wins over `.env`, and an argument over both."""
    (tmp_path / ".env").write_text("GRADLESS_PORT=1111\nGRADLESS_RUNNERS=3\nOTHER=x\n")
    monkeypatch.setenv("GRADLESS_PORT", "2222")
    assert (Settings().port, Settings().runners, Settings(port=3333).port) == (2222, 3, 3333)


def test_the_database_is_found_from_anywhere(tmp_path: Path) -> None:
    assert Settings(data=Path("here")).database == f"sqlite:///{tmp_path / 'here' / 'gradless.db'}"
    assert Settings(database_url="postgresql://db/x").database == "postgresql://db/x"
