"""What the page of a job says in words: from objects of the API alone."""

import json
import shlex
from typing import Any

import pytest

from jobs.exports import HOLDS, READ_BY
from web.examples import Frame, changed, shared_out
from web.formats import NBSP
from web.reading import EXPORTS, Reading, history

Object = dict[str, Any]

BEST = {"kind": "soft", "text": None, "generation": 3, "dev_accuracy": 0.8}


def job(status: str = "running", **more: Any) -> Object:
    progress = {"generation": 3, "queries": 30, "budget": 100, "fraction": 0.5, "seconds": 12.0}
    budget = {"queries": 100}
    return {
        "id": "job_1",
        "name": None,
        "status": status,
        "metric": "accuracy",
        "termination_reason": "budget_spent",
        "error": None,
        "result": None,
        "baseline": {"dev_accuracy": 0.5, "prompt": ""},
        "incumbent": BEST,
        "usage": {"requests": 0, "recalled": 0, "tokens_in": 0, "tokens_out": 0, "cost": 0.0},
        "estimate": None,
        "cancel_requested": False,
        "pause_requested": False,
        **more,
        "progress": {**progress, **more.get("progress", {})},
        "spec": {"dataset": "a b", "task": {"template": "{prompt} {text}"}, "budget": budget}
        | more.get("spec", {}),
    }


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (job("queued", progress={"generation": 0}), "Waiting for a runner"),
        (job("queued"), "Waiting for a runner to go on"),
        (
            job(progress={"generation": 0}, baseline=None, incumbent=None),
            "Measuring the baseline first",
        ),
        (job(progress={"generation": 0}), "In the first generation"),
        (job(), "Searching"),
        *(
            (
                job(**{f"{asked}_requested": True}),
                f"Being {asked}{ended}: the generation it is in comes to its end first",
            )
            for asked, ended in (("pause", "d"), ("cancel", "led"))
        ),
        (job("paused"), "Paused"),
        (job("failed"), "Failed"),
        (job("cancelled"), "Cancelled: the best prompt so far is kept"),
        (job("cancelled", incumbent=None), "Cancelled"),
        (job("succeeded", termination_reason="converged"), "Finished: the search converged"),
        (job("succeeded", progress={"queries": 100}), "Finished: the budget is spent"),
        (
            job("succeeded"),
            "Finished: what is left of the budget is too little for another generation",
        ),
    ],
)
def test_the_phase_is_a_sentence(told: Object, said: str) -> None:
    assert Reading(told).phase == said


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (job(), f"50.0{NBSP}% job_1"),
        (job("paused", name="mine"), "paused: mine"),
        (job("succeeded", result={"outcome": "no_improvement"}), "no improvement: job_1"),
    ],
)
def test_the_window_says_first_how_it_stands(told: Object, said: str) -> None:
    assert Reading(told).tab == said


def test_differences_are_of_the_baseline() -> None:
    assert Reading(job()).gain == pytest.approx(0.3)
    assert Reading(job(baseline=None)).gain is None
    measured = {"baseline": {"accuracy": 0.7}, "tuned": {"accuracy": 0.6}}
    assert Reading(job(result=measured)).difference == pytest.approx(-0.1)
    assert Reading(job(result={"outcome": "not_measured"})).difference is None


def test_only_a_job_in_the_queue_misses_a_runner() -> None:
    assert Reading(job("queued"), runners=0).is_alone
    assert not Reading(job("queued"), runners=1).is_alone
    assert not Reading(job("queued"), runners=None).is_alone
    assert not Reading(job("paused"), runners=0).is_alone


def test_money_has_its_wall_and_its_currency() -> None:
    usage = {"requests": 9, "recalled": 1, "tokens_in": 1000, "tokens_out": 234, "cost": 0.0434}
    walls = {"budget": {"queries": 100, "tokens": 9000, "cost": 1.5}}
    expected = {"queries": None, "currency": "EUR"}
    paid = Reading(job(usage=usage, spec=walls, estimate=expected))
    assert (paid.tokens, paid.cost) == ("1,234 of 9,000", "0.0434 of 1.50 EUR")
    assert "Cost (EUR)" in [row[0] for row in paid.spent]
    free = Reading(job(usage={**usage, "cost": 0.0}))
    assert free.cost == "no prices known"
    assert not [row for row in free.spent if row[0].startswith("Cost")]
    assert Reading(job(usage=usage)).cost == "0.0434", "its endpoint is gone, and the currency"


