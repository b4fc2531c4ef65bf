"""Two searches of all layers, one after the other: the second refines what the first has found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from optimizers.base import Losses, Trial, mean_losses
from optimizers.layered import Layered, LayeredState, Points, stream


@dataclass(frozen=True, eq=False)
class TwoStageState:
    """Both searches' states, and the point that the second one starts from."""

    generation: int  # populations told, of both stages
    first: LayeredState
    second: LayeredState  # its points are shifts from `start`
    start: Points  # of the lowest loss in the first stage; zeros before any
    loss: float  # nats, its mean loss; +inf before any


@dataclass(frozen=True, eq=False)
class TwoStage:
    """Derivative-free optimization in two stages (BBT-RGB, Sun et al. 2024, arXiv:2305.08088).

    The second stage moves around one point and only ever downhill: a layer leaves its place for
    a loss below all that have been told. A population in which nothing is better moves nothing.

    Unlike the paper, the second stage starts where the loss on train was lowest, not where dev
    last improved: an optimizer hears of no dev rows. The layers take turns in it as in the first.

    Args:
        first: searches from 0.
        second: searches around the start, with what is left of the job; `keep` is "best".
        switch: generations of the first stage.
        bound: every entry of a candidate stays in [-bound, bound]; None: no bound.
    """

    first: Layered
    second: Layered
    switch: int
    bound: float | None = None

    def init(self, seed: int) -> TwoStageState:
        n_layers = self.first.n_layers
        second = self.second.init(stream(seed, n_layers))  # behind the layers' own seeds
        start = np.zeros((n_layers, self.first.dim))
        return TwoStageState(0, self.first.init(seed), second, start, np.inf)

    def ask(self, state: TwoStageState) -> list[Trial[Points]]:
        if self._in_first(state):
            return self.first.ask(state.first)
        bound = np.inf if self.bound is None else self.bound
        return [
            Trial(np.clip(state.start + trial.candidate, -bound, bound))
            for trial in self.second.ask(state.second)
        ]

    def tell(
        self, state: TwoStageState, trials: Sequence[Trial[Points]], losses: Sequence[Losses]
    ) -> TwoStageState:
        moved = replace(state, generation=state.generation + 1)
        if not self._in_first(state):
            shifts = self.second.ask(state.second)
            told = self.second.tell(state.second, shifts, losses)
            return replace(moved, second=_downhill(told, float(told.losses.min())))
        moved = replace(moved, first=self.first.tell(state.first, trials, losses))
        means = mean_losses(losses)
        best = int(means.argmin())
        if means[best] < state.loss:
            moved = replace(moved, start=trials[best].candidate, loss=float(means[best]))
        return replace(moved, second=_downhill(state.second, moved.loss))

    def describe(self, state: TwoStageState) -> Mapping[str, float]:
        """The numbers of the layer that was told last, and the stage it was told in: 1 or 2."""
        if state.generation <= self.switch:
            return {"stage": 1, **self.first.describe(state.first)}
        return {"stage": 2, **self.second.describe(state.second)}

    def _in_first(self, state: TwoStageState) -> bool:
        return state.generation < self.switch


def _downhill(second: LayeredState, loss: float) -> LayeredState:
    """The state in which every layer is left only for a loss below this one."""
    return replace(second, losses=np.full_like(second.losses, loss))
