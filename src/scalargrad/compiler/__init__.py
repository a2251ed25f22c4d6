"""The compiler behind `jit`: record, gather sums of products, differentiate, pack, run.

`decorator` is `jit`, `jitted` the function a user calls; `arguments` and `guards` decide which
program runs, `path` is one program with what it takes to call it and `paths` those of one function,
`function` a program with its derivatives, `output` what a call returns. `batch` is `vmap`, `scan`
repeats a step, with `carrying` in place. One run of a function is recorded by `trace`; each of the
`passes` is a file that reads a program and writes another; a `backend` runs what they leave;
`explain` shows it.
"""
