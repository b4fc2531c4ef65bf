"""Figures of names as static SVG: bars with an interval, and a heat map of counts. Knows no job."""

from web.canvas import LETTER, WIDTH, Canvas, Scale, cut, in_digits
from web.plotting import Figure, Trace

RIGHT = 530.0  # pixels, as are all places here
BAR, GAP, BELOW = 44, 20, 50
CELL, LEAST_READ = 56.0, 15.0  # of a heat map: the largest, and the smallest with words


def bars(figure: Figure, label: str) -> str:
    """One below the other, each with its name and its value."""
    look, traces = figure["layout"], figure["data"]
    bottom = GAP + len(traces) * (BAR + GAP)
    canvas = Canvas(figure, label, bottom + BELOW)
    left = 24 + LETTER * max(len(trace["name"]) for trace in traces)
    low, high = look["xaxis"]["range"]
    x = Scale(low, high, left, RIGHT)
    for value, shown in in_digits(x.ticks()):
        canvas.line(f"M{x.at(value)} {GAP / 2}V{bottom}", canvas.rule, 1)
        suffix = look["xaxis"].get("ticksuffix", "")
        canvas.text(x.at(value), bottom + 18, shown + suffix, anchor="middle")
    canvas.text((left + RIGHT) / 2, bottom + 42, look["xaxis"]["title"]["text"], anchor="middle")
    for place, trace in enumerate(traces):
        _bar(canvas, trace, x, GAP + place * (BAR + GAP))
    return canvas.written()


def _bar(canvas: Canvas, trace: Trace, x: Scale, top: float) -> None:
    value, error, middle = trace["x"][0], trace["error_x"], top + BAR / 2
    canvas.area(x.start, top, max(1.0, x.at(value) - x.start), BAR, trace["marker"]["color"])
    low, high = x.at(value - error["arrayminus"][0]), x.at(value + error["array"][0])
    canvas.line(f"M{low} {middle - 6}v12m0 -6H{high}m0 -6v12", canvas.words, 1.5)
    canvas.text(x.start - 10, middle + 4, trace["name"], anchor="end", color=canvas.words)
    inside = x.at(value) - x.start > 70  # room for the words
    color = canvas.paper if inside else canvas.words
    canvas.text(x.start + 8 if inside else high + 10, middle + 5, trace["text"][0], color=color)


def heat_map(figure: Figure, label: str) -> str:
    """Rows are true labels, columns predicted ones."""
    [trace], look = figure["data"], figure["layout"]
    names, longest = trace["x"], max(map(len, trace["x"]))
    room = min(150.0, 12 + LETTER * longest)  # for the names
    left, top = 30 + room, 12.0
    cell = min(CELL, (RIGHT - left) / len(names))
    size = cell * len(names)
    canvas = Canvas(figure, label, top + size + room + 26)
    _cells(canvas, trace, left, top, cell)
    for place, name in enumerate(names):
        if place % max(1, round(LEAST_READ / cell)) == 0:
            at, shown = (place + 0.5) * cell, cut(name, room - 12)
            canvas.text(left - 6, top + at + 4, shown, anchor="end")
            canvas.turned(left + at + 4, top + size + 10, shown, -60, anchor="end")
    canvas.turned(14, top + size / 2, look["yaxis"]["title"]["text"], -90, anchor="middle")
    middle = min(WIDTH - 60, left + size / 2)
    canvas.text(middle, top + size + room + 16, look["xaxis"]["title"]["text"], anchor="middle")
    return canvas.written()


def _cells(canvas: Canvas, trace: Trace, left: float, top: float, cell: float) -> None:
    most = max(max(row) for row in trace["z"]) or 1
    (_, none), (_, all_) = trace["colorscale"]
    gap = min(2.0, cell / 8)
    size = len(trace["z"]) * cell
    canvas.area(left, top, size - gap, size - gap, none)
    for y, row in enumerate(trace["z"]):
        for x, n in ((x, n) for x, n in enumerate(row) if n):
            place = left + x * cell, top + y * cell
            canvas.area(*place, cell - gap, cell - gap, _between(none, all_, n / most))
            if cell >= LEAST_READ:
                color = canvas.paper if n > most / 2 else canvas.words
                x_, y_ = place[0] + (cell - gap) / 2, place[1] + cell / 2 + 3
                letters = {"font-size": f"{min(12.0, cell / 2):.0f}"}
                canvas.text(x_, y_, f"{n}", anchor="middle", color=color, **letters)


def _between(low: str, high: str, share: float) -> str:
    """A color as far on the way from one to another, as #rrggbb."""
    ends = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in (low, high)]
    mixed = (round(a + share * (b - a)) for a, b in zip(*ends, strict=True))
    return "#" + "".join(f"{each:02x}" for each in mixed)
