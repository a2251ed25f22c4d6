"""Stepping through a graph: what every gate computes, and what flows back along every wire."""

from scalargrad.steps.sequence import Walk as Walk
from scalargrad.steps.sequence import walk as walk
from scalargrad.steps.step import Step as Step
from scalargrad.steps.table import outcome as outcome
from scalargrad.steps.terminal import explore as explore
from scalargrad.steps.terminal import show as show
