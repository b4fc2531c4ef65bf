"""Hooks on a transformers model: prompts for its layers, and a head that reads few positions.

They change what passes between modules, so no model's code is copied; what they add is bound to
one forward in one thread, so batches may be read side by side.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from backends.local.inputs import DeepPrompts


@dataclass(eq=False)
class Reading:
    """One forward under way."""

    deep: DeepPrompts | None = None
    kept: tuple[Tensor, Tensor] | None = None  # rows and columns that the head shall read
    depth: int = 0  # layers entered so far; ALBERT enters the same one again and again
    width: int = 0  # of what the last of them read


_READING: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading(
    deep: DeepPrompts | None = None, kept: tuple[Tensor, Tensor] | None = None
) -> Iterator[Reading]:
    """Within it, a forward adds these prompts and gives logits at these positions alone."""
    now = Reading(deep, kept)
    token = _READING.set(now)
    try:
        yield now
    finally:
        _READING.reset(token)


def prompt_layers(stack: nn.Module) -> bool:
    """Row i >= 1 of a soft prompt is added to what layer i of this stack reads; False: no layers.

    A layer list is the outermost `ModuleList`; a layer is known by the order in which it runs.
    """
    for module in stack.modules():
        if isinstance(module, nn.ModuleList) and len(module):
            for layer in module:
                layer.register_forward_pre_hook(_add_prompts, with_kwargs=True)
            return True
    return False


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
    if now.deep is None or number == 0 or number >= len(now.deep.vectors):
        return None
    places = (now.deep.rows, now.deep.columns)
    hidden = hidden.index_put(places, now.deep.vectors[number], accumulate=True)
    return ((hidden, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": hidden})


def _keep(body: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
    now = _READING.get()
    if now is None or now.kept is None:
        return None
    output["last_hidden_state"] = output.last_hidden_state[now.kept][None]
    return output
