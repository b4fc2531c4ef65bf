"""BPT-VLM: CMA-ES in a random subspace of soft prompts on both sides of a CLIP."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from backends.registry import Capability
from jobs.methods.base import Plan, Problem
from jobs.methods.soft import SoftMethod
from optimizers.cma import cma_es


class BPTVLM(SoftMethod):
    """CMA-ES over (z_T; z_V) (Yu et al. 2023, IJCAI, doi:10.24963/ijcai.2023/187).

    Unlike the paper, the incumbent is picked on dev; the released code reports the best of many
    looks at test.
    Unlike the paper, visual tokens start from random vectors and their matrix has a mean of zero,
    and `sigma0` is a step size alone: the matrices do not change with it.
    """

    title: ClassVar = "BPT-VLM: black-box tuning of both sides of a CLIP"
    summary: ClassVar = "CMA-ES in a random subspace of soft prompts beside words and patches."
    citation: ClassVar = "Yu et al. 2023, doi:10.24963/ijcai.2023/187"
    needs: ClassVar = frozenset({Capability.SOFT_PROMPTS, Capability.VISUAL_PROMPTS})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            "intrinsic_dim": 64,
            "n_prompt_tokens": 4,
            "n_visual_tokens": 2,
            "population_size": 16,
            "step_size": "tpa",
            "covariance": "diagonal",
        },
        "paper": {},
    }

    name: Literal["bpt-vlm"] = "bpt-vlm"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    n_visual_tokens: int | None = Field(
        5,
        ge=0,
        le=200,
        description="vectors beside an image's patches; null: 5 where the endpoint takes them",
    )
    population_size: int = Field(30, ge=4, le=1000, description="candidates in one generation")
    sigma0: float = Field(1.0, gt=0, le=1e6, description="first step size of CMA-ES, in units of z")
    step_size: Literal["csa", "tpa"] = Field("csa", description="step-size rule of CMA-ES")
    covariance: Literal["full", "diagonal"] = Field("full", description="what CMA-ES adapts")

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return self.population_size * n_train + n_dev

    def plan(self, problem: Problem) -> Plan:
        space = self.two_sided(problem)
        optimizer = cma_es(
            sum(space.dims),
            sigma0=self.sigma0,
            population_size=self.population_size,
            step_size=self.step_size,
            covariance=self.covariance,
        )
        return Plan(optimizer, space, self.loss)
