"""A figure of lines as static SVG, for a page that has to do without a script. Knows no job.

Of plotly's dictionaries it draws what `plotting` makes of curves: lines, stairs, dashes, points
with an error bar, the titles of the axes and the legend.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from web.plotting import Figure, Trace, theme_named

WIDTH, HEIGHT = 560, 340  # pixels, as are all places here
LEFT, RIGHT, ROW = 64, 530, 20  # of the frame; of one row of the legend
BOTTOM = HEIGHT - 50
LETTER = 6.7  # about as wide as one is in the legend
MOST_TICKS = 6
INK = theme_named("light")


@dataclass(frozen=True)
class Scale:
    """Where a value is on the page."""

    low: float
    high: float
    start: float  # the place of `low`
    end: float  # of `high`

    def at(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 1)

    def ticks(self) -> list[float]:
        """Round values, as many as can be read: 1, 2 or 5 times a power of ten apart."""
        least = (self.high - self.low) / MOST_TICKS
        power = 10.0 ** math.floor(math.log10(least))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


def drawn(figure: Figure, label: str) -> str:
    """An `<svg>` element; `label` says what it shows to whoever cannot see it."""
    size = {"width": str(WIDTH), "height": str(HEIGHT), "viewBox": f"0 0 {WIDTH} {HEIGHT}"}
    svg = Element("svg", {**size, "role": "img", "aria-label": label, "font-size": "12"})
    traces = [trace for trace in figure["data"] if trace["x"]]
    axes = figure["layout"]["xaxis"], figure["layout"]["yaxis"]
    top = _legend(svg, traces) + 12
    left, right = axes[0]["range"]
    low, high = _bounds(traces)
    x, y = Scale(left, right, LEFT, RIGHT), Scale(low, high, BOTTOM, top)
    _grid(svg, x, y, axes)
    for trace in traces:
        _trace(svg, trace, x, y)
    return tostring(svg, encoding="unicode")


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


def _legend(svg: Element, traces: Sequence[Trace]) -> float:
    """One entry a trace, in as many rows as they need; where the last row ends."""
    x, y = float(LEFT), 14
    for trace in traces:
        width = 30 + LETTER * len(trace["name"])
        if x + width > RIGHT and x > LEFT:
            x, y = float(LEFT), y + ROW
        _stroke(svg, trace, f"M{x:.0f} {y - 4}h22")
        if trace["mode"] == "markers":
            _diamond(svg, x + 11, y - 4, trace["marker"]["color"])
        _text(svg, x + 28, y, trace["name"], fill=INK.text)
        x += width + 14
    return y


def _grid(svg: Element, x: Scale, y: Scale, axes: tuple[Trace, Trace]) -> None:
    for value, shown in _written(x.ticks()):
        _text(svg, x.at(value), BOTTOM + 18, shown, anchor="middle")
    for value, shown in _written(y.ticks()):
        _line(svg, f"M{LEFT} {y.at(value)}H{RIGHT}", INK.grid, "1")
        _text(svg, LEFT - 8, y.at(value) + 4, shown + axes[1].get("ticksuffix", ""), anchor="end")
    _line(svg, f"M{LEFT} {BOTTOM}H{RIGHT}", INK.muted, "1")
    _text(svg, (LEFT + RIGHT) / 2, HEIGHT - 8, axes[0]["title"]["text"], anchor="middle")
    middle = (y.start + y.end) / 2
    turned = {"transform": f"rotate(-90 14 {middle:.0f})"}
    _text(svg, 14, middle, axes[1]["title"]["text"], anchor="middle", **turned)


def _trace(svg: Element, trace: Trace, x: Scale, y: Scale) -> None:
    xs, ys = [x.at(value) for value in trace["x"]], [y.at(value) for value in trace["y"]]
    if trace["mode"] == "markers":
        low, high = (y.at(value) for value in list(_values(trace))[1:])
        bar = f"M{xs[0] - 5} {low}h10m-5 0V{high}m-5 0h10"
        _line(svg, bar, trace["marker"]["color"], "2")
        _diamond(svg, xs[0], ys[0], trace["marker"]["color"])
    elif len(xs) == 1:
        _diamond(svg, xs[0], ys[0], trace["line"]["color"])
    else:
        stairs = trace["line"].get("shape") == "hv"
        steps = [f"H{a}V{b}" if stairs else f"L{a} {b}" for a, b in zip(xs, ys, strict=True)]
        _stroke(svg, trace, f"M{xs[0]} {ys[0]}{''.join(steps[1:])}")


def _stroke(svg: Element, trace: Trace, path: str) -> None:
    """In the pen of a trace of lines; one of points has none."""
    if pen := trace.get("line"):
        dashes = {"stroke-dasharray": "6 4"} if pen.get("dash") else {}
        _line(svg, path, pen["color"], str(pen["width"]), **dashes)


def _line(svg: Element, path: str, color: str, width: str, **more: str) -> None:
    pen = {"stroke": color, "stroke-width": width, "stroke-linejoin": "round"}
    SubElement(svg, "path", {"d": path, "fill": "none", **pen, **more})


def _diamond(svg: Element, x: float, y: float, color: str) -> None:
    SubElement(svg, "path", {"d": f"M{x} {y - 6}l6 6l-6 6l-6 -6z", "fill": color})


def _text(
    svg: Element, x: float, y: float, words: str, *, anchor: str = "start", **more: str
) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    SubElement(svg, "text", {**place, "fill": INK.muted, **more}).text = words


def _written(ticks: Sequence[float]) -> list[tuple[float, str]]:
    """Each with as many digits as all of them need, and no more than nine."""
    needed = (n for n in range(9) if all(abs(round(tick, n) - tick) < 1e-9 for tick in ticks))
    digits = next(needed, 9)
    return [(tick, f"{tick:,.{digits}f}") for tick in ticks]
