"""Curves as SVG: what they show stands where its numbers say, whatever the numbers are."""

import re
from xml.etree import ElementTree

import pytest

from tests.web import samples
from tests.web.test_figures import rounds
from web.figures import accuracy_figure, loss_figure
from web.svg import BOTTOM, LEFT, MOST_TICKS, RIGHT, Scale, drawn

DASHED = "stroke-dasharray"


def read(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in svg.iter("text")]


def paths(svg: ElementTree.Element, color: str) -> list[str]:
    return [path.attrib["d"] for path in svg.iter("path") if path.attrib.get("stroke") == color]


@pytest.fixture
def job() -> samples.Object:
    ended = {"baseline": samples.baseline(), "result": samples.result()}
    return samples.job("job_1", "succeeded", **ended)


@pytest.mark.parametrize(("low", "high"), [(0, 40_000), (0.447, 1.3), (-3, 2), (72.1, 72.2)])
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    ticks = Scale(low, high, 0, 100).ticks()
    assert 3 <= len(ticks) <= MOST_TICKS + 1
    assert low <= ticks[0] <= ticks[-1] <= high * (1 + 1e-9)
    step = f"{ticks[1] - ticks[0]:e}"
    assert step[:4] in ("1.00", "2.00", "5.00"), step


def test_a_curve_goes_from_its_first_number_to_its_last(job: samples.Object) -> None:
    figure = loss_figure(job, rounds(20))
    svg = read(drawn(figure, "Loss"))
    assert svg.attrib["aria-label"] == "Loss"
    incumbent, baseline = figure["data"][2], figure["data"][3]
    [_, stairs] = paths(svg, incumbent["line"]["color"])  # the first is the legend's
    assert len(re.findall("H.*?V", stairs)) == len(incumbent["x"]) - 1
    numbers = [float(number) for number in re.findall(r"[\d.]+", stairs)]
    assert LEFT < numbers[0] < numbers[-2] <= RIGHT
    assert numbers[1] < numbers[-1] < BOTTOM, "the loss falls, so its curve does"
    dashed = [path.attrib["d"] for path in svg.iter("path") if DASHED in path.attrib]
    assert len(dashed) == 2
    start, end = re.findall(r"[\d.]+ ([\d.]+)", dashed[1])
    assert start == end, "the baseline is level"
    assert float(start) < numbers[1], f"{baseline['y'][0]} is above all that was found"


def test_names_units_and_the_test_point(job: samples.Object) -> None:
    svg = read(drawn(accuracy_figure(job, rounds(20)), "Accuracy"))
    assert {"Champion, dev", "Incumbent, dev", "Baseline, dev", "Tuned, test"} <= {*texts(svg)}
    assert {"Queries spent", "Accuracy (%)", "10,000", "80 %"} <= {*texts(svg)}


@pytest.mark.parametrize("n", [0, 1, 2, 5000])
def test_few_generations_and_many(n: int, job: samples.Object) -> None:
    for figure in (loss_figure(job, rounds(n)), accuracy_figure(job, rounds(n))):
        svg = drawn(figure, "curve")
        assert "nan" not in svg
        assert len(svg) < 200_000
        assert len(texts(read(svg))) > 5
    bare = loss_figure(samples.job("job_1"), [])
    assert texts(read(drawn(bare, "nothing")))


def test_all_the_same_and_never_finite(job: samples.Object) -> None:
    for loss in (0.0, 1.5, None):
        history = [samples.generation(n) for n in range(1, 9)]
        for each in history:
            each |= dict.fromkeys(("train_loss", "dev_loss", "incumbent_dev_loss"), loss)
        read(drawn(loss_figure({**job, "baseline": None}, history), "flat"))


def test_words_are_words() -> None:
    figure = loss_figure(samples.job("job_1", baseline=samples.baseline()), rounds(2))
    figure["data"][0]["name"] = samples.SCRIPT
    svg = drawn(figure, '"><script>')
    assert "<script" not in svg
    assert samples.SCRIPT in texts(read(svg))
