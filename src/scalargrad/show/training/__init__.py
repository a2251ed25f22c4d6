"""Training pages: the network, its decision boundary and its loss, step by step.

`watch` creates a `TrainingPage`, which collects the parameters of each step (`training_page`).
Once, Python records the model, its loss and its optimizer as programs, and infers the task
(`training_setup`), and finds the units of the model (`network_units`). The page computes everything
else, with functions generated from the definitions of operations, in these scripts:

=============== ==============================================================
state           the recorded programs: values forward, gradients backward; the task, and the state
                of the page; the loss of every example
training        the snapshots of a training run, recorded or computed in the page, also with other
                sizes of layers; the numbers derived from them
picture         colours, markers, keys on shapes
network         units and weights
plane           the outputs over the plane, with contours and the examples
curve           the loss at every snapshot
story           a step and a unit in words
timeline        moving, playing, keys, links
main            settings, and training in the page; event listeners and the start of the page
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
