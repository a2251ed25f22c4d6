"""Recorded programs: their nodes, the kinds of nodes, and dependence among them.

A `program` has `nodes`, each of an operation or of one of the `kinds`. `expressions` gives the
table of operations in suitable forms; `unroll` writes examples of vmap one by one, and lookups as
choices.
"""
