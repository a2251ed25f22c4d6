"""Training as a film: a page in which network, boundary and loss move together, step by step.

`watch` (`training`) makes a `Film`, which keeps the parameters of each step. Once (`scene`), Python
records what the model and its loss compute (`replay`), finds the units in it (`network`) and tells
what is learned (`task`); `document` puts the page together. The page computes everything else,
with functions printed from the table of operations:

=============== ==============================================================
replay          the recorded programs: values forward, gradients backward
state           the frames, and the frame, example and view shown
picture         colours, markers, contours
network         units and weights
plane           what the network answers, with the examples on top
curve           the loss at every frame
story           what a step did, and one unit in full, in words
timeline        moving, playing, keys, links
takeaway        what is shown, as an SVG file
main            putting it together
=============== ==============================================================
"""

from __future__ import annotations

from scalargrad.system.packages import needed

with needed("watch needs"):
    from scalargrad.show.training.film import Film as Film
    from scalargrad.show.training.training import watch as watch

__all__ = [
    "Film",
    "watch",
]
