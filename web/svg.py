"""A figure as static SVG, for a page that has to do without a script. Knows no job.

Of plotly's dictionaries it draws what `plotting` and its users make: lines, stairs, dashes, points
with an error bar, panels above each other, bars, heat maps, titles, notes and the legend.
"""

import re
from collections.abc import Iterator, Sequence
from html import unescape

from web.canvas import LETTER, MOST_TICKS, Canvas, Scale, in_digits
from web.plotting import Figure, Trace
from web.svg_tables import bars, heat_map

HEIGHT = 340  # pixels, as are all places here
LEFT, RIGHT, ROW = 64, 530, 20  # of the frame; of one row of the legend
BOTTOM = HEIGHT - 50
BELOW = 50  # the room for the x axis
DASHES = {"dash": "6 4", "dot": "2 4", "dashdot": "8 4 2 4"}
TAG = re.compile(r"<[^>]*>")
SEEN_THROUGH = 0.15  # opacity of an area, as plotting.ALPHA
DRAWN_ELSEWHERE = {"bar": bars, "heatmap": heat_map}


def drawn(figure: Figure, label: str) -> str:
    """An `<svg>` element; `label` says what it shows to whoever cannot see it."""
    kinds = {trace["type"] for trace in figure["data"]}
    if found := kinds & DRAWN_ELSEWHERE.keys():
        return DRAWN_ELSEWHERE[found.pop()](figure, label)
    if any(trace.get("yaxis", "y") != "y" for trace in figure["data"]) or (
        "domain" in figure["layout"]["yaxis"]
    ):
        return _panels(figure, label)
    return _curves(figure, label)


def as_file(figure: Figure, label: str) -> str:
    """The same to stand by itself: with its namespace, and on its own ground."""
    head, _, rest = drawn(figure, label).partition(">")
    ground = figure["layout"]["paper_bgcolor"]
    family = 'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif"'
    box = f'<rect width="100%" height="100%" fill="{ground}"/>'
    if head.endswith("/"):  # nothing is drawn
        head, rest = head[:-1], "</svg>"
    return f"{head.replace('<svg', f'<svg {family}', 1)}>{box}{rest}"


def _curves(figure: Figure, label: str) -> str:
    canvas = Canvas(figure, label, HEIGHT)
    traces = [trace for trace in figure["data"] if trace["x"]]
    axes = figure["layout"]["xaxis"], figure["layout"]["yaxis"]
    notes = figure["layout"].get("annotations", [])
    top = _legend(canvas, traces) + (28 if notes and traces else 12)
    left, right = axes[0].get("range") or (0, 1)
    low, high = _bounds(traces)
    x, y = Scale(left, right, LEFT, RIGHT), Scale(low, high, BOTTOM, top)
    _x_axis(canvas, x, BOTTOM, axes[0]["title"]["text"])
    _y_axis(canvas, y, axes[1], MOST_TICKS)
    for trace in traces:
        _trace(canvas, trace, x, y)
    for each in notes:
        _note(canvas, each, top)
    return canvas.written()


def _panels(figure: Figure, label: str) -> str:
    """One above the other, as the domains of their axes say."""
    look, traces = figure["layout"], figure["data"]
    height = look["height"]
    canvas, inner = Canvas(figure, label, height), height - BELOW
    right = max((x for trace in traces for x in trace["x"]), default=1)
    x = Scale(0, right or 1, LEFT, RIGHT)
    _x_axis(canvas, x, inner, look["xaxis"]["title"]["text"])
    for name in (name for name in look if name.startswith("yaxis")):
        mine = [each for each in traces if f"yaxis{each['yaxis'][1:]}" == name]
        below, above = ((1 - share) * inner for share in look[name]["domain"])
        low, high = _bounds(mine)
        y = Scale(low, high, below, above)
        _y_axis(canvas, y, look[name], look[name]["nticks"])
        for trace in mine:
            _trace(canvas, trace, x, y)
    for title in look["annotations"]:
        words = unescape(TAG.sub("", title["text"]))
        canvas.text(LEFT, (1 - title["y"]) * inner - 8, words)
    return canvas.written()


