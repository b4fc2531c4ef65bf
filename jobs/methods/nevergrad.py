"""nevergrad: any of its optimizers in a random subspace of a soft prompt."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from backends.base import BackendRefused
from jobs.meter import Meter
from jobs.methods.base import Plan, Problem
from jobs.methods.soft import SoftMethod
from jobs.search import Searching
from optimizers.nevergrad import MOST_DIMENSIONS, NotInstalled, by_name, check

PLANNED = 1000  # evaluations, where no budget is known


class Nevergrad(SoftMethod):
    """A platform's optimizers (Bennet et al. 2021), asked and told whole populations."""

    title: ClassVar = "nevergrad: an optimizer by its name"
    summary: ClassVar = "Any parallel optimizer of nevergrad in a random subspace of a soft prompt."
    citation: ClassVar = "Bennet et al. 2021, doi:10.1145/3460310.3460312"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"intrinsic_dim": 32, "n_prompt_tokens": 5, "population_size": 16},
        "paper": {},
    }

    name: Literal["nevergrad"] = "nevergrad"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: usual ones, or quicker ones"
    )
    intrinsic_dim: int = Field(
        200,
        ge=2,
        le=MOST_DIMENSIONS,
        description="dimension of the searched z, both sides together",
    )
    n_prompt_tokens: int = Field(50, ge=0, le=200, description="vectors beside the words")
    optimizer: str = Field(
        "DiagonalCMA", max_length=100, description="a name in nevergrad's registry, such as PSO"
    )
    population_size: int = Field(20, ge=2, le=1000, description="candidates in one generation")
    sigma0: float = Field(
        1.0, gt=0, le=1e6, description="first spread of the candidates, in units of z"
    )
    evaluations: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="candidates that it plans for; unset: what the job's budget is enough for",
    )

    @field_validator("optimizer")
    @classmethod
    def _is_known(cls, name: str) -> str:
        """Said before the job is queued; a default is taken at its word, and read when it runs."""
        try:
            check(name)
        except (NotInstalled, ValueError) as error:
            raise PydanticCustomError(
                "unknown_optimizer", "{message}", {"message": str(error)}
            ) from error
        return name

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return self.population_size * n_train + n_dev

    def search(self, problem: Problem, meter: Meter) -> Searching:
        if self.evaluations is not None:
            return super().search(problem, meter)
        cost = self.generation_queries(len(problem.split.train), len(problem.split.dev))
        evaluations = (1 + meter.budget // cost) * self.population_size  # one is drawn in advance
        return self.model_copy(update={"evaluations": evaluations}).search(problem, meter)

    def plan(self, problem: Problem) -> Plan:
        """As `Method.plan`.

        Raises:
            BackendRefused: nevergrad is not installed, or fails with these settings.
        """
        try:
            optimizer = by_name(
                self.optimizer,
                self.intrinsic_dim,
                sigma0=self.sigma0,
                population_size=self.population_size,
                evaluations=max(self.evaluations or PLANNED, self.population_size),
            )
        except (NotInstalled, ValueError) as error:
            raise BackendRefused(str(error)) from error
        return Plan(optimizer, self.two_sided(problem), self.loss)
