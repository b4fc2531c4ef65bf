"""A job as one file: out of one database, into another, and run again to the same bytes."""

import io
import json
from zipfile import ZipFile

import pytest

import jobs.work
from jobs.admission import admit
from jobs.bundles import loads
from jobs.catalog import Catalog, IdTaken, Upload
from jobs.database import Database
from jobs.datasets import Reading
from jobs.models import Status
from jobs.queue import JobQueue
from jobs.readers import BadFile
from jobs.runner import Runner
from jobs.spec import JobSpec
from jobs.store import JobStore, NoSuchJob, NotEnded
from jobs.transfers import RowsGone, Transfers
from jobs.webhooks import EVENT_TYPES, Webhooks
from tests.toy import ToyBackend

URL = "http://127.0.0.1:9/hook"


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    toy = ToyBackend()
    monkeypatch.setattr(jobs.work, "open_endpoint", lambda row: toy)


def run(database):
    Runner(database, "a").run(JobQueue(database).claim("a"))


@pytest.fixture
def job(database, enqueue, store):
    made = enqueue(metadata={"team": "ü"})
    run(database)
    job = store.job(made.id)
    assert job.status == Status.SUCCEEDED
    return job


@pytest.fixture
def elsewhere(tmp_path):
    """Another Gradless, with nothing but its built-ins."""
    database = Database(f"sqlite:///{tmp_path}/elsewhere.db")
    database.migrate()
    Catalog(database).add_built_ins()
    yield database
    database.close()


def content(database, job_id):
    """All that a job is to those who look at it."""
    store = JobStore(database)
    prompt, report = store.prompt(job_id), store.report(job_id)
    lives = {"runner", "heartbeat", "attempts"}
    generations = [(g.model_dump(), t.model_dump()) for g, t in store.generations(job_id)]
    return {
        "job": store.job(job_id).model_dump(exclude=lives, warnings=False),
        "generations": generations,
        "prompt": prompt.model_dump(),
        "report": report.body,
        "scores": report.scores,
        "usage": [row.model_dump() for row in store.usage([job_id]).values()],
        "rows": [row.model_dump() for row in Catalog(database).rows("colors", limit=100)],
    }


def test_there_and_the_same(job, database, elsewhere):
    data = Transfers(database).exported(job.id)
    assert Transfers(elsewhere).add(loads(data)).id == job.id
    assert content(elsewhere, job.id) == content(database, job.id)
    assert len(content(elsewhere, job.id)["generations"]) == 6
    assert Transfers(elsewhere).exported(job.id) == data  # to the byte, and so is any other copy


def test_run_again_there_it_gives_the_same_bytes(job, database, elsewhere):
    Transfers(elsewhere).add(loads(Transfers(database).exported(job.id)))
    store = JobStore(elsewhere)
    spec = JobSpec.model_validate(store.job(job.id).spec)
    again = store.enqueue(admit(spec, Catalog(elsewhere)))
    run(elsewhere)
    new, old = store.prompt(again.id), store.prompt(job.id)
    assert new.content == old.content
    rows = [
        [g.model_dump(exclude={"job_id"}) for g, _ in store.generations(i)]
        for i in (again.id, job.id)
    ]
    assert rows[0] == rows[1]
    assert store.job(again.id).result == store.job(job.id).result


def test_its_events_end_and_nobody_is_told(job, database, elsewhere):
    webhooks = Webhooks(elsewhere)
    hook = webhooks.add(URL, EVENT_TYPES)
    Transfers(elsewhere).add(loads(Transfers(database).exported(job.id)))
    types = [event.type for event in JobStore(elsewhere).events(job.id)]
    assert types == ["generation"] * 6 + ["result", "status", "done"]
    webhooks.collect()
    assert webhooks.deliveries(hook.id) == []


def test_a_dataset_that_is_there_is_used(job, database, elsewhere):
    data = Transfers(database).exported(job.id)
    with pytest.raises(IdTaken, match="is here already"):
        Transfers(database).add(loads(data))
    other = "text,label,split\n" + "".join(
        f"{label} {split},{label},{split}\n" for split in ("train", "dev", "test") for label in "ab"
    )
    Catalog(elsewhere).add_dataset("colors", Upload("c.csv", other.encode()), Reading())
    with pytest.raises(IdTaken, match="other rows"):
        Transfers(elsewhere).add(loads(data))
    with pytest.raises(NoSuchJob):
        JobStore(elsewhere).job(job.id)  # all or nothing


def test_a_job_without_a_prompt(database, enqueue, store, elsewhere):
    job = store.cancel(enqueue().id)
    Transfers(elsewhere).add(loads(Transfers(database).exported(job.id)))
    assert JobStore(elsewhere).job(job.id).status == Status.CANCELLED
    assert JobStore(elsewhere).prompt(job.id) is None


def test_images_come_with_it(database, enqueue, store, elsewhere):
    task = {"template": "{prompt} {image}", "verbalizer": None}
    job = store.cancel(store.enqueue(JobSpec.model_validate(VISION | {"task": task})).id)
    data = Transfers(database).exported(job.id)
    with elsewhere.writing() as session:
        session.delete(Catalog(elsewhere).dataset("two-digits"))
    Transfers(elsewhere).add(loads(data))
    assert Catalog(elsewhere).pictures("two-digits") == Catalog(database).pictures("two-digits")
    assert len(Catalog(elsewhere).pictures("two-digits").files) > 10


