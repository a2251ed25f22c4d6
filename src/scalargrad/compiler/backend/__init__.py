"""Backends: execute packed programs, as machine code or with NumPy.

`choice` picks the backend. `llvm` prints instructions as LLVM IR and compiles them; `numpy_runner`
executes them where llvmlite is not installed. `blocks` splits a program of many lanes into blocks
that fit into the cache and runs them on several threads.
"""
