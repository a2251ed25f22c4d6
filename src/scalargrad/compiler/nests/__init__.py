"""Programs as nests of loops: equations on arrays, and what is derived from them.

A reader begins with `equations`. `builder` writes them from plain Python, `interpreter` says what
they mean, `derive` differentiates and `simplify` shortens them.
"""
