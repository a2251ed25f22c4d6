"""The target: which processor machine code is for, and the functions it may call."""

from __future__ import annotations

import ctypes
import functools
import sys
from typing import Any

import llvmlite
import llvmlite.binding as llvm

#: What the compiler may call where the processor has no instruction for it, beside the
#: functions of the C library that are named in a text.
_ALSO_CALLED = ("fma", "fmod", "floor", "ceil", "rint", "memset", "memcpy", "memmove")


@functools.cache
def features() -> str:
    """Return what the processor can do; vectors are as wide as its registers allow."""
    return f"{llvm.get_host_cpu_features().flatten()},-prefer-256-bit"


@functools.cache
def registers() -> int:
    """Return how many vectors of sums a tile may keep in registers; it changes no digit."""
    return 16 if "+avx512f" in features() else 8


@functools.cache
def identity() -> str:
    """Return all that machine code depends on besides its text."""
    processor = f"{llvm.get_host_cpu_name()} {features()}"
    return f"{llvmlite.__version__} {llvm.get_default_triple()} {processor}"


def machine(level: int, *, jit: bool = True) -> Any:
    """Return LLVM's description of this machine, at a level of code generation from 0 to 3.

    It is for code run in this process, or else for object files that a linker puts anywhere. It is
    a new one each time: an engine made with one frees it in the end.
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
    """Make a function of the C library known to LLVM; return whether there is one."""
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
    """Return the C libraries of this process, that of mathematics first."""
    names: list[str | None] = ["ucrtbase"] if sys.platform == "win32" else ["libm.so.6", None]
    found = []
    for name in names:
        try:
            found.append(ctypes.CDLL(name))
        except OSError:
            continue
    return found
