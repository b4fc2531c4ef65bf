"""LR, SPSA and OPS: gradients from forward passes alone, queries shared out equally or not."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.registry import Capability
from jobs.meter import Meter
from jobs.methods.base import Plan, Problem
from jobs.methods.soft import SoftMethod
from jobs.prompts import TextPrompt
from jobs.search import Search, Searching
from jobs.spaces import Space
from optimizers.ops import OPS, AllocatorName

FAST: Mapping[str, Any] = {
    "perturb": "intrinsic",  # fewer numbers to make noise on: benchmarks/results/vision.md
    "intrinsic_dim": 200,
    "n_prompt_tokens": 5,
    "batch_size": 32,
    "queries_per_example": 9,
}


class ForwardGradient(SoftMethod):
    """What LR, SPSA and OPS share: the noise, the batch, and Adam's step.

    sigma and the learning rate are in units of z, of which 1 is an embedding's spread (`alpha`);
    so they are for noise on the prompt, where a unit is the same spread. The paper prints neither.
    An example with directions of its own has prompts of its own: a CLIP then reads every label's
    text once a query, and not once for all images.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}, "fast": FAST}
    estimator: ClassVar[Literal["lr", "spsa"]]

    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    perturb: Literal["intrinsic", "prompt"] = Field(
        "intrinsic", description="where the noise is: on z, or on the vectors it is projected to"
    )
    sigma: float = Field(0.1, gt=0, le=100, description="scale of the noise, in units of z")
    sigma_rate: float = Field(
        0.0, ge=0, le=1, description="step size of Adam on ln sigma, which is then learned; 0: not"
    )
    learning_rate: float = Field(0.1, gt=0, le=10, description="step size of Adam, in units of z")
    clip_norm: float = Field(
        0.0, ge=0, le=1e9, description="longest gradient, Euclidean; 0: not clipped"
    )
    batch_size: int = Field(64, ge=1, le=4096, description="train rows of one generation")
    queries_per_example: int = Field(
        60, ge=3, le=1000, description="queries for each row of a generation's batch, all included"
    )

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return min(self.batch_size, n_train) * self.queries_per_example + n_dev

    def plan(self, problem: Problem) -> Plan:
        subspace = self.two_sided(problem)
        space: Space = subspace if self.perturb == "intrinsic" else subspace.around
        optimizer = OPS(
            np.zeros(self.intrinsic_dim),
            len(problem.split.train),
            estimator=self.estimator,
            allocator="equal",
            matrix=None if self.perturb == "intrinsic" else subspace.matrix,
            batch_size=self.batch_size,
            queries=self.queries_per_example,
            sigma=self.sigma,
            sigma_rate=self.sigma_rate,
            learning_rate=self.learning_rate,
            longest_gradient=self.clip_norm,
        )
        return Plan(self._completed(optimizer), space, self.loss)

    def _completed(self, optimizer: OPS) -> OPS:
        """The optimizer with a subclass's own settings."""
        return optimizer


class LR(ForwardGradient):
    """One-sided differences along noise on the prompt's vectors, the clean loss as baseline.

    (The likelihood-ratio method: OPS, arXiv:2410.05966, equation 1, equal allocation.)
    Unlike the paper, one scale serves all outputs where it is learned.
    """

    title: ClassVar = "LR: likelihood-ratio gradient"
    summary: ClassVar = "A gradient from noise on the prompt's vectors, one query a draw."
    citation: ClassVar = "Ren et al. 2025, arXiv:2410.05966"
    estimator: ClassVar = "lr"

    name: Literal["lr"] = "lr"
    perturb: Literal["intrinsic", "prompt"] = Field(
        "prompt", description="where the noise is: on the prompt's vectors, or on z before them"
    )


