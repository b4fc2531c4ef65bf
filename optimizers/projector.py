"""A linear map between two frozen models, tuned by OPS with the noise on its output."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from optimizers.estimators import Draws, batch_gradient
from optimizers.ops import OPS, Candidate, OPSState, Vector


@dataclass(frozen=True, eq=False)
class Projector(OPS):
    """OPS on o = x W + b, W and b tuned together (OPS, arXiv:2410.05966, equation 1, section 5.3).

    The noise is on o, so a gradient needs no autograd: dL/dW is the mean over the batch of x times
    dL/do. The first trial of a generation is the module itself, the bias last, shape (m + 1, D).
    A draw is one on one example, where all that the module does is to put out o + sigma e: its
    candidate is that bias alone, shape (1, D), and no matrix is sent along.

    Args:
        start: W and b before the first step, shape (m + 1, D).
        inputs: x of each train row, shape (n_train, m).
    """

    inputs: NDArray[np.float64] = field(kw_only=True)

    def _outputs(self, state: OPSState) -> tuple[Candidate, Sequence[Candidate]]:
        outputs = (self._seen(state) @ state.point).astype(np.float32)
        return state.point.astype(np.float32), list(outputs[:, None])

    def _gradient(self, state: OPSState, draws: Draws) -> Vector:
        known = np.isfinite(draws.slopes)
        counts = np.bincount(draws.owners[known], minlength=len(state.clean))
        slopes = np.stack([_mean(draws, example) for example in range(len(state.clean))])
        weights = counts if self.by_query else counts > 0
        pulled: Vector = (self._seen(state).T * (weights / weights.sum())) @ slopes
        return pulled

    def _seen(self, state: OPSState) -> NDArray[np.float64]:
        """x of each example of the batch, and 1 for the bias, shape (n_examples, m + 1)."""
        rows = [row for (row,) in self._examples(state)]
        return np.hstack([self.inputs[rows], np.ones((len(rows), 1))])


def _mean(draws: Draws, example: int) -> Vector:
    """dL/do on one example, shape (D,); zero where all of its draws were lost."""
    mine = draws.owners == example
    first = np.zeros(int(mine.sum()), dtype=np.int64)
    return batch_gradient(Draws(first, draws.directions[mine], draws.slopes[mine]), 1)
