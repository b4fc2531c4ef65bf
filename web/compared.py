"""The curves of several jobs in one figure, against what each had spent. No HTTP, no plotly."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, NamedTuple

from web.formats import measured, sentence
from web.plotting import Figure, Theme, Trace, axis, interval_point, layout, line, note, theme_named

Object = Mapping[str, Any]  # an object of the API, as its JSON says it

DASHES = ("solid", "dash", "dot", "dashdot")  # beside colors: not everybody tells these apart
LONGEST = 40  # letters of a name in the legend
ON_TEST = "◆ tuned prompt on test, with its 95 % interval"


class Against(NamedTuple):
    """What curves are drawn against: a generation's number of it, in words and its unit."""

    key: str
    title: str
    unit: str
    form: str  # of a number, as d3 writes it


AXES: Mapping[str, Against] = {
    "queries": Against("queries", "queries spent", "queries", ",d"),
    "tokens": Against("tokens", "tokens read and written", "tokens", ",d"),
    "cost": Against("cost", "cost", "", ",.3~g"),
    "seconds": Against("elapsed", "time of tuning (s)", "s", ",.3~r"),
}


def compared_figure(
    name: str,
    jobs: Sequence[Object],
    courses: Sequence[Sequence[Object]],
    against: str,
    theme: str = "light",
) -> Figure:
    """`accuracy` or `loss` of each job's incumbent on dev, and its accuracy on test.

    Args:
        courses: of each job its generations, with the number `elapsed` where that is the axis.
    """
    colors = theme_named(theme)
    data = list(_traces(name, jobs, courses, against, colors))
    until = max((x for trace in data for x in trace["x"]), default=0)
    if not until:  # curves of models on this machine stand still where money is the axis
        data = []
    notes = [] if data else [note(_nothing(courses, AXES[against]), colors)]
    if any("error_y" in trace for trace in data):
        corner = {"x": 1, "xanchor": "right", "y": 1, "yanchor": "bottom"}
        notes = [note(ON_TEST, colors) | corner]
    whole = {"tickformat": ",d"} if against in ("queries", "tokens") else {}
    reach = [0, until * 1.04 or 1]
    x = axis(sentence(_titled(jobs, against)), colors, range=reach, nticks=6, **whole)
    y = _y_axis(name, jobs, colors)
    if not data:
        y |= {"range": [0, 1], "showticklabels": False}
    margin = {"l": 56, "r": 16, "t": 28, "b": 48}
    more = {"hovermode": "closest", "showlegend": True, "annotations": notes, "margin": margin}
    return {"data": data, "layout": layout(colors, x, y, **more)}


def titles(jobs: Sequence[Object]) -> list[str]:
    """Of each job its name; with the end of its id where another one has the same name."""
    times = Counter(job["name"] for job in jobs)
    return [
        f"{job['name']} (…{job['id'][-4:]})"
        if job["name"] and times[job["name"]] > 1
        else str(job["name"] or job["id"])
        for job in jobs
    ]


def _traces(
    name: str,
    jobs: Sequence[Object],
    courses: Sequence[Sequence[Object]],
    against: str,
    theme: Theme,
) -> Iterator[Trace]:
    told = zip(titles(jobs), jobs, courses, strict=True)
    for n, (title, job, course) in enumerate(told):
        shown = title if len(title) <= LONGEST else f"{title[: LONGEST - 1]}…"
        words = escape(shown, quote=False)  # plotly reads some tags in names
        pen = {"color": theme.series[n], "width": 2.5, "dash": DASHES[n % len(DASHES)]}
        curve = _curve(name, words, job, course, AXES[against])
        if curve["x"]:
            yield curve | {"line": {**pen, "shape": "hv"}, "legendgroup": str(n)}
        if name == "accuracy" and (at := _end(job, against)) is not None:
            yield _on_test(words, job, at, theme.series[n]) | {"legendgroup": str(n)}


def _curve(name: str, title: str, job: Object, course: Sequence[Object], against: Against) -> Trace:
    unit, factor = _unit(name, job)
    key = f"incumbent_dev_{name}"
    points = [
        (each[against.key], each[key] * factor, each["number"])
        for each in course
        if each[key] is not None and each[against.key] is not None
    ]
    said = f"%{{y:.4~r}} {unit} on dev at %{{x:{against.form}}} {against.unit}, generation"
    return line(title, points, unit) | {"hovertemplate": f"{said} %{{customdata}}"}


def _on_test(title: str, job: Object, at: float, color: str) -> Trace:
    mean, low, high = (100 * job["result"]["tuned"][key] for key in ("accuracy", "low", "high"))
    point = interval_point(f"{title}, test", (at, mean), (low, high), "%", color)
    return point | {"showlegend": False}


def _end(job: Object, against: str) -> float | None:
    """What the job had spent when it was measured on test; None: it was not."""
    result, usage = job["result"] or {}, job["usage"]
    if "tuned" not in result:
        return None
    spent = {
        "queries": result["queries"],
        "tokens": usage["tokens_in"] + usage["tokens_out"],
        "cost": usage["cost"],
        "seconds": result["seconds"],
    }
    return float(spent[against])


def _unit(name: str, job: Object) -> tuple[str, float]:
    """Of a job's numbers, and what they are multiplied by to be in it."""
    if name == "accuracy":
        return "%", 100.0
    return ("nats" if job["metric"] == "accuracy" else "of 1"), 1.0


def _y_axis(name: str, jobs: Sequence[Object], theme: Theme) -> dict[str, Any]:
    """Of what all of them are measured by, if they are by the same."""
    measures = {job["metric"] for job in jobs}
    units = {_unit(name, job)[0] for job in jobs}
    said = measured(measures.pop()) if len(measures) == 1 else "score"
    title = (
        f"{sentence(said if name == 'accuracy' else 'loss')} on dev ({', '.join(sorted(units))})"
    )
    suffix = {"ticksuffix": " %"} if name == "accuracy" else {}
    return axis(title, theme, nticks=6, **suffix)


def _titled(jobs: Sequence[Object], against: str) -> str:
    """The axis with its unit; money with the currencies that are known."""
    if against != "cost":
        return AXES[against].title
    told = [(job["estimate"] or {}).get("currency") for job in jobs]
    known = sorted({str(currency) for currency in told if currency is not None})
    return f"cost ({', '.join(known)})" if known else "cost"


def _nothing(courses: Sequence[Sequence[Object]], against: Against) -> str:
    if not any(courses):
        return "No generation yet"
    return f"None of these jobs has spent any {against.unit or 'money'}"
