"""The LLVM backend: emit programs as LLVM IR, compile them to machine code, cache it on disk.

An `ir_module` contains the text of functions. An `emitter` appends instructions to it, for scalars
or vectors, and `operations` emits each operation. `elementary` defines exp, log, sin and
related functions. `machine_code` compiles the text for this processor, and
`scalargrad.compiler.disk_cache` stores the result. LLVM's optimization passes do not run, because
compilation would take longer.
"""
