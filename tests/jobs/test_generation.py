"""Tasks with a metric: from the upload to the report and the answer, with a toy that writes."""

import numpy as np
import pytest

import jobs.serving
import jobs.work
from jobs import prompts
from jobs.admission import Refused, admit
from jobs.catalog import Upload
from jobs.datasets import Reading
from jobs.metrics import ExactMatch, RougeL
from jobs.models import EndpointRow, Status
from jobs.objective import Objective
from jobs.prompts import SoftPrompt, TextPrompt
from jobs.queue import JobQueue
from jobs.runner import Runner
from jobs.serving import Answer, Served, answer
from jobs.spec import JobSpec
from jobs.task import Example, Task
from tests.jobs.conftest import COLORS
from tests.writer import ToyWriter

ROWS = "".join(
    f"one two three {split} {i},one two three {split} {i},{split}\n"
    for split, n in {"train": 5, "dev": 5, "test": 20}.items()
    for i in range(n)
)
FILE = Upload("echo.csv", f"text,reply,split\n{ROWS}".encode())
ONES = SoftPrompt(np.ones((1, 2, 4), dtype=np.float32))
TASK = Task("{prompt} {text}", {}, RougeL(), 9)


@pytest.fixture
def writer(database, catalog, monkeypatch):
    """The toy behind the endpoint `writer`, and the dataset `echo` with targets."""
    catalog.add_dataset("echo", FILE, Reading(target_column="reply"))
    row = EndpointRow(id="writer", kind="openai", model="toy", options={})
    row.probed = {"capabilities": ["generation", "soft_prompts", "text_prompts"]}
    with database.writing() as session:
        session.add(row)
    toy = ToyWriter()
    for module in (jobs.work, jobs.serving):
        monkeypatch.setattr(module, "open_endpoint", lambda row: toy)
    return toy


def spec(task="rouge_l", **changes):
    task = {"metric": task} if isinstance(task, str) else task
    made = COLORS | {"endpoint": "writer", "dataset": "echo", "task": task}
    return JobSpec.model_validate(made | {"budget": {"queries": 10 + 25 * 8}} | changes)


def test_every_loss_is_how_far_an_answer_is_from_right():
    rows = [Example({"text": f"a b c {i}"}, f"a b c {i}") for i in range(3)]
    toy = ToyWriter()
    all_words, none, some = Objective(TASK, toy, rows, "ce", "gap").score(
        [(TextPrompt("all"), None), (TextPrompt(""), (2, 0)), (ONES, (1,))]
    )
    assert all_words.answers.tolist() == ["all a b c 0", "all a b c 1", "all a b c 2"]
    assert all_words.right == pytest.approx([8 / 9] * 3)
    assert all_words.losses == pytest.approx([1 / 9] * 3)
    assert all_words.told is not None and np.array_equal(all_words.told, all_words.losses)
    assert (none.answers.tolist(), none.accuracy, none.loss) == (["", ""], 0.0, 1.0)
    assert (some.answers.tolist(), some.accuracy) == (["a b c 1"], 1.0)
    assert len(toy.calls) == 1


def test_answers_are_no_longer_than_asked_for():
    rows = [Example({"text": "a b c d"}, "a b")]
    task = Task("{prompt} {text}", {}, ExactMatch(), 2)
    assert Objective(task, ToyWriter(), rows).score([(ONES, None)])[0].accuracy == 1.0


