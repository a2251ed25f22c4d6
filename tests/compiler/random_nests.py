"""Random loop nests, compared with Python loops on Values.

``python -m tests.compiler.random_nests --from 0 --count 2000`` compares values and gradients,
writes each seed to a file and prints the seeds that differ; if run again, it continues after the
last seed in the file. Nests have sums, recurrences, stencils, convolutions, gathers, triangles,
ragged rows and maxima.
"""

from __future__ import annotations

import math
import random
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from tests.compiler.compiled_nests import CompiledNest, LLVMNest, exactly
from tests.compiler.interpreter import interpret
from tests.compiler.nests import (
    Array,
    Builder,
    Cells,
    Program,
    contract,
    gradient,
    simplify,
)
from tests.compiler.search import main

import scalargrad as sg
from scalargrad import Value

#: How many parameters a program has.
PARAMETERS = 6
EXTENTS = [1, 2, 3, 3, 4, 5, 5, 7, 8, 9, 11, 66]


class Eager:
    """The arrays and loops of a program, run eagerly on Values."""

    def __init__(self, parameters: Sequence[float]) -> None:
        self.parameters: Any = [Value(x) for x in parameters]

    def data(self, _: str, numbers: Any) -> Any:
        """Return an array of constants."""
        return np.asarray(numbers, float)

    def array(self, *shape: int) -> Any:
        """Return a new array of zeros."""
        found = np.empty(shape, object)
        found[...] = 0.0
        return found

    def var(self, extent: Any) -> Any:
        """Return the range of a loop with this trip count."""
        return int(extent)

    def each(self, over: Any, body: Callable[[Any], None]) -> None:
        """Run a body in each iteration of a loop."""
        for k in range(int(over)):
            body(k)

    def entry(self, table: Any, k: Any) -> Any:
        """Return an element of an index array, as an index."""
        return int(table[k])

    def read(self, array: Any, *at: Any) -> Any:
        """Return an element."""
        found = array[at]
        return float(found) if isinstance(found, np.floating) else found

    def write(self, array: Any, at: tuple[Any, ...], x: Any) -> None:
        """Set an element."""
        array[at] = x

    def add(self, array: Any, at: tuple[Any, ...], x: Any) -> None:
        """Add to an element."""
        array[at] = array[at] + x


class Nests:
    """The arrays and loops of a program, written in the loop IR."""

    def __init__(self) -> None:
        self.builder = Builder()
        self.parameters = self.builder.input("p", PARAMETERS)

    def data(self, name: str, numbers: Any) -> Any:
        """Return an array of constants."""
        return self.builder.const(name, numbers)

    def array(self, *shape: int) -> Any:
        """Return a new array of zeros."""
        return self.builder.temp("a", *shape)

    def var(self, extent: Any) -> Any:
        """Return the range of a loop with this trip count."""
        return self.builder.var(extent)

    def each(self, over: Any, body: Callable[[Any], None]) -> None:
        """Run a body in each iteration of a loop."""
        with self.builder.loop(over) as var:
            body(var)

    def entry(self, table: Any, k: Any) -> Any:
        """Return an element of an index array, as an index."""
        return table[k]

    def read(self, array: Any, *at: Any) -> Any:
        """Return an element."""
        return array[at]

    def write(self, array: Any, at: tuple[Any, ...], x: Any) -> None:
        """Set an element."""
        array[at] = x

    def add(self, array: Any, at: tuple[Any, ...], x: Any) -> None:
        """Add to an element."""
        self.builder.add(array[at], x)


UNARY: list[Callable[[Any], Any]] = [
    sg.tanh, sg.sin, sg.sigmoid, sg.relu, lambda x: -x, lambda x: x * x / (1.0 + x * x),
    lambda x: sg.exp(-x * x), lambda x: sg.log(1.5 + sg.cos(x)), lambda x: 1.0 / (1.5 + x * x),
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: sg.tanh(x) * y, lambda x, y: x * y,
    sg.maximum, lambda x, y: sg.where(x > y, x, 0.5 * y),
]  # fmt: skip

#: A term of loop variables, in a machine with the arrays made so far.
Expression = Callable[[Any, list[Any]], Any]


