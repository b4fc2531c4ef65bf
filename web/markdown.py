"""Markdown out of texts that may hold anything: nothing in them marks up, breaks out or is lost.

As CommonMark 0.31 reads it, with the tables of GitHub.
"""

import re
from collections.abc import Iterable, Sequence

MARKS = re.compile(r"[\\`*_#\[\]|~$]")
NAMES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}  # some readers keep no backslash before these
RUN = re.compile("`+")
LONGEST = 400  # letters of a cell; a table with more cannot be read


def inline(words: str) -> str:
    """A text inside a line: white space is joined, and no letter is a mark."""
    joined = " ".join(words.split())
    named = "".join(NAMES.get(letter, letter) for letter in joined)
    return MARKS.sub(r"\\\g<0>", named)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """With texts in every cell; what is longer than `LONGEST` ends in an ellipsis."""
    return "\n".join([_row(head), "|" + " --- |" * len(head), *map(_row, rows)])


def fenced(words: str, language: str = "") -> str:
    """A text as it is, line by line, between fences that are longer than any it has."""
    fence = "`" * max(3, 1 + max(map(len, RUN.findall(words)), default=0))
    return f"{fence}{language}\n{words}\n{fence}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(inline(_short(cell)) for cell in cells)} |"


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else words[: LONGEST - 1] + "…"
