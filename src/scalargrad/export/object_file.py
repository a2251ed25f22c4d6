"""Object files: a program as a function that other code can link to.

It calls the same compiled functions, one after the other, as calls from Python do. An ``.o`` file
needs no compiler; a shared library is linked by the C compiler of the system.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np

from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.packing.pack import pack
from scalargrad.errors import MissingPackageError, OperandError, TraceError
from scalargrad.export.c_header import header
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
  %shown = select i1 %valid, double %number, double 0x7FF8000000000000
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
    return {".o": code, ".h": header(exported, cells, always_static=True, target=target).encode()}


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
    from scalargrad.compiler.backend.llvm.encode import encode
    from scalargrad.compiler.backend.llvm.function_library import printed
    from scalargrad.compiler.backend.llvm.machine_code import relocatable
    from scalargrad.compiler.backend.llvm.native import ready, runs

    packed = pack(exported.program)
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
    memory = np.zeros(len(start) + 2 * _SPARE)
    memory[_SPARE:-_SPARE] = start
    guards, status = _guards(exported)
    entry = _ENTRY.format(
        name=exported.name,
        spare=_SPARE,
        bytes_in=8 * packed.inputs,
        calls="\n".join(calls),
        first=packed.outputs.start,
        guards=guards,
        status=status,
        results=len(exported.outputs),
    )
    text = "\n".join([module.text(), f"@memory = internal global {_content(memory)}", entry])
    code, target = relocatable(text, exported.name)
    return code, target, len(memory)


def _content(memory: np.ndarray) -> str:
    """Return numbers as the initializer of an array, exact to the bit."""
    numbers = ", ".join(f"double 0x{x:016X}" for x in memory.view(np.uint64).tolist())
    return f"[{len(memory)} x double] [{numbers}], align 64"


def _guards(exported: Exported) -> tuple[str, str]:
    """Return the code that checks whether the numbers take the recorded path, and reports it."""
    n = len(exported.outputs)
    lines = ["  %way0 = or i1 true, true"]
    for k, outcome in enumerate(exported.outcomes):
        lines += [
            f"  %guard.at{k} = getelementptr double, ptr %found, i64 {n + k}",
            f"  %guard{k} = load double, ptr %guard.at{k}",
            f"  %held{k} = fcmp {'une' if outcome else 'oeq'} double %guard{k}, 0.0",
            f"  %way{k + 1} = and i1 %way{k}, %held{k}",
        ]
    lines.append(f"  %valid = and i1 %way{len(exported.outcomes)}, true")
    if not exported.outcomes:
        return "\n".join(lines), ""
    status = [
        "  %status = uitofp i1 %valid to double",
        f"  %status.at = getelementptr double, ptr %out, i64 {n}",
        "  store double %status, ptr %status.at",
    ]
    return "\n".join(lines), "\n".join(status) + "\n"
