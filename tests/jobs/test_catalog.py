import pytest
from sqlmodel import select

from backends.registry import UnknownBackend
from jobs.catalog import (
    BadId,
    BuiltIn,
    Catalog,
    IdTaken,
    InUse,
    NoSuchDataset,
    NoSuchEndpoint,
    Upload,
    slug,
)
from jobs.database import Database
from jobs.datasets import SPLITS, BadDataset, Reading
from jobs.endpoints import endpoint_capabilities
from jobs.models import ExampleRow
from jobs.readers import BadFile
from tests.jobs.conftest import COLORS_CSV, SIZES

COLORS = Upload("colors.csv", COLORS_CSV.encode())
POOL = Upload("pool.csv", ("text,label\n" + "".join(f"{i},{i % 2}\n" for i in range(20))).encode())


def test_the_built_ins_are_added_once(catalog):
    before = catalog.endpoints(), catalog.datasets(), catalog.rows("tickets", limit=1000)
    catalog.add_built_ins()
    assert (catalog.endpoints(), catalog.datasets(), catalog.rows("tickets", limit=1000)) == before
    assert [row.id for row in catalog.endpoints()] == ["digits-clip", "minilm"]
    assert [row.id for row in catalog.datasets()] == ["colors", "tickets", "two-digits"]
    assert catalog.endpoint("minilm").built_in and catalog.dataset("tickets").built_in
    assert not catalog.dataset("colors").built_in


def test_the_built_in_endpoint_can_run_the_built_in_method(catalog):
    assert "soft_prompts" in endpoint_capabilities(catalog.endpoint("minilm"))


def test_a_stored_dataset_is_the_uploaded_one(catalog):
    row = catalog.dataset("colors")
    assert (row.columns, row.labels, row.split_source) == (["text"], ["blue", "red"], "given")
    assert row.counts == {split: {"blue": n, "red": n} for split, n in SIZES.items()}
    assert (row.shots, row.seed, row.filename) == (None, None, "colors.csv")
    split = catalog.split("colors")
    stored = [(e.inputs["text"], e.label, name) for name in SPLITS for e in getattr(split, name)]
    assert ["{},{},{}".format(*each) for each in stored] == COLORS_CSV.splitlines()[1:]


def test_a_drawn_dataset_says_how(catalog):
    row = catalog.add_dataset("pool", POOL, Reading(shots=3, seed=7))
    assert (row.split_source, row.shots, row.seed) == ("drawn", 3, 7)
    assert len(catalog.split("pool").test) == 20 - 12


def test_rows_by_pages(catalog):
    total = 2 * sum(SIZES.values())
    assert [row.number for row in catalog.rows("colors", limit=1000)] == [*range(1, total + 1)]
    assert [row.number for row in catalog.rows("colors", after=5, limit=3)] == [6, 7, 8]
    dev = catalog.rows("colors", "dev", limit=1000)
    assert len(dev) == 8 and {row.split for row in dev} == {"dev"}
    assert catalog.rows("colors", after=total) == []


def test_the_same_rows_again_are_no_error(catalog):
    first = catalog.dataset("colors")
    assert catalog.add_dataset("colors", COLORS, Reading()) == first
    assert [row.id for row in catalog.datasets()].count("colors") == 1


def test_other_rows_need_another_id(catalog):
    with pytest.raises(IdTaken, match="already a dataset 'colors' with other rows"):
        catalog.add_dataset("colors", POOL, Reading(shots=3))
    assert catalog.dataset("colors").labels == ["blue", "red"]


@pytest.mark.parametrize(
    ("upload", "error"),
    [
        (Upload("bad.csv", b"text,label\n1\n"), BadFile),
        (Upload("bad.csv", b"text,label\na,b\n"), BadDataset),
    ],
)
def test_nothing_is_stored_on_refusal(upload, error, catalog, database):
    with pytest.raises(error):
        catalog.add_dataset("bad", upload, Reading())
    with pytest.raises(NoSuchDataset):
        catalog.dataset("bad")
    assert examples(database, "bad") == 0


def test_half_a_dataset_is_never_stored(catalog, database, monkeypatch):
    def fail(id_, dataset):
        raise OSError("disk full")

    monkeypatch.setattr("jobs.catalog._example_rows", fail)
    with pytest.raises(OSError, match="disk full"):
        catalog.add_dataset("pool", POOL, Reading(shots=3))
    with pytest.raises(NoSuchDataset):
        catalog.dataset("pool")


