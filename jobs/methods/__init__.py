"""Every method the service knows: a new one is a file here and two lines in `contenders.py`."""

from typing import Annotated, TypeAlias

from pydantic import BeforeValidator, Discriminator, Tag

from jobs.methods.base import Method, Plan, Problem
from jobs.methods.bbt import BBT
from jobs.methods.contenders import CONTENDERS, AnyContender
from jobs.methods.race import Race
from jobs.strict import Spec, did_you_mean, one_of, tag

METHODS: dict[str, type[Method]] = {**CONTENDERS, "race": Race}


def _kind(data: object) -> str:
    """Which half of the union: the race, or all the others."""
    return "[race]" if tag(data) == "[race]" else "[one]"


AnyMethod: TypeAlias = Annotated[
    Annotated[Race, Tag("[race]")] | Annotated[AnyContender, Tag("[one]")],
    Discriminator(_kind),
    BeforeValidator(one_of("method", METHODS)),
]

__all__ = ["BBT", "METHODS", "AnyMethod", "Method", "Plan", "Problem", "Spec", "did_you_mean"]
