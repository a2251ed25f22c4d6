"""The compiler behind `jit`: record, find loops, differentiate, schedule, print, run.

`jitted` holds `jit`, the function that it returns, and check mode; `vmap` maps a function over
examples, `scan` repeats one, and `control_flow` has `cond` and `while_loop`. At a call, `call`
finds the program for the arguments and runs it, while `guards` check that what the function reads
besides its arguments has not changed. `trace` records one run of a function; `passes` hold the
recorded program, and `nests` its loops. A `function` is a program with its derivatives;
a `runner` runs one by a `backend`. `known_programs` keeps compiled programs for recordings of the
same program, `disk_cache` keeps them on disk. `generators` finds random numbers that would not be
drawn again. `jit_mode` turns compilation off.
"""
