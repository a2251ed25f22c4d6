"""Output: the node a compiled function returns, one for each number of its result."""

from __future__ import annotations

from typing import Any

from scalargrad.compiler.function import Function, Inputs
from scalargrad.errors import OperandError
from scalargrad.ops.operation import Operation
from scalargrad.ops.symbol import Symbol
from scalargrad.value import Scalar, Value


class CompiledOp(Operation):
    """What stands as the operation of an Output: the compiled function's name."""

    def __init__(self, name: str) -> None:
        super().__init__(_undeclared, _undeclared, name=name, pattern="compiled")

    def of_floats(self, *_: float) -> float:
        """Refuse: the function is called, not applied to operands."""
        raise OperandError(f"{self.name} is a compiled function: call it, not its operation")

    def __reduce__(self) -> tuple[Any, ...]:
        return CompiledOp, (self.name,)

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return symbols only: the partials are programs, named but not written out."""
        operands = tuple(Symbol(f"x{i}") for i in range(arity))
        return Symbol("y"), operands, tuple(Symbol(f"∂y/∂x{i}") for i in range(arity))


def _undeclared(*_: Any) -> Any:
    """Stand where a declaration stands in the table; a program takes its place."""


class Output(Value):
    """A number computed by a program, whose operands are the Values the program read.

    It keeps the numbers it was computed from, so that nothing done later changes its gradient.
    The gradient is computed when first asked for, unless it was computed along.
    """

    __slots__ = ("_function", "_index", "_inputs", "_row")

    def __init__(
        self,
        data: float,
        op: Operation,
        parents: tuple[Value, ...],
        source: tuple[Function, int, Inputs],
        row: tuple[float, ...] | None = None,
    ) -> None:
        self._data = data
        self.grad = 0.0
        self.label = ""
        self.op = op
        self.parents = parents
        self._function, self._index, self._inputs = source
        self._row = row

    @property
    def local_grads(self) -> tuple[float | None, ...]:  # type: ignore[override]
        """The gradient with respect to each operand."""
        if self._row is None:
            self._row = tuple(self._function.row(self._index, self._inputs))
        return self._row

    def partial_nodes(self) -> list[Scalar]:
        """Return the gradient as Values that can be differentiated again."""
        gradient = self._function.gradient(self._index)
        numbers = gradient.values(self._inputs)
        assert self.op is not None
        op = CompiledOp(f"{self.op.name}'")
        return [
            Output(number, op, self.parents, (gradient, i, self._inputs))  # type: ignore[arg-type]
            for i, number in enumerate(numbers)
        ]
