"""PromptBoosting as a method: its templates, its cost, its settings."""

import pytest
from pydantic import ValidationError

from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.promptboosting import PromptBoosting, neutral
from jobs.task import slots
from tests.jobs.ranking import RankingToy, split, task

LABELS = ("blue", "green", "red")


def search(budget=10**6, **settings):
    toy = RankingToy()
    meter = Meter(toy, budget)
    problem = Problem(toy, task(LABELS), split(LABELS), "", seed=0)
    return PromptBoosting(**settings).search(problem, meter), meter


@pytest.mark.parametrize(
    "template",
    [
        "{prompt} {text}",
        "{prompt}\n\n{title}\n{text}\n\nAnswer:",
        "{text} {prompt} It was {label}.",
        "{label}: {prompt} {text}",
    ],
)
def test_ten_neutral_templates_around_the_job_s_own(template):
    ten = neutral(template)
    assert len(set(ten)) == 10
    for each in ten:
        assert slots(each) == [slot for slot in slots(template) if slot != "prompt"]
        assert each == each.strip() or template.startswith("{prompt}\n")
    assert ten[0].split() == template.replace("{prompt}", "").split()


def test_a_tail_comes_where_the_template_says_nothing_of_the_label():
    assert neutral("{prompt} {text}")[1] == "Text: {text} It is about"
    assert neutral("{prompt} {text} {label}")[1] == "Text: {text} {label}"


@pytest.mark.parametrize(
    ("settings", "n_templates"),
    [({}, 10), ({"n_templates": 3}, 3), ({"templates": ["{text}", "see {text}"]}, 2)],
)
def test_it_costs_what_it_says(settings, n_templates):
    run, meter = search(**settings)
    costs = []
    for _ in run.run(run.start()):
        costs.append(meter.spent - sum(costs))
    method = PromptBoosting(**settings)
    assert costs[:n_templates] == [method.generation_queries(48, 48)] * n_templates
    assert sum(costs) == meter.spent == method.least_queries(48, 48) == n_templates * 96


@pytest.mark.parametrize(
    ("templates", "what"),
    [
        (["no slot"], "wanted a column"),
        (["{label}"], "wanted a column"),
        (["{prompt} {text}"], "no {prompt}"),
        (["{text} {label} {label}"], "{label} at most once"),
        (["{text}"] * 11, "at most 10"),
    ],
)
def test_templates_that_cannot_be(templates, what):
    with pytest.raises(ValidationError, match=what.replace("{", "\\{")):
        PromptBoosting(templates=templates)


def test_a_template_with_an_unknown_column():
    with pytest.raises(ValueError, match=r"no column for \{body\}; wanted \{label\} or .*\{text\}"):
        PromptBoosting(templates=["{text} {body}"]).check_data(["text"], ["a", "b"])


@pytest.mark.parametrize(("n_labels", "expected"), [(2, 50), (3, 10), (4, 10), (5, 5), (9, 5)])
def test_words_per_label_are_the_paper_s(n_labels, expected):
    labels = [f"label {i}" for i in range(n_labels)]
    problem = Problem(RankingToy(), task(labels), split(labels, 1, 1), "", seed=0)
    for given in (0, 7):
        made = PromptBoosting(words_per_label=given).search(problem, Meter(RankingToy(), 1))
        assert made.recipe.words_per_label == (given or expected)


def test_presets():
    paper, fast = (PromptBoosting.with_preset(name) for name in ("paper", "fast"))
    assert (paper.n_learners, paper.n_verbalizers, paper.learning_rate) == (200, 20_000, 1.0)
    assert fast.least_queries(96, 96) < paper.least_queries(96, 96) == 1_920


def test_errors_are_what_is_reported():
    run, _ = search()
    assert (run.train.loss, run.dev.loss) == ("accuracy", "accuracy")
    last = list(run.run(run.start()))[-1]
    assert last.incumbent.dev_loss == pytest.approx(1 - last.incumbent.dev_accuracy)
