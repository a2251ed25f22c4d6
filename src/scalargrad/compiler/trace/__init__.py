"""Tracing: one run of a function, recorded as a program.

`record` runs the function on `traced` numbers, whose operations write into the columns of a
`trace`, the recorder in force. `nested_derivatives` are those taken meanwhile,
`batching` makes one example of all those of vmap, `node_values` computes what a condition asks for.
`randomness` notes the draws of generators that `find_generators` finds. `side_effects` and
`refusal` find and report what a program could not repeat, `domains` what eager evaluation would
refuse at other numbers.
"""
