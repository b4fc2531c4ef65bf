"""BDPL: a policy gradient over prompts of words and phrases from the task's own texts."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from pydantic import Field

from backends.registry import Capability
from jobs.methods.base import Method, Plan, Problem
from jobs.ngrams import Wanted, candidates
from jobs.objective import LossName
from jobs.spaces import WordList
from optimizers import bdpl


class BDPL(Method):
    """Variance-reduced policy gradient over PMI n-grams (Diao et al. 2023, arXiv:2201.08531).

    Unlike the paper, the distributions are softmaxes of logits, which stay finite on any number
    of generations (see `optimizers.bdpl`), and each generation's arg-max prompt may become the
    incumbent, not each epoch's.
    Unlike the paper, phrases are whole words of the train texts for every kind of model, and the
    thresholds give way on small train sets (see `jobs.ngrams`).
    """

    title: ClassVar = "BDPL: black-box discrete prompt learning"
    summary: ClassVar = (
        "Policy gradient over prompts whose words and phrases are picked from the train texts."
    )
    citation: ClassVar = "Diao et al. 2023, arXiv:2201.08531"
    needs: ClassVar = frozenset({Capability.TEXT_PROMPTS, Capability.LABEL_PROBABILITIES})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            "n_prompt_tokens": 4,
            "vocabulary_size": 50,
            "sample_size": 10,
            "n_rows": 16,
            "min_count": 2,
        },
        "paper": {},
    }

    name: Literal["bdpl"] = "bdpl"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    n_prompt_tokens: int = Field(
        6, ge=1, le=100, description="positions of the prompt, each a word or a phrase"
    )
    vocabulary_size: int = Field(
        20, ge=2, le=2000, description="words and phrases that each position is chosen from"
    )
    sample_size: int = Field(20, ge=2, le=1000, description="prompts drawn in one generation")
    n_rows: int = Field(
        0,
        ge=0,
        le=100_000,
        description="train rows drawn for each generation, for all its prompts; 0: all",
    )
    learning_rate: float = Field(0.3, gt=0, le=100, description="step size of Adam, on the logits")
    max_n: int = Field(5, ge=1, le=20, description="most words of a phrase")
    min_count: int = Field(
        5,
        ge=1,
        le=1000,
        description="how often a phrase must stand in the train texts; lowered step by step where "
        "that leaves too few",
    )
    min_pmi: float = Field(
        1.0,
        ge=-100,
        le=100,
        description="nats of pointwise mutual information that hold two words of a phrase together",
    )
    loss: LossName = Field("ce", description="what is minimized: cross-entropy, hinge or errors")

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        """The draws, the arg-max prompt with them, and that one on dev; equal prompts save."""
        return (self.sample_size + 1) * min(self.n_rows or n_train, n_train) + n_dev

    def check_data(self, columns: Sequence[str], labels: Sequence[str]) -> None:
        if not columns:
            raise ValueError(
                "bdpl takes its words from the texts of the train rows, and this dataset has "
                "images alone; choose another method"
            )

    def plan(self, problem: Problem) -> Plan:
        train = problem.split.train
        texts = [text for example in train for text in problem.task.texts(example.inputs).values()]
        wanted = Wanted(self.vocabulary_size, self.max_n, self.min_count, self.min_pmi)
        found = candidates(texts, problem.task.words, wanted)
        optimizer = bdpl.BDPL(
            self.n_prompt_tokens,
            len(found.words),
            len(train),
            self.sample_size,
            self.n_rows,
            self.learning_rate,
            {"vocabulary": len(found.words), "min_count": found.min_count},
        )
        return Plan(optimizer, WordList(found.words), self.loss)
