"""An SVG element to draw on with the colors of a plotly figure, and the scales of its axes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from web.plotting import Figure

WIDTH = 560  # pixels, as are all places here
LETTER = 6.7  # about as wide as one is
MOST_TICKS = 6


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

    def ticks(self, most: int = MOST_TICKS) -> list[float]:
        """Round values, as many as can be read: 1, 2 or 5 times a power of ten apart."""
        least = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(least))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
        first = math.ceil(self.low / step)
        return [i * step for i in range(first, math.floor(self.high / step + 1e-9) + 1)]


class Canvas:
    """What a figure is drawn on; `label` says what it shows to whoever cannot see it."""

    def __init__(self, figure: Figure, label: str, height: float) -> None:
        look = figure["layout"]
        self.words, self.paper = look["font"]["color"], look["paper_bgcolor"]
        self.muted = look["xaxis"]["tickfont"]["color"]
        self.rule = look["xaxis"]["gridcolor"]
        size = {"width": str(WIDTH), "height": f"{height:g}", "viewBox": f"0 0 {WIDTH} {height:g}"}
        self._svg = Element("svg", {**size, "role": "img", "aria-label": label, "font-size": "12"})

    def written(self) -> str:
        return tostring(self._svg, encoding="unicode")

    def line(self, path: str, color: str, width: float, **more: str) -> None:
        pen = {"stroke": color, "stroke-width": f"{width:g}", "stroke-linejoin": "round"}
        SubElement(self._svg, "path", {"d": path, "fill": "none", **pen, **more})

    def area(self, x: float, y: float, width: float, height: float, color: str) -> None:
        box = {"x": x, "y": y, "width": width, "height": height}
        place = {name: f"{value:.1f}" for name, value in box.items()}
        SubElement(self._svg, "rect", {**place, "fill": color})

    def shape(self, path: str, color: str, opacity: float) -> None:
        SubElement(self._svg, "path", {"d": path, "fill": color, "fill-opacity": f"{opacity:g}"})

    def diamond(self, x: float, y: float, color: str) -> None:
        SubElement(self._svg, "path", {"d": f"M{x} {y - 6}l6 6l-6 6l-6 -6z", "fill": color})

    def text(
        self, x: float, y: float, words: str, *, anchor: str = "start", color: str = "", **more: str
    ) -> None:
        place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
        SubElement(self._svg, "text", {**place, "fill": color or self.muted, **more}).text = words

    def turned(self, x: float, y: float, words: str, degrees: int, *, anchor: str) -> None:
        """A text around the place where it begins, stands in the middle or ends."""
        self.text(x, y, words, anchor=anchor, transform=f"rotate({degrees} {x:.1f} {y:.1f})")


def in_digits(ticks: Sequence[float]) -> list[tuple[float, str]]:
    """Each with as many digits as all of them need, and no more than nine."""
    needed = (n for n in range(9) if all(abs(round(tick, n) - tick) < 1e-9 for tick in ticks))
    digits = next(needed, 9)
    return [(tick, f"{tick:,.{digits}f}") for tick in ticks]


def cut(words: str, most: float) -> str:
    """No more letters than there is room for, in pixels."""
    letters = max(2, round(most / LETTER))
    return words if len(words) <= letters else f"{words[: letters - 1]}…"
