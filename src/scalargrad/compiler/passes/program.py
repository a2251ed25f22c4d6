"""A program: the nodes of a recorded graph as plain lists, operands before results.

A node is an index: node i is computed by
``ops[i]`` from the nodes ``args[i]``. Inputs come first, so that node i is input i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress
from typing import Any

from scalargrad.compiler.passes.kinds import (
    CONSTANT,
    INPUT,
    UNBATCH,
    Held,
    Op,
    Total,
)
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.system.cached_property import cached_property

#: How many lanes of numbers known beforehand a listing shows.
_SHOWN = 6


@dataclass
class Program:
    """The nodes of a computation, its inputs and its outputs.

    Attributes
    ----------
    ops, args
        For each node, its operation and its operands.
    constants : dict from node to float
        The numbers of the nodes whose op is CONSTANT.
    inputs : int
        The number of inputs, which are the first nodes.
    stacked : int
        How many numbers follow the inputs, for `Stacked` nodes to read.
    """

    inputs: int
    ops: list[Op] = field(default_factory=list)
    args: list[tuple[int, ...]] = field(default_factory=list)
    constants: dict[int, float] = field(default_factory=dict)
    outputs: list[int] = field(default_factory=list)
    stacked: int = 0

    def __len__(self) -> int:
        return len(self.ops)

    @property
    def given(self) -> int:
        """The number of inputs and of stacked numbers together."""
        return self.inputs + self.stacked

    def nodes(self) -> Nodes:
        """Return the nodes as arrays."""
        return Nodes.of(self.ops, self.args)

    def add(self, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> range:
        """Append nodes; return their numbers."""
        self.ops += ops
        self.args += args
        return range(len(self) - len(ops), len(self))

    def alive(self) -> bytearray:
        """Return, for each node, 1 where an output depends on it."""
        needed = bytearray(len(self.ops))
        for node in self.outputs:
            needed[node] = 1
        args = self.args
        for node in range(len(self.ops) - 1, -1, -1):
            if needed[node]:
                for operand in args[node]:
                    needed[operand] = 1
        return needed

    def __str__(self) -> str:
        sizes = self.nodes().sizes().tolist()
        return "\n".join(self._line(node, sizes[node]) for node in range(len(self.ops)))

    def _line(self, node: int, size: int) -> str:
        op, args = self.ops[node], self.args[node]
        mark = f"    {size} lanes" * (size > 1) + "  ←" * (node in self.outputs)
        if op is CONSTANT:
            return f"%{node} = {self.constants[node]!r}{mark}"
        if isinstance(op, Held):
            shown = ", ".join([f"{x:g}" for x in op.numbers[:_SHOWN]] + ["…"] * (op.lanes > _SHOWN))
            return f"%{node} = {shown}{mark}"
        if op is UNBATCH:
            return f"%{node} = %{args[0]}[{self.constants[args[1]]:g}]{mark}"
        if isinstance(op, Total):
            return f"%{node} = total({self._product(args)}){mark}"
        shown = ", ".join(f"%{x}" for x in args)
        return f"%{node} = {op.name}{f'({shown})' if args else ''}{mark}"

    def _product(self, pair: Sequence[int]) -> str:
        shown = [f"{self.constants[x]:g}" if x in self.constants else f"%{x}" for x in pair]
        return "·".join(shown)


def without_dead_nodes(program: Program) -> Program:
    """Return `program` without nodes that no output depends on; inputs stay."""
    alive = program.alive()
    alive[: program.inputs] = b"\x01" * program.inputs
    if all(alive):
        return program
    kept = [*compress(range(len(alive)), alive)]
    new = [0] * len(alive)
    for i, node in enumerate(kept):
        new[node] = i
    return Program(
        inputs=program.inputs,
        ops=[*compress(program.ops, alive)],
        args=[tuple([new[x] for x in program.args[node]]) for node in kept],
        constants={new[node]: x for node, x in program.constants.items() if alive[node]},
        outputs=[new[node] for node in program.outputs],
        stacked=program.stacked,
    )


class PartCopy:
    """Copies nodes of one program into another.

    Parameters
    ----------
    source : Program
        The program that nodes are copied from.
    inputs : int
        The number of inputs of the copy.

    Attributes
    ----------
    program : Program
        The copy.
    new : dict from int to int
        Maps nodes of `source` to nodes of the copy.
    """

    def __init__(self, source: Program, inputs: int) -> None:
        self.source = source
        self.program = Program(inputs, [INPUT] * inputs, [()] * inputs)
        self.new: dict[int, int] = {}
        self._numbers: dict[str, int] = {}

    def append(self, op: object, args: tuple[int, ...]) -> int:
        """Write a node, and return its index."""
        self.program.ops.append(op)  # type: ignore[arg-type]
        self.program.args.append(args)
        return len(self.program) - 1

    def constant(self, number: float) -> int:
        """Return the node of a constant; equal constants share one."""
        key = number.hex()
        if key not in self._numbers:
            self._numbers[key] = self.append(CONSTANT, ())
            self.program.constants[self._numbers[key]] = number
        return self._numbers[key]

    def copy(self, node: int) -> None:
        """Copy a node, whose operands must be copied already or constants."""
        op = self.source.ops[node]
        args = tuple([self.operand(x) for x in self.source.args[node]])
        self.new[node] = self.append(op, args)

    def operand(self, node: int) -> int:
        """Return the copy of a node, which is there already unless it is a constant."""
        if node in self.source.constants:
            return self.constant(self.source.constants[node])
        return self.new[node]


class RecordedProgram(Program):
    """A program held in arrays, in which a million nodes take tens of megabytes."""

    def __init__(
        self,
        inputs: int,
        nodes: Nodes,
        constants: dict[int, float],
        outputs: list[int],
        stacked: int = 0,
    ) -> None:
        self.inputs = inputs
        self.constants = constants
        self.outputs = outputs
        self.stacked = stacked
        self._nodes = nodes

    @cached_property
    def ops(self) -> list[Op]:
        """The operation of each node."""
        return self._nodes.ops()

    @cached_property
    def args(self) -> list[tuple[int, ...]]:
        """The operands of each node."""
        return self._nodes.args()

    def __len__(self) -> int:
        return len(self._nodes)

    def nodes(self) -> Nodes:
        """Return the nodes as arrays."""
        return self._nodes

    def copy(self) -> RecordedProgram:
        """Return a copy to which nodes can be added."""
        constants, outputs = dict(self.constants), [*self.outputs]
        return RecordedProgram(self.inputs, self._nodes, constants, outputs, self.stacked)

    def add(self, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> range:
        """Append nodes; return their numbers."""
        self._replace(self._nodes.followed_by(Nodes.of(ops, args)))
        return range(len(self) - len(ops), len(self))

    def with_inputs(self, count: int) -> RecordedProgram:
        """Return a copy with `count` more inputs, after the others."""
        n, copy = self.inputs, self.copy()
        copy._replace(self._nodes.with_inputs(INPUT, n, count))
        copy.inputs += count
        copy.constants = {x + count: y for x, y in self.constants.items()}
        copy.outputs = [x if x < n else x + count for x in self.outputs]
        return copy

    def _replace(self, nodes: Nodes) -> None:
        self._nodes = nodes
        vars(self).pop("ops", None)
        vars(self).pop("args", None)

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self.inputs, self._nodes, self.constants, self.outputs, self.stacked)
        return RecordedProgram, parts
