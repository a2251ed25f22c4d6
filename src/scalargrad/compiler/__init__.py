"""The compiler behind `jit`: trace, find loops, differentiate, schedule, emit, run.

`jitted` contains `jit`, the function that it returns, and check mode; `vmap` maps a function over
examples, `scan` repeats one, and `control_flow` contains `cond` and `while_loop`. At a call, `call`
finds the program for the arguments and runs it, and `guards` check that the captured state of the
function has not changed. `trace` runs a function once and records its operations; `passes` contains
the traced program, and `nests` its loops. A `function` is a program with its derivatives; a
`runner` runs one by a `backend`. `known_programs` caches compiled programs in memory, and
`disk_cache` on disk. `generators` finds random numbers that would not be drawn again, and
`jit_mode` disables compilation. `export_c` writes programs as C, and `sparse_jacobian` computes
sparse Jacobians:

    @jit                  trace      %1 = mul(%0, %0)
    def square(x):        nests      y[0] = p[0] · p[0]
        return x * x      backend    %v2 = fmul double %v1, %v1
"""
