"""A page on which network, boundary and loss of a training move together, step by step.

`watch` makes a `TrainingPage`, which keeps the parameters of each step. Once (`setting`), Python
records what the model, its loss and its optimiser compute, finds the units in it, and infers the
kind of task. The page computes everything else, with functions printed from the table of
operations:

=============== ==============================================================
state           the recorded programs: values forward, gradients backward; the task, and what is
                shown; the loss of every example
training        a training, snapshot by snapshot: the one that was recorded, or one anew, also with
                other sizes of layers; what follows from it
picture         colours, markers, keys on shapes
network         units and weights
plane           what the network answers, with its contours and the examples on top
curve           the loss at every snapshot
story           what a step did, and one unit in full, in words
timeline        moving, playing, keys, links
main            what can be changed, and training that goes on meanwhile; putting it together
=============== ==============================================================
"""

from __future__ import annotations

from scalargrad.system.packages import optional_dependency

with optional_dependency("watch needs"):
    from scalargrad.show.training.training_page import TrainingPage as TrainingPage
    from scalargrad.show.training.training_page import watch as watch

__all__ = [
    "TrainingPage",
    "watch",
]