def test_spent_is_told_while_the_job_goes_on() -> None:
    rows = {row[0]: row[1] for row in Reading(job()).spent}
    assert rows == {"Queries on train and dev": "30", "Queries on test": "–"} | {
        "Seconds of tuning": "12.0"
    }


@pytest.mark.parametrize("kind", ["soft", "text", "pixels", "ensemble", "thinking"])
@pytest.mark.parametrize("model", ["masked", "causal", "openai", "clip", None])
def test_a_prompt_is_offered_as_what_can_hold_it(kind: str, model: str | None) -> None:
    endpoint = model and {"kind": model}
    told = Reading(job(incumbent={**BEST, "kind": kind}), endpoint=endpoint)  # type: ignore[arg-type]
    fit = [
        name
        for name, kinds in HOLDS.items()
        if kind in kinds and (name not in READ_BY or model in READ_BY[name])
    ]
    assert sorted(one.format for one in told.exports) == sorted(fit)
    assert {one.format for one in EXPORTS} == set(HOLDS)


def test_nothing_is_offered_before_there_is_a_prompt() -> None:
    assert Reading(job(incumbent=None)).exports == []


def test_columns_are_what_a_person_types() -> None:
    task = {"template": "{prompt} {premise} {hypothesis} {premise} {label}"}
    assert Reading(job(spec={"task": task})).columns == ["premise", "hypothesis"]


def test_a_wordless_prompt_is_told_in_words() -> None:
    vote = {**BEST, "kind": "ensemble"}
    assert "vote" in Reading(job(incumbent=vote)).words
    empty = {**BEST, "kind": "text", "text": ""}
    assert Reading(job(incumbent=empty)).words == "(the empty prompt)"
    assert Reading(job()).words == "", "a soft prompt is no words"


def test_a_command_starts_the_same_job_and_names_no_key() -> None:
    told = Reading(job(spec={"name": "it's"}))
    first, *_, last = shlex.split(told.curl("http://x:1", locked=False).replace("\\\n", " "))[1:]
    assert (first, json.loads(last)) == ("-s", told.job["spec"])
    assert "authorization: Bearer $GRADLESS_API_KEY" in told.curl("http://x:1", locked=True)


def found(number: int, text: str | None, dev_accuracy: float) -> Object:
    return {"number": number, "text": text, "dev_accuracy": dev_accuracy}


def test_each_incumbent_stands_beside_the_one_before() -> None:
    before = {"dev_accuracy": 0.5, "prompt": "Which team?"}
    incumbents = [found(1, "Which queue?", 0.6), found(4, "Which queue, please?", 0.55)]
    last, first = history(incumbents, before, 20)
    assert [step.generation["number"] for step in (last, first)] == [4, 1]
    assert [step.gain for step in (last, first)] == pytest.approx([-0.05, 0.1])
    assert first.pieces is not None
    assert [piece.text for piece in first.pieces if piece.kind == "del"] == ["team?"]
    assert [step.generation["number"] for step in history(incumbents, before, 1)] == [4]


def test_incumbents_without_words_or_baseline_have_only_numbers() -> None:
    (step,) = history([found(1, None, 0.6)], None, 20)
    assert (step.gain, step.pieces) == (None, None)


def test_a_row_has_its_image_and_its_words() -> None:
    told = Frame("a b", "photo").example({"photo": "sha256:1/2", "text": "<b>", "more": "x"})
    address = "/api/datasets/a%20b/images/sha256%3A1%2F2?width=64"
    assert told == {"image": address, "words": "<b> · x"}
    assert Frame("a b").example({"text": "x"}) == {"image": "", "words": "x"}


def test_changed_rows_say_what_became_of_them() -> None:
    def row(was: float, now: float) -> Object:
        right = {"baseline_right": was, "tuned_right": now}
        return {"inputs": {"text": "x"}, "label": "y", "baseline": "", "tuned": "z", **right}

    rows = [row(0, 1), row(1, 0), row(0.5, 0.25), row(0, 0)]
    told = changed({"changed": rows, "kept": [row(1, 1)]}, Frame("d"))
    assert [one["change"] for one in told] == [
        "fixed",
        "broken",
        "broken",
        "still wrong",
        "as right",
    ]
    assert told[0]["answers"][0] == ("baseline", "(empty)", 0)
    assert len(changed({"changed": rows}, Frame("d"), 2)) == 2


def test_shares_are_of_the_row_that_was_asked_most() -> None:
    rows = [{"number": n, "inputs": {}, "label": "y", "queries": q} for n, q in ((3, 40), (1, 10))]
    assert [one["share"] for one in shared_out(rows, Frame("d"))] == [1.0, 0.25]
    assert shared_out([], Frame("d")) == []
