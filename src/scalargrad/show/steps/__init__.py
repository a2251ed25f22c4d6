"""Step through a graph: what every gate computes, and what flows back along every wire."""

from scalargrad.show.steps.sequence import Walk as Walk
from scalargrad.show.steps.sequence import walk as walk
from scalargrad.show.steps.step import Step as Step
from scalargrad.show.steps.step import outcome as outcome
from scalargrad.show.steps.terminal import explore as explore
from scalargrad.show.steps.terminal import show as show

__all__ = [
    "Step",
    "Walk",
    "explore",
    "outcome",
    "show",
    "walk",
]
