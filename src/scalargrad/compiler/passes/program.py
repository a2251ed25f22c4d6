"""A program: the nodes of a recorded graph in arrays, operands before results.

A node is an index. Inputs come first, so that node i is input i.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import (
    CONSTANT,
    INPUT,
    UNBATCH,
    Held,
    Op,
)
from scalargrad.compiler.passes.nodes import Columns, Nodes
from scalargrad.system.cached_property import cached_property

#: The most lanes of a node of constants that a listing shows.
_SHOWN = 6


class Program:
    """The nodes of a computation, its inputs and its outputs.

    Parameters
    ----------
    inputs : int
        The number of inputs, which are the first nodes.
    nodes : Nodes
        The nodes, in arrays: a million take tens of megabytes.
    constants : dict from node to float
        The numbers of the nodes whose op is CONSTANT.
    outputs : list of int
    stacked : int
        The number of numbers that follow the inputs, for `Stacked` nodes to read.
    """

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

    @property
    def given(self) -> int:
        """The number of inputs and of stacked numbers together."""
        return self.inputs + self.stacked

    def nodes(self) -> Nodes:
        """Return the nodes as arrays."""
        return self._nodes

    def copy(self) -> Program:
        """Return a copy to which nodes can be added."""
        constants, outputs = dict(self.constants), [*self.outputs]
        return Program(self.inputs, self._nodes, constants, outputs, self.stacked)

    def add(self, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> range:
        """Append nodes; return their numbers."""
        self._replace(self._nodes.followed_by(Nodes.of(ops, args)))
        return range(len(self) - len(ops), len(self))

    def with_inputs(self, count: int) -> Program:
        """Return a copy with `count` more inputs, after the others."""
        copy = self.copy()
        new, own = copy.add([INPUT] * count, [()] * count), np.arange(len(self))
        places = [own + count * (own >= self.inputs), self.inputs + np.arange(len(new))]
        return subprogram(copy, np.concatenate(places), self.inputs + count)

    def _replace(self, nodes: Nodes) -> None:
        self._nodes = nodes
        vars(self).pop("ops", None)
        vars(self).pop("args", None)

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
        shown = ", ".join(f"%{x}" for x in args)
        return f"%{node} = {op.name}{f'({shown})' if args else ''}{mark}"


def subprogram(program: Program, places: Integers, inputs: int) -> Program:
    """Return the nodes of a program in other places, -1 for those left out, inputs first."""
    constants, count = program.constants, int(places.max(initial=-1)) + 1
    now = places[np.fromiter(constants, np.int64, len(constants))].tolist()
    left = dict(zip(now, constants.values(), strict=True))
    left.pop(-1, None)
    nodes = program.nodes().subset(places, count)
    return Program(inputs, nodes, left, places[program.outputs].tolist(), program.stacked)


def without_dead_nodes(program: Program) -> Program:
    """Return `program` without nodes that no output depends on; inputs stay."""
    needed = program.nodes().needed(program.outputs)
    needed[: program.inputs] = True
    return subprogram(program, np.where(needed, np.cumsum(needed) - 1, -1), program.inputs)


class Writer(Columns):
    """Writes a program node by node, most of them copies of those of another.

    Parameters
    ----------
    source : Program
        The program that nodes are copied from.
    inputs, stacked : int
        The numbers of inputs of the program that is written.

    Attributes
    ----------
    new : dict from int to int
        Maps nodes of `source` to those that are written.
    """

    def __init__(self, source: Program, inputs: int, stacked: int = 0) -> None:
        super().__init__()
        self.source = source
        self.inputs, self.stacked = inputs, stacked
        for _ in range(inputs):
            self.write(INPUT, ())
        self.new: dict[int, int] = {}

    def program(self, outputs: list[int]) -> Program:
        """Return the program written so far."""
        return Program(self.inputs, self.nodes(), self.constants, outputs, self.stacked)

    def copy(self, node: int) -> None:
        """Copy a node, whose operands must be copied already or constants."""
        args = [self.operand(x) for x in self.source.args[node]]
        self.new[node] = self.write(self.source.ops[node], args)

    def operand(self, node: int) -> int:
        """Return the copy of a node, which is there already unless it is a constant."""
        if node in self.source.constants:
            return self.constant(self.source.constants[node])
        return self.new[node]
