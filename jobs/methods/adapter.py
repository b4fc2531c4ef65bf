"""An adapter between two frozen models, tuned by OPS-LR: the settings, and features read once."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.bridge import TakesAdapters
from backends.registry import Capability
from jobs.bridges import Adapters
from jobs.meter import Meter
from jobs.methods.base import Method, Problem
from jobs.objective import LossName, Objective
from jobs.prompts import TextPrompt
from jobs.search import Search, Searching
from optimizers.ops import AllocatorName
from optimizers.projector import Projector


class Adapter(Method):
    """OPS-LR on a linear projector (Ren et al. 2025, arXiv:2410.05966, section 5.3).

    sigma is in units of what the adapter puts out, of which 1 is an embedding's spread (`alpha`).
    The learning rate is in the same: inputs are unit vectors, so a step moves outputs about as far.
    Unlike the paper, both models stand on this machine, and the second is asked for labels, not
    for captions; the step size, which is not printed, is ours.
    """

    title: ClassVar = "Adapter: a projector between two models"
    summary: ClassVar = "A linear map that lets a language model read what a CLIP sees, by OPS-LR."
    citation: ClassVar = "Ren et al. 2025, arXiv:2410.05966"
    needs: ClassVar = frozenset({Capability.ADAPTER, Capability.FEATURES})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {"batch_size": 32, "queries_per_example": 9},
    }

    name: Literal["adapter"] = "adapter"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    allocator: AllocatorName = Field(
        "neyman",
        description="who gets how many queries: in proportion to the gradient's deviation "
        "(neyman), by the paper's learned (gaussian) or pruning (bernoulli) rule, or all the same",
    )
    n_pilots: int = Field(
        2, ge=2, le=100, description="draws on each example that the allocator judges by; counted"
    )
    batch_size: int = Field(64, ge=1, le=4096, description="train rows of one generation")
    queries_per_example: int = Field(
        60, ge=3, le=1000, description="queries for each row of a generation's batch, all included"
    )
    alpha: float = Field(
        1.0, gt=0, le=1e6, description="the unit of what is put out, in spreads of embeddings"
    )
    sigma: float = Field(
        0.5, gt=0, le=100, description="scale of the noise on what is put out, in that unit"
    )
    learning_rate: float = Field(
        0.3, gt=0, le=10, description="step size of Adam, in the same unit: inputs have length 1"
    )
    clip_norm: float = Field(
        0.0, ge=0, le=1e9, description="longest gradient, Euclidean; 0: not clipped"
    )
    by_query: bool = Field(
        False, description="weigh by queries, not by examples, as the released code does; biased"
    )
    loss: LossName = Field("ce", description="what is minimized: cross-entropy, hinge or errors")

    @model_validator(mode="after")
    def _pilots_fit(self) -> Self:
        least = 1 + self.n_pilots
        if self.allocator != "equal" and self.queries_per_example < least:
            raise PydanticCustomError(
                "no_room_for_pilots",
                "queries_per_example is {given}; the clean pass and n_pilots need {least}: make it "
                "larger, or the allocator equal",
                {"given": self.queries_per_example, "least": least},
            )
        return self

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return min(self.batch_size, n_train) * self.queries_per_example + n_dev

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """One generation, and before it the features of the train rows."""
        return n_train + self.generation_queries(n_train, n_dev)

    def search(self, problem: Problem, meter: Meter) -> Searching:
        """Reads the features of the train rows first, one query each.

        A job that goes on reads them again: what it has spent is then taken from its checkpoint,
        where they are counted already.
        """
        backend: Any = problem.backend
        assert isinstance(backend, TakesAdapters)  # the job was admitted for it
        task, split, nothing = problem.task, problem.split, TextPrompt("")
        inputs = meter.features([task.query(nothing, row.inputs) for row in split.train])
        optimizer = self._optimizer(np.zeros(backend.adapter_shape), inputs)
        space = Adapters(self.alpha * backend.embedding_std)
        train, dev = (Objective(task, meter, rows, self.loss) for rows in (split.train, split.dev))
        return Search(optimizer, space, train, dev, meter, problem.seed)

    def _optimizer(self, start: NDArray[np.float64], inputs: NDArray[np.float64]) -> Projector:
        return Projector(
            start,
            len(inputs),
            inputs=inputs,
            estimator="lr",
            allocator=self.allocator,
            unlike=1.0 - inputs @ inputs.T,
            batch_size=self.batch_size,
            queries=self.queries_per_example,
            n_pilots=self.n_pilots,
            sigma=self.sigma,
            learning_rate=self.learning_rate,
            longest_gradient=self.clip_norm,
            by_query=self.by_query,
        )
