"""Rows of a dataset as the pages of a job show them: image, words, and what became of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

Object = Mapping[str, Any]  # an object of the API, as its JSON says it

SIDES = ("baseline", "tuned")
THUMB = 64  # pixels


@dataclass(frozen=True)
class Frame:
    """The dataset of a job, and which of its columns names images; empty: none does."""

    dataset: str
    image_column: str = ""

    def example(self, inputs: Mapping[str, str]) -> dict[str, str]:
        """The address of the image, if there is one, and the words of the other columns."""
        name = inputs.get(self.image_column)
        words = [str(text) for column, text in inputs.items() if column != self.image_column]
        return {"image": self._address(name) if name else "", "words": " · ".join(words)}

    def _address(self, image: str) -> str:
        place = f"/api/datasets/{quote(self.dataset, safe='')}/images"
        return f"{place}/{quote(image, safe='')}?width={THUMB}"


def changed(report: Object, frame: Frame, most: int | None = None) -> list[dict[str, Any]]:
    """The rows that the two prompts answer differently, then those that stayed right."""
    return [
        {
            **frame.example(row["inputs"]),
            "label": row["label"],
            "answers": [(side, row[side] or "(empty)", row[f"{side}_right"]) for side in SIDES],
            "change": change(row["baseline_right"], row["tuned_right"]),
        }
        for row in [*report["changed"][:most], *report.get("kept", [])]
    ]


def change(was: float, now: float) -> str:
    """What became of an answer, in a word or two."""
    if now == was:
        return "as right" if now else "still wrong"
    return "fixed" if now > was else "broken"


def shared_out(shares: Sequence[Object], frame: Frame) -> list[dict[str, Any]]:
    """Train rows with their queries, the most first; `share` is of what the first one got."""
    most = max([1, *(one["queries"] for one in shares)])
    return [
        {
            **frame.example(one["inputs"]),
            **{name: one[name] for name in ("number", "label", "queries")},
            "share": one["queries"] / most,
        }
        for one in shares
    ]
