"""What methods over soft prompts share: the tokens of each side, where they start, their space."""

from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.base import BackendRefused, TakesSoftPrompts, TakesVisualPrompts
from backends.registry import Capability
from jobs.methods.base import Method, Problem
from jobs.methods.starts import started
from jobs.objective import LossName
from jobs.spaces import Shifts, Side, TwoSided, patch_scale

PATCH_INPUTS = 3 * 32 * 32  # of ViT-B/32, for all models: their layer norm takes the factor out
VISUAL_TOKENS = 5  # beside the patches, where nobody says how many
VISUAL = 1  # a stream of random numbers


class SoftMethod(Method):
    """Settings of soft prompts: beside the words and, where the endpoint takes them, the image."""

    needs: ClassVar[frozenset[Capability]] = frozenset({Capability.SOFT_PROMPTS})

    intrinsic_dim: int = Field(
        1000, ge=2, le=4000, description="dimension of the searched z, both sides together"
    )
    n_prompt_tokens: int = Field(8, ge=0, le=200, description="vectors beside the words")
    n_visual_tokens: int | None = Field(
        None,
        ge=0,
        le=200,
        description="vectors beside an image's patches; unset: 5 where the endpoint takes them",
    )
    alpha: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="spread of the prompt where z ~ N(0, 1), in spreads of real embeddings",
    )
    initial_text: str = Field(
        "",
        max_length=2000,
        description="words the prompt starts from; empty: the job's baseline, or zero vectors",
    )
    loss: LossName = Field("ce", description="what is minimized: cross-entropy, hinge or errors")

    @model_validator(mode="after")
    def _something_is_tuned(self) -> Self:
        if self.n_prompt_tokens == 0 and self.n_visual_tokens == 0:
            raise PydanticCustomError(
                "no_tokens", "n_prompt_tokens and n_visual_tokens are both 0: nothing is tuned"
            )
        return self

    def requires(self) -> frozenset[Capability]:
        visual = self.n_visual_tokens or self.n_prompt_tokens == 0
        return self.needs | ({Capability.VISUAL_PROMPTS} if visual else set())

    def shifts(self, problem: Problem) -> Shifts:
        """The space of the prompt's own vectors, around where it starts."""
        return Shifts(self._text(problem), self._visual(problem))

    def two_sided(self, problem: Problem) -> TwoSided:
        """The subspace of z; each side gets half of it, or the only side all."""
        around, dim = self.shifts(problem), self.intrinsic_dim
        text, visual = around.text.start.size, around.size - around.text.start.size
        of_text = dim // 2 if text and visual else dim if text else 0
        return TwoSided(around, (of_text, dim - of_text), problem.seed)

    def _text(self, problem: Problem) -> Side:
        """Starts from words; a text of another length is repeated or cut to `n_prompt_tokens`."""
        backend: Any = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # the job was admitted for it
        text = self.initial_text.strip() or problem.baseline.strip()
        start = started(backend, text, self.n_prompt_tokens)
        return Side(start, self.alpha * backend.embedding_std)

    def _visual(self, problem: Problem) -> Side | None:
        """Starts from vectors that spread as embedded patches do.

        Zeros would be no start: behind a layer norm any shift away from them, however small, is
        as long as any other.
        """
        backend: Any = problem.backend
        hidden = backend.visual_shape[1] if isinstance(backend, TakesVisualPrompts) else 0
        n = self.n_visual_tokens
        if n is None:
            n = VISUAL_TOKENS if hidden else 0
        if n == 0:
            return None
        if not hidden:
            raise BackendRefused(f"n_visual_tokens is {n}, and the endpoint takes none: wanted 0")
        scale = patch_scale(backend.patch_statistics[1], PATCH_INPUTS)
        random = np.random.default_rng((problem.seed, VISUAL))
        start: NDArray[np.float32] = random.standard_normal((n, hidden), dtype=np.float32)
        return Side(np.float32(scale) * start, self.alpha * scale)
