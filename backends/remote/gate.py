"""Who is asked next: the least loaded replica with room, and a queue where none has any."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic

from backends.base import BackendUnavailable
from backends.remote.replica import Replica


class Gate:
    """Places at all replicas together; for one event loop only."""

    def __init__(
        self, replicas: Sequence[Replica], most: int, clock: Callable[[], float] = monotonic
    ) -> None:
        self._replicas = replicas
        self._most = most
        self._clock = clock
        self._taken = 0
        self._turns: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    async def enter(self) -> Replica:
        """A replica with a place taken; `leave` gives it back.

        Raises:
            BackendUnavailable: every replica has failed so often that it is left out.
        """
        fresh = True
        while (fresh and self._turns) or (replica := self._best()) is None:
            await self._turn(fresh)
            fresh = False
        self._taken += 1
        replica.begin()
        self._wake()  # there may be room for the next one too
        return replica

    def leave(self, replica: Replica) -> None:
        self._taken -= 1
        replica.end()
        self._wake()

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @property
    def _has_room(self) -> bool:
        return self._taken < self._most and any(replica.has_room for replica in self._replicas)

    @property
    def _all_open(self) -> bool:
        return all(replica.breaker.is_open for replica in self._replicas)

    def _best(self) -> Replica | None:
        if self._all_open:
            self._wake()  # whoever waits must be told as well
            raise BackendUnavailable("; ".join(map(_condition, self._replicas)))
        if self._taken >= self._most:
            return None
        free = [replica for replica in self._replicas if replica.has_room]
        return min(free, key=lambda replica: replica.limiter.load, default=None)

    async def _turn(self, fresh: bool) -> None:
        """Waits until something has changed; who has waited before stays first."""
        turn = asyncio.get_running_loop().create_future()
        if fresh:
            self._turns.append(turn)
        else:
            self._turns.appendleft(turn)
        self._set_timer()
        try:
            await turn
        except asyncio.CancelledError:
            self._wake()  # it may have been this one's turn: the next one's now
            raise

    def _wake(self) -> None:
        """The next one's turn, if there is anything for it to do; else, later."""
        while self._turns and self._turns[0].cancelled():
            self._turns.popleft()
        if self._turns and (self._has_room or self._all_open):
            self._turns.popleft().set_result(None)
        elif self._turns:
            self._set_timer()

    def _set_timer(self) -> None:
        """Pauses and cooling replicas end by the clock, without anybody leaving."""
        now = self._clock()
        ends = [at for replica in self._replicas if (at := replica.ready_at) > now]
        self.close()
        loop = asyncio.get_running_loop()
        if ends:
            self._timer = loop.call_later(min(ends) - now, self._wake)
        elif self._has_room:  # a pause has ended since we looked: nobody else would say so
            self._timer = loop.call_later(0, self._wake)


def _condition(replica: Replica) -> str:
    breaker = replica.breaker
    times = f", after {breaker.failures} attempts in a row" if breaker.failures > 1 else ""
    return f"{replica.address}: {breaker.last}{times}"
