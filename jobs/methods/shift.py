"""Shift: one vector for all tokens and layers of a deep soft prompt, down a forward gradient."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from backends.base import BackendRefused, TakesSoftPrompts
from backends.registry import Capability
from jobs.meter import Meter
from jobs.methods.base import Method, Plan, Problem
from jobs.methods.measured import MEASURED, paid, spreads
from jobs.methods.starts import started
from jobs.objective import LossName
from jobs.search import Search, Searching
from jobs.shift import SharedShift
from optimizers.ops import OPS


class ShiftMethod(Method):
    """LR on v, with P_l = scale_l v at every token of the layers 2 to `n_layers` + 1.

    The gradients of a prompt's tokens and layers point much the same way, so their sum is long,
    and few numbers are enough for noise to find it. What a layer reads is measured first, so
    that a step is the same part of its spread in every layer and model.

    The estimator is LR of OPS (arXiv:2410.05966, equation 1): every row of the batch has
    directions of its own, measured one-sided against its clean loss, and Adam makes the step.
    Unlike the paper, the noise is on the one vector that is tuned, and the step falls to nothing
    over the budget by half a cosine.
    """

    title: ClassVar = "Shift: one vector for a prompt at many layers"
    summary: ClassVar = "A forward gradient of one vector that layers add at every prompt token."
    citation: ClassVar = "Ren et al. 2025, arXiv:2410.05966"
    needs: ClassVar = frozenset(
        {Capability.SOFT_PROMPTS, Capability.DEEP_PROMPTS, Capability.HIDDEN_STATES}
    )
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"fast": {}}

    name: Literal["shift"] = "shift"
    preset: Literal["fast"] = Field("fast", description="starting values of all settings")
    n_prompt_tokens: int = Field(5, ge=1, le=200, description="vectors in each layer's prompt")
    n_layers: int | None = Field(
        None,
        ge=1,
        le=500,
        description="layers after the first that add the shift; unset: half of the model's",
    )
    initial_text: str = Field(
        "this question asks about a",
        max_length=2000,
        description="words that the first layer reads as the prompt; empty: zero vectors",
    )
    sigma: float = Field(
        0.1, gt=0, le=100, description="scale of the noise, in spreads of what a layer reads"
    )
    learning_rate: float = Field(
        0.3, gt=0, le=100, description="first step size of Adam, in spreads of what a layer reads"
    )
    batch_size: int = Field(32, ge=1, le=4096, description="train rows of one generation")
    queries_per_example: int = Field(
        9, ge=3, le=1000, description="queries for each row of a generation's batch, all included"
    )
    loss: LossName = Field("ce", description="what is minimized: cross-entropy, hinge or errors")

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return min(self.batch_size, n_train) * self.queries_per_example + n_dev

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """One generation, and before it the rows whose layers are measured."""
        return min(n_train, MEASURED) + self.generation_queries(n_train, n_dev)

    def search(self, problem: Problem, meter: Meter) -> Searching:
        """As of every method, once the rows that are measured have been paid for."""
        n_train, n_dev = len(problem.split.train), len(problem.split.dev)
        make = partial(super().search, problem, meter)
        search = paid(meter, min(n_train, MEASURED), make)
        assert isinstance(search, Search)
        horizon = meter.budget // self.generation_queries(n_train, n_dev)
        return replace(search, optimizer=replace(search.optimizer, horizon=horizon))  # type: ignore[type-var]

    def plan(self, problem: Problem) -> Plan:
        backend: Any = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # the job was admitted for it
        start = started(backend, self.initial_text, self.n_prompt_tokens)
        found = spreads(problem, start, min(len(problem.split.train), MEASURED))
        n_layers = (len(found) + 1) // 2 if self.n_layers is None else self.n_layers
        if not 1 <= n_layers <= len(found):
            raise BackendRefused(
                f"n_layers is {n_layers}, and above the first layer the endpoint has {len(found)}: "
                f"wanted a number from 1 to {len(found)}"
            )
        optimizer = OPS(
            np.zeros(start.shape[1]),
            len(problem.split.train),
            estimator="lr",
            allocator="equal",
            batch_size=self.batch_size,
            queries=self.queries_per_example,
            sigma=self.sigma,
            learning_rate=self.learning_rate,
        )
        return Plan(optimizer, SharedShift(start, tuple(found[:n_layers])), self.loss)
