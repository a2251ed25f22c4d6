"""The compiler behind `jit`: record → flatten → derive → flatten → pack → run.

`jitted` is the function a user calls; `arguments` decides which program runs, `path` is one
program with what it takes to call it, `function` a program with its derivatives, `output` what a
call returns. One run of a function is noted by `recording`; each of the `passes` is a file that
reads a program and writes another; `machines` carry out what they leave; `explaining` shows it.
"""
