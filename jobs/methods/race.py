"""Race: several methods share one budget, and the best by dev loss gets most of it."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.registry import Capability
from jobs.meter import Meter
from jobs.methods.base import Method, Problem
from jobs.methods.bbt import BBT
from jobs.methods.contenders import AnyContender
from jobs.objective import LossName, Objective
from jobs.race import Contender, RaceSearch
from jobs.search import Searching


class Race(Method):
    """Successive halving of whole methods; the winner alone is reported on test.

    `jobs.race` says how the budget is shared. Every contender is compared, and picks its
    own incumbent, by the same `loss` on dev; what moves it on train stays its own.
    """

    title: ClassVar = "Race: several methods, one budget"
    summary: ClassVar = "Methods share the queries; the worse by dev loss drop out on the way."
    citation: ClassVar = "Jamieson and Talwalkar 2016, arXiv:1502.07943"
    needs: ClassVar = frozenset[Capability]()
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {"paper": {}}

    name: Literal["race"] = "race"
    preset: Literal["paper"] = Field("paper", description="starting values of all settings")
    methods: tuple[AnyContender, ...] = Field(
        (BBT.with_preset("fast"), BBT.with_preset("paper")),
        min_length=2,
        max_length=8,
        description="the contenders, each a method with its own settings",
    )
    eta: int = Field(
        3, ge=2, le=8, description="of so many contenders one goes on to the next rung"
    )
    loss: LossName = Field("ce", description="what they are compared by on dev")

    @model_validator(mode="after")
    def _comparable(self) -> Self:
        """A vote has no cross-entropy: PromptBoosting counts its errors, whatever the loss is."""
        votes = [each.title for each in self.methods if each.queries_per_input > 1]
        if votes and self.loss != "accuracy":
            raise PydanticCustomError(
                "not_comparable",
                "{method} can only be compared by errors; wanted loss 'accuracy', got '{loss}'",
                {"method": votes[0], "loss": self.loss},
            )
        return self

    @model_validator(mode="after")
    def _one_writer(self) -> Self:
        named = sorted({each.writer_endpoint for each in self.methods} - {""})
        if len(named) > 1:
            raise PydanticCustomError(
                "several_writers",
                "methods name {n} writers, {named}; one writer serves all of a race: name one",
                {"n": len(named), "named": ", ".join(named)},
            )
        return self

    @property
    def writer_endpoint(self) -> str:
        """The one that a contender names; it serves those that name none, too."""
        return max(each.writer_endpoint for each in self.methods)

    def requires(self) -> frozenset[Capability]:
        return frozenset().union(*(each.requires() for each in self._contenders()))

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        return max(each.generation_queries(n_train, n_dev) for each in self.methods)

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """One generation of every contender."""
        return sum(each.least_queries(n_train, n_dev) for each in self.methods)

    @property
    def queries_per_input(self) -> int:
        return max(each.queries_per_input for each in self.methods)

    def needs_labels(self) -> bool:
        return any(each.needs_labels() for each in self.methods)

    def search(self, problem: Problem, meter: Meter) -> Searching:
        task, split = problem.task, problem.split
        train, dev = (Objective(task, meter, rows, self.loss) for rows in (split.train, split.dev))
        n_train, n_dev = len(split.train), len(split.dev)
        contenders = [
            Contender(
                _judged_by(self.loss, each.search(problem, meter)),
                each.generation_queries(n_train, n_dev),
            )
            for each in self._contenders()
        ]
        return RaceSearch(tuple(contenders), self.eta, train, dev, meter)

    def _contenders(self) -> list[Method]:
        """The methods; the race's writer serves all that may ask one."""
        named = {"writer": self.writer_endpoint}
        return [
            each.model_copy(update=named) if "writer" in type(each).model_fields else each
            for each in self.methods
        ]


def _judged_by(loss: LossName, search: Searching) -> Searching:
    """The search with another loss on dev; every search is a dataclass with an objective `dev`."""
    judged: Searching = replace(cast(Any, search), dev=replace(search.dev, loss=loss))
    return judged
