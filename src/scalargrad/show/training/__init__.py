"""A page on which network, boundary and loss of a training move together, step by step.

`watch` (`training`) makes a `TrainingPage`, which keeps the parameters of each step. Once
(`setting`), Python records what the model and its loss compute (`recorded`), finds the units in it
(`network`) and tells what is learned (`task`); `document` puts the page together. The page computes
everything else, with functions printed from the table of operations:

=============== ==============================================================
programs        the recorded programs: values forward, gradients backward
state           the snapshots, and the snapshot, example and view shown
picture         colours, markers, contours
network         units and weights
plane           what the network answers, with the examples on top
curve           the loss at every snapshot
story           what a step did, and one unit in full, in words
timeline        moving, playing, keys, links
takeaway        what is shown, as an SVG file
main            putting it together
=============== ==============================================================
"""

from __future__ import annotations

from scalargrad.system.packages import needed

with needed("watch needs"):
    from scalargrad.show.training.training import watch as watch
    from scalargrad.show.training.training_page import TrainingPage as TrainingPage

__all__ = [
    "TrainingPage",
    "watch",
]
