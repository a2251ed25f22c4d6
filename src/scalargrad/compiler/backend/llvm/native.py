"""Run a packed program as a sequence of calls to compiled functions.

The functions of each kind of instruction are compiled when a program first needs them and serve
all programs of the process. A program is run by a loop over its calls. One that is run often and
has many small instructions gets straight-line code of its own for these.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
import weakref
from collections.abc import Callable, Iterable
from ctypes import byref, c_char, c_int64
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.backend.llvm import straight_line
from scalargrad.compiler.backend.llvm.contiguous import arranged, constant_cells
from scalargrad.compiler.backend.llvm.encode import Kind, encode, write
from scalargrad.compiler.backend.llvm.extents import size_of
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.lanewise import Finished, Lanewise, Merged
from scalargrad.compiler.backend.llvm.machine_code import Code, compile_module, lock
from scalargrad.compiler.backend.llvm.merge import merged
from scalargrad.compiler.backend.llvm.operations import can_write
from scalargrad.compiler.passes.instructions import (
    Apply,
    GatheredProducts,
    Packed,
    Products,
)
from scalargrad.compiler.passes.memory import Floats

_FUNCTION = ctypes.CFUNCTYPE(None)

#: Spare cells before and after the memory of a program, which lanes may read and write.
_SPARE = 8
#: After this many runs, a program with many small instructions gets code of its own.
_OFTEN = 16
#: With more small instructions than this, code is printed after this many runs.
_SOON, _SELDOM = 10_000, 5_000
#: How many products or results are computed in one go, in less than a tenth of a second, before
#: Python may look for an interrupt.
AT_A_TIME = 2**26


def runs(packed: Packed) -> bool:
    """Return whether every operation of a program can be written."""
    return all(can_write(x.op) for x in packed.instructions if isinstance(x, Apply))  # type: ignore[arg-type]


def ready(packed: Packed) -> tuple[Floats, list[Merged], dict[int, float]]:
    """Return what is needed to run a program: memory, instructions, and the constant cells."""
    whole = arranged(packed)
    constant = constant_cells(whole)
    cells = np.flatnonzero(constant).tolist()
    numbers = dict(zip(cells, whole.memory[constant].tolist(), strict=True))
    return whole.memory, merged(whole.instructions, whole.outputs, numbers), numbers


class _Functions:
    """The compiled functions of this process, by kind."""

    def __init__(self) -> None:
        self._known: dict[Kind, int] = {}
        self._codes: list[Code] = []

    def addresses(self, kinds: Iterable[Kind]) -> list[int]:
        """Return where the functions of these kinds begin, compiling those not there yet."""
        wanted = list(kinds)
        with lock:
            missing = [x for x in dict.fromkeys(wanted) if x not in self._known]
            if missing:
                module, names = printed(missing)
                code = compile_module(module, level=1)
                self._codes.append(code)
                for kind, name in zip(missing, names, strict=True):
                    self._known[kind] = code.address(name)
        return [self._known[x] for x in wanted]


def printed(kinds: list[Kind]) -> tuple[IRModule, list[str]]:
    """Return a module with the functions of these kinds, and their names."""
    module = IRModule()
    names = [f"{x[0].__name__.removeprefix('write_')}.{k}" for k, x in enumerate(kinds)]
    for kind, name in zip(kinds, names, strict=True):
        write(module, name, kind)
    return module, names


_functions = _Functions()


@functools.cache
def _driver() -> Callable[..., None]:
    """Return ``run(memory, row, count)``, which calls one function of a row after another."""
    module = IRModule()
    body = module.function("run", "ptr %m, ptr %row, i64 %count")
    body.line("br label %loop")
    body.begin("loop")
    for line in (
        "%i = phi i64 [0, %entry], [%next, %loop]",
        "%at = getelementptr {ptr, ptr}, ptr %row, i64 %i",
        "%f = load ptr, ptr %at",
        "%beside = getelementptr ptr, ptr %at, i64 1",
        "%table = load ptr, ptr %beside",
        "call void %f(ptr %m, ptr %table)",
        "%next = add i64 %i, 1",
        "%again = icmp ult i64 %next, %count",
        "br i1 %again, label %loop, label %done",
    ):
        body.line(line)
    body.begin("done")
    body.line("ret void")
    run: Callable[..., None] = compile_module(module, level=1).function("run", _FUNCTION)
    return run


class CallList(NamedTuple):
    """What a run calls.

    Attributes
    ----------
    calls : integers, calls × 2
        The address of a function and that of its table.
    parts : list of (int, int)
        (First call, how many) of the parts between which an interrupt is noticed.
    """

    calls: NDArray[np.int64]
    parts: list[tuple[int, int]]


def _row(calls: NDArray[np.int64], work: NDArray[np.int64]) -> CallList:
    """Return calls in parts of limited work."""
    done = np.cumsum(work) // AT_A_TIME
    edges = [0, *(np.flatnonzero(np.diff(done)) + 1).tolist(), len(calls)]
    return CallList(calls, [(a, b - a) for a, b in itertools.pairwise(edges) if b > a])


class Native:
    """A packed program, compiled.

    Parameters
    ----------
    packed : Packed

    Attributes
    ----------
    memory : float64, cells
        What a run starts from.
    row : CallList
        What a run calls.
    """

    def __init__(self, packed: Packed) -> None:
        self.memory, self._instructions, self._numbers = ready(packed)
        self._encoded = [encode(x) for x in self._instructions]
        self._tables = np.concatenate([np.empty(0, np.int64), *(x.fields for x in self._encoded)])
        self._own: list[Code] = []
        sizes = [len(x.fields) for x in self._encoded]
        first = np.cumsum([0, *sizes])[:-1].astype(np.int64)
        functions = _functions.addresses(x.kind for x in self._encoded)
        self._calls = np.stack(
            [np.array(functions, dtype=np.int64), self._tables.ctypes.data + 8 * first], axis=1
        )
        self._stretches = straight_line.stretches(self._instructions)
        small = sum(last - first for first, last in self._stretches)
        self._left = (_OFTEN if small <= _SOON else _SELDOM) if self._stretches else 0
        self._work = np.array([_work(x) for x in self._instructions], dtype=np.int64)
        self.row = _row(self._calls, self._work)

    @property
    def work(self) -> int:
        """About how many numbers a run computes."""
        return int(self._work.sum())

    @property
    def warm(self) -> bool:
        """Whether its code is final."""
        return self._left == 0

    def count_run(self) -> CallList:
        """Count a run and return its calls; after the first few, straight-line code is printed."""
        with lock:
            self._left -= self._left > 0
            if self._left == 0 and self._stretches and not self._own:
                self._print_straight()
            return self.row

    def _print_straight(self) -> None:
        module, names = straight_line.printed(self._instructions, self._numbers, self._stretches)
        code = compile_module(module, level=0)
        self._own.append(code)
        calls, work, done = [], [], 0
        for (first, last), name in zip(self._stretches, names, strict=True):
            calls += [self._calls[done:first], np.array([[code.address(name), 0]])]
            work += [self._work[done:first], [int(self._work[first:last].sum())]]
            done = last
        together = np.concatenate([*calls, self._calls[done:]])
        self.row = _row(together, np.concatenate([*work, self._work[done:]]))

    def text(self) -> str:
        """Return the printed code: the functions of each kind, and the straight code."""
        module, _ = printed(list(dict.fromkeys(x.kind for x in self._encoded)))
        if not self._stretches:
            return module.text()
        own, _ = straight_line.printed(self._instructions, self._numbers, self._stretches)
        return f"{module.text()}\n{own.text()}"


def _work(instruction: Merged) -> int:
    """Return about how many numbers an instruction computes."""
    if isinstance(instruction, Finished):
        return _work(instruction.products)
    if isinstance(instruction, Lanewise):
        return size_of(instruction) * len(instruction.steps)
    if isinstance(instruction, Products):
        return size_of(instruction) * sum(run.terms for run in instruction.runs)
    if isinstance(instruction, GatheredProducts):
        return instruction.a.size
    return size_of(instruction) * (8 if isinstance(instruction, Apply) else 1)


_natives: dict[int, Native] = {}


def native(packed: Packed) -> Native:
    """Return a packed program compiled, the same for all its executables."""
    with lock:
        found = _natives.get(id(packed))
        if found is None:
            found = _natives[id(packed)] = Native(packed)
            weakref.finalize(packed, _natives.pop, id(packed), None)
        return found


class NativeExecutable:
    """Memory and a compiled program at work on it.

    Parameters
    ----------
    packed : Packed
        The program; every operation in it can be written.

    Attributes
    ----------
    memory : float64, cells
        Inputs are written to its first cells before `run`.
    run : callable
        Carries out the instructions in order.
    """

    def __init__(self, packed: Packed) -> None:
        self._native = native(packed)
        cells = self._native.memory
        whole: Floats = np.zeros(len(cells) + 3 * _SPARE)
        first = _SPARE + (-whole.ctypes.data // 8) % _SPARE
        self.memory = whole[first : first + len(cells)]
        self.memory[:] = cells
        self._row = self._native.row
        self._called = self._calls()
        self.run: Callable[[], None] = self._called if self._native.warm else self._counted

    def row_for(self, runs: int) -> tuple[NDArray[np.int64], int]:
        """Return the calls of the next `runs` runs, and the work of one."""
        for _ in range(0 if self._native.warm else runs):
            self._native.count_run()
        return self._native.row.calls, self._native.work

    def _counted(self) -> None:
        """Run, and count the run as long as the code may still change."""
        row = self._native.row if self._native.warm else self._native.count_run()
        if row is not self._row:
            self._row = row
            self._called = self._calls()
        self._called()

    def _calls(self) -> Callable[[], None]:
        """Return a function that calls the compiled code directly and keeps alive what it needs."""
        function = _driver()
        calls = [
            functools.partial(
                function,
                _pointer(self.memory),
                _pointer(self._row.calls, 16 * first),
                c_int64(count),
            )
            for first, count in self._row.parts
        ]
        called = calls[0] if len(calls) == 1 else functools.partial(_one_by_one, calls)
        called.held = self._native  # type: ignore[attr-defined]
        return called


def _one_by_one(calls: list[functools.partial[None]]) -> None:
    for call in calls:
        call()


def _pointer(array: NDArray[Any], offset: int = 0) -> Any:
    """Return an array's address as ctypes passes it on, which keeps the array alive."""
    return byref((c_char * array.nbytes).from_buffer(array.data), offset)
