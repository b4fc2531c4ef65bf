"""The number of requests in flight finds a wall that nobody told it, and stays near it."""

import heapq
import time
from email.utils import formatdate

import pytest

from backends.remote import limiter, waits
from backends.remote.limiter import Limiter
from tests.backends.remote.test_breaker import Clock

LATENCY = 0.05  # seconds


class World:
    """A server with a wall, and a client that always has more to ask, in made-up time."""

    def __init__(self, wall, most=256):
        self.clock = Clock()
        self.limiter = Limiter(most, self.clock)
        self.wall = wall
        self.at_server = self.answers = self.refusals = self.most_seen = 0
        self._events = []  # (time, began, is an answer)

    def run(self, seconds):
        end = self.clock.now + seconds
        answers, refusals = self.answers, self.refusals
        while self.clock.now < end:
            while self.limiter.has_room:
                self._send()
            later = max(self.limiter.paused_until, self.clock.now + 1e-6)
            self.clock.now = min(self._events[0][0], end) if self._events else later
            while self._events and self._events[0][0] <= self.clock.now:
                self._receive(*heapq.heappop(self._events)[1:])
        return self.answers - answers, self.refusals - refusals

    def _send(self):
        self.clock.now += 1e-6
        self.limiter.begin()
        accepted = self.at_server < self.wall
        self.at_server += accepted
        takes = LATENCY if accepted else 0.001
        heapq.heappush(self._events, (self.clock.now + takes, self.clock.now, accepted))
        self.most_seen = max(self.most_seen, self.limiter.in_flight)

    def _receive(self, began, is_answer):
        if is_answer:
            self.at_server -= 1
            self.answers += 1
            self.limiter.answered()
        else:
            self.refusals += 1
            self.limiter.refused(began)
        self.limiter.end()


@pytest.mark.parametrize("wall", [1, 3, 16, 64, 200])
def test_it_uses_nearly_all_that_a_wall_lets_through(wall):
    world = World(wall)
    world.run(seconds=5)
    answers, refusals = world.run(seconds=20)
    assert answers >= 0.93 * wall * 20 / LATENCY
    assert refusals <= max(0.03 * answers, 20 * 20)


def test_it_starts_small_and_doubles():
    world = World(wall=1000)
    assert world.limiter.level == limiter.START
    world.run(LATENCY * 1.1)
    assert 2 * limiter.START <= world.limiter.level <= 2 * limiter.START + 1
    world.run(LATENCY * 5)
    assert world.limiter.level == 256


def test_the_first_second_already_counts():
    answers, _ = World(wall=64).run(seconds=1)
    assert answers >= 0.7 * 64 / LATENCY


@pytest.mark.parametrize("most", [1, 10])
def test_never_more_than_the_most(most):
    world = World(wall=1000, most=most)
    world.run(seconds=2)
    assert world.most_seen == most


def test_requests_refused_together_cut_once():
    clock = Clock()
    level = Limiter(256, clock)
    for _ in range(4):
        level.begin()
    clock.now += 1
    for _ in range(4):
        level.refused(began=clock.now - 1)
    assert level.level == pytest.approx(4 - limiter.LEAST)


def test_a_cut_that_has_not_helped_is_followed_by_a_hard_one():
    clock = Clock()
    level = Limiter(256, clock)
    for _ in range(4):
        level.begin()
    levels = []
    for _ in range(2):
        clock.now += 1
        level.refused(began=clock.now - 0.5)
        levels.append(level.level)
    assert levels[1] == pytest.approx(levels[0] * limiter.HARD)


def test_it_follows_a_wall_that_falls_and_one_that_rises():
    world = World(wall=128)
    world.run(seconds=5)
    world.wall = 8
    world.run(seconds=2)
    answers, _ = world.run(seconds=5)
    assert answers >= 0.85 * 8 * 5 / LATENCY
    world.wall = 128
    world.run(seconds=3)
    answers, _ = world.run(seconds=5)
    assert answers >= 0.9 * 128 * 5 / LATENCY


def test_an_unused_level_does_not_grow():
    level = Limiter(256, Clock())
    for _ in range(100):
        level.begin()
        level.answered()
        level.end()
    assert level.level <= limiter.START


def test_where_everything_is_refused_it_waits_longer_and_longer():
    world = World(wall=0)
    _, refusals = world.run(seconds=60)
    assert refusals < 60
    assert world.limiter.refusing > 50


def test_it_waits_as_long_as_it_is_told():
    clock = Clock()
    level = Limiter(256, clock)
    level.begin()
    level.refused(began=clock.now, wait=7.0)
    level.end()
    clock.now += 6.9
    assert not level.has_room
    clock.now += 0.1
    assert level.has_room


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("200ms", 0.2),
        ("1h2m3.5s", 3723.5),
        ("2", 2),
        ("0.25", 0.25),
        (" 3s ", 3),
        ("1d", 86400),
        ("soon", None),
        ("", None),
        (None, None),
        ("-1", None),
        ("1s later", None),
        ("nan", None),
        ("1 2", None),
        ("1s2", None),
    ],
)
def test_durations_as_servers_write_them(text, seconds):
    assert waits.duration(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after-ms": "150", "retry-after": "1"}, 0.15),
        ({"retry-after": "3"}, 3),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m"}, 60),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6ms"}, 0.006),
        ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "1m"}, None),
        ({"retry-after": "whenever"}, None),
        ({}, None),
    ],
)
def test_what_a_refusal_asks_for(headers, seconds):
    assert waits.asked_for(headers) == (None if seconds is None else pytest.approx(seconds))


def test_retry_after_may_be_a_date():
    headers = {"retry-after": formatdate(time.time() + 30, usegmt=True)}
    assert 28 <= waits.asked_for(headers) <= 30


def test_tokens_run_out_when_fewer_are_left_than_a_request_needs():
    headers = {"x-ratelimit-remaining-tokens": "90", "x-ratelimit-reset-tokens": "2s"}
    assert waits.until_reset(headers, tokens=90) is None
    assert waits.until_reset(headers, tokens=91) == 2
