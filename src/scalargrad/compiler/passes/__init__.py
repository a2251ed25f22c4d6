"""Recorded programs: their nodes, their kinds, and what they depend on.

`partial` and `expressions` give the table of operations in suitable forms; `unroll` writes examples
of vmap one by one, and lookups as choices.
"""
