"""Forward gradients with optimal query allocation: a clean pass, pilots, and the rest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from optimizers import allocation
from optimizers.allocation import Counts
from optimizers.base import Losses, Trial
from optimizers.descent import Moments, adam, clipped, cosine
from optimizers.estimators import (
    Directions,
    Draws,
    antithetic,
    batch_gradient,
    draw_variances,
    likelihood_ratio,
    noise_gradient,
)

Vector: TypeAlias = NDArray[np.float64]
Candidate: TypeAlias = NDArray[np.float32]
Rows: TypeAlias = tuple[int, ...]
AllocatorName: TypeAlias = Literal["equal", "bernoulli", "gaussian", "neyman"]

N_SHARES = 32  # drawn for one step of the Gaussian allocator
ORDER, NOISE, SHARES = 0, 1, 2  # streams of random numbers
FIRST, REST = 0, 1  # the rounds of a generation; they draw their directions apart
SIGMA_RANGE = 10.0  # a learned sigma stays within this factor of its start


def _none_yet() -> Losses:
    return np.empty((0, 0))


@dataclass(frozen=True, eq=False)
class OPSState:
    """Where the search stands; within a generation also what the first round answered."""

    seed: int
    generation: int  # steps made
    point: Vector  # v, what is tuned, shape (d,)
    moments: Moments
    log_sigma: float
    sigma_moments: Moments  # of log_sigma, shape (1,)
    allocator: tuple[float, ...]  # the Gaussian's four numbers
    counts: Counts  # draws of each example of the latest batch
    clean: Losses = field(default_factory=_none_yet)  # (n_examples, n_rows); empty: first round
    first: Losses = field(default_factory=_none_yet)  # what its draws were told, (n_trials, n_rows)
    ratio: float = 1.0  # variance of the gradient under equal counts over that under `counts`
    spread: float = 0.0  # coefficient of variation of sqrt(V)
    norm: float = 0.0  # of the latest gradient by v


@dataclass(frozen=True, eq=False)
class OPS:
    """LR or SPSA on single examples, queries allocated where they lower the variance most.

    (OPS, arXiv:2410.05966.) A generation asks twice: the clean loss of each example of the batch
    and `n_pilots` draws on it; then the other draws, as allocated. Pilots are counted and used
    again. With the allocator "equal" there is nothing to wait for, and all is asked at once. The
    step is Adam's on the gradient averaged by example.

    Unlike the paper, the default allocator is Neyman's with shrinkage: its counts minimize the
    paper's own objective, and drawing them at random can only add to it (Jensen).
    Unlike the paper, the clean pass counts among an example's queries.

    Args:
        start: v before the first step, shape (d,).
        n_train: rows of the train set.
        estimator: "lr" (one query a draw, clean loss as the baseline) or "spsa" (antithetic, two).
        shared: one direction for all rows of a batch, as MeZO draws them (arXiv:2305.17333): the
            batch is then the only example there is, and the allocator has nothing to share out.
        matrix: A of the module o = A v on whose output the noise is, shape (D, d); None: o = v.
        unlike: 1 - cosine between the train examples, for the Gaussian allocator, (n_train,) * 2.
        queries: of one generation for each row of a batch, clean and pilot queries included.
        sigma_rate: step size of Adam on ln sigma; 0: sigma stays.
        horizon: generations over which the step falls to nothing by half a cosine; 0: it stays.
        longest_gradient: Euclidean norm that gradients are cut to; 0: they are not.
        by_query: weigh by draws instead of by examples, as the released code does; biased.
    """

    start: Vector
    n_train: int
    estimator: Literal["lr", "spsa"] = "spsa"
    allocator: AllocatorName = "neyman"
    shared: bool = False
    matrix: NDArray[np.float32] | None = None
    unlike: Vector | None = None
    batch_size: int = 64
    queries: int = 60
    n_pilots: int = 2
    sigma: float = 0.1
    sigma_rate: float = 0.0
    learning_rate: float = 0.01
    horizon: int = 0
    longest_gradient: float = 0.0
    shrinkage: float = 0.5
    bernoulli_p: float = 0.3
    allocator_rate: float = 0.01
    by_query: bool = False

    def init(self, seed: int) -> OPSState:
        first = allocation.Gaussian.first(max(1, (self.queries - 1) // self._per_draw))
        return OPSState(
            seed,
            0,
            np.array(self.start, dtype=np.float64),
            Moments.none(self.start.shape),
            float(np.log(self.sigma)),
            Moments.none((1,)),
            (first.a, first.b, first.s, first.kappa),
            np.zeros(0, dtype=np.int64),
        )

    def ask(self, state: OPSState) -> list[Trial[Candidate]]:
        """The point on the whole batch and the first draws on their examples; then the rest."""
        examples, (whole, outputs) = self._examples(state), self._outputs(state)
        directions, owners = self._drawn(state, REST if state.clean.size else FIRST)
        sigma = np.float32(np.exp(state.log_sigma))
        moved = [
            Trial(outputs[owner] + step * each, examples[owner])
            for each, owner in zip(directions, owners, strict=True)
            for step in (sigma, -sigma)[: self._per_draw]
        ]
        return moved if state.clean.size else [Trial(whole, sum(examples, ())), *moved]

    def unfinished(self, state: OPSState) -> bool:
        """Whether the generation still has draws to ask, now that its pilots are known."""
        return state.clean.size > 0

    def tell(
        self, state: OPSState, trials: Sequence[Trial[Candidate]], losses: Sequence[Losses]
    ) -> OPSState:
        if state.clean.size:
            return self._stepped(state, _told(losses))
        clean = _told(losses[:1]).reshape(len(self._examples(state)), -1)
        state = self._allocated(replace(state, clean=clean, first=_told(losses[1:])))
        rest = state.counts - self._first_counts(len(clean))
        return state if rest.any() else self._stepped(state, np.empty((0, clean.shape[1])))

    def choice(self, state: OPSState) -> int | None:
        """The point itself, which the first trial of a generation is."""
        return 0

    def allocation(self, state: OPSState) -> Mapping[int, int]:
        """Queries of each row of the latest batch, by row."""
        examples = self._examples(replace(state, generation=max(0, state.generation - 1)))
        return {
            row: 1 + self._per_draw * int(count)
            for rows, count in zip(examples, state.counts, strict=False)
            for row in rows
        }

    def describe(self, state: OPSState) -> Mapping[str, float]:
        return {
            "sigma": float(np.exp(state.log_sigma)),
            "gradient_norm": state.norm,
            "fewest_draws": float(min(state.counts, default=0)),
            "most_draws": float(max(state.counts, default=0)),
            "spread_of_deviations": state.spread,
            "variance_ratio": state.ratio,
        }

    @property
    def _per_draw(self) -> int:
        """Queries of one draw on one row."""
        return 1 if self.estimator == "lr" else 2

    def _examples(self, state: OPSState) -> list[Rows]:
        """This generation's batch, cut into what has directions of its own.

        Every epoch is a new order of the train set; what does not fill a batch is left out of it.
        """
        size = min(self.batch_size, self.n_train)
        epoch, place = divmod(state.generation, self.n_train // size)
        order = np.random.default_rng((state.seed, ORDER, epoch)).permutation(self.n_train)
        batch = tuple(int(row) for row in order[place * size : (place + 1) * size])
        return [batch] if self.shared else [(row,) for row in batch]

    def _outputs(self, state: OPSState) -> tuple[Candidate, Sequence[Candidate]]:
        """What the whole batch is asked, and what the draws on each example move."""
        point = state.point.astype(np.float32)
        output = point if self.matrix is None else self.matrix @ point
        return output, [output] * len(self._examples(state))

    def _gradient(self, state: OPSState, draws: Draws) -> Vector:
        """dL/dv, of the mean loss of the batch: A' dL/do."""
        slopes = batch_gradient(draws, len(state.clean), by_query=self.by_query)
        pulled = slopes if self.matrix is None else slopes.astype(np.float32) @ self.matrix
        return pulled.astype(np.float64)

    def _n_draws(self, n_examples: int) -> int:
        """Of one generation, over all examples: as many as the queries are enough for."""
        return n_examples * (self.queries - 1) // self._per_draw

    def _first_counts(self, n_examples: int) -> Counts:
        """Draws of each example in the first round."""
        if self.allocator == "equal":
            return allocation.equal(n_examples, self._n_draws(n_examples))
        return np.full(n_examples, self.n_pilots, dtype=np.int64)

    def _drawn(self, state: OPSState, place: int) -> tuple[Directions, NDArray[np.int64]]:
        """Directions of one round's draws and the example of each."""
        n = len(self._examples(state))
        counts = self._first_counts(n)
        if place == REST:
            counts = state.counts - counts
        random = np.random.default_rng((state.seed, NOISE, state.generation, place))
        shape = int(counts.sum()), self._outputs(state)[0].shape[-1]
        directions = random.standard_normal(shape, dtype=np.float32)
        return directions, np.repeat(np.arange(n), counts)

    def _read(self, state: OPSState, place: int, losses: Losses) -> tuple[Draws, Losses]:
        """One round's draws, and how far the loss rose above the clean one in each."""
        directions, owners = self._drawn(state, place)
        sigma, clean = float(np.exp(state.log_sigma)), state.clean[owners]
        if self.estimator == "lr":
            slopes, rises = likelihood_ratio(losses, clean, sigma), losses - clean
        else:
            plus, minus = losses[0::2], losses[1::2]
            slopes, rises = antithetic(plus, minus, sigma), (plus + minus) / 2 - clean
        return Draws(owners, directions, _known_mean(slopes)), _known_mean(rises)

    def _allocated(self, state: OPSState) -> OPSState:
        """The counts of this generation, from what the first round tells of each example."""
        n, clean = len(state.clean), _known_mean(state.clean)
        total, least = self._n_draws(n), self.n_pilots
        if self.allocator == "equal":
            return replace(state, counts=allocation.equal(n, total))
        random = np.random.default_rng((state.seed, SHARES, state.generation))
        if self.allocator == "bernoulli":
            halved = allocation.bernoulli(clean, total // n, self.bernoulli_p, random)
            return replace(state, counts=allocation.rounded(halved.astype(float), total, least))
        pilots, _ = self._read(state, FIRST, state.first)
        variances = allocation.shrunk(draw_variances(pilots, n), self.shrinkage)
        if self.allocator == "neyman":
            return replace(state, counts=allocation.neyman(variances, total, least))
        rows = sum(self._examples(state), ())
        unlike = 1.0 - np.eye(n) if self.unlike is None else self.unlike[np.ix_(rows, rows)]
        gaussian = allocation.Gaussian(*state.allocator)
        shares = gaussian.draw(clean, unlike, N_SHARES, random)
        new = gaussian.learn(clean, unlike, variances, shares, self.allocator_rate)
        counts = allocation.rounded(new.draw(clean, unlike, 1, random)[0], total, least)
        return replace(state, counts=counts, allocator=(new.a, new.b, new.s, new.kappa))

    def _stepped(self, state: OPSState, losses: Losses) -> OPSState:
        """One step of Adam on everything that was drawn, pilots included."""
        n = len(state.clean)
        first, first_rises = self._read(state, FIRST, state.first)
        rest, rest_rises = self._read(state, REST, losses)
        draws, rises = first + rest, np.concatenate([first_rises, rest_rises])
        over = replace(state, generation=state.generation + 1, clean=_none_yet(), first=_none_yet())
        if not np.isfinite(draws.slopes).any():
            return over
        known, fresh = draw_variances(draws, n), draw_variances(rest, n)
        honest = np.where(np.isnan(fresh), known, fresh)  # pilots would flatter their own counts
        pulled = self._gradient(state, draws)
        cut = clipped(pulled, self.longest_gradient) if self.longest_gradient else pulled
        rate = self.learning_rate * cosine(state.generation, self.horizon)
        moments, step = adam(state.moments, cut, rate)
        over = replace(
            over,
            point=state.point + step,
            moments=moments,
            ratio=allocation.variance_ratio(honest, state.counts),
            spread=allocation.spread(known),
            norm=float(np.linalg.norm(pulled)),
        )
        if not self.sigma_rate:
            return over
        return self._widened(over, noise_gradient(draws, rises, n, by_query=self.by_query))

    def _widened(self, state: OPSState, slope: float) -> OPSState:
        """One step of Adam on ln sigma, which float32 losses must still resolve."""
        moments, step = adam(state.sigma_moments, np.array([slope]), self.sigma_rate)
        start, most = float(np.log(self.sigma)), float(np.log(SIGMA_RANGE))
        moved = float(np.clip(state.log_sigma + step[0], start - most, start + most))
        return replace(state, log_sigma=moved, sigma_moments=moments)


def _told(losses: Sequence[Losses]) -> Losses:
    """As one array, a row for each trial; what is lost is nan."""
    stacked = np.stack(losses).astype(np.float64)
    return np.where(np.isfinite(stacked), stacked, np.nan)


def _known_mean(values: Losses) -> Losses:
    """Mean of each row of an array over what is known of it; nan where nothing is."""
    known = np.isfinite(values)
    counts = known.sum(axis=1)
    sums = np.where(known, values, 0.0).sum(axis=1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
