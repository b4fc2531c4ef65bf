"""Any optimizer of nevergrad by its name, made to replay exactly. No algorithm, no pickle.

Read in nevergrad 1.0.12, with what is done about each here:

* Its objects draw from the random state of their parametrization, which is seeded, but some (and
  pycma below) from numpy's and Python's global generators too. Each object has global generators
  of its own, which are put in place while it is asked and told.
* Optimizers that take one loss at a time are refused, and so are those with such a one inside: it
  runs in a thread of its own, of which only its end would let the process end.
* Meta-models are refused, and with them what chooses one (NGOpt does in few dimensions): each of
  their steps may take 20 seconds by the clock, and with numpy 2.4 most of them fail.
* Many choose their way by `budget`, the number of candidates to come, and some stop or fail beyond
  it: there a new object takes over, with new draws.
* Some need other packages, and a few fail with the numpy of today: each is tried before it is
  used, for a few populations, and what it raises is said in the refusal.
* Its CMA asks pycma twice in one generation where the populations differ in size; pycma 4.5 fails
  then from 300 dimensions on, where its step-size rule is another one. So 299 is the most.
* It warns of settings that it finds inefficient.
"""

import difflib
import random
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import numpy as np

from optimizers.base import Losses
from optimizers.replayed import Replayed, Vector

STREAM = 0x6E67  # "ng": a stream of its own, also where a job uses its seed for other draws
MOST_DIMENSIONS = 299
WELL_KNOWN = ("CMA", "DiagonalCMA", "TwoPointsDE", "PSO", "TBPSA", "OnePlusOne")
FAILURES = (
    ArithmeticError,
    AssertionError,
    ImportError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
TRIED = 4  # populations before an optimizer is accepted
PATIENCE = 2.0  # seconds that a thread has to end which has been told to


class NotInstalled(ImportError):
    """nevergrad, which is optional, is not there."""


def by_name(
    name: str,
    dim: int,
    *,
    sigma0: float = 1.0,
    population_size: int = 20,
    evaluations: int = 1000,
) -> Replayed:
    """The optimizer of this name (Bennet et al. 2021, doi:10.1145/3460310.3460312), from 0.

    Unlike the paper, one that comes to the end of its budget begins again, with new draws.

    Args:
        dim: length of a candidate, 299 at most.
        sigma0: nevergrad's mutation sigma, in the units of a candidate.
        population_size: candidates asked at once, nevergrad's `num_workers`; 2 or more.
        evaluations: nevergrad's `budget`: the candidates that it should expect.

    Raises:
        NotInstalled: nevergrad is not installed.
        ValueError: there is no such optimizer, it cannot be asked so, or an argument is out of
            its range.
    """
    check(name)
    if not 1 <= dim <= MOST_DIMENSIONS:
        raise ValueError(f"dim is {dim}, it must be from 1 to {MOST_DIMENSIONS}")
    if population_size < 2 or evaluations < population_size:
        raise ValueError(
            f"population_size is {population_size} and evaluations {evaluations}: the first must "
            "be 2 or more, and the second no less"
        )

    def make(seed: int) -> LiveNevergrad:
        return LiveNevergrad(name, dim, sigma0, population_size, evaluations, seed)

    try:
        _try(make(0))
    except FAILURES as error:
        raise ValueError(f"nevergrad's {name} cannot be used here: {error}") from error
    return Replayed(make, population_size)


def check(name: str) -> None:
    """Nothing, if nevergrad has an optimizer of this name that answers `ask`.

    Raises:
        NotInstalled: nevergrad is not installed.
        ValueError: it has none.
    """
    known = _registry()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(
            f"nevergrad has no optimizer {name!r}; {hint}among its {len(known)} are: "
            f"{', '.join(WELL_KNOWN)}"
        )
    if known[name].no_parallelization or known[name].recast:
        raise ValueError(f"nevergrad's {name} takes one loss at a time, not a population's")


def _registry() -> Mapping[str, Any]:
    """nevergrad's optimizers, by name; the import takes a second or two."""
    if find_spec("nevergrad") is None:
        raise NotInstalled("nevergrad is not installed: pip install nevergrad")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        library = import_module("nevergrad")
    registry: Mapping[str, Any] = library.optimizers.registry
    return registry


def _try(live: "LiveNevergrad") -> None:
    for _ in range(TRIED):
        population = live.ask()
        live.tell(population, np.array([((each - 1.0) ** 2).sum() for each in population]))
    for part in _parts(live.optimizer):
        if type(part).__name__ == "_MetaModel":
            raise RuntimeError(f"{part.name} is a meta-model, which goes by the clock")


def _parts(optimizer: Any) -> Iterator[Any]:
    """The optimizer, and all that it has started so far."""
    yield optimizer
    kind = import_module("nevergrad").optimizers.base.Optimizer
    for value in vars(optimizer).values():
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, kind):
                yield from _parts(each)


