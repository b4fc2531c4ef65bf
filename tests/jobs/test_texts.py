import random
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.texts import common_subsequence, number, plain, within, words


@pytest.mark.parametrize(
    ("text", "even"),
    [
        ("  two\n\twords  ", "two words"),
        ("ＡＢ", "ａｂ"),  # NFC, not NFKC: another letter is another letter
        ("Cafe\u0301", "caf\u00e9"),  # one letter or letter and accent
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("no\u00a0break", "no break"),
        ("", ""),
    ],
)
def test_plain(text, even):
    assert plain(text, ignore_case=True) == even


def test_plain_may_keep_the_case():
    assert plain(" A\u030a b ", ignore_case=False) == "Å b"


@given(st.text())
def test_plain_is_plain(text):
    once = plain(text, ignore_case=True)
    assert plain(once, ignore_case=True) == once


def test_words_of_many_scripts():
    assert words("Don't: état_2!") == ["don", "t", "état", "2"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]  # vowel signs belong to their letters
    assert words("東京 Tower") == ["東", "京", "tower"]


def by_the_table(one, other):
    """The textbook recurrence."""
    row = [0] * (len(other) + 1)
    for x in one:
        corner = 0
        for j, y in enumerate(other, start=1):
            corner, row[j] = row[j], corner + 1 if x == y else max(row[j], row[j - 1])
    return row[-1]


@given(st.text("abc", max_size=80), st.text("abcd", max_size=80))
def test_common_subsequence_is_the_tables(one, other):
    assert common_subsequence(one, other) == by_the_table(one, other)


def test_long_texts_are_compared_in_time():
    draw = random.Random(0)
    one, other = ([draw.choice("abcdef") for _ in range(50_000)] for _ in range(2))
    start = time.perf_counter()
    common = common_subsequence(one, other)
    assert time.perf_counter() - start < 10  # the table of 2.5e9 cells takes half an hour
    assert 25_000 < common < 50_000


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("It is 7.", "7", "7"),
        ("2 + 2 = 4", "2", "4"),
        ("-5 or −5", "-5", "-5"),
        ("\u20135", "-5", "-5"),
        ("3-5", "3", "5"),
        ("covid-19", "19", "19"),
        ("(-3)", "-3", "-3"),
        ("-$5, $-6", "-5", "-6"),
        ("答案是-5。", "-5", "-5"),
        ("1,234.56", "1234.56", "1234.56"),
        ("1,234,567", "1234567", "1234567"),
        ("1'000'000", "1000000", "1000000"),
        ("1\u202f000", "1000", "1000"),
        ("1_000", "1000", "1000"),
        ("1,2,3", "1", "3"),
        ("12,34", "12", "34"),
        ("1 000", "1", "0"),  # a plain space parts numbers
        ("6.02e23 and 1E-3", "6.02e23", "0.001"),
        (".5 < 0.75", "0.5", "0.75"),
        ("version 1.2.3", "1.2", "3"),
        ("45 %", "45", "45"),
        ("٣٤", "34", "34"),
        ("1e99999999999999999999", None, None),  # too large to be a number
        ("none", None, None),
        ("", None, None),
    ],
)
def test_numbers_are_found(text, first, last):
    wanted = [None if each is None else Decimal(each) for each in (first, last)]
    assert [number(text, last=last, percent=False) for last in (False, True)] == wanted


def test_percent_may_be_read():
    assert number("45 %", last=True, percent=True) == Decimal("0.45")
    assert number("45", last=True, percent=True) == 45


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12
    )
)
def test_a_number_is_read_as_it_was_written(value):
    for text in (f"{value}", f"so: {value:,} km"):
        assert number(text, last=True, percent=False) == value


@given(st.text("0123456789.,-+eE%$ '", max_size=60))
def test_any_text_is_read(text):
    value = number(text, last=True, percent=True)
    assert value is None or value.is_finite()


@pytest.mark.parametrize("piece", ["1", "1,", "1,234,", ",234", "-", ".", "1e", "$", "1.", "1,23"])
def test_long_texts_are_read_in_time(piece):
    start = time.perf_counter()
    number(piece * (100_000 // len(piece)), last=True, percent=True)
    assert time.perf_counter() - start < 5


def test_within():
    one, ten, huge = Decimal(1), Decimal(10), Decimal("1e999999")
    assert within(one, one, relative=0, absolute=0)
    assert not within(one, ten, relative=0, absolute=8.9)
    assert within(one, ten, relative=0, absolute=9)
    assert within(one, ten, relative=0.9000001, absolute=0)  # of the ten
    assert not within(ten, one, relative=0.9000001, absolute=0)
    assert not within(one, huge, relative=0.5, absolute=1e300)
    digits = Decimal("12345678901234567890")
    assert not within(digits + 1, digits, relative=0, absolute=0)  # a float would not tell
