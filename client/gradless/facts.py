"""An endpoint, or a dataset, as rows of plain words. No printing."""

from __future__ import annotations

from collections.abc import Iterator

from gradless.types import Dataset, Endpoint, Probed
from gradless.words import day, number, spaced

Row = tuple[str, str]

RUNGS = {
    "named": "log-probabilities of the label tokens, asked for by name",
    "sequence": "log-probability of each whole label, from an echo",
    "top": "log-probabilities among the likeliest tokens",
    "choice": "the label that constrained decoding chose: 0 or 1",
    "samples": "how often each label was drawn",
    "match": "the label that the answer begins with: 0 or 1",
}
SHOWN = ("base_url", "key_variable", "input_price", "output_price", "currency")


def price(endpoint: Endpoint) -> str:
    """Say what 10^6 tokens cost.

    Example:
        >>> prices = {"input_price": 0.1, "output_price": 0.4}
        >>> price(Endpoint(id="hosted", options=prices))
        '0.1 read, 0.4 written (USD for 10^6 tokens)'
    """
    given = {"read": "input_price", "written": "output_price"}
    known = {word: endpoint.options.get(name) for word, name in given.items()}
    parts = [f"{value:g} {word}" for word, value in known.items() if value is not None]
    currency = endpoint.options.get("currency", "USD")
    return f"{', '.join(parts)} ({currency} for 10^6 tokens)" if parts else "-"


def probed_at(endpoint: Endpoint) -> str:
    return day(endpoint.probed.probed_at) if endpoint.probed else "not needed"


def endpoint_rows(endpoint: Endpoint) -> Iterator[Row]:
    """Name each thing that is known of an endpoint, and say it."""
    options = endpoint.options
    yield "endpoint", endpoint.id
    yield "kind", endpoint.kind or "-"
    yield "model", endpoint.model or "-"
    if "base_url" in options:
        yield "address", str(options["base_url"])
        yield "key", f"in {name}" if (name := options.get("key_variable")) else "none"
        yield "price", price(endpoint)
    others = {name: value for name, value in options.items() if name not in SHOWN}
    if others:
        yield "options", ", ".join(f"{name}={value}" for name, value in others.items())
    yield "can do", spaced(endpoint.capabilities)
    if endpoint.probed:
        yield from _found(endpoint.probed)


def dataset_rows(dataset: Dataset) -> Iterator[Row]:
    """Name each thing that is known of a dataset, and say it."""
    yield "dataset", dataset.id
    yield "task", dataset.task or "-"
    yield "columns", ", ".join(dataset.columns) or "-"
    if dataset.image_column:
        yield "images", f"in the column {dataset.image_column}"
    if dataset.labels:
        yield "labels", ", ".join(dataset.labels)
    for name, split in dataset.splits.items():
        each = ", ".join(f"{count:,} {label}" for label, count in split.per_label.items())
        yield name, f"{split.rows:,} rows" + (f" ({each})" if each else "")
    if dataset.split_source == "drawn":
        yield "splits", f"drawn: {dataset.shots} shots, seed {dataset.seed}"
    elif dataset.split_source:
        yield "splits", dataset.split_source
    if dataset.filename:
        yield "file", dataset.filename


def _found(probed: Probed) -> Iterator[Row]:
    yield "asked", day(probed.probed_at)
    yield "server", probed.server or "does not say"
    yield "context", f"{number(probed.context, ',')} tokens" if probed.context else "does not say"
    yield "route", f"{probed.route or '-'} (answers on {', '.join(probed.routes) or 'none'})"
    yield "scores", _rung(probed.rung or "-")
    for rung in probed.rungs:
        if rung != probed.rung:
            yield "also works", _rung(rung)
    yield "likeliest", f"{number(probed.logprobs, ',')} tokens with log-probabilities"
    if probed.noise is not None:
        yield "noise", f"{probed.noise:.3g} nats between the same question asked twice"
    for power, reason in probed.missing.items():
        yield "missing", f"{spaced([power])}: {reason}"
    for note in probed.notes:
        yield "note", note


def _rung(name: str) -> str:
    return f"{name}: {RUNGS[name]}" if name in RUNGS else name
