"""What all tests share: how to wait, and how hypothesis searches."""

import time
from collections.abc import Callable
from typing import TypeVar

from hypothesis import settings

settings.register_profile("gradless", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("gradless")

T = TypeVar("T")


def eventually(predicate: Callable[[], T], seconds: float = 30.0) -> T:
    """What `predicate` says as soon as it is true; fails when the time is over."""
    deadline = time.monotonic() + seconds
    while not (answer := predicate()):
        assert time.monotonic() < deadline, f"not within {seconds} seconds"
        time.sleep(0.01)
    return answer
