"""Compiler passes: each reads a program and writes another; the last one writes instructions.

All of them read a `program` and write one by a `writer`; `lanes` and `expressions` give them the
table of operations in suitable forms. In order, they are `sum_of_products`, `differentiate`,
`sum_of_products` again, and `pack`, which sorts nodes into `groups` and writes `instructions`. For
programs whose nodes have a lane for each example of vmap, `lane_writer`, `lane_signals` and
`lane_pack` extend them, and `splitter` cuts the program into `segments` that run block by block.
"""