class Known:
    """An array of a program: its name, and the loop of each dimension."""

    def __init__(self, name: str, over: Sequence[int]) -> None:
        self.name, self.over = name, list(over)


class Drawn:
    """A random program, to be run by a machine."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.extents = [rng.choice(EXTENTS) for _ in range(3)]
        if self.extents.count(66) > 1:
            self.extents[:2] = 4, 5
        self.numbers = np.random.default_rng(seed).normal(size=(80, 5))
        self.known: list[Known] = []
        self.statements = [self._statement(k) for k in range(rng.randint(2, 5))]

    def run(self, machine: Any) -> Any:
        """Run the program and return the array of the loss."""
        m = machine
        m.arrays = {"data": m.data("data", self.numbers)}
        m.vars = [m.var(n) for n in self.extents]
        losses = []
        for statement in self.statements:
            losses.append(m.array())
            statement(m, losses[-1])
        loss = m.array()
        total: Any = 0.0
        for x in losses:
            total = total + m.read(x)
        m.write(loss, (), total)
        return loss

    # Terms -------------------------------------------------------------------------------------

    def _value(self, over: Sequence[int]) -> Expression:
        """Draw a parameter, a constant or an element of an array, in the loops `over`."""
        rng, kind = self.rng, self.rng.random()
        k = rng.randrange(PARAMETERS)
        if kind < 0.3:
            return lambda m, at: (
                m.read(m.parameters, k) if isinstance(m, Nests) else m.parameters[k]
            )
        fitting = [x for x in self.known if all(v in over for v in x.over)]
        if fitting and kind < 0.75:
            found = rng.choice(fitting)
            places = [over.index(v) for v in found.over]
            return lambda m, at: m.read(m.arrays[found.name], *[at[i] for i in places])
        if not over:
            return lambda m, at: 0.3 + 0.1 * k
        i, column = rng.randrange(len(over)), rng.randrange(5)
        if kind < 0.9:
            return lambda m, at: m.read(m.arrays["data"], at[i], column)
        back = self.extents[over[i]] - 1
        return lambda m, at: m.read(m.arrays["data"], back - at[i], column)

    def _term(self, over: Sequence[int], depth: int = 2) -> Expression:
        if depth == 0 or self.rng.random() < 0.1:
            return self._value(over)
        x = self._term(over, depth - 1)
        if self.rng.random() < 0.4:
            unary = self.rng.choice(UNARY)
            return lambda m, at: unary(x(m, at))
        binary, y = self.rng.choice(BINARY), self._term(over, depth - 1)
        return lambda m, at: binary(x(m, at), y(m, at))

    # Statements --------------------------------------------------------------------------------

    def _statement(self, number: int) -> Callable[[Any, Any], None]:
        kinds = [self._pointwise, self._sum, self._sum, self._recurrence, self._stencil]
        kinds += [self._convolution, self._gathered, self._scattered, self._triangle]
        kinds += [self._substitution, self._ragged, self._network, self._network]
        over = self.rng.sample(range(3), self.rng.randint(0, 2))
        name = f"a{number}"
        made, over = self.rng.choice(kinds)(name, over)
        weight = self._value(over)
        tail = self.rng.random() < 0.3
        self.known.append(Known(name, over))
        shape = [self.extents[v] for v in over]

        def run(m: Any, loss: Any) -> None:
            m.arrays[name] = m.array(*shape)
            made(m)

            def end(at: list[Any]) -> None:
                cell = m.read(m.arrays[name], *at)
                m.add(loss, (), (sg.tanh(cell) if tail else cell) * weight(m, at))

            _around(m, over, end)

        return run

    def _pointwise(self, name: str, over: list[int]) -> Any:
        term = self._term(over)

        def made(m: Any) -> None:
            _around(m, over, lambda at: m.write(m.arrays[name], tuple(at), term(m, at)))

        return made, over

    def _sum(self, name: str, over: list[int]) -> Any:
        s = self.rng.choice([v for v in range(3) if v not in over])
        last, scale = self.rng.random() < 0.7, 1.0 / self.extents[s]
        order = [*over, s] if last else [s, *over]
        term = self._term(order)

        def made(m: Any) -> None:
            def one(at: list[Any]) -> None:
                cell = tuple(at[order.index(v)] for v in over)
                m.add(m.arrays[name], cell, term(m, at) * scale)

            _around(m, order, one)

        return made, over

    def _recurrence(self, name: str, over: list[int]) -> Any:
        s = self.rng.choice([v for v in range(3) if v not in over])
        n, two = self.extents[s], self.rng.random() < 0.3
        shape = [self.extents[v] for v in over]
        start, term = self._value(over), self._term([*over, s], 1)
        inside = self.rng.random() < 0.5

        def made(m: Any) -> None:
            x = m.array(*shape, n + 1)

            def begin(at: list[Any]) -> None:
                m.write(x, (*at, 0), start(m, at) + 0.0)
                if inside:
                    m.each(m.vars[s], lambda t: turn([*at, t]))
                    m.write(m.arrays[name], tuple(at), m.read(x, *at, n) + 0.0)

            def turn(at: list[Any]) -> None:
                *rest, t = at
                y = sg.tanh(m.read(x, *rest, t) * 0.5 + term(m, at))
                m.write(x, (*rest, t + 1), y * (y + 0.5) if two else y)

            _around(m, over, begin)
            if not inside:
                m.each(m.vars[s], lambda t: _around(m, over, lambda at: turn([*at, t])))
                _around(m, over, lambda at: m.write(
                    m.arrays[name], tuple(at), m.read(x, *at, n) + 0.0))  # fmt: skip

        return made, over

    def _network(self, name: str, _: list[int]) -> Any:
        """Draw a recurrence in which each number is a sum of all earlier ones."""
        rng = self.rng
        s, j = sorted(rng.sample(range(3), 2), key=lambda v: -self.extents[v])
        n, size = self.extents[s], self.extents[j]
        term, column, several = self._term([s, j], 1), rng.randrange(5), rng.random() < 0.5
        scale = 1.0 / size

        def made(m: Any) -> None:
            h = m.array(n + 1, size)
            sums, more = m.array(n, size), m.array(n, size)
            _around(m, [j], lambda at: m.write(h, (0, at[0]), 0.25))

            def turn(t: Any) -> None:
                def unit(i: Any) -> None:
                    m.each(m.var(size), lambda k: m.add(
                        sums, (t, i), m.read(m.arrays["data"], i + k if size < 40 else k, column)
                        * m.read(h, t, k) * scale))  # fmt: skip
                    y = m.read(sums, t, i) + term(m, [t, i])
                    if several:
                        m.each(m.var(size), lambda k: m.add(
                            more, (t, i), m.parameters[2] * m.read(h, t, k) * scale))  # fmt: skip
                        y = y * m.read(more, t, i)
                    m.write(h, (t + 1, i), sg.tanh(y))
                    m.write(m.arrays[name], (t, i), m.read(h, t + 1, i) + m.read(h, t, i))

                m.each(m.vars[j], unit)

            m.each(m.vars[s], turn)

        return made, [s, j]

    def _one_long(self, name: str) -> tuple[int, Expression, int]:
        s = self.rng.randrange(3)
        return s, self._term([s]), self.extents[s]

    def _stencil(self, name: str, _: list[int]) -> Any:
        s, term, n = self._one_long(name)
        back = self.rng.random() < 0.3

        def made(m: Any) -> None:
            x = m.array(n + 2)
            m.write(x, (0,), term(m, [0]) * 0.5)
            m.write(x, (n + 1,), 0.25)
            _around(m, [s], lambda at: m.write(x, (at[0] + 1,), term(m, at)))

            def one(at: list[Any]) -> None:
                i = n - 1 - at[0] if back else at[0]
                y = m.read(x, i) + m.read(x, i + 1) * m.read(x, i + 2)
                m.write(m.arrays[name], (at[0],), sg.tanh(y))

            _around(m, [s], one)

        return made, [s]

    def _convolution(self, name: str, _: list[int]) -> Any:
        s, term, n = self._one_long(name)
        width = self.rng.choice([2, 3, 5])

        def made(m: Any) -> None:
            x, f = m.array(n + width - 1), m.array(n)
            _around(m, [s], lambda at: m.write(f, (at[0],), term(m, at)))
            m.each(m.vars[s], lambda i: m.each(m.var(width), lambda j: m.add(
                x, (i + j,), m.read(f, i) * m.read(m.arrays["data"], j, 1))))  # fmt: skip
            _around(m, [s], lambda at: m.write(
                m.arrays[name], (at[0],), m.read(x, at[0]) - 0.5 * m.read(x, at[0] + width - 1)
            ))  # fmt: skip

        return made, [s]

    def _gathered(self, name: str, _: list[int]) -> Any:
        s, term, n = self._one_long(name)
        table = [self.rng.randrange(n) for _ in range(n)]

        def made(m: Any) -> None:
            x, places = m.array(n), m.data("table", table)
            _around(m, [s], lambda at: m.write(x, (at[0],), term(m, at)))
            _around(m, [s], lambda at: m.write(
                m.arrays[name], (at[0],), sg.sin(m.read(x, m.entry(places, at[0])))))  # fmt: skip

        return made, [s]

    def _scattered(self, name: str, _: list[int]) -> Any:
        s, term, n = self._one_long(name)
        table = [self.rng.randrange(n) for _ in range(n)]

        def made(m: Any) -> None:
            places = m.data("table", table)
            _around(m, [s], lambda at: m.add(
                m.arrays[name], (m.entry(places, at[0]),), term(m, at)))  # fmt: skip

        return made, [s]

    def _triangle(self, name: str, _: list[int]) -> Any:
        s, term, n = self._one_long(name)
        strict = self.rng.random() < 0.5

        def made(m: Any) -> None:
            x = m.array(n)
            _around(m, [s], lambda at: m.write(x, (at[0],), term(m, at)))

            def row(i: Any) -> None:
                extent = m.var(i) if strict else m.var(i + 1)
                m.each(extent, lambda j: m.add(
                    m.arrays[name], (i,), m.read(x, i - j) * m.read(x, j) * 0.1))  # fmt: skip

            m.each(m.vars[s], row)

        return made, [s]

    def _substitution(self, name: str, _: list[int]) -> Any:
        s, term, n = self._one_long(name)

        def made(m: Any) -> None:
            y, sums = m.array(n), m.array(n)

            def row(i: Any) -> None:
                m.each(m.var(i), lambda j: m.add(
                    sums, (i,), m.read(y, j) * m.read(m.arrays["data"], i - j, 2) * 0.1
                ))  # fmt: skip
                m.write(y, (i,), sg.tanh(term(m, [i]) - m.read(sums, i)))
                m.write(m.arrays[name], (i,), m.read(y, i) + 0.0)

            m.each(m.vars[s], row)

        return made, [s]

    def _ragged(self, name: str, _: list[int]) -> Any:
        s, term, n = self._one_long(name)
        counts = [self.rng.randrange(1, 5) for _ in range(n)]
        column = self.rng.randrange(5)

        def made(m: Any) -> None:
            lengths = m.data("lengths", counts)

            def row(i: Any) -> None:
                m.each(m.var(m.entry(lengths, i)), lambda j: m.add(
                    m.arrays[name], (i,), term(m, [i]) * m.read(m.arrays["data"], j, column)
                ))  # fmt: skip

            m.each(m.vars[s], row)

        return made, [s]


def _around(m: Any, over: Sequence[int], body: Callable[[list[Any]], None]) -> None:
    """Run a body in nested loops."""

    def inside(at: list[Any]) -> None:
        if len(at) == len(over):
            body(at)
        else:
            m.each(m.vars[over[len(at)]], lambda k: inside([*at, k]))

    inside([])


class Case:
    """A random program with its gradient, in the loop IR and on Values."""

    def __init__(self, seed: int) -> None:
        self.drawn = Drawn(seed)
        rng = random.Random(seed + 1)
        self.point = [rng.uniform(-1.0, 1.0) for _ in range(PARAMETERS)]
        machine = Nests()
        loss = self.drawn.run(machine)
        out = machine.builder.output("value")
        out[()] = loss[()]
        self.plain = machine.builder.program()
        self.parameters: Array = machine.parameters.array
        self.value: Array = out.array
        self.written, found = gradient(self.plain, loss.array, [self.parameters])
        self.slopes = found[self.parameters]
        self.program = contract(simplify(self.written))

    def eager(self) -> tuple[float, list[float]]:
        """Return value and gradient by Values."""
        machine = Eager(self.point)
        loss = self.drawn.run(machine)[()]
        if not isinstance(loss, Value):
            return float(loss), [0.0] * PARAMETERS
        return loss.data, sg.gradients(loss, machine.parameters)

    def interpreted(self, program: Program) -> tuple[float, list[float]]:
        """Return value and gradient by the interpreter."""
        return self.outputs(interpret(program, {self.parameters: self.point}))

    def outputs(self, found: Mapping[Array, Any]) -> tuple[float, list[float]]:
        """Return value and gradient among the numbers of arrays."""
        return float(found[self.value]), found[self.slopes].tolist()

    def second_derivatives(self) -> str:
        """Return the difference in a Hessian-vector product, reverse over reverse."""
        rng = random.Random(len(self.program.arrays))
        vector = [rng.uniform(-1.0, 1.0) for _ in range(PARAMETERS)]
        _, product_by_values = sg.hvp(self._function, self.point, vector)
        expected = np.array(product_by_values)
        outside = Builder(self.written)
        along, product = outside.const("v", vector), outside.output("product")
        with outside.loop(PARAMETERS) as k:
            outside.add(product[()], along[k] * Cells(outside, self.slopes)[k])
        program, found = gradient(outside.program(), product.array, [self.parameters])
        short = contract(simplify(_returning(program, found[self.parameters])))
        out = next(x for x in short.arrays if x.name == "returned")
        numbers = interpret(short, {self.parameters: self.point}, exactly)[out]
        if not np.abs(numbers - expected).max() <= 1e-9 * max(1.0, np.abs(expected).max()):
            return f"second derivatives: {numbers} for {expected}"
        return ""

    def _function(self, p: Any) -> Any:
        machine = Eager(self.point)
        machine.parameters = p
        return self.drawn.run(machine)[()]


def _returning(program: Program, array: Array) -> Program:
    """Return a program that also returns an array."""
    b = Builder(program)
    out = b.output("returned", PARAMETERS)
    with b.loop(PARAMETERS) as k:
        out[k] = Cells(b, array)[k]
    return b.program()


def compare(seed: int) -> str:
    """Return the difference for a seed, '' if there is none.

    The interpreter is compared with Values, up to rounding; C and LLVM are compared with the
    interpreter, to the bit.
    """
    case = Case(seed)
    expected = case.eager()
    given = {case.parameters: case.point}
    cases = {name: case.interpreted(program) for name, program in
             (("written", case.written), ("short", case.program))}  # fmt: skip
    for name, found in cases.items():
        if not is_close(found, expected):
            return f"{name}: {found} for {expected}"
    if seed % 3 == 0:
        difference = case.second_derivatives()
        if difference:
            return difference
    printers: dict[str, type[CompiledNest]] = {"C": CompiledNest} if shutil.which("gcc") else {}
    printers["LLVM"] = LLVMNest
    exact = interpret(case.program, given, exactly)
    for name, printed in printers.items():
        run = printed(case.program, seed % 3)
        run(given)
        for array, x in run(given).items():  # a second run finds the memory of the first
            if not np.array_equal(x, exact[array], equal_nan=True):
                return f"{name} differs from the interpreter: {x} for {exact[array]}"
    return ""


def is_close(found: tuple[float, list[float]], expected: tuple[float, list[float]]) -> bool:
    """Return True if two values and gradients agree up to rounding."""
    scale = max(1.0, *map(abs, expected[1]))
    slopes = zip(found[1], expected[1], strict=True)
    return math.isclose(found[0], expected[0], rel_tol=1e-11, abs_tol=1e-11) and all(
        abs(x - y) <= 1e-10 * scale for x, y in slopes
    )


if __name__ == "__main__":
    sys.exit(main(compare, "random_nests"))
