"""The figures of a job: objects of the public API in, plotly figures (plain dictionaries) out.

Pure functions for the dashboard, notebooks and reports. No HTTP, no database, no plotly.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from web.formats import measured, sentence
from web.internals import internals_figure
from web.plotting import (
    Figure,
    Theme,
    Trace,
    axis,
    band,
    interval_point,
    layout,
    level,
    line,
    note,
    theme_named,
)

Object = Mapping[str, Any]  # an object of the API, as its JSON says it

ENDED = frozenset({"succeeded", "failed", "cancelled"})
WIDE = {"l": 56, "r": 32, "t": 8, "b": 44}  # room for the last tick
NATS = "nats"
POINTS = "of 1"  # a loss that is 1 minus a metric
PERCENT = "%"


def loss_figure(job: Object, generations: Sequence[Object], theme: str = "light") -> Figure:
    """Losses against the queries spent; lower is better."""
    unit = NATS if _measure(job) == "accuracy" else POINTS
    return _curves(job, generations, theme_named(theme), "loss", unit)


def accuracy_figure(job: Object, generations: Sequence[Object], theme: str = "light") -> Figure:
    """Accuracies in percent against the queries spent, and the test accuracy at the end.

    With a band where generations have `incumbent_dev_low` and `incumbent_dev_high`.
    """
    colors = theme_named(theme)
    figure = _curves(job, generations, colors, "accuracy", PERCENT)
    figure["data"][:0] = _incumbent_band(generations, colors)
    figure["data"].extend(_test_points(job, colors))
    return figure


def comparison_figure(report: Object, theme: str = "light") -> Figure:
    """Test accuracy of the baseline and of the tuned prompt, with 95 % intervals."""
    colors = theme_named(theme)
    rows = [("Baseline", "baseline", colors.muted), ("Tuned", "tuned", colors.incumbent)]
    scored = [(name, report[key], color) for name, key, color in rows if _is_scored(report, key)]
    data = [_bar(name, result, color, colors) for name, result, color in scored]
    x = axis(
        f"Test {measured(_measure(report))} (%)", colors, range=[0, 100], ticksuffix=" %", nticks=6
    )
    y = axis("", colors, autorange="reversed", showgrid=False, ticksuffix="  ")
    y["tickfont"] = {"size": 13, "color": colors.text}
    more = {} if data else {"annotations": [note("No test results yet", colors)]}
    return {
        "data": data,
        "layout": layout(colors, x, y, showlegend=False, bargap=0.35, margin=WIDE, **more),
    }


def confusion_figure(report: Object, which: str = "tuned", theme: str = "light") -> Figure:
    """True labels (rows) against predicted labels (columns), of `baseline` or `tuned`.

    Without labels, where answers are texts, it is empty.
    """
    colors = theme_named(theme)
    labels = list(report.get("labels") or [])
    counts = (report.get(which) or {}).get("confusion") or []
    heat: Trace = {
        "type": "heatmap",
        "x": labels,
        "y": labels,
        "z": counts,
        "texttemplate": "%{z}",
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "colorscale": [[0, colors.scale[0]], [1, colors.scale[1]]],
        "hovertemplate": "true %{y}, predicted %{x}: %{z} rows<extra></extra>",
    }
    x = axis("Predicted label", colors, type="category", showgrid=False)
    y = axis("True label", colors, type="category", showgrid=False, autorange="reversed")
    more = {} if counts else {"annotations": [note("No test results yet", colors)]}
    return {"data": [heat] if counts else [], "layout": layout(colors, x, y, **more)}


FIGURES: dict[str, Callable[[Object, Sequence[Object], str], Figure]] = {
    "loss": loss_figure,
    "accuracy": accuracy_figure,
    "internals": lambda _, generations, theme: internals_figure(generations, theme),
}

REPORT_FIGURES: dict[str, Callable[[Object, str], Figure]] = {
    "comparison": lambda report, theme: comparison_figure(report, theme),
    "confusion-baseline": lambda report, theme: confusion_figure(report, "baseline", theme),
    "confusion-tuned": lambda report, theme: confusion_figure(report, "tuned", theme),
}


def _curves(
    job: Object, generations: Sequence[Object], theme: Theme, metric: str, unit: str
) -> Figure:
    factor = 100.0 if unit == PERCENT else 1.0
    data = [
        _curve(generations, f"train_{metric}", "Champion, train", factor, unit)
        | {"line": {"color": theme.train, "width": 1.5}},
        _curve(generations, f"dev_{metric}", "Champion, dev", factor, unit)
        | {"line": {"color": theme.dev, "width": 1.5}},
        _curve(generations, f"incumbent_dev_{metric}", "Incumbent, dev", factor, unit)
        | {"line": {"color": theme.incumbent, "width": 3, "shape": "hv"}},
    ]
    data = [trace for trace in data if trace["x"]]
    more = {} if data else {"annotations": [note("No generation yet", theme)]}
    data.extend(_baseline_level(job, generations, theme, metric, unit))
    shown = _curves_layout(job, generations, theme, metric, unit, more)
    if not data:
        shown["yaxis"] |= {"range": [0, 1], "showticklabels": False}
    return {"data": data, "layout": shown}


def _curve(generations: Sequence[Object], key: str, name: str, factor: float, unit: str) -> Trace:
    points = [
        (generation["queries"], generation[key] * factor, generation["number"])
        for generation in generations
        if generation.get(key) is not None
    ]
    return line(name, points, unit)


def _baseline_level(
    job: Object, generations: Sequence[Object], theme: Theme, metric: str, unit: str
) -> list[Trace]:
    value = (job.get("baseline") or {}).get(f"dev_{metric}")
    if value is None:
        return []
    shown = value * 100 if unit == PERCENT else value
    return [level("Baseline, dev", shown, _until(job, generations), unit, theme.muted)]


def _curves_layout(
    job: Object,
    generations: Sequence[Object],
    theme: Theme,
    metric: str,
    unit: str,
    more: dict[str, Any],
) -> dict[str, Any]:
    x = axis(
        "Queries spent",
        theme,
        range=[0, _until(job, generations) * 1.04],
        tickformat=",d",
        nticks=6,
        hoverformat=",d",
        unifiedhovertitle={"text": "%{x:,d} queries"},
    )
    suffix = {"ticksuffix": " %"} if unit == PERCENT else {}
    title = "Loss" if metric == "loss" else sentence(measured(_measure(job)))
    y = axis(f"{title} ({unit})", theme, nticks=6, **suffix)
    return layout(theme, x, y, hovermode="x unified", showlegend=True, **more)


def _measure(body: Object) -> str:
    """What the accuracies of a job or report are means of: "accuracy", or a metric's name."""
    return str(body.get("metric") or "accuracy")


