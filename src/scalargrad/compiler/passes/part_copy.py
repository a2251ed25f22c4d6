"""Copy some nodes of a program into another program."""

from __future__ import annotations

from scalargrad.compiler.passes.kinds import CONSTANT, INPUT, OverLanes
from scalargrad.compiler.passes.program import Program


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

    def copy(self, node: int, lanes: int = 1) -> None:
        """Copy a node, whose operands must be copied already or constants."""
        op = self.source.ops[node]
        args = tuple([self.operand(x) for x in self.source.args[node]])
        self.new[node] = self.append(op.over(lanes) if isinstance(op, OverLanes) else op, args)

    def operand(self, node: int) -> int:
        """Return the copy of a node, which is there already unless it is a constant."""
        if node in self.source.constants:
            return self.constant(self.source.constants[node])
        return self.new[node]
