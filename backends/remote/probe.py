"""Finds out what a model behind an OpenAI-compatible server can do, by about 20 short requests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any

from backends.base import BackendRefused, BackendUnavailable
from backends.registry import RUNGS, Capability
from backends.remote import questions
from backends.remote.asker import Asker, NotThere
from backends.remote.connection import connect
from backends.remote.facts import Facts
from backends.remote.ladder import GRADED
from backends.remote.parsing import Position
from backends.remote.questions import Route

RANKS = 20  # likely tokens that must come back before a vocabulary can be ranked by them


def probe(
    model: str,
    *,
    base_url: str,
    key_variable: str | None = None,
    route: str = "auto",
    scores: str = "auto",
    samples: int = 16,
    timeout: float = 60.0,
    embeddings: str | None = None,
    **_others: object,
) -> dict[str, Any]:
    """The facts about a model, as JSON: see `Facts`. Options are those of the kind "openai".

    Raises:
        BackendRefused: there is no such model or route, the key is wrong, or the rung asked for
            by `scores` does not work; the message says why.
        BackendUnavailable: nobody answers.
    """
    pool = connect(model, base_url=base_url, key_variable=key_variable, timeout=timeout)
    try:
        asker = Asker(pool, model, key_variable)
        return _Probe(asker, model, samples, embeddings).run(route, scores).to_json()
    except NotThere as refusal:  # of a question that has been answered before
        raise BackendUnavailable(f"the server is not steady: {refusal}") from None
    finally:
        pool.close()


@dataclass
class _Probe:
    asker: Asker
    model: str
    samples: int
    embeddings: str | None
    missing: dict[str, str] = field(default_factory=dict)  # rung or power -> why it is not there
    notes: list[str] = field(default_factory=list)

    def run(self, route: str, scores: str) -> Facts:
        listed = self._listed()
        facts, position = self._route(route)
        facts = self._ask_for_texts(facts)
        if position is not None:
            facts = self._ask_for_numbers(facts, position)
        facts = self._describe(facts, listed)
        return self._conclude(facts, scores)

    def _listed(self) -> Mapping[str, Any]:
        """What /models says of the model; nothing where it lists none."""
        found = self.asker.get("models").get("data")
        entries = [entry for entry in found or [] if isinstance(entry, Mapping)]
        for entry in entries:
            if self.model in (entry.get("id"), *(entry.get("aliases") or [])):
                return entry
        if entries:
            names = [str(entry.get("id")) for entry in entries]
            close = get_close_matches(self.model, names, n=1)
            hint = f", did you mean {close[0]!r}?" if close else ";"
            raise BackendRefused(f"no model {self.model!r}{hint} there are {', '.join(names[:20])}")
        self.notes.append("the server lists no models")
        return {}

    def _route(self, wanted: str) -> tuple[Facts, Position | None]:
        """The first route that tells log-probabilities, else the first that answers."""
        tried: tuple[Route, ...] = ("completions", "chat")
        found: list[tuple[Facts, Position | None]] = []
        reasons = []
        for route in tried:
            if wanted not in ("auto", route):
                continue
            try:
                facts = questions.answers(self.asker, self.model, route)
            except NotThere as refusal:
                reasons.append(f"{route} {refusal}")
                continue
            found.append(self._likeliest(facts))
        if not found:
            failed = all("answered 5" in reason for reason in reasons)
            raise (BackendUnavailable if failed else BackendRefused)("; ".join(reasons))
        facts, position = next((pair for pair in found if pair[1]), found[0])
        return replace(facts, routes=tuple(facts.route for facts, _ in found)), position

    def _likeliest(self, facts: Facts) -> tuple[Facts, Position | None]:
        try:
            return questions.likeliest(self.asker, facts)
        except NotThere as refusal:
            self.missing["logprobs"] = f"{facts.route}: {refusal}"
            return facts, None

    def _ask_for_texts(self, facts: Facts) -> Facts:
        asker = self.asker
        facts = self._try("samples", facts, lambda f: questions.sampling(asker, f, self.samples))
        facts = self._try("samples", facts, lambda f: questions.seed(asker, f))
        facts = self._try("choice", facts, lambda f: questions.choice(asker, f))
        if facts.route == "completions":
            facts = self._try("prompt_lists", facts, lambda f: questions.prompt_lists(asker, f))
        return facts

    def _ask_for_numbers(self, facts: Facts, position: Position) -> Facts:
        asker = self.asker
        self.missing.pop("logprobs", None)
        facts, position = questions.steady(asker, facts, position)
        if facts.route == "chat":
            self.missing |= dict.fromkeys(
                ("named", "sequence", "prompt_embeds"), "only asked on completions"
            )
            return facts
        facts = self._try("sequence", facts, lambda f: questions.echo(asker, f, position))
        facts = self._try("named", facts, lambda f: questions.named(asker, f, position))
        return self._try("prompt_embeds", facts, lambda f: self._embed(f, position))

    def _embed(self, facts: Facts, position: Position) -> Facts:
        if self.embeddings is None:
            raise NotThere("not asked: the option `embeddings` names no folder")
        from backends.remote.embeds import Embeddings  # needs torch

        known = Embeddings(self.embeddings).prompt(questions.KNOWN)
        return questions.prompt_embeds(self.asker, facts, position, known)

    def _try(self, power: str, facts: Facts, question: Callable[[Facts], Facts]) -> Facts:
        try:
            return question(facts)
        except NotThere as refusal:
            self.missing[power] = str(refusal)
            return facts

    def _describe(self, facts: Facts, listed: Mapping[str, Any]) -> Facts:
        """What the server tells of itself: its name, its version, how much fits."""
        version = str(self.asker.get("/version").get("version") or "")
        meta, props = listed.get("meta"), self.asker.get("/props")
        inside = [part for part in (meta, props.get("default_generation_settings")) if part]
        context = questions.told_context(listed, *inside)
        server = f"{listed.get('owned_by') or ''} {version or props.get('build_info') or ''}"
        return replace(facts, server=server.strip(), context=context)

    def _conclude(self, facts: Facts, scores: str) -> Facts:
        """Which rungs and powers these facts amount to."""
        works = {
            "named": facts.named,
            "sequence": facts.echo is not None,
            "top": facts.logprobs > 1,
            "choice": facts.choice is not None,
            "samples": facts.draws,
            "match": True,
        }
        rungs = tuple(rung for rung in RUNGS if works[rung])
        self.missing.setdefault("samples", "ignored: answers at temperature 1 do not vary")
        self.missing.setdefault("top", f"{facts.logprobs} likely tokens come back, 2 are wanted")
        if not facts.logprobs:
            numbers = ("named", "sequence", "top", "prompt_embeds")
            self.missing |= dict.fromkeys(numbers, self.missing["logprobs"])
        self.missing = {power: why for power, why in self.missing.items() if power not in rungs}
        if scores != "auto" and scores not in rungs:
            raise BackendRefused(f"scores={scores!r} does not work: {self.missing[scores]}")
        facts = replace(facts, rungs=rungs, rung=rungs[0] if scores == "auto" else scores)
        if not facts.usage:
            self.notes.append("answers do not tell their tokens: costs are upper bounds")
        self.notes.append(f"{self.asker.requests} requests were asked")
        return replace(
            facts,
            capabilities=tuple(sorted(_capabilities(facts, auto=scores == "auto"))),
            missing=dict(sorted(self.missing.items())),
            notes=tuple(self.notes),
            probed_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )


def _capabilities(facts: Facts, *, auto: bool) -> list[str]:
    found = {
        Capability.TEXT_PROMPTS: True,
        Capability.GENERATION: True,
        Capability.LABEL_PROBABILITIES: facts.rung in GRADED,
        Capability.VOCABULARY: facts.logprobs >= RANKS,
        Capability.SOFT_PROMPTS: facts.prompt_embeds is not None,
        Capability.INFILL: "sequence" in (facts.rungs if auto else [facts.rung]),
    }
    return [power.value for power, there in found.items() if there]
