"""Machines: what carries instructions out, machine code or NumPy, whole or in blocks.

`machine` chooses. `llvm` prints instructions as LLVM IR and compiles them; `numpy_runner` is the
machine without llvmlite. `blocks` runs a program of many lanes block by block, on several threads.
"""
