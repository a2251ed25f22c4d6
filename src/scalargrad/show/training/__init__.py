"""A page on which network, boundary and loss of a training move together, step by step.

`watch` (`watching`) makes a `TrainingPage`, which keeps the parameters of each step. Once
(`setting`), Python records what the model, its loss and its optimiser compute (`model_record`,
`retraining`), finds the units in it (`network`) and infers the kind of task; `training_document`
puts the page together. The page computes everything else, with functions
printed from the table of operations:

=============== ==============================================================
programs        the recorded programs: values forward, gradients backward
state           the task, and the snapshot, example and view shown
losses          the loss of every example
training        a training, snapshot by snapshot, and what follows from it
recording       the one that was recorded
retraining      training anew, also with other sizes of layers
picture         colours, markers, contours
network         units and weights
plane           what the network answers, with the examples on top
curve           the loss at every snapshot
story           what a step did, and one unit in full, in words
timeline        moving, playing, keys, links
settings        what can be changed, and training that goes on meanwhile
main            putting it together
=============== ==============================================================
"""

from __future__ import annotations

from scalargrad.system.packages import needed

with needed("watch needs"):
    from scalargrad.show.training.training_page import TrainingPage as TrainingPage
    from scalargrad.show.training.watching import watch as watch

__all__ = [
    "TrainingPage",
    "watch",
]