def test_a_job_is_tuned_by_its_metric(database, store, catalog, writer):
    job = store.enqueue(admit(spec(), catalog))
    Runner(database, "a").run(JobQueue(database).claim("a"))
    ended, report = store.job(job.id), store.report(job.id).body
    assert (ended.status, ended.error) == (Status.SUCCEEDED, None)
    assert ended.baseline["dev_accuracy"] == 0.0 and ended.baseline["dev_loss"] == 1.0
    rows = [row for row, _ in store.generations(job.id)]
    assert len(rows) == 8 and rows[-1].incumbent_dev_accuracy > 0.3
    for row in rows:
        assert row.train_loss == pytest.approx(1 - row.train_accuracy)
    assert (report["metric"], report["test"], report["labels"]) == (
        "rouge_l",
        "paired bootstrap",
        [],
    )
    assert report["outcome"] == "improved" and report["n_changed"] == 20
    tuned = report["tuned"]
    assert tuned["low"] <= tuned["accuracy"] <= tuned["high"] and tuned["n"] == 20
    assert report["changed"][0]["baseline"] == ""
    assert report["changed"][0]["tuned"].startswith("one two")
    assert ended.result["metric"] == "rouge_l"
    assert ended.result["tuned"]["accuracy"] == tuned["accuracy"]


def test_the_best_prompt_writes(catalog, writer):
    served = Served(catalog.endpoint("writer"), TASK, "soft", prompts.dumps(ONES))
    assert answer(served, [{"text": "a b"}, {"text": "c"}]) == [
        Answer(text="a b"),
        Answer(text="c"),
    ]


def test_a_dataset_of_labels_may_be_written_too(catalog, writer):
    task = admit(spec("exact_match", dataset="colors", budget={"queries": 99}), catalog).task
    assert (task.verbalizer, task.metric, task.max_tokens) == ({}, ExactMatch(), 64)
    assert admit(spec(task.model_dump()), catalog).task.verbalizer == {}  # and once more


def test_a_failing_pattern_fails_the_job(database, store, catalog, writer, monkeypatch):
    monkeypatch.setattr("jobs.metrics.PATTERN_SECONDS", 0.05)
    monkeypatch.setattr(writer, "generate", lambda queries, **_: ["a" * 999 + "b!"] * len(queries))
    job = store.enqueue(admit(spec({"metric": {"name": "regex", "pattern": "(a|aa)+$"}}), catalog))
    Runner(database, "a").run(JobQueue(database).claim("a"))
    ended = store.job(job.id)
    assert (ended.status, ended.error["code"]) == (Status.FAILED, "SlowPattern")
    assert "write it without nested repeats" in ended.error["message"]


@pytest.mark.parametrize(
    ("change", "param", "code", "message"),
    [
        (
            {"task": {}},
            "task.metric",
            "no_metric",
            "dataset 'echo' has targets, not labels; name the metric that says how right an "
            "answer is: exact_match, contains, regex, f1, rouge_l, numeric",
        ),
        (
            {"endpoint": "minilm"},
            "task.metric",
            "metric_endpoint_mismatch",
            "endpoint 'minilm' (kind encoder) offers",
        ),
        (
            {"task": {"metric": "f1", "verbalizer": {"a": "b"}}},
            "task.verbalizer",
            "verbalizer_with_metric",
            "label words are for tasks without a metric",
        ),
        (
            {"task": {"metric": "numeric"}, "dataset": "words"},
            "task.metric",
            "bad_target",
            "numeric cannot be used on dataset 'words': row 2: there is no number in 'none'",
        ),
        (
            {"task": {"metric": "regex"}, "dataset": "words"},
            "task.metric",
            "bad_target",
            "row 3: '(9' is no regular expression",
        ),
        ({"budget": {"queries": 34}}, "budget.queries", "budget_too_small", "5 train + 5 dev"),
    ],
)
def test_a_job_that_cannot_be_run_is_refused(catalog, writer, change, param, code, message):
    if "words" in change.values():
        words = b"text,reply,split\na,7,train\nb,none,dev\nc,(9,test\n"
        catalog.add_dataset("words", Upload("words.csv", words), Reading(target_column="reply"))
    with pytest.raises(Refused) as caught:
        admit(spec(**change), catalog)
    assert (caught.value.param, caught.value.code) == (param, code)
    assert message in str(caught.value)


def test_a_method_that_learns_from_labels_is_refused(catalog, writer, monkeypatch):
    monkeypatch.setattr("jobs.methods.bbt.BBT.labels_only", True)
    with pytest.raises(Refused, match="bbt learns from labels, and a task with a metric has none"):
        admit(spec(), catalog)
