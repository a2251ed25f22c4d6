"""Compiler passes: each reads a program and writes another; the last one writes instructions.

`program` is what they hand to one another; `lanes` and `expressions` read the table of operations
for them. In order they are `sum_of_products`, `differentiate`, `sum_of_products` again, and `pack`,
which sorts nodes into `groups` and writes `instructions`. Where nodes have a lane for each example
of vmap, `lane_writer`, `lane_signals` and `lane_pack` do their part, and `segments` cuts the
program into what can be run block by block, each a `part_copy` of it.
"""
