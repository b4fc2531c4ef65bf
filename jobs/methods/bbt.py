"""BBT: CMA-ES in a random subspace of one soft prompt."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.base import TakesSoftPrompts
from backends.registry import Capability
from jobs.methods.base import Method, Plan, Problem
from jobs.objective import LossName
from jobs.spaces import Projection, ProjectionKind, normal_scale, uniform_scale
from optimizers.cma import cma_es


class BBT(Method):
    """CMA-ES over z in p = A z + p0 (Sun et al. 2022, arXiv:2201.03514, sections 3.1-3.3).

    Unlike the paper, the incumbent is the generation's champion by train loss if its dev loss
    is the lowest so far; the released code checks every fifth generation's last candidate.
    """

    title: ClassVar = "BBT: black-box tuning"
    summary: ClassVar = "CMA-ES in a random low-dimensional subspace of a soft prompt."
    citation: ClassVar = "Sun et al. 2022, arXiv:2201.03514"
    needs: ClassVar = frozenset({Capability.SOFT_PROMPTS})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            "intrinsic_dim": 32,
            "n_prompt_tokens": 5,
            "population_size": 16,
            "step_size": "tpa",
            "covariance": "diagonal",
        },
        "paper": {},
    }

    name: Literal["bbt"] = "bbt"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    intrinsic_dim: int = Field(500, ge=2, le=2000, description="dimension of the searched z")
    n_prompt_tokens: int = Field(50, ge=1, le=200, description="vectors in the soft prompt")
    population_size: int = Field(20, ge=4, le=1000, description="candidates in one generation")
    sigma0: float = Field(1.0, gt=0, le=1e6, description="first step size of CMA-ES")
    alpha: float = Field(
        1.0, gt=0, le=1e6, description="spread of a first prompt, in spreads of real embeddings"
    )
    bound: float = Field(
        0.0, ge=0, le=1e6, description="|z| stays below this in every entry; 0: no bound"
    )
    projection: ProjectionKind = Field(
        "normal", description="normal: fitted to the embeddings' spread; uniform: U(-1, 1)/sqrt(d)"
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

    def plan(self, problem: Problem) -> Plan:
        backend = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # `needs` has already been checked
        optimizer = cma_es(
            self.intrinsic_dim,
            sigma0=self.sigma0,
            population_size=self.population_size,
            bound=self.bound or None,
            step_size=self.step_size,
            covariance=self.covariance,
        )
        return Plan(optimizer, self._space(backend, problem.seed), self.loss)

    def _space(self, backend: TakesSoftPrompts, seed: int) -> Projection:
        if self.projection == "normal":
            scale = normal_scale(backend.embedding_std, self.intrinsic_dim, self.sigma0, self.alpha)
        else:
            scale = uniform_scale(self.intrinsic_dim)
        return Projection(self.intrinsic_dim, self._start(backend), self.projection, scale, seed)

    def _start(self, backend: TakesSoftPrompts) -> NDArray[np.float32]:
        """p0, shape (n_prompt_tokens, hidden): zeros, or the text's embeddings.

        Unlike the paper, a text of another length is repeated or cut to `n_prompt_tokens`.
        """
        _, hidden = backend.prompt_shape
        words = backend.embed(self.initial_text) if self.initial_text.strip() else None
        if words is None or len(words) == 0:
            return np.zeros((self.n_prompt_tokens, hidden), dtype=np.float32)
        return words[np.arange(self.n_prompt_tokens) % len(words)]
