"""SPSA with decaying gains, look-ahead momentum and a cut gradient. Sees no prompt, no model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial
from optimizers.descent import clipped

Vector: TypeAlias = NDArray[np.float64]

DIRECTIONS, ROWS = 1, 2  # two streams of draws from one seed


@dataclass(frozen=True)
class Gains:
    """The rate a_k = a / (k + delay)^alpha and the probe c_k = c / k^gamma, k from 1 (Spall)."""

    a: float = 0.01
    c: float = 0.01
    delay: float = 1.0
    alpha: float = 0.4
    gamma: float = 0.1

    def rate(self, k: int) -> float:
        return float(self.a / (k + self.delay) ** self.alpha)

    def probe(self, k: int) -> float:
        """How far a trial stands from the point, in units of a direction."""
        return float(self.c / k**self.gamma)


@dataclass(frozen=True, eq=False)
class SPSAGCState:
    """Where the descent stands."""

    seed: int
    n_told: int  # times that pairs were asked and told of
    n_steps: int  # of these, those that moved the point
    point: Vector  # phi, shape (d,)
    momentum: Vector  # m, shape (d,)
    norm: float = 0.0  # of the last gradient, before it was cut


@dataclass(frozen=True, eq=False)
class SPSAGC:
    """SPSA-GC (Oh et al. 2023, arXiv:2303.14773), and ZIP's SPSA with a cut gradient.

    A step asks for the point moved by +c_k D and by -c_k D in each of `n_directions` directions D,
    whose entries are uniform in +-[0.5, 1], all on one batch of rows. The gradient is the mean of
    (L+ - L-) / (2 c_k D), entry by entry; then m <- momentum m + g and
    phi <- phi - a_k (g + momentum m). A generation is `steps` of them; the point that it begins at
    is asked along with the first, on the same rows, learns nothing and is the `choice`.

    Unlike the paper, the look-ahead is that of the released code: the gradient is taken at phi, not
    at phi + momentum m.
    Unlike the paper, a row that failed on either side of a pair is left out of both means; a pair
    without common rows is left out, and without pairs the point stays and k too.

    Args:
        start: phi before the first step, shape (d,).
        n_train: rows of the train set; every epoch is a new order of them.
        batch_size: rows of one step; more than there are: all.
        longest_gradient: Euclidean norm to which the gradient is cut; 0: it is not.
    """

    start: Vector
    n_train: int
    gains: Gains = Gains()
    n_directions: int = 5
    batch_size: int = 128
    steps: int = 1
    momentum: float = 0.0
    longest_gradient: float = 0.0

    def init(self, seed: int) -> SPSAGCState:
        point = np.array(self.start, dtype=np.float64)
        return SPSAGCState(seed, 0, 0, point, np.zeros_like(point))

    def ask(self, state: SPSAGCState) -> list[Trial[Vector]]:
        """The pairs of one step, each + before -; first of a generation, the point itself."""
        rows = self._rows(state)
        shifts = self.gains.probe(state.n_steps + 1) * self._directions(state)
        pairs = [
            Trial(state.point + sign * shift, rows) for shift in shifts for sign in (1.0, -1.0)
        ]
        return pairs if self.unfinished(state) else [Trial(state.point, rows), *pairs]

    def unfinished(self, state: SPSAGCState) -> bool:
        return state.n_told % self.steps != 0

    def tell(
        self, state: SPSAGCState, trials: Sequence[Trial[Vector]], losses: Sequence[Losses]
    ) -> SPSAGCState:
        told = replace(state, n_told=state.n_told + 1)
        pairs = np.array(losses[-2 * self.n_directions :])  # (2 * n_directions, n_rows)
        differences = _differences(pairs[0::2], pairs[1::2])
        known = np.isfinite(differences)
        if not known.any():
            return told
        shifts = 2 * self.gains.probe(state.n_steps + 1) * self._directions(state)
        return self._stepped(told, np.mean(differences[known, None] / shifts[known], axis=0))

    def choice(self, state: SPSAGCState) -> int | None:
        """The point that the generation began at."""
        return 0

    def describe(self, state: SPSAGCState) -> Mapping[str, float]:
        """`learning_rate` and `sigma`, a_k and c_k of the next step, and `gradient_norm`."""
        k = state.n_steps + 1
        return {
            "learning_rate": self.gains.rate(k),
            "sigma": self.gains.probe(k),
            "gradient_norm": state.norm,
        }

    def _stepped(self, state: SPSAGCState, gradient: Vector) -> SPSAGCState:
        norm = float(np.linalg.norm(gradient))
        if self.longest_gradient:
            gradient = clipped(gradient, self.longest_gradient)
        k = state.n_steps + 1
        momentum = self.momentum * state.momentum + gradient
        step = -self.gains.rate(k) * (gradient + self.momentum * momentum)
        return replace(state, n_steps=k, point=state.point + step, momentum=momentum, norm=norm)

    def _directions(self, state: SPSAGCState) -> Vector:
        """Shape (n_directions, d)."""
        random = np.random.default_rng((state.seed, state.n_told, DIRECTIONS))
        shape = (self.n_directions, len(state.point))
        sizes, signs = random.uniform(0.5, 1.0, shape), random.choice((-1.0, 1.0), shape)
        return np.asarray(sizes * signs)

    def _rows(self, state: SPSAGCState) -> tuple[int, ...]:
        """Batches without the rest that does not fill one, as the released codes take them."""
        size = min(self.batch_size, self.n_train)
        epoch, place = divmod(state.n_told, self.n_train // size)
        order = np.random.default_rng((state.seed, epoch, ROWS)).permutation(self.n_train)
        return tuple(order[place * size : (place + 1) * size].tolist())


def _differences(plus: Losses, minus: Losses) -> Losses:
    """L+ - L- of each pair over the rows that both sides have, shape (n_pairs,); nan: none.

    Both arguments have shape (n_pairs, n_rows).
    """
    common = np.isfinite(plus) & np.isfinite(minus)
    counts = common.sum(axis=1)
    sums = np.where(common, plus, 0.0).sum(axis=1) - np.where(common, minus, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
