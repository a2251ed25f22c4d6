"""Examples of vmap: lanes of one loop in registers, or long recurrences, several of them abreast.

`lane_loop` keeps what an example computes in registers; `examples_found` finds examples that are
long recurrences, and `examples_apart` cuts the program there: each example becomes nests.
"""
