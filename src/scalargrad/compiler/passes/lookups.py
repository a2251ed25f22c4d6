"""Lookups: entries chosen by a computed index, and what flows back to them.

`take` is recorded as one node over the index and the whole table. Its error signal goes to one
entry, known only at run time: all lookups in a table are scattered into one row of numbers, an
entry for each operand. What flows back through that is a take again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.compiler.passes.program import SCATTER, TAKE, Writer
from scalargrad.compiler.recording.refusal import refuse
from scalargrad.ops import eq, where
from scalargrad.ops.numbers import is_real
from scalargrad.ops.operation import Operation
from scalargrad.ops.symbol import Symbol
from scalargrad.value import Value

Nodes = tuple[int, ...]


class _Take(Operation):
    """The operation of a recorded `take`, its operands the index and the entries."""

    def __reduce__(self) -> str:
        return "TAKE_NODE"

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return partials that compare the index, for gradients recorded step by step."""
        index, *values = operands = tuple(Symbol(f"x{i}") for i in range(arity))
        size = len(values)
        here = [where(eq(index, float(k)), 1.0, eq(index, float(k - size))) for k in range(size)]
        return Symbol("y"), operands, (0.0, *here)


def _unused(*_: Any) -> Any:
    """Stand where a declaration stands in the table: a lookup is made by `recorded_take`."""


TAKE_NODE = _Take(_unused, _unused, name="take")


def recorded_take(values: Sequence[Any], index: Value) -> Value:
    """Return the node of ``values[index]``."""
    for x in values:
        if not (isinstance(x, Value) or is_real(x)):
            refuse(
                f"take was given an entry of type {type(x).__name__}",
                "choose among numbers, Values and rows of them, or make the index static, "
                "as in jit(f, static_argnames='i')",
            )
    operands = [x if isinstance(x, Value) else float(x) for x in values]
    chosen = int(index._data) % len(operands)
    made = object.__new__(Value)
    entry = operands[chosen]
    made._data = entry._data if isinstance(entry, Value) else entry
    made.grad, made.label, made.op = 0.0, "", TAKE_NODE
    made.parents = (index, *operands)
    made.local_grads = (
        0.0,
        *(float(k == chosen) if isinstance(x, Value) else None for k, x in enumerate(operands)),
    )
    return made


class Lookups:
    """The lookups met in one backward sweep, collected until their operands are reached.

    A node is reached after all its users, so every lookup in a table is known when the first of
    its entries is.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._read: dict[Nodes, list[int]] = {}
        self._entries: dict[Nodes, dict[int, int]] = {}
        self._waiting: dict[int, list[tuple[Nodes, int]]] = {}

    def pass_back(self, node: int, upstream: int, moving: bytearray) -> None:
        """Note the error signal of a TAKE or SCATTER node for its operands that move."""
        program = self.writer.program
        args = program.args[node]
        if program.ops[node] is TAKE:
            index, *values = args
            key = tuple(values)
            if key not in self._read:
                self._wait(key, [*enumerate(values)], moving)
            self._read.setdefault(key, []).extend((index, upstream))
        else:
            k, *pairs = args
            key = tuple(pairs)
            if key not in self._entries:
                self._wait(key, [*enumerate(pairs)][2::2], moving)
            self._entries.setdefault(key, {})[int(self.writer.constants[k])] = upstream

    def _wait(self, key: Nodes, places: list[tuple[int, int]], moving: bytearray) -> None:
        for place, operand in places:
            if moving[operand]:
                self._waiting.setdefault(operand, []).append((key, place))

    def terms(self, node: int) -> list[int]:
        """Write what lookups contribute to the error signal of `node`, as terms of a sum."""
        waiting = self._waiting.pop(node, ())
        return [x for key, place in waiting for x in (self._term(key, place), self.writer.one)]

    def _term(self, key: Nodes, place: int) -> int:
        writer = self.writer
        if key in self._read:
            k, n = writer.constant(float(place)), writer.constant(float(len(key)))
            return writer.node(SCATTER, (k, n, *self._read[key]))
        found, zero = self._entries[key], writer.constant(0.0)
        size = int(writer.constants[key[0]])
        return writer.node(TAKE, (key[place - 1], *(found.get(k, zero) for k in range(size))))
