"""RLPrompt: a policy that chooses the prompt's words learns from how right the answers are."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from backends.registry import Capability
from jobs.methods.base import Method, Plan, Problem
from jobs.policies import EMBEDDED, LONGEST, PolicyUnreadable, check_folder, policy_model
from optimizers.rlprompt import RLPrompt as Optimizer
from optimizers.soft_q import Learning


class RLPrompt(Method):
    """Soft Q-learning of a prompt of five words (Deng et al. 2022, arXiv:2205.12548).

    Unlike the paper, the policy's frozen half is built on MiniLM's word embeddings unless a local
    causal model is named, so that it runs offline; the greedy prompt is measured on the train
    rows of every step and tried on dev by its cross-entropy; and a prompt is asked only once.
    """

    title: ClassVar = "RLPrompt: reinforcement learning of words"
    summary: ClassVar = "A small policy network learns which words make the right answer likelier."
    citation: ClassVar = "Deng et al. 2022, arXiv:2205.12548"
    needs: ClassVar = frozenset({Capability.TEXT_PROMPTS, Capability.LABEL_PROBABILITIES})
    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "fast": {
            "n_rows": 8,
            "learning_rate": 3e-4,
            "reward_scale": 15.0,
            "relative": True,
        },
        "paper": {},
    }

    name: Literal["rlprompt"] = "rlprompt"
    preset: Literal["paper", "fast"] = Field(
        "paper", description="starting values of all settings: the paper's, or quicker ones"
    )
    prompt_length: int = Field(5, ge=1, le=LONGEST, description="words in a prompt")
    prompts_per_step: int = Field(
        16, ge=2, le=256, description="prompts drawn in one generation, beside the greedy one"
    )
    n_rows: int = Field(
        0, ge=0, le=100_000, description="train rows drawn for each generation; 0: all"
    )
    policy: str = Field(
        EMBEDDED,
        min_length=1,
        max_length=1000,
        description="embedded, or a folder with a causal language model, DistilGPT-2 for instance",
    )
    vocabulary_size: int = Field(
        5000, ge=0, le=1_000_000, description="words to choose among, frequent ones first; 0: all"
    )
    top_k: int = Field(256, ge=1, le=1_000_000, description="likeliest words that are drawn from")
    fluent: bool = Field(
        False, description="only words among the causal model's own likeliest 20 at each place"
    )
    mlp_width: int = Field(
        2048, ge=1, le=8192, description="units in the hidden layer of the policy network"
    )
    learning_rate: float = Field(5e-5, gt=0, le=0.1, description="step size of Adam on the network")
    tau: float = Field(
        0.001, gt=0, le=1, description="part of the network the target network takes over each step"
    )
    reward_scale: float = Field(
        5.0, gt=0, le=1000, description="a reward one standard deviation above the mean, in nats"
    )
    relative: bool = Field(
        False, description="values start at a uniform policy's, which learns sooner"
    )

    @field_validator("policy")
    @classmethod
    def _policy_is_there(cls, policy: str) -> str:
        if policy != EMBEDDED:
            try:
                check_folder(policy)
            except PolicyUnreadable as error:
                raise PydanticCustomError(
                    "no_policy", "{message}", {"message": str(error)}
                ) from None
        return policy

    @model_validator(mode="after")
    def _fluency_is_known(self) -> Self:
        if self.fluent and self.policy == EMBEDDED:
            raise PydanticCustomError(
                "not_fluent",
                "fluent needs a policy that can tell what is fluent: name a folder with a causal "
                "language model as policy, or leave fluent off",
            )
        return self

    def generation_queries(self, n_train: int, n_dev: int) -> int:
        rows = min(self.n_rows or n_train, n_train)
        return (self.prompts_per_step + 1) * rows + n_dev

    def plan(self, problem: Problem) -> Plan:
        model = policy_model(self.policy, self.vocabulary_size)
        optimizer = Optimizer(
            model.lm,
            n_train=len(problem.split.train),
            length=self.prompt_length,
            prompts_per_step=self.prompts_per_step,
            n_rows=self.n_rows,
            reward_scale=self.reward_scale,
            learning=Learning(
                width=self.mlp_width,
                learning_rate=self.learning_rate,
                tau=self.tau,
                top_k=self.top_k,
                fluent=self.fluent,
                relative=self.relative,
            ),
        )
        return Plan(optimizer, model.space, "ce", told="gap")
