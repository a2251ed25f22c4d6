"""Loops: find the repetition in a recorded program, and compile it as loops.

A Python loop is recorded as a body that is repeated, its operands at regular distances. `repeats`
finds it in the `node_columns` of a program, `roll` writes the program as blocks of a body and a
count, and `expand` checks that they stand for every node of the recording. `schedule` sorts the
statements of a body into loops over lanes and loops that carry numbers on, which `forward` and
`derivative` write as `loop` defines them, and `printer` prints, one by one with `loop_printer`.
"""
