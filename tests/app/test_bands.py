"""How sure an accuracy on dev is: the band around the incumbent's curve, on both canvases."""

from typing import Any

import pytest

from app.bands import with_bands
from jobs.significance import wilson
from web.figures import accuracy_figure
from web.svg import drawn


def job(metric: str = "accuracy", rows: int | None = 40) -> dict[str, Any]:
    effects = {} if rows is None else {"dev": {"rows": rows, "points": 15.0, "by": "Wilson"}}
    progress = {"budget": 100, "queries": 60}
    return {"metric": metric, "estimate": {"effects": effects}, "progress": progress}


def search(*accuracies: float) -> list[dict[str, Any]]:
    return [
        {"number": n, "queries": 20 * n, "incumbent_dev_accuracy": accuracy}
        for n, accuracy in enumerate(accuracies, 1)
    ]


def test_it_is_wilsons_of_the_dev_rows() -> None:
    [first, last] = with_bands(search(0.5, 0.9), job())
    assert (first["incumbent_dev_low"], first["incumbent_dev_high"]) == wilson(20, 40)
    assert (last["incumbent_dev_low"], last["incumbent_dev_high"]) == wilson(36, 40)


@pytest.mark.parametrize("subject", [job("rouge_l"), job(rows=None), job() | {"estimate": None}])
def test_there_is_none_of_graded_answers_or_of_rows_that_nobody_counted(subject: Any) -> None:
    [one] = with_bands(search(0.5), subject)
    assert "incumbent_dev_low" not in one


def test_the_band_keeps_its_height_until_the_next_step() -> None:
    figure = accuracy_figure(job(), with_bands(search(0.5, 0.9), job()))
    band = figure["data"][0]
    low, high = (100 * bound for bound in wilson(20, 40))
    assert band["name"] == "Incumbent, 95 % interval"
    assert list(zip(band["x"], band["y"], strict=True))[:2] == [(20, high), (40, high)]
    assert (band["x"][-1], band["y"][-1]) == (20, low)
    assert max(band["y"]) == pytest.approx(100 * wilson(36, 40)[1])


def test_it_is_drawn_without_a_script_too() -> None:
    figure = accuracy_figure(job(), with_bands(search(0.5, 0.9), job()))
    assert drawn(figure, "Accuracy").count('fill-opacity="0.15"') == 2, "the area and its sign"
    assert "fill-opacity" not in drawn(accuracy_figure(job(), search(0.5, 0.9)), "Accuracy")
