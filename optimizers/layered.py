"""One optimizer a layer, in turn: each moves its own layer while the others stand still."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses, Trial, mean_losses
from optimizers.replayed import Replayed, ReplayedState

Points = NDArray[np.float64]  # shape (n_layers, dim)
Keep = Literal["best", "latest"]


@dataclass(frozen=True, eq=False)
class LayeredState:
    """Where every layer stands, and the state of its own optimizer."""

    generation: int  # populations told; the next one belongs to layer `generation % n_layers`
    layers: tuple[ReplayedState, ...]
    points: Points  # what each layer stands at
    losses: Losses  # of these points when they were told, shape (n_layers,); +inf: not yet


@dataclass(frozen=True, eq=False)
class Layered:
    """Divide and conquer (BBTv2, Sun et al. 2022, arXiv:2205.11200, algorithm 1).

    A generation is the population of one layer. Its candidates have shape (n_layers, dim): where
    all layers stand, with that layer's row proposed by its own optimizer. From the first layer
    to the last and then again, all start at 0.

    Args:
        single: the optimizer of a layer; it is given a seed of its own for each.
        keep: where a layer stands after its population: "best", the best point it has ever been
            told, as the released code has it, though other layers may have moved since; or
            "latest", the best of this population. A population that failed moves nothing.
    """

    single: Replayed
    n_layers: int
    dim: int
    keep: Keep = "best"

    @classmethod
    def of(cls, single: Replayed, n_layers: int, dim: int, keep: Keep = "best") -> "Layered":
        """As the class, with room in `single` for every layer's run."""
        return cls(replace(single, keep=max(single.keep, n_layers)), n_layers, dim, keep)

    def init(self, seed: int) -> LayeredState:
        return LayeredState(
            0,
            tuple(self.single.init(stream(seed, layer)) for layer in range(self.n_layers)),
            np.zeros((self.n_layers, self.dim)),
            np.full(self.n_layers, np.inf),
        )

    def ask(self, state: LayeredState) -> list[Trial[Points]]:
        layer = self._turn(state)
        return [
            Trial(_with_row(state.points, layer, trial.candidate))
            for trial in self.single.ask(state.layers[layer])
        ]

    def tell(
        self, state: LayeredState, trials: Sequence[Trial[Points]], losses: Sequence[Losses]
    ) -> LayeredState:
        layer = self._turn(state)
        own = [Trial(trial.candidate[layer]) for trial in trials]
        told = self.single.tell(state.layers[layer], own, losses)
        means = mean_losses(losses)
        best = int(means.argmin())
        moved = replace(
            state,
            generation=state.generation + 1,
            layers=(*state.layers[:layer], told, *state.layers[layer + 1 :]),
        )
        before = state.losses[layer] if self.keep == "best" else np.inf
        if not means[best] < before:
            return moved
        return replace(
            moved,
            points=_with_row(state.points, layer, own[best].candidate),
            losses=_with_row(state.losses, layer, float(means[best])),
        )

    def describe(self, state: LayeredState) -> Mapping[str, float]:
        """The numbers of the layer that was told last, and which it is, counted from 0."""
        layer = max(0, state.generation - 1) % self.n_layers
        return {"layer": layer, **self.single.describe(state.layers[layer])}

    def _turn(self, state: LayeredState) -> int:
        return state.generation % self.n_layers


def stream(seed: int, layer: int) -> int:
    """A layer's own seed, a whole number below 2^63: equal jobs draw alike, layers do not."""
    (word,) = np.random.SeedSequence((seed, layer)).generate_state(1, np.uint64)
    return int(word) >> 1


def _with_row(
    rows: NDArray[np.float64], place: int, row: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    changed = rows.copy()
    changed[place] = row
    changed.setflags(write=False)
    return changed
