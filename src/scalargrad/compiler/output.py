"""Output: the node a compiled function returns, one for each number of its result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.function import Function, Inputs
from scalargrad.ops.operation import Operation
from scalargrad.ops.symbol import Symbol
from scalargrad.value import Scalar, Value


class CompiledOp(Operation):
    """What stands as the operation of an Output, for pictures and steps.

    Parameters
    ----------
    name : str
        The compiled function's name.
    node : Output
        The node, whose numbers stand where operands are not given anew.
    compute : callable
        From the program's inputs to this operation's number.
    """

    def __init__(self, name: str, node: Output, compute: Callable[[Inputs], float]) -> None:
        super().__init__(_undeclared, _undeclared, name=name, pattern="compiled")
        self._node = node
        self._compute = compute

    def of_floats(self, *operands: float) -> float:
        """Run the program with other numbers in place of the operands."""
        inputs = list(self._node.inputs)
        for cell, number in zip(self._node.function.wrt, operands, strict=True):
            inputs[cell] = number
        return self._compute(inputs)

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return symbols, and partials that are programs: named, not written out."""
        operands = tuple(Symbol(f"x{i}") for i in range(arity))
        return Symbol("y"), operands, tuple(self._partial(i, operands) for i in range(arity))

    def _partial(self, i: int, operands: tuple[Symbol, ...]) -> Symbol:
        node = self._node
        name = f"∂{self.name}/∂x{i}"
        op = CompiledOp(name, node, lambda inputs: node.function.row(node.index, inputs)[i])
        return Symbol("", op, operands)


def _undeclared(*_: Any) -> Any:
    """Stand where a declaration stands in the table; a program takes its place."""


class Output(Value):
    """A number computed by a program, whose operands are the Values the program read.

    It keeps the numbers it was computed from, so that nothing done later changes its gradient.
    The gradient is computed when first asked for, unless it was computed along.
    """

    __slots__ = ("_row", "function", "index", "inputs", "name")

    def __init__(
        self,
        data: float,
        name: str,
        parents: tuple[Value, ...],
        source: tuple[Function, int, Inputs],
        row: tuple[float, ...] | None = None,
    ) -> None:
        self._data = data
        self.grad = 0.0
        self.label = ""
        self.name = name
        self.parents = parents
        self.function, self.index, self.inputs = source
        self._row = row

    @property
    def op(self) -> Operation:  # type: ignore[override]
        """The compiled function as an operation."""
        return CompiledOp(self.name, self, lambda inputs: self.function.outputs(inputs)[self.index])

    @property
    def local_grads(self) -> tuple[float | None, ...]:  # type: ignore[override]
        """The gradient with respect to each operand."""
        if self._row is None:
            self._row = tuple(self.function.row(self.index, self.inputs))
        return self._row

    def partial_nodes(self) -> list[Scalar]:
        """Return the gradient as Values that can be differentiated again."""
        gradient = self.function.gradient(self.index)
        parents: Any = self.parents
        return [
            Output(number, f"{self.name}'", parents, (gradient, i, self.inputs))
            for i, number in enumerate(gradient.outputs(self.inputs))
        ]
