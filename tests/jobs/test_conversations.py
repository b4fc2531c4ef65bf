"""OpenAI's training lines become rows, or a refusal that names the line."""

import json

import pytest

from jobs.conversations import rows_of
from jobs.readers import BadFile, read_table


def line(*said: tuple[str, object]) -> str:
    return json.dumps({"messages": [{"role": r, "content": c} for r, c in said]}) + "\n"


GOOD = line(("system", "s"), ("user", "héllo\nthere"), ("assistant", "greeting"))


def test_the_last_question_and_its_answer() -> None:
    more = line(("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "d"))
    table = read_table("x.jsonl", rows_of("x.JSONL", (GOOD + "\n" + more).encode()))
    assert table.rows == (
        {"text": "héllo\nthere", "label": "greeting"},
        {"text": "c", "label": "d"},
    )


@pytest.mark.parametrize(
    ("filename", "data"),
    [
        ("x.jsonl", b'{"text": "a", "label": "b"}\n'),
        ("x.csv", GOOD.encode()),
        ("x.jsonl", b"not json"),
        ("x.jsonl", b""),
    ],
)
def test_other_files_stay_as_they_are(filename: str, data: bytes) -> None:
    assert rows_of(filename, data) is data


@pytest.mark.parametrize(
    "bad",
    [
        '{"text": "a"}\n',
        line(("user", "a")),
        line(("assistant", "a"), ("user", "b")),
        line(("user", [{"type": "text", "text": "a"}]), ("assistant", "b")),
        line(("user", "a"), ("assistant", None)),
    ],
)
def test_a_bad_line_is_named(bad: str) -> None:
    with pytest.raises(BadFile, match="line 2"):
        rows_of("x.jsonl", (GOOD + bad).encode())
