"""Cuts a text into words, phrases, spans or sentences and puts it together again. No model."""

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, TypeAlias
from unicodedata import category

import numpy as np

Level: TypeAlias = Literal["phrase", "word", "sentence", "span"]
Part: TypeAlias = tuple[int, int]  # start and end of a stretch of text

PAIRS = {"(": ")", "[": "]", "{": "}", "“": "”", "‘": "’", "«": "»", "‹": "›", "「": "」"}
PAIRS |= {"『": "』", "（": "）", "【": "】", '"': '"', "'": "'", "`": "`"}
ENDS = ".!?…。！？؟।"  # of a sentence
PAUSES = ",;:、，；：،؛"
BRACKETS = "".join(PAIRS) + "".join(PAIRS.values())
NESTED = re.compile(r"""\S[(\[{<"“«]\S""")  # code: f("x") keeps its brackets
BLOB = re.compile(r"[^\s。、，；：！？「」『』（）【】]+")
SENTENCE_END = re.compile(
    rf"[{re.escape(ENDS)}]+[{re.escape(BRACKETS)}]*\s+(?![a-z])|[。！？]+[」』）】]*|\n\s*"
)
LONGEST = 6  # words in a phrase
SPANS = (2, 4)  # fewest and most spans in a sentence

GRAMMAR = (
    "a an the this that these those each every all any some no its their his her your my our"
    " of in on at by for with from to into onto about as between among through during before"
    " after above below over under within without against per via and or but nor so if then than"
    " when while where how which who whom whose what whether why because although though unless"
    " until is are was were be been being am do does did has have had can could will would shall"
    " should may might must not it they he she we you i there here only either neither"
)
FUNCTION_WORDS = frozenset(GRAMMAR.split())


@dataclass(frozen=True)
class Cut:
    """A text as phrases, which edits move, and the gaps around them, which stay in place.

    >>> Cut(("name", "the mood"), ("", " ", ".")).text
    'name the mood.'
    """

    phrases: tuple[str, ...]
    gaps: tuple[str, ...]  # before, between and behind: one more than phrases

    @property
    def text(self) -> str:
        pairs = zip(self.gaps, (*self.phrases, ""), strict=True)
        return "".join(part for pair in pairs for part in pair)


def cut(text: str, level: Level, random: np.random.Generator) -> Cut:
    """The text at a level, or at a finer one where it would be a single piece.

    word: what stands between spaces, without the punctuation around it. phrase: up to 6 words
    between two marks of punctuation; a new one begins at a function word behind another word.
    span: a sentence in 2 to 4 runs of equally many words, drawn anew each time. sentence: with its
    punctuation. Spaces and the marks between phrases are gaps; a text without words is one gap.

    Unlike the paper, phrases come from these rules instead of a constituency parser, which
    would be a model to download; and a text that is one phrase at its level is cut finer.
    """
    words = find_words(text)
    parts = _parts(text, words, level, random)
    if len(parts) < 2:
        parts = _phrases(text, words)
    if len(parts) < 2:
        parts = words
    return _at(text, parts)


def find_words(text: str) -> list[Part]:
    """Where the words are: with a letter, a digit or a sign, and no punctuation at their ends."""
    trimmed = (_trimmed(text, *blob.span()) for blob in BLOB.finditer(text))
    return [part for part in trimmed if any(category(c)[0] in "LNS" for c in text[slice(*part)])]


def _trimmed(text: str, start: int, end: int) -> Part:
    marks = ENDS + PAUSES + ("" if NESTED.search(text, start, end) else BRACKETS)
    while start < end and text[end - 1] in marks:
        end -= 1
    while start < end and text[start] in marks:
        start += 1
    return start, end


def _parts(
    text: str, words: Sequence[Part], level: Level, random: np.random.Generator
) -> Sequence[Part]:
    if level == "word":
        return words
    if level == "phrase":
        return _phrases(text, words)
    sentences = _sentences(text)
    starts = [start for start, _ in words]
    holds = [words[bisect_left(starts, a) : bisect_left(starts, b)] for a, b in sentences]
    if level == "span":
        return [span for group in holds if group for span in _spans(group, random)]
    return [sentence for sentence, group in zip(sentences, holds, strict=True) if group]


def _phrases(text: str, words: Sequence[Part]) -> list[Part]:
    groups: list[list[Part]] = []
    function = False
    for word in words:
        last, function = function, text[slice(*word)].lower() in FUNCTION_WORDS
        gap = text[groups[-1][-1][1] : word[0]] if groups else "\n"
        marked = gap.strip(" \t") or "\n" in gap
        if marked or (function and not last) or len(groups[-1]) == LONGEST:
            groups.append([])
        groups[-1].append(word)
    return [_hull(group) for group in groups]


def _sentences(text: str) -> list[Part]:
    """Where the sentences are, with their punctuation and without the space around them."""
    ends = [0, *(end.end() for end in SENTENCE_END.finditer(text)), len(text)]
    whole = [(a, a + len(text[a:b].rstrip())) for a, b in pairwise(ends)]
    return [(b - len(text[a:b].lstrip()), b) for a, b in whole]


def _spans(sentence: Sequence[Part], random: np.random.Generator) -> list[Part]:
    n_spans = int(random.integers(SPANS[0], SPANS[1] + 1))
    bounds = np.linspace(0, len(sentence), min(n_spans, len(sentence)) + 1).astype(int)
    return [_hull(sentence[a:b]) for a, b in pairwise(bounds)]


def _hull(group: Sequence[Part]) -> Part:
    return group[0][0], group[-1][1]


def _at(text: str, parts: Sequence[Part]) -> Cut:
    ends, starts = [0, *(end for _, end in parts)], [*(start for start, _ in parts), len(text)]
    gaps = tuple(text[a:b] for a, b in zip(ends, starts, strict=True))
    return Cut(tuple(text[slice(*part)] for part in parts), gaps)
