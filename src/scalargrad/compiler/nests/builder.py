"""The builder: writes equations step by step, within loops that are open.

Here is a product with a vector::

    b = Builder()
    w, x = b.array("w", (40, 9), "in"), b.array("x", (9,), "in")
    y = b.array("y", (40,), "out")
    with b.loop(40) as i, b.loop(9) as k:
        cells = (Access(w, (as_index(i), as_index(k))), Access(x, (as_index(k),)))
        b.append(Step(Access(y, (as_index(i),)), TABLE["mul"], cells, ADD))
    program = b.program()
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from scalargrad.codegen.formulas import Expression
from scalargrad.compiler.nests.equations import (
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
from scalargrad.opdef.operation import Operation
from scalargrad.opdef.symbol import Symbol


@functools.lru_cache(maxsize=1024)
def _parts_of(expression: Symbol) -> tuple[Symbol, ...]:
    return tuple(subexpressions(expression))


class Builder:
    """Writes a program, loop by loop."""

    def __init__(self, program: Program | None = None) -> None:
        self.arrays: list[Array] = list(program.arrays) if program else []
        self._bodies: list[Body] = [list(program.body) if program else []]
        self._vars: list[Var] = []
        self._counts: Counter[str] = Counter()
        self._taken = {a.name for a in self.arrays}
        for _, around in statements(self._bodies[0]):
            self._taken.update(v.name for v in around)

    @property
    def items(self) -> Body:
        """The loops and steps that are written, outside of all loops."""
        return self._bodies[0]

    def array(self, name: str, shape: Sequence[int], kind: str = "temp", data: Any = None) -> Array:
        """Add an array; a number follows the name where that is taken."""
        array = Array(self._fresh(name), tuple(shape), kind, data)
        self.arrays.append(array)
        return array

    def _fresh(self, name: str) -> str:
        found = name
        while found in self._taken:
            self._counts[name] += 1
            found = f"{name}{self._counts[name]}"
        self._taken.add(found)
        return found

    def var(self, extent: Var | Index | int, name: str = "i") -> Var:
        """Return a variable, for one loop or several that may run together."""
        return Var(self._fresh(name), as_index(extent))

    @contextmanager
    def loop(self, over: Var | Index | int, *, down: bool = False) -> Iterator[Var]:
        """Open a loop over a variable, or up to an extent, for the steps written within."""
        var = over if isinstance(over, Var) else self.var(over)
        loop = Loop(var, down=down)
        self._bodies.append(loop.body)
        self._vars.append(var)
        yield var
        self._vars.pop()
        self._bodies.pop()
        if loop.body:
            self.append(loop)

    def append(self, item: Loop | Step) -> None:
        """Add a loop or a step to the innermost open loop."""
        self._bodies[-1].append(item)

    def step(self, op: Operation, args: tuple[Arg, ...]) -> Access:
        """Write a step with a new cell for each turn of the loops around; return the cell."""
        shape = [v.extent.bounds()[1] for v in self._vars]
        out = Access(self.array("t", shape), tuple(map(as_index, self._vars)))
        self.append(Step(out, op, args))
        return out

    def arg(self, value: Expression, known: dict[Symbol, Arg]) -> Arg:
        """Write the steps of an expression, of parts that are not yet `known`; return its cell."""
        if not isinstance(value, Symbol):
            return float(value)
        for part in () if value in known else _parts_of(value):
            if part not in known:
                assert part.op is not None, f"unbound symbol {part.name}"
                operands = (known[x] if isinstance(x, Symbol) else float(x) for x in part.operands)
                known[part] = self.step(part.op, tuple(operands))
        return known[value]

    def program(self) -> Program:
        """Return the program."""
        return Program(self.arrays, self._bodies[0])
