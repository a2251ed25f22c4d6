"""Machine code: the kernel's source compiled once for a machine, and kept as an object file.

Numba, which compiles it, takes longer to import than most programs take to run. A process that
finds the object file loads it with llvmlite, on which Numba stands, and never imports Numba.
"""

from __future__ import annotations

import ctypes
import hashlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
import platformdirs

from scalargrad.system.files import write_atomically

#: ``run(returned, error, code, size of code, memory)``, all as ctypes passes them on: to
#: convert them at each call takes longer than the call.
Function = Callable[[Any, None, Any, Any, Any], None]

_FUNCTION = ctypes.CFUNCTYPE(None)
_DIGEST = hashlib.sha256().digest_size

_log = logging.getLogger("scalargrad")


def function(source: str) -> Function:
    """Return the function `run` of a module of Numba functions, compiled for this machine.

    Notes
    -----
    The object file is put in place whole, so that two processes can do so at once; where the
    folder cannot be written, the code is compiled for this process alone.
    """
    path = _kept(source)
    kept = _read(path)
    run = None if kept is None else _linked(kept)
    if run is not None:
        return run
    code = _compiled(source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, hashlib.sha256(code).digest() + code)
    except OSError as error:
        _log.warning("the kernel of jit cannot be kept for other processes: %s", error)
    run = _linked(code)
    assert run is not None, "Numba brings what its code calls"
    return run


def _kept(source: str) -> Path:
    """Return where the code is kept: by its source, its compiler and the processor it is for."""
    processor = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    ours = [
        Path(__file__).with_name(f"{x}.py").read_text() for x in ("machine_code", "register_code")
    ]
    text = "\n".join([source, *ours, llvmlite.__version__, *processor])
    name = f"kernel_{hashlib.sha256(text.encode()).hexdigest()[:16]}.o"
    return Path(platformdirs.user_cache_dir("scalargrad")) / name


def _read(path: Path) -> bytes | None:
    """Return what is kept in a file; None if nothing is, or it is damaged."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if hashlib.sha256(code).digest() == digest else None


def _compiled(source: str) -> bytes:
    """Return what is kept of a module's function `run`: names it calls, and object code."""
    _log.warning("compiling the kernel of jit, once for this machine: about ten seconds")
    namespace: dict[str, Any] = {}
    exec(compile(source, "<scalargrad kernel>", "exec"), namespace)
    (text,) = namespace["run"].inspect_llvm().values()
    module = llvm.parse_assembly(text)
    (run,) = [
        x for x in module.functions if not x.is_declaration and x.linkage == llvm.Linkage.external
    ]
    run.name = "run"
    called = [x.name for x in module.functions if x.is_declaration and x.name[:5] != "llvm."]
    code: bytes = _target_machine().emit_object(module)
    return " ".join(called).encode() + b"\n" + code


def _target_machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        codemodel="jitdefault",
        jit=True,
    )


def _linked(code: bytes) -> Function | None:
    """Load what is kept into this process; None if it calls what is not there."""
    called, _, machine_code = code.partition(b"\n")
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine())
    if any(llvm.address_of_symbol(name) is None for name in called.decode().split()):
        return None  # LLVM would link it to address 0
    engine.add_object_file(llvm.ObjectFileRef.from_data(machine_code))
    engine.finalize_object()
    run = _FUNCTION(engine.get_function_address("run"))
    run.engine = engine  # type: ignore[attr-defined] # the code lives as long as its engine
    return run
