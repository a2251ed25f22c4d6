"""Find the loops of a flat program.

`structure` finds repeated operations, `tree` makes loops and statements of them, `split` divides
loops by strides, and `access` finds an affine form for the reads of each operand. A tree that does
not compute the program is discarded. `find` runs these in order, and `to_equations` lowers the
tree:

    40 iterations of (mul, add), then one mul     40[2] 1
"""
