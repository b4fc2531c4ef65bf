import json
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from jobs import checkpoint
from jobs.checkpoint import CheckpointError
from optimizers.cma import cma_es
from optimizers.replayed import ReplayedState


@dataclass(frozen=True, eq=False)
class Moments:
    count: int
    mean: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class State:
    name: str
    done: bool
    step: float
    moments: Moments
    history: tuple[NDArray[np.float64], ...]
    layers: tuple[Moments, ...]
    bits: NDArray[np.uint8]


ARRAYS = arrays.arrays(
    st.sampled_from([np.float64, np.float32, np.int64, np.uint8, np.bool_]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
)
MOMENTS = st.builds(Moments, st.integers(-(2**70), 2**70), ARRAYS)
STATES = st.builds(
    State,
    st.text(),
    st.booleans(),
    st.floats(),
    MOMENTS,
    st.lists(ARRAYS, max_size=3).map(tuple),
    st.lists(MOMENTS, max_size=3).map(tuple),
    ARRAYS,
)
REPLAYED = ReplayedState(5, np.array([[1.0, np.inf], [0.1 + 0.2, -0.0]]))


def bits(array):
    return array.dtype.str, array.shape, array.tobytes()


@given(STATES)
def test_states_come_back_bit_for_bit(state):
    data = checkpoint.dumps(state)
    again = checkpoint.loads(State, data)
    assert checkpoint.dumps(again) == data, "equal states make equal bytes"
    assert (again.name, again.done, repr(again.step)) == (state.name, state.done, repr(state.step))
    assert again.moments.count == state.moments.count
    assert bits(again.moments.mean) == bits(state.moments.mean)
    assert list(map(bits, again.history)) == list(map(bits, state.history))
    assert [bits(m.mean) for m in again.layers] == [bits(m.mean) for m in state.layers]
    assert bits(again.bits) == bits(state.bits)


def test_an_optimizer_goes_on_from_its_checkpoint():
    optimizer = cma_es(3, population_size=4)
    state = optimizer.init(1)
    for _ in range(5):
        trials = optimizer.ask(state)
        state = optimizer.tell(state, trials, [t.candidate[:1] ** 2 for t in trials])
    again = checkpoint.loads(ReplayedState, checkpoint.dumps(state))
    fresh = cma_es(3, population_size=4)
    for mine, theirs in zip(optimizer.ask(state), fresh.ask(again), strict=True):
        assert mine.candidate.tobytes() == theirs.candidate.tobytes()


def test_the_state_before_the_first_generation():
    state = cma_es(3, population_size=4).init(0)
    again = checkpoint.loads(ReplayedState, checkpoint.dumps(state))
    assert (again.seed, again.losses.shape) == (0, (0, 4))


def test_a_checkpoint_of_another_type():
    with pytest.raises(CheckpointError, match="expected State format 1, got ReplayedState"):
        checkpoint.loads(State, checkpoint.dumps(REPLAYED))


def test_a_checkpoint_of_another_format(monkeypatch):
    data = checkpoint.dumps(REPLAYED)
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    with pytest.raises(CheckpointError, match="format 2, got ReplayedState format 1"):
        checkpoint.loads(ReplayedState, data)


def with_header(header):
    data = header if isinstance(header, bytes) else json.dumps(header).encode()
    return safetensors.numpy.save({"header": np.frombuffer(data, dtype=np.uint8)})


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not a checkpoint",
        checkpoint.dumps(REPLAYED)[:-1],
        checkpoint.dumps(REPLAYED)[3:],
        safetensors.numpy.save({"a0": np.zeros(3)}),
        with_header(b"\xff"),
        with_header([]),
        with_header({}),
        with_header({"format": 1, "type": "ReplayedState"}),
        with_header({"format": 1, "type": "ReplayedState", "state": [5]}),
        with_header({"format": 1, "type": "ReplayedState", "state": 5}),
        with_header({"format": 1, "type": "ReplayedState", "state": [5, 0]}),
        with_header({"format": 1, "type": "ReplayedState", "state": [5, 0, 0]}),
    ],
)
def test_what_is_no_checkpoint_is_refused(data):
    with pytest.raises(CheckpointError):
        checkpoint.loads(ReplayedState, data)


@given(st.binary(max_size=300))
def test_garbage_is_refused(data):
    with pytest.raises(CheckpointError):
        checkpoint.loads(ReplayedState, data)


@given(st.integers(0, len(checkpoint.dumps(REPLAYED)) - 1), st.integers(0, 255))
def test_a_damaged_checkpoint_is_read_or_refused(position, byte):
    data = bytearray(checkpoint.dumps(REPLAYED))
    data[position] = byte
    with suppress(CheckpointError):
        assert isinstance(checkpoint.loads(ReplayedState, bytes(data)), ReplayedState)
