"""Backends: what runs a packed program, machine code or NumPy, whole or in blocks.

`choice` chooses one. `llvm` prints instructions as LLVM IR and compiles them; `numpy_runner` runs
them where llvmlite is missing. `blocks` runs a program of many lanes block by block, on several
threads.
"""
