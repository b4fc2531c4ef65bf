"""BBT-RGB: BBTv2 with a second stage, several words a label, and a start that shows an example."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, StringConstraints, field_validator, model_validator
from pydantic_core import PydanticCustomError

from backends.base import BackendRefused, TakesSoftPrompts
from backends.registry import Capability
from jobs import demonstrations, verbalizers
from jobs.meter import Meter
from jobs.methods.base import Plan, Problem
from jobs.methods.bbtv2 import BBTv2
from jobs.methods.layerwise import LayerwiseMethod
from jobs.objective import Objective
from jobs.prompts import LabelWords, SoftPrompt
from jobs.search import Searching
from jobs.strict import did_you_mean
from optimizers.cma import cma_es
from optimizers.layered import Layered
from optimizers.nevergrad import MOST_DIMENSIONS, NotInstalled, by_name, check
from optimizers.two_stage import TwoStage

PLANNED = 700  # generations, where no budget is known: 14,000 evaluations of 20 candidates
CMA = "cma"

Word = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Words = Annotated[tuple[Word, ...], Field(min_length=1, max_length=100)]


class BBTRGB(LayerwiseMethod):
    """BBTv2 and three components, each of them alone if wanted (arXiv:2305.08088, section 3).

    R, two stages: `second_share` of the generations refine the first stage's best point. G, a
    multi-mixed verbalizer: `words_per_label` words found on train, or `label_words` given. B,
    in-context start: `initial_text` is followed by the one of `n_demonstrations` train rows that
    helps most as an example. The queries of the choice and of the words come before the first
    generation; a job that goes on asks them again, and finds the same at no cost to its budget.

    Unlike the paper, the second stage is CMA-ES once more, with a small step and a diagonal
    covariance, or an optimizer of nevergrad's: COBYLA takes one loss at a time, and in 500
    dimensions more of them than it is given to look once along each axis.
    Unlike the released code, the first layer begins with the same step as the others.
    Unlike the paper, the words are found by the service, with the prompt that the search starts
    from, and the task's own is one of them (see `jobs.verbalizers`).
    Unlike the paper, the demonstration is chosen on train (see `jobs.demonstrations`).
    Unlike the paper, a short start is repeated, not filled with unrelated tokens.
    """

    title: ClassVar = "BBT-RGB: BBTv2 with two stages, more label words and an example"
    summary: ClassVar = (
        "BBTv2 that starts from an example, mixes several words a label, and refines what it finds."
    )
    citation: ClassVar = "Sun et al. 2024, arXiv:2305.08088"
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {**BBTv2.presets["fast"], "n_demonstrations": 0},
        "paper": {},
    }

    name: Literal["bbt-rgb"] = "bbt-rgb"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    second_share: float = Field(
        0.4, ge=0, lt=1, description="R: share of the generations in the second stage; 0: none"
    )
    generations: int | None = Field(
        None,
        ge=1,
        le=10_000_000,
        description="R: generations of both stages; unset: those that the budget is enough for",
    )
    second_optimizer: str = Field(
        CMA,
        max_length=100,
        description="R: of the second stage: cma, or a name in nevergrad's registry, such as PSO",
    )
    second_sigma0: float = Field(
        0.05, gt=0, le=1e6, description="R: first spread of the second stage's candidates"
    )
    words_per_label: int = Field(
        5,
        ge=1,
        le=100,
        description="G: words whose mean score is a label's: the task's own, and others that are "
        "found on train; 1: its own alone",
    )
    label_words: Mapping[str, Words] = Field(
        {}, max_length=1000, description="G: label -> its words; empty: they are searched for"
    )
    n_demonstrations: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="B: train rows tried as the example behind initial_text, each on all the "
        "other rows; 0: none is shown; unset: every row",
    )

    @field_validator("second_optimizer")
    @classmethod
    def _is_known(cls, name: str) -> str:
        """Said before the job is queued."""
        try:
            if name != CMA:
                check(name)
        except (NotInstalled, ValueError) as error:
            raise PydanticCustomError(
                "unknown_optimizer", "{message}", {"message": str(error)}
            ) from error
        return name

    @model_validator(mode="after")
    def _fits_the_second_stage(self) -> Self:
        if self.second_optimizer != CMA and self.intrinsic_dim > MOST_DIMENSIONS:
            raise PydanticCustomError(
                "too_many_dimensions",
                "intrinsic_dim is {dim}, and nevergrad's optimizers take {most} at most: make it "
                "smaller, or second_optimizer cma",
                {"dim": self.intrinsic_dim, "most": MOST_DIMENSIONS},
            )
        return self

    def requires(self) -> frozenset[Capability]:
        return super().requires() | ({Capability.VOCABULARY} if self._searches_words() else set())

    def needs_labels(self) -> bool:
        """All but the second stage are about labels and their words."""
        return self._searches_words() or bool(self.label_words) or self.n_demonstrations != 0

    def check_data(self, columns: Sequence[str], labels: Sequence[str]) -> None:
        self._words(labels)

    def least_queries(self, n_train: int, n_dev: int) -> int:
        """One generation, and all that comes before the first."""
        return (
            self._choice_queries(n_train)
            + (n_train if self._searches_words() else 0)
            + super().least_queries(n_train, n_dev)
        )

    def search(self, problem: Problem, meter: Meter) -> Searching:
        """As of every method, with the example, the words and the stages settled first."""
        settled = self._with_example(problem, meter)._with_words(problem, meter)
        cost = self.generation_queries(len(problem.split.train), len(problem.split.dev))
        generations = self.generations or max(1, (meter.budget - meter.spent) // cost)
        settled = settled.model_copy(update={"generations": generations})
        return super(BBTRGB, settled).search(problem, meter)

    def plan(self, problem: Problem) -> Plan:
        """As of every method; nothing is chosen or searched for, since there is no meter.

        Raises:
            BackendRefused: nevergrad is not installed, or fails with these settings.
        """
        space = self.space(problem, self._words(problem.task.labels))
        first = self.layered(len(space.layers))
        n_second = round(self.second_share * (self.generations or PLANNED))
        if n_second == 0:
            return Plan(first, space, self.loss)
        switch = (self.generations or PLANNED) - n_second
        second = self._second(len(space.layers), n_second)
        return Plan(TwoStage(first, second, switch, self.bound or None), space, self.loss)

    def _second(self, n_layers: int, n_generations: int) -> Layered:
        size, dim = self.population_size, self.intrinsic_dim
        if self.second_optimizer == CMA:
            single = cma_es(
                dim,
                sigma0=self.second_sigma0,
                population_size=size,
                step_size="tpa",
                covariance="diagonal",
            )
            return Layered.of(single, n_layers, dim)
        evaluations = (2 + n_generations // n_layers) * size  # a turn begun, and one drawn ahead
        try:
            single = by_name(
                self.second_optimizer,
                dim,
                sigma0=self.second_sigma0,
                population_size=size,
                evaluations=evaluations,
            )
        except (NotInstalled, ValueError) as error:
            raise BackendRefused(str(error)) from error
        return Layered.of(single, n_layers, dim)

    def _choice_queries(self, n_train: int) -> int:
        most = self.n_demonstrations
        return 0 if most == 0 else demonstrations.n_queries(n_train, most)

    def _searches_words(self) -> bool:
        return self.words_per_label > 1 and not self.label_words

    def _words(self, labels: Sequence[str]) -> LabelWords:
        """As given, in the labels' order; (): the task's own.

        Raises:
            ValueError: they are not those of the task's labels.
        """
        if not self.label_words:
            return ()
        for label in sorted({*labels} ^ {*self.label_words}):
            fault = "has no words" if label in labels else "is unknown"
            raise ValueError(f"label_words: {label!r} {fault}; {did_you_mean(label, labels)}")
        return tuple(self.label_words[label] for label in labels)

    def _with_example(self, problem: Problem, meter: Meter) -> Self:
        """The start text complete."""
        if self.n_demonstrations == 0:
            return self
        task, train = problem.task, problem.split.train
        rows = demonstrations.tried(len(train), self.n_demonstrations, problem.seed)
        lead = self.initial_text.strip() or demonstrations.instruction(task)
        texts = [f"{lead} {demonstrations.shown(task, train[row])}" for row in rows]
        prompts = [self._started(problem, text) for text in texts]
        best = demonstrations.best(Objective(task, meter, train, self.loss), rows, prompts)
        return self.model_copy(update={"initial_text": texts[best], "n_demonstrations": 0})

    def _with_words(self, problem: Problem, meter: Meter) -> Self:
        """The label words found."""
        if not self._searches_words():
            return self
        task, train = problem.task, problem.split.train
        start = self._started(problem, self.initial_text)
        words = verbalizers.searched(meter, task, train, start, self.words_per_label)
        found = dict(zip(task.labels, words, strict=True))
        return self.model_copy(update={"label_words": found, "words_per_label": 1})

    def _started(self, problem: Problem, text: str) -> SoftPrompt:
        """What the search starts from if it does from this text."""
        backend: Any = problem.backend
        assert isinstance(backend, TakesSoftPrompts)  # `needs` has already been checked
        return SoftPrompt(self.start(backend, text)[None], words=self._words(problem.task.labels))
