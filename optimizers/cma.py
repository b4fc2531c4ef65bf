"""CMA-ES by pycma, made to replay exactly. No algorithm of its own, no stop rule, no output.

Read in pycma 4.5.0, with what is done about each here:

* It draws from numpy's global generator and seeds it, 0 and None meaning "use the clock". Given
  the option `randn` it draws from that alone, TPA's sample lengths included; `seed` is then
  unused, and nan says so.
* TPA's `check_consistency` draws from numpy's global generator all the same, to warn only. It is
  replaced by nothing.
* The clock is read for `timeout` (in `stop`, never called) and for display. The eigendecomposition
  is lazy by generations told, not by time. `stop` also reads `cma_signals.in` from the working
  directory.
* The archives' keys are Python hashes, salted in each process; they are only looked up.
* The last bits of a full covariance depend on how many threads BLAS uses (at 500 dimensions, not
  yet at 200; never with a diagonal one): a run must go on with the number that it began with.
* Asked twice for one generation, TPA fails: its mirrored pair is prepared by `tell`.
* A run that outlasts its own stop rules (flat losses do it, within some hundreds of generations
  in a few dimensions) ends in 0/0 or an assertion. It is restarted before.
* Importing it warns where matplotlib is missing, and takes most of a second (scipy.stats): it is
  imported when first needed.
"""

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from optimizers.base import Losses
from optimizers.replayed import Replayed, Vector

StepSize = Literal["csa", "tpa"]
Covariance = Literal["full", "diagonal"]
STREAM = 0x636D61  # "cma": a stream of its own, also where a job uses its seed for other draws
SMALLEST = 1e-12  # of sigma0: the least standard deviation; its reciprocal is the greatest

# Every option that changed between versions, or that would stop, print or write. pycma 4.4 and 4.5.
_PLAIN: dict[str, Any] = {
    "seed": math.nan,
    "CMA_active": True,
    "CMA_cmean": 1,
    "CMA_diagonal_decoding": 0,
    "CMA_elitist": False,
    "CMA_mirrors": 0,
    "CSA_dampfac": 1,
    "CSA_squared": False,
    "conditioncov_alleviate": [1e8, 1e12],
    "maxstd_boundrange": 1 / 3,
    "updatecovwait": None,  # as pycma has it: an eigendecomposition every 1 / (10 n (c1 + cmu))
    "ftarget": -math.inf,
    "maxfevals": math.inf,
    "maxiter": math.inf,
    "timeout": math.inf,
    "tolconditioncov": math.inf,
    "tolfacupx": math.inf,
    "tolflatfitness": math.inf,
    "tolfun": 0,
    "tolfunhist": 0,
    "tolfunrel": 0,
    "tolstagnation": 0,
    "tolupsigma": math.inf,
    "tolx": 0,
    "tolxstagnation": False,
    "signals_filename": None,
    "verbose": -9,
    "verb_disp": 0,
    "verb_log": 0,
    "verb_plot": 0,
}


