"""ZIP: low-rank soft tokens, moved by SPSA with a cut gradient."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.base import TakesSoftPrompts
from backends.registry import Capability
from jobs.lowrank import LowRank
from jobs.methods.base import Plan, Problem
from jobs.methods.spsa_gc import Descent


class ZIP(Descent):
    """Intrinsic-dimensional prompt tuning by SPSA (Park et al. 2025, arXiv:2504.06838).

    Unlike the paper, the point where a generation begins is asked on dev, and the best is kept.
    Unlike the paper, the starting words are repeated or cut to `n_prompt_tokens`.
    """

    title: ClassVar = "ZIP: zeroth-order intrinsic-dimensional prompt tuning"
    summary: ClassVar = "SPSA with a cut gradient on a few hundred numbers of low-rank soft tokens."
    citation: ClassVar = "Park et al. 2025, arXiv:2504.06838"
    needs: ClassVar = frozenset({Capability.SOFT_PROMPTS})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"batch_size": 32, "steps": 2, "learning_rate": 0.03},
        "paper": {},
    }

    name: Literal["zip"] = "zip"
    n_prompt_tokens: int = Field(8, ge=1, le=200, description="vectors in the soft prompt")
    intrinsic_dim: int = Field(
        500, ge=1, le=100_000, description="numbers shared out among the tokens, before low rank"
    )
    rank: int = Field(5, ge=1, le=200, description="directions in which tokens differ")
    initial_text: str = Field(
        "",
        max_length=2000,
        description="words the prompt starts from; empty: the job's baseline, or random vectors",
    )
    initial_std: float = Field(
        0.02, ge=0, le=1e3, description="standard deviation of the random vectors' entries"
    )

    @model_validator(mode="after")
    def _enough_for_every_token(self) -> Self:
        if self.intrinsic_dim < self.n_prompt_tokens:
            raise PydanticCustomError(
                "too_few_numbers",
                "intrinsic_dim is {intrinsic_dim}, less than a number for each of the "
                "{n_prompt_tokens} tokens: make it larger, or n_prompt_tokens smaller",
                {"intrinsic_dim": self.intrinsic_dim, "n_prompt_tokens": self.n_prompt_tokens},
            )
        return self

    def plan(self, problem: Problem) -> Plan:
        backend = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # `needs` has already been checked
        text = self.initial_text.strip() or problem.baseline.strip()
        start = self._start(backend, text, problem.seed)
        width = min(self.intrinsic_dim // self.n_prompt_tokens, start.shape[1])
        space = LowRank(start, width, self.rank, problem.seed)
        optimizer = self.optimizer(space.first, len(problem.split.train))
        return Plan(optimizer, space, self.loss)

    def _start(self, backend: TakesSoftPrompts, text: str, seed: int) -> NDArray[np.float32]:
        """p0, shape (n_prompt_tokens, hidden): the text's embeddings, or N(0, initial_std^2)."""
        shape = (self.n_prompt_tokens, backend.prompt_shape[1])
        words = backend.embed(text) if text else np.empty((0, shape[1]), np.float32)
        if len(words) == 0:
            random = np.random.default_rng((seed, *shape))
            return np.float32(self.initial_std) * random.standard_normal(shape, dtype=np.float32)
        return words[np.arange(self.n_prompt_tokens) % len(words)]
