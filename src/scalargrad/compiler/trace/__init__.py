"""Tracing: one run of a function, recorded as a program.

`record` runs the function on `traced` numbers, whose operations write into the `columns` of a
`tape`. The `trace`, a tape that is the recorder in force, answers what the core asks.
`nested_derivatives` are those taken meanwhile, `batching` makes one example of all those of vmap,
`node_values` computes the numbers that conditions ask for. `randomness` notes the draws of
generators that `find_generators` finds. `side_effects` and `refusal` find and report what a program
could not repeat, `domains` what eager evaluation would refuse at other numbers.
"""
