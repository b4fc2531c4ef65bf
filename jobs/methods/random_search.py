"""Random search: draws in a random subspace of a soft prompt, and nothing learned from them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from jobs.methods.base import Plan, Problem
from jobs.methods.soft import SoftMethod
from optimizers.random_search import RandomSearch


class RandomDraws(SoftMethod):
    """z ~ N(0, I) where BBT has CMA-ES: what a search in the same subspace has to beat."""

    title: ClassVar = "Random search"
    summary: ClassVar = "Draws in a random subspace of a soft prompt: the baseline of all searches."
    citation: ClassVar = "Bergstra and Bengio 2012, JMLR 13:281-305"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"intrinsic_dim": 32, "n_prompt_tokens": 5, "population_size": 16},
        "paper": {},
    }

    name: Literal["random-search"] = "random-search"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: as BBT's paper, or quicker ones"
    )
    intrinsic_dim: int = Field(
        500, ge=2, le=4000, description="dimension of the drawn z, both sides together"
    )
    n_prompt_tokens: int = Field(50, ge=0, le=200, description="vectors beside the words")
    population_size: int = Field(20, ge=1, le=1000, description="draws in one generation")

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return self.population_size * n_train + n_dev

    def plan(self, problem: Problem) -> Plan:
        optimizer = RandomSearch(self.intrinsic_dim, self.population_size)
        return Plan(optimizer, self.two_sided(problem), self.loss)
