"""What optimizers say of themselves, as one figure: a panel for every unit. No HTTP, no job.

Numbers that are measured alike share a panel, such as the fewest and the most draws.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from web.formats import sentence
from web.plotting import Figure, Theme, axis, layout, line, note, theme_named

Generation = Mapping[str, Any]
Panel = tuple[str, str]  # its title and its unit

PANELS: Mapping[str, tuple[str, str, str]] = {  # number: title of its panel, name, unit
    "sigma": ("Scale of the noise", "σ", "units of search"),
    "gradient_norm": ("Gradient’s length", "gradient", "nats per unit of search"),
    "learning_rate": ("Step size", "learning rate", "units of search"),
    "most_draws": ("On one example", "most", "draws"),
    "fewest_draws": ("On one example", "fewest", "draws"),
    "variance_ratio": ("Variance, equal shares over these", "ratio", "times"),
    "spread_of_deviations": ("Spread of the deviations", "spread", "of their mean"),
    "axis_ratio": ("Longest axis over shortest", "ratio", "times"),
    "restarts": ("Restarts", "restarts", "so far"),
    "entropy": ("Entropy of the policy", "mean", "nats"),
    "temperature": ("Temperature", "temperature", "of the score"),
}
PANEL, GAP = 110, 46  # pixels: a panel, the room for its title above it
LEFT, BELOW = 44, 56  # pixels: the room for the axes


def internals_figure(generations: Sequence[Generation], theme: str = "light") -> Figure:
    """Each inner number against the queries spent, as tall as it has panels."""
    colors = theme_named(theme)
    names = dict.fromkeys(name for one in generations for name in one["internals"])
    panels: dict[Panel, list[str]] = {}
    for name in sorted(names, key=lambda name: [*PANELS, name].index(name)):
        title, _, unit = _said(name)
        panels.setdefault((title, unit), []).append(name)
    if not panels:
        nothing = note("Nothing told yet", colors)
        x, y = axis("Queries spent", colors), axis("", colors, showticklabels=False)
        return {"data": [], "layout": layout(colors, x, y, annotations=[nothing], height=160)}
    data = [
        _curve(generations, name, place, n, colors)
        for place, members in enumerate(panels.values())
        for n, name in enumerate(members)
    ]
    latest = {name: value for one in generations for name, value in one["internals"].items()}
    return {"data": data, "layout": _stacked(panels, latest, colors)}


def _said(name: str) -> tuple[str, str, str]:
    return PANELS.get(name, (sentence(name), name.replace("_", " "), ""))


def _curve(
    generations: Sequence[Generation], name: str, place: int, n: int, theme: Theme
) -> Figure:
    """The `n`-th line of the panel in this place."""
    _, said, unit = _said(name)
    points = [
        (one["queries"], one["internals"][name], one["number"])
        for one in generations
        if name in one["internals"]
    ]
    return line(said, points, unit, line={"color": _color(n, theme), "width": 1.5}) | {
        "hovertemplate": f"%{{y:.4~g}} {unit}",
        "xaxis": "x",
        "yaxis": _numbered("y", place),
    }


def _color(n: int, theme: Theme) -> str:
    return (theme.incumbent, theme.train, theme.dev)[n % 3]


def _stacked(
    panels: Mapping[Panel, Sequence[str]], latest: Mapping[str, float], theme: Theme
) -> dict[str, Any]:
    """One x axis below all panels, and for each of them a y axis and a title above it."""
    inner = len(panels) * (PANEL + GAP)
    last = _numbered("y", len(panels) - 1)
    x = axis("Queries spent", theme, anchor=last, tickformat=",d", nticks=6, hoverformat=",d")
    shared = {"showlegend": False, "hovermode": "x", "height": inner + BELOW}
    shown = layout(theme, x, {}, **shared, margin={"l": LEFT, "r": 16, "t": 0, "b": BELOW})
    titles = []
    for place, (panel, members) in enumerate(panels.items()):
        top = 1 - (place * (PANEL + GAP) + GAP) / inner
        domain = [max(0.0, top - PANEL / inner), top]
        shown[_numbered("yaxis", place)] = axis(
            "", theme, domain=domain, nticks=4, rangemode="tozero"
        )
        titles.append(
            _heading(panel, [(name, latest[name]) for name in members], theme) | {"y": top}
        )
    return shown | {"annotations": titles}


def _heading(panel: Panel, members: Sequence[tuple[str, float]], theme: Theme) -> dict[str, Any]:
    """The title with its unit, and where each line stands now, in its color."""
    title, unit = panel
    stands = []
    for n, (name, now) in enumerate(members):
        said = f"{_said(name)[1]} " if len(members) > 1 else ""
        stands.append(f"<span style='color:{_color(n, theme)}'>{said}{now:.3g}</span>")
    text = f"{title} ({unit}): {', '.join(stands)}" if unit else f"{title}: {', '.join(stands)}"
    left = {"x": 0, "xanchor": "left", "xshift": 4 - LEFT, "yanchor": "bottom", "yshift": 4}
    return note(text, theme) | left | {"font": {"size": 12, "color": theme.muted}}


def _numbered(axis_name: str, place: int) -> str:
    """plotly's names: `y`, `y2`, `y3`."""
    return axis_name if place == 0 else f"{axis_name}{place + 1}"
