"""BDPL: a policy gradient on one distribution over words for each position. Sees no word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial, mean_losses

Positions = NDArray[np.int64]  # shape (n_tokens,): which word stands at each position
Table = NDArray[np.float64]  # shape (n_tokens, n_words)

LONGEST_GRADIENT = 3.0  # Euclidean norm (released code, run_glue_discrete_LM.py)
DECAY_1, DECAY_2, TINY = 0.9, 0.999, 1e-8  # of Adam
RAREST = 100.0  # the n_words words of a position share at least a part of about 1 / RAREST


@dataclass(frozen=True, eq=False)
class BDPLState:
    """The distributions, Adam's moments, and where the arg-max prompt stood among the trials."""

    seed: int
    generation: int
    logits: Table
    mean: Table  # Adam's first moment
    square: Table  # Adam's second moment
    n_steps: int = 0  # generations that something was learned from
    favorite: int | None = None


@dataclass(frozen=True, eq=False)
class _Drawn:
    """The different prompts of one generation, and which of them each draw is."""

    prompts: NDArray[np.int64]  # shape (n_prompts, n_tokens)
    draws: NDArray[np.int64]  # shape (sample_size,), rows of `prompts`
    favorite: int  # row of the arg-max prompt


@dataclass(frozen=True, eq=False)
class BDPL:
    """Variance-reduced policy gradient (Diao et al. 2023, arXiv:2201.08531), as an `Optimizer`.

    Position i holds word j with probability p_ij. A generation draws `sample_size` prompts, all
    scored on one batch of rows; a prompt drawn twice is asked once. With L_k the loss of draw k
    of the I that did not fail, and their mean as the baseline, the gradient is
    1 / (I - 1) sum_k (L_k - mean) d ln P_k (the paper's estimator), which is unbiased: it equals
    the leave-one-out form. It is cut to norm 3 and handed to Adam. The arg-max prompt is one more
    trial; it is not learned from, and is the `choice` once there has been a step: before, all
    words are equal.

    Unlike the paper, p is the softmax of logits: d ln P_k / d logits = onehot - p, where the
    paper divides by p and projects on the simplex, so that a probability becomes 0 and the
    gradient infinite (about generation 150 with the published settings).
    Unlike the paper, no word becomes impossible: a logit is at most ln(100 n_words) below the
    largest of its position, so that each position keeps about one draw in a hundred for
    other words and a long run goes on searching near its best prompt.
    Unlike the paper, there is no weight decay: it would pull the logits to no preference.

    Args:
        n_tokens: positions of a prompt, 1 or more.
        n_words: words that each is chosen from, 1 or more.
        n_train: rows of the train set.
        n_rows: of which so many are drawn for each generation; 0 or too many: all.
        about: numbers to be shown beside its own.

    Raises:
        ValueError: an argument out of its range.
    """

    n_tokens: int
    n_words: int
    n_train: int
    sample_size: int = 20
    n_rows: int = 0
    learning_rate: float = 0.3  # of the logits
    about: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        least = {"n_tokens": 1, "n_words": 1, "n_train": 1, "sample_size": 2, "n_rows": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(f"{name} is {getattr(self, name)}, it must be {low} or more")
        if not 0 < self.learning_rate < np.inf:
            raise ValueError(f"learning_rate is {self.learning_rate}, it must be above 0")

    def init(self, seed: int) -> BDPLState:
        """Every word equally likely. Raises ValueError where `seed` is below 0."""
        if seed < 0:
            raise ValueError(f"seed is {seed}, it must be 0 or more")
        zeros = np.zeros((self.n_tokens, self.n_words))
        return BDPLState(seed, 0, zeros, zeros, zeros)

    def ask(self, state: BDPLState) -> list[Trial[Positions]]:
        """The different prompts drawn at `state` and the arg-max one, in lexical order."""
        rows = self._rows(state)
        return [Trial(prompt, rows) for prompt in self._drawn(state).prompts]

    def tell(
        self, state: BDPLState, trials: Sequence[Trial[Positions]], losses: Sequence[Losses]
    ) -> BDPLState:
        """One step of Adam; none where fewer than two draws are left or all losses are equal."""
        drawn = self._drawn(state)
        if not len(drawn.prompts) == len(trials) == len(losses):
            raise ValueError(
                f"asked for {len(drawn.prompts)} trials, told of {len(trials)} with "
                f"{len(losses)} losses"
            )
        means = mean_losses(losses)
        sound = np.isfinite(means)
        told = replace(
            state,
            generation=state.generation + 1,
            favorite=drawn.favorite if state.n_steps and sound[drawn.favorite] else None,
        )
        heard = drawn.draws[sound[drawn.draws]]
        if len(heard) < 2 or np.ptp(means[heard]) == 0.0:
            return told
        return self._step(told, _gradient(drawn.prompts[heard], means[heard], self.n_words))

    def choice(self, state: BDPLState) -> int | None:
        return state.favorite

    def describe(self, state: BDPLState) -> Mapping[str, float]:
        """`entropy`, mean over the positions, nats, and `certainty`, the mean of the largest p."""
        p = softmax(state.logits)
        entropy = -(p * np.log(p)).sum(axis=1).mean()
        certainty = p.max(axis=1).mean()
        return {**self.about, "entropy": float(entropy), "certainty": float(certainty)}

    def _drawn(self, state: BDPLState) -> _Drawn:
        shape = (self.sample_size, self.n_tokens, self.n_words)
        random = np.random.default_rng((state.seed, state.generation))
        draws = (state.logits + random.gumbel(size=shape)).argmax(axis=2)  # Gumbel-max: as p
        best = state.logits.argmax(axis=1)
        prompts, which = np.unique(np.vstack([draws, best]), axis=0, return_inverse=True)
        return _Drawn(prompts, which[:-1], int(which[-1]))

    def _rows(self, state: BDPLState) -> tuple[int, ...] | None:
        if not 0 < self.n_rows < self.n_train:
            return None
        random = np.random.default_rng((state.seed, state.generation, 1))  # beside the draws
        return tuple(sorted(random.choice(self.n_train, self.n_rows, replace=False).tolist()))

    def _step(self, state: BDPLState, gradient: Table) -> BDPLState:
        """Adam (Kingma & Ba 2015, arXiv:1412.6980, algorithm 1), and no word becomes impossible."""
        n_steps = state.n_steps + 1
        mean = DECAY_1 * state.mean + (1 - DECAY_1) * gradient
        square = DECAY_2 * state.square + (1 - DECAY_2) * gradient**2
        slope = np.sqrt(square / (1 - DECAY_2**n_steps)) + TINY
        moved = state.logits - self.learning_rate * mean / (1 - DECAY_1**n_steps) / slope
        logits = np.maximum(
            moved - moved.max(axis=1, keepdims=True), -np.log(RAREST * self.n_words)
        )
        return replace(state, logits=logits, mean=mean, square=square, n_steps=n_steps)


def _gradient(prompts: NDArray[np.int64], losses: Losses, n_words: int) -> Table:
    """1 / (I - 1) sum_k (L_k - mean) (onehot_k - p), cut to norm 3.

    The p's cancel, as the deviations from the mean sum to 0.
    """
    weights = (losses - losses.mean()) / (len(losses) - 1)
    onehot = prompts[:, :, None] == np.arange(n_words)  # shape (I, n_tokens, n_words)
    gradient: Table = np.tensordot(weights, onehot, axes=1)
    norm = float(np.linalg.norm(gradient))
    return gradient * min(1.0, LONGEST_GRADIENT / norm) if norm > 0 else gradient


def softmax(logits: Table) -> Table:
    """Probabilities of each position's words, shape as given."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