def _until(job: Object, generations: Sequence[Object]) -> float:
    """The right end of the x axis: the budget while the job goes on, then what was spent."""
    spent = max((generation["queries"] for generation in generations), default=0)
    progress = job.get("progress") or {}
    if job.get("status") in ENDED and spent:
        return float(max(spent, (job.get("result") or {}).get("queries") or 0))
    return float(max(progress.get("budget") or 0, spent, 1))


def _incumbent_band(generations: Sequence[Object], theme: Theme) -> list[Trace]:
    """Where the incumbent's accuracy may be, going by the dev rows; none of graded answers."""
    steps = [
        (each["queries"], 100 * each["incumbent_dev_low"], 100 * each["incumbent_dev_high"])
        for each in generations
        if "incumbent_dev_low" in each
    ]
    return [band("Incumbent, 95 % interval", steps, theme.incumbent)] if len(steps) > 1 else []


def _test_points(job: Object, theme: Theme) -> list[Trace]:
    result = job.get("result") or {}
    tuned = result.get("tuned") or {}
    if tuned.get("accuracy") is None:
        return []
    mean, low, high = (100 * tuned[key] for key in ("accuracy", "low", "high"))
    at = (float(result.get("queries") or job["progress"]["queries"]), mean)
    return [interval_point("Tuned, test", at, (low, high), PERCENT, theme.test)]


def _is_scored(report: Object, which: str) -> bool:
    return (report.get(which) or {}).get("accuracy") is not None


def _bar(name: str, result: Object, color: str, theme: Theme) -> Trace:
    mean, low, high = (100 * result[key] for key in ("accuracy", "low", "high"))
    error = {"type": "data", "symmetric": False, "array": [high - mean], "arrayminus": [mean - low]}
    return {
        "type": "bar",
        "orientation": "h",
        "name": name,
        "x": [mean],
        "y": [name],
        "marker": {"color": color, "cornerradius": 4},
        "text": [f"{mean:.1f} %"],
        "textposition": "inside",
        "insidetextanchor": "start",
        "insidetextfont": {"color": theme.surface, "size": 14},
        "error_x": error | {"color": theme.text, "thickness": 1.5, "width": 6},
        "hovertemplate": f"%{{x:.1f}} % of {result.get('n')} test rows, "
        f"95 % interval {low:.1f} to {high:.1f} %<extra>{name}</extra>",
    }