def _bounds(traces: Sequence[Trace]) -> tuple[float, float]:
    """Of all values and error bars, with some room above and below."""
    values = [value for trace in traces for value in _values(trace)] or [0.0, 1.0]
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.1 * abs(high) or 1.0
    return low - room, high + room


def _values(trace: Trace) -> Iterator[float]:
    yield from trace["y"]
    if bar := trace.get("error_y"):
        yield trace["y"][0] - bar["arrayminus"][0]
        yield trace["y"][0] + bar["array"][0]


def _legend(canvas: Canvas, traces: Sequence[Trace]) -> float:
    """One entry a trace, in as many rows as they need; where the last row ends."""
    x, y = float(LEFT), 14
    for trace in (each for each in traces if each.get("showlegend", True)):
        name = unescape(trace["name"])
        width = 30 + LETTER * len(name)
        if x + width > RIGHT and x > LEFT:
            x, y = float(LEFT), y + ROW
        if "fill" in trace:
            canvas.shape(f"M{x:.0f} {y - 10}h22v12h-22z", trace["line"]["color"], SEEN_THROUGH)
        else:
            _stroke(canvas, trace, f"M{x:.0f} {y - 4}h22")
        if trace["mode"] == "markers":
            canvas.diamond(x + 11, y - 4, trace["marker"]["color"])
        canvas.text(x + 28, y, name, color=canvas.words)
        x += width + 14
    return y


def _x_axis(canvas: Canvas, x: Scale, bottom: float, title: str) -> None:
    for value, shown in in_digits(x.ticks()):
        canvas.text(x.at(value), bottom + 18, shown, anchor="middle")
    canvas.line(f"M{LEFT} {bottom}H{RIGHT}", canvas.muted, 1)
    canvas.text((LEFT + RIGHT) / 2, bottom + 42, title, anchor="middle")


def _y_axis(canvas: Canvas, y: Scale, axis: Trace, most: int) -> None:
    for value, shown in in_digits(y.ticks(most)):
        canvas.line(f"M{LEFT} {y.at(value)}H{RIGHT}", canvas.rule, 1)
        if axis.get("showticklabels", True):
            words = shown + axis.get("ticksuffix", "")
            canvas.text(LEFT - 8, y.at(value) + 4, words, anchor="end")
    if title := axis["title"]["text"]:
        canvas.turned(14, round((y.start + y.end) / 2), title, -90, anchor="middle")


def _note(canvas: Canvas, said: Trace, top: float) -> None:
    """In the corner, or in the middle of a figure that has nothing to draw."""
    if said["x"] == 1:
        canvas.text(RIGHT, top - 8, said["text"], anchor="end")
    else:
        canvas.text((LEFT + RIGHT) / 2, top + 40, said["text"], anchor="middle")


def _trace(canvas: Canvas, trace: Trace, x: Scale, y: Scale) -> None:
    xs, ys = [x.at(value) for value in trace["x"]], [y.at(value) for value in trace["y"]]
    if trace["mode"] == "markers":
        low, high = (y.at(value) for value in list(_values(trace))[1:])
        bar = f"M{xs[0] - 5} {low}h10m-5 0V{high}m-5 0h10"
        canvas.line(bar, trace["marker"]["color"], 2)
        canvas.diamond(xs[0], ys[0], trace["marker"]["color"])
    elif "fill" in trace:
        corners = "L".join(f"{a} {b}" for a, b in zip(xs, ys, strict=True))
        canvas.shape(f"M{corners}z", trace["line"]["color"], SEEN_THROUGH)
    elif len(xs) == 1:
        canvas.diamond(xs[0], ys[0], trace["line"]["color"])
    else:
        stairs = trace["line"].get("shape") == "hv"
        steps = [f"H{a}V{b}" if stairs else f"L{a} {b}" for a, b in zip(xs, ys, strict=True)]
        _stroke(canvas, trace, f"M{xs[0]} {ys[0]}{''.join(steps[1:])}")


def _stroke(canvas: Canvas, trace: Trace, path: str) -> None:
    """In the pen of a trace of lines; one of points has none."""
    if pen := trace.get("line"):
        dashes = DASHES.get(pen.get("dash", ""))
        more = {"stroke-dasharray": dashes} if dashes else {}
        canvas.line(path, pen["color"], pen["width"], **more)
