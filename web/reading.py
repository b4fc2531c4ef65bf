"""What the page of a job says in words, out of what the API tells of it. No HTTP, no HTML."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from web import calling
from web.diffs import Piece, worded
from web.examples import Frame
from web.figures import ENDED
from web.formats import count, measured, money, percent
from web.report_facts import EMPTY, Row, Story, spending
from web.words import UNWORDED

Object = Mapping[str, Any]  # an object of the API, as its JSON says it

SLOT = re.compile(r"\{(\w+)\}")
NOT_TYPED = ("prompt", "label")  # slots of a template that are no columns
REMEMBERED = 1024  # comparisons of texts: a page that is written anew compares nothing twice


class Export(NamedTuple):
    """A file that a prompt can be had as."""

    format: str
    title: str
    kinds: tuple[str, ...] = ()  # of prompts; empty: all
    endpoints: tuple[str, ...] = ()  # kinds of endpoint that can use it; empty: all


EXPORTS = (
    Export("json", "JSON"),
    Export("text", "Text", ("text",)),
    Export("safetensors", "safetensors", ("soft", "pixels")),
    Export("peft", "PEFT adapter", ("soft",), ("causal", "masked", "seq2seq")),
    Export("vllm", "vLLM", ("soft",), ("causal", "openai")),
)


class Step(NamedTuple):
    """An incumbent, and what it changed of the one before."""

    generation: Object
    gain: float | None  # of dev accuracy (or its like), of 1
    pieces: Sequence[Piece] | None  # None: the prompt has no words


@dataclass(frozen=True)
class Reading:
    """One job, and of what is around it as much as is there."""

    job: Object
    dataset: Object | None = None  # None: it is deleted
    endpoint: Object | None = None  # None: it is deleted
    report: Object | None = None
    runners: int | None = None  # that live; None: nobody was asked

    @property
    def title(self) -> str:
        return str(self.job["name"] or self.job["id"])

    @property
    def tab(self) -> str:
        """The title of the window: how it stands comes first, where it can be seen."""
        status, result = self.job["status"], self.job["result"]
        if status == "running":
            return f"{percent(self.job['progress']['fraction'])} {self.title}"
        state = result["outcome"].replace("_", " ") if result else status
        return f"{state}: {self.title}"

    @property
    def ended(self) -> bool:
        return self.job["status"] in ENDED

    @property
    def by_texts(self) -> bool:
        """Answers are texts that a metric judges, not labels."""
        return bool(self.job["metric"] != "accuracy")

    @property
    def frame(self) -> Frame:
        column = self.dataset["image_column"] if self.dataset else ""
        return Frame(self.job["spec"]["dataset"], column)

    @property
    def version(self) -> str:
        """What its figures depend on."""
        job = self.job
        return f"{job['status']}-{job['progress']['queries']}-{bool(job['baseline'])}"

    @property
    def phase(self) -> str:
        """What is going on, or how it ended."""
        job, begun = self.job, self.job["progress"]["generation"] > 0
        match job["status"]:
            case "queued":
                return "Waiting for a runner" + (" to go on" if begun else "")
            case "running" if job["cancel_requested"]:
                return "Being cancelled: the generation it is in comes to its end first"
            case "running" if job["pause_requested"]:
                return "Being paused: the generation it is in comes to its end first"
            case "running" if begun:
                return "Searching"
            case "running":
                return self._beginning
            case "cancelled":
                kept = ": the best prompt so far is kept" if job["incumbent"] else ""
                return f"Cancelled{kept}"
            case "succeeded":
                return f"Finished: {self._ending}"
            case status:
                return str(status).capitalize()

    @property
    def _beginning(self) -> str:
        if self.job["baseline"]:
            return "In the first generation"
        return "Measuring the baseline first"

    @property
    def _ending(self) -> str:
        if self.job["termination_reason"] == "converged":
            return "the search converged"
        if self.left:
            return "what is left of the budget is too little for another generation"
        return "the budget is spent"

    @property
    def left(self) -> int:
        """Queries."""
        progress = self.job["progress"]
        return max(0, int(progress["budget"] - progress["queries"]))

    @property
    def is_alone(self) -> bool:
        """It waits for a runner, and none lives."""
        return self.job["status"] == "queued" and self.runners == 0

    @property
    def reason(self) -> str:
        """Why it failed, or does not go on."""
        return str((self.job["error"] or {}).get("message") or "No reason was recorded.")

    @property
    def baseline_hint(self) -> str:
        baseline = self.job["baseline"]
        if not baseline:
            return "not measured yet"
        return "your own prompt" if baseline["prompt"] else "the empty prompt"

    @property
    def gain(self) -> float | None:
        """Of the incumbent over the baseline on dev, of 1."""
        before, best = self.job["baseline"], self.job["incumbent"]
        return best["dev_accuracy"] - before["dev_accuracy"] if before and best else None

    @property
    def difference(self) -> float | None:
        """Of tuned and baseline on test, of 1."""
        result = self.job["result"] or {}
        if "tuned" not in result:
            return None
        return float(result["tuned"]["accuracy"] - result["baseline"]["accuracy"])

    @property
    def words(self) -> str:
        """Of the incumbent; empty: it is a soft prompt, or there is none."""
        best = self.job["incumbent"]
        if not best or best["kind"] == "soft":
            return ""
        return best["text"] or UNWORDED.get(best["kind"], EMPTY)

    @property
    def exports(self) -> list[Export]:
        """The files that the incumbent can be had as."""
        kind = self.job["incumbent"]["kind"] if self.job["incumbent"] else None
        model = self.endpoint["kind"] if self.endpoint else None
        return [
            one
            for one in EXPORTS
            if kind
            and (not one.kinds or kind in one.kinds)
            and (not one.endpoints or model in one.endpoints)
        ]

    @property
    def columns(self) -> list[str]:
        """Of an input, as the template names them."""
        template = self.job["spec"]["task"].get("template") or "{text}"
        return [name for name in dict.fromkeys(SLOT.findall(template)) if name not in NOT_TYPED]

    @property
    def is_paid(self) -> bool:
        """It asks an API."""
        return bool(self.job["usage"]["requests"] + self.job["usage"]["recalled"])

    @property
    def currency(self) -> str:
        """In which it pays; empty: no prices are known."""
        return str((self.job.get("estimate") or {}).get("currency") or "")

    @property
    def tokens(self) -> str:
        usage = self.job["usage"]
        return self._of(usage["tokens_in"] + usage["tokens_out"], "tokens", count)

    @property
    def cost(self) -> str:
        spent = self.job["usage"]["cost"]
        if not (self.currency or spent):
            return "no prices known"
        return f"{self._of(spent, 'cost', money)} {self.currency}".strip()

    def _of(self, spent: float, wall: str, write: Any) -> str:
        most = self.job["spec"]["budget"].get(wall)
        return str(write(spent) + (f" of {write(most)}" if most else ""))

    @property
    def spent(self) -> list[Row]:
        """Beside what was expected and allowed, as `report_facts.SPENT` heads it."""
        so_far = {**self.job["progress"], "report_queries": None}
        usage = self.report["usage"] if self.report else so_far
        told = {"usage": usage, "estimate": self.job.get("estimate")}
        rows = spending(Story(told, self.job, [], None, "", ""))
        priced = self.currency or self.job["usage"]["cost"]
        return [row for row in rows if priced or not row[0].startswith("Cost")]

    @property
    def specification(self) -> str:
        return json.dumps(self.job["spec"], ensure_ascii=False, indent=2)

    def curl(self, origin: str, *, locked: bool) -> str:
        """A command that submits the same job to the service at `origin`; `locked`: with a key."""
        return calling.curl(f"{origin}/api/jobs", self.specification, locked=locked)

    @property
    def measure(self) -> str:
        return measured(self.job["metric"])


def history(incumbents: Sequence[Object], baseline: Object | None, most: int) -> list[Step]:
    """The last incumbents, the newest first, each beside the one before it or the baseline."""
    before = [baseline or {"dev_accuracy": None, "prompt": ""}, *incumbents]
    pairs = list(zip(before, incumbents, strict=False))[-most:]
    return [_step(old, new) for old, new in reversed(pairs)]


def _step(old: Object, new: Object) -> Step:
    was, text = old["dev_accuracy"], new["text"]
    gain = None if was is None else new["dev_accuracy"] - was
    before = old.get("text", old.get("prompt")) or ""
    return Step(new, gain, None if text is None else _compared(before, text))


@lru_cache(REMEMBERED)
def _compared(old: str, new: str) -> tuple[Piece, ...]:
    return tuple(worded(old, new))
