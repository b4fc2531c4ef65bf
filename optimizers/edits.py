"""The four edits of GrIPS, each on one phrase of a cut text. Draws nothing, scores nothing.

Unlike the paper's code, an edit touches one occurrence of a phrase and not every one.
"""

from typing import Literal, TypeAlias

from optimizers.phrases import Cut
from optimizers.seams import close

Edit: TypeAlias = Literal["delete", "swap", "add", "paraphrase"]


def delete(text: Cut, position: int) -> Cut:
    """Without one phrase; the marks and spaces around it become one gap.

    Raises:
        ValueError: it is the only phrase, and nothing would be left.
    """
    n = len(text.phrases)
    if n < 2:
        raise ValueError(f"nothing would be left of a text of {n} phrases")
    gap = close(*text.gaps[position : position + 2], first=position == 0, last=position == n - 1)
    return Cut(
        (*text.phrases[:position], *text.phrases[position + 1 :]),
        (*text.gaps[:position], gap, *text.gaps[position + 2 :]),
    )


def swap(text: Cut, one: int, other: int) -> Cut:
    """Two phrases in each other's place; the gaps stay."""
    phrases = list(text.phrases)
    phrases[one], phrases[other] = phrases[other], phrases[one]
    return Cut(tuple(phrases), text.gaps)


def add(text: Cut, position: int, phrase: str) -> Cut:
    """With `phrase` right behind the first `position` phrases, before the marks that follow."""
    gap = text.gaps[position]
    gaps = (" ", gap) if position else (gap, " ")
    return Cut(
        (*text.phrases[:position], phrase, *text.phrases[position:]),
        (*text.gaps[:position], *gaps, *text.gaps[position + 1 :]),
    )


def substitute(text: Cut, position: int, phrase: str) -> Cut:
    """With `phrase` in the place of one phrase."""
    return Cut((*text.phrases[:position], phrase, *text.phrases[position + 1 :]), text.gaps)
