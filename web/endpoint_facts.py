"""What is known of an endpoint, in words: the API's object in, lines to read out. Asks nobody."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from web.formats import count, counted, number, sentence, spaced
from web.words import POWERS, RUNGS

Object = Mapping[str, Any]
Write = Callable[[Any], str]


class Line(NamedTuple):
    """Something known: told apart by its key."""

    key: str
    name: str
    meaning: str
    said: str
    good: bool = True  # False: it is something that is missing


class Fact(NamedTuple):
    """How a fact of a probe is told; `missing` names the refusal that explains why it is not."""

    name: str
    write: Write
    otherwise: str = "the server does not say"
    missing: str = ""


YES: Write = lambda there: "yes" if there else "no"  # noqa: E731
FACTS: dict[str, Fact] = {
    "server": Fact("Server", str),
    "context": Fact("Context", lambda n: f"{counted(n, 'token')} fit"),
    "routes": Fact("Routes that answer", spaced, "none"),
    "route": Fact("Route in use", str),
    "logprobs": Fact(
        "Likeliest tokens",
        lambda n: f"{count(n)} come back with their log-probabilities",
        "none come back",
        "logprobs",
    ),
    "whole_vocabulary": Fact("The whole vocabulary comes back", YES, "no"),
    "noise": Fact(
        "Noise", lambda x: f"{number(x)} nats between two equal questions", "not measured"
    ),
    "score_temperature": Fact("Log-probabilities depend on the temperature", YES, "no"),
    "named": Fact("Tokens can be asked for by name", YES, "no", "named"),
    "echo": Fact("An echo carries log-probabilities", YES, "no", "sequence"),
    "prompt_embeds": Fact(
        "Vectors are taken as a prompt",
        lambda x: f"yes, {number(x)} nats from the text that they stand for",
        "no",
        "prompt_embeds",
    ),
    "choice": Fact("Field that constrains an answer", str, "none", "choice"),
    "draws": Fact("Draws differ at temperature 1", YES, "no", "samples"),
    "n": Fact("Draws in one request", lambda n: f"{count(n)} at most"),
    "seed": Fact("A seed repeats a draw", YES, "no"),
    "plain_sampling": Fact("Filters of draws can be switched off", YES, "no"),
    "prompt_lists": Fact("Several prompts in one request", YES, "no", "prompt_lists"),
    "usage": Fact("Answers tell their tokens", YES, "no"),
    "overhead": Fact("Tokens around a request", lambda n: f"{count(n)} at most"),
    "limit": Fact("Field that limits an answer", str),
    "sets_temperature": Fact("The temperature can be set", YES, "no"),
    "notes": Fact("Notes", "; ".join, "none"),
}
TOLD_APART = {"model", "capabilities", "rungs", "rung", "missing", "probed_at"}  # on the same page
OF_API = ("base_url", "key_variable", "input_price", "output_price", "currency")
HARD = "0 or 1, without a probability"


def powers(endpoint: Object) -> list[Line]:
    """What it can do, and then what not, with the reason."""
    known = set(endpoint["capabilities"])
    lines = []
    for key, name, meaning in POWERS:
        said = "yes" if key in known else f"no: {_why_not(endpoint, key)}"
        lines.append(Line(key, name, meaning, said, key in known))
    return sorted(lines, key=lambda line: not line.good)


def ladder(endpoint: Object) -> list[Line]:
    """The ways to score labels, best first: which one is used, and why others do not work."""
    probed = endpoint["probed"] or {"rungs": [], "rung": "", "missing": {}}
    lines = []
    for key, meaning in RUNGS.items():
        works = key in probed["rungs"]
        said = "works, and is used" if key == probed["rung"] else "works"
        refused = f"no: {probed['missing'].get(key, 'it was not asked for')}"
        lines.append(Line(key, sentence(key), meaning, said if works else refused, works))
    return lines


def options(endpoint: Object) -> list[Line]:
    """How it is asked. A key is told by the name of its variable: nobody here knows more."""
    given = endpoint["options"]
    rest = [_plain(key, value) for key, value in given.items() if key not in OF_API]
    if "base_url" not in given:
        return rest
    variable, currency = given.get("key_variable"), given.get("currency") or "USD"
    key = f"in the variable {variable} of the service’s environment" if variable else "none is sent"
    prices = [
        Line(
            name,
            words,
            "",
            "not known" if (sum_ := given.get(name)) is None else f"{sum_:g} {currency}",
        )
        for name, words in (
            ("input_price", "Price of 10⁶ tokens read"),
            ("output_price", "Price of 10⁶ tokens written"),
        )
    ]
    address = Line("base_url", "Address", "", given["base_url"])
    return [address, Line("key_variable", "Key", "", key), *prices, *rest]


def found(endpoint: Object) -> list[Line]:
    """Every fact that probing has shown and that has words here."""
    probed = endpoint["probed"] or {}
    return [_fact(key, fact, probed) for key, fact in FACTS.items() if key in probed]


def others(endpoint: Object) -> list[Line]:
    """What else was found: by a newer service, say."""
    probed = endpoint["probed"] or {}
    told = {fact.missing for fact in FACTS.values()} | RUNGS.keys()
    refused = probed.get("missing", {}).items()
    more = {key: value for key, value in probed.items() if key not in TOLD_APART | FACTS.keys()}
    more |= {key: f"no: {why}" for key, why in refused if key not in told}
    return [_plain(key, value) for key, value in more.items()]


def _fact(key: str, fact: Fact, probed: Object) -> Line:
    value = probed[key]
    if value is not None and value not in (False, 0, "", []):
        return Line(key, fact.name, "", fact.write(value))
    why = probed.get("missing", {}).get(fact.missing)
    return Line(key, fact.name, "", f"{fact.otherwise}: {why}" if why else fact.otherwise, False)


def _why_not(endpoint: Object, power: str) -> str:
    probed = endpoint["probed"]
    if probed is None:
        return f"not of a model of the kind {endpoint['kind']}"
    missing, rung = probed["missing"], probed["rung"]
    reasons = {
        "soft_prompts": missing.get("prompt_embeds"),
        "infill": missing.get("sequence", f"labels are scored by {rung}"),
        "vocabulary": missing.get("logprobs", f"{probed['logprobs']} likely tokens are too few"),
        "label_probabilities": f"by {rung} a label scores {HARD}",
    }
    return reasons.get(power) or "only of a model on the service’s own machine"


def _plain(key: str, value: Any) -> Line:
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return Line(key, sentence(key), "", said)