class SPSA(ForwardGradient):
    """Differences between opposite directions (OPS, arXiv:2410.05966, equation 3).

    With one direction for the batch it is MeZO (arXiv:2305.17333) on the prompt, with Adam.
    """

    title: ClassVar = "SPSA: antithetic gradient"
    summary: ClassVar = "A gradient from pairs of opposite moves, two queries a draw."
    citation: ClassVar = "Malladi et al. 2023, arXiv:2305.17333"
    estimator: ClassVar = "spsa"

    name: Literal["spsa"] = "spsa"
    direction: Literal["batch", "example"] = Field(
        "batch", description="who gets directions of its own: the batch, or each example of it"
    )

    def _completed(self, optimizer: OPS) -> OPS:
        return replace(optimizer, shared=self.direction == "batch")


class OPSMethod(ForwardGradient):
    """What OPS adds: pilots, and an allocator that shares out the queries after them."""

    citation: ClassVar = "Ren et al. 2025, arXiv:2410.05966"

    allocator: AllocatorName = Field(
        "neyman",
        description="who gets how many queries: in proportion to the gradient's deviation "
        "(neyman), by the paper's learned (gaussian) or pruning (bernoulli) rule, or all the same",
    )
    n_pilots: int = Field(
        2, ge=2, le=100, description="draws on each example that the allocator judges by; counted"
    )
    by_query: bool = Field(
        False, description="weigh by queries, not by examples, as the released code; biased"
    )

    @model_validator(mode="after")
    def _pilots_fit(self) -> Self:
        least = 1 + self.n_pilots * (1 if self.estimator == "lr" else 2)
        if self.allocator != "equal" and self.queries_per_example < least:
            raise PydanticCustomError(
                "no_room_for_pilots",
                "queries_per_example is {given}; the clean pass and n_pilots need {least}: make it "
                "larger, or the allocator equal",
                {"given": self.queries_per_example, "least": least},
            )
        return self

    def requires(self) -> frozenset[Capability]:
        kernel = {Capability.FEATURES} if self.allocator == "gaussian" else set()
        return super().requires() | kernel

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """One generation, and before it the features of the train rows if they are wanted."""
        features = n_train if self.allocator == "gaussian" else 0
        return features + self.generation_queries(n_train, n_dev)

    def search(self, problem: Problem, meter: Meter) -> Searching:
        search = super().search(problem, meter)
        if self.allocator != "gaussian" or not isinstance(search, Search):
            return search
        optimizer: Any = search.optimizer
        return replace(search, optimizer=replace(optimizer, unlike=_unlike(problem, meter)))

    def _completed(self, optimizer: OPS) -> OPS:
        return replace(
            optimizer, allocator=self.allocator, n_pilots=self.n_pilots, by_query=self.by_query
        )


class OPSLR(OPSMethod):
    """OPS on likelihood-ratio gradients; see `optimizers.ops` for what is unlike the paper."""

    title: ClassVar = "OPS-LR: likelihood ratio, optimal queries"
    summary: ClassVar = "LR with more queries for the examples whose gradients vary most."
    estimator: ClassVar = "lr"

    name: Literal["ops-lr"] = "ops-lr"
    perturb: Literal["intrinsic", "prompt"] = Field(
        "prompt", description="where the noise is: on the prompt's vectors, or on z before them"
    )


class OPSSPSA(OPSMethod):
    """OPS on antithetic gradients; see `optimizers.ops` for what is unlike the paper."""

    title: ClassVar = "OPS-SPSA: antithetic, optimal queries"
    summary: ClassVar = "SPSA with more queries for the examples whose gradients vary most."
    estimator: ClassVar = "spsa"

    name: Literal["ops-spsa"] = "ops-spsa"


def _unlike(problem: Problem, meter: Meter) -> NDArray[np.float64]:
    """1 - cosine between the features of the train rows, shape (n_train, n_train).

    One query a row, counted when the job starts. A job that goes on reads them again: what it has
    spent is then taken from its checkpoint, where they are counted already.
    """
    nothing = TextPrompt("")
    rows = [problem.task.query(nothing, row.inputs) for row in problem.split.train]
    vectors = meter.features(rows)
    return np.asarray(1.0 - vectors @ vectors.T)
