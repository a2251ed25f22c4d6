"""Find the nest of loops that a flat recording is the execution of.

`structure` finds what is repeated, from operations alone; `tree` makes loops and statements of
that, `split` divides loops by strides and `access` says what each operand reads; `expand` gives the
recording back, and what does not expand to it is not found. `find` has the order; `to_equations`
writes what was found as equations.
"""
