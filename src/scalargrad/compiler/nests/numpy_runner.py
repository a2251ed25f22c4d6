"""Runner of scheduled loops without a compiler, in Python; NumPy runs those that carry nothing.

Products are not fused with sums, and NumPy adds in an order of its own, so that sums agree with
compiled ones to rounding only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from scalargrad.codegen.code_printer import PythonPrinter
from scalargrad.compiler.array_types import LINE, Floats, Integers
from scalargrad.compiler.nests.contract import FMA, FMS, FNMA
from scalargrad.compiler.nests.distances import is_unique
from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Step,
    Var,
    statements,
    within_loops,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.compiler.nests.tiles import is_outside_of_extents
from scalargrad.opdef.declaration import ATOM, Notation
from scalargrad.opdef.operation import Elementwise, Operation
from scalargrad.ops import TABLE


class Choice(NamedTuple):
    """The form in which a program was compiled.

    Attributes
    ----------
    form : str
    rejected : tuple of (str, str)
        The forms that were tried before, each with the reason why it could not be compiled.
    """

    form: str
    rejected: tuple[tuple[str, str], ...]


@dataclass(eq=False)
class Loops:
    """A program as nests, whatever runs it.

    Attributes
    ----------
    initial_memory : float64
        The memory before the first run.
    listing : str
        The equations.
    inputs : int
        The number of inputs, which a call writes to the first cells.
    outputs : slice
        The cells of the outputs, then of the gradients that others are computed from: a comparison
        would hide that one is not finite.
    results : int
        The number of outputs.
    choice : Choice
        The form in which it was compiled, set by `compile_nests`.
    """

    initial_memory: Floats
    listing: str
    inputs: int
    outputs: slice
    results: int
    choice: Choice = field(init=False)

    @property
    def cells(self) -> int:
        """The number of cells in memory."""
        return len(self.initial_memory)

    @property
    def loops(self) -> int:
        """The number of loops in the equations."""
        return sum(line.lstrip().startswith("for ") for line in self.listing.splitlines())

    @property
    def steps(self) -> int:
        """The number of steps in the equations."""
        return len(self.listing.splitlines()) - 1 - self.loops


@dataclass(eq=False)
class NumpyNested(Loops):
    """A program as nests that NumPy runs.

    Attributes
    ----------
    code : callable
        Runs the loops in memory.
    """

    code: Callable[[Floats], None]


class NumpyNestExecutable:
    """Nests that NumPy and Python run, and their memory."""

    displacements: Sequence[Any] = ()

    def __init__(self, nested: NumpyNested) -> None:
        self._nested, self._whole = nested, nested.initial_memory.copy()
        self.memory: Floats = self._whole[LINE:]

    def run(self) -> None:
        """Run the loops in order."""
        first = LINE + self._nested.inputs
        self._whole[first:] = self._nested.initial_memory[first:]  # sums begin anew
        self._nested.code(self._whole)


def numpy_code(body: Body, plan: Plan) -> Callable[[Floats], None]:
    """Return a function that runs loops in order, in memory that is as `plan` says before."""
    return _Printed(body, plan).code(body)


class _Printed:
    """Python code of scheduled loops.

    The variable of a loop that carries nothing is an array of all its numbers, along an axis of its
    own; the results of such loops are then arrays. Arrays in registers are variables of Python.
    """

    def __init__(self, body: Body, plan: Plan) -> None:
        self.plan = plan
        self.functions: dict[tuple[Operation, bool], str] = {}
        self.variables: dict[Var, str] = {}
        self.registers: dict[Array, str] = {}
        self.sums: dict[tuple[Loop, ...], list[str]] = {}  # the beginnings of these, by the loops
        self.depth = 0
        for step, around in within_loops(body):
            self.depth = max(self.depth, len(around))
            array = step.out.array
            if array not in plan.offsets:
                self.registers[array] = f"x{len(self.registers)}"
                if step.how != SET:
                    home = tuple(loop for loop in around if loop.var in step.out.variables)
                    start = f"{self.registers[array]} = 0.0"
                    self.sums.setdefault(home, []).append(start)

    def code(self, body: Body) -> Callable[[Floats], None]:
        """Return the function."""
        lines = ["def run(a):", "    with np.errstate(all='ignore'):", "        m = memoryview(a)"]
        lines += self._items(body, (), (), "        ")
        names: dict[str, Any] = {name: _function(*op) for op, name in self.functions.items()}
        names |= {"np": np, "inf": math.inf, "nan": math.nan, "axis": self._axis, "total": _total}
        names |= {
            "whole": lambda x: np.asarray(x).astype(int),
            "zero": np.zeros([1] * self.depth, int),
        }
        exec(compile("\n".join(lines), "<generated from nests>", "exec"), names)
        found: Callable[[Floats], None] = names["run"]
        return found

    def _axis(self, extent: int, place: int) -> list[Integers]:
        """Return the numbers of a loop that is an axis, which runs once, if it has any turn."""
        shape = [1] * self.depth
        shape[place] = extent
        return [np.arange(extent).reshape(shape)] if extent else []

    def _items(
        self, body: Body, around: tuple[Loop, ...], axes: tuple[Var, ...], indent: str
    ) -> list[str]:
        lines = [indent + start for start in self.sums.get(around, ())]
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
            lines += self._items(item.body, (*around, item), inside, indent + "    ")
        return lines

    def _step(self, step: Step, axes: tuple[Var, ...]) -> str:
        args = [self._arg(x, axes) for x in step.args]
        if step.op in _INLINE:
            found = _INLINE[step.op].format(*args)
        else:
            key = step.op, bool(axes)
            name = self.functions.setdefault(key, f"f{len(self.functions)}")
            found = f"{name}({', '.join(args)})"
        if axes and step.how != SET:
            summed = tuple([k for k, v in enumerate(axes) if v not in step.out.variables])
            every = ", ".join(self.variables[v] for v in axes)
            found = f"total({found}, {summed}, {every})"
            axes = axes if len(summed) < len(axes) else ()
            found += "" if axes else ".item()"
        in_memory = "" if step.out.array in self.registers else self._place(step.out, axes)
        if not axes:
            return f"{self._cell(step.out, axes)} {step.how} {found}"
        out = f"a[{in_memory} + zero]" if in_memory else self.registers[step.out.array]
        if step.how == SET:
            return f"{out} = {found}"
        if is_unique(step.out.indices):
            return f"{out} = {out} + {found}"
        return f"np.add.at(a, {in_memory} + zero, {found})"

    def _arg(self, x: Arg, axes: tuple[Var, ...]) -> str:
        return f"({float(x)!r})" if isinstance(x, float) else self._cell(x, axes)

    def _cell(self, x: Access, axes: tuple[Var, ...]) -> str:
        if x.array in self.registers:
            return self.registers[x.array]
        return f"{'a' if axes else 'm'}[{self._place(x, axes)}]"

    def _place(self, x: Access, axes: tuple[Var, ...]) -> str:
        at, tables = Index(self.plan.offsets[x.array]), list[str]()
        for index, stride in zip(x.indices, self.plan.strides[x.array], strict=True):
            at += Index(index.base, index.terms) * stride
            tables += [f"{stride} * {self._entry(index.via, axes)}"] if index.via else []
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


#: Operations that are written in place, without a call.
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
#: The fewest runs of a step in a loop that becomes an axis of arrays.
_FEW = 100


def _is_often(loop: Loop) -> bool:
    """Return whether it is worth it that a loop is an axis of arrays."""
    turns = (math.prod(v.extent.bounds()[1] for v in around) for _, around in statements([loop]))
    return max(turns) >= _FEW


def _may_be_axis(loop: Loop) -> bool:
    """Return whether a loop carries nothing and no other ends at its variable."""
    is_vector = isinstance(loop, ScheduledLoop) and loop.kind == "vector"
    return is_vector and is_outside_of_extents(loop)


def _total(found: Any, summed: tuple[int, ...], *axes: Integers) -> Any:
    """Return the sums of what is found at all turns, over some of the axes."""
    shape = np.broadcast_shapes(*(x.shape for x in axes))
    return np.add.reduce(np.broadcast_to(found, shape), axis=summed, keepdims=True)


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
        """Return NumPy's notation of an operation."""
        if op.lane:
            return Notation(f"({op.lane})", ATOM, (ATOM,) * arity)
        return super().notation(op, arity)


@functools.lru_cache(maxsize=1024)
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
    exec(compile(source, f"<generated from {op.name}>", "exec"), namespace)
    lanes: Callable[..., Any] = namespace["lanes"]
    return lanes
