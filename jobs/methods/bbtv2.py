"""BBTv2: CMA-ES in random subspaces of a soft prompt at every layer, one layer after another."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field

from jobs.methods.base import Plan, Problem
from jobs.methods.layerwise import LayerwiseMethod


class BBTv2(LayerwiseMethod):
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

    def plan(self, problem: Problem) -> Plan:
        space = self.space(problem)
        return Plan(self.layered(len(space.layers)), space, self.loss)
