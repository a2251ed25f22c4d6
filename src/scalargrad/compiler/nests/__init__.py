"""Programs as nests of loops: equations on arrays, and what is derived from them.

A reader begins with `equations`. `builder` writes them from plain Python, `derive`
differentiates and `simplify` shortens them. `schedule` turns them into loops in
an order that runs, `tiles` chooses by cost which of these are lanes of vectors or go abreast,
and `plan` says where arrays are. `printer` prints that as LLVM IR, with the table of `registers`;
`c_printer` translates it to C. `numpy_runner` runs it without a compiler.
`finder` finds nests in a flat recording. `verify` checks the equations after each pass, and
`verify_layout` the places of arrays.
"""
