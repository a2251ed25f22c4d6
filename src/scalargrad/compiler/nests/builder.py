"""The builder: equations written as plain Python.

Cells are symbols, so that every function of scalargrad takes them::

    b = Builder()
    p, x = b.input("p", 2), b.const("x", [0.5, 1.0, 2.0])
    loss = b.output("loss")
    with b.loop(3) as i:
        b.add(loss[()], sg.tanh(p[0] * x[i] + p[1]))
    program = b.program()
"""

from __future__ import annotations

import functools
from collections import ChainMap, Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from scalargrad.compiler.nests.equations import (
    ADD,
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
    as_index,
    statements,
)
from scalargrad.compiler.passes.expressions import subexpressions
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE
from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol

#: What stands for an index: a cell of a table is one, too.
Place = Var | Index | int | Symbol


class Cell(Symbol):
    """A cell that is read, as an operand of expressions."""

    __slots__ = ("access",)

    def __init__(self, access: Access) -> None:
        super().__init__(str(access))
        self.access = access


class Cells:
    """An array of a program being built: ``x[i]`` is a cell, ``x[i] = …`` sets it."""

    def __init__(self, builder: Builder, array: Array) -> None:
        self.array = array
        self._builder = builder

    def __getitem__(self, places: Place | tuple[Place, ...]) -> Cell:
        given = places if isinstance(places, tuple) else (places,)
        return Cell(Access(self.array, tuple(map(_index, given))))

    def __setitem__(self, places: Place | tuple[Place, ...], value: Expression) -> None:
        self._builder.write(self[places].access, value, SET)


@functools.lru_cache(maxsize=1024)
def _parts_of(expression: Symbol) -> tuple[Symbol, ...]:
    return tuple(subexpressions(expression))


def _index(place: Place) -> Index:
    if isinstance(place, Cell):
        return Index(0, (), place.access)
    if isinstance(place, Symbol):
        raise TraceError(f"the index {place} is computed: an index is affine or a table's entry")
    return as_index(place)


