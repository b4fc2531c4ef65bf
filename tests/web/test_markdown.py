"""Whatever a text holds, a reader of Markdown gives it back as it was, and nothing else."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from web.markdown import LONGEST, fenced, inline, table

HOSTILE = [
    "<script>alert(1)</script>",
    "a | b \\| c \\\\| d",
    "`code` ``more`` ```\nfence\n```",
    "[link](javascript:alert(1)) ![image](//example.org/x.png) <a@b.c> <http://example.org>",
    "**bold** __bold__ *a* _b_ ~~gone~~ $x^2$ &lt; &amp;lt; &#60; \\ \\\\",
    "# heading #",
    "line\r\nbreak\u2028here",
]
LETTERS = st.text(st.sampled_from("ab <>&|`\\*_#[]()!~$;:\n"), max_size=40)
PLAIN = {"text", "softbreak"}
patiently = settings(deadline=None, database=None)


def read(source: str) -> list[Token]:
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(source)


def words(token: Token) -> str:
    """Of an inline token that must be nothing but text."""
    assert {each.type for each in token.children or []} <= PLAIN, token.children
    return "".join(each.content for each in token.children or [])


def joined(text: str) -> str:
    return " ".join(text.split())


@patiently
@given(LETTERS)
@pytest.mark.parametrize("place", ["# Report of {}", "Said: {}", "- {}"])
def test_a_line_is_read_as_it_was_written(place: str, text: str) -> None:
    tokens = read(place.replace("{}", f"x{inline(text)}x"))
    [token] = [token for token in tokens if token.type == "inline"]
    assert words(token).endswith(f"x{joined(text)}x")


@patiently
@given(st.lists(st.lists(LETTERS, min_size=3, max_size=3), min_size=1, max_size=4))
@example([[*HOSTILE[:3]], [*HOSTILE[3:6]], [HOSTILE[6], "", " | "]])
def test_a_table_keeps_its_cells(rows: list[list[str]]) -> None:
    tokens = read(table(rows[0], rows[1:]))
    assert {token.type for token in tokens} <= {
        *("table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close"),
        *("tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close", "inline"),
    }
    cells = [words(token) for token in tokens if token.type == "inline"]
    assert cells == [joined(cell) for row in rows for cell in row]


def test_a_long_cell_says_that_it_goes_on() -> None:
    [*_, last] = [token for token in read(table(["a"], [["&" * 1000]])) if token.type == "inline"]
    assert words(last) == "&" * (LONGEST - 1) + "…"


@patiently
@given(LETTERS)
@example("```\n````\n<b>")
@example("")
def test_a_fence_is_not_left(text: str) -> None:
    [token] = read(fenced(text, "json"))
    assert (token.type, token.info) == ("fence", "json")
    assert re.sub(r"\n\Z", "", token.content) == text
