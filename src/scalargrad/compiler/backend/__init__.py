"""Backends: what executes loops, as machine code or with NumPy.

`choice` picks the backend. `llvm` has the vocabulary of LLVM IR and compiles it; `threads` run the
blocks of one call.
"""
