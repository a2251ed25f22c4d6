"""Scheduled loops run without a compiler: by NumPy those that carry nothing, others as Python.

Products are not fused with sums, and NumPy adds in an order of its own, so that sums agree with
compiled ones to rounding only.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
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
from scalargrad.compiler.passes.expressions import expression_of, subexpressions
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol


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
    """Python code of scheduled loops; those whose turns are axes of arrays are run by NumPy.

    Single numbers that no such loop uses are variables of Python.
    """

    def __init__(self, program: Program, body: Body) -> None:
        self.program = program
        self.axes: list[tuple[Loop, tuple[Var, ...]]] = []  # with the loops around them
        self.functions: dict[Operation, str] = {}
        self.views: dict[Array, str] = {}
        self.variables: dict[Var, str] = {}
        used = {x.array for loop in _axes(body) for x in _cells([loop])}
        singles = [a for a in program.arrays if a.kind == "temp" and not a.shape and a not in used]
        self.numbers = {a: f"x{k}" for k, a in enumerate(singles)}
        starts = dict.fromkeys(singles, 0.0)  # where no step writes, or a loop may have no turn
        for step, around in statements(body):
            if step.how == MAX:
                starts[step.out.array] = -math.inf
            elif step.how == SET and not around:
                starts.pop(step.out.array, None)
        lines = [f"    {name} = {starts[a]!r}" for a, name in self.numbers.items() if a in starts]
        lines += self._items(body, (), "    ")
        views = [f"    {name} = view({k})" for k, name in enumerate(self.views.values())]
        source = "\n".join(["def run(view, run_axis):", *views, *lines, "    return"])
        names: dict[str, Any] = {name: _on_floats(op) for op, name in self.functions.items()}
        names |= {"inf": math.inf, "nan": math.nan, "larger": _larger}
        exec(compile(source, "<printed from nests>", "exec"), names)
        self._run: Callable[..., None] = names["run"]

    def run(self, given: Mapping[Array, Any]) -> dict[Array, Floats]:
        """Return the numbers of arrays, for those that are given."""
        runner = _Runner(self.program, given, self.numbers)
        arrays = [*self.views]

        def run_axis(k: int, *turns: int) -> None:
            loop, around = self.axes[k]
            runner.at.update(zip(around, turns, strict=True))
            runner.items([loop])

        with np.errstate(all="ignore"):
            self._run(lambda k: memoryview(runner.numbers[arrays[k]].reshape(-1).data), run_axis)
        return runner.numbers

    def _items(self, body: Body, around: tuple[Var, ...], indent: str) -> list[str]:
        lines = []
        for item in body:
            if isinstance(item, Step):
                lines.append(f"{indent}{self._step(item)}")
            elif _is_axis(item):
                turns = ", ".join([str(len(self.axes)), *(self.variables[v] for v in around)])
                self.axes.append((item, around))
                lines.append(f"{indent}run_axis({turns})")
            else:
                var = self.variables.setdefault(item.var, f"i{len(self.variables)}")
                turns = f"range({self._index(item.var.extent)})"
                turns = f"reversed({turns})" if item.down else turns
                lines.append(f"{indent}for {var} in {turns}:")
                lines += self._items(item.body, (*around, item.var), indent + "    ")
        return lines

    def _step(self, step: Step) -> str:
        args, out = [*map(self._arg, step.args)], self._cell(step.out)
        if step.op in _INLINE:
            found = _INLINE[step.op].format(*args)
        else:
            name = self.functions.setdefault(step.op, f"f{len(self.functions)}")
            found = f"{name}({', '.join(args)})"
        if step.how == MAX:
            return f"{out} = larger({out}, {found})"
        return f"{out} {step.how} {found}"

    def _arg(self, x: Arg) -> str:
        return f"({float(x)!r})" if isinstance(x, float) else self._cell(x)

    def _cell(self, x: Access) -> str:
        if x.array in self.numbers:
            return self.numbers[x.array]
        at, stride = Index(), 1
        tables = []
        for index, size in zip(reversed(x.indices), reversed(x.array.shape), strict=True):
            at += Index(index.base, index.terms) * stride
            tables += [f"{stride} * int({self._cell(index.via)})"] if index.via else []
            stride *= size
        view = self.views.setdefault(x.array, f"m{len(self.views)}")
        return f"{view}[{' + '.join([self._index(at), *tables])}]"

    def _index(self, index: Index) -> str:
        parts = [f"{k} * {self.variables[v]}" for v, k in index.terms]
        parts += [f"int({self._cell(index.via)})"] if index.via else []
        return " + ".join([*parts, str(index.base)])


#: Operations that are written where they stand.
_INLINE: dict[Operation, str] = {
    TABLE["add"]: "{} + {}",
    TABLE["sub"]: "{} - {}",
    TABLE["mul"]: "{} * {}",
    TABLE["neg"]: "-{}",
    TABLE["identity"]: "{}",
    TABLE["where"]: "{1} if {0} else {2}",
    FMA: "{} * {} + {}",
    FMS: "{} * {} - {}",
    FNMA: "{2} - {0} * {1}",
}
#: Loops in which no step runs as often as this are no axes.
_FEW = 100


def _axes(body: Body) -> Iterator[Loop]:
    """Yield the outermost loops that are axes of arrays."""
    for item in body:
        if not isinstance(item, Step):
            yield from [item] if _is_axis(item) else _axes(item.body)


def _cells(body: Body) -> Iterator[Access]:
    """Yield the cells that a body uses."""
    for step, around in statements(body):
        tables = [v.extent.via for v in around if v.extent.via]
        yield from (step.out, *step.reads(), *tables)


def _is_axis(loop: Loop) -> bool:
    """Return whether a loop can be an axis of arrays, and is worth it."""
    most = max(math.prod(v.extent.bounds()[1] for v in around) for _, around in statements([loop]))
    return most >= _FEW and _may_be_axis(loop)


def _may_be_axis(loop: Loop) -> bool:
    """Return whether a loop carries nothing and no other ends at its variable."""
    if not isinstance(loop, ScheduledLoop) or loop.kind != "vector":
        return False
    inside = {v for _, around in statements(loop.body) for v in around}
    return not any(loop.var in v.extent.variables for v in inside)


def _on_floats(op: Operation) -> Callable[..., float]:
    """Return an operation on floats, outside its domain as IEEE 754 has it."""
    return op.of_floats_unchecked if isinstance(op, Elementwise) else _function(op)


def _larger(x: float, y: float) -> float:
    """Return the larger of two numbers, nan if one is."""
    return x if x >= y or x != x else y


def _function(op: Operation) -> Callable[..., Any]:
    if isinstance(op, Elementwise):
        return vectorised(op)
    two = {"maximum": np.maximum, "minimum": np.minimum}[op.name]
    return lambda first, *rest: _folded(two, first, rest)


def _folded(two: Callable[[Any, Any], Any], held: Any, rest: Sequence[Any]) -> Any:
    for x in rest:
        held = two(held, x)
    return held


class _Runner:
    """Runs loops that are axes of arrays; `others` are arrays that have no numbers here."""

    def __init__(
        self, program: Program, given: Mapping[Array, Any], others: Container[Array]
    ) -> None:
        self.numbers: dict[Array, Floats] = {}
        for array in (x for x in program.arrays if x not in others):
            data = given[array] if array.kind == "in" else array.data
            zeros = np.zeros(array.shape)
            self.numbers[array] = zeros if data is None else np.reshape(data, array.shape) + 0.0
        self.depth = 0
        for step, around in statements(program.body):
            self.depth = max(self.depth, len(around))
            if step.how == MAX and step.out.array in self.numbers:
                self.numbers[step.out.array].fill(-math.inf)
        self.at: dict[Var, Any] = {}
        self.axes: list[Var] = []  # the variables that are axes of arrays, of `depth` dimensions

    def items(self, body: Body) -> None:
        """Run what is in a body, for all numbers of its axes together."""
        for item in body:
            if isinstance(item, Step):
                self._step(item)
            elif _may_be_axis(item):
                shape = [1] * self.depth
                shape[len(self.axes)] = -1
                self.at[item.var] = np.arange(self._index(item.var.extent)).reshape(shape)
                self.axes.append(item.var)
                self.items(item.body)
                self.axes.pop()
            else:
                turns = range(int(self._index(item.var.extent)))
                for k in reversed(turns) if item.down else turns:
                    self.at[item.var] = k
                    self.items(item.body)

    def _index(self, index: Index) -> Any:
        found: Any = index.base
        for var, stride in index.terms:
            found = found + stride * self.at[var]
        if index.via:
            found = found + np.asarray(self._cell(index.via)).astype(int)
        return found

    def _place(self, x: Access) -> tuple[Any, ...]:
        return tuple(self._index(i) for i in x.indices)

    def _cell(self, x: Access) -> Any:
        return self.numbers[x.array][self._place(x)]

    def _arg(self, x: Arg) -> Any:
        return x if isinstance(x, float) else self._cell(x)

    def _step(self, step: Step) -> None:
        found = np.asarray(_function(step.op)(*map(self._arg, step.args)))
        sizes = [self.at[v].size for v in self.axes]
        if 0 in sizes:
            return
        cells, place = self.numbers[step.out.array], self._place(step.out)
        two: np.ufunc = np.maximum if step.how == MAX else np.add
        if step.how != SET:
            shape = [*sizes, *[1] * (self.depth - len(sizes))]
            summed = tuple(k for k, v in enumerate(self.axes) if v not in step.out.variables)
            found = two.reduce(np.broadcast_to(found, shape), axis=summed, keepdims=True)
        if not any(isinstance(k, np.ndarray) for k in place):
            found = found.reshape(-1)[0]
        if step.how == SET:
            cells[place] = found
        elif is_unique(step.out.indices):
            cells[place] = two(cells[place], found)
        else:
            two.at(cells, place, found)


# Operations as NumPy code -------------------------------------------------------------------------


@functools.cache
def vectorised(op: Elementwise) -> Callable[..., Any]:
    """Return `op` as a function of arrays: printed in NumPy where possible, else elementwise."""
    symbols, expression = expression_of(op)
    if not has_numpy_code(expression):
        return np.vectorize(op.of_floats_unchecked, otypes=[np.float64])
    names = {symbol: f"a{i}" for i, symbol in enumerate(symbols)}
    lines, result = numpy_code(expression, names)
    head = f"def lanes({', '.join(names.values())}):"
    source = "\n    ".join([head, *lines, f"return {result}"])
    namespace: dict[str, Any] = {"np": np, "math": _Lifted}
    exec(compile(source, f"<printed from {op.name}>", "exec"), namespace)
    lanes: Callable[..., Any] = namespace["lanes"]
    return lanes


class _Lifted:
    """Functions that NumPy lacks, applied element by element."""

    erf = staticmethod(np.vectorize(math.erf, otypes=[np.float64]))
    erfc = staticmethod(np.vectorize(math.erfc, otypes=[np.float64]))


def numpy_code(expression: Expression, names: dict[Symbol, str]) -> tuple[list[str], str]:
    """Return assignments that compute an expression on arrays, and the name of the result."""
    written: dict[Any, str] = dict(names)
    lines: list[str] = []
    for part in subexpressions(expression):
        if part not in written:
            written[part] = f"t{len(lines)}"
            lines.append(f"{written[part]} = {_operation(part, written)}")
    return lines, _name(expression, written)


def _operation(part: Symbol, names: dict[Any, str]) -> str:
    op = part.op
    operands = [_name(x, names) for x in part.operands]
    assert op is not None, f"unbound symbol {part.name}"
    if op.lazy:
        return _CHOICE.format(f"{operands[0]} != 0.0", *operands[1:])
    if op.comparison is not None:
        return _CHOICE.format(op.comparison.template.format(*operands), "1.0", "0.0")
    if op.python is not None:
        return op.python.template.format(*operands)
    assert op.lane is not None, f"{op.name} has no lane code"
    return op.lane.format(*operands)


_CHOICE = "np.where({0}, {1}, {2})"


def _name(x: Expression, names: dict[Any, str]) -> str:
    if isinstance(x, Symbol):
        return names[x]
    if x != x or x in {float("inf"), float("-inf")}:
        return {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}[str(x)]
    return repr(x) if str(x)[0] != "-" else f"({x!r})"


def has_numpy_code(expression: Expression) -> bool:
    """Return whether all operations of an expression can be written in NumPy."""
    return all(x.op is None or _spelled(x.op) for x in subexpressions(expression))


def _spelled(op: Any) -> bool:
    known = op.lazy or op.comparison or op.python or op.lane
    return bool(known) and TABLE.get(op.name) is op
