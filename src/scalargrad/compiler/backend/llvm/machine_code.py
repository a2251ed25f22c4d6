"""Compile LLVM IR to machine code, load it into this process, and cache it on disk.

Each use of LLVM takes a lock, and so does a fork: if a process were forked while another thread
compiles, the child would inherit LLVM's own lock without a thread to release it.
"""

from __future__ import annotations

import ctypes
import functools
import os
import sys
import threading
from contextlib import nullcontext
from typing import Any
from weakref import WeakValueDictionary

import llvmlite
import llvmlite.binding as llvm

from scalargrad.compiler import disk_cache
from scalargrad.compiler.backend.callbacks import callbacks_among
from scalargrad.compiler.backend.llvm.ir_module import IRModule

lock = threading.RLock()

#: llvmlite's own lock, which is also taken when another thread frees compiled code.
_library_lock = getattr(llvm.ffi.lib, "_lock", nullcontext())


def _hold() -> None:
    lock.acquire()
    _library_lock.__enter__()


def _let_go() -> None:
    _library_lock.__exit__(None, None, None)
    lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_hold, after_in_parent=_let_go, after_in_child=_let_go)


class Code:
    """Object code loaded into this process; it is freed with this object."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine(0))
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, name: str) -> int:
        """Return the address of a function."""
        with lock:
            found: int = self._engine.get_function_address(name)
        return found

    def function(self, name: str, kind: Any) -> Any:
        """Return a function that can be called from Python and keeps the code alive.

        Parameters
        ----------
        kind : type
            The type of the function, made by `ctypes.CFUNCTYPE`.
        """
        found = kind(self.address(name))
        found.code = self  # otherwise another thread could free the code while it runs
        return found


#: The code loaded in this process, by its name in the disk cache.
_at_work: WeakValueDictionary[str, Code] = WeakValueDictionary()
#: The compiled shared functions of modules, such as the exponential, by name.
_shared: dict[str, Code] = {}


def compile_module(module: IRModule, level: int = 0) -> Code:
    """Compile a module, or load it from the disk cache; a process does this once for each module.

    Parameters
    ----------
    level : int
        The optimization level of LLVM's code generator, 0 or 1. Level 1 takes a quarter of a
        millisecond for each line of a loop, and many seconds for long straight-line code: use it
        only for loops.

    Raises
    ------
    OSError
        If the C library lacks a function that the module calls.

    Examples
    --------
    >>> import ctypes
    >>> from scalargrad.compiler.backend.llvm.emitter import Emitter
    >>> module = IRModule()
    >>> body = module.function("twice", "double %x", "double")
    >>> body.line(f"ret double {Emitter(body).add('%x', '%x')}")
    >>> kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    >>> compile_module(module).function("twice", kind)(4.0)
    8.0
    """
    with lock:
        callbacks = {x.name: x for x in callbacks_among(module.declared)}
        for name in module.declared:
            if name in module.shared and name not in _shared:
                code = _shared[name] = compile_module(module.shared[name], level=1)
                llvm.add_symbol(name, code.address(name))
            elif name in callbacks:
                llvm.add_symbol(name, callbacks[name].address)
            elif not (name in module.shared or name.startswith("llvm.") or offer(name)):
                raise OSError(f"the C library of this system has no {name}")
    return compile_text(module.own_text(), level)


def compile_text(text: str, level: int = 0) -> Code:
    """Compile LLVM IR, like `compile_module`, if the functions that it calls are known to LLVM."""
    with lock:
        name = disk_cache.name_of(text, identity(), str(level))
        found = _at_work.get(name)
        if found is None:
            code = disk_cache.read(name)
            if code is None:
                code = compiled(text, level)
                disk_cache.write(name, code)
            found = _at_work[name] = Code(code)
        return found


def compiled(text: str, level: int) -> bytes:
    """Return the object code of a module."""
    to = machine(level)
    objects: bytes = to.emit_object(_parsed(text, to))
    return objects


def _parsed(text: str, to: Any) -> Any:
    parsed = llvm.parse_assembly(text)
    parsed.triple, parsed.data_layout = to.triple, str(to.target_data)
    return parsed


def relocatable(text: str, entry: str) -> tuple[bytes, str]:
    """Return an object file that exports one function, and the target that it is compiled for.

    Parameters
    ----------
    text : str
        LLVM IR; all functions except `entry` become internal.
    entry : str
        The name of the exported function.
    """
    with lock:
        to = machine(1, jit=False)
        parsed = _parsed(text, to)
        for function in parsed.functions:
            if not function.is_declaration and function.name != entry:
                function.linkage = "internal"
        return to.emit_object(parsed), f"{to.triple}, {llvm.get_host_cpu_name()}"


# The processor, and the library functions that code may call -------------------------------------

#: Functions that LLVM may call if the processor lacks an instruction; the IR does not name them.
_ALSO_CALLED = ("fma", "fmod", "floor", "ceil", "rint", "memset", "memcpy", "memmove")


@functools.cache
def features() -> str:
    """Return the processor's features in LLVM's notation, with full AVX-512 registers preferred."""
    found: str = llvm.get_host_cpu_features().flatten()
    return f"{found},-prefer-256-bit" if "+avx512f" in found else found


@functools.cache
def registers() -> int:
    """Return the number of vector registers: 32 of 64 bytes, or 16 of 32 bytes.

    The number affects the speed of the code, not its results.
    """
    return 32 if "+avx512f" in features() else 16


@functools.cache
def identity() -> str:
    """Return the part of the cache key that is not IR: LLVM's version, target and processor."""
    processor = f"{llvm.get_host_cpu_name()} {features()}"
    return f"{llvmlite.__version__} {llvm.get_default_triple()} {processor}"


def machine(level: int, *, jit: bool = True) -> Any:
    """Return a new LLVM target machine at an optimization level from 0 to 3.

    Its code is for this process if `jit` is True, otherwise for object files
    (position-independent). Each call returns a new target machine, since an execution engine takes
    ownership of it.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    for name in _ALSO_CALLED:
        offer(name)
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=features(),
        opt=level,
        reloc="default" if jit else "pic",
        codemodel="jitdefault" if jit else "default",
        jit=jit,
    )


@functools.cache
def offer(name: str) -> bool:
    """Register a function of the C library with LLVM; return True if the library has it."""
    for library in _libraries():
        try:
            address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
        except AttributeError:
            continue
        llvm.add_symbol(name, address)
        return True
    return llvm.address_of_symbol(name) is not None


@functools.cache
def _libraries() -> list[ctypes.CDLL]:
    """Return the C libraries of this process, the math library first."""
    names: list[str | None] = ["ucrtbase"] if sys.platform == "win32" else ["libm.so.6", None]
    found = []
    for name in names:
        try:
            found.append(ctypes.CDLL(name))
        except OSError:
            continue
    return found
