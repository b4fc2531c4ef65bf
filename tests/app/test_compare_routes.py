"""Two jobs beside each other, over HTTP, on the real model; and how things stand."""

from typing import Any
from xml.etree import ElementTree

import plotly.graph_objects as go
import pytest

from tests.servers import Service, spec


@pytest.fixture(scope="module")
def other(tuning: Service) -> dict[str, Any]:
    """A second job that has succeeded on the rows of `finished`, with another seed."""
    return tuning.ended(tuning.submit(spec(generations=3, seed=8, name="other")))


@pytest.fixture(scope="module")
def pair(finished: dict[str, Any], other: dict[str, Any]) -> str:
    return f"{finished['id']},{other['id']}"


def test_settings_and_a_test_of_the_two_prompts(
    tuning: Service, pair: str, finished: dict[str, Any], other: dict[str, Any]
) -> None:
    body = tuning.get("/api/compare", jobs=pair)
    assert body["object"] == "comparison"
    assert [job["id"] for job in body["jobs"]] == [finished["id"], other["id"]]
    assert body["jobs"][0] == tuning.job(finished["id"])
    differ = {each["name"]: each["values"] for each in body["settings"] if not each["same"]}
    assert differ == {"seed": [7, 8], "budget.queries": [88, 68], "metadata.team": ["colors", None]}
    [found] = body["tests"]
    assert (found["first"], found["second"]) == (finished["id"], other["id"])
    assert (found["test"], found["n"]) == ("exact McNemar", 12)
    gain = other["result"]["tuned"]["accuracy"] - finished["result"]["tuned"]["accuracy"]
    assert found["difference"] == pytest.approx(gain)
    assert 0 < found["p_value"] <= 1


def test_turned_around_it_says_the_opposite(
    tuning: Service, finished: dict[str, Any], other: dict[str, Any]
) -> None:
    ids = finished["id"], other["id"]
    there, back = (
        tuning.get("/api/compare", jobs=",".join(each))["tests"][0] for each in (ids, ids[::-1])
    )
    assert there["difference"] == -back["difference"]
    assert there["p_value"] == back["p_value"]


def test_a_job_without_scores_is_told_apart(tuning: Service, finished: dict[str, Any]) -> None:
    waits = tuning.submit(spec(generations=1))
    assert tuning.http.post(f"/api/jobs/{waits}/cancel").status_code == 200
    body = tuning.get("/api/compare", jobs=f"{finished['id']}, {waits}")
    [found] = body["tests"]
    assert set(found) == {"first", "second", "reason"}
    assert found["reason"].startswith("the second job has no scores of its test rows")


@pytest.mark.parametrize("axis", ["queries", "tokens", "cost", "seconds"])
@pytest.mark.parametrize("name", ["accuracy", "loss"])
def test_their_curves(name: str, axis: str, tuning: Service, pair: str) -> None:
    path = f"/api/compare/figures/{name}"
    figure = tuning.get(path, jobs=pair, axis=axis, theme="dark")
    assert len(go.Figure(figure).data) == len(figure["data"])
    curves = [trace for trace in figure["data"] if trace["mode"] == "lines"]
    if axis in ("tokens", "cost"):
        assert curves == [] and figure["layout"]["annotations"], "this model is nobody's to pay"
    else:
        assert [trace["name"] for trace in curves] == ["colors", "other"]
        assert all(trace["x"] == sorted(trace["x"]) for trace in curves)
    answer = tuning.http.get(path, params={"jobs": pair, "axis": axis, "format": "svg"})
    assert answer.headers["content-type"] == "image/svg+xml"
    assert ElementTree.fromstring(answer.text).tag.endswith("svg")


def test_time_ends_where_the_job_s_does(tuning: Service, pair: str, other: dict[str, Any]) -> None:
    figure = tuning.get("/api/compare/figures/accuracy", jobs=pair, axis="seconds")
    curve = next(trace for trace in figure["data"] if trace["name"] == "other")
    point = next(trace for trace in figure["data"] if trace["name"] == "other, test")
    assert curve["x"][-1] == pytest.approx(other["progress"]["seconds"])
    assert point["x"][0] >= curve["x"][-1] > curve["x"][0] > 0


NAMES = ["loss", "accuracy", "internals", "comparison", "confusion-tuned", "confusion-baseline"]


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_of_a_job_comes_as_a_drawing(
    name: str, tuning: Service, finished: dict[str, Any]
) -> None:
    path = f"/api/jobs/{finished['id']}/figures/{name}"
    answer = tuning.http.get(path, params={"format": "svg", "theme": "dark"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    words = {each.text for each in ElementTree.fromstring(answer.text).iter() if each.text}
    shown = tuning.get(path, theme="dark")["layout"]
    assert shown["xaxis"]["title"]["text"] in words


def test_how_things_stand(tuning: Service, finished: dict[str, Any]) -> None:
    body = tuning.get("/api/summary")
    assert body["object"] == "summary"
    assert {"running", "queued", "paused", "today", "runners"} < set(body)
    [runner] = body["runners"]
    assert runner == {"id": tuning.runner()["name"], "alive": True}
    spent = tuning.rows("SELECT sum(queries) AS n FROM jobs")[0]["n"]
    assert finished["progress"]["queries"] <= body["today"]["queries"] <= spent
    assert (body["today"]["tokens"], body["today"]["cost"]) == (0, {})


def test_what_waits_is_counted(idle: Service) -> None:
    before = idle.get("/api/summary")
    idle.submit(spec())
    after = idle.get("/api/summary")
    assert (after["queued"], after["running"]) == (before["queued"] + 1, 0)
    assert after["runners"] == []