def examples(database: Database, id_: str) -> int:
    with database.reading() as session:
        return len(session.exec(select(ExampleRow).where(ExampleRow.dataset_id == id_)).all())


def test_deleting_takes_the_rows_along(catalog, database):
    assert examples(database, "colors") == 2 * sum(SIZES.values())
    catalog.delete_dataset("colors")
    assert examples(database, "colors") == 0
    assert examples(database, "tickets") == 552
    for read in (catalog.dataset, catalog.split, catalog.rows, catalog.delete_dataset):
        with pytest.raises(NoSuchDataset):
            read("colors")
    catalog.add_dataset("colors", POOL, Reading(shots=3))  # the id is free again


def test_what_comes_with_the_service_stays(catalog):
    with pytest.raises(BuiltIn, match="'tickets' comes with the service"):
        catalog.delete_dataset("tickets")
    with pytest.raises(BuiltIn, match="'minilm' comes with the service"):
        catalog.delete_endpoint("minilm")
    assert catalog.dataset("tickets") and catalog.endpoint("minilm")


def test_endpoints_come_and_go(catalog):
    added = catalog.add_endpoint("sharp", "encoder", "minilm", {"scale": 40.0})
    assert catalog.endpoint("sharp") == added
    assert catalog.endpoint("sharp").options == {"scale": 40.0}
    with pytest.raises(IdTaken, match="already an endpoint 'sharp'"):
        catalog.add_endpoint("sharp", "encoder", "minilm", {})
    catalog.delete_endpoint("sharp")
    with pytest.raises(NoSuchEndpoint, match="no endpoint 'sharp'; there are: digits-clip, minilm"):
        catalog.endpoint("sharp")


@pytest.mark.parametrize(
    ("kind", "options", "error"),
    [
        ("encodr", {}, UnknownBackend),
        ("encoder", {"no_such_option": 1}, ValueError),
        ("encoder", {"scale": "much"}, ValueError),
    ],
)
def test_endpoints_that_could_not_be_opened(kind, options, error, catalog: Catalog):
    with pytest.raises(error):
        catalog.add_endpoint("new", kind, "minilm", options)
    assert [row.id for row in catalog.endpoints()] == ["digits-clip", "minilm"]


@pytest.mark.parametrize("id_", ["a", "0", "my-data.v2_b", "x" * 64])
def test_good_ids(id_, catalog):
    assert catalog.add_dataset(id_, COLORS, Reading()).id == id_
    assert catalog.add_endpoint(id_, "encoder", "minilm", {}).id == id_


@pytest.mark.parametrize(
    "id_", ["", "A", "-a", ".a", "_a", "a b", "a/b", "../a", "é", "a\n", "a\x00", "x" * 65]
)
def test_bad_ids(id_, catalog):
    with pytest.raises(BadId, match="cannot be an id"):
        catalog.add_dataset(id_, COLORS, Reading())
    with pytest.raises(BadId, match="cannot be an id"):
        catalog.add_endpoint(id_, "encoder", "minilm", {})


@pytest.mark.parametrize(
    ("filename", "id_"),
    [
        ("My Tickets (2).csv", "my-tickets-2"),
        ("tickets.v2.csv", "tickets.v2"),
        ("../../etc/passwd", "passwd"),
        ("Größe.tsv", "gr-e"),
        ("日本.csv", "dataset"),
        ("...", "dataset"),
        ("", "dataset"),
        ("a" * 100 + ".csv", "a" * 64),
    ],
)
def test_names_of_files_as_ids(filename, id_, catalog):
    assert slug(filename) == id_
    assert catalog.add_dataset(slug(filename), POOL, Reading(shots=3)).id == id_


def test_what_a_job_needs_stays_until_it_has_ended(catalog, store, enqueue):
    catalog.add_endpoint("own", "encoder", "minilm", {})
    job = enqueue(endpoint="own")
    for delete, id_ in ((catalog.delete_dataset, "colors"), (catalog.delete_endpoint, "own")):
        with pytest.raises(InUse, match=job.id):
            delete(id_)
    store.cancel(job.id)
    catalog.delete_dataset("colors")
    catalog.delete_endpoint("own")
    assert store.job(job.id).spec["dataset"] == "colors"
