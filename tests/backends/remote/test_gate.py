"""Who waits for a place is told of it, whatever ends the wait."""

import asyncio
from types import SimpleNamespace

from backends.remote.gate import Gate


class Paused:
    """A replica that is left alone until a time of its clock, which goes on at each look."""

    def __init__(self, until, step):
        self.now, self.until, self.step = 0.0, until, step
        self.breaker = SimpleNamespace(is_open=False)
        self.limiter = SimpleNamespace(load=0.0)

    def clock(self):
        self.now += self.step
        return self.now

    @property
    def has_room(self):
        return self.clock() >= self.until

    @property
    def ready_at(self):
        return self.until

    def begin(self):
        pass

    def end(self):
        pass


def test_a_pause_that_ends_between_two_looks_is_noticed():
    """Too late for the first look and too early for a timer: nobody is in flight to say so."""

    async def main():
        replica = Paused(until=0.0025, step=0.001)  # looks: 1 no room, 2 no room, 3 over
        gate = Gate([replica], 4, replica.clock)
        entered = await asyncio.wait_for(gate.enter(), 5)
        gate.close()
        return entered is replica

    assert asyncio.run(main())


def test_every_look_may_be_the_one():
    async def main(until):
        replica = Paused(until=until, step=0.001)
        gate = Gate([replica], 4, replica.clock)
        entered = await asyncio.wait_for(gate.enter(), 5)
        gate.close()
        return entered is replica

    assert all(asyncio.run(main(n / 2000)) for n in range(12))
