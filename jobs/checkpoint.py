"""Optimizer state to bytes and back: a JSON header and plain arrays, no pickle."""

import json
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

FORMAT = 1
T = TypeVar("T")


class CheckpointError(ValueError):
    """The bytes are not a checkpoint of this state type and format."""


def dumps(state: Any) -> bytes:
    """Any state built of dataclasses, tuples, arrays and JSON scalars."""
    arrays: list[NDArray[Any]] = []
    body = _pack(state, arrays)
    header = {"format": FORMAT, "type": type(state).__name__, "state": body}
    tensors = {f"a{i}": np.asarray(array, order="C") for i, array in enumerate(arrays)}
    # the header is an array too: safetensors writes several metadata entries in random order
    tensors["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    return safetensors.numpy.save(tensors)


def loads(kind: type[T], data: bytes) -> T:
    """The state that `dumps` was given, bit for bit.

    Raises:
        CheckpointError: not a checkpoint, another format, or one of another type.
    """
    try:
        tensors = safetensors.numpy.load(data)
        meta = json.loads(tensors["header"].tobytes())
        found, body = (meta["type"], meta["format"]), meta["state"]
        if found != (kind.__name__, FORMAT):
            raise CheckpointError(
                f"expected {kind.__name__} format {FORMAT}, got {found[0]} format {found[1]}"
            )
        state: T = _unpack(kind, body, tensors)
    except CheckpointError:
        raise
    except (safetensors.SafetensorError, LookupError, TypeError, ValueError) as error:
        raise CheckpointError(f"not a checkpoint: {error}") from error
    return state


def _pack(value: Any, arrays: list[NDArray[Any]]) -> Any:
    if isinstance(value, np.ndarray):
        arrays.append(value)
        return len(arrays) - 1
    if is_dataclass(value):
        return [_pack(getattr(value, field.name), arrays) for field in fields(value)]
    if isinstance(value, tuple):
        return [_pack(item, arrays) for item in value]
    return value


def _unpack(kind: Any, value: Any, tensors: dict[str, NDArray[Any]]) -> Any:
    if kind is np.ndarray or get_origin(kind) is np.ndarray:
        return tensors[f"a{value}"]
    if isinstance(kind, type) and is_dataclass(kind):
        kinds = get_type_hints(kind).values()
        return kind(*(_unpack(k, v, tensors) for k, v in zip(kinds, value, strict=True)))
    if get_origin(kind) is tuple:
        return tuple(_unpack(get_args(kind)[0], item, tensors) for item in value)
    return value
