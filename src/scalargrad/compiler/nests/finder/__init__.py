"""Search for the loops in a flat recording.

`structure` finds repetition, from operations alone; `tree` makes loops and statements of it,
`split` divides loops by strides, and `access` has the reads of each operand; a tree that does not
compute the recording is dropped. `find` runs these in order; `to_equations` writes the tree as
equations.
"""
