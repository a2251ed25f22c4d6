"""Guards: what a compiled function reads besides its arguments, and whether that has changed.

`names_read` finds the names in a function's code, `reachable` follows them to everything they stand
for (through `containers`, `object_state`, `library_objects` and `asked_by_name`), `readings`
collects how to read it again, and `closed_over` compares all of it with its recorded state, in
terms of slots and keys that are `comparable`, and tells which of these a given recording depends
on. `frozen` is for arguments that are not traced.

`held_objects` walks over the same, and over arguments, for whoever asks what has changed or what
draws random numbers; `put_back` undoes changes.
"""