class LiveNevergrad:
    """One nevergrad run without end: `optimizer` is its object, until its budget is asked for."""

    def __init__(
        self,
        name: str,
        dim: int,
        sigma0: float,
        population_size: int,
        evaluations: int,
        seed: int,
    ) -> None:
        self._kind, self._shape, self._sigma0 = _registry()[name], (dim,), sigma0
        self._population_size, self._evaluations = population_size, evaluations
        self._restarts = 0
        words = np.random.SeedSequence(seed, spawn_key=(STREAM,)).generate_state(4)
        self._draws = np.random.RandomState(words)
        self._globals: Any = (
            np.random.RandomState(words[::-1]).get_state(),
            random.Random(int(words[0])).getstate(),  # noqa: S311
        )
        self._asked: list[Any] = []
        self.optimizer = self._started()

    def ask(self) -> list[Vector]:
        if self.optimizer.num_ask + self._population_size > self._evaluations:
            self.optimizer = self._started()
            self._restarts += 1
        try:
            with self._own_globals():
                self._asked = [self.optimizer.ask() for _ in range(self._population_size)]
        finally:
            _refuse_threads()
        return [np.array(candidate.value, dtype=np.float64) for candidate in self._asked]

    def tell(self, candidates: list[Vector], losses: Losses) -> None:
        with self._own_globals():
            for candidate, loss in zip(self._asked, losses.tolist(), strict=True):
                self.optimizer.tell(candidate, loss)

    def describe(self) -> Mapping[str, float]:
        """Return `restarts`, a count."""
        return {"restarts": self._restarts}

    def _started(self) -> Any:
        array = (
            import_module("nevergrad").p.Array(shape=self._shape).set_mutation(sigma=self._sigma0)
        )
        array.random_state = self._draws
        with self._own_globals():
            return self._kind(array, budget=self._evaluations, num_workers=self._population_size)

    @contextmanager
    def _own_globals(self) -> Iterator[None]:
        """Quiet, and with global generators that nobody else draws from."""
        outside = np.random.get_state(), random.getstate()
        _set_globals(self._globals)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                yield
        finally:
            self._globals = np.random.get_state(), random.getstate()
            _set_globals(outside)


def _refuse_threads() -> None:
    """Nothing, if no optimizer waits in a thread of nevergrad's; else they are told to stop.

    Raises:
        RuntimeError: one does.
    """
    kind = import_module("nevergrad.optimization.recaster")._MessagingThread
    waiting: list[Any] = [each for each in threading.enumerate() if isinstance(each, kind)]
    for thread in waiting:
        thread.join(PATIENCE)  # of its own accord, where it is one that has done its work
    waiting = [thread for thread in waiting if thread.is_alive()]
    for thread in waiting:
        thread.stop()
    if waiting:
        raise RuntimeError("a part of it takes one loss at a time, not a population's")


def _set_globals(states: Any) -> None:
    np.random.set_state(states[0])
    random.setstate(states[1])
