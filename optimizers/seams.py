"""The gap that is left where a phrase is taken out: which of two marks and spaces stay."""

from optimizers.phrases import ENDS, PAIRS, PAUSES

WEAK = PAUSES + "-–—*•"  # a sentence does not end with one
MARKS = WEAK + ENDS
CLOSERS = "".join(PAIRS.values())
ONE_SIDED = {mark: end for mark, end in PAIRS.items() if mark != end}  # never both ends of a pair


def close(left: str, right: str, *, first: bool, last: bool) -> str:
    """One gap out of the two around a phrase that goes.

    Brackets that would be empty go with it; of two marks that meet the stronger stays, a
    full stop before a colon before a dash before a comma; no two spaces, and none before a comma.

    Args:
        first, last: the phrase that goes was the first (last) of the text.
    """
    while left and right and PAIRS.get(left[-1]) == right[0]:
        left, right = left[:-1], right[1:]
    bullet = left.strip()
    left, right = _marks(left, right)
    if first and not left.strip():
        right = right.lstrip().lstrip(PAUSES + ENDS if bullet else MARKS)
    if last and not right.strip():
        left = left.rstrip().rstrip(WEAK)
    return _spaced(left, right, first, last)


def _marks(left: str, right: str) -> tuple[str, str]:
    """The two without the mark that would be one too many where they meet."""
    before, after = left.rstrip()[-1:], right.lstrip()[:1]
    opened = before in ONE_SIDED and left.endswith(before)
    closed = after in ONE_SIDED.values() and right.startswith(after)
    if after and after in MARKS and (opened or _strength(before) > _strength(after)):
        return left, right.lstrip().lstrip(MARKS)
    if before and before in MARKS and (_strength(after) >= 0 or (closed and before in WEAK)):
        return left.rstrip().rstrip(MARKS), right
    return left, right


def _strength(mark: str) -> int:
    """How much a mark separates; -1: it is none."""
    ranks = (",、，،", "-–—*•", ";:；：؛", ENDS)
    return next((i for i, rank in enumerate(ranks) if mark and mark in rank), -1)


def _spaced(left: str, right: str, first: bool, last: bool) -> str:
    before, after = left.rstrip(), right.lstrip()
    spaces = left[len(before) :], right[: len(right) - len(after)]
    if first and not before:
        space = spaces[0]
    elif last and not after:
        space = spaces[1]
    elif (before and not spaces[0]) or (after and not spaces[1]):
        space = ""
    else:
        space = max(spaces, key=lambda each: each.count("\n"))
    return before + space + after
