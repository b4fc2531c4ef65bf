"""LLM: a language model writes instructions from what was tried, and the new ones are raced."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar, Literal

from pydantic import Field

from backends.registry import Capability
from jobs.instructions import starting_text
from jobs.meter import Writing
from jobs.methods.base import Method, Plan, Problem
from jobs.spaces import Texts
from optimizers.meta_prompt import Assignment
from optimizers.proposer import Proposer
from optimizers.racing import ends

LONGEST_INPUT = 1_000  # characters of an input that a writer is shown


class LLM(Method):
    """Instructions written from scored history and failures, as OPRO and GEPA do, then raced.

    `optimizers.proposer` names what differs from the papers. The preset "paper" has OPRO's
    numbers (section 5.1) and GEPA's three failures; first_rows, growth and error_rate are ours.
    """

    title: ClassVar = "LLM: instructions that a language model writes"
    summary: ClassVar = "A model writes instructions from scores and failures; losers drop early."
    citation: ClassVar = "Yang et al. 2023, arXiv:2309.03409; Agrawal et al. 2025, arXiv:2507.19457"
    needs: ClassVar = frozenset({Capability.TEXT_PROMPTS})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"n_candidates": 4, "history": 10},
        "paper": {},
    }

    name: Literal["llm"] = "llm"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the papers', or quicker ones"
    )
    n_candidates: int = Field(8, ge=1, le=100, description="instructions written in one round")
    history: int = Field(20, ge=0, le=200, description="best instructions shown with their scores")
    failures: int = Field(
        3, ge=0, le=50, description="wrong answers of the best instruction shown to one request"
    )
    examples: int = Field(3, ge=0, le=50, description="labelled train rows shown to one request")
    first_rows: int = Field(
        8, ge=1, le=100_000, description="train rows that all candidates of a round meet"
    )
    growth: float = Field(
        2.0, ge=1.1, le=100, description="how many times as many rows the survivors have met next"
    )
    error_rate: float = Field(
        0.1, ge=0.001, le=0.5, description="largest chance that a round drops its best candidate"
    )
    temperature: float = Field(
        1.0, ge=0, le=2, description="of the writer's draws; 0: its likeliest words"
    )
    max_tokens: int = Field(512, ge=16, le=16_384, description="tokens of one answer, at most")
    initial_text: str = Field(
        "",
        max_length=2000,
        description="instruction to start from; empty: the baseline, or one naming the labels",
    )
    writer: str = Field(
        "", max_length=100, description="endpoint that writes; empty: the one being tuned"
    )

    def requires(self) -> frozenset[Capability]:
        return self.needs | (frozenset() if self.writer else {Capability.GENERATION})

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        """The first slice, with the writer's answers, or a later one if nobody drops out."""
        steps = ends(n_train, self.first_rows, self.growth)
        n_racing = self.n_candidates + 1
        later = [n_racing * (end - start) for start, end in pairwise(steps)]
        return max([self.n_candidates + n_racing * steps[0], *later]) + n_dev

    def plan(self, problem: Problem) -> Plan:
        optimizer = Proposer(
            _assignment(problem),
            starting_text(self.initial_text, problem),
            n_candidates=self.n_candidates,
            history=self.history,
            failures=self.failures,
            examples=self.examples,
            first_rows=self.first_rows,
            growth=self.growth,
            error_rate=self.error_rate,
        )
        writing = Writing(self.max_tokens, self.temperature)
        return Plan(optimizer, Texts(), "ce", told="answer", writing=writing)


def _assignment(problem: Problem) -> Assignment:
    """What a writer may know of the task: the train rows, and nothing of dev or test."""
    train, words = problem.split.train, problem.task.verbalizer
    return Assignment(
        problem.task.template,
        tuple(problem.task.words),
        tuple(_shown(problem.task.texts(example.inputs)) for example in train),
        tuple(words.get(example.label, example.label) for example in train),
    )


def _shown(inputs: Mapping[str, str]) -> str:
    """One input as a text: its only column, or all with their names; long ones are cut."""
    if not inputs:
        return "(an image)"
    text = "\n".join(inputs.values() if len(inputs) == 1 else map(": ".join, inputs.items()))
    return text if len(text) <= LONGEST_INPUT else f"{text[:LONGEST_INPUT]} ..."
