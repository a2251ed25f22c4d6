"""The compiler behind `jit`: record, gather sums of products, differentiate, pack, run.

`decorator` is `jit`, and `jitted` the function it returns; `vmap` maps a function, `scan` repeats
one. `call` finds the program that arguments ask for and runs it; `guards` check that what a
function reads around it is still what was recorded. `trace` records one run of a function; each of
the `passes` is a file that reads a program and writes another; `loops` finds what repeats.
`function` is a program with its derivatives; a `runner` has a `backend` run each, and `explain`
shows them. `jit_mode` turns compilation off, and `pickling` finds functions again.
"""
