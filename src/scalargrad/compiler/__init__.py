"""The compiler behind `jit`: record, find loops, differentiate, schedule, print, run.

`decorator` holds `jit`, and `jitted` the function it returns; `vmap` maps a function over examples,
`scan` repeats one. At a call, `call` finds the program for the arguments and runs it, while
`guards` check that what the function reads besides its arguments has not changed. `trace` records
one run of a function; `passes` hold what is recorded, and `nests` are the loops that it becomes. A
`function` is a program with its derivatives; a `runner` runs one by a `backend`, and `explain`
shows it. `jit_mode` turns compilation off; `pickling` makes functions picklable.
"""
