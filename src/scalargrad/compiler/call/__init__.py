"""The call of a compiled function: find the program for its arguments, run it, build the result.

A `call_signature` splits the arguments into numbers and a key, as `arguments` finds them. A
`specialization` is one recorded program with all it takes to run it; `specializations` holds all of
one function, and has a new one recorded by `record_call`, as far as `recording_limits` allow. An
`outline` is the structure of a result, which is filled with the numbers of a call; a number that
depends on Values becomes an `output`, a node of the graph.
"""
