"""Hooks on a transformers model: what its layers read, and a head that reads few positions.

They change what passes between modules, so no model's code is copied; what they add is bound to
one forward in one thread, so batches may be read side by side.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from backends import subnetworks
from backends.local.inputs import DeepPrompts
from backends.local.reuse import Stage


@dataclass(eq=False)
class Reading:
    """One forward under way."""

    deep: DeepPrompts | None = None
    kept: tuple[Tensor, Tensor] | None = None  # rows and columns that the head shall read
    stages: Mapping[int, Stage] = field(default_factory=dict)  # by the layer where they begin
    stage: Stage | None = None  # the last of them begun
    seen: list[Tensor] | None = None  # where wanted, what each layer reads
    depth: int = 0  # layers entered so far; ALBERT enters the same one again and again
    width: int = 0  # of what the last of them read


_READING: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading(
    deep: DeepPrompts | None = None,
    kept: tuple[Tensor, Tensor] | None = None,
    stages: Mapping[int, Stage] | None = None,
    seen: list[Tensor] | None = None,
) -> Iterator[Reading]:
    """Within it, a forward adds these prompts and gives logits at these positions alone."""
    now = Reading(deep, kept, stages or {}, seen=seen)
    token = _READING.set(now)
    try:
        yield now
    finally:
        _READING.reset(token)


def layers_of(stack: nn.Module) -> list[nn.Module]:
    """The outermost `ModuleList` of a stack; empty: it has none."""
    lists = (module for module in stack.modules() if isinstance(module, nn.ModuleList))
    return list(next((one for one in lists if len(one)), ()))


def prompt_layers(layers: Sequence[nn.Module]) -> None:
    """Row i >= 1 of a soft prompt is added to what layer i reads, as counted when they run."""
    for layer in layers:
        layer.register_forward_pre_hook(_add_prompts, with_kwargs=True)


def narrow_head(body: nn.Module) -> None:
    """The vocabulary head above this body sees only the kept positions, (1, n_kept, hidden)."""
    body.register_forward_hook(_keep)


def _add_prompts(
    layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
    now = _READING.get()
    if now is None:
        return None
    hidden: Tensor = args[0] if args else kwargs["hidden_states"]
    number, now.depth, now.width = now.depth, now.depth + 1, hidden.shape[-1]
    if number in now.stages:
        now.stage = stage = now.stages[number]
        now.deep, hidden = stage.deep, hidden[stage.take]
        subnetworks.follow(stage.take)
    if now.deep is not None and 0 < number < len(now.deep.vectors):
        places = (now.deep.rows, now.deep.columns)
        hidden = hidden.index_put(places, now.deep.vectors[number], accumulate=True)
    if now.seen is not None:
        now.seen.append(hidden)
    if now.stage is not None:
        args = (*args[:1], *(_spread(value, now.stage) for value in args[1:]))
        kwargs = {name: _spread(value, now.stage) for name, value in kwargs.items()}
    return ((hidden, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": hidden})


def _spread(value: Any, stage: Stage) -> Any:
    """What a model made for the rows of its input, masks above all, for the rows of a stage."""
    if isinstance(value, tuple):
        return tuple(_spread(each, stage) for each in value)
    if isinstance(value, Tensor) and value.ndim > 1 and len(value) == stage.n_first:
        return value[stage.origin]
    return value


def _keep(body: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    now = _READING.get()
    if now is None or now.kept is None:
        return None
    output["last_hidden_state"] = output.last_hidden_state[now.kept][None]
    return output
