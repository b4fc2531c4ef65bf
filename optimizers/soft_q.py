"""Soft Q-learning of a policy over words: a small network inside a frozen language model. No task.

Deng et al. 2022, arXiv:2205.12548, section 2.3; the losses are those of Guo et al. 2021,
arXiv:2106.07704. A policy chooses a prompt word by word. Q(h, v) = e_v . f(h), where h is the
frozen model's hidden state after the words so far, e_v its output embedding of word v, and f a
network with one hidden layer, which is all that is trained. V(h) = log sum_v exp Q(h, v), and
the chance of v is exp(Q - V).

Unlike the paper, V may be log mean_v exp Q(h, v). Each word's reward is then larger by the log of
how many there are, which changes no comparison between prompts and so not the best policy; but
learning begins where a uniform policy's values are. From the sum they are (length - 1) times
that log away, and until the values get there, all that is drawn is made likelier, good or bad.
"""

from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

Tokens: TypeAlias = NDArray[np.int32]  # shape (n, length), positions in the policy's vocabulary
Reals: TypeAlias = NDArray[Any]  # float32 in a job; tests of the gradient take float64

GAIN = 1e-4  # of the Xavier-uniform start: all words begin about equally likely
BIAS = -1e-4  # every bias at the start
BETAS = (0.9, 0.999)  # of Adam, with EPSILON: torch's defaults, which the released code takes
EPSILON = 1e-8
FLUENT = 20  # words that a fluent policy chooses among


class FrozenLM(Protocol):
    """The frozen half of a policy. The same tokens give the same bits, in any process."""

    @property
    def head(self) -> NDArray[np.float32]:
        """The output embeddings, shape (n_words, hidden)."""
        ...

    def states(self, tokens: Tokens) -> NDArray[np.float32]:
        """The hidden state after each row of tokens, (n, length) with length >= 0: (n, hidden)."""
        ...


@dataclass(frozen=True)
class Learning:
    """How a policy learns; the defaults are the released code's."""

    width: int = 2048  # units of the network's hidden layer
    learning_rate: float = 5e-5  # of Adam
    tau: float = 0.001  # of the policy that the target network takes over before each step
    clip: float = 5.0  # longest gradient
    top_k: int = 256  # words that a draw chooses among
    fluent: bool = False  # only words among the frozen model's own likeliest 20
    relative: bool = False  # V is log mean exp Q: see the module


class Network:
    """f(h) = W2 relu(W1 h + b1) + b2, its numbers side by side in one array."""

    def __init__(self, numbers: Reals, hidden: int) -> None:
        width = (numbers.size - hidden) // (2 * hidden + 1)
        self.numbers = numbers
        cuts = np.cumsum([hidden * width, width, width * hidden])
        w1, self.b1, w2, self.b2 = np.split(numbers, cuts)
        self.w1, self.w2 = w1.reshape(hidden, width), w2.reshape(width, hidden)

    @classmethod
    def start(cls, hidden: int, width: int, random: np.random.Generator) -> "Network":
        """Xavier-uniform weights of a small gain and equal biases, float32."""
        bound = GAIN * np.sqrt(6 / (hidden + width))
        network = cls(np.full(2 * hidden * width + width + hidden, BIAS, np.float32), hidden)
        for weights in (network.w1, network.w2):
            weights[:] = random.uniform(-bound, bound, weights.shape)
        return network

    def inner(self, states: Reals) -> Reals:
        """The hidden layer for states (n, hidden), shape (n, width)."""
        return np.asarray(np.maximum(states @ self.w1 + self.b1, 0))

    def outer(self, inner: Reals) -> Reals:
        """The output for a hidden layer, shape (n, hidden)."""
        return np.asarray(inner @ self.w2 + self.b2)

    def gradient(self, states: Reals, inner: Reals, slopes: Reals) -> Reals:
        """Slopes of a loss by all numbers, from its slopes by the output, shape (n, hidden)."""
        back = (slopes @ self.w2.T) * (inner > 0)
        parts = (states.T @ back, back.sum(0), inner.T @ slopes, slopes.sum(0))
        return np.concatenate([part.ravel() for part in parts])


def path_losses(
    advantages: Reals, target_values: Reals, rewards: Reals
) -> tuple[float, NDArray[np.float64]]:
    """The loss of drawn prompts, and its slopes by the advantages, shape (n, length).

    Half of two squared errors, summed over the words and averaged over the prompts: of one step,
    A_t = V'_{t+1} - V'_t with V'_{T+1} = r, and of all that are left, sum_{l >= t} A_l = r - V'_t.

    Args:
        advantages: A_t = Q(h_t, a_t) - V(h_t), shape (n, length).
        target_values: V'_t, the target network's V(h_t), shape (n, length).
        rewards: r, shape (n,).
    """
    nexts = np.column_stack([target_values[:, 1:], rewards])
    step = advantages - (nexts - target_values)
    rest = advantages[:, ::-1].cumsum(axis=1)[:, ::-1] - (rewards[:, None] - target_values)
    loss = 0.5 * (step**2 + rest**2).sum(axis=1).mean()
    return float(loss), (step + rest.cumsum(axis=1)) / len(rewards)


