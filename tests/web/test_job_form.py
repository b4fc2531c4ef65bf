"""The form of a new job as data: what is offered, what is chosen, every setting as a field."""

import inspect
from itertools import product
from typing import Any

import pytest

from app.offers import MethodPublic, MetricPublic
from gradless import Client
from jobs.methods import METHODS
from jobs.metrics import METRICS
from tests.web.endpoint_samples import probed
from web import job_form
from web.job_form import Offers, choose
from web.settings_form import Given, fields

Object = dict[str, Any]


def dataset(id_: str, labels: int = 2, image_column: str = "") -> Object:
    names = [f"label {n}" for n in range(labels)]
    kind = "classification" if labels else "generation"
    return {
        "id": id_,
        "task": kind,
        "labels": names,
        "image_column": image_column,
        "n_rows": 1200,
    }


def endpoint(id_: str, *capabilities: str, facts: Object | None = None, **options: Any) -> Object:
    return {"id": id_, "capabilities": list(capabilities), "options": options, "probed": facts}


METHOD_LIST = [
    MethodPublic.of(name, one).model_dump(by_alias=True) for name, one in METHODS.items()
]
METRIC_LIST = [
    MetricPublic.of(name, one).model_dump(by_alias=True) for name, one in METRICS.items()
]
HOSTED = endpoint(
    "hosted",
    "generation",
    "text_prompts",
    facts=probed(),
    base_url="http://127.0.0.1:8080/v1",
    input_price=0.1,
    output_price=0.4,
    currency="EUR",
)
OFFERS = Offers(
    [dataset("tickets"), dataset("digits", image_column="image"), dataset("minutes", 0)],
    [endpoint("minilm", "text_prompts", "soft_prompts"), endpoint("clip", "images"), HOSTED],
    METHOD_LIST,
    METRIC_LIST,
)
NOTHING: dict[str, str | None] = dict.fromkeys(job_form.CHOICES)


def chosen(**asked: str) -> dict[str, Any]:
    """The names of what is chosen when this is asked for."""
    choice = choose(OFFERS, {**NOTHING, **asked})
    return {
        "dataset": choice.dataset and choice.dataset["id"],
        "endpoint": choice.endpoint and choice.endpoint["id"],
        "metric": choice.metric and choice.metric["name"],
        "method": choice.method and choice.method["name"],
        "preset": choice.preset,
    }


def test_without_a_wish_the_first_that_fits_and_the_fast_preset() -> None:
    assert chosen() == {
        "dataset": "tickets",
        "endpoint": "minilm",
        "metric": None,
        "method": "bbt",
        "preset": "fast",
    }
    assert chosen(method="race")["preset"] == "paper", "it has no other"
    powers = ("text_prompts", "soft_prompts", "deep_prompts", "hidden_states")
    deep = Offers([dataset("tickets")], [endpoint("local", *powers)], METHOD_LIST, METRIC_LIST)
    method = choose(deep, NOTHING).method
    assert method and method["name"] == "shift", "which gained most"


def test_an_endpoint_brings_data_and_data_bring_an_endpoint() -> None:
    assert chosen(endpoint="clip")["dataset"] == "digits"
    assert chosen(dataset="digits")["endpoint"] == "clip"
    assert chosen(dataset="digits", endpoint="minilm")["endpoint"] == "clip"
    assert chosen(dataset="minutes")["endpoint"] == "hosted"
    assert chosen(dataset="unheard of")["dataset"] == "tickets"


def test_texts_need_a_metric_and_labels_may_have_one() -> None:
    assert chosen(dataset="minutes")["metric"] == "exact_match"
    assert chosen(dataset="minutes", metric="")["metric"] == "exact_match"
    assert chosen(dataset="minutes", metric="f1")["metric"] == "f1"
    assert chosen(endpoint="hosted", metric="f1")["metric"] == "f1"
    assert chosen(endpoint="minilm", metric="f1")["metric"] is None


def test_whatever_is_asked_for_what_is_chosen_fits_together() -> None:
    ids = [[one["id"] for one in all_] for all_ in (OFFERS.datasets, OFFERS.endpoints)]
    for data, model, metric, method in product(*ids, ["", "f1"], METHODS):
        asked = {"dataset": data, "endpoint": model, "metric": metric, "method": method}
        choice = choose(OFFERS, {**NOTHING, **asked})
        assert choice.dataset and choice.endpoint
        assert choice.dataset["id"] == data, "data come first"
        assert not job_form.lack(choice.dataset, choice.endpoint)
        if choice.method is not None:
            assert not job_form.missing(choice.method, choice.endpoint, choice.metric)
            assert choice.preset in choice.method["presets"]
        lines = job_form.options(OFFERS, choice)["method"]
        free = {line.value for line in lines if not line.why}
        assert (choice.method["name"] in free) if choice.method else not free


def test_what_cannot_be_chosen_says_why() -> None:
    lines = job_form.options(OFFERS, choose(OFFERS, {**NOTHING, "dataset": "minutes"}))
    assert [line.label for line in lines["endpoint"]] == [
        "minilm (writes no text)",
        "clip (writes no text)",
        "hosted",
    ]
    labels = {line.value: line.label for line in lines["method"]}
    assert labels["promptboosting"].endswith("(needs vocabulary, labels)")
    assert labels["bbt"].endswith("(needs soft prompts)")
    assert lines["metric"][0].why
    assert [line.label for line in lines["dataset"]] == [
        "tickets (1,200 rows, 2 labels)",
        "digits (1,200 images, 2 labels)",
        "minutes (1,200 rows, target texts)",
    ]


