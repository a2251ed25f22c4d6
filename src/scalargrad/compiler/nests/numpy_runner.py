"""Scheduled loops run without a compiler, as Python: those that carry nothing are NumPy's.

Products are not fused with sums, and NumPy adds in an order of its own, so that sums agree with
compiled ones to rounding only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.nests.contract import FMA, FMS, FNMA
from scalargrad.compiler.nests.distances import is_unique
from scalargrad.compiler.nests.equations import (
    MAX,
    SET,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Program,
    Step,
    Var,
    statements,
)
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.ops import TABLE
from scalargrad.table.code import PythonPrinter
from scalargrad.table.declaration import ATOM, Notation
from scalargrad.table.operation import Elementwise, Operation


class Loops:
    """A program as nests, whatever runs it.

    Attributes
    ----------
    listing : str
        The equations.
    results : int
        How many outputs there are.
    """

    listing: str
    results: int

    @property
    def cells(self) -> int:
        """How many numbers there are in memory."""
        raise NotImplementedError

    @property
    def loops(self) -> int:
        """How many loops there are in the equations."""
        return sum(line.lstrip().startswith("for ") for line in self.listing.splitlines())

    @property
    def steps(self) -> int:
        """How many steps there are in the equations."""
        return len(self.listing.splitlines()) - 1 - self.loops


@dataclass(eq=False)
class NumpyNested(Loops):
    """A program as nests that NumPy runs.

    Attributes
    ----------
    program : Program
        The equations.
    body : list of Loop or Step
        Its loops in order.
    given, returned : Array
        What a call writes, and its outputs, as of `Nested.outputs`.
    results : int
        How many outputs there are.
    listing : str
        The equations.
    """

    program: Program
    body: Body
    given: Array
    returned: Array
    results: int
    listing: str

    @property
    def cells(self) -> int:
        """How many numbers there are in memory."""
        return sum(math.prod(array.shape) for array in self.program.arrays)

    @property
    def inputs(self) -> int:
        """How many numbers a call writes to the first cells."""
        return self.given.shape[0]

    @property
    def outputs(self) -> slice:
        """The cells of the outputs."""
        return slice(self.inputs, self.inputs + self.returned.shape[0])


class NumpyNestExecutable:
    """Nests that NumPy and Python run, and memory for what is given and returned."""

    distances: Sequence[Any] = ()

    def __init__(self, nested: NumpyNested) -> None:
        self.memory: Floats = np.zeros(nested.outputs.stop)
        self._nested = nested
        self._printed = _Printed(nested.program, nested.body)

    def run(self) -> None:
        """Run the loops in order."""
        nested, memory = self._nested, self.memory
        given = {nested.given: memory[: nested.inputs]}
        memory[nested.outputs] = self._printed.run(given)[nested.returned]


def run_numpy(program: Program, body: Body, given: Mapping[Array, Any]) -> dict[Array, Floats]:
    """Return the numbers of arrays, for those of kind ``"in"`` and the loops in order."""
    return _Printed(program, body).run(given)


class _Printed:
    """Python code of scheduled loops.

    The variable of a loop that carries nothing is an array of all its numbers, along an axis of its
    own; what such loops compute is then arrays. Single numbers are variables of Python.
    """

    def __init__(self, program: Program, body: Body) -> None:
        self.program = program
        self.functions: dict[tuple[Operation, bool], str] = {}
        self.flat: dict[Array, int] = {}
        self.variables: dict[Var, str] = {}
        singles = [a for a in program.arrays if a.kind == "temp" and not a.shape]
        self.numbers = {a: f"x{k}" for k, a in enumerate(singles)}
        self.starts = dict.fromkeys(program.arrays, 0.0)
        depth, whole = 0, set[Array]()
        for step, around in statements(body):
            depth = max(depth, len(around))
            if step.how == MAX:
                self.starts[step.out.array] = -math.inf
            elif step.how == SET and not around:
                whole.add(step.out.array)
        self.zero = np.zeros([1] * depth, int)
        lines = [f"    {x} = {self.starts[a]!r}" for a, x in self.numbers.items() if a not in whole]
        lines += self._items(body, (), "    ")
        views = [f"    a{k} = flat[{k}]; m{k} = memoryview(a{k})" for k in self.flat.values()]
        source = "\n".join(["def run(flat):", *views, *lines, "    return"])
        names: dict[str, Any] = {name: _function(*op) for op, name in self.functions.items()}
        names |= {"np": np, "inf": math.inf, "nan": math.nan, "zero": self.zero}
        names |= {"larger": _larger, "axis": self._axis, "whole": _whole, "total": _total}
        exec(compile(source, "<printed from nests>", "exec"), names)
        self._run: Callable[..., None] = names["run"]

    def run(self, given: Mapping[Array, Any]) -> dict[Array, Floats]:
        """Return the numbers of arrays, for those that are given."""
        numbers: dict[Array, Floats] = {}
        for array in (x for x in self.program.arrays if x not in self.numbers):
            data = given[array] if array.kind == "in" else array.data
            numbers[array] = np.full(array.shape, self.starts[array])
            if data is not None:
                numbers[array][...] = np.reshape(data, array.shape)
        with np.errstate(all="ignore"):
            self._run([numbers[x].reshape(-1) for x in self.flat])
        return numbers

    def _axis(self, extent: int, place: int) -> list[Integers]:
        """Return the numbers of a loop that is an axis, which runs once, if it has any turn."""
        shape = [*self.zero.shape]
        shape[place] = extent
        return [np.arange(extent).reshape(shape)] if extent else []

    def _items(self, body: Body, axes: tuple[Var, ...], indent: str) -> list[str]:
        lines = []
        for item in body:
            if isinstance(item, Step):
                lines.append(f"{indent}{self._step(item, axes)}")
                continue
            var = self.variables.setdefault(item.var, f"i{len(self.variables)}")
            extent, inside = self._index(item.var.extent), axes
            if _may_be_axis(item) and (axes or _is_often(item)):
                turns, inside = f"axis({extent}, {len(axes)})", (*axes, item.var)
            else:
                turns = f"reversed(range({extent}))" if item.down else f"range({extent})"
            lines.append(f"{indent}for {var} in {turns}:")
            lines += self._items(item.body, inside, indent + "    ")
        return lines

    def _step(self, step: Step, axes: tuple[Var, ...]) -> str:
        args = [self._arg(x, axes) for x in step.args]
        if step.op in _INLINE:
            found = _INLINE[step.op].format(*args)
        else:
            key = step.op, bool(axes)
            name = self.functions.setdefault(key, f"f{len(self.functions)}")
            found = f"{name}({', '.join(args)})"
        if axes:
            return self._step_on_axes(step, found, axes)
        out = self._cell(step.out, axes)
        return f"{out} = larger({out}, {found})" if step.how == MAX else f"{out} {step.how} {found}"

    def _step_on_axes(self, step: Step, found: str, axes: tuple[Var, ...]) -> str:
        two = "np.maximum" if step.how == MAX else "np.add"
        array = step.out.array
        if step.how != SET:
            summed = tuple([k for k, v in enumerate(axes) if v not in step.out.variables])
            every = ", ".join(self.variables[v] for v in axes)
            found = f"total({two}, {found}, {summed}, {every})"
        if array in self.numbers:
            name = self.numbers[array]
            found = found if step.how == SET else f"{two}({name}, {found})"
            return f"{name} = np.ravel({found})[0]"
        cells = f"a{self._flat(array)}", f"{self._place(step.out, axes)} + zero"
        out = "{}[{}]".format(*cells)
        if step.how == SET:
            return f"{out} = {found}"
        if is_unique(step.out.indices):
            return f"{out} = {two}({out}, {found})"
        return f"{two}.at({', '.join(cells)}, {found})"

    def _arg(self, x: Arg, axes: tuple[Var, ...]) -> str:
        return f"({float(x)!r})" if isinstance(x, float) else self._cell(x, axes)

    def _cell(self, x: Access, axes: tuple[Var, ...]) -> str:
        if x.array in self.numbers:
            return self.numbers[x.array]
        return f"{'a' if axes else 'm'}{self._flat(x.array)}[{self._place(x, axes)}]"

    def _flat(self, array: Array) -> int:
        return self.flat.setdefault(array, len(self.flat))

    def _place(self, x: Access, axes: tuple[Var, ...]) -> str:
        at, tables, stride = Index(), list[str](), 1
        for index, size in zip(reversed(x.indices), reversed(x.array.shape), strict=True):
            at += Index(index.base, index.terms) * stride
            tables += [f"{stride} * {self._entry(index.via, axes)}"] if index.via else []
            stride *= size
        return " + ".join([self._index(at), *tables])

    def _index(self, index: Index) -> str:
        parts = [
            self.variables[v] if k == 1 else f"{k} * {self.variables[v]}" for v, k in index.terms
        ]
        parts += [self._entry(index.via, ())] if index.via else []
        parts += [str(index.base)] if index.base or not parts else []
        return " + ".join(parts)

    def _entry(self, table: Access, axes: tuple[Var, ...]) -> str:
        return f"{'whole' if axes else 'int'}({self._cell(table, axes)})"


#: Operations that are written where they stand.
_INLINE: dict[Operation, str] = {
    TABLE["add"]: "{} + {}",
    TABLE["sub"]: "{} - {}",
    TABLE["mul"]: "{} * {}",
    TABLE["neg"]: "-{}",
    TABLE["identity"]: "{}",
    FMA: "{} * {} + {}",
    FMS: "{} * {} - {}",
    FNMA: "{2} - {0} * {1}",
}
#: Loops in which no step runs as often as this are no axes.
_FEW = 100


def _is_often(loop: Loop) -> bool:
    """Return whether it is worth it that a loop is an axis of arrays."""
    turns = (math.prod(v.extent.bounds()[1] for v in around) for _, around in statements([loop]))
    return max(turns) >= _FEW


def _may_be_axis(loop: Loop) -> bool:
    """Return whether a loop carries nothing and no other ends at its variable."""
    if not isinstance(loop, ScheduledLoop) or loop.kind != "vector":
        return False
    inside = {v for _, around in statements(loop.body) for v in around}
    return not any(loop.var in v.extent.variables for v in inside)


def _larger(x: float, y: float) -> float:
    """Return the larger of two numbers, nan if one is."""
    return x if x >= y or x != x else y


def _whole(x: Any) -> Integers:
    """Return the entries of a table as indices."""
    return np.asarray(x).astype(int)


def _total(two: np.ufunc, found: Any, summed: tuple[int, ...], *axes: Integers) -> Any:
    """Return the sums, or the largest, of what is found at all turns, over some of the axes."""
    shape = np.broadcast_shapes(*(x.shape for x in axes))
    return two.reduce(np.broadcast_to(found, shape), axis=summed, keepdims=True)


# Operations ---------------------------------------------------------------------------------------


def _function(op: Operation, on_arrays: bool) -> Callable[..., Any]:
    """Return an operation on floats or on arrays, outside its domain as IEEE 754 has it."""
    if isinstance(op, Elementwise):
        return vectorised(op) if on_arrays else op.of_floats_unchecked
    two = {"maximum": np.maximum, "minimum": np.minimum}[op.name]
    return lambda *operands: functools.reduce(two, operands)


class NumpyPrinter(PythonPrinter):
    """Print NumPy; what it lacks is called for each number."""

    choice = "np.where({test}, {chosen}, {other})"

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return how NumPy writes an operation."""
        if op.lane:
            return Notation(f"({op.lane})", ATOM, (ATOM,) * arity)
        return super().notation(op, arity)


@functools.cache
def vectorised(op: Elementwise) -> Callable[..., Any]:
    """Return `op` as a function of arrays."""
    names = {x: f"x{k}" for k, x in enumerate(op.operand_symbols)}
    printer = NumpyPrinter(names)
    lines, (result,) = printer.statements([op.value_expression])
    head = f"def lanes({', '.join(names.values())}):"
    source = "\n    ".join([head, *lines, f"return {result}"])
    single = printer.functions.items()
    namespace: dict[str, Any] = {x: np.vectorize(f, otypes=[np.float64]) for x, f in single}
    namespace["np"] = np
    exec(compile(source, f"<printed from {op.name}>", "exec"), namespace)
    lanes: Callable[..., Any] = namespace["lanes"]
    return lanes
