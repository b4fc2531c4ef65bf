"""Zeroth-order descent as ZO-Bench compares it: five rules on one estimate. Sees no prompt."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial
from optimizers.batches import batch, differences
from optimizers.descent import Moments, adam, clipped

Vector: TypeAlias = NDArray[np.float64]
Rule: TypeAlias = Literal["sgd", "sign", "momentum", "conservative", "adam"]
Moves: TypeAlias = Callable[[Moments, Vector, float], tuple[Moments, Vector]]

MOMENTUM = 0.9  # the share of earlier gradients that the rule of this name keeps
DIRECTIONS = 1  # a stream of random numbers


def plain(moments: Moments, gradient: Vector, rate: float) -> tuple[Moments, Vector]:
    """Nothing to remember, and the step to add."""
    return moments, -rate * gradient


def heavy(moments: Moments, gradient: Vector, rate: float) -> tuple[Moments, Vector]:
    """The sum m <- 0.9 m + g, kept as the mean, and the step -rate m (without dampening)."""
    mean = MOMENTUM * moments.mean + gradient
    return replace(moments, mean=mean, n_steps=moments.n_steps + 1), -rate * mean


RULES: Mapping[Rule, Moves] = {
    "sgd": plain,
    "sign": plain,
    "momentum": heavy,
    "conservative": plain,
    "adam": adam,
}


def _nothing() -> Vector:
    return np.empty(0)


@dataclass(frozen=True, eq=False)
class ZOState:
    """Where the descent stands; within a conservative step also what it is about to try."""

    seed: int
    n_steps: int  # made, those that learned nothing included
    point: Vector  # theta, shape (d,)
    moments: Moments
    norm: float = 0.0  # of the last estimate, before it was cut
    tried: Vector = field(
        default_factory=_nothing
    )  # a step to be judged, (d,); empty: there is none
    clean: Losses = field(default_factory=_nothing)  # of the point on the batch, where one is


@dataclass(frozen=True, eq=False)
class ZO:
    """MeZO (arXiv:2305.17333) and the rules of ZO-Bench (arXiv:2402.11592) on a vector.

    A step draws `n_directions` z ~ N(0, I) and asks each at theta + sigma z, and either at
    theta - sigma z or, one-sided, at theta itself, all on one batch of rows. With g the difference
    of the mean losses over 2 sigma, or sigma, the estimate is the mean of g z, and

    - sgd: theta <- theta - rate g z
    - sign: theta <- theta - rate sign(g) z, so that the size of z stays
    - momentum: m <- 0.9 m + g z, theta <- theta - rate m
    - adam: Adam on g z
    - conservative: of theta and theta -+ rate g z the one with the lowest loss on the batch

    A generation is `steps` of them; the point it begins at is asked with the first: the `choice`.

    Unlike ZO-Bench's released code, which keeps the last direction's estimate alone and undivided,
    several directions are averaged.
    Unlike the papers, a row that failed on either side is left out of both; directions and
    candidates without common rows are left out, and where nothing is known theta stays.
    Forward gradients (torch.func.jvp) are not here: no backend offers directional derivatives.

    Args:
        start: theta before the first step, shape (d,).
        n_train: rows of the train set.
        batch_size: rows of one step; more than there are: all.
        longest_gradient: Euclidean norm that the estimate is cut to; 0: it is not. A sign has no
            length: its rule ignores this.
    """

    start: Vector
    n_train: int
    rule: Rule = "adam"
    one_sided: bool = False
    n_directions: int = 1
    batch_size: int = 16
    steps: int = 1
    sigma: float = 0.01
    learning_rate: float = 0.001
    longest_gradient: float = 0.0

    def init(self, seed: int) -> ZOState:
        point = np.array(self.start, dtype=np.float64)
        return ZOState(seed, 0, point, Moments.none(point.shape))

    def ask(self, state: ZOState) -> list[Trial[Vector]]:
        """The point where it is wanted, then each direction's sides; or both sides of a step."""
        rows = batch(state.seed, state.n_steps, self.n_train, self.batch_size)
        if state.tried.size:
            return [Trial(state.point + sign * state.tried, rows) for sign in (1.0, -1.0)]
        signs = (1.0,) if self.one_sided else (1.0, -1.0)
        shifts = self.sigma * self._directions(state)
        moved = [Trial(state.point + sign * shift, rows) for shift in shifts for sign in signs]
        return [Trial(state.point, rows), *moved] if self._asks_point(state) else moved

    def unfinished(self, state: ZOState) -> bool:
        return state.tried.size > 0 or state.n_steps % self.steps != 0

    def tell(
        self, state: ZOState, trials: Sequence[Trial[Vector]], losses: Sequence[Losses]
    ) -> ZOState:
        told = np.stack(losses)  # (n_trials, n_rows)
        if state.tried.size:
            return self._kept(state, told)
        slopes = self._slopes(told)
        known = np.isfinite(slopes)
        if not known.any():
            return replace(state, n_steps=state.n_steps + 1)
        weights = np.sign(slopes[known]) if self.rule == "sign" else slopes[known]
        estimate = weights @ self._directions(state)[known] / len(weights)
        state = replace(state, norm=float(np.linalg.norm(estimate)))
        if self.longest_gradient and self.rule != "sign":
            estimate = clipped(estimate, self.longest_gradient)
        moments, step = RULES[self.rule](state.moments, estimate, self.learning_rate)
        if self.rule == "conservative":
            return replace(state, tried=step, clean=told[0])
        n_steps, point = state.n_steps + 1, state.point + step
        return replace(state, n_steps=n_steps, point=point, moments=moments)

    def choice(self, state: ZOState) -> int | None:
        """The point that the generation began at."""
        return 0

    def describe(self, state: ZOState) -> Mapping[str, float]:
        """`gradient_norm`, of the last estimate, and `distance` from the start."""
        distance = float(np.linalg.norm(state.point - self.start))
        return {"gradient_norm": state.norm, "distance": distance}

    def _asks_point(self, state: ZOState) -> bool:
        """Whether a step asks the point: to compare with, or to be the generation's choice."""
        compared = self.one_sided or self.rule == "conservative"
        return compared or state.n_steps % self.steps == 0

    def _slopes(self, told: Losses) -> Losses:
        """g of each direction, shape (n_directions,); nan: unknown."""
        if self.one_sided:
            moved, clean = told[1:], np.broadcast_to(told[0], told[1:].shape)
            return differences(moved, clean) / self.sigma
        pairs = told[-2 * self.n_directions :]
        return differences(pairs[0::2], pairs[1::2]) / (2 * self.sigma)

    def _kept(self, state: ZOState, told: Losses) -> ZOState:
        """The state after a conservative step: at the best of the three, first of all the point."""
        three = np.stack([state.clean, *told])
        common = np.isfinite(three).all(axis=0)
        best = int(three[:, common].mean(axis=1).argmin()) if common.any() else 0
        point = state.point + (0.0, 1.0, -1.0)[best] * state.tried
        over = replace(state, tried=_nothing(), clean=_nothing())
        return replace(over, n_steps=state.n_steps + 1, point=point)

    def _directions(self, state: ZOState) -> Vector:
        """z of each direction of this step, shape (n_directions, d)."""
        random = np.random.default_rng((state.seed, state.n_steps, DIRECTIONS))
        return random.standard_normal((self.n_directions, len(state.point)))
