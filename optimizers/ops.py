"""Forward gradients with optimal query allocation: a clean pass, pilots, and the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizers import allocation
from optimizers.allocation import Counts
from optimizers.base import Losses, Trial
from optimizers.descent import Moments, adam, clipped
from optimizers.estimators import (
    Draws,
    antithetic,
    batch_gradient,
    draw_variances,
    likelihood_ratio,
)

Vector: TypeAlias = NDArray[np.float64]
AllocatorName: TypeAlias = Literal["equal", "bernoulli", "gaussian", "neyman"]

N_SHARES = 32  # drawn for one step of the Gaussian allocator
PILOT, MAIN = 0, 1  # the two rounds of a generation; they draw their directions apart


@dataclass(frozen=True, eq=False)
class OPSState:
    """Where the search stands; after the pilots, also what they answered."""

    seed: int
    generation: int
    point: Vector  # v, what is tuned, shape (d,)
    moments: Moments
    log_sigma: float
    allocator: tuple[float, ...]  # the Gaussian's four numbers
    clean: Losses | None = None  # of the batch, shape (B,); None: the pilots are still to be asked
    pilots: Losses | None = None  # slopes, shape (B * n_pilots,)
    counts: Counts | None = None  # of the last batch, draws
    ratio: float = 1.0  # estimated variance under equal counts over that under `counts`
    spread: float = 0.0  # coefficient of variation of sqrt(V)
    norm: float = 0.0  # of the last gradient


@dataclass(frozen=True, eq=False)
class OPS:
    """LR or SPSA on single examples, queries allocated where they lower the variance most.

    (OPS, arXiv:2410.05966.) A generation asks twice: the clean loss of each example
    of the batch and `n_pilots` draws on it; then the other draws, as allocated. Pilots are counted
    and used again. The step is Adam's on the gradient averaged by example.

    Unlike the paper, the default allocator is Neyman's with shrinkage: its counts minimize the
    paper's own objective, and drawing them at random can only add to it (Jensen).

    Args:
        start: v before the first step, shape (d,).
        n_train: rows of the train set.
        estimator: "lr" (one query a draw, clean loss as the baseline) or "spsa" (antithetic, two).
        matrix: A of the module o = A v on whose output the noise is, shape (D, d); None: o = v.
        unlike: 1 - cosine between the train examples, for the Gaussian allocator, (n_train,) * 2.
        queries: of one generation for each example, clean and pilot queries included.
        by_query: weigh by draws instead of by examples, as the released code does; biased.
    """

    start: Vector
    n_train: int
    estimator: Literal["lr", "spsa"] = "spsa"
    allocator: AllocatorName = "neyman"
    matrix: Vector | None = None
    unlike: Vector | None = None
    batch_size: int = 64
    queries: int = 60
    n_pilots: int = 2
    sigma: float = 0.1
    learning_rate: float = 0.01
    longest_gradient: float = 0.0  # Euclidean norm; 0: not cut
    shrinkage: float = 0.5
    bernoulli_p: float = 0.3
    allocator_rate: float = 0.01
    by_query: bool = False

    def init(self, seed: int) -> OPSState:
        point = np.array(self.start, dtype=np.float64)
        first = allocation.Gaussian.first(self._per_example)
        return OPSState(
            seed,
            0,
            point,
            Moments.none(point.shape),
            float(np.log(self.sigma)),
            (first.a, first.b, first.s, first.kappa),
        )

    def ask(self, state: OPSState) -> list[Trial[Vector]]:
        """The clean pass and the pilots, or the rest of the draws: one row each but the first."""
        rows = self._batch(state)
        output = self._output(state.point)
        directions, owners = self._asked(state)
        noise = np.exp(state.log_sigma) * directions
        signs = (1.0,) if self.estimator == "lr" else (1.0, -1.0)
        moved = [
            Trial(output + sign * each, (rows[owner],))
            for each, owner in zip(noise, owners, strict=True)
            for sign in signs
        ]
        return moved if state.clean is not None else [Trial(output, rows), *moved]

    def unfinished(self, state: OPSState) -> bool:
        """Whether the generation still has draws to ask, now that its pilots are known."""
        return state.clean is not None

    def tell(
        self, state: OPSState, trials: Sequence[Trial[Vector]], losses: Sequence[Losses]
    ) -> OPSState:
        if state.clean is None:
            clean = np.array(losses[0], dtype=np.float64)
            slopes = self._slopes(state, clean, losses[1:])
            return self._allocated(replace(state, clean=clean, pilots=slopes))
        return self._stepped(state, self._slopes(state, state.clean, losses))

    def choice(self, state: OPSState) -> int | None:
        """The point itself, asked as the first trial of the pilots."""
        return 0

    def describe(self, state: OPSState) -> Mapping[str, float]:
        counts = state.counts if state.counts is not None else np.zeros(1, dtype=np.int64)
        return {
            "sigma": float(np.exp(state.log_sigma)),
            "gradient_norm": state.norm,
            "fewest_draws": float(counts.min()),
            "most_draws": float(counts.max()),
            "spread_of_deviations": state.spread,
            "variance_ratio": state.ratio,
        }

    @property
    def _per_example(self) -> int:
        """Draws of one generation for each example, pilots included."""
        per_draw = 1 if self.estimator == "lr" else 2
        return max(self.n_pilots, (self.queries - 1) // per_draw)

    def _batch(self, state: OPSState) -> tuple[int, ...]:
        """Rows of this generation: every epoch is a new order of the train set."""
        size = min(self.batch_size, self.n_train)
        per_epoch = max(1, self.n_train // size)
        epoch, place = divmod(state.generation, per_epoch)
        order = np.random.default_rng((state.seed, 7, epoch)).permutation(self.n_train)
        return tuple(int(row) for row in order[place * size : (place + 1) * size])

    def _output(self, point: Vector) -> Vector:
        return point if self.matrix is None else np.asarray(self.matrix @ point)

    def _asked(self, state: OPSState) -> tuple[Vector, NDArray[np.int64]]:
        """Directions and owners of the draws that this state asks for."""
        return self._drawn(state, PILOT if state.clean is None else MAIN)

    def _drawn(self, state: OPSState, stage: int) -> tuple[Vector, NDArray[np.int64]]:
        counts = np.full(len(self._batch(state)), self.n_pilots, dtype=np.int64)
        if stage == MAIN:
            assert state.counts is not None
            counts = state.counts - counts
        width = len(self._output(state.point))
        random = np.random.default_rng((state.seed, state.generation, stage))
        directions = random.standard_normal((int(counts.sum()), width))
        return directions, np.repeat(np.arange(len(counts)), counts)

    def _slopes(self, state: OPSState, clean: Losses, losses: Sequence[Losses]) -> Losses:
        values = np.array([each[0] for each in losses], dtype=np.float64)
        sigma = float(np.exp(state.log_sigma))
        if self.estimator == "lr":
            _, owners = self._asked(state)
            return likelihood_ratio(values, clean[owners], sigma)
        return antithetic(values[0::2], values[1::2], sigma)

    def _draws(self, state: OPSState, stage: int, slopes: Losses) -> Draws:
        directions, owners = self._drawn(state, stage)
        return Draws(owners, directions, slopes)

    def _allocated(self, state: OPSState) -> OPSState:
        """The counts of this generation, from what the pilots tell of each example."""
        assert state.clean is not None and state.pilots is not None
        size = len(state.clean)
        pilots = self._draws(replace(state, clean=None), PILOT, state.pilots)
        variances = allocation.shrunk(draw_variances(pilots, size), self.shrinkage)
        counts, learned = self._counts(state, variances)
        deviations = np.sqrt(variances)
        spread = float(deviations.std() / deviations.mean()) if deviations.any() else 0.0
        ratio = allocation.variance_ratio(variances, counts)
        return replace(state, counts=counts, allocator=learned, spread=spread, ratio=ratio)

    def _counts(self, state: OPSState, variances: Vector) -> tuple[Counts, tuple[float, ...]]:
        assert state.clean is not None
        size = len(state.clean)
        total, kept = self._per_example * size, state.allocator
        random = np.random.default_rng((state.seed, state.generation, 2))
        if self.allocator == "neyman":
            return allocation.neyman(variances, total, self.n_pilots), kept
        if self.allocator == "bernoulli":
            counts = allocation.bernoulli(state.clean, self._per_example, self.bernoulli_p, random)
            return allocation.rounded(counts.astype(float), total, self.n_pilots), kept
        if self.allocator == "gaussian":
            rows = np.array(self._batch(state))
            apart = 1.0 - np.eye(self.n_train) if self.unlike is None else self.unlike
            unlike = apart[np.ix_(rows, rows)]
            gaussian = allocation.Gaussian(*state.allocator)
            shares = gaussian.draw(state.clean, unlike, N_SHARES, random)
            learned = gaussian.learn(state.clean, unlike, variances, shares, self.allocator_rate)
            drawn = learned.draw(state.clean, unlike, 1, random)[0]
            kept = (learned.a, learned.b, learned.s, learned.kappa)
            return allocation.rounded(drawn, total, self.n_pilots), kept
        return allocation.equal(size, total), kept

    def _stepped(self, state: OPSState, slopes: Losses) -> OPSState:
        """One step of Adam on everything that was drawn, pilots included."""
        assert state.clean is not None and state.pilots is not None
        pilots = self._draws(state, PILOT, state.pilots)
        draws = pilots + self._draws(state, MAIN, slopes)
        gradient = batch_gradient(draws, len(state.clean), by_query=self.by_query)
        pulled = gradient if self.matrix is None else np.asarray(self.matrix.T @ gradient)
        norm = float(np.linalg.norm(pulled))
        if self.longest_gradient:
            pulled = clipped(pulled, self.longest_gradient)
        moments, step = adam(state.moments, pulled, self.learning_rate)
        return replace(
            state,
            generation=state.generation + 1,
            point=state.point + step,
            moments=moments,
            clean=None,
            pilots=None,
            norm=norm,
        )
