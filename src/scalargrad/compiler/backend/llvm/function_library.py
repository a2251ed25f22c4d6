"""The library of compiled functions of this process: one for each kind of instruction."""

from __future__ import annotations

from collections.abc import Iterable

from scalargrad.compiler.backend.llvm.encode import Kind
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.machine_code import Code, compile_module, lock

#: The address of each kind of function, and the code, which would be freed otherwise.
_known: dict[Kind, int] = {}
_codes: list[Code] = []


def addresses(kinds: Iterable[Kind]) -> list[int]:
    """Return the addresses of the functions of these kinds, compiling those not there yet."""
    wanted = list(kinds)
    with lock:
        missing = [x for x in dict.fromkeys(wanted) if x not in _known]
        if missing:
            module, names = printed(missing)
            code = compile_module(module, level=1)
            _codes.append(code)
            for kind, name in zip(missing, names, strict=True):
                _known[kind] = code.address(name)
    return [_known[x] for x in wanted]


def printed(kinds: list[Kind]) -> tuple[IRModule, list[str]]:
    """Return a module with the functions of these kinds, and their names."""
    module = IRModule()
    names = [f"{x[0].__name__.removeprefix('write_')}.{k}" for k, x in enumerate(kinds)]
    for (write, told), name in zip(kinds, names, strict=True):
        write(module, name, *told)
    return module, names
