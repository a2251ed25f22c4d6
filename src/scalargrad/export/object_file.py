"""Object files: a program as a function that other code can link to.

It calls the same compiled functions, one after the other, as calls from Python do. An ``.o`` file
needs no compiler; a shared library is linked by the C compiler of the system.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats
from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.nests.compile_nests import Scheduled
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.pack import pack
from scalargrad.errors import MissingPackageError, OperandError, TraceError
from scalargrad.export.c_file import header
from scalargrad.export.exported import Exported

#: Spare cells before and after the memory, which incomplete vectors may touch.
_SPARE = 8

_ENTRY = """\
define void @{name}(ptr %in, ptr %out) nounwind {{
entry:
  %m = getelementptr double, ptr @memory, i64 {spare}
  call void @llvm.memcpy.p0.p0.i64(ptr %m, ptr %in, i64 {bytes_in}, i1 false)
{calls}
  %found = getelementptr double, ptr %m, i64 {first}
{guards}
  br label %next

next:
  %k = phi i64 [0, %entry], [%after, %write]
  %more = icmp ult i64 %k, {results}
  br i1 %more, label %write, label %done

write:
  %from = getelementptr double, ptr %found, i64 %k
  %number = load double, ptr %from
  %shown = select i1 %ok, double %number, double 0x7FF8000000000000
  %to = getelementptr double, ptr %out, i64 %k
  store double %shown, ptr %to
  %after = add i64 %k, 1
  br label %next

done:
{status}  ret void
}}
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
"""


def object_file(exported: Exported) -> dict[str, bytes]:
    """Return the contents of the ``.o`` and the ``.h`` file."""
    code, target, cells = _object_code(exported)
    return {".o": code, ".h": header(exported, cells, target).encode()}


def shared_library(exported: Exported) -> dict[str, bytes]:
    """Return the contents of the ``.so`` and the ``.h`` file.

    Raises
    ------
    OperandError
        If there is no C compiler to link it.
    """
    linker = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if linker is None:
        raise OperandError(
            "a shared library is linked by a C compiler, which is not installed here: install "
            "gcc, or write a .o file"
        )
    files = object_file(exported)
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder) / "code.o", Path(folder) / "code.so"
        code.write_bytes(files[".o"])
        command = [linker, "-shared", "-o", str(library), str(code), "-lm"]
        subprocess.run(command, check=True, capture_output=True)
        return {".so": library.read_bytes(), ".h": files[".h"]}


def _object_code(exported: Exported) -> tuple[bytes, str, int]:
    """Return the object code, the processor it is for, and the size of the workspace."""
    if not has_llvm():
        raise MissingPackageError(
            "object code needs llvmlite: python -m pip install llvmlite platformdirs"
        )
    from scalargrad.compiler.backend.llvm.machine_code import relocatable

    loops = exported.loops
    compiled: Packed | Scheduled = pack(exported.program) if loops is None else loops
    text, calls, start = _packed(compiled) if isinstance(compiled, Packed) else _looped(compiled)
    memory = np.zeros(len(start) + 2 * _SPARE)
    memory[_SPARE:-_SPARE] = start
    guards, status = _guards(exported, compiled)
    entry = _ENTRY.format(
        name=exported.name,
        spare=_SPARE,
        bytes_in=8 * compiled.inputs,
        calls="\n".join(calls),
        first=compiled.outputs.start,
        guards=guards,
        status=status,
        results=len(exported.outputs),
    )
    memory_text = f"@memory = internal global {_content(memory)}"
    text = "\n".join([text, memory_text, _names(exported), entry])
    code, target = relocatable(text, exported.name)
    return code, target, len(memory)


def _names(exported: Exported) -> str:
    """Return a constant with the names of inputs and outputs, for `load`."""
    names = {"inputs": [*exported.inputs], "outputs": [*exported.outputs]}
    content = json.dumps({**names, "is_guarded": exported.is_guarded}).encode() + b"\0"
    escaped = "".join(f"\\{byte:02X}" for byte in content)
    return f'@{exported.name}_names = constant [{len(content)} x i8] c"{escaped}"'


def _packed(packed: Packed) -> tuple[str, list[str], Floats]:
    """Return the functions of a packed program, the calls of them, and its memory."""
    from scalargrad.compiler.backend.llvm.encode import encode
    from scalargrad.compiler.backend.llvm.native import printed, ready, runs

    if not runs(packed):
        raise TraceError(
            "an operation cannot be written as machine code, which knows the operations of "
            "scalargrad alone: write it as an expression of them"
        )
    start, instructions, _ = ready(packed)
    encoded = [encode(x) for x in instructions]
    module, names = printed(list(dict.fromkeys(x.kind for x in encoded)))
    function = dict(zip(dict.fromkeys(x.kind for x in encoded), names, strict=True))
    calls = [
        f"  call void @{function[x.kind]}(ptr %m, ptr @{module.table(x.fields.tolist())})"
        for x in encoded
    ]
    return module.text(), calls, start


def _looped(loops: Scheduled) -> tuple[str, list[str], Floats]:
    """Return the function of a program of loops, the call of it, and its memory."""
    from scalargrad.compiler.nests.llvm_printer import print_llvm

    module, cells = print_llvm(loops.body, loops.plan, "sg.run")
    lines = [
        f"  %whole = getelementptr double, ptr %m, i64 -{LINE}",
        "  call void @sg.run(ptr %whole)",
    ]
    return module.text(), lines, loops.plan.begun(cells)[LINE:]


def _content(memory: Floats) -> str:
    """Return numbers as the initializer of memory, exact to the bit; most may be 0."""
    bits = memory.view(np.uint64)
    ends = np.flatnonzero(np.diff(bits != 0)) + 1
    types, found = [], []
    for part in np.split(bits, ends):
        types.append(f"[{len(part)} x double]")
        shown = ", ".join(f"double 0x{x:016X}" for x in part.tolist())
        found.append(f"{types[-1]} {f'[{shown}]' if part.any() else 'zeroinitializer'}")
    return f"<{{{', '.join(types)}}}> <{{{', '.join(found)}}}>, align 64"


def _guards(exported: Exported, compiled: Packed | Scheduled) -> tuple[str, str]:
    """Return the code that checks whether the numbers take the recorded way, and reports it."""
    n = len(exported.outputs)
    cells = [(f"%found, i64 {n}", "%taken")] * exported.is_guarded
    inner = range(0)
    if not isinstance(compiled, Packed):
        inner = range(compiled.outputs.start + compiled.results, compiled.outputs.stop)
    cells += [(f"%m, i64 {cell}", f"%inner{k}") for k, cell in enumerate(inner)]
    lines = []
    for cell, name in cells:
        lines += [
            f"  {name}.at = getelementptr double, ptr {cell}",
            f"  {name} = load double, ptr {name}.at",
        ]
    lines.append("  %sum0 = fadd double 0.0, 0.0")
    for k in range(len(inner)):  # a sum that is 0, or nan if any of them is not finite
        lines += [
            f"  %nothing{k} = fmul double %inner{k}, 0.0",
            f"  %sum{k + 1} = fadd double %sum{k}, %nothing{k}",
        ]
    lines += [
        f"  %valid = fcmp une double {'%taken' if exported.is_guarded else '1.0'}, 0.0",
        f"  %finite = fcmp oeq double %sum{len(inner)}, 0.0",
        "  %ok = and i1 %valid, %finite",
    ]
    status = [
        f"  %status.at = getelementptr double, ptr %out, i64 {n}",
        "  store double %taken, ptr %status.at\n",
    ]
    return "\n".join(lines), "\n".join(status) if exported.is_guarded else ""
