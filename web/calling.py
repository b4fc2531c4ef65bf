"""How a program asks a tuned prompt: the lines to copy. Plain text; asks nobody itself."""

import json
import shlex
from collections.abc import Mapping
from textwrap import shorten
from typing import Any, TypeAlias

LONGEST = 60  # characters of an example's text
NO_EXAMPLE = "your input"
KEY_VARIABLE = "GRADLESS_API_KEY"  # where our own client looks for the key too

Content: TypeAlias = str | list[dict[str, Any]]  # of a chat's message


def content_of(row: Mapping[str, str] | None, template: str | None, image_column: str) -> Content:
    """An input as a chat's message takes it, after a row of the dataset.

    One column is a text, several are a JSON object; an image is told by its name in the dataset.
    """
    columns = {
        name: value
        for name, value in (row or {}).items()
        if template is None or f"{{{name}}}" in template
    }
    image = columns.pop(image_column, None)
    texts = {name: shorten(text, LONGEST, placeholder=" …") for name, text in columns.items()}
    said = next(iter(texts.values())) if len(texts) == 1 else _json(texts) if texts else ""
    if image is None:
        return said or NO_EXAMPLE
    parts = [{"type": "text", "text": said}] if said else []
    return [*parts, {"type": "image_url", "image_url": {"url": image}}]


def by_curl(model: str, content: Content, base: str, *, locked: bool) -> str:
    """A command line; `locked`: the service wants a key."""
    message = _json({"role": "user", "content": content})
    body = f'{{\n    "model": {_json(model)},\n    "messages": [{message}]\n  }}'
    return curl(f"{base}/v1/chat/completions", body, locked=locked)


def curl(address: str, body: str, *, locked: bool) -> str:
    """A command line that posts JSON."""
    key = [f'-H "authorization: Bearer ${KEY_VARIABLE}"'] if locked else []
    lines = [
        f"curl -s {shlex.quote(address)}",
        "-H 'content-type: application/json'",
        *key,
        f"-d {shlex.quote(body)}",
    ]
    return " \\\n  ".join(lines)


def by_openai(model: str, content: Content, base: str, *, locked: bool) -> str:
    """Python, with OpenAI's client."""
    imports = ["import os\n"] if locked else []
    key = f'os.environ["{KEY_VARIABLE}"]' if locked else '"none"'
    lines = [
        *imports,
        "from openai import OpenAI\n",
        "client = OpenAI(",
        f"    base_url={_json(f'{base}/v1')},",
        f"    api_key={key},",
        ")",
        "answer = client.chat.completions.create(",
        f"    model={_json(model)},",
        f'    messages=[{{"role": "user", "content": {_json(content)}}}],',
        ")",
        "print(answer.choices[0].message.content)",
    ]
    return "\n".join(lines)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
