"""A program: the traced operations of a function, operands before results.

A node is an index. Inputs come first, so that node i is input i. `Writer` copies a program while
changing it. x² + 1 is the program:

>>> from scalargrad.ops import add, mul
>>> nodes = Nodes.of([INPUT, mul, CONSTANT, add], [(), (0, 0), (), (1, 2)])
>>> print(Program(inputs=1, nodes=nodes, constants={2: 1.0}, outputs=[3]))
%0 = input
%1 = mul(%0, %0)
%2 = 1.0
%3 = add(%1, %2)  ←
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

#: Maximum number of lanes of a `Held` node that are printed.
_SHOWN = 6


class Program:
    """The nodes of a computation, its inputs and its outputs.

    Parameters
    ----------
    inputs : int
        The number of inputs, which are the first nodes.
    nodes : Nodes
        The nodes in arrays; a million nodes take tens of megabytes.
    constants : dict from node to float
        The values of the nodes whose operation is CONSTANT.
    outputs : list of int
        The output nodes, in order.
    stacked : int
        The number of elements of array arguments, which `Stacked` nodes read.
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
        """The number of inputs and of elements of array arguments together."""
        return self.inputs + self.stacked

    def nodes(self) -> Nodes:
        """Return the nodes as arrays."""
        return self._nodes

    def copy(self) -> Program:
        """Return a copy to which nodes can be added."""
        constants, outputs = dict(self.constants), [*self.outputs]
        return Program(self.inputs, self._nodes, constants, outputs, self.stacked)

    def add(self, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> range:
        """Append nodes and return their indices."""
        self._replace(self._nodes.followed_by(Nodes.of(ops, args)))
        return range(len(self) - len(ops), len(self))

    def with_inputs(self, count: int) -> Program:
        """Return a copy with `count` inputs added after the present ones."""
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
    """Return a program of some nodes, in another order, inputs first.

    `places` has the new index of each node, and -1 for nodes that are dropped.
    """
    constants, count = program.constants, int(places.max(initial=-1)) + 1
    now = places[np.fromiter(constants, np.int64, len(constants))].tolist()
    left = dict(zip(now, constants.values(), strict=True))
    left.pop(-1, None)
    nodes = program.nodes().subset(places, count)
    return Program(inputs, nodes, left, places[program.outputs].tolist(), program.stacked)


def without_dead_nodes(program: Program) -> Program:
    """Return `program` without the nodes that no output depends on; inputs stay."""
    needed = program.nodes().needed(program.outputs)
    needed[: program.inputs] = True
    return subprogram(program, np.where(needed, np.cumsum(needed) - 1, -1), program.inputs)


class Writer(Columns):
    """Builder of a program whose nodes are mostly copies of another program's.

    Parameters
    ----------
    source : Program
        The program that nodes are copied from.
    inputs, stacked : int
        The number of inputs, and of elements of array arguments, of the new program.

    Attributes
    ----------
    new : dict from int to int
        Maps nodes of `source` to nodes of the new program.
    """

    def __init__(self, source: Program, inputs: int, stacked: int = 0) -> None:
        super().__init__()
        self.source = source
        self.inputs, self.stacked = inputs, stacked
        for _ in range(inputs):
            self.write(INPUT, ())
        self.new: dict[int, int] = {}

    def program(self, outputs: list[int]) -> Program:
        """Return the program built so far."""
        return Program(self.inputs, self.nodes(), self.constants, outputs, self.stacked)

    def copy(self, node: int) -> None:
        """Copy a node; its operands must be constants or have been copied."""
        args = [self.operand(x) for x in self.source.args[node]]
        self.new[node] = self.write(self.source.ops[node], args)

    def operand(self, node: int) -> int:
        """Return the copy of a node; a constant is copied when it is first needed."""
        if node in self.source.constants:
            return self.constant(self.source.constants[node])
        return self.new[node]
