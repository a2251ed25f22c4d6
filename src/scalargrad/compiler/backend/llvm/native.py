"""Run a packed program in machine code, as a sequence of calls to compiled functions.

The function for each kind of instruction is compiled when first needed and shared by all programs
of the process. A driver, compiled too, loops over the calls of a program. Small instructions of a
program that runs often are compiled to straight-line code of its own.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable
from ctypes import byref, c_char
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import aligned
from scalargrad.compiler.backend.llvm import straight_line
from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.encode import Kind, encode
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest, all_finite
from scalargrad.compiler.backend.llvm.machine_code import Code, compile_module, lock
from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.compiler.packing.instructions import (
    Apply,
    Instruction,
    Packed,
    Products,
    size_of,
)

_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_bool)

#: Spare cells before and after the memory of a program, which incomplete vectors may touch.
_SPARE = 8
#: After this many runs, straight-line code is printed for small instructions.
_OFTEN = 16
#: With more small instructions than the first number, it is printed only after the second.
_SOON, _SELDOM = 10_000, 5_000


def runs(packed: Packed) -> bool:
    """Return whether every operation of a program can be compiled."""
    return all(map(can_write, {x.op for x in packed.instructions if isinstance(x, Apply)}))  # type: ignore[arg-type]


def constants_of(packed: Packed) -> dict[int, float]:
    """Return the numbers of the cells that are constant: no inputs, and never written."""
    constant = np.ones(len(packed.memory), dtype=np.bool_)
    constant[: packed.inputs] = False
    for instruction in packed.instructions:
        constant[instruction.out : instruction.out + size_of(instruction)] = False
    cells = np.flatnonzero(constant).tolist()
    return dict(zip(cells, packed.memory[constant].tolist(), strict=True))


@functools.cache
def _driver() -> Callable[..., bool]:
    """Return ``run(frame)``, which makes calls in order and returns whether all outputs are finite.

    The frame holds the addresses of the memory and of the first call, the number of calls, the
    first cell of the outputs, and how many outputs to look at.
    """
    module = IRModule()
    nest = Nest(module, "run", "ptr %frame", "i64")
    for k, (name, kind) in enumerate([("m", "ptr"), ("row", "ptr"), ("calls", "i64")]):
        nest.body.line(f"%{name} = load {kind}, ptr {nest.table(k, '%frame')}, align 8")
    found, count = nest.fields(3, 2, "%frame")
    write_calls(nest)
    lanes = Emitter(nest.body, WIDTH)

    def finite() -> list[str]:
        return [all_finite(nest, lanes, nest.cell(found), count)]

    (all_are,) = nest.unless_none(count, finite, [("i1", "true")])
    nest.body.line(f"ret i64 {nest.body.assign(f'zext i1 {all_are} to i64')}")
    run: Callable[..., bool] = compile_module(module, level=1).function("run", _FUNCTION)
    return run


def write_calls(nest: Nest) -> None:
    """Print a loop over the `%calls` calls at `%row`: none, if the results are the arguments."""

    def call(i: str, _: list[str]) -> list[str]:
        at = nest.body.assign(f"getelementptr {{ptr, ptr}}, ptr %row, i64 {i}")
        function = nest.body.assign(f"load ptr, ptr {at}")
        beside = nest.body.assign(f"getelementptr ptr, ptr {at}, i64 1")
        table = nest.body.assign(f"load ptr, ptr {beside}")
        nest.body.line(f"call void {function}(ptr %m, ptr {table})")
        return []

    nest.unless_none("%calls", lambda: nest.loop("%calls", call))


class Native:
    """A packed program, compiled.

    Attributes
    ----------
    memory : float64, cells
        The initial contents of a memory.
    calls : integers, calls × 2
        The addresses of a function and of its table, for each call of a run.
    work : int
        The approximate number of products and results that a run computes.
    instructions : list
    numbers : dict
        The constant cells with their numbers.
    """

    def __init__(self, packed: Packed) -> None:
        self.memory, self.instructions = packed.memory, packed.instructions
        self.numbers = constants_of(packed)
        self._encoded = [encode(x) for x in self.instructions]
        self._tables = np.concatenate([np.empty(0, np.int64), *(x.fields for x in self._encoded)])
        self._own: list[Code] = []
        sizes = [len(x.fields) for x in self._encoded]
        first = np.cumsum([0, *sizes])[:-1].astype(np.int64)
        functions = addresses(x.kind for x in self._encoded)
        self.calls = np.stack(
            [np.array(functions, dtype=np.int64), self._tables.ctypes.data + 8 * first], axis=1
        )
        self._stretches = straight_line.stretches(self.instructions)
        small = sum(last - first for first, last in self._stretches)
        self._left = (_OFTEN if small <= _SOON else _SELDOM) if self._stretches else 0
        self.work = sum(map(_work, self.instructions))

    @property
    def warm(self) -> bool:
        """Whether the code will not change any more."""
        return self._left == 0

    def count_run(self) -> NDArray[np.int64]:
        """Count a run and return its calls; after enough runs, print straight-line code."""
        with lock:
            self._left -= self._left > 0
            if self._left == 0 and self._stretches and not self._own:
                self._print_straight()
            return self.calls

    def _print_straight(self) -> None:
        module, names = straight_line.printed(self.instructions, self.numbers, self._stretches)
        code = compile_module(module, level=0)
        self._own.append(code)
        calls, done = [], 0
        for (first, last), name in zip(self._stretches, names, strict=True):
            calls += [self.calls[done:first], np.array([[code.address(name), 0]])]
            done = last
        self.calls = np.concatenate([*calls, self.calls[done:]])

    def text(self) -> str:
        """Return the LLVM IR: the function of each kind, and the straight-line code."""
        module, _ = printed(list(dict.fromkeys(x.kind for x in self._encoded)))
        if not self._stretches:
            return module.text()
        own, _ = straight_line.printed(self.instructions, self.numbers, self._stretches)
        return f"{module.text()}\n{own.text()}"


def _work(instruction: Instruction) -> int:
    """Return the approximate number of products or results that an instruction computes."""
    if isinstance(instruction, Products):
        return instruction.a.size
    return size_of(instruction) * (8 if isinstance(instruction, Apply) else 1)


_natives: WeakKeyDictionary[Packed, Native] = WeakKeyDictionary()


def native(packed: Packed) -> Native:
    """Return the compiled form of a program, which all its executables share."""
    with lock:
        if packed not in _natives:
            _natives[packed] = Native(packed)
        return _natives[packed]


class NativeExecutable:
    """A compiled program with memory to run in.

    Parameters
    ----------
    packed : Packed
        The program; all its operations can be compiled.

    Attributes
    ----------
    memory : float64, cells
        Its first cells take the inputs before `run`.
    """

    def __init__(self, packed: Packed) -> None:
        self.native, self._outputs = native(packed), packed.outputs
        cells = self.native.memory
        self.memory = aligned(len(cells) + 2 * _SPARE)[_SPARE:-_SPARE]
        self.memory[:] = cells
        self._early = self._bound(self.native.calls)

    def run(self) -> bool:
        """Run the program on `memory`, and return whether all outputs are finite.

        Runs are counted until the code is final.
        """
        calls = self.native.count_run()
        if not self.native.warm:
            return self._early()
        self.run = self._bound(calls)  # type: ignore[method-assign]
        return self.run()

    def calls_for(self, runs: int) -> tuple[NDArray[np.int64], int]:
        """Count `runs` runs ahead; return the calls of one, and its work."""
        for _ in range(0 if self.native.warm else runs):
            self.native.count_run()
        return self.native.calls, self.native.work

    def _bound(self, calls: NDArray[np.int64]) -> Callable[[], bool]:
        """Return a function that calls the code directly and keeps alive all that it uses."""
        first, stop, _ = self._outputs.indices(len(self.memory))
        places = self.memory.ctypes.data, calls.ctypes.data
        frame = np.array([*places, len(calls), first, stop - first])
        called = functools.partial(_driver(), _pointer(frame))
        called.held = self.native, calls, self.memory  # type: ignore[attr-defined]
        return called


def _pointer(array: NDArray[Any]) -> Any:
    """Return the address of an array for ctypes, in an object that keeps the array alive."""
    return byref((c_char * array.nbytes).from_buffer(array.data))


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