class Policy:
    """A policy that is trained: its network, its target network, and Adam. It changes as it learns.

    What it does follows from its seed and from what it learned, to the bit, if numpy, its BLAS,
    the processor and the number of BLAS threads stay the same.
    """

    def __init__(self, lm: FrozenLM, learning: Learning, seed: int) -> None:
        self._lm, self._learning = lm, learning
        hidden = lm.head.shape[1]
        self.network = Network.start(hidden, learning.width, np.random.default_rng((seed, 0)))
        self.target = Network(self.network.numbers.copy(), hidden)
        self._first, self._second = (np.zeros_like(self.network.numbers) for _ in range(2))
        self._steps = 0
        choices = min(FLUENT, len(lm.head)) if learning.fluent else len(lm.head)
        self._uniform = float(np.log(choices)) if learning.relative else 0.0

    def draw(self, n: int, length: int, random: np.random.Generator) -> Tokens:
        """`n` drawn prompts and, last, the greedy one of the likeliest words: (n + 1, length)."""
        tokens: Tokens = np.empty((n + 1, 0), np.int32)
        for _ in range(length):
            states = self._lm.states(tokens)
            values = self._values(self.network.outer(self.network.inner(states)), states)
            chosen = np.append(self._sampled(values[:-1], random), values[-1].argmax())
            tokens = np.column_stack([tokens, chosen.astype(np.int32)])
        return tokens

    def learn(self, tokens: Tokens, rewards: NDArray[np.float64]) -> float:
        """One step of Adam on prompts (n, length) and their rewards (n,); the loss before it."""
        self.target.numbers += self._learning.tau * (self.network.numbers - self.target.numbers)
        loss, gradient = self.loss(tokens, rewards)
        norm = float(np.linalg.norm(gradient))
        if np.isfinite(norm):  # a step too far for float32 would spoil all later ones
            self._adam(gradient * min(1.0, self._learning.clip / (norm + 1e-6)))
        return loss

    def loss(self, tokens: Tokens, rewards: NDArray[np.float64]) -> tuple[float, Reals]:
        """The loss on prompts (n, length) of rewards (n,), and its slopes by the network."""
        n, length = tokens.shape
        states = np.stack([self._lm.states(tokens[:, :t]) for t in range(length)], axis=1)
        states, taken = states.reshape(n * length, -1), tokens.ravel()
        inner = self.network.inner(states)
        values = self._values(self.network.outer(inner), states)
        log_sum = _log_sum_exp(values)
        advantages = values[np.arange(n * length), taken] - log_sum + self._uniform

        targets = self._values(self.target.outer(self.target.inner(states)), states)
        target_values = _log_sum_exp(targets) - self._uniform
        loss, slopes = path_losses(
            advantages.reshape(n, length), target_values.reshape(n, length), rewards
        )
        head = self._lm.head
        chances = np.exp(values - log_sum[:, None])
        pull = slopes.reshape(-1, 1).astype(head.dtype) * (head[taken] - chances @ head)
        return loss, self.network.gradient(states, inner, pull)

    def _values(self, outputs: Reals, states: Reals) -> Reals:
        """Q of every word, shape (n, n_words); -inf: not a fluent one."""
        values: Reals = outputs @ self._lm.head.T
        if not self._learning.fluent:
            return values
        own = states @ self._lm.head.T
        k = min(FLUENT, own.shape[1])  # with ties a few more
        least = np.partition(own, -k, axis=1)[:, -k, None]
        return np.where(own < least, -np.inf, values)

    def _sampled(self, values: Reals, random: np.random.Generator) -> NDArray[np.intp]:
        """One of the `top_k` likeliest words of each row, by its chance among them."""
        k = min(self._learning.top_k, values.shape[1])
        best = np.argpartition(values, -k, axis=1)[:, -k:]
        kept = np.take_along_axis(values, best, axis=1).astype(np.float64)
        mass = np.exp(kept - kept.max(axis=1, keepdims=True)).cumsum(axis=1)
        points = random.random((len(values), 1)) * mass[:, -1:]
        places = (mass[:, :-1] <= points).sum(axis=1)
        return np.asarray(best[np.arange(len(values)), places])

    def _adam(self, gradient: Reals) -> None:
        self._steps += 1
        for moment, power, beta in (
            (self._first, gradient, BETAS[0]),
            (self._second, gradient**2, BETAS[1]),
        ):
            moment += (1 - beta) * (power - moment)
        first, second = (1 - beta**self._steps for beta in BETAS)
        rate = self._learning.learning_rate / first
        self.network.numbers -= rate * self._first / (np.sqrt(self._second / second) + EPSILON)


def _log_sum_exp(values: Reals) -> Reals:
    """log sum exp of each row, shape (n,)."""
    most = values.max(axis=1)
    return np.asarray(most + np.log(np.exp(values - most[:, None]).sum(axis=1)))