@cache
def pycma() -> Any:
    """The library, imported when first asked for."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Could not import matplotlib")
        import cma
    return cma


def cma_es(
    dim: int,
    *,
    sigma0: float = 1.0,
    population_size: int = 20,
    bound: float | None = None,
    step_size: StepSize = "csa",
    covariance: Covariance = "full",
) -> Replayed:
    """CMA-ES (Hansen 2016, arXiv:1604.00772) from mean 0, minimizing the mean loss of a trial.

    Args:
        dim: length of a candidate, 2 or more.
        sigma0: first step size, in the units of a candidate.
        population_size: candidates in a generation, 4 or more.
        bound: every entry stays in [-bound, bound], by pycma's `BoundTransform`; None: no bound.
        step_size: "csa", cumulative step-size adaptation (equations 43-44), which the published
            BBT ran; "tpa", two-point adaptation (Hansen et al. 2014), pycma 4.5's own choice
            from dim 300 on. At 500 dimensions and 400 generations it gets further.
        covariance: "full" (equation 47) or "diagonal" (separable CMA-ES, Ros & Hansen 2008),
            ten times as fast at 500 dimensions.

    Unlike the paper, the worse half has negative weights (active CMA, as BBT ran it).
    Unlike the paper, no criterion stops it: the service does. Where a standard deviation leaves
    (1e-12, 1e12) sigma0 or is lost in the rounding of the mean, or the condition number of C is
    1e12, it starts again from mean 0 and sigma0, with new draws.

    Raises:
        ValueError: an argument out of its range.
    """
    _check(dim, sigma0, population_size, bound)
    _check_choice("step_size", step_size, StepSize)
    _check_choice("covariance", covariance, Covariance)
    options = _PLAIN | {
        "popsize": population_size,
        "bounds": None if bound is None else [-bound, bound],
        "CMA_diagonal": covariance == "diagonal",
    }

    def make(seed: int) -> LiveCMA:
        randn = normals(seed)  # one for all restarts

        def start() -> Any:
            own = {
                "randn": randn,
                "AdaptSigma": _rule(step_size, dim, population_size),
                "BoundaryHandler": pycma().BoundTransform,
            }
            return pycma().CMAEvolutionStrategy(np.zeros(dim), sigma0, options | own)

        return LiveCMA(start)

    return Replayed(make, population_size)


class LiveCMA:
    """One pycma run, quiet and endless: `strategy` is its `CMAEvolutionStrategy`."""

    def __init__(self, start: Callable[[], Any]) -> None:
        self._start = start
        self._untold: list[Vector] = []
        self._restarts = 0
        with _quiet():
            self.strategy = start()

    def ask(self) -> list[Vector]:
        paired = isinstance(self.strategy.adapt_sigma, pycma().sigma_adaptation.CMAAdaptSigmaTPA)
        with _quiet():
            if self._untold and paired:  # the mirrored pair stays: only `tell` makes a new one
                rest = [self.strategy.ask(1)[0] for _ in self._untold[2:]]
                self._untold = self._untold[:2] + rest
            else:
                self._untold = self.strategy.ask()
        return self._untold

    def tell(self, candidates: list[Vector], losses: Losses) -> None:
        self._untold = []
        with _quiet():
            self.strategy.tell(candidates, losses.tolist())
            if _degenerate(self.strategy):
                self.strategy = self._start()
                self._restarts += 1

    def describe(self) -> Mapping[str, float]:
        """Return `sigma`, `axis_ratio` (longest over shortest axis) and `restarts`, a count."""
        es = self.strategy
        axes = es.stds if es.opts["CMA_diagonal"] else es.D
        return {
            "sigma": float(es.sigma),
            "axis_ratio": float(np.max(axes) / np.min(axes)),
            "restarts": self._restarts,
        }


def _degenerate(es: Any) -> bool:
    """Whether the next step could fail in floating point: each test is false for nan, too."""
    stds = es.stds  # shape (dim,), of the search distribution
    sound = (
        es.sm.condition_number < 1 / SMALLEST  # beyond, pycma changes coordinates
        and np.all(stds > SMALLEST * es.sigma0)
        and np.all(stds < es.sigma0 / SMALLEST)
        and np.all(np.isfinite(es.mean))
        and np.all(es.mean + 0.2 * stds != es.mean)  # pycma's `noeffectcoord`
    )
    return not sound


@contextmanager
def _quiet() -> Iterator[None]:
    """Drop pycma's warnings: what is worth knowing of them is in `describe`."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def normals(seed: int) -> Callable[..., NDArray[np.float64]]:
    """Return `randn(*shape)`, standard normal draws, from a new generator of its own."""
    generator = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(STREAM,)))
    return lambda *shape: generator.standard_normal(shape)


def _rule(step_size: StepSize, dim: int, population_size: int) -> Any:
    rules = pycma().sigma_adaptation
    if step_size == "csa":
        return rules.CMAAdaptSigmaCSA(dimension=dim, popsize=population_size)
    rule = rules.CMAAdaptSigmaTPA(dimension=dim, popsize=population_size)
    rule.check_consistency = lambda strategy: None  # it draws from numpy's global generator
    return rule


def _check(dim: int, sigma0: float, population_size: int, bound: float | None) -> None:
    if dim < 2:
        raise ValueError(f"dim is {dim}, CMA-ES needs 2 or more")
    if population_size < 4:
        raise ValueError(f"population_size is {population_size}, CMA-ES needs 4 or more")
    if not 0 < sigma0 < math.inf:
        raise ValueError(f"sigma0 is {sigma0}, it must be positive and finite")
    if bound is None:
        return
    if not 0 < bound < math.inf:
        raise ValueError(f"bound is {bound}, it must be positive and finite, or None")
    if sigma0 > 2 * bound / 3:  # pycma would cut it without a word
        raise ValueError(
            f"sigma0 is {sigma0}, more than a third of the domain [-{bound}, {bound}]: "
            "make it smaller, or the bound larger"
        )


def _check_choice(name: str, value: str, choices: Any) -> None:
    if value not in get_args(choices):
        raise ValueError(f"{name} is {value!r}, it must be one of {get_args(choices)}")
