"""Which sequences are read together. No model, no text."""

from collections.abc import Sequence
from itertools import groupby

from backends.sharing import Lineage

# Tokens of one forward: smaller ones leave the cores waiting for Python, the activations of
# larger ones fall out of the caches. Found by benchmark, 256 ... 8192.
TOKEN_BUDGET = 1024
_GROUPS = 8  # at least, where there are as many batches, so that no thread waits for others long


def plan(lengths: Sequence[int], token_budget: int) -> list[list[int]]:
    """Indices of the sequences, shortest first, in batches of at most `token_budget` tokens.

    A sequence longer than the budget is a batch of its own.
    """
    batches: list[list[int]] = []
    room = 0
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        if lengths[row] > room:
            batches.append([])
            room = token_budget
        batches[-1].append(row)
        room -= lengths[row]
    return batches


def plan_shared(
    lengths: Sequence[int], lines: Sequence[Lineage], token_budget: int
) -> list[list[list[int]]]:
    """As `plan`, but sequences that the first layer reads as one stay together.

    Up to twice the budget: what they share is read once a batch. And batches in groups, so that
    what each shares is read together with what the others share; the longest first, so that no
    thread is left with one at the end.
    """
    order = sorted(range(len(lines)), key=lambda row: (lengths[row], lines[row]))
    units: list[list[int]] = []
    for (length, _), same in groupby(order, key=lambda row: (lengths[row], lines[row][:2])):
        rows, most = list(same), max(1, 2 * token_budget // length)
        units += [rows[start : start + most] for start in range(0, len(rows), most)]
    batches = [
        [row for unit in batch for row in units[unit]]
        for batch in plan([len(unit) * lengths[unit[0]] for unit in units], token_budget)
    ]
    return _grouped(batches[::-1], lengths, lines, token_budget // 2)


def _grouped(
    batches: Sequence[list[int]], lengths: Sequence[int], lines: Sequence[Lineage], budget: int
) -> list[list[list[int]]]:
    """Neighbors of which the first layer reads at most `budget` tokens together."""
    groups: list[list[list[int]]] = []
    most = max(1, len(batches) // _GROUPS)
    room = 0
    for batch in batches:
        first = {lines[row][:2]: lengths[row] for row in batch}
        n_tokens = sum(first.values())
        if n_tokens > room or len(groups[-1]) == most:
            groups.append([])
            room = budget
        groups[-1].append(batch)
        room -= n_tokens
    return groups
