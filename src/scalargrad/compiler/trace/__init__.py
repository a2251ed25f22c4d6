"""Tracing: one run of a function, recorded as a program.

`record` runs the function on `traced` numbers. Each operation on them appends a node to the
`trace`, which stores nodes in `columns`. `nested_derivatives` records gradients taken inside the
function, and `example_lanes` the examples of vmap. `node_values` computes the numbers that
conditions depend on. `side_effects` and `refusal` detect and report what a program could not
repeat; `domains` guards against what eager evaluation would refuse.
"""
