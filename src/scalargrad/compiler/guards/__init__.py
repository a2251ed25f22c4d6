"""Guards: what a compiled function reads besides its arguments, and whether that has changed.

`names_read` finds the names in a function's code, `reachable` follows them to everything they stand
for (through `containers`, `object_state` and `library_objects`), `readings` notes how to read it
again, and `closed_over` compares all of it with how it was, in terms of `slots` and forms that are
`comparable`. `reads` says which of it one recording depends on.
"""