def test_without_a_fitting_endpoint_nothing_else_is_chosen() -> None:
    offers = Offers([dataset("minutes", 0)], OFFERS.endpoints[:2], METHOD_LIST, METRIC_LIST)
    choice = choose(offers, NOTHING)
    assert (choice.endpoint, choice.method, choice.preset) == (None, None, "")
    assert not job_form.settings(choice, Given())["method"]
    empty = choose(Offers([], [], METHOD_LIST, METRIC_LIST), NOTHING)
    assert empty.dataset is None and not job_form.options(OFFERS, empty)["preset"]


def test_what_is_gone_is_told() -> None:
    asked = {**NOTHING, "dataset": "old", "endpoint": "hosted", "method": "bbtt"}
    assert job_form.gone(OFFERS, asked) == ["dataset 'old'", "method 'bbtt'"]


def test_limits_of_money_only_with_both_prices() -> None:
    assert job_form.walls(HOSTED) == {
        "api": True,
        "priced": True,
        "price": "0.1 read, 0.4 written (EUR)",
        "currency": "EUR",
    }
    half = endpoint("half", base_url="http://x/v1", input_price=1)
    assert not job_form.walls(half)["priced"]
    assert not job_form.walls(OFFERS.endpoints[0])["api"]
    assert not job_form.walls(None)["api"]


def test_powers_with_the_reason_for_those_that_are_missing() -> None:
    told = {name: (able, why) for name, _, able, why in job_form.powers(HOSTED)}
    assert told["Generation"] == (True, "")
    assert told["Images"] == (False, "")
    facts = probed(missing={"vocabulary": "no log-probabilities"})
    reasons = {name: why for name, _, _, why in job_form.powers(endpoint("x", facts=facts))}
    assert reasons["Vocabulary"] == "no log-probabilities"


@pytest.mark.parametrize("one", [*METHOD_LIST, *METRIC_LIST], ids=lambda one: str(one["name"]))
def test_every_setting_is_a_field_with_its_limits(one: Object) -> None:
    for preset in one.get("presets") or {"": {}}:
        usual = one.get("presets", {}).get(preset, {})
        made = fields(one["schema"], "method", "setting", usual, Given())
        known = [name for name in one["schema"]["properties"] if name not in ("name", "preset")]
        assert [field.name for field in made] == known
        for field in made:
            assert field.hint and field.usual
            assert field.value == "", "what is usual is not sent"
            assert field.kind != "choice" or len(field.options) > 2
            assert field.kind != "number" or field.limits["step"] in (1, "any")


def listed(name: str) -> Object:
    return next(one for one in METHOD_LIST if one["name"] == name)


def test_limits_and_usual_values_in_words() -> None:
    bbt = listed("bbt")
    preset = bbt["presets"]["fast"]
    made = {one.name: one for one in fields(bbt["schema"], "method", "setting", preset, Given())}
    assert made["intrinsic_dim"].limits == {"min": 2, "max": 2000, "step": 1}
    assert (made["intrinsic_dim"].bounds, made["intrinsic_dim"].usual) == ("2 to 2,000", "32")
    assert made["sigma0"].bounds == "above 0, at most 1,000,000"
    assert made["step_size"].options[0] == ("", "tpa (usual)")
    assert (made["initial_text"].kind, made["initial_text"].usual) == ("text", "none")
    assert made["initial_text"].limits == {"maxlength": 2000}
    made = {
        one.name: one
        for one in fields(listed("bbt-rgb")["schema"], "method", "setting", {}, Given())
    }
    assert (made["label_words"].kind, made["generations"].kind) == ("json", "number")
    assert made["second_share"].bounds == "at least 0, below 1"


def test_a_spec_fills_in_what_it_has_changed_and_no_more() -> None:
    spec: Object = {
        "dataset": "tickets",
        "endpoint": "minilm",
        "task": {"baseline": "Which?", "metric": None},
        "method": {**listed("bbt")["presets"]["fast"], "name": "bbt", "preset": "fast"},
        "budget": {"queries": 5000, "cost": None},
    }
    spec["method"]["intrinsic_dim"] = 7
    asked = job_form.asked_for({}, spec)
    assert asked["method"] == "bbt" and asked["metric"] is None
    given = job_form.given({}, spec, choose(OFFERS, asked))
    filled = job_form.settings(choose(OFFERS, asked), given)["method"]
    assert {one.name: one.value for one in filled if one.value} == {"intrinsic_dim": "7"}
    assert (given.text("budget", "queries"), given.text("budget", "cost")) == ("5000", "")
    other = job_form.asked_for({"preset": "paper"}, spec)
    given = job_form.given({}, spec, choose(OFFERS, other))
    filled = job_form.settings(choose(OFFERS, other), given)["method"]
    assert not any(one.value for one in filled), "another preset brings its own"
    assert given.text("task", "baseline") == "Which?"


def test_an_address_goes_over_a_spec_in_both_its_forms() -> None:
    spec = {"dataset": "tickets", "method": {"name": "bbt", "sigma0": 2.0}}
    query = {"method.name": "llm", "dataset": "minutes", "method.sigma0": "0.5", "seed": ""}
    asked = job_form.asked_for(query, spec)
    assert (asked["dataset"], asked["method"]) == ("minutes", "llm")
    given = Given(spec, query)
    assert given.text("method", "sigma0") == "0.5"
    assert given.text("seed") == ""


def test_a_setting_is_no_argument_of_the_clients_tune() -> None:
    """The lines of Python hand settings on by name."""
    taken = set(inspect.signature(Client.tune).parameters) - {"settings"}
    for name, method in METHODS.items():
        assert not taken & (method.model_fields.keys() - {"name", "preset"}), name
