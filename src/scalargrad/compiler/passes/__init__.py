"""Compiler passes: each reads a program and writes another.

All of them read a `program` and write one by a `writer`; `partial` and `expressions` give them the
table of operations in suitable forms. In order, they are `sum_of_products`, `differentiate`, and
`lower`; then `compiler.packing` writes instructions. For programs whose nodes have
a lane for each example of vmap, `lane_writer` and `lane_signals` extend them, and `splitter` cuts
the program into `segments` that run block by block.
"""
