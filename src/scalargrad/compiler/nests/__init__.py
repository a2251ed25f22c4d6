"""Programs as nests of loops: equations on arrays, and what is derived from them.

A reader begins with `equations`. `builder` writes them from plain Python, `interpreter` says what
they mean, `derive` differentiates and `simplify` shortens them. `schedule` turns them into loops in
an order that runs, `plan` says where their arrays are, and `c_printer` and `llvm_printer` print
that, by what `printer` has for both; `numpy_runner` runs it without a compiler. `finder` finds the
nests in a flat recording.
"""
