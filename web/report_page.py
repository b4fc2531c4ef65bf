"""A report as one file to keep: a page that needs nothing else, or Markdown. No HTTP, no SQL."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from web import report_facts as facts
from web.figures import accuracy_figure, loss_figure
from web.formats import FILTERS, measured, sentence
from web.markdown import fenced, inline, table
from web.report_facts import Story
from web.svg import drawn

TEMPLATES = Path(__file__).parent / "templates"
MOST_ROWS = 100  # examples in Markdown; the page has all that the report has


class Form(NamedTuple):
    """A kind of file that a report can be."""

    write: Callable[[Story], str]
    ending: str  # of its name
    media_type: str


def page(story: Story) -> str:
    """One HTML file: no script, nothing fetched, figures inside it."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined
    )
    environment.filters.update(FILTERS)
    template = environment.get_template("report_file.html")
    return template.render(story=story, facts=facts, figures=_figures(story), spec=_spec(story))


def markdown(story: Story) -> str:
    """The same as text; its curves are a table."""
    parts = [*_result(story), *_search(story), *_examples(story), *_origin(story)]
    return "\n\n".join(parts) + "\n"


FORMS = {
    "markdown": Form(markdown, ".md", "text/markdown"),
    "html": Form(page, ".html", "text/html"),
}


def _figures(story: Story) -> dict[str, str]:
    """Title -> SVG."""
    figures = {
        "Loss": loss_figure(story.job, story.generations),
        sentence(measured(story.measure)): accuracy_figure(story.job, story.generations),
    }
    return {name: drawn(each, f"{name} against queries spent") for name, each in figures.items()}


def _result(story: Story) -> Iterator[str]:
    yield f"# Report of {inline(story.title)}"
    yield f"**{sentence(story.report['outcome'])}.** {inline(story.report['message'])}"
    yield table(story.head(facts.SCORES), facts.scored(story))
    yield table(("", ""), facts.verdict(story))
    for side, words, remark in facts.prompts(story):
        yield f"## {side.capitalize()} prompt"
        yield inline(remark) if remark else fenced(words)


def _search(story: Story) -> Iterator[str]:
    yield "## Search"
    yield table(story.head(facts.CURVES), facts.curves(story))
    yield "## Spent, beside the estimate"
    yield table(facts.SPENT, facts.spending(story))


def _examples(story: Story) -> Iterator[str]:
    labels = story.report["labels"]
    for side in facts.SIDES if labels else ():
        yield f"## Confusion, {side}"
        yield "True labels down, predicted ones across."
        yield table(["", *labels], facts.confusion(story, side))
    yield "## Examples that changed"
    yield facts.shown(story, MOST_ROWS)
    yield table(story.answers, facts.changed(story, MOST_ROWS))


def _origin(story: Story) -> Iterator[str]:
    yield "## Origin"
    yield table(("", ""), facts.about(story))
    yield table(("Version of", ""), facts.versions(story))
    yield "## Specification"
    yield fenced(_spec(story), "json")
    yield f"Written by Gradless {story.gradless}."


def _spec(story: Story) -> str:
    return json.dumps(story.job["spec"], ensure_ascii=False, indent=2)