VISION = {
    "endpoint": "digits-clip",
    "dataset": "two-digits",
    "method": {"name": "bbt", "intrinsic_dim": 4, "n_prompt_tokens": 2, "population_size": 4},
    "budget": {"queries": 1000},
}


def test_what_cannot_be_exported(database, enqueue, store, catalog):
    job = enqueue()
    with pytest.raises(NotEnded, match="queued"):
        Transfers(database).exported(job.id)
    with pytest.raises(NoSuchJob):
        Transfers(database).exported("job_0")
    store.cancel(job.id)
    catalog.delete_dataset("colors")
    with pytest.raises(RowsGone, match="'colors'"):
        Transfers(database).exported(job.id)


def test_no_key_and_no_address_is_in_it(job, database):
    with ZipFile(io.BytesIO(Transfers(database).exported(job.id))) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert json.loads(files["job.json"])["model"] == "encoder:minilm"
    assert not [name for name, data in files.items() if b"key_variable" in data]


def changed(data, name, change):
    """The zip with one member as `change` makes it; None: without it."""
    made = io.BytesIO()
    with ZipFile(io.BytesIO(data)) as old, ZipFile(made, "w") as new:
        for member in old.namelist():
            given = old.read(member)
            given = change(given) if member == name else given
            if given is not None:
                new.writestr(member, given)
    return made.getvalue()


def setting(*path, to):
    def change(given):
        whole = inner = json.loads(given)
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = to
        return json.dumps(whole).encode()

    return change


BROKEN = [
    ("job.json", lambda given: None, "'job.json' is missing"),
    ("job.json", lambda given: b"[]", "no exported job"),
    ("job.json", lambda given: b"[" * 100_000, "no exported job"),
    ("job.json", setting("format", to=2), "format 2; wanted format 1"),
    ("job.json", setting("job", "id", to="../../x"), "its id"),
    ("job.json", setting("job", "status", to="queued"), "has not ended"),
    ("job.json", setting("job", "spec", "dataset", to="tickets"), "another dataset"),
    ("job.json", setting("job", "spec", "seed", to=-1), "seed"),
    ("job.json", setting("job", "generation", to="many"), "generation"),
    ("prompt.bin", lambda given: b"garbage", "no exported job"),
    ("prompt.bin", lambda given: None, "no exported job"),
    ("prompt.json", setting("kind", to="pickle"), "'pickle'"),
    ("prompt.json", setting("job_id", to="job_" + "1" * 20), "another job"),
    ("scores.json", setting("tuned", to=[]), "different numbers of rows"),
    ("scores.json", setting("tuned", 0, to=2), "tuned.0"),
    ("scores.json", lambda given: given.replace(b"1.0", b"NaN"), "finite number"),
    ("generations.jsonl", lambda given: given.replace(b'"text": null', b'"text": 1'), "text"),
    ("examples.jsonl", lambda given: given.replace(b"blue", b"grey"), "hash"),
    ("dataset.json", setting("id", to="a/b"), "its id"),
]


@pytest.mark.parametrize(("name", "change", "reason"), BROKEN, ids=[b[2] for b in BROKEN])
def test_what_a_stranger_has_changed_is_refused(name, change, reason, job, database):
    data = Transfers(database).exported(job.id)
    loads(data)
    with pytest.raises(BadFile, match=reason):
        loads(changed(data, name, change))


def test_an_archive_of_an_earlier_version_is_taken_in(job, database, elsewhere):
    """It says nothing of words, spending and scores."""
    data = changed(Transfers(database).exported(job.id), "scores.json", lambda given: None)
    for file, names in (("generations", ["text"]), ("timings", ["at", "tokens", "cost"])):
        data = changed(data, f"{file}.jsonl", without(names))
    Transfers(elsewhere).add(loads(data))
    found = content(elsewhere, job.id)
    assert found["scores"] is None
    for one, timing in found["generations"]:
        assert {one["text"], timing["at"], timing["tokens"], timing["cost"]} == {None}
    assert found["report"] == content(database, job.id)["report"]


def without(names):
    def change(given):
        lines = map(json.loads, given.splitlines())
        kept = [{key: x for key, x in line.items() if key not in names} for line in lines]
        assert kept and all(len(line) < len(json.loads(given.splitlines()[0])) for line in kept)
        return b"".join(json.dumps(line).encode() + b"\n" for line in kept)

    return change


def test_what_is_no_zip(job, database):
    with pytest.raises(BadFile):
        loads(b"no zip")


@pytest.mark.parametrize(
    "change", [lambda given: given + given, lambda given: given.replace(b": 1,", b": %d," % 2**70)]
)
def test_rows_that_no_database_takes_leave_nothing(change, job, database, elsewhere):
    data = changed(Transfers(database).exported(job.id), "generations.jsonl", change)
    with pytest.raises(BadFile, match="cannot be stored"):
        Transfers(elsewhere).add(loads(data))
    with pytest.raises(NoSuchJob):
        JobStore(elsewhere).job(job.id)
