"""Guards: what a compiled function reads besides its arguments, and whether that has changed.

`ways` says what an object leads to, and in which ways; `names_read` which names code reads. Two
walks follow these. `reachable` notes how to read everything again (`readings`), with keys and
copies to compare with (`slots`, in terms of `containers` and `comparable`); `closed_over` compares
at each call, and tells what a given recording depends on. `held_objects` is for whoever asks what
has changed, and undoes it, or what draws random numbers; of arguments, too.

`frozen` is for arguments that are not traced.
"""
