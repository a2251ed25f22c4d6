"""The target of compilation: the processor, and the library functions that code may call."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import llvmlite
import llvmlite.binding as llvm

#: Functions that LLVM may call where the processor lacks an instruction. The IR does not name them.
_ALSO_CALLED = ("fma", "fmod", "floor", "ceil", "rint", "memset", "memcpy", "memmove")


@functools.cache
def features() -> str:
    """Return the features of the processor, as LLVM writes them: AVX-512 with whole registers."""
    found: str = llvm.get_host_cpu_features().flatten()
    return f"{found},-prefer-256-bit" if "+avx512f" in found else found


@functools.cache
def registers() -> int:
    """Return how many vector registers there are, 64 or 32 bytes each; this changes no digit."""
    return 32 if "+avx512f" in features() else 16


@functools.cache
def identity() -> str:
    """Return everything besides the IR that machine code depends on, as a key for the cache."""
    processor = f"{llvm.get_host_cpu_name()} {features()}"
    return f"{llvmlite.__version__} {llvm.get_default_triple()} {processor}"


def machine(level: int, *, jit: bool = True) -> Any:
    """Return a new LLVM target machine at an optimization level from 0 to 3.

    With `jit` its code is for this process, else for object files (position-independent). Each
    call returns another, as an execution engine takes ownership of the one it is given.
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
    """Make a function of the C library known to LLVM; return whether the library has it."""
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
