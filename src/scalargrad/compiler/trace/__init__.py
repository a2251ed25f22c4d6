"""Recording: one run of a function, noted as a program.

`record` runs the function and writes down what it left behind; `trace` is what is noted meanwhile.
`watch` exchanges what `answers`, `numbers` and `sweeps` say of Values (by `exchange`, which puts it
back) and meets draws: by `interception` of the generators that `reach` finds, which `randomness`
notes. `stacking` stands for all examples of vmap at once, `deferred` for gradients that a pass
writes out. `changes` and `refusal` find and report what a program could not repeat, `domains` what
eager evaluation would refuse at other numbers.
"""
