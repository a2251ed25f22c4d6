"""Export of compiled functions: C source, and machine code, which `load` calls from Python.

`program` names the inputs and outputs of a traced program, `source` renders it as a C99 function
that needs only <math.h>, with a header, and `files` writes and loads files. The loops run over one
block of memory, like those of compiled calls, and give the same digits:

    jit(lambda x: x * x).export("square.c", Value(3.0))
    in     0: x
    out    0: result, 1: d(result)/d(x)
"""
