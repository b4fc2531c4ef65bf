"""What was computed lately, up to so many bytes. Knows no model."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from threading import Lock
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    @property
    def nbytes(self) -> int: ...


K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Sized)
T = TypeVar("T")


class Memory(Generic[K, V]):
    """Arrays by key; those not used for longest are forgotten first. Any thread may ask."""

    def __init__(self, limit: int) -> None:
        """Keeps at most `limit` bytes; 0: nothing."""
        self._limit = limit
        self._held = 0  # bytes
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def get(self, key: K) -> V | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: K, value: V) -> None:
        with self._lock:
            if key in self._kept or value.nbytes > self._limit:
                return
            self._kept[key] = value
            self._held += value.nbytes
            while self._held > self._limit:
                self._held -= self._kept.popitem(last=False)[1].nbytes

    def complete(self, wanted: Mapping[K, T], compute: Callable[[list[T]], list[V]]) -> dict[K, V]:
        """A value for every key; only those that are not remembered are computed, together."""
        found = {key: self.get(key) for key in wanted}
        missing = [key for key, value in found.items() if value is None]
        fresh = dict(zip(missing, compute([wanted[key] for key in missing]), strict=True))
        for key, value in fresh.items():
            self.put(key, value)
        return {key: fresh[key] if value is None else value for key, value in found.items()}
