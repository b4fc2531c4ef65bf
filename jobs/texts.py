"""What texts have in common: words, their order, numbers. No settings, no scores."""

import string
import unicodedata
from collections.abc import Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext

import regex

UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}"  # scripts without spaces: each sign is a word
WORD = regex.compile(rf"(?V1)[{UNSPACED}]|[[\p{{L}}\p{{M}}\p{{N}}]--[{UNSPACED}]]+")
SPACED_WORD = regex.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")
PUNCTUATION = regex.compile(rf"[\p{{P}}{regex.escape(string.punctuation)}]")
ARTICLE = regex.compile(r"\b(?:a|an|the)\b")
MARKS = "[,'’_\u00a0\u202f]"  # between groups of three digits
NUMBER = regex.compile(
    r"(?P<sign>(?<![A-Za-z0-9_)\]%.])[-+\u2212\u2013]|)"  # in 3-5 and covid-19 it is a dash
    r"(?:[$€£¥]\s?)?"
    rf"(?P<digits>(?:\d{{1,3}}(?P<mark>{MARKS})\d{{3}}(?:(?P=mark)\d{{3}})*+(?!\d)|\d++)"
    r"(?:\.\d++)?|(?<!\d)\.\d++)"
    r"(?P<power>[eE][-+\u2212]?\d++)?(?P<percent>\s?%)?"
)
EXACT = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])  # what is too large: infinite


def plain(text: str, *, ignore_case: bool) -> str:
    """The text in Unicode NFC, without surrounding space, any run of space as one."""
    text = unicodedata.normalize("NFC", text)
    if ignore_case:
        text = unicodedata.normalize("NFC", text.casefold())
    return " ".join(text.split())


def without_punctuation(text: str) -> str:
    """Unicode's punctuation and ASCII's symbols taken out; nothing is put in their place."""
    return str(PUNCTUATION.sub("", text))


def words(text: str) -> list[str]:
    """Runs of letters, marks and digits, whatever their case; a Chinese or Japanese sign each."""
    return [str(word) for word in WORD.findall(plain(text, ignore_case=True))]


def bare_words(text: str, *, ignore_articles: bool) -> list[str]:
    """What stands between spaces, whatever its case, without punctuation (and a, an, the)."""
    text = without_punctuation(plain(text, ignore_case=True))
    text = ARTICLE.sub(" ", text) if ignore_articles else text
    return [str(word) for word in SPACED_WORD.findall(text)]


def common_subsequence(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common subsequence; a column of the usual table in one number.

    (Hyyrö 2004, "Bit-parallel LCS-length computation revisited".)
    """
    places: dict[str, int] = {}
    for i, word in enumerate(one):
        places[word] = places.get(word, 0) | 1 << i
    everywhere = (1 << len(one)) - 1
    column = everywhere  # a 0 at bit i: word i makes the subsequence longer
    for word in other:
        found = column & places.get(word, 0)
        column = ((column + found) | (column - found)) & everywhere
    return len(one) - column.bit_count()


def number(text: str, *, last: bool, percent: bool) -> Decimal | None:
    """The first or last number of a text; with `percent`, 50 % is 0.5, else the sign is overlooked.

    A point is the decimal sign; `,` `'` `_` and no-break spaces may stand between groups of three
    digits; `-5`, `-$5`, `6.02e23` and `.5` are numbers, `3-5` is 3 and 5.
    """
    found = list(NUMBER.finditer(text))
    if not found:
        return None
    match = found[-1 if last else 0]
    written = "".join(match.group("sign", "digits")) + (match["power"] or "")
    ascii_signs = written.replace("\u2212", "-").replace("\u2013", "-")
    with localcontext(EXACT):
        value = Decimal(regex.sub(MARKS, "", ascii_signs))
        value = value / 100 if percent and match["percent"] else value
    return value if value.is_finite() else None


def within(one: Decimal, other: Decimal, *, relative: float, absolute: float) -> bool:
    """|one - other| is at most `absolute`, or at most `relative` times |other|."""
    with localcontext(EXACT):
        return abs(one - other) <= max(Decimal(absolute), Decimal(relative) * abs(other))
