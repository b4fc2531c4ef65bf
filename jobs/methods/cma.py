"""What methods of CMA-ES over soft prompts share: its settings, and where a prompt starts."""

from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.base import TakesSoftPrompts
from jobs.methods.base import Method
from jobs.methods.starts import started
from jobs.objective import LossName
from jobs.spaces import ProjectionKind
from optimizers.cma import cma_es
from optimizers.replayed import Replayed


class CMAMethod(Method):
    """Settings of CMA-ES in a random subspace of a soft prompt."""

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

    def cma(self) -> Replayed:
        """CMA-ES over one z, shape (intrinsic_dim,)."""
        return cma_es(
            self.intrinsic_dim,
            sigma0=self.sigma0,
            population_size=self.population_size,
            bound=self.bound or None,
            step_size=self.step_size,
            covariance=self.covariance,
        )

    def start(self, backend: TakesSoftPrompts, text: str) -> NDArray[np.float32]:
        """p0, shape (n_prompt_tokens, hidden): as `started` has it."""
        return started(backend, text, self.n_prompt_tokens)
