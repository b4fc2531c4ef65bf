"""RLPrompt: a policy draws prompts and learns from their rewards; no prompt is paid for twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial
from optimizers.soft_q import FrozenLM, Learning, Policy, Tokens

PATIENCE = 10  # steps in a row without a new prompt, before the greedy one is asked again
DRAWS, ROWS = 1, 2  # streams of random numbers beside the policy's own
FLAT = 1e-4  # added to a standard deviation, so that equal rewards are no division by zero

Step: TypeAlias = tuple[Tokens, NDArray[np.float64]]  # prompts, the greedy one last; their rewards


@dataclass(frozen=True, eq=False)
class RLPromptState:
    """What was drawn and how it was rewarded; the policy is learned again from these."""

    seed: int
    tokens: NDArray[np.int32]  # shape (n_steps, prompts_per_step + 1, length), greedy prompt last
    rewards: NDArray[np.float64]  # shape (n_steps, prompts_per_step + 1); nan: failed
    favorite: int | None = None  # the greedy prompt's place among the trials told last


@dataclass(frozen=True, eq=False)
class _Asked:
    """The step drawn at a state, and those before it that had nothing new to ask."""

    passed: tuple[Step, ...]
    tokens: Tokens
    trials: tuple[Trial[Tokens], ...]


@dataclass(eq=False)
class _Run:
    """A policy that has learned all that `state` tells, and the rewards known by then."""

    state: RLPromptState
    policy: Policy
    known: dict[bytes, float] = field(default_factory=dict)
    asked: _Asked | None = None

    def stands_at(self, state: RLPromptState) -> bool:
        mine = self.state
        return mine is state or (
            mine.seed == state.seed
            and np.array_equal(mine.tokens, state.tokens)
            and np.array_equal(mine.rewards, state.rewards, equal_nan=True)
        )


@dataclass(frozen=True, eq=False)
class RLPrompt:
    """Soft Q-learning of prompts (Deng et al. 2022, arXiv:2205.12548), as an `Optimizer`.

    A generation draws `prompts_per_step` prompts and the greedy one; those whose reward is not
    known yet become trials. It hears minus the reward of each row. A prompt's reward is the mean,
    in the loss standardized over the drawn prompts of the step (section 2.4) and multiplied by
    `reward_scale`. The greedy prompt is measured and not learned from. Where nothing is new, the
    policy learns from what it knows and draws again. A failed prompt, any row of it nan or
    infinite, is not learned from, and asked again when it is drawn again.

    Unlike the paper, the rows of a step may be a random part of the train set; a prompt then
    keeps the reward of the rows it was asked on.

    A state holds no network. The one in use is a memo; any other state than the one just told is
    reached by learning all of it again, to the same bits (see `Policy`): tokens are kept, so that
    other bits could change what is drawn next, never whose a reward is.

    Args:
        lm: the frozen half of the policy, in whose vocabulary candidates are.
        n_train: rows of the train set.
        length: words in a prompt.
        n_rows: rows drawn for each step; 0, or as many as there are: all.

    Not for several threads at once.
    """

    lm: FrozenLM
    n_train: int
    length: int = 5
    prompts_per_step: int = 16
    n_rows: int = 0
    reward_scale: float = 5.0
    learning: Learning = field(default_factory=Learning)
    _memo: list[_Run] = field(default_factory=list, init=False, repr=False)

    def init(self, seed: int) -> RLPromptState:
        """The state before the first generation; `seed` is 0 or more."""
        n = self.prompts_per_step + 1
        return RLPromptState(seed, np.empty((0, n, self.length), np.int32), np.empty((0, n)))

    def ask(self, state: RLPromptState) -> list[Trial[Tokens]]:
        """The step's prompts of unknown reward, read-only, shape (length,) each; one at least."""
        return list(self._asked(self._reach(state)).trials)

    def tell(
        self,
        state: RLPromptState,
        trials: Sequence[Trial[Tokens]],
        losses: Sequence[Losses],
    ) -> RLPromptState:
        """The state after the rewards' negatives, shape (n_rows,) for each trial of `ask(state)`.

        Raises:
            ValueError: `trials` are not those of `ask(state)`, all of them and in their order,
                or there is not one array of losses for each.
        """
        run = self._reach(state)
        asked = self._asked(run)
        _check(asked.trials, trials, losses)
        places = {_key(trial.candidate): i for i, trial in enumerate(asked.trials)}
        heard = {key: _reward(losses[i]) for key, i in places.items()}
        known = {**run.known, **heard}  # what was asked again counts as it was heard
        step = (asked.tokens, np.array([known[_key(row)] for row in asked.tokens]))
        steps = [*asked.passed, step]
        told = RLPromptState(
            state.seed,
            np.concatenate([state.tokens, np.stack([tokens for tokens, _ in steps])]),
            np.concatenate([state.rewards, np.stack([rewards for _, rewards in steps])]),
            places.get(_key(asked.tokens[-1])),
        )
        self._memo.remove(run)
        self._learn(run, step)
        self._memo.append(_Run(told, run.policy, run.known))
        return told

    def choice(self, state: RLPromptState) -> int | None:
        """The greedy prompt, if it was asked; its reward known before, nobody stands out."""
        return state.favorite

    def describe(self, state: RLPromptState) -> Mapping[str, float]:
        """`reward`, the mean of the last step's draws, `greedy_reward`, and the `repeated` share.

        Rewards are the paper's, -180 to 200; repeated is what part of all draws, the greedy ones
        with them, had been drawn before.
        """
        if not len(state.rewards):
            return {}
        drawn = state.rewards[-1, :-1]
        good = drawn[np.isfinite(drawn)]
        different = len({_key(row) for step in state.tokens for row in step})
        return {
            "reward": float(good.mean()) if good.size else np.nan,
            "greedy_reward": float(state.rewards[-1, -1]),
            "repeated": 1 - different / state.rewards.size,
        }

    def _reach(self, state: RLPromptState) -> _Run:
        for run in self._memo:
            if run.stands_at(state):
                return run
        run = _Run(state, Policy(self.lm, self.learning, state.seed))
        for step in zip(state.tokens, state.rewards, strict=True):
            self._learn(run, step)
        self._memo[:] = [run]
        return run

    def _asked(self, run: _Run) -> _Asked:
        if run.asked is None:
            run.asked = self._draw(run)
        return run.asked

    def _draw(self, run: _Run) -> _Asked:
        """The next step with something new in it, the policy having learned from those before."""
        passed: list[Step] = []
        while True:
            number = len(run.state.tokens) + len(passed)
            random = np.random.default_rng((run.state.seed, DRAWS, number))
            tokens = run.policy.draw(self.prompts_per_step, self.length, random)
            tokens.setflags(write=False)
            new = {_key(row): row for row in tokens if _key(row) not in run.known}
            if not new and len(passed) == PATIENCE:
                new = {_key(tokens[-1]): tokens[-1]}
            if new:
                rows = self._rows(run.state.seed, number)
                return _Asked(
                    tuple(passed), tokens, tuple(Trial(row, rows) for row in new.values())
                )
            passed.append((tokens, np.array([run.known[_key(row)] for row in tokens])))
            self._learn(run, passed[-1])

    def _rows(self, seed: int, number: int) -> tuple[int, ...] | None:
        if not 0 < self.n_rows < self.n_train:
            return None
        random = np.random.default_rng((seed, ROWS, number))
        return tuple(np.sort(random.permutation(self.n_train)[: self.n_rows]).tolist())

    def _learn(self, run: _Run, step: Step) -> None:
        tokens, rewards = step
        good = np.isfinite(rewards)
        pairs = zip(tokens[good], rewards[good], strict=True)
        run.known.update((_key(row), float(reward)) for row, reward in pairs)
        if not (good := good[:-1]).any():
            return
        shaped = self.reward_scale * standardized(rewards[:-1][good])
        run.policy.learn(tokens[:-1][good], shaped)


def standardized(rewards: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rewards less their mean, in standard deviations over them all, shape (n,)."""
    return np.asarray((rewards - rewards.mean()) / (rewards.std() + FLAT))


def _reward(losses: Losses) -> float:
    """Minus the mean over the rows; nan where one of them failed."""
    return -float(losses.mean()) if np.isfinite(losses).all() else np.nan


def _key(prompt: Tokens) -> bytes:
    return prompt.tobytes()


def _check(
    asked: Sequence[Trial[Tokens]], told: Sequence[Trial[Tokens]], losses: Sequence[Losses]
) -> None:
    if not len(asked) == len(told) == len(losses):
        raise ValueError(
            f"asked for {len(asked)} trials, told of {len(told)} with {len(losses)} losses"
        )
    for i, (mine, theirs) in enumerate(zip(asked, told, strict=True)):
        if not np.array_equal(mine.candidate, theirs.candidate):
            raise ValueError(f"trial {i} is not the one that `ask` gives for this state")
