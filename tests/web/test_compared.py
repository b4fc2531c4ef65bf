"""Several jobs in one figure: each curve is its own job's, against what the axis says."""

import json

import plotly.graph_objects as go
import pytest

from tests.web import samples
from tests.web.test_figures import named, rounds
from web.compared import AXES, LONGEST, ON_TEST, compared_figure, titles
from web.plotting import THEMES

USAGE = {"tokens_in": 9000, "tokens_out": 1000, "cost": 0.5}


def job(n: int, **more: object) -> samples.Object:
    known = {"name": f"job {n}", "metric": "accuracy", "usage": USAGE, "estimate": None}
    return samples.job(f"job_{n}", "succeeded") | known | more


def course(scale: float = 1.0, n: int = 4) -> list[samples.Object]:
    spent = [{"tokens": 1000 * scale * k, "cost": 0.01 * scale * k} for k in range(1, n + 1)]
    made = zip(rounds(n), spent, strict=True)
    return [{**one, **more, "elapsed": 2.0 * scale * one["number"]} for one, more in made]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ["accuracy", "loss"])
def test_valid_figures_and_json(name: str, axis: str, theme: str) -> None:
    jobs = [job(n, result=samples.result()) for n in range(8)]
    for courses in ([course(n) for n in range(1, 9)], [[]] * 8):
        figure = compared_figure(name, jobs, courses, axis, theme)
        assert len(go.Figure(figure).data) == len(figure["data"])
        assert json.loads(json.dumps(figure, allow_nan=False)) == figure


def test_eight_jobs_are_told_apart_by_color_and_neighbors_by_dashes() -> None:
    jobs, courses = [job(n) for n in range(8)], [course()] * 8
    for theme in THEMES:
        data = compared_figure("loss", jobs, courses, "queries", theme)["data"]
        assert len({curve["line"]["color"] for curve in data}) == 8
        dashes = [curve["line"]["dash"] for curve in data]
        assert all(len(set(dashes[n : n + 4])) == 4 for n in range(5))


@pytest.mark.parametrize(
    ("axis", "xs", "title"),
    [
        ("queries", None, "Queries spent"),
        ("tokens", [2000, 4000], "Tokens read and written"),
        ("cost", [0.02, 0.04], "Cost (EUR)"),
        ("seconds", [4.0, 8.0], "Time of tuning (s)"),
    ],
)
def test_a_curve_is_the_incumbent_against_what_was_spent(
    axis: str, xs: list[float] | None, title: str
) -> None:
    jobs = [job(1), job(2, estimate={"currency": "EUR"})]
    courses = [course(), course(2.0, 2)]
    figure = compared_figure("accuracy", jobs, courses, axis)
    second = named(figure, "job 2")
    assert second["x"] == pytest.approx(xs or [one["queries"] for one in courses[1]])
    assert second["y"] == [100 * one["incumbent_dev_accuracy"] for one in courses[1]]
    assert figure["layout"]["xaxis"]["title"]["text"] == title
    assert figure["layout"]["yaxis"]["title"]["text"] == "Accuracy on dev (%)"


@pytest.mark.parametrize(
    ("axis", "at"), [("queries", 38_496), ("tokens", 10_000), ("cost", 0.5), ("seconds", 512.3)]
)
def test_the_result_on_test_stands_where_the_job_has_ended(axis: str, at: float) -> None:
    result = {**samples.result(), "seconds": 512.3}
    figure = compared_figure("accuracy", [job(1, result=result), job(2)], [course()] * 2, axis)
    [point] = [trace for trace in figure["data"] if trace["mode"] == "markers"]
    assert (point["name"], point["x"], point["y"]) == ("job 1, test", [at], [87.5])
    assert point["error_y"]["array"] == pytest.approx([3.03])
    assert point["marker"]["color"] == named(figure, "job 1")["line"]["color"]
    assert [one["text"] for one in figure["layout"]["annotations"]] == [ON_TEST]
    assert figure["layout"]["xaxis"]["range"][1] > at
    loss = compared_figure("loss", [job(1, result=result)], [course()], axis)
    assert [trace["mode"] for trace in loss["data"]] == ["lines"]


def test_what_is_not_known_leaves_no_point() -> None:
    history = course()
    history[0] |= {"tokens": None}
    history[1] |= {"incumbent_dev_loss": None}
    [curve] = compared_figure("loss", [job(1)], [history], "tokens")["data"]
    assert curve["customdata"] == [3, 4]


def test_what_cost_nothing_is_not_drawn_along_the_edge() -> None:
    free = [{**one, "tokens": 0, "cost": 0.0} for one in course()]
    usage = {"tokens_in": 0, "tokens_out": 0, "cost": 0.0}
    jobs = [job(1, usage=usage, result=samples.result())]
    for axis, said in (("tokens", "spent any tokens"), ("cost", "spent any money")):
        figure = compared_figure("accuracy", jobs, [free], axis)
        assert figure["data"] == []
        assert said in figure["layout"]["annotations"][0]["text"]
    empty = compared_figure("loss", jobs, [[]], "queries")
    assert empty["layout"]["annotations"][0]["text"] == "No generation yet"


def test_jobs_of_one_name_are_told_apart_and_names_are_words() -> None:
    jobs = [job(1, name="a"), job(2, name="a"), job(3, name=None), job(4, name="b")]
    assert titles(jobs) == ["a (…ob_1)", "a (…ob_2)", "job_3", "b"]
    shown = compared_figure(
        "loss", [job(1, name="<b>&amp;"), job(2, name="x" * 99)], [course()] * 2, "queries"
    )
    first, second = (trace["name"] for trace in shown["data"])
    assert first == "&lt;b&gt;&amp;amp;" and len(second) == LONGEST


def test_what_is_measured_differently_has_no_common_name() -> None:
    jobs = [job(1), job(2, metric="rouge_l")]
    shown = [
        compared_figure(name, jobs, [course()] * 2, "queries") for name in ("accuracy", "loss")
    ]
    assert [figure["layout"]["yaxis"]["title"]["text"] for figure in shown] == [
        "Score on dev (%)",
        "Loss on dev (nats, of 1)",
    ]
