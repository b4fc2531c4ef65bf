"""Words and phrases that a task's own texts are made of, by counts and PMI. No labels, no model."""

import math
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import regex

Words: TypeAlias = tuple[str, ...]

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
SIGN = rf"[{UNSPACED}]\p{{M}}*"
LETTERS = rf"[[\p{{L}}\p{{N}}\p{{M}}]--[{UNSPACED}]]+"
TOKEN = regex.compile(
    rf"(?V1)(?P<word>{SIGN}|{LETTERS}(?:['’\-\u200c\u200d]{LETTERS})*)|(?P<end>\S|[\r\n])"
)
BETWEEN_SIGNS = regex.compile(rf"(?<={SIGN}) (?=[{UNSPACED}])")


@dataclass(frozen=True)
class Wanted:
    """What a list of candidates should hold."""

    size: int  # most candidates
    max_n: int = 5  # most words of a phrase
    min_count: int = 5  # of a word, and of a phrase
    min_pmi: float = 1.0  # nats; between two words below it, a phrase ends


@dataclass(frozen=True)
class Candidates:
    """The list, and how far the thresholds had to be lowered to fill it."""

    words: tuple[str, ...]  # the most frequent first
    min_count: int  # 0: single words or label words were needed as well


def candidates(texts: Sequence[str], labels: Sequence[str], wanted: Wanted) -> Candidates:
    """Phrases of the texts for a prompt to be built of, at least one (PMI n-grams, as BDPL's).

    A text is cut into clauses at punctuation, symbols (emoji are symbols) and line ends, and a
    clause into words: runs of letters, marks and digits in small letters, apostrophes and hyphens
    inside them included; in scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese)
    each sign is a word and phrases are written without spaces. Two neighbors that stand so
    `min_count` times belong together if PMI = ln(P(ab) / (P(a) P(b))) is `min_pmi` or more. What
    hangs together, cut after `max_n` words, is a phrase, a word alone too, and those that stand
    `min_count` times are candidates, by falling frequency (equal ones in their order).

    Where that is fewer than `size`, first `min_count` is lowered step by step to 1, then single
    words are added, by frequency, then the words of the label names; then there are fewer.

    Unlike the paper, which needs a large corpus, the thresholds give way: 16 sentences a label
    rarely hold 20 words that stand five times.

    Raises:
        ValueError: neither a text nor a label holds a word.
    """
    clauses = [clause for text in texts for clause in _clauses(text)]
    found: dict[str, int] = {}  # phrase -> the threshold at which it came in
    for threshold, phrase in _by_preference(clauses, labels, wanted):
        if len(found) == wanted.size:
            break
        found.setdefault(phrase, threshold)
    if not found:
        raise ValueError("no word to build a prompt of: the train texts hold no letter or digit")
    return Candidates(tuple(found), min(found.values()))


def _by_preference(
    clauses: Sequence[Words], labels: Sequence[str], wanted: Wanted
) -> Iterator[tuple[int, str]]:
    """(threshold, phrase), the best candidates first; some come more than once."""
    for min_count in range(wanted.min_count, 0, -1):
        for phrase in _phrases(clauses, min_count, wanted):
            yield min_count, _written(phrase)
    for word, _ in Counter(word for clause in clauses for word in clause).most_common():
        yield 0, word
    for label in labels:
        yield from ((0, word) for word in [w for c in _clauses(label) for w in c] or [label])


def _clauses(text: str) -> Iterator[Words]:
    clause: list[str] = []
    for token in TOKEN.finditer(unicodedata.normalize("NFC", text.lower())):
        if token["word"] is not None:
            clause.append(token["word"])
        elif clause:
            yield tuple(clause)
            clause = []
    if clause:
        yield tuple(clause)


def _phrases(clauses: Sequence[Words], min_count: int, wanted: Wanted) -> list[Words]:
    """Phrases that stand `min_count` times, the most frequent first."""
    singles = Counter(word for clause in clauses for word in clause)
    pairs = Counter(pair for clause in clauses for pair in pairwise(clause))
    evidence = singles.total() ** 2 / max(1, pairs.total())

    def belong_together(a: str, b: str) -> bool:
        n = pairs[a, b]
        return (
            n >= min_count and math.log(n * evidence / (singles[a] * singles[b])) >= wanted.min_pmi
        )

    counts = Counter(
        phrase
        for clause in clauses
        for run in _runs(clause, belong_together)
        for phrase in (run[i : i + wanted.max_n] for i in range(0, len(run), wanted.max_n))
    )
    return [phrase for phrase, n in counts.most_common() if n >= min_count]


def _runs(clause: Words, belong_together: Callable[[str, str], bool]) -> Iterator[Words]:
    """The clause, cut wherever two neighbors do not belong together."""
    start = 0
    for end in range(1, len(clause) + 1):
        if end == len(clause) or not belong_together(clause[end - 1], clause[end]):
            yield clause[start:end]
            start = end


def _written(phrase: Words) -> str:
    return str(BETWEEN_SIGNS.sub("", " ".join(phrase)))
