from dataclasses import dataclass

import numpy as np
import pytest
from pydantic import ValidationError

from jobs import checkpoint
from jobs.meter import Meter
from jobs.methods import Problem
from jobs.methods.rlprompt import RLPrompt
from jobs.policies import EmbeddedLM
from jobs.task import Example, Split, Task
from optimizers.soft_q import Learning
from tests.toy import ToyBackend

TASK = Task("{prompt} {text}", {"b": "bluish", "r": "reddish"})
ROWS = [Example({"text": f"{word} {i}"}, word[0]) for i in range(6) for word in TASK.words]
SPLIT = Split(tuple(ROWS[:8]), tuple(ROWS[8:]), ())
SMALL = {
    "vocabulary_size": 200,
    "mlp_width": 64,
    "prompts_per_step": 8,
    "prompt_length": 2,
    "learning_rate": 1e-3,
    "relative": True,
}


@dataclass
class LikesLetters(ToyBackend):
    """Believes the word in the text the more, the more often the prompt has the letter o."""

    def score(self, queries, labels):
        self.calls.append(list(queries))
        prompts = [query.before.rsplit(" ", 2)[0] for query in queries]
        found = [
            [prompt.count("o") * (word in query.before) for word in labels]
            for prompt, query in zip(prompts, queries, strict=True)
        ]
        return self.meddle(queries, np.array(found, dtype=np.float64))


def problem(backend=None, seed=3):
    return Problem(backend or LikesLetters(), TASK, SPLIT, "", seed)


def search(toy, budget=10**6, **settings):
    return RLPrompt(**(SMALL | settings)).search(problem(toy), Meter(toy, budget))


@pytest.mark.parametrize("n_rows", [0, 3, 8, 50])
def test_a_generation_never_costs_more_than_it_says(n_rows):
    toy = LikesLetters()
    running = search(toy, n_rows=n_rows)
    most = RLPrompt(**SMALL, n_rows=n_rows).generation_queries(len(SPLIT.train), len(SPLIT.dev))
    assert most == 9 * (n_rows if n_rows in (3, 8) else 8) + 4
    last, costs = running.start(), []
    for _ in range(12):
        before = toy.asked
        last = running.advance(last)
        costs.append(toy.asked - before)
    assert max(costs) == most
    assert min(costs) < most, "the same incumbent or a known prompt is not paid for again"


def test_it_finds_words_that_help():
    """Of 100 random pairs of the 200 words, the best has 3 letters o, a mean one 0.6."""
    running = search(LikesLetters(), reward_scale=20.0)
    last, first = running.start(), None
    for _ in range(40):
        last = running.advance(last)
        first = first or last
    assert last.internals["reward"] > 2 * first.internals["reward"]
    assert last.incumbent.prompt.text.count("o") >= 2
    assert last.incumbent.dev_loss < first.incumbent.dev_loss


def test_the_optimizer_hears_the_reward():
    toy = LikesLetters()
    running = search(toy)
    last = running.advance(running.start())
    prompts = [running.space.decode(row).text for row in last.state.tokens[0]]
    for prompt, reward in zip(prompts, last.state.rewards[0], strict=True):
        chance = 1 / (1 + np.exp(-prompt.count("o")))
        assert reward == pytest.approx(200 * (2 * chance - 1))


def test_a_search_goes_on_from_its_checkpoint():
    straight, other = search(LikesLetters()), search(LikesLetters())
    half = straight.advance(straight.advance(straight.start()))
    saved = checkpoint.dumps(half.state)
    end = straight.advance(straight.advance(half)).state
    half = type(half)(2, checkpoint.loads(type(half.state), saved), half.incumbent)
    resumed = other.advance(other.advance(half)).state
    assert checkpoint.dumps(resumed) == checkpoint.dumps(end)


def test_settings_reach_the_optimizer():
    settings = {
        "prompt_length": 3,
        "prompts_per_step": 7,
        "n_rows": 5,
        "vocabulary_size": 50,
        "top_k": 9,
        "mlp_width": 11,
        "learning_rate": 0.01,
        "tau": 0.5,
        "reward_scale": 2.5,
        "relative": True,
    }
    plan = RLPrompt(**settings).plan(problem())
    optimizer = plan.optimizer
    assert (optimizer.length, optimizer.prompts_per_step) == (3, 7)
    assert (optimizer.n_rows, optimizer.n_train, optimizer.reward_scale) == (5, 8, 2.5)
    assert optimizer.learning == Learning(11, 0.01, 0.5, 5.0, 9, False, True)
    assert isinstance(optimizer.lm, EmbeddedLM)
    assert len(optimizer.lm.head) == len(plan.space.words) == 50
    assert (plan.loss, plan.told) == ("ce", "gap")


def test_the_papers_settings_are_the_default():
    paper = RLPrompt()
    assert paper == RLPrompt.with_preset("paper")
    assert paper.plan(problem()).optimizer.learning == Learning()
    assert (paper.prompt_length, paper.prompts_per_step, paper.reward_scale) == (5, 16, 5.0)
    assert paper.generation_queries(32, 32) == 17 * 32 + 32
    fast = RLPrompt.with_preset("fast")
    assert fast.relative
    assert fast.generation_queries(32, 32) == 17 * 8 + 32


def test_fluency_needs_a_causal_model(tmp_path):
    with pytest.raises(ValidationError, match="name a folder with a causal"):
        RLPrompt(fluent=True)
    (tmp_path / "config.json").write_text("{}")
    assert RLPrompt(fluent=True, policy=str(tmp_path)).fluent


@pytest.mark.parametrize("policy", ["distilgpt2", "a\0b", "x" * 999])
def test_a_policy_that_is_not_there_is_refused_by_its_field(policy):
    with pytest.raises(ValidationError, match="'embedded' or a folder") as caught:
        RLPrompt(policy=policy)
    assert caught.value.errors()[0]["loc"] == ("policy",)
