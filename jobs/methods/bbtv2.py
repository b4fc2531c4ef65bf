"""BBTv2: CMA-ES in random subspaces of a soft prompt at every layer, one layer after another."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.base import BackendRefused, TakesSoftPrompts, TellsHidden
from backends.registry import Capability
from jobs.layers import DeepProjection, clipped_statistics, deep_projection
from jobs.meter import Meter
from jobs.methods.base import Method, Plan, Problem
from jobs.objective import LossName
from jobs.prompts import SoftPrompt
from jobs.search import Searching
from jobs.spaces import ProjectionKind, normal_scale, uniform_scale
from optimizers.cma import cma_es
from optimizers.layered import Layered

MEASURED = 32  # train rows, the most that are read for their spread: all in memory at once


class BBTv2(Method):
    """CMA-ES over z_i in P_i = A_i z_i, layer by layer (Sun et al. 2022, arXiv:2205.11200).

    A generation is one layer's population; a round is a generation of every layer.

    Unlike the paper, what the layers read is measured with the prompt that the search starts
    from, not with its first random candidate, and on 32 train rows at most.
    Unlike the released code, it is measured at tokens alone unless `statistics` is "padded".
    Unlike the paper, the incumbent is picked as BBT's here: by dev loss, among the champions.
    """

    title: ClassVar = "BBTv2: black-box tuning of every layer"
    summary: ClassVar = "CMA-ES in random subspaces of soft prompts at all layers, in turn."
    citation: ClassVar = "Sun et al. 2022, arXiv:2205.11200"
    needs: ClassVar = frozenset({Capability.SOFT_PROMPTS, Capability.DEEP_PROMPTS})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            "intrinsic_dim": 32,
            "n_prompt_tokens": 5,
            "population_size": 12,
            "step_size": "tpa",
            "covariance": "diagonal",
            "keep": "latest",
        },
        "paper": {},
    }

    name: Literal["bbtv2"] = "bbtv2"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    intrinsic_dim: int = Field(500, ge=2, le=2000, description="dimension of each layer's z")
    n_prompt_tokens: int = Field(50, ge=1, le=200, description="vectors in each layer's prompt")
    population_size: int = Field(20, ge=4, le=1000, description="candidates in one generation")
    sigma0: float = Field(0.2, gt=0, le=1e6, description="first step size of CMA-ES")
    alpha: float = Field(
        0.2, gt=0, le=1e6, description="spread of a first prompt, in spreads of what a layer reads"
    )
    bound: float = Field(
        0.0, ge=0, le=1e6, description="|z| stays below this in every entry; 0: no bound"
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
    loss: LossName = Field("ce", description="what is minimized: cross-entropy, hinge or errors")
    initial_text: str = Field(
        "", max_length=2000, description="words the prompt starts from; empty: zero vectors"
    )
    step_size: Literal["csa", "tpa"] = Field("csa", description="step-size rule of CMA-ES")
    covariance: Literal["full", "diagonal"] = Field("full", description="what CMA-ES adapts")

    @model_validator(mode="after")
    def _step_fits_the_bound(self) -> Self:
        """As `cma_es` wants it, said before the job is queued."""
        if self.bound and self.sigma0 > 2 * self.bound / 3:
            raise PydanticCustomError(
                "step_too_large",
                "sigma0 is {sigma0}, more than a third of the domain [-{bound}, {bound}]: make it "
                "smaller, or bound larger or 0",
                {"sigma0": self.sigma0, "bound": self.bound},
            )
        return self

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return self.population_size * n_train + n_dev

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """One generation, and before it the rows whose layers are measured."""
        return self._measured(n_train) + self.generation_queries(n_train, n_dev)

    def search(self, problem: Problem, meter: Meter) -> Searching:
        """As of every method, once the rows that are measured have been paid for.

        A job that goes on measures them again: what it has spent is then taken from its
        checkpoint, where they are counted already.
        """
        measured = self._measured(len(problem.split.train))
        meter.afford(measured)
        search = super().search(problem, meter)
        meter.spent += measured
        return search

    def plan(self, problem: Problem) -> Plan:
        space = self._space(problem)
        single = cma_es(
            self.intrinsic_dim,
            sigma0=self.sigma0,
            population_size=self.population_size,
            bound=self.bound or None,
            step_size=self.step_size,
            covariance=self.covariance,
        )
        layered = Layered.of(single, len(space.layers), self.intrinsic_dim, self.keep)
        return Plan(layered, space, self.loss)

    def _measured(self, n_train: int) -> int:
        """Rows of which every layer's input is read: a query each."""
        return min(n_train, MEASURED) if self.projection == "normal" else 0

    def _space(self, problem: Problem) -> DeepProjection:
        backend: Any = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # `needs` has already been checked
        start, dim = self._start(backend), self.intrinsic_dim
        if self.projection == "normal":
            stds = [backend.embedding_std, *self._spreads(problem, start)]
            scales = [normal_scale(std, dim, self.sigma0, self.alpha) for std in stds]
        else:
            scales = [uniform_scale(dim)] * backend.prompt_shape[0]
        return deep_projection(dim, start, self.projection, scales, problem.seed)

    def _spreads(self, problem: Problem, start: NDArray[np.float32]) -> list[float]:
        """The clipped standard deviation of what each layer reads, from the second layer on."""
        backend: Any = problem.backend
        if not isinstance(backend, TellsHidden):
            raise BackendRefused(
                "the endpoint does not tell what its layers read, which projection 'normal' is "
                "fitted to: wanted projection 'uniform'"
            )
        prompt = SoftPrompt(start[None])
        rows = problem.split.train[: self._measured(len(problem.split.train))]
        queries = [problem.task.query(prompt, row.inputs) for row in rows]
        read = backend.hidden(queries, padded=self.statistics == "padded")
        return [clipped_statistics(layer)[1] for layer in read]

    def _start(self, backend: TakesSoftPrompts) -> NDArray[np.float32]:
        """p0 of the first layer, shape (n_prompt_tokens, hidden); a text is repeated or cut."""
        words = backend.embed(self.initial_text) if self.initial_text.strip() else None
        if words is None or len(words) == 0:
            return np.zeros((self.n_prompt_tokens, backend.prompt_shape[1]), dtype=np.float32)
        return words[np.arange(self.n_prompt_tokens) % len(words)].astype(np.float32)
