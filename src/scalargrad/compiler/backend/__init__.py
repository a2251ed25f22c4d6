"""Machines: what carries instructions out, the compiled kernel or NumPy, whole or in blocks.

`machine` chooses. `numpy_runner` is the one without Numba. `kernel` is one compiled function for
all programs: `encode` writes a program as its numbers; `loops`, `vector` and `tables` are its
source; `registers` and `register_code` keep numbers in the processor's registers; `machine_code`
compiles it and keeps it on disk. `blocks` runs a program of many lanes block by block, on several
threads.
"""
