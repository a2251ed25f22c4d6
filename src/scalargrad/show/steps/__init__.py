"""Step through a graph: the result of every gate, and the gradient along every wire.

=============== ==============================================================
walks           `walk`: creates the steps of a graph, inputs to gradients
walked_graph    the data that all steps share: order, names, numbers
symbolic_gates  the operation and the local derivatives of a gate, as expressions
step            one step as symbols, numbers and words
layers          the dense layers of a graph, for matrices on the page
page            the step page
slides          one picture for each step
terminal        a table in colour, and steps explored with keys
=============== ==============================================================
"""

from scalargrad.show.steps.step import Step as Step
from scalargrad.show.steps.step import outcome as outcome
from scalargrad.show.steps.terminal import explore as explore
from scalargrad.show.steps.terminal import show as show
from scalargrad.show.steps.walks import Walk as Walk
from scalargrad.show.steps.walks import walk as walk

__all__ = [
    "Step",
    "Walk",
    "explore",
    "outcome",
    "show",
    "walk",
]
