"""What a method is: a published recipe with its settings. One file a method beside this one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import model_validator

from backends.base import Backend
from backends.registry import Capability
from jobs.meter import Meter, Writing
from jobs.objective import LossName, Objective, Told
from jobs.search import Search, Searching
from jobs.spaces import Space
from jobs.strict import Spec
from jobs.task import Split, Task
from optimizers.base import Optimizer


@dataclass(frozen=True, eq=False)
class Problem:
    """What a method is made ready for."""

    backend: Backend
    task: Task
    split: Split  # of which a method may see train and dev
    baseline: str  # the manual prompt that tuning has to beat; may be empty
    seed: int


@dataclass(frozen=True)
class Plan:
    """A method made ready for one problem."""

    optimizer: Optimizer[Any, Any]
    space: Space
    loss: LossName  # what is reported, and what picks the incumbent on dev
    told: Told | None = None  # what the optimizer hears of the train rows; None: the loss
    writing: Writing = Writing()  # how a writer answers, where the optimizer has requests


class Method(Spec):
    """The settings of one method; a subclass is the whole of what the service knows of it."""

    title: ClassVar[str]
    summary: ClassVar[str]
    citation: ClassVar[str]
    needs: ClassVar[frozenset[Capability]]
    labels_only: ClassVar[bool] = False  # learns from labels, which a task with a metric has not
    presets: ClassVar[Mapping[str, Mapping[str, Any]]]

    preset: str

    @model_validator(mode="before")
    @classmethod
    def _fill_from_preset(cls, data: Any) -> Any:
        """Settings not given are the preset's; an unknown preset is refused by its field."""
        if isinstance(data, dict):
            preset = data.get("preset", cls.model_fields["preset"].default)
            if isinstance(preset, str):
                return {**cls.presets.get(preset, {}), **data}
        return data

    def requires(self) -> frozenset[Capability]:
        """What the endpoint must offer for these settings; at least what `needs` names."""
        return self.needs

    @property
    def writer_endpoint(self) -> str:
        """Id of the endpoint that writes candidates; empty: the tuned one, or none is needed."""
        return str(getattr(self, "writer", ""))

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        """Queries of one generation: every trial on its rows, and the champion on dev."""
        raise NotImplementedError

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """What a budget must hold besides the baseline's queries."""
        return self.generation_queries(n_train, n_dev)

    @property
    def queries_per_input(self) -> int:
        """What the prompts that this method finds cost when they answer, at most."""
        return 1

    def needs_labels(self) -> bool:
        """Whether these settings learn from labels, which a task with a metric has not."""
        return self.labels_only

    def check_data(self, columns: Sequence[str], labels: Sequence[str]) -> None:
        """Nothing, if the settings fit a dataset's columns of texts and its labels.

        Raises:
            ValueError: a setting names another column or label, or there are too few.
        """

    def plan(self, problem: Problem) -> Plan:
        """The optimizer and the space for a backend that has all that `needs` names."""
        raise NotImplementedError

    def search(self, problem: Problem, meter: Meter) -> Searching:
        """The search that a runner drives; ask, score, tell, unless a method has its own."""
        plan = self.plan(problem)
        train = Objective(problem.task, meter, problem.split.train, plan.loss, plan.told)
        dev = Objective(problem.task, meter, problem.split.dev, plan.loss)
        return Search(plan.optimizer, plan.space, train, dev, meter, problem.seed, plan.writing)

    @classmethod
    def with_preset(cls, name: str) -> Self:
        return cls.model_validate({"preset": name})
