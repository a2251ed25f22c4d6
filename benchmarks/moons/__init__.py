"""One step of the two-moons demo, written for each peer as efficiently as possible.

Forward, backward and update of MLP(2, [16, 16, 1]), 337 parameters, on 100 points, in float64. Each
file is a peer: a function that takes the `problem` and returns a step, which updates the parameters
it keeps and returns the loss before the update.
"""
