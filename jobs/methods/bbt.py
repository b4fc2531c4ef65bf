"""BBT: CMA-ES in a random subspace of one soft prompt."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from backends.base import TakesSoftPrompts
from backends.registry import Capability
from jobs.methods.base import Plan, Problem
from jobs.methods.cma import CMAMethod
from jobs.spaces import Projection, normal_scale, uniform_scale


class BBT(CMAMethod):
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

    def plan(self, problem: Problem) -> Plan:
        backend = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # `needs` has already been checked
        return Plan(self.cma(), self._space(backend, problem.seed), self.loss)

    def _space(self, backend: TakesSoftPrompts, seed: int) -> Projection:
        if self.projection == "normal":
            scale = normal_scale(backend.embedding_std, self.intrinsic_dim, self.sigma0, self.alpha)
        else:
            scale = uniform_scale(self.intrinsic_dim)
        start = self.start(backend, self.initial_text)
        return Projection(self.intrinsic_dim, start, self.projection, scale, seed)
