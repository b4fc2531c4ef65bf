"""The settings of every method that descends by SPSA-GC. No method of its own."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from jobs.methods.base import Method
from jobs.objective import LossName
from optimizers.spsa_gc import SPSAGC, Gains


class Descent(Method):
    """Pairs of prompts on mini-batches; the prompt in their middle is what dev judges.

    Unlike the papers, which count batches as calls, a query is one prompt on one input.
    """

    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    n_directions: int = Field(
        5, ge=1, le=1000, description="pairs of prompts asked for one step (sp_avg)"
    )
    batch_size: int = Field(
        128, ge=1, le=100_000, description="train rows of one step, for all its prompts"
    )
    steps: int = Field(1, ge=1, le=1000, description="steps in one generation, before dev is asked")
    learning_rate: float = Field(
        0.01, gt=0, le=1e6, description="a of the steps' rate a / (k + delay)^alpha"
    )
    learning_rate_decay: float = Field(0.4, ge=0, le=1, description="alpha of the steps' rate")
    delay: float = Field(1.0, ge=0, le=1e6, description="steps that are added to k in the rate")
    sigma0: float = Field(
        0.01,
        gt=0,
        le=1e3,
        description="c of c / k^gamma, how far apart a pair is; single precision is needed",
    )
    sigma_decay: float = Field(0.1, ge=0, le=1, description="gamma of c / k^gamma")
    momentum: float = Field(0.0, ge=0, lt=1, description="share of earlier gradients kept")
    clip: bool = Field(
        True, description="cut gradients to the square root of how many numbers are tuned"
    )
    loss: LossName = Field("ce", description="what is minimized: cross-entropy, hinge or errors")

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        """Pairs of every step and the first point, on one batch each, and that point on dev."""
        return (2 * self.n_directions * self.steps + 1) * min(self.batch_size, n_train) + n_dev

    def optimizer(self, start: NDArray[np.float64], n_train: int) -> SPSAGC:
        gains = Gains(
            self.learning_rate,
            self.sigma0,
            self.delay,
            self.learning_rate_decay,
            self.sigma_decay,
        )
        return SPSAGC(
            start,
            n_train,
            gains,
            self.n_directions,
            self.batch_size,
            self.steps,
            self.momentum,
            float(np.sqrt(start.size)) if self.clip else 0.0,
        )
