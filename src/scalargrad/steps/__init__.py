"""Stepping through a graph: what every gate computes, and what flows back along every wire."""

from scalargrad.steps.step import Step as Step
from scalargrad.steps.terminal import explore as explore
from scalargrad.steps.terminal import show as show
from scalargrad.steps.walk import Walk as Walk
from scalargrad.steps.walk import walk as walk
