"""Every figure is a valid plotly figure, says its units, and survives having nothing to draw."""

import json
import re

import plotly.graph_objects as go
import pytest

from tests.web import samples
from web.figures import FIGURES, REPORT_FIGURES, comparison_figure, confusion_figure, loss_figure
from web.internals import internals_figure
from web.plotting import MAX_POINTS, THEMES, thin


def rounds(n: int) -> list[samples.Object]:
    made: list[samples.Object] = []
    for number in range(1, n + 1):
        made.append(samples.generation(number, before=made[-1] if made else None))
    return made


def named(figure: samples.Object, start: str) -> samples.Object:
    return next(trace for trace in figure["data"] if trace["name"].startswith(start))


@pytest.fixture
def job() -> samples.Object:
    return samples.job("job_1", "running", baseline=samples.baseline())


@pytest.fixture
def report() -> samples.Object:
    return samples.report("job_1", samples.result())


@pytest.mark.parametrize("theme", [*THEMES, "no such theme"])
@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_curves_are_valid_figures_and_json(
    name: str, theme: str, n: int, job: samples.Object
) -> None:
    figure = FIGURES[name](job, rounds(n), theme)
    assert len(go.Figure(figure).data) == len(figure["data"])  # plotly checks every name and value
    assert json.loads(json.dumps(figure, allow_nan=False)) == figure


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", REPORT_FIGURES)
def test_report_figures_are_valid_figures_and_json(
    name: str, theme: str, report: samples.Object
) -> None:
    for given in (report, {}):
        figure = REPORT_FIGURES[name](given, theme)
        assert len(go.Figure(figure).data) == len(figure["data"])
        assert json.loads(json.dumps(figure, allow_nan=False)) == figure


def test_a_job_with_nothing_yet_has_a_note_and_the_budget_as_its_axis() -> None:
    figure = loss_figure(samples.job("job_1", budget=500), [])
    assert figure["data"] == []
    assert figure["layout"]["annotations"][0]["text"] == "No generation yet"
    assert figure["layout"]["xaxis"]["range"][1] >= 500


def test_unknown_numbers_leave_no_point(job: samples.Object) -> None:
    generations = [{**one, "dev_loss": None} for one in rounds(3)]
    generations[1]["train_loss"] = None
    figure = loss_figure(job, generations)
    names = [trace["name"] for trace in figure["data"]]
    assert "Champion, dev" not in names
    assert named(figure, "Champion, train")["customdata"] == [1, 3]


def test_accuracies_are_in_percent_and_the_incumbent_is_a_step(job: samples.Object) -> None:
    figure = FIGURES["accuracy"](job, rounds(5), "light")
    incumbent = named(figure, "Incumbent, dev")
    assert incumbent["line"]["shape"] == "hv"
    assert all(50 < y < 100 for y in incumbent["y"])
    assert "%" in incumbent["hovertemplate"]
    assert named(figure, "Baseline")["name"] == "Baseline, dev"
    assert named(figure, "Baseline")["line"]["dash"] == "dash"


def test_texts_are_named_by_their_metric(job: samples.Object) -> None:
    job = {**job, "metric": "rouge_l"}
    shown = {name: draw(job, rounds(3), "light")["layout"] for name, draw in FIGURES.items()}
    assert shown["accuracy"]["yaxis"]["title"]["text"] == "ROUGE-L (%)"
    assert shown["loss"]["yaxis"]["title"]["text"] == "Loss (of 1)"
    sides = {"accuracy": 0.4, "low": 0.3, "high": 0.5, "n": 9, "confusion": []}
    report = {"metric": "rouge_l", "labels": [], "baseline": sides, "tuned": sides}
    comparison = REPORT_FIGURES["comparison"](report, "light")
    assert comparison["layout"]["xaxis"]["title"]["text"] == "Test ROUGE-L (%)"
    assert REPORT_FIGURES["confusion-tuned"](report, "light")["data"] == []


def test_the_loss_says_nats(job: samples.Object) -> None:
    figure = loss_figure(job, rounds(2))
    assert figure["layout"]["yaxis"]["title"]["text"] == "Loss (nats)"
    assert named(figure, "Baseline")["name"] == "Baseline, dev"


