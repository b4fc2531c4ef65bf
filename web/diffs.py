"""What has changed between two texts, word by word. Knows no prompt and no page."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

WORD = re.compile(r"\S+\s*|\s+")
LEAST = 0.3  # likeness (0 to 1) below which single words that are the same say nothing
MARKS: dict[str, Literal["same", "del", "ins"]] = {" ": "same", "-": "del", "+": "ins"}


class Piece(NamedTuple):
    """Words that stay, go or come."""

    kind: Literal["same", "del", "ins"]
    text: str


class Line(NamedTuple):
    """A line of one text or of both, and which of its words the other does not have."""

    kind: Literal["same", "del", "ins"]
    pieces: list[Piece]


def worded(old: str, new: str) -> list[Piece]:
    """The two as one text: what goes stands before what comes in its place.

    Where words stay, they are spaced as in the new one.
    """
    before, after = WORD.findall(old), WORD.findall(new)
    bare = [[word.strip() for word in side] for side in (before, after)]
    same = SequenceMatcher(None, bare[0], bare[1], autojunk=False)
    if same.ratio() < LEAST:
        return [piece for piece in (Piece("del", old), Piece("ins", new)) if piece.text]
    pieces = []
    for how, i, j, k, m in same.get_opcodes():
        gone, come = "".join(before[i:j]), "".join(after[k:m])
        found = (
            [Piece("same", come)] if how == "equal" else [Piece("del", gone), Piece("ins", come)]
        )
        pieces += [piece for piece in found if piece.text]
    return pieces


def lined(lines: Sequence[str]) -> Iterator[Line]:
    """Of the API's lines, `- …`, `+ …` or two spaces first; of one that became another, the words.

    A line that goes, with the one that comes right after it, is one that was changed.
    """
    at = 0
    while at < len(lines):
        kind, text = MARKS[lines[at][:1]], lines[at][2:]
        following = lines[at + 1] if at + 1 < len(lines) else ""
        if kind == "del" and following.startswith("+"):
            pieces = worded(text, following[2:])
            yield Line("del", [piece for piece in pieces if piece.kind != "ins"])
            yield Line("ins", [piece for piece in pieces if piece.kind != "del"])
            at += 2
        else:
            yield Line(kind, [Piece(kind, text)])
            at += 1
