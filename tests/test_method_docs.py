"""Every method has a page that says what its settings say, and settings that say what they are."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from docs import method_facts
from jobs.methods import METHODS

ROOT = Path(__file__).parents[1]
PAGES = sorted(method_facts.PAGES.glob("*.md"))
RESULTS = "\n".join(path.read_text() for path in (ROOT / "benchmarks" / "results").glob("*.md"))
SECTIONS = [
    "What is tuned",
    "Formula",
    "Queries",
    "Unlike the paper",
    "When to use it",
    "Settings",
]
LONGEST_PAGE = 90  # lines
FEWEST_WORDS = 3  # of a description: a name alone is none
NUMBERS = {"integer", "number"}


def page(name: str) -> str:
    return (method_facts.PAGES / f"{name}.md").read_text()


def part(text: str) -> str:
    """What stands between the markers."""
    found = method_facts.PART.search(text)
    assert found, "the markers <!-- facts --> are lost"
    return found[0]


def numbers(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas of the numbers that a setting may be."""
    if schema.get("type") in NUMBERS:
        yield schema
    for inner in schema.get("anyOf", ()):
        yield from numbers(inner)


# pages


@pytest.mark.parametrize("name", METHODS)
def test_every_method_has_a_page_of_the_same_form(name: str) -> None:
    text = page(name)
    assert text.startswith(f"# {METHODS[name].title}\n")
    assert re.findall("^## (.*)", text, re.MULTILINE) == SECTIONS
    formula = text.partition("## Formula")[2].partition("## Queries")[0]
    assert formula.count("$$") >= 2
    assert len(text.splitlines()) <= LONGEST_PAGE


@pytest.mark.parametrize("name", METHODS)
def test_a_page_shows_the_settings_as_they_are(name: str) -> None:
    assert part(page(name)) == method_facts.facts(METHODS[name]), (
        "run `python -m docs.method_facts`"
    )


def test_the_index_has_every_method() -> None:
    index = method_facts.INDEX.read_text()
    assert part(index) == method_facts.index(), "run `python -m docs.method_facts`"


def test_a_table_tells_bounds_defaults_and_presets() -> None:
    told = method_facts.facts(METHODS["bbt"])
    assert "| setting | takes | `paper` | `fast` | meaning |" in told  # the default comes first
    assert re.search(r"\| `population_size` \| from 4 to 1,000 \| 20 \| 16 \| candidates", told)
    assert "at most 672 (`paper`) or 544 (`fast`) queries" in told  # 20 * 32 + 32, 16 * 32 + 32
    assert "soft prompts (vectors at the input)" in told


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
        assert (path.parent / link).exists(), link


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_interval_that_is_quoted_stands_in_the_results(path: Path) -> None:
    text = " ".join(path.read_text().split())
    share = r"\d+\.\d%"
    for quoted in re.findall(rf"[-+]\d+\.\d ± \d+\.\d|{share} \({share}-{share}\)", text):
        assert quoted in RESULTS, quoted


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_formulas_can_be_read_by_github(path: Path) -> None:
    """It eats backslashes before punctuation; only in tables a bar wants one."""
    text = path.read_text()
    assert not re.findall(r"\\[^a-zA-Z|]", text)
    displayed = re.split(r"\$\$", text)
    inline = [line.split("$") for part in displayed[::2] for line in part.splitlines()]
    assert len(displayed) % 2 == 1
    for line in inline:
        assert len(line) % 2 == 1, f"a formula ends on another line: {'$'.join(line)}"
    for formula in [*displayed[1::2], *(part for line in inline for part in line[1::2])]:
        assert formula == formula.strip() != "", "GitHub wants no space behind a dollar"
        assert formula.count("{") == formula.count("}"), formula
        opened, closed = (len(re.findall(rf"\\{side}\b", formula)) for side in ("left", "right"))
        assert opened == closed, formula


# schemas


@pytest.mark.parametrize("name", METHODS)
def test_every_setting_says_what_it_is_and_every_number_how_large(name: str) -> None:
    for setting, schema in METHODS[name].model_json_schema()["properties"].items():
        if setting == "name":
            continue
        about = f"{name}: {setting}"
        assert len(schema.get("description", "").split()) >= FEWEST_WORDS, about
        for number in numbers(schema):
            assert {"minimum", "exclusiveMinimum"} & number.keys(), f"{about} has no least value"
            assert {"maximum", "exclusiveMaximum"} & number.keys(), f"{about} has no largest value"
