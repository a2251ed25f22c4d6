"""Find the nest of loops that a flat recording is the execution of.

`structure` finds what is repeated, from operations alone; `tree` makes loops and statements of
that, `split` divides loops by strides and `access` says what each operand reads; a tree that does
not stand for the recording is not found. `find` has the order; `to_equations` writes what was found
as equations.
"""
