"""What every object from outside is made of: nothing unknown gets through. No field of its own."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Spec(BaseModel):
    """Input from outside: frozen, finite, and nothing unknown gets through."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_field(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name in data:
                if name not in cls.model_fields:
                    raise PydanticCustomError("unknown_field", "{message}", _unknown(cls, name))
        return data


def _unknown(cls: type[BaseModel], name: Any) -> dict[str, Any]:
    known = list(cls.model_fields)
    field = str(name).encode(errors="backslashreplace").decode()  # half a letter breaks pydantic
    message = f"unknown field {field!r}; {did_you_mean(field, known)}"
    return {"message": message, "field": field}


def did_you_mean(given: str, known: Sequence[str]) -> str:
    """The end of a refusal: the nearest known name if one is near, and all of them."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}there are: {', '.join(known)}" if known else "there are none"


def one_of(what: str, known: Mapping[str, type[Spec]]) -> Callable[[Any], Any]:
    """A validator: an object of one of these classes, told by its `name`, or the name alone.

    An unknown name is answered with the names there are, before any setting is looked at.
    """

    def named(data: Any) -> Any:
        if isinstance(data, Spec):
            return data
        name = data.get("name") if isinstance(data, dict) else data
        if not isinstance(name, str) or name not in known:
            hint = did_you_mean(str(name), list(known))
            message = (
                f"no {what} {name!r}; {hint}" if name is not None else f"no {what} name; {hint}"
            )
            context = {"message": message, "field": "name"}
            raise PydanticCustomError(f"unknown_{what}", "{message}", context)
        return data if isinstance(data, dict) else {"name": name}

    return named


def tag(data: Any) -> str:
    """The `name` in brackets: which member of a union, left out where an error's place is told."""
    return f"[{data['name'] if isinstance(data, dict) else data.name}]"
