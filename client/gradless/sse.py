"""Server-sent events: bytes in, events out. No HTTP, no reconnecting, no meaning of the events.

Lines end at LF, CR or CRLF and nowhere else. (httpx's own `iter_lines` also breaks at U+2028 and
its like, which may stand unescaped inside JSON strings: a user's text would tear an event apart.)
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

LINE_END = re.compile("\r\n|\n|\r")


@dataclass(frozen=True)
class Event:
    """One event; `id` is the last id the stream has sent, as the standard wants."""

    type: str
    data: str
    id: str | None


class Decoder:
    r"""Collects chunks of any size and gives the events that they complete.

    Example:
        >>> decoder = Decoder()
        >>> decoder.feed(b"id: 7\nevent: done\nda"), decoder.feed(b"ta: {}\n\n")
        ([], [Event(type='done', data='{}', id='7')])
    """

    def __init__(self) -> None:
        self._text = codecs.getincrementaldecoder("utf-8-sig")("replace")
        self._rest = ""
        self._type = ""
        self._data: list[str] = []
        self._id: str | None = None

    def feed(self, chunk: bytes) -> list[Event]:
        """Read one chunk; half a line, or half a character, waits for the next one."""
        text = self._rest + self._text.decode(chunk)
        # A CR at the very end may be the first half of CRLF.
        held = "\r" if text.endswith("\r") else ""
        *lines, rest = LINE_END.split(text.removesuffix(held) if held else text)
        self._rest = rest + held
        events = (self._line(line) for line in lines)
        return [event for event in events if event is not None]

    def _line(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "data":
            self._data.append(value)
        elif field == "event":
            self._type = value
        elif field == "id" and "\0" not in value:
            self._id = value
        return None

    def _dispatch(self) -> Event | None:
        kind, data = self._type or "message", "\n".join(self._data)
        has_data = bool(self._data)
        self._type, self._data = "", []
        return Event(kind, data, self._id) if has_data else None
