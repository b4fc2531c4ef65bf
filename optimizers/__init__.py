"""Optimizers as pure ask and tell over numpy. Knows no model, no task, no database."""

from optimizers.base import Losses, Optimizer, Trial
from optimizers.replayed import Live, Replayed, ReplayedState

__all__ = ["Live", "Losses", "Optimizer", "Replayed", "ReplayedState", "Trial"]
