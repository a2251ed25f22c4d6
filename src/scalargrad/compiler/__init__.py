"""The compiler behind `jit`: record → flatten → derive → flatten → pack → run.

`decorator` is `jit`, `jitted` the function a user calls; `arguments` and `closures` decide which
program runs, `path` is one program with what it takes to call it and `paths` those of one function,
`function` a program with its derivatives, `output` what a call returns. `batch` is `vmap`, `scan`
repeats a step, with `carrying` in place. One run of a function is noted by `recording`; each of the
`passes` is a file that reads a program and writes another; `machines` carry out what they leave;
`explaining` shows it.
"""
