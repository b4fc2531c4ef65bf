"""What all tests share: how to wait, what runs first, and how hypothesis searches."""

import time
from collections.abc import Callable
from typing import TypeVar

import pytest
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no worker is left with one at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
