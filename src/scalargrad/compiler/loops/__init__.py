"""Loops: find the repetition in a recorded program, and compile it as loops.

Recording a Python loop unrolls it: the same few operations occur over and over, their operands at
regular distances. `repeats` finds such stretches in the `node_columns` of a program, `roll` turns
each into a block (a body and a repeat count), and checks that the blocks stand for exactly the
recorded nodes. `schedule` splits a body into vectorizable loops and recurrences; `forward` and
`derivative` write these as the steps defined in `loop`, `tidy` removes what nothing needs, and
`loop_printer` prints them as LLVM IR. A long body without a recurrence is better written with
lanes, as vmap would record it: `to_lanes`.
"""
