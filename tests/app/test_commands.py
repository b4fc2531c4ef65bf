"""`python -m app doctor | backup | restore`, as an operator runs them; and the log as JSON."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from app import doctor
from app.settings import Settings
from jobs.database import Database
from jobs.models import EndpointRow
from tests.conftest import eventually
from tests.servers import Service, clean_environment, free_port, spec

KEY = "gradless-secret-d0c"


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app", "--data", str(folder), *arguments],
        cwd=folder.parent,
        env=clean_environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Its log is JSON."""
    folder = tmp_path_factory.mktemp("commands") / "data"
    made = Service(folder, {"runners": "0", "log": "json", "api_key": KEY})
    try:
        made.start().upload()
        yield made
    finally:
        made.close()


def test_a_backup_of_a_running_service_and_back(service: Service, tmp_path: Path) -> None:
    kept = service.submit(spec())
    copy = tmp_path / "copy.db"
    process = run(service.data, "backup", str(copy))
    assert process.returncode == 0, process.stderr
    assert "a sound copy" in process.stdout
    later = service.submit(spec())
    process = run(service.data, "restore", str(copy))
    assert (process.returncode, process.stdout) == (1, "")
    assert "stop the service first" in process.stderr
    service.stop()
    process = run(service.data, "restore", str(copy))
    assert process.returncode == 0, process.stderr
    assert "replaced" in process.stdout
    service.start()
    assert service.job(kept)["status"] == "queued"
    assert service.http.get(f"/api/jobs/{later}").status_code == 404


def test_a_refusal_is_one_line(tmp_path: Path) -> None:
    for arguments in (["backup", str(tmp_path / "x.db")], ["restore", str(tmp_path / "none.db")]):
        process = run(tmp_path / "data", *arguments)
        assert process.returncode == 1
        [line] = process.stderr.splitlines()
        assert line.startswith("gradless: there is no ")
    assert not (tmp_path / "data").exists()


def test_a_database_of_the_future_is_refused_in_one_line(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/gradless.db")
    database.migrate()
    database.close()
    with closing(sqlite3.connect(tmp_path / "gradless.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9998'")
        connection.commit()
    process = run(tmp_path, "--port", "0")
    assert process.returncode == 1
    assert process.stderr.splitlines()[-1].startswith("gradless: the database is at revision 9998")
    assert "Traceback" not in process.stderr


def test_the_log_is_objects_with_ids_and_without_the_key(service: Service) -> None:
    answer = service.http.get("/api/jobs?secret=in-the-query")
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    request_id = answer.headers["x-request-id"]
    [found] = [line for line in lines if line.get("request_id") == request_id]
    assert (found["logger"], found["method"], found["path"]) == ("app.access", "GET", "/api/jobs")
    assert found["status"] == 200 and 0 < found["seconds"] < 60
    text = service.log.read_text()
    assert KEY not in text
    assert "in-the-query" not in text


def test_a_healthy_service(service: Service) -> None:
    process = run(service.data, "doctor")
    assert process.returncode == 0, process.stdout
    subjects = [line.split(":")[0].split(maxsplit=1) for line in process.stdout.splitlines()]
    levels = {subject: level for level, subject in subjects}
    for subject in ("versions", "database", "endpoint minilm", "endpoint digits-clip"):
        assert levels[subject] == "ok", process.stdout
    assert "is sound, at revision" in process.stdout


# What it finds, in the process itself: a start takes seconds.


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    database = Database(f"sqlite:///{folder}/gradless.db")
    database.migrate()
    database.close()
    return folder


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "data"))


def add(folder: Path, *rows: EndpointRow) -> None:
    database = Database(f"sqlite:///{folder}/gradless.db")
    with database.writing() as session:
        session.add_all(rows)
    database.close()


def findings(folder: Path, probe: bool = False) -> tuple[int, str]:
    lines: list[str] = []
    status = doctor.run(Settings(data=folder, _env_file=None), probe=probe, say=lines.append)
    return status, "\n".join(lines)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADLESS_PRIVATE_HOSTS", "true")  # put back afterwards: doctor sets it


def remote(id_: str, url: str, **options: str) -> EndpointRow:
    options = {"base_url": url, **options}
    return EndpointRow(id=id_, kind="openai", model="m", options=options)


def test_nothing_there_yet_is_no_problem(tmp_path: Path) -> None:
    status, text = findings(tmp_path / "data")
    assert status == 0
    assert "will be made at the first start" in text
    assert not (tmp_path / "data").exists()


def test_an_api_that_is_away_and_one_that_is_there(folder: Path, service: Service) -> None:
    add(folder, remote("here", f"{service.url}/v1"))
    assert findings(folder)[0] == 0
    add(folder, remote("away", f"{service.url}/v1,http://127.0.0.1:{free_port()}/v1"))
    status, text = findings(folder)
    assert status == 1
    assert "ok       endpoint here: can be connected to" in text
    assert "problem  endpoint away: " in text
    assert "-> start its server" in text


def test_a_probe_asks(folder: Path, service: Service) -> None:
    """Somebody listens, but it is no model."""
    add(folder, remote("here", f"{service.url}/nothing"))
    status, text = findings(folder, probe=True)
    assert (status, "problem  endpoint here" in text) == (1, True)


def test_a_key_that_is_not_set(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DOCTORS_API_KEY", raising=False)
    add(folder, remote("hosted", "http://127.0.0.1:9/v1", key_variable="DOCTORS_API_KEY"))
    status, text = findings(folder)
    assert status == 1
    assert "the variable DOCTORS_API_KEY is not set" in text


def test_a_model_that_was_moved_away(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for name in ("there", "gone"):
        add(folder, EndpointRow(id=name, kind="encoder", model=str(tmp_path / name), options={}))
    status, text = findings(folder)
    assert status == 1
    assert "ok       endpoint there" in text
    assert f"problem  endpoint gone: the folder {tmp_path / 'gone'} is not there" in text


def test_a_damaged_database(folder: Path) -> None:
    (folder / "gradless.db").write_bytes(b"?" * 5000)
    status, text = findings(folder)
    assert (status, "-> python -m app restore" in text) == (1, True)


def test_an_older_schema_is_a_warning(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "gradless.db")) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0004'")
        connection.commit()
    status, text = findings(folder)
    assert (status, "warning  database" in text, "at revision 0004" in text) == (0, True, True)


def test_a_disk_that_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = shutil.disk_usage(folder).free
    monkeypatch.setattr(doctor, "LITTLE", free * 2)
    assert findings(folder)[0] == 0
    assert "warning  disk" in findings(folder)[1]
    monkeypatch.setattr(doctor, "TOO_LITTLE", free * 2)
    assert findings(folder)[0] == 1


def test_retention_is_applied_by_the_service(folder: Path) -> None:
    old = "2020-01-01 00:00:00.000000"
    with closing(sqlite3.connect(folder / "gradless.db")) as connection:
        connection.execute("INSERT INTO answers VALUES ('old', '{}', ?)", (old,))
        connection.commit()
    service = Service(folder, {"runners": "0", "keep_answers_days": "7"})
    try:
        service.start()
        eventually(lambda: not service.rows("SELECT * FROM answers"))
        assert "retention: deleted {'answers': 1}" in service.log.read_text()
    finally:
        service.close()


def test_the_service_starts_without_the_libraries_of_its_runners() -> None:
    """They take seconds to import, and hundreds of megabytes."""
    heavy = {"torch", "transformers", "cma", "scipy.stats", "nevergrad", "sklearn"}
    code = f"import sys, app.main; print({heavy} & set(sys.modules))"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.stdout == "set()\n", process.stdout + process.stderr
