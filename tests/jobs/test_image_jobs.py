"""Jobs on images, from admission to the report, with a toy that looks at them."""

import pickle

import pytest

import jobs.serving
import jobs.work
from jobs.accounts import Accounts
from jobs.admission import Refused, admit
from jobs.catalog import Upload
from jobs.datasets import Reading
from jobs.prompts import TextPrompt
from jobs.queue import JobQueue
from jobs.runner import Runner
from jobs.serving import Served, answer
from jobs.spec import JobSpec
from jobs.store import JobStore
from jobs.work import make_ready
from tests.image_files import in_splits, zipped
from tests.image_toy import ImageToy
from tests.jobs.conftest import COLORS

PETS = {**COLORS, "endpoint": "eye", "dataset": "pets", "budget": {"queries": 8 + 4 * 20}}
TEMPLATE = "{prompt} {image} a photo of a {label}."


@pytest.fixture
def catalog(catalog):
    catalog.add_dataset("pets", Upload("pets.zip", zipped(in_splits())), Reading())
    catalog.add_endpoint("eye", "clip", "digits-clip", {})
    return catalog


@pytest.fixture
def toy(monkeypatch):
    toy = ImageToy()
    for module in (jobs.work, jobs.serving):
        monkeypatch.setattr(module, "open_endpoint", lambda row: toy)
    return toy


@pytest.fixture
def done(catalog, toy, database):
    """A job that has run."""
    store = JobStore(database)
    job = store.enqueue(admit(JobSpec.model_validate(PETS), catalog))
    Runner(database, "a").run(JobQueue(database).claim("a"))
    return store.job(job.id), store


def spec(**changes):
    return JobSpec.model_validate({**PETS, **changes})


def test_the_template_is_what_the_kind_lays_out(catalog):
    assert admit(spec(), catalog).task.template == TEMPLATE
    own = "{image} {prompt} {label}"
    assert admit(spec(task={"template": own}), catalog).task.template == own


@pytest.mark.parametrize(
    ("change", "param", "code", "words"),
    [
        (
            {"endpoint": "minilm"},
            "endpoint",
            "dataset_endpoint_mismatch",
            [
                "'pets' has images",
                "'minilm' (kind encoder) reads none",
                "do: digits-clip, eye",
                "of kind clip",
            ],
        ),
        (
            {"dataset": "colors"},
            "dataset",
            "dataset_endpoint_mismatch",
            [
                "'eye' (kind clip) reads images",
                "'colors' has none",
                "have: captioned, pets, two-digits; ",
                "a zip",
            ],
        ),
        (
            {"task": {"template": "{prompt} a {label}."}},
            "task.template",
            "no_input_slot",
            ["shows no input", "{image}"],
        ),
        (
            {"dataset": "captioned", "task": {"template": "{prompt} {caption} a {label}."}},
            "task.template",
            "no_image_slot",
            ["no {image} slot", "{caption}"],
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(change, param, code, words, catalog):
    files = in_splits()
    lines = ["image,label,split,caption"]
    lines += [f"{path},{path.split('/')[1]},{path.split('/')[0]},words" for path in files]
    files["manifest.csv"] = "\n".join(lines).encode()
    catalog.add_dataset("captioned", Upload("captioned.zip", zipped(files)), Reading())
    with pytest.raises(Refused) as refused:
        admit(spec(**change), catalog)
    assert (refused.value.param, refused.value.code) == (param, code)
    assert all(word in str(refused.value) for word in words), refused.value


def test_a_search_shows_the_images(catalog, toy, database):
    job = JobStore(database).enqueue(admit(spec(), catalog))
    work = make_ready(job, catalog, Accounts(database), lambda: None)
    assert set(work.task.pictures.files.values()) == set(in_splits().values())
    row = work.split.train[0]
    query = work.task.query(TextPrompt("hello"), row.inputs)
    assert query.image == work.task.pictures.files[row.inputs["image"]]
    assert (query.before, query.after) == ("hello a photo of a ", ".")


def test_a_job_from_the_queue_to_its_report(done):
    job, store = done
    assert (job.status, job.error) == ("succeeded", None)
    report = store.report(job.id).body
    assert report["tuned"]["accuracy"] == 1.0 > report["baseline"]["accuracy"]
    for row in report["changed"]:
        assert row["inputs"]["image"].startswith("sha256:")


def test_what_is_served_carries_its_images(done, catalog, toy):
    job, store = done
    prompt, pictures = store.prompt(job.id), catalog.pictures("pets")
    task = JobSpec.model_validate(job.spec).task.made(pictures)
    served = Served(catalog.endpoint("eye"), task, prompt.kind, prompt.content)
    sent = pickle.loads(pickle.dumps(served))
    inputs = [row.inputs for row in catalog.rows("pets", "test")]
    labels = [row.label for row in catalog.rows("pets", "test")]
    assert [each.label for each in answer(sent, inputs)] == labels
