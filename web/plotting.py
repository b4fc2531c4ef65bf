"""Plotly dictionaries from lists of numbers: themes, axes, lines, thinning. Knows no job.

plotly itself is not imported: a figure is a plain dictionary, the same for a browser
(`Plotly.react`), a notebook (`plotly.graph_objects.Figure(figure)`) and a report.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

Figure = dict[str, Any]
Trace = dict[str, Any]

ALPHA = "26"  # of an area, as the last two digits of a color: 15 %
MAX_POINTS = 1000  # of one line; more cannot be seen and makes the page slow
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True)
class Theme:
    """The colors of a figure. The lines are Okabe and Ito's, safe for color-blind readers."""

    text: str
    muted: str
    grid: str
    surface: str
    train: str
    dev: str
    incumbent: str
    test: str
    scale: tuple[str, str]  # of a heat map: none, all
    series: tuple[str, ...]  # of jobs beside each other


THEMES: dict[str, Theme] = {
    "light": Theme(
        text="#1d2433",
        muted="#687084",
        grid="#e6e9f0",
        surface="#ffffff",
        train="#d55e00",
        dev="#56b4e9",
        incumbent="#0072b2",
        test="#00795a",
        scale=("#f4f7fb", "#0072b2"),
        series=(
            *("#0072b2", "#d55e00", "#00795a", "#a8427c"),
            *("#9a7200", "#3b8ec2", "#1d2433", "#7d8598"),
        ),
    ),
    "dark": Theme(
        text="#e8ebf2",
        muted="#98a1b5",
        grid="#2b3242",
        surface="#181d29",
        train="#e69f00",
        dev="#7f9fc4",
        incumbent="#56b4e9",
        test="#3fd1a4",
        scale=("#1f2636", "#56b4e9"),
        series=(
            *("#56b4e9", "#e69f00", "#3fd1a4", "#e08dbc"),
            *("#f0e442", "#7f9fc4", "#e8ebf2", "#98a1b5"),
        ),
    ),
}


def theme_named(name: str) -> Theme:
    """The theme, or the light one: a figure is never refused for its colors."""
    return THEMES.get(name, THEMES["light"])


def thin(ys: Sequence[float], limit: int = MAX_POINTS) -> list[int]:
    """Which points to draw: first, last, and the lowest and highest of every stretch."""
    last = len(ys) - 1
    if len(ys) <= limit:
        return list(range(len(ys)))
    keep = {0, last}
    n_stretches = limit // 2 - 1
    for k in range(n_stretches):
        stretch = range(1 + k * (last - 1) // n_stretches, 1 + (k + 1) * (last - 1) // n_stretches)
        if stretch:
            keep.update((min(stretch, key=ys.__getitem__), max(stretch, key=ys.__getitem__)))
    return sorted(keep)


def line(name: str, points: Sequence[tuple[float, float, Any]], unit: str, **style: Any) -> Trace:
    """A line through (x, y, note) points, thinned; `unit` goes into the hover text."""
    chosen = [points[i] for i in thin([y for _, y, _ in points])]
    return {
        "type": "scatter",
        "mode": "lines+markers" if len(chosen) == 1 else "lines",
        "name": name,
        "x": [x for x, _, _ in chosen],
        "y": [y for _, y, _ in chosen],
        "customdata": [note for _, _, note in chosen],
        "hovertemplate": f"%{{y:{_format(unit)}}} {unit}",
        **style,
    }


def level(name: str, y: float, until: float, unit: str, color: str) -> Trace:
    """A dashed horizontal line from 0 to `until`."""
    points = [(0.0, y, None), (until, y, None)]
    return line(name, points, unit, line={"color": color, "width": 1.5, "dash": "dash"})


def band(name: str, steps: Sequence[tuple[float, float, float]], color: str) -> Trace:
    """The area between two stairs through (x, low, high), from the first x to the last.

    Thinned more than a line: each step has four corners.
    """
    chosen = [steps[i] for i in thin([high for *_, high in steps], MAX_POINTS // 8)]
    lows, highs = ([(x, step[k]) for x, step in _stairs(chosen)] for k in (1, 2))
    around = [*highs, *reversed(lows)]
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "x": [x for x, _ in around],
        "y": [y for _, y in around],
        "fill": "toself",
        "fillcolor": color + ALPHA,
        "line": {"color": color, "width": 0},
        "hoverinfo": "skip",
    }


def _stairs(
    steps: Sequence[tuple[float, float, float]],
) -> Iterator[tuple[float, tuple[float, float, float]]]:
    """Corners of stairs that keep their height until the next step."""
    for step, following in pairwise(steps):
        yield step[0], step
        yield following[0], step
    yield steps[-1][0], steps[-1]


def interval_point(
    name: str, at: tuple[float, float], interval: tuple[float, float], unit: str, color: str
) -> Trace:
    """A point with its interval as an error bar."""
    x, y = at
    low, high = interval
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": [x],
        "y": [y],
        "marker": {"color": color, "size": 10, "symbol": "diamond"},
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [high - y],
            "arrayminus": [y - low],
            "color": color,
            "thickness": 2,
            "width": 6,
        },
        "hovertemplate": f"%{{y:.1f}} {unit}, 95 % interval {low:.1f} to {high:.1f} {unit}",
    }


def axis(title: str, theme: Theme, **more: Any) -> dict[str, Any]:
    """A quiet axis: grid lines only, no frame."""
    return {
        "title": {"text": title, "font": {"size": 12, "color": theme.muted}, "standoff": 10},
        "gridcolor": theme.grid,
        "linecolor": theme.grid,
        "zeroline": False,
        "tickfont": {"size": 12, "color": theme.muted},
        "automargin": True,
        **more,
    }


def layout(theme: Theme, x: dict[str, Any], y: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What all figures share. Zoom survives an update (`uirevision`)."""
    return {
        "paper_bgcolor": theme.surface,
        "plot_bgcolor": theme.surface,
        "font": {"family": FONT, "size": 13, "color": theme.text},
        "margin": {"l": 56, "r": 16, "t": 12, "b": 48},
        "colorway": [theme.incumbent, theme.train, theme.dev, theme.test],
        "legend": {"orientation": "h", "x": 0, "y": -0.24, "yanchor": "top", "font": {"size": 12}},
        "hoverlabel": {
            "bgcolor": theme.surface,
            "bordercolor": theme.grid,
            "font": {"family": FONT, "size": 12, "color": theme.text},
        },
        "uirevision": "keep",
        "xaxis": x,
        "yaxis": y,
    } | more


def note(text: str, theme: Theme) -> dict[str, Any]:
    """A sentence in a figure that has nothing to draw yet."""
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.9,
        "font": {"size": 13, "color": theme.muted},
    }


def _format(unit: str) -> str:
    return ".1f" if unit == "%" else ".4f"
