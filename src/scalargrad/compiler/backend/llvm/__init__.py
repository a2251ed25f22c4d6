"""The LLVM backend: print programs as IR, compile them to machine code, cache that on disk.

An `ir_module` is the text of functions, where an `emitter` writes `operations` of the table,
for single numbers or for vectors of eight. `elementary` defines exp, log, sin and the like.
`machine_code` compiles the text for this processor; `scalargrad.compiler.disk_cache` keeps the
result. No optimization passes run: they could change the digits of a result.
"""
