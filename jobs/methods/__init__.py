"""Every method the service knows: a new one is a file here and a line below."""

from typing import TypeAlias

from jobs.methods.base import Method, Plan, Problem, Spec, did_you_mean
from jobs.methods.bbt import BBT

AnyMethod: TypeAlias = BBT

METHODS: dict[str, type[Method]] = {"bbt": BBT}

__all__ = ["BBT", "METHODS", "AnyMethod", "Method", "Plan", "Problem", "Spec", "did_you_mean"]
