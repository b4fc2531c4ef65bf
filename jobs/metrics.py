"""How right a generated answer is: one class a metric, a score from 0 to 1. No model, no rows."""

from collections import Counter
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, ClassVar, Literal, TypeAlias

import regex
from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from jobs.strict import Spec, one_of, tag
from jobs.texts import (
    bare_words,
    common_subsequence,
    number,
    plain,
    within,
    without_punctuation,
    words,
)

PATTERN_SECONDS = 1.0  # the longest that a user's pattern may search one answer
TARGET_SLOT = "{target}"


class SlowPattern(Exception):
    """A pattern needs too much time or memory; it cannot be used."""


class BadTarget(ValueError):
    """The metric cannot hold an answer against this target."""


class Metric(Spec):
    """The settings of one metric, and the metric itself."""

    title: ClassVar[str]
    summary: ClassVar[str]
    graded: ClassVar[bool] = False  # there are scores between 0 and 1

    name: str

    def score(self, answer: str, target: str) -> float:
        """From 0, wrong, to 1, right. A function of nothing but its arguments.

        Raises:
            SlowPattern: of a pattern alone.
        """
        raise NotImplementedError

    def check(self, target: str) -> None:
        """Nothing, if answers can be held against this target.

        Raises:
            BadTarget: they cannot.
        """


class ExactMatch(Metric):
    """1 if answer and target are the same text, after Unicode NFC and with space evened out."""

    title: ClassVar = "Exact match"
    summary: ClassVar = "The answer is the target."

    name: Literal["exact_match"] = "exact_match"
    ignore_case: bool = Field(True, description="A and a are the same")
    ignore_punctuation: bool = Field(False, description="leave punctuation out on both sides")

    def score(self, answer: str, target: str) -> float:
        return float(self._form(answer) == self._form(target))

    def _form(self, text: str) -> str:
        text = without_punctuation(text) if self.ignore_punctuation else text
        return plain(text, ignore_case=self.ignore_case)


class Contains(Metric):
    """1 if the target stands somewhere in the answer; both in the form of `ExactMatch`."""

    title: ClassVar = "Contains"
    summary: ClassVar = "The target stands somewhere in the answer."

    name: Literal["contains"] = "contains"
    ignore_case: bool = Field(True, description="A and a are the same")
    whole_words: bool = Field(False, description="no does not stand in not")

    def score(self, answer: str, target: str) -> float:
        text, wanted = (plain(each, ignore_case=self.ignore_case) for each in (answer, target))
        if not self.whole_words:
            return float(wanted in text)
        return float(regex.search(rf"(?<!\w){regex.escape(wanted)}(?!\w)", text) is not None)


@lru_cache(maxsize=4096)
def compiled(pattern: str, ignore_case: bool = False) -> "regex.Pattern[str]":
    """The pattern in the syntax of the `regex` package, which contains that of Python's `re`.

    Raises:
        ValueError: it is none; the message says where and why.
    """
    flags = regex.IGNORECASE if ignore_case else 0
    try:
        return regex.compile(pattern, flags, cache_pattern=False)
    except (regex.error, ValueError) as error:
        raise ValueError(f"{pattern!r} is no regular expression: {error}") from None
    except (RecursionError, OverflowError, MemoryError):
        raise ValueError(f"{pattern[:80]!r}… is nested too deep or too large") from None


def _filled(pattern: str, target: str) -> str:
    return pattern.replace(TARGET_SLOT, f"(?:{regex.escape(target)})")


def _checked_pattern(pattern: str) -> str:
    try:
        compiled(_filled(pattern, "x"))
    except ValueError as error:
        raise PydanticCustomError("bad_pattern", "{message}", {"message": str(error)}) from None
    return pattern


