"""What methods of a prompt at every layer share: its settings, its space, and what fits it."""

from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field

from backends.base import TakesSoftPrompts
from backends.registry import Capability
from jobs.layers import DeepProjection, deep_projection
from jobs.meter import Meter
from jobs.methods.base import Problem
from jobs.methods.cma import CMAMethod
from jobs.methods.measured import MEASURED, paid, spreads
from jobs.prompts import LabelWords
from jobs.search import Searching
from jobs.spaces import ProjectionKind, normal_scale, uniform_scale
from optimizers.layered import Layered


class LayerwiseMethod(CMAMethod):
    """Settings of CMA-ES over z_i in P_i = A_i z_i, layer by layer."""

    needs: ClassVar[frozenset[Capability]] = frozenset(
        {Capability.SOFT_PROMPTS, Capability.DEEP_PROMPTS}
    )

    intrinsic_dim: int = Field(500, ge=2, le=2000, description="dimension of each layer's z")
    n_prompt_tokens: int = Field(50, ge=1, le=200, description="vectors in each layer's prompt")
    sigma0: float = Field(0.2, gt=0, le=1e6, description="first step size of CMA-ES")
    alpha: float = Field(
        0.2, gt=0, le=1e6, description="spread of a first prompt, in spreads of what a layer reads"
    )
    projection: ProjectionKind = Field(
        "normal",
        description="normal: fitted to what each layer reads; uniform: U(-1, 1)/sqrt(d)",
    )
    statistics: Literal["attended", "padded"] = Field(
        "attended", description="what normal is fitted to: tokens alone, or the padding as well"
    )
    keep: Literal["best", "latest"] = Field(
        "best", description="where a layer stays: its best point ever, or of its last population"
    )

    def requires(self) -> frozenset[Capability]:
        fitted = {Capability.HIDDEN_STATES} if self.projection == "normal" else set()
        return self.needs | fitted

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """One generation, and before it the rows whose layers are measured."""
        return self._measured(n_train) + self.generation_queries(n_train, n_dev)

    def search(self, problem: Problem, meter: Meter) -> Searching:
        """As of every method, once the rows that are measured have been paid for."""
        make = partial(super().search, problem, meter)
        return paid(meter, self._measured(len(problem.split.train)), make)

    def layered(self, n_layers: int) -> Layered:
        """CMA-ES of every layer, in turn."""
        return Layered.of(self.cma(), n_layers, self.intrinsic_dim, self.keep)

    def space(self, problem: Problem, words: LabelWords = ()) -> DeepProjection:
        """One subspace a layer; its prompts have these label words."""
        backend: Any = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # `needs` has already been checked
        start, dim = self.start(backend, self.initial_text), self.intrinsic_dim
        if self.projection == "normal":
            n_rows = self._measured(len(problem.split.train))
            found = spreads(problem, start, n_rows, padded=self.statistics == "padded")
            stds = [backend.embedding_std, *found]
            scales = [normal_scale(std, dim, self.sigma0, self.alpha) for std in stds]
        else:
            scales = [uniform_scale(dim)] * backend.prompt_shape[0]
        return deep_projection(dim, start, self.projection, scales, problem.seed, words)

    def _measured(self, n_train: int) -> int:
        """Rows of which every layer's input is read: a query each."""
        return min(n_train, MEASURED) if self.projection == "normal" else 0
