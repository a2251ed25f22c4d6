"""Guards: what a compiled function reads besides its arguments, and whether that has changed.

`surroundings` walks over all that the function's code can reach: from the names in it
(`names_read`) to what these stand for, and on from object to object (`edges`).
It gives a key that chooses the program, and the Values that are inputs. `rereading` reads all of it
again at each call; `comparable` says what numbers and text are compared with.

What this walk meets, and how it is read and written back, is also what a recording is asked for
that may have changed something: `trace.side_effects`.
"""
