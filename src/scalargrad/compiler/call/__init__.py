"""The call of a compiled function: find the program for its arguments, run it, make the result.

An `argument_splitter` splits the arguments into numbers and a key: `arguments` does so for numbers
and what contains them, `objects` for modules and other objects, `static_arguments` for those marked
static; `input_numbers` lays out the numbers as inputs. A `path` is one recorded program with all it
takes to run it; `paths` are those of one function. `recordings` adds new ones, which `record_call`
records and `recording_limits` bounds in number. An `outline` is the structure of a result, which
`results` fills with the numbers of a call; where these depend on Values, each is an `output`, a
node of the graph. `eager_replay` repeats a call eagerly if its compiled gradient is not finite.
"""