class Builder:
    """Writes a program, loop by loop."""

    def __init__(self, program: Program | None = None) -> None:
        self.arrays: list[Array] = list(program.arrays) if program else []
        self._bodies: list[Body] = [list(program.body) if program else []]
        self._vars: list[Var] = []
        self._written: ChainMap[Symbol, Access] = ChainMap()
        self._counts: Counter[str] = Counter()
        self._taken = {a.name for a in self.arrays}
        for _, around in statements(self._bodies[0]):
            self._taken.update(v.name for v in around)

    @property
    def items(self) -> Body:
        """The loops and steps that are written, outside of all loops."""
        return self._bodies[0]

    # Arrays ------------------------------------------------------------------------------------

    def array(self, name: str, shape: Sequence[int], kind: str = "temp", data: Any = None) -> Array:
        """Add an array; a number follows the name where that is taken."""
        array = Array(self._fresh(name), tuple(shape), kind, data)
        self.arrays.append(array)
        return array

    def input(self, name: str, *shape: int) -> Cells:
        """Add an array that is given at each run."""
        return Cells(self, self.array(name, shape, "in"))

    def const(self, name: str, data: Any) -> Cells:
        """Add an array of constants."""
        numbers = np.asarray(data, float)
        return Cells(self, self.array(name, numbers.shape, "const", numbers))

    def temp(self, name: str, *shape: int) -> Cells:
        """Add an array that steps write."""
        return Cells(self, self.array(name, shape))

    def output(self, name: str, *shape: int) -> Cells:
        """Add an array that steps write and that is returned."""
        return Cells(self, self.array(name, shape, "out"))

    def _fresh(self, name: str) -> str:
        found = name
        while found in self._taken:
            self._counts[name] += 1
            found = f"{name}{self._counts[name]}"
        self._taken.add(found)
        return found

    # Loops -------------------------------------------------------------------------------------

    def var(self, extent: Place, name: str = "i") -> Var:
        """Return a variable, for one loop or several that may run together."""
        return Var(self._fresh(name), _index(extent))

    @contextmanager
    def loop(self, over: Place, name: str = "i", *, down: bool = False) -> Iterator[Var]:
        """Put what is written within into a loop over a variable, or up to an extent."""
        var = over if isinstance(over, Var) else self.var(over, name)
        loop = Loop(var, down=down)
        self._bodies.append(loop.body)
        self._vars.append(var)
        self._written = self._written.new_child()
        yield var
        self._written = self._written.parents
        self._vars.pop()
        self._bodies.pop()
        if loop.body:
            self.append(loop)

    def append(self, item: Loop | Step) -> None:
        """Add a loop or a step to the innermost open loop."""
        self._bodies[-1].append(item)

    # Steps -------------------------------------------------------------------------------------

    def write(self, out: Access, value: Expression, how: str) -> None:
        """Write the steps of an expression, the last of which sets `out`, or is added to it."""
        if isinstance(value, Symbol) and not isinstance(value, Cell) and value not in self._written:
            op, args = self._parts(value, self._written)
            self.append(Step(out, op, args, how))
            if how == SET:
                self._written[value] = out
        else:
            self.append(Step(out, TABLE["identity"], (self.arg(value),), how))

    def add(self, to: Cell, value: Expression) -> None:
        """Add a number to a cell; the loops around of which the cell has no index are a sum."""
        self.write(to.access, value, ADD)

    def largest(self, of: Cell, value: Expression) -> None:
        """Have a cell hold the largest of the numbers that are written to it so."""
        self.write(of.access, value, MAX)

    def let(self, value: Expression) -> Cell:
        """Write the steps of an expression here, and return the cell of its result."""
        return Cell(self._own(self.arg(value)))

    def arg(self, value: Expression, bound: dict[Symbol, Arg] | None = None) -> Arg:
        """Write the steps of an expression whose symbols are cells, or are `bound` to arguments.

        So are its parts then, for expressions that share some.
        """
        if not isinstance(value, Symbol):
            return float(value)
        known: Any = self._written if bound is None else bound
        if isinstance(value, Cell):
            return value.access
        if value not in known:
            known[value] = self.step(*self._parts(value, known))
        found: Arg = known[value]
        return found

    def _parts(self, value: Symbol, known: Any) -> tuple[Operation, tuple[Arg, ...]]:
        """Write all of an expression but its last operation; return that."""
        for part in _parts_of(value):
            if part is not value and part not in known and not isinstance(part, Cell):
                known[part] = self.step(*self._operation(part, known))
        return self._operation(value, known)

    def _operation(self, part: Symbol, known: Any) -> tuple[Operation, tuple[Arg, ...]]:
        assert part.op is not None, f"unbound symbol {part.name}"
        if isinstance(part.op, Reduction) and part.op.name not in {"maximum", "minimum"}:
            raise TraceError(f"{part.op.name} of cells: add them up in a loop, with Builder.sum")
        args = tuple(
            x.access if isinstance(x, Cell) else known[x] if isinstance(x, Symbol) else float(x)
            for x in part.operands
        )
        return part.op, args

    def step(self, op: Operation, args: tuple[Arg, ...]) -> Access:
        """Write a step with a new cell for each turn of the loops around; return the cell."""
        out = Access(*self._here("t"))
        self.append(Step(out, op, args))
        return out

    def _own(self, arg: Arg) -> Access:
        return arg if isinstance(arg, Access) else self.step(TABLE["identity"], (arg,))

    def _here(self, name: str) -> tuple[Array, tuple[Index, ...]]:
        shape = [v.extent.bounds()[1] for v in self._vars]
        return self.array(name, shape), tuple(map(as_index, self._vars))

    def program(self, *, checks: bool = True) -> Program:
        """Return the program; without `checks`, where its steps are known to be right."""
        return Program(self.arrays, self._bodies[0], checks)
