"""Jobs side by side: settings that differ, and prompts tested against each other."""

import re

import numpy as np
import pytest

from jobs.comparison import Contestant, NoVerdict, Setting, Verdict, settings, verdicts
from jobs.models import JobRow, Status
from jobs.report import Scores
from jobs.significance import mcnemar, paired_bootstrap

TASK = {"template": "{prompt} {text}", "verbalizer": {"a": "a", "b": "b"}, "metric": None}
SPEC = {
    "name": "one",
    "endpoint": "minilm",
    "dataset": "colors",
    "task": TASK,
    "method": {"name": "bbt"},
    "budget": {"queries": 1000},
}
GRADED = {**TASK, "verbalizer": {}, "metric": {"name": "rouge_l"}}


def contestant(id_, tuned, rows="r", status=Status.SUCCEEDED, result=None, **changes):
    scores = tuned and Scores(rows=rows, baseline=[0.0] * len(tuned), tuned=tuned)
    job = JobRow(id=id_, spec={**SPEC, **changes}, status=status, result=result)
    return Contestant(job, scores or None)


def test_settings_are_told_by_their_path():
    other = {**SPEC, "name": "two", "budget": {"queries": 2000, "cost": None}}
    found = settings([SPEC, {**other, "method": {"name": "ops", "k": 3}}])
    told = {each.name: each for each in found}
    assert "name" not in told, "what a job is called is no setting"
    assert [each.name for each in found][:3] == ["endpoint", "dataset", "task.template"]
    assert told["method.name"] == Setting("method.name", ["bbt", "ops"], False)
    assert told["budget.queries"] == Setting("budget.queries", [1000, 2000], False)
    assert told["endpoint"] == Setting("endpoint", ["minilm", "minilm"], True)
    assert told["method.k"] == Setting("method.k", [None, 3], False)
    assert told["budget.cost"] == Setting("budget.cost", [None, None], False), "null is no absence"
    assert told["task.verbalizer.a"].same


def test_lists_of_objects_are_opened():
    race = {"method": {"contenders": [{"name": "bbt"}, {"name": "ops"}], "steps": [1, 2], "no": {}}}
    told = {each.name: each.values for each in settings([race, race])}
    assert told == {
        "method.contenders.0.name": ["bbt"] * 2,
        "method.contenders.1.name": ["ops"] * 2,
        "method.steps": [[1, 2]] * 2,
    }


def test_two_prompts_on_the_same_rows():
    first, second = [1.0] * 4 + [0.0] * 16, [0.0] + [1.0] * 15 + [0.0] * 4
    [found] = verdicts([contestant("a", first), contestant("b", second)])
    assert isinstance(found, Verdict)
    assert (found.first, found.second, found.n) == ("a", "b", 20)
    assert found.difference == pytest.approx(11 / 20), "the second's minus the first's"
    assert (found.test, found.p_value) == ("exact McNemar", mcnemar(12, 1))


def test_graded_answers_are_bootstrapped():
    random = np.random.default_rng(1)
    first, second = random.random(30), random.random(30)
    pair = [contestant(n, list(x), task=GRADED) for n, x in (("a", first), ("b", second))]
    [found] = verdicts(pair)
    assert (found.test, found.p_value) == ("paired bootstrap", paired_bootstrap(second - first))


def test_every_pair_in_its_order():
    found = verdicts([contestant(n, [1.0, 0.0]) for n in "abc"])
    assert [(each.first, each.second) for each in found] == [("a", "b"), ("a", "c"), ("b", "c")]


MEASURED = {"tuned": {}}
WITHOUT = [
    (contestant("b", None, status=Status.RUNNING), "the second job .* it is running"),
    (contestant("b", None, status=Status.CANCELLED), "it was not measured on test"),
    (contestant("b", None, result=MEASURED), "before Gradless kept them"),
    (contestant("b", [1.0, 0.0], task=GRADED), "different metrics"),
    (contestant("b", [1.0, 0.0], dataset="other"), "colors and other"),
    (contestant("b", [1.0, 0.0], rows="s"), "rows of colors were changed"),
]


@pytest.mark.parametrize(("other", "reason"), WITHOUT, ids=[reason for _, reason in WITHOUT])
def test_what_cannot_be_compared_is_said(other, reason):
    [found] = verdicts([contestant("a", [1.0, 0.0]), other])
    assert isinstance(found, NoVerdict)
    assert (found.first, found.second) == ("a", "b")
    assert re.search(reason, found.reason), found.reason
    [turned] = verdicts([other, contestant("a", [1.0, 0.0])])
    if "second" in found.reason:
        assert turned.reason == found.reason.replace("second", "first")
