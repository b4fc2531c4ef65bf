"""`python -m docs.curves NAME`: test accuracy against queries of a comparison, as a picture."""

import argparse
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.io import to_html

from benchmarks.comparisons import MANUAL, NO_PROMPT
from tests.web.browser import launched
from web.plotting import FONT

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"
WIDTH, HEIGHT = 1000, 560  # pixels
POINTS = 60  # of one line
COLORS = ("#0072b2", "#d55e00", "#00795a", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito's
DASHES = ("solid", "dash", "dot")  # beside colors, so that twelve lines are told apart
LEVELS = {NO_PROMPT: "dot", MANUAL: "dash"}  # contenders that search nothing


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m docs.curves", description=__doc__)
    parser.add_argument("name", help="of a file in benchmarks/results")
    name = parser.parse_args().name
    body = json.loads((RESULTS / f"{name}.json").read_text())
    page = to_html(figure(body), include_plotlyjs=True, config={"staticPlot": True})
    file = Path(__file__).parent / f"{name}.png"
    with launched() as browser:
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT})
        with closing(context):
            tab = context.new_page()
            tab.set_content(page)
            tab.wait_for_selector(".main-svg")
            tab.screenshot(path=file)
    print(file)  # noqa: T201


def figure(body: dict[str, Any]) -> go.Figure:
    """One line a method: the mean over sets and seeds of the incumbent's test accuracy."""
    drawn = go.Figure()
    for number, method in enumerate(body["methods"]):
        runs = [row for row in body["rows"] if row["method"] == method]
        at = np.linspace(0, body["budget"], POINTS)
        means = np.mean([_steps(row, at) for row in runs], axis=0)
        look = {"color": COLORS[number % len(COLORS)], "dash": DASHES[number // len(COLORS)]}
        drawn.add_scatter(x=at, y=100 * means, name=method, mode="lines", line=look)
    for method, dash in LEVELS.items():
        level = 100 * np.mean([row["accuracy"] for row in body["rows"] if row["method"] == method])
        drawn.add_hline(level, line={"dash": dash, "color": "#687084", "width": 1})
        drawn.add_annotation(x=1, xref="paper", y=level, text=method, showarrow=False, yshift=9)
    drawn.update_layout(
        template="plotly_white",
        font={"family": FONT, "size": 14},
        width=WIDTH - 20,
        height=HEIGHT - 20,
        margin={"l": 60, "r": 20, "t": 20, "b": 50},
        xaxis_title="train and dev queries",
        yaxis_title="right on test, %",
    )
    return drawn


def _steps(row: dict[str, Any], at: np.ndarray) -> np.ndarray:
    """Test accuracy of the incumbent after so many queries; before the first, of no prompt."""
    queries = [0, *(point[0] for point in row["curve"])]
    values = [row["no_prompt_accuracy"], *(point[1] for point in row["curve"])]
    found: np.ndarray = np.array(values)[np.searchsorted(queries, at, side="right") - 1]
    return found


if __name__ == "__main__":
    main()
