"""Backends: run a packed program with machine code or NumPy, as a whole or in blocks.

`choice` chooses one. `llvm` prints instructions as LLVM IR and compiles them; `numpy_runner` runs
them where llvmlite is missing. `blocks` runs a program of many lanes block by block, on several
`threads`.
"""
