"""A recorded program: held in arrays, and converted to lists only for passes that need those."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.compiler.passes.kinds import INPUT, Op
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.program import Program
from scalargrad.system.cached_property import cached_property


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
        self.one = -1
        self.stacked = stacked
        self._nodes = nodes
        self._sizes = []

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

    def copy(self) -> Program:
        """Return a copy to which nodes can be added."""
        constants, outputs = dict(self.constants), [*self.outputs]
        return RecordedProgram(self.inputs, self._nodes, constants, outputs, self.stacked)

    def add(self, ops: Sequence[Op], args: Sequence[tuple[int, ...]]) -> range:
        """Append nodes; return their numbers."""
        self._replace(self._nodes.followed_by(ops, args))
        return range(len(self) - len(ops), len(self))

    def _insert_inputs(self, count: int) -> None:
        self._replace(self._nodes.with_inputs(INPUT, self.inputs, count))

    def alive(self) -> bytearray:
        """Return, for each node, 1 where an output depends on it."""
        return bytearray(self._nodes.needed(self.outputs))

    def _replace(self, nodes: Nodes) -> None:
        self._nodes = nodes
        vars(self).pop("ops", None)
        vars(self).pop("args", None)

    def __reduce__(self) -> tuple[Any, ...]:
        parts = (self.inputs, self._nodes, self.constants, self.outputs, self.stacked)
        return RecordedProgram, parts
