"""The reference interpreter of the loop IR, whose bits compiled code must reproduce.

A statement runs once in each iteration of the enclosing loops, as soon as the elements that it
reads have their final values. The program has no order; the interpreter finds one by waiting.

Sums are added by the rule in `scalargrad.compiler.nests.equations`.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.compiler.nests import (
    ADD,
    CLASSES,
    SEQUENTIAL,
    SET,
    Access,
    Array,
    Body,
    Index,
    Loop,
    Operation,
    Program,
    Step,
    Var,
    adds_loop_by_loop,
)

from scalargrad import TraceError

Floats = NDArray[np.float64]
#: A cell: its array and its place among the array's numbers.
Address = tuple[Array, int]
Apply = Callable[..., float]
#: A term of a sum: the factors of a product, or one number.
Term = tuple[float, ...]


def by_table(op: Operation, *operands: float) -> float:
    """Apply an operation by its definition."""
    return op.of_floats_unchecked(*operands)


def interpret(
    program: Program, given: Mapping[Array, Any], apply: Apply = by_table
) -> dict[Array, Floats]:
    """Return the numbers of all arrays of a program.

    Parameters
    ----------
    program : Program
    given : mapping
        The numbers of the arrays of kind ``"in"``.
    apply : callable
        ``apply(op, *operands)``: how operations are computed.

    Raises
    ------
    TraceError
        If steps wait for each other, or set a cell twice.
    """
    return Interpreter(program, given, apply).run()


class Turn:
    """A statement at one iteration, with the number of elements it waits for."""

    __slots__ = ("key", "out", "reads", "step", "waits")

    def __init__(self, step: Step, out: Address, reads: list[Any], key: tuple[Any, ...]) -> None:
        self.step, self.out, self.reads, self.key = step, out, reads, key
        self.waits = 0


class Interpreter:
    """The iterations of a program's statements, each run once its operands have their values."""

    def __init__(self, program: Program, given: Mapping[Array, Any], apply: Apply) -> None:
        self.apply = apply
        self.numbers = {a: _numbers(a, given) for a in program.arrays}
        self.turns = list(self.iterations(program.body, {}, {}))
        self.missing: dict[Address, int] = defaultdict(
            int
        )  # iterations that have yet to write an element
        self.waiting: dict[Address, list[Turn]] = defaultdict(list)
        self.terms: dict[Address, list[tuple[Turn, Term]]] = defaultdict(list)

    def run(self) -> dict[Array, Floats]:
        """Run each iteration as soon as it does not wait for an element."""
        ready, done = self._begin(), 0
        while ready:
            turn = ready.pop()
            done += 1
            if self._write(turn):
                for other in self.waiting[turn.out]:
                    other.waits -= 1
                    if not other.waits:
                        ready.append(other)
        if done < len(self.turns):
            stuck = next(turn for turn in self.turns if turn.waits)
            raise TraceError(f"{stuck.step} waits for cells that wait for it")
        return {a: np.array(x).reshape(a.shape) for a, x in self.numbers.items()}

    def _begin(self) -> list[Turn]:
        """Record the elements that each iteration waits for; return those that wait for none."""
        for turn in self.turns:
            self.missing[turn.out] += 1
            if turn.step.how == SET and self.missing[turn.out] > 1:
                raise TraceError(f"{turn.step} sets cell {turn.out} a second time")
        for turn in self.turns:
            for cell in {x for x in turn.reads if not isinstance(x, float)}:
                if self.missing[cell]:
                    self.waiting[cell].append(turn)
                    turn.waits += 1
        return [turn for turn in self.turns if not turn.waits]

    def _write(self, turn: Turn) -> bool:
        """Run a statement; return True if its element then has its final value."""
        step, (array, at) = turn.step, turn.out
        operands = [x if isinstance(x, float) else self._number(x) for x in turn.reads]
        self.missing[turn.out] -= 1
        if step.how == ADD:
            is_product = step.op.name == "mul"
            term = tuple(operands) if is_product else (self.apply(step.op, *operands),)
            self.terms[turn.out].append((turn, term))
        else:
            self.terms[turn.out].append((turn, (self.apply(step.op, *operands),)))
        if self.missing[turn.out]:
            return False
        self.numbers[array][at] = self._final(step.how, self.terms.pop(turn.out))
        return True

    def _number(self, cell: Address) -> float:
        return self.numbers[cell[0]][cell[1]]

    def _final(self, how: str, found: list[tuple[Turn, Term]]) -> float:
        if how == SET:
            return found[0][1][0]
        ordered = sorted([(turn.key, term) for turn, term in found], key=lambda x: x[0])
        held = 0.0
        for _, turns in itertools.groupby(ordered, key=lambda x: x[0][0]):
            here = [(key[1], term) for key, term in turns]
            held = added(held, here[0][1]) if here[0][0] == () else held + total(here)
        return held

    def iterations(
        self, body: Body, at: dict[Var, int], around: dict[Var, tuple[int, int]]
    ) -> Iterator[Turn]:
        """Yield a statement at each iteration of its loops."""
        for item in body:
            if isinstance(item, Loop):
                extent = self.index(item.var.extent, at)
                for k in range(extent):
                    inside = {**around, item.var: (extent - 1 - k if item.down else k, extent)}
                    yield from self.iterations(item.body, {**at, item.var: k}, inside)
            else:
                decide = item.out.variables if adds_loop_by_loop(item.out) else around.keys()
                lanes = tuple(k for v, (k, _) in around.items() if v in decide)
                sums = tuple(place for v, place in around.items() if v not in decide)
                reads = [x if isinstance(x, float) else self.address(x, at) for x in item.args]
                yield Turn(item, self.address(item.out, at), reads, (lanes, sums))

    def index(self, index: Index, at: Mapping[Var, int]) -> int:
        """Return the value of an index."""
        found = index.base
        for v, k in index.terms:
            found += k * at[v]
        return found + (int(self._number(self.address(index.via, at))) if index.via else 0)

    def address(self, access: Access, at: Mapping[Var, int]) -> Address:
        """Return the element of an access."""
        place = 0
        for index, size in zip(access.indices, access.array.shape, strict=True):
            k = self.index(index, at)
            if not 0 <= k < size:
                raise TraceError(f"{access} is at {k} of {size}: shorten the loop or the table")
            place = place * size + k
        return access.array, place


