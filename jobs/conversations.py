"""OpenAI's training lines, `{"messages": [...]}`, as rows of a table. Reads no other format."""

import json
from typing import Any

from jobs.readers import BadFile


def rows_of(filename: str, data: bytes) -> bytes:
    """A JSONL file of conversations as one of texts and labels; any other file as it is.

    The last message of the user is the `text`, and the assistant's answer to it the `label`.
    Other messages are left out: a prompt that stands before every input is what tuning finds.

    Raises:
        BadFile: the first line is a conversation, and another line is none.
    """
    lines = [line for line in data.split(b"\n") if line.strip()]
    if not filename.lower().endswith(".jsonl") or not lines or _messages(lines[0]) is None:
        return data
    rows = [_row(number, line) for number, line in enumerate(lines, start=1)]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _messages(line: bytes) -> list[dict[str, Any]] | None:
    """The messages of a line; None where it is no conversation."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    messages = said.get("messages") if isinstance(said, dict) else None
    if not isinstance(messages, list) or not all(isinstance(each, dict) for each in messages):
        return None
    return messages


def _row(number: int, line: bytes) -> dict[str, str]:
    messages = _messages(line)
    if messages is None or len(messages) < 2:
        raise BadFile(f"line {number}: wanted {{'messages': [...]}} as on line 1")
    pair = [(each.get("role"), each.get("content")) for each in messages[-2:]]
    (asker, text), (answerer, label) = pair
    if (asker, answerer) != ("user", "assistant"):
        raise BadFile(
            f"line {number}: the last messages are of {asker!r} and {answerer!r}; wanted 'user' "
            "and then 'assistant'"
        )
    if not isinstance(text, str) or not isinstance(label, str):
        raise BadFile(f"line {number}: wanted texts as the content of both last messages")
    return {"text": text, "label": label}
