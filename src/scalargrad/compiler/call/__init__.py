"""Call a compiled function: find the program its arguments ask for, and run it on their numbers.

`arguments` takes the numbers out of the arguments and makes the rest a key, with `objects` for
modules and other objects and `static_arguments` for those marked static; `input_numbers` puts the
numbers in a row. A `path` is one recorded program with what it takes to run it, `paths` are those
of one function, and `recording_limits` says how many there may be. `output` is the node a call
returns; `eager_replay` repeats a call eagerly where its compiled gradient is not finite.
"""
