"""GrIPS: an instruction edited phrase by phrase."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backends.registry import Capability
from jobs.instructions import starting_text
from jobs.methods.base import Method, Plan, Problem
from jobs.spaces import Texts
from optimizers.drafts import Drafting
from optimizers.edits import Edit
from optimizers.grips import Grips, ParaphrasingGrips, Strategy
from optimizers.phrases import Level


class GrIPS(Method):
    """Edits of an instruction's phrases, kept if they score better (Prasad et al. 2023).

    Unlike the paper, the incumbent is picked on dev, as for every method; phrases are found by
    rules and paraphrased by a language model of the service, so that no parser and no
    paraphraser are downloaded; and in a task with a metric the score is that metric's mean.
    `optimizers.grips` names what else differs.
    """

    title: ClassVar = "GrIPS: instruction search by edits"
    summary: ClassVar = "Deletes, swaps, adds and paraphrases phrases of an instruction."
    citation: ClassVar = "Prasad et al. 2023, arXiv:2203.07281"
    needs: ClassVar = frozenset({Capability.TEXT_PROMPTS})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {"n_rows": 32},
        "paper": {"edits": ("delete", "swap", "add", "paraphrase")},
    }

    name: Literal["grips"] = "grips"
    preset: Literal["fast", "paper"] = Field(
        "fast", description="starting values of all settings: the paper's, or quicker ones"
    )
    n_candidates: int = Field(5, ge=1, le=200, description="edited texts in one generation")
    n_edits: int = Field(1, ge=1, le=20, description="edits in one candidate")
    n_rows: int = Field(
        100, ge=1, le=100_000, description="train rows of one generation, drawn anew for each"
    )
    patience: int = Field(
        2, ge=1, le=1000, description="failed generations in a row before it starts again"
    )
    level: Level = Field("phrase", description="what an edit moves")
    edits: tuple[Edit, ...] = Field(
        ("delete", "swap", "add"),
        min_length=1,
        max_length=4,
        description="of delete, swap, add and paraphrase; the last needs a model that writes",
    )
    strategy: Strategy = Field(
        "greedy", description="keep the best text, a beam of them, or anneal from one to the next"
    )
    beam_width: int = Field(4, ge=1, le=100, description="texts that the strategy beam keeps")
    entropy_weight: float = Field(
        10.0, ge=0, le=1e6, description="points of accuracy that one nat of entropy is worth"
    )
    initial_text: str = Field(
        "",
        max_length=2000,
        description="instruction to start from; empty: the baseline, or one naming the labels",
    )
    writer: str = Field(
        "", max_length=100, description="endpoint that paraphrases; empty: the one being tuned"
    )

    @model_validator(mode="after")
    def _add_has_a_source(self) -> Self:
        if "add" in self.edits and "delete" not in self.edits:
            raise PydanticCustomError(
                "add_without_delete",
                "edits has add without delete: only what was deleted can be added; give both or "
                "neither",
            )
        return self

    def requires(self) -> frozenset[Capability]:
        writes = "paraphrase" in self.edits and not self.writer
        return self.needs | ({Capability.GENERATION} if writes else frozenset())

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        n_kept = {"greedy": 1, "beam": self.beam_width, "annealed": 2}[self.strategy]
        n_paraphrases = self.n_candidates if "paraphrase" in self.edits else 0
        n_trials = n_kept + self.n_candidates
        return n_trials * min(self.n_rows, n_train) + n_paraphrases + n_dev

    def plan(self, problem: Problem) -> Plan:
        task, train = problem.task, problem.split.train
        number = {label: i for i, label in enumerate(task.labels)}
        truth = np.array([number[row.label] for row in train], dtype=np.intp) if number else None
        kind = ParaphrasingGrips if "paraphrase" in self.edits else Grips
        optimizer = kind(
            starting_text(self.initial_text, problem),
            len(train),
            Drafting(self.level, self.edits, self.n_edits),
            truth,
            n_candidates=self.n_candidates,
            n_rows=self.n_rows,
            patience=self.patience,
            strategy=self.strategy,
            beam_width=self.beam_width,
            entropy_weight=self.entropy_weight,
        )
        return Plan(optimizer, Texts(), "ce", told="answer")