def test_the_test_accuracy_stands_at_the_end_with_its_interval(job: samples.Object) -> None:
    job |= {"status": "succeeded", "result": samples.result()}
    figure = FIGURES["accuracy"](job, rounds(19), "light")
    point = named(figure, "Tuned, test")
    assert point["x"] == [38496.0]
    assert point["y"] == pytest.approx([87.5])
    assert point["error_y"]["array"] == pytest.approx([3.03])
    assert point["error_y"]["arrayminus"] == pytest.approx([3.81])
    assert figure["layout"]["xaxis"]["range"][1] > 38496


def test_an_ended_job_fills_its_axis_with_what_was_spent(job: samples.Object) -> None:
    figure = loss_figure(job | {"status": "cancelled"}, rounds(3))
    assert 6240 < figure["layout"]["xaxis"]["range"][1] < 6600


def test_comparison_shows_both_with_intervals(report: samples.Object) -> None:
    baseline, tuned = comparison_figure(report)["data"]
    assert (baseline["name"], tuned["name"]) == ("Baseline", "Tuned")
    assert tuned["x"][0] + tuned["error_x"]["array"][0] == pytest.approx(90.53)


def test_confusion_is_of_the_prompt_asked_for(report: samples.Object) -> None:
    heat = confusion_figure(report, "baseline")["data"][0]
    assert heat["z"] == report["baseline"]["confusion"]
    assert heat["x"] == report["labels"]


SHARED_OUT = {
    "sigma": 0.1,
    "gradient_norm": 0.175,
    "fewest_draws": 3.0,
    "most_draws": 20.0,
    "spread_of_deviations": 3.63,
    "variance_ratio": 1.349,
    "new_number": 7.0,
}


def inside(internals: samples.Object, n: int = 3) -> samples.Object:
    return internals_figure([{**one, "internals": internals} for one in rounds(n)])


def test_the_inside_has_a_panel_for_each_unit() -> None:
    figure = inside(SHARED_OUT)
    go.Figure(figure)
    headings = [re.sub("<.*?>", "", one["text"]) for one in figure["layout"]["annotations"]]
    assert headings == [
        "Scale of the noise (units of search): 0.1",
        "Gradient’s length (nats per unit of search): 0.175",
        "On one example (draws): most 20, fewest 3",
        "Variance, equal shares over these (times): 1.35",
        "Spread of the deviations (of their mean): 3.63",
        "New number: 7",
    ]
    most, fewest = named(figure, "most"), named(figure, "fewest")
    assert (most["yaxis"], fewest["yaxis"]) == ("y3", "y3")
    assert most["line"]["color"] != fewest["line"]["color"]
    assert named(figure, "new number")["y"] == [7.0] * 3


def test_panels_of_the_inside_stand_apart_and_fit_the_height() -> None:
    shown = inside(SHARED_OUT)["layout"]
    axes = [shown["yaxis"], *(shown[f"yaxis{n}"] for n in range(2, 7))]
    edges = [edge for one in axes for edge in reversed(one["domain"])]
    assert edges == sorted(edges, reverse=True) and edges[-1] >= 0 and edges[0] < 1
    assert shown["xaxis"]["anchor"] == "y6"
    assert shown["height"] > inside({"sigma": 1.0})["layout"]["height"]


def test_a_number_that_comes_late_begins_where_it_comes() -> None:
    generations = rounds(2)
    generations[1]["internals"] = {"sigma": 0.9, "restarts": 1}
    restarts = named(internals_figure(generations), "restarts")
    assert (restarts["x"], restarts["y"]) == ([generations[1]["queries"]], [1])


@pytest.mark.parametrize("n", [0, 1, MAX_POINTS, MAX_POINTS + 1, 12345])
def test_thinning_keeps_first_last_and_extremes(n: int) -> None:
    ys = [float((k * 7919) % 4001) for k in range(n)]
    chosen = thin(ys)
    assert len(chosen) <= MAX_POINTS
    assert chosen == sorted(set(chosen))
    if n:
        kept = [ys[i] for i in chosen]
        assert (chosen[0], chosen[-1]) == (0, n - 1)
        assert (min(kept), max(kept)) == (min(ys), max(ys))


def test_a_long_job_is_thinned(job: samples.Object) -> None:
    long = loss_figure(job, rounds(5000))
    assert all(len(trace["x"]) <= MAX_POINTS for trace in long["data"])
