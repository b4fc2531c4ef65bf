"""ZO: zeroth-order descent on a soft prompt, by one of five rules."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from jobs.methods.base import Plan, Problem
from jobs.methods.soft import SoftMethod
from jobs.spaces import Space
from optimizers.zo import ZO, Rule


class ZeroOrder(SoftMethod):
    """MeZO's estimate with the rules of ZO-Bench (Zhang et al. 2024), on the prompt alone.

    Steps and sigma are in units of an embedding's spread (`alpha`).
    Unlike the paper, the tokens start from words, or from zeros, not from random words.
    Unlike the paper, gradients are cut to the square root of how many numbers are tuned, as in ZIP
    (arXiv:2504.06838), and dev is asked every 100 steps, not every 500.
    """

    title: ClassVar = "ZO: zeroth-order descent"
    summary: ClassVar = "Steps along random directions by SGD, its sign, momentum or Adam."
    citation: ClassVar = "Zhang et al. 2024, arXiv:2402.11592"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            "tuned": "intrinsic",
            "intrinsic_dim": 200,
            "n_prompt_tokens": 5,
            "n_directions": 4,
            "steps": 2,
            "sigma": 0.1,
            "learning_rate": 0.1,
        },
        "paper": {},
    }

    name: Literal["zo"] = "zo"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    rule: Rule = Field("adam", description="how a step follows from the estimated gradient")
    n_prompt_tokens: int = Field(10, ge=0, le=200, description="vectors beside the words")
    tuned: Literal["prompt", "intrinsic"] = Field(
        "prompt", description="what is moved: the prompt's own vectors, or z before the projection"
    )
    sides: Literal["two", "one"] = Field(
        "two", description="what a direction is compared with: its opposite, or the point itself"
    )
    n_directions: int = Field(1, ge=1, le=1000, description="directions averaged in one step")
    batch_size: int = Field(
        16, ge=1, le=100_000, description="train rows of one step, for all its prompts"
    )
    steps: int = Field(
        100, ge=1, le=1000, description="steps in one generation, before dev is asked"
    )
    sigma: float = Field(
        0.01, gt=0, le=100, description="how far a direction is followed to ask, in units of alpha"
    )
    learning_rate: float = Field(
        0.001, gt=0, le=1e6, description="step size; of Adam, in units of alpha"
    )
    clip: bool = Field(
        True, description="cut gradients to the square root of how many numbers are tuned"
    )

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        """All steps' prompts and the first point, on one batch each, and that point on dev."""
        a_step = self.n_directions * (1 if self.sides == "one" else 2)
        judged = 2 if self.rule == "conservative" else 0
        compared = self.sides == "one" or self.rule == "conservative"
        points = self.steps if compared else 1
        prompts = self.steps * (a_step + judged) + points
        return prompts * min(self.batch_size, n_train) + n_dev

    def plan(self, problem: Problem) -> Plan:
        shifts = self.shifts(problem)
        space: Space = shifts if self.tuned == "prompt" else self.two_sided(problem)
        dim = shifts.size if self.tuned == "prompt" else self.intrinsic_dim
        optimizer = ZO(
            np.zeros(dim),
            len(problem.split.train),
            rule=self.rule,
            one_sided=self.sides == "one",
            n_directions=self.n_directions,
            batch_size=self.batch_size,
            steps=self.steps,
            sigma=self.sigma,
            learning_rate=self.learning_rate,
            longest_gradient=float(np.sqrt(dim)) if self.clip else 0.0,
        )
        return Plan(optimizer, space, self.loss)
