"""What every object from outside is made of: nothing unknown gets through. No field of its own."""

import difflib
import math
from collections.abc import Callable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Spec(BaseModel):
    """Input from outside: frozen, finite, of its own types, and nothing unknown gets through."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_field(cls, data: Any) -> Any:
        if isinstance(data, dict):
            for name in data:
                if name not in cls.model_fields:
                    raise PydanticCustomError("unknown_field", "{message}", _unknown(cls, name))
        return data

    @model_validator(mode="before")
    @classmethod
    def _of_its_own_type(cls, data: Any) -> Any:
        """Pydantic would take `true` and "1" for the number 1, and 1 for `true`."""
        for name, value in data.items() if isinstance(data, dict) else ():
            field = cls.model_fields.get(name)
            if field is not None and (wanted := _not_that(field.annotation, value)):
                message = f"Input should be a valid {WANTED[wanted]}"
                raise PydanticCustomError(wanted, "{message}", {"message": message, "field": name})
        return data


WANTED = {"bool_type": "boolean", "int_type": "integer", "float_type": "number"}


def _not_that(annotation: Any, value: Any) -> str:
    """The error of a value that pydantic would bend until it fits; empty: it would not."""
    kinds = _kinds(annotation) - {NoneType}
    if kinds == {bool} and isinstance(value, int | float | str):
        return "" if isinstance(value, bool) else "bool_type"
    if kinds and kinds <= {int, float} and _only_looks_like_a_number(value):
        return "float_type" if float in kinds else "int_type"
    return ""


def _kinds(annotation: Any) -> set[Any]:
    """The types that a field may have, whatever else is said of them."""
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set[Any]().union(*map(_kinds, get_args(annotation)))
    return {annotation}


def _only_looks_like_a_number(value: Any) -> bool:
    if not isinstance(value, str):
        return isinstance(value, bool)
    try:
        return math.isfinite(float(value))
    except ValueError:
        return False  # which pydantic says better


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
