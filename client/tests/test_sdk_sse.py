"""The event decoder, against the rules of the HTML standard."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradless.sse import Decoder, Event

STREAM = (
    '\ufeff: a comment\r\nid: 1\r\nevent: generation\r\ndata: {"text": "é\u2028\x85"}\r\n\r\n'
    "data:two\ndata: lines\n\nid\rdata: x\r\rid: a\0b\nevent: lonely\n\n"
    "retry: 5\nunknown\ndata\n\ndata: torn"
)
EVENTS = [
    Event("generation", '{"text": "é\u2028\x85"}', "1"),
    Event("message", "two\nlines", "1"),
    Event("message", "x", ""),
    Event("message", "", ""),
]


@given(st.lists(st.integers(0, len(STREAM.encode())), max_size=12))
def test_chunks_of_any_size_give_the_same_events(cuts):
    whole = STREAM.encode()
    edges = [0, *sorted(cuts), len(whole)]
    decoder = Decoder()
    chunks = [whole[start:end] for start, end in pairwise(edges)]
    assert [event for chunk in chunks for event in decoder.feed(chunk)] == EVENTS


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_line_end_counts_once(end):
    decoder = Decoder()
    made = decoder.feed(f"data: 1{end}data: 2{end}{end}data: 3{end}{end}: bye{end}".encode())
    assert made == [Event("message", "1\n2", None), Event("message", "3", None)]