class Regex(Metric):
    """1 if a regular expression is found in the answer: one for all rows, or each row's target.

    A search is broken off after a second, so no pattern can stop the service.
    """

    title: ClassVar = "Regular expression"
    summary: ClassVar = "A pattern is found in the answer."

    name: Literal["regex"] = "regex"
    pattern: (
        Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_checked_pattern)]
        | None
    ) = Field(
        None,
        description="searched in each answer, {target} in it standing for the row's target, taken "
        "literally; default: the row's target is itself the pattern",
        examples=[r"answer:\s*{target}\b"],
    )
    ignore_case: bool = Field(False, description="A and a are the same")

    def score(self, answer: str, target: str) -> float:
        pattern = self._compiled(target)
        try:
            return float(pattern.search(answer, timeout=PATTERN_SECONDS) is not None)
        except (TimeoutError, MemoryError):
            raise SlowPattern(
                f"pattern {pattern.pattern!r} searched an answer of {len(answer):,} characters "
                f"for {PATTERN_SECONDS:.0f} s without an end; write it without nested repeats"
            ) from None

    def check(self, target: str) -> None:
        if self.pattern is not None:
            return  # a target is taken literally there
        try:
            self._compiled(target)
        except ValueError as error:
            raise BadTarget(str(error)) from None

    def _compiled(self, target: str) -> "regex.Pattern[str]":
        pattern = target if self.pattern is None else _filled(self.pattern, target)
        return compiled(pattern, self.ignore_case)


class F1(Metric):
    """Overlap of the words of answer and target, in any order (Rajpurkar et al. 2016, SQuAD).

    Case, punctuation and the articles a, an, the are left out. Unlike the paper, punctuation is
    Unicode's and not ASCII's alone, and a Chinese or Japanese sign is a word.
    """

    title: ClassVar = "F1"
    summary: ClassVar = "Overlap of the words, in any order, as in SQuAD."
    graded: ClassVar = True

    name: Literal["f1"] = "f1"
    ignore_articles: bool = Field(True, description="leave out a, an, the")

    def score(self, answer: str, target: str) -> float:
        given, wanted = (
            Counter(bare_words(text, ignore_articles=self.ignore_articles))
            for text in (answer, target)
        )
        return _f_measure((given & wanted).total(), given.total(), wanted.total())


class RougeL(Metric):
    """Longest common subsequence of words, as F-measure (Lin 2004, ROUGE, equations 2-4, beta 1).

    No stemming; the whole answer is one sentence. Unlike the reference tools, letters of every
    script make words, not a to z alone.
    """

    title: ClassVar = "ROUGE-L"
    summary: ClassVar = "Longest common subsequence of words, F-measure."
    graded: ClassVar = True

    name: Literal["rouge_l"] = "rouge_l"

    def score(self, answer: str, target: str) -> float:
        given, wanted = words(answer), words(target)
        return _f_measure(common_subsequence(given, wanted), len(given), len(wanted))


class Numeric(Metric):
    """1 if a number of the answer is the target's, within a tolerance (`texts.number`)."""

    title: ClassVar = "Number"
    summary: ClassVar = "A number of the answer is the target's, within a tolerance."

    name: Literal["numeric"] = "numeric"
    which: Literal["first", "last"] = Field("last", description="the number that counts")
    relative: float = Field(1e-6, ge=0, le=1, description="tolerance, as a share of the target")
    absolute: float = Field(0.0, ge=0, le=1e300, description="tolerance; the larger one holds")
    percent: bool = Field(False, description="50 % is 0.5; otherwise the sign is overlooked")

    def score(self, answer: str, target: str) -> float:
        given, wanted = self._number(answer), self._number(target)
        if given is None or wanted is None:
            return 0.0
        return float(within(given, wanted, relative=self.relative, absolute=self.absolute))

    def check(self, target: str) -> None:
        if self._number(target) is None:
            raise BadTarget(f"there is no number in {target[:80]!r}")

    def _number(self, text: str) -> Decimal | None:
        return number(text, last=self.which == "last", percent=self.percent)


def _f_measure(common: int, n_answer: int, n_target: int) -> float:
    """Harmonic mean of precision and recall; two empty texts agree, an empty one with no other."""
    if not n_answer or not n_target:
        return float(n_answer == n_target)
    return 2 * common / (n_answer + n_target)


METRICS: dict[str, type[Metric]] = {
    "exact_match": ExactMatch,
    "contains": Contains,
    "regex": Regex,
    "f1": F1,
    "rouge_l": RougeL,
    "numeric": Numeric,
}

MetricSpec: TypeAlias = Annotated[
    Annotated[ExactMatch, Tag("[exact_match]")]
    | Annotated[Contains, Tag("[contains]")]
    | Annotated[Regex, Tag("[regex]")]
    | Annotated[F1, Tag("[f1]")]
    | Annotated[RougeL, Tag("[rouge_l]")]
    | Annotated[Numeric, Tag("[numeric]")],
    Discriminator(tag),
    BeforeValidator(one_of("metric", METRICS)),
]
