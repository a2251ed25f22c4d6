"""Recording: one run of a function, written as a program while it is computed.

`record` runs the function on `traced` numbers, whose operations write into the columns of a
`trace`, the recorder in force. `regions` are derivatives taken meanwhile, `stacking` stands for all examples
of vmap at once, `numbers` computes what a condition asks for. `randomness` notes the draws of
generators that `reach` finds. `changes` and `refusal` find and report what a program could not
repeat, `domains` what eager evaluation would refuse at other numbers.
"""
