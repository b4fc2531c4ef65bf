"""What is written about the code is true of the code."""

import re
from pathlib import Path

import pytest

from app.settings import Settings

ROOT = Path(__file__).parents[1]
LINE = re.compile(r"(?P<unset># )?(?P<name>[A-Z_]+)=(?P<value>.*)")

# .env.example


def settings_in_the_example() -> dict[str, tuple[str | None, str]]:
    """Name -> value (None: commented out, so unset) and the comment above it."""
    found: dict[str, tuple[str | None, str]] = {}
    above = ""
    for line in (ROOT / ".env.example").read_text().splitlines():
        if match := LINE.fullmatch(line):
            value = None if match["unset"] else match["value"]
            assert match["name"] not in found, f"{match['name']} stands twice"
            found[match["name"]] = (value, above)
        above = line.removeprefix("# ") if line.startswith("# ") else ""
    return found


def default(name: str) -> str | None:
    value = Settings.model_fields[name].get_default()
    if value is None:
        return None
    return str(value.get_secret_value() if hasattr(value, "get_secret_value") else value)


def test_the_example_has_every_setting_and_nothing_else() -> None:
    assert set(settings_in_the_example()) == {
        f"GRADLESS_{name.upper()}" for name in Settings.model_fields
    }


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_example_shows_the_default_under_its_description(name: str) -> None:
    value, above = settings_in_the_example()[f"GRADLESS_{name.upper()}"]
    assert value == default(name)
    description = Settings.model_fields[name].description
    assert description
    assert above.startswith(description.split(";")[0])


def test_the_example_can_be_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GRADLESS_{name.upper()}", raising=False)
    made = Settings(_env_file=ROOT / ".env.example")
    assert made == Settings(_env_file=None)


# README: its settings table, its file list and its commands are checked here once it is written.
