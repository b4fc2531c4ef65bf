"""Images among the inputs of a prediction, as the service takes them. No HTTP."""

from __future__ import annotations

import base64
import os.path
from collections.abc import Mapping
from pathlib import Path

ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp"})

Value = str | Path | bytes  # a text; or an image: its file, or what is in it
Input = Value | Mapping[str, Value]


def is_file(given: str) -> bool:
    """Tell the path of an image that is there from any other text."""
    return Path(given).suffix.lower() in ENDINGS and os.path.isfile(given)  # noqa: PTH113 - never raises


def sendable(given: Input) -> str | dict[str, str]:
    """Write an input as JSON can hold it: texts as they are, images as data URLs.

    Example:
        >>> sendable({"image": b"PNG", "caption": "a cat"})
        {'image': 'data:application/octet-stream;base64,UE5H', 'caption': 'a cat'}
    """
    if isinstance(given, Mapping):
        return {column: _text(value) for column, value in given.items()}
    return _text(given)


def _text(value: Value) -> str:
    if isinstance(value, str):
        return value
    data = value.expanduser().read_bytes() if isinstance(value, Path) else value
    return f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"
