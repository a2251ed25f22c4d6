"""An interpreter of scheduled loops: each element is read after its last write, from its address.

The equations say how many writes of each element are due. The loops run in their order, iterations
that run together (SIMD lanes, unroll-and-jam) statement by statement. A read of an element whose
writes are not complete is an error, and so is a read from an address, or a register, that holds
another element. Sums are added up in the order in which terms arrive, so that a loop in the wrong
direction changes digits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from tests.compiler.interpreter import Address, Apply, Interpreter, Term, added, by_table
from tests.compiler.nests import (
    ADD,
    CLASSES,
    SEQUENTIAL,
    Access,
    Array,
    Body,
    Plan,
    Program,
    Step,
    Var,
    adds_loop_by_loop,
)


class ScheduleError(AssertionError):
    """Scheduled loops do not compute their program."""


class LayoutError(ScheduleError):
    """An address or a register has another element than the one that is read."""


class Iteration(NamedTuple):
    """The values of induction variables at one iteration of the enclosing loops.

    Attributes
    ----------
    at : dict
    keys : dict
        How many iterations of each loop come before it, and how many the loop has.
    slots : dict
        Which of the iterations that run together it is.
    """

    at: dict[Var, int]
    keys: dict[Var, tuple[int, int]]
    slots: dict[Var, int]


class ScheduledInterpreter:
    """Scheduled loops, run on numbers.

    Parameters
    ----------
    program : Program
        The equations that they compute.
    body : list of Loop or Step
    layout : Plan or None
        The places of arrays; without, each element has a place of its own.
    """

    def __init__(
        self,
        program: Program,
        body: Body,
        layout: Plan | None,
        given: Mapping[Array, Any],
        apply: Apply = by_table,
    ) -> None:
        self.body, self.layout, self.apply = body, layout, apply
        self.equations = Interpreter(program, given, apply)
        self.numbers = self.equations.numbers
        self.due = Counter(turn.out for turn in self.equations.turns)
        self.terms: dict[Address, list[tuple[tuple[tuple[int, int], ...], Term]]] = {}
        self.holds: dict[Any, Address] = {}

    def run(self) -> dict[Array, Any]:
        """Return the numbers of all arrays."""
        self._body(self.body, [Iteration({}, {}, {})])
        for (array, at), count in self.due.items():
            if count:
                raise ScheduleError(f"{array}[{at}] lacks {count} writes at the end")
        return {a: np.array(x).reshape(a.shape) for a, x in self.numbers.items()}

    def _body(self, body: Body, iterations: Sequence[Iteration]) -> None:
        for item in body:
            if isinstance(item, Step):
                for iteration in iterations:
                    self._step(item, iteration)
                continue
            extents = {self.equations.index(item.var.extent, x.at) for x in iterations}
            if len(extents) > 1:
                raise ScheduleError(f"{item} has {extents} iterations where some run together")
            (extent,) = extents
            loop: Any = item
            size = loop.jam * (CLASSES if loop.lanes else 1)
            for first in range(0, extent, size):
                here = range(first, min(first + size, extent))
                self._body(
                    item.body, [y for x in iterations for y in _inside(x, loop, here, extent)]
                )

    def _step(self, step: Step, iteration: Iteration) -> None:
        operands = [
            x if isinstance(x, float) else self._read(step, x, iteration) for x in step.args
        ]
        for table in step.tables():
            self._read(step, table, iteration)
        out = self.equations.address(step.out, iteration.at)
        self.due[out] -= 1
        if self.due[out] < 0:
            raise ScheduleError(f"{step} writes {_format(out)} once more than is due")
        if step.how != ADD:
            self._complete(step, iteration, out, self.apply(step.op, *operands))
            return
        is_product = step.op.name == "mul"
        term = tuple(operands) if is_product else (self.apply(step.op, *operands),)
        by_loop = adds_loop_by_loop(step.out)
        decide = step.out.variables if by_loop else iteration.keys.keys()
        key = tuple(place for v, place in iteration.keys.items() if v not in decide)
        self.terms.setdefault(out, []).append((key, term))
        if not by_loop:
            self._hold(step.out, iteration, out)
        if not self.due[out]:
            total = _total(self.terms.pop(out), by_loop)
            self._complete(step, iteration, out, total)

    def _read(self, step: Step, x: Access, iteration: Iteration) -> float:
        element = self.equations.address(x, iteration.at)
        if self.due[element]:
            raise ScheduleError(
                f"{step} reads {_format(element)}, {self.due[element]} writes early"
            )
        place = self._place(x, iteration)
        held, is_given = self.holds.get(place), x.array.kind in {"in", "const"}
        # An element without due writes is an input, or an empty sum, which is stored there.
        if held != element and (element in self.due or (held and is_given)):
            other = _format(held) if held else "nothing"
            raise LayoutError(f"{step} reads {_format(element)} at {place}, which holds {other}")
        return self.numbers[element[0]][element[1]]

    def _complete(self, step: Step, iteration: Iteration, element: Address, number: float) -> None:
        self.numbers[element[0]][element[1]] = number
        self._hold(step.out, iteration, element)

    def _hold(self, out: Access, iteration: Iteration, element: Address) -> None:
        self.holds[self._place(out, iteration)] = element

    def _place(self, x: Access, iteration: Iteration) -> Any:
        """Return the address of an access, or the register that has it."""
        layout, array = self.layout, x.array
        if layout is None:
            return self.equations.address(x, iteration.at)
        if array not in layout.offsets:
            home = sorted(x.variables, key=lambda v: v.name)
            return array, *(iteration.slots[v] for v in home)
        place, buffer = layout.offsets[array], layout.buffers.get(array)
        for k, (index, stride) in enumerate(zip(x.indices, layout.strides[array], strict=True)):
            value = self.equations.index(index, iteration.at)
            if buffer and k == buffer.place:
                block, value = buffer.block, iteration.slots[buffer.var]
                if block:
                    value += iteration.at[block] * (buffer.size // block.extent.base)
            place += value * stride
        if not 0 <= place < layout.cells:
            raise LayoutError(f"{x} is at {place} of {layout.cells}")
        return place


def _inside(outer: Iteration, loop: Any, here: range, extent: int) -> Iterator[Iteration]:
    """Yield the iterations of a loop that run together."""
    for slot, k in enumerate(here):
        value = extent - 1 - k if loop.down else k
        yield Iteration(
            {**outer.at, loop.var: value},
            {**outer.keys, loop.var: (k, extent)},
            {**outer.slots, loop.var: slot},
        )


def _total(terms: Sequence[tuple[tuple[tuple[int, int], ...], Term]], by_loop: bool) -> float:
    """Return a sum in the order in which its terms arrived."""
    if by_loop and terms[0][0]:
        return 0.0 + _partial(terms)
    held = 0.0
    for _, term in terms:
        held = added(held, term)
    return held


def _partial(terms: Sequence[tuple[tuple[tuple[int, int], ...], Term]]) -> float:
    """Return the sum of a loop over those of the loops inside."""
    groups: dict[int, list[tuple[tuple[tuple[int, int], ...], Term]]] = {}
    for key, term in terms:
        groups.setdefault(key[0][0], []).append((key[1:], term))
    extent = terms[0][0][0][1]
    classes = [-0.0] * (CLASSES if extent > SEQUENTIAL else 1)
    for k, group in groups.items():
        c = k % len(classes)
        if group[0][0]:
            classes[c] += _partial(group)
        else:
            classes[c] = added(classes[c], group[0][1])
    found = classes[0]
    for x in classes[1:]:
        found += x
    return found


def _format(element: Address) -> str:
    array, at = element
    places = np.unravel_index(at, array.shape) if array.shape else ()
    return f"{array}[{', '.join(map(str, places))}]"
