"""LLVM: programs printed as IR, compiled to machine code and kept on disk.

`module` holds the text of functions; an `emitter` writes one operation of the table after another
into them, for one number or for eight beside one another; `elementary` and `circular` describe
the functions that have no branches; `code` compiles text, for a `target`, and `kept` is where it
is found again. No optimiser is asked to rewrite what is printed, so that the digits of a number
are those the text says.
"""
