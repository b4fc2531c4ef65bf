"""Jobs whose answers are texts, as the records and the terminal show them."""

from __future__ import annotations

from gradless import Prediction, Report
from gradless.progress import line
from gradless.types import Incumbent, JobState


def test_a_text_is_an_answer():
    told = {"object": "prediction", "label": None, "probabilities": {}, "text": "a plan"}
    answer = Prediction.model_validate(told | {"baseline": {**told, "text": "none"}})
    assert (str(answer), str(answer.baseline), answer.probabilities) == ("a plan", "none", {})
    assert str(Prediction.model_validate(told | {"text": ""})) == ""


def test_a_label_is_an_answer():
    told = {"label": "billing", "probabilities": {"billing": 0.9}, "text": None}
    assert str(Prediction.model_validate(told)) == "billing"


def test_a_line_names_the_metric():
    best = Incumbent(generation=3, dev_accuracy=0.5)
    state = JobState(id="job_1", status="succeeded", metric="rouge_l", incumbent=best)
    assert line(state).endswith("dev rouge_l 0.500")
    assert line(state.model_copy(update={"metric": None})).endswith("dev accuracy 0.500")


def test_changed_rows_say_how_right_they_are():
    row = {"inputs": {"text": "x"}, "label": "a b", "baseline": "", "tuned": "a"}
    row |= {"baseline_right": 0.0, "tuned_right": 2 / 3}
    report = Report.model_validate({"outcome": "improved", "n_changed": 9, "changed": [row]})
    assert (report.n_changed, report.changed[0].tuned_right) == (9, 2 / 3)