def _numbers(array: Array, given: Mapping[Array, Any]) -> list[float]:
    if array.kind == "in":
        return np.asarray(given[array], float).reshape(array.shape).ravel().tolist()
    return (np.zeros(array.shape) if array.data is None else array.data).ravel().tolist()


def total(terms: Sequence[tuple[tuple[tuple[int, int], ...], Term]]) -> float:
    """Return the sum of terms by the rule.

    Each term has the values of the induction variables of the sum, with their trip counts.
    """
    (_, extent), *_ = terms[0][0]
    classes = [-0.0] * (CLASSES if extent > SEQUENTIAL else 1)
    for (k, _), group in itertools.groupby(terms, key=lambda x: x[0][0]):
        inner = [(at[1:], term) for at, term in group]
        c = k % len(classes)
        if inner[0][0]:
            classes[c] += total(inner)
        else:
            classes[c] = added(classes[c], inner[0][1])
    return functools.reduce(lambda x, y: x + y, classes)


def added(held: float, term: Term) -> float:
    """Return a sum with one more term; a product is rounded once, together with the sum."""
    return held + term[0] if len(term) == 1 else fma(term[0], term[1], held)


def fma(x: float, y: float, z: float) -> float:
    """Return x·y + z, rounded once, by the C library."""
    found: float = _libm().fma(x, y, z)
    return found


@functools.cache
def _libm() -> Any:
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    libm.fma.restype, libm.fma.argtypes = ctypes.c_double, [ctypes.c_double] * 3
    return libm
