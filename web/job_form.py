"""What the form of a new job offers and has chosen, where one choice allows the next.

Data to data: objects of the API, and what the address asks for, become what the template writes.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from web.formats import counted, price, spaced
from web.settings_form import Field, Given, Object, fields
from web.words import LABELS_ONLY, POWERS

CHOICES = {  # by its name in the address: where it stands in a job's spec
    "dataset": ("dataset",),
    "endpoint": ("endpoint",),
    "method": ("method", "name"),
    "preset": ("method", "preset"),
    "metric": ("task", "metric", "name"),
}
SENSIBLE = "fast"  # the preset to begin with
QUERIES = 40_000  # the budget to begin with
LIKELIEST = "none: the answer is the likeliest label"


@dataclass(frozen=True)
class Offers:
    """All there is to choose from, as the API lists it."""

    datasets: Sequence[Object]
    endpoints: Sequence[Object]
    methods: Sequence[Object]
    metrics: Sequence[Object]


@dataclass(frozen=True)
class Option:
    """One line of a choice; `why` it cannot be chosen, if it cannot."""

    value: str
    text: str
    why: str = ""

    @property
    def label(self) -> str:
        return f"{self.text} ({self.why})" if self.why else self.text


@dataclass(frozen=True)
class Choice:
    """What is chosen, of each kind; None: there is nothing that fits."""

    dataset: Object | None
    endpoint: Object | None
    metric: Object | None
    method: Object | None
    preset: str

    @property
    def texts(self) -> bool:
        """The rows have targets, to be written by the model."""
        return self.dataset is not None and self.dataset["task"] == "generation"

    @property
    def measurable(self) -> bool:
        """The model can write, so that a metric can say how right it is."""
        return self.texts or (self.endpoint is not None and can(self.endpoint, "generation"))

    @property
    def presets(self) -> list[str]:
        """Those of the method, the sensible one first."""
        known = list(self.method["presets"]) if self.method else []
        return sorted(known, key=lambda name: name != SENSIBLE)


def asked_for(query: Mapping[str, str], spec: Object) -> dict[str, str | None]:
    """By an address of ours, by the form sent without a script, or by the spec of a job."""
    return {
        name: query.get(name, query.get(".".join(path), Given(spec).text(*path) or None))
        for name, path in CHOICES.items()
    }


def choose(offers: Offers, asked: Mapping[str, str | None]) -> Choice:
    """What was asked for where there is such a thing and it fits; else the first that does."""
    dataset = _dataset(offers, asked)
    endpoint = _one(
        [each for each in offers.endpoints if dataset and not lack(dataset, each)],
        asked["endpoint"],
    )
    partly = Choice(dataset, endpoint, None, None, "")
    wanted = [one for one in offers.metrics if one["name"] == asked["metric"]]
    metrics = wanted or (offers.metrics if partly.texts else [])
    metric = metrics[0] if metrics and partly.measurable else None
    fit = [one for one in offers.methods if endpoint and not missing(one, endpoint, metric)]
    method = _one(fit, asked["method"], "name")
    presets = Choice(dataset, endpoint, metric, method, "").presets
    preset = asked["preset"] if asked["preset"] in presets else next(iter(presets), "")
    return Choice(dataset, endpoint, metric, method, preset or "")


def _dataset(offers: Offers, asked: Mapping[str, str | None]) -> Object | None:
    """The one asked for; else one for the endpoint asked for, or for any endpoint."""
    for one in offers.datasets:
        if one["id"] == asked["dataset"]:
            return one
    wanted = [each for each in offers.endpoints if each["id"] == asked["endpoint"]]
    endpoints = wanted or offers.endpoints
    fit = [one for one in offers.datasets if any(not lack(one, each) for each in endpoints)]
    return next(iter([*fit, *offers.datasets]), None)


def _one(offered: Sequence[Object], name: str | None, key: str = "id") -> Object | None:
    return next((each for each in offered if each[key] == name), next(iter(offered), None))


def can(endpoint: Object, power: str) -> bool:
    return power in endpoint["capabilities"]


def lack(dataset: Object, endpoint: Object) -> str:
    """Why an endpoint cannot take a dataset; empty: it can."""
    if dataset["task"] == "generation" and not can(endpoint, "generation"):
        return "writes no text"
    if can(endpoint, "images") == bool(dataset["image_column"]):
        return ""
    return "reads no images" if dataset["image_column"] else "needs images"


def missing(method: Object, endpoint: Object, metric: Object | None) -> str:
    """Why a method cannot be used; empty: it can."""
    needs = [need for need in method["needs"] if not can(endpoint, need)]
    labels = ["labels"] if metric and method["name"] in LABELS_ONLY else []
    return f"needs {spaced([*needs, *labels])}" if needs or labels else ""


def options(offers: Offers, choice: Choice) -> dict[str, list[Option]]:
    """The lines of every choice, those that cannot be chosen with the reason."""
    data: Object = choice.dataset or {"task": "", "image_column": ""}
    endpoint: Object = choice.endpoint or {"capabilities": []}
    none = Option("", LIKELIEST, "the rows have no labels" if choice.texts else "")
    return {
        "dataset": [Option(one["id"], _described(one)) for one in offers.datasets],
        "endpoint": [Option(one["id"], one["id"], lack(data, one)) for one in offers.endpoints],
        "metric": [none, *(Option(one["name"], one["title"]) for one in offers.metrics)],
        "method": [
            Option(one["name"], one["title"], missing(one, endpoint, choice.metric))
            for one in offers.methods
        ],
        "preset": [Option(name, name) for name in choice.presets],
    }


def _described(dataset: Object) -> str:
    rows = counted(dataset["n_rows"], "image" if dataset["image_column"] else "row")
    labels = counted(len(dataset["labels"]), "label") if dataset["labels"] else "target texts"
    return f"{dataset['id']} ({rows}, {labels})".replace("\N{NO-BREAK SPACE}", " ")


def gone(offers: Offers, asked: Mapping[str, str | None]) -> list[str]:
    """What was asked for by a name that nothing has, or nothing any more: "dataset 'mine'"."""
    known = {
        "dataset": [one["id"] for one in offers.datasets],
        "endpoint": [one["id"] for one in offers.endpoints],
        "method": [one["name"] for one in offers.methods],
    }
    return [f"{kind} {asked[kind]!r}" for kind in known if asked[kind] not in (None, *known[kind])]


def given(query: Mapping[str, str], spec: Object, choice: Choice) -> Given:
    """What fills the form; another method, preset or metric than the spec has brings its own."""
    method, metric = spec.get("method", {}), spec.get("task", {}).get("metric") or {}
    now = (choice.method and choice.method["name"], choice.preset)
    if (method.get("name"), method.get("preset")) != now:
        method = {}
    if metric.get("name") != (choice.metric and choice.metric["name"]):
        metric = {}
    task = {**spec.get("task", {}), "metric": metric}
    return Given({**spec, "method": method, "task": task}, query)


def settings(choice: Choice, given: Given) -> dict[str, list[Field]]:
    """The fields of the method's settings and of the metric's."""
    method, metric = choice.method or {}, choice.metric or {}
    preset = method.get("presets", {}).get(choice.preset, {})
    return {
        "method": fields(method.get("schema", {}), "method", "setting", preset, given),
        "metric": fields(metric.get("schema", {}), "task.metric", "metric-setting", {}, given),
    }


def body(choice: Choice, given: Given) -> dict[str, Any]:
    """What could be sent without a script: what is chosen, the prompt to beat and the budget."""
    queries = given.text("budget", "queries")
    task = {
        "baseline": given.text("task", "baseline"),
        "metric": choice.metric and choice.metric["name"],
    }
    known = {
        "dataset": choice.dataset and choice.dataset["id"],
        "endpoint": choice.endpoint and choice.endpoint["id"],
        "task": {name: value for name, value in task.items() if value},
        "method": choice.method and {"name": choice.method["name"], "preset": choice.preset},
        "budget": {"queries": int(queries) if queries.isdecimal() else QUERIES},
    }
    return {name: value for name, value in known.items() if value}


def powers(endpoint: Object) -> list[tuple[str, str, bool, str]]:
    """Each power's name, what it means, whether the endpoint has it, and why not, where known."""
    reasons = (endpoint["probed"] or {}).get("missing") or {}
    return [
        (name, meaning, can(endpoint, power), reasons.get(power, ""))
        for power, name, meaning in POWERS
    ]


def walls(endpoint: Object | None) -> dict[str, Any]:
    """Which limits make sense: tokens of an API, and money where it has prices."""
    options = endpoint["options"] if endpoint else {}
    sides = ("input_price", "output_price")
    return {
        "api": "base_url" in options,
        "priced": all(isinstance(options.get(side), int | float) for side in sides),
        "price": price(options),
        "currency": options.get("currency") or "USD",
    }


def spread(rows: Sequence[dict[str, Any]], n: int) -> list[dict[str, Any]]:
    """So many rows, of different labels as far as that goes.

    >>> rows = [{"label": "a"}, {"label": "a"}, {"label": "b"}]
    >>> [row["label"] for row in spread(rows, 2)]
    ['a', 'b']
    """
    seen = Counter[str]()
    rounds = []
    for row in rows:
        seen[row["label"]] += 1
        rounds.append(seen[row["label"]])
    order = sorted(range(len(rows)), key=rounds.__getitem__)
    return [rows[place] for place in order[:n]]
