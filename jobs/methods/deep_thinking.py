"""Deep-Thinking: demonstrations whose keys and values are moved by reading them again."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from backends.base import Thinking
from backends.registry import Capability
from jobs.meter import Meter
from jobs.methods.base import Method, Problem
from jobs.objective import LossName, Objective
from jobs.search import Searching
from jobs.thinking import ThinkingSearch, drawn


class DeepThinking(Method):
    """Iterative forward tuning of in-context learning (Yang et al. 2023, arXiv:2305.13016).

    Some train rows with their answers stand before every query. What a causal model remembers of
    them, its keys and values, is moved towards what it makes of them when it reads them once more:
    see `backends.local.thinking.Thinker`. Nothing is learned from losses: they are only told.
    """

    title: ClassVar = "Deep-Thinking: iterative forward tuning"
    summary: ClassVar = "Demonstrations that a causal model goes over until dev says enough."
    citation: ClassVar = "Yang et al. 2023, arXiv:2305.13016"
    needs: ClassVar = frozenset({Capability.THINKING, Capability.LABEL_PROBABILITIES})
    labels_only: ClassVar = True
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "paper": {},
        "fast": {"passes": 5, "draws": 3, "batch_size": 16},
    }

    name: Literal["deep-thinking"] = "deep-thinking"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or a smaller search"
    )
    shots: int = Field(1, ge=1, le=64, description="demonstrations of each label")
    draws: int = Field(
        1, ge=1, le=100, description="choices of demonstrations that are tried, one after the other"
    )
    passes: int = Field(
        15, ge=0, le=100, description="most times that demonstrations are read again; dev picks"
    )
    step_size: float = Field(
        0.01, gt=0, le=1, description="how far a pass moves keys and values towards the new ones"
    )
    momentum: float = Field(0.9, ge=0, lt=1, description="share of earlier steps in each")
    batch_size: int = Field(
        64, ge=1, le=4096, description="train rows, besides those shown, that a pass is measured on"
    )
    loss: LossName = Field("ce", description="what is minimized: cross-entropy, hinge or errors")

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        """One for the pass, and those of the rows that it is measured on."""
        return 1 + min(self.batch_size, n_train) + n_dev

    def search(self, problem: Problem, meter: Meter) -> Searching:
        task, split = problem.task, problem.split
        draws = (
            drawn(task, split.train, self.shots, self.batch_size, (problem.seed, number))
            for number in range(self.draws)
        )
        recipe = Thinking("", self.passes, self.step_size, self.momentum)
        train, dev = (Objective(task, meter, rows, self.loss) for rows in (split.train, split.dev))
        return ThinkingSearch(tuple(draws), recipe, train, dev, meter)
