"""BlackVIP: a pixel prompt, moved by SPSA-GC, for models that tell nothing but label scores."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from backends.registry import Capability
from jobs.methods.base import Plan, Problem
from jobs.methods.spsa_gc import Descent
from jobs.pixels import PixelGrid


class BlackVIP(Descent):
    """SPSA-GC on pixels (Oh et al. 2023, arXiv:2303.14773).

    Unlike the paper, one prompt is laid over all images: a coarse grid is tuned itself, not a
    network that draws a prompt for each image, so no second model is needed.
    Unlike the paper, its entries pass tanh, so that `strength` is a bound.
    """

    title: ClassVar = "BlackVIP: black-box visual prompting"
    summary: ClassVar = "SPSA with gradient correction on a coarse picture added to every image."
    citation: ClassVar = "Oh et al. 2023, arXiv:2303.14773"
    needs: ClassVar = frozenset({Capability.IMAGES, Capability.LABEL_PROBABILITIES})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            "batch_size": 32,
            "steps": 2,
            "learning_rate": 0.1,
            "sigma0": 0.1,
            "grid_height": 4,
            "grid_width": 4,
        },
        "paper": {},
    }

    name: Literal["blackvip"] = "blackvip"
    momentum: float = Field(0.9, ge=0, lt=1, description="share of earlier gradients kept")
    clip: bool = Field(
        False, description="cut gradients to the square root of how many numbers are tuned"
    )
    grid_height: int = Field(8, ge=1, le=512, description="cells of the pixel prompt, downwards")
    grid_width: int = Field(8, ge=1, le=512, description="cells of the pixel prompt, across")
    strength: float = Field(
        1.0, gt=0, le=1, description="most that a pixel changes, in units of full brightness"
    )

    def plan(self, problem: Problem) -> Plan:
        space = PixelGrid(self.grid_height, self.grid_width, self.strength)
        optimizer = self.optimizer(np.zeros(space.dim), len(problem.split.train))
        return Plan(optimizer, space, self.loss)
