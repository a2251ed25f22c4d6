"""Compiler passes: each reads a program and writes another.

All of them read a `program` and write one by a `writer`; `partial` and `expressions` give them the
table of operations in suitable forms. In order, they are `sum_of_products`, `differentiate`, and
`lower`; then `compiler.packing` writes instructions. `unroll` writes examples of vmap one by one.
"""
