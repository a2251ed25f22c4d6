"""LLVM: programs printed as IR, compiled to machine code and kept on disk.

`ir_module` holds the text of functions. An `emitter` writes one operation of the table after
another into them, for one number or for eight beside one another; `elementary`, `sine_cosine` and
`floor_division` describe functions without branches. `machine_code` compiles the text for a
`target`, and `disk_cache` is where it is found again. No optimiser is asked to rewrite what is
printed, so that the digits of a number are those the text says.
"""
