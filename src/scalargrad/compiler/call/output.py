"""The nodes of the graph that a compiled function returns, one for each number.

A single result that depends on Values is a `Result`, whose operands are these Values. Several
results are outputs of one `MultiOutputNode`, so that a backward sweep runs the program of their
gradient once for all.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, NamedTuple

from scalargrad.compiler.backend.callbacks import CallbackError
from scalargrad.compiler.function import Function
from scalargrad.compiler.runner import Inputs
from scalargrad.engine.multi_output import (
    Cotangents,
    Intermediate,
    MultiOutputNode,
    MultiOutputOperation,
    accumulate,
)
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import NumericalError
from scalargrad.opdef.operation import Operation


class Run(NamedTuple):
    """One run of a program, and the rule by which signals to its results are sent back.

    It keeps the inputs, so that nothing done later changes a gradient.

    Attributes
    ----------
    name : str
        The name of the function.
    function : Function
        The program.
    inputs : list of float, or array
        What it ran on.
    operands : tuple of Value
        Those by which it can be differentiated.
    along : (int, tuple of float), or None
        A result and its gradient, if that was computed with the results.
    """

    name: str
    function: Function
    inputs: Inputs
    operands: tuple[Value, ...]
    along: tuple[int, tuple[float, ...]] | None = None

    def pull_back(self, signals: Cotangents, _call: Value) -> Sequence[float | None]:
        """Return Σ signal · gradient, for each operand; None for one that no result depends on.

        Raises
        ------
        NumericalError
            If a product is inf or nan. A program adds in another order and merges equal nodes,
            which is the same for finite numbers up to rounding, but 0·inf + inf is nan, and
            (0 + 1)·inf is not.
        """
        if self.along is not None and [*signals] == [self.along[0]]:
            (signal,) = signals.values()
            found: Sequence[float] = [signal * x for x in self.along[1]]
        else:
            found = self._sent_back((*range(self.function.results),), signals)
        if not all_finite(found):  # a result that sends no signal may have an infinite slope
            found = self._sent_back(tuple(signals), signals)
            self._require_finite(found, signals)
        return self._where_read(found, signals)

    def _require_finite(self, found: Sequence[float], signals: Cotangents) -> None:
        if not all_finite([x for x in self._where_read(found, signals) if x is not None]):
            raise NumericalError(
                f"a gradient of {self.name} is inf or nan, where a program and eager code may "
                "differ: call the function within scalargrad.disable_jit() to find the operation, "
                "or compute the gradient inside, as in jit(grad(f)). Guard the operand, not the "
                "result: sqrt(where(x > 0, x, 1))"
            )

    def _where_read(self, found: Sequence[Any], signals: Cotangents) -> Sequence[Any]:
        """Leave out what is sent to operands that these results do not depend on."""
        read = self.function.operands_of(tuple(signals))
        kept = {*read} if read else ()
        return found if read is None else [x if k in kept else None for k, x in enumerate(found)]

    def _sent_back(self, places: tuple[int, ...], signals: Cotangents) -> Sequence[float]:
        """Return Σ signal · gradient over the results in some places."""
        inputs = self.function.with_seeds([signals.get(k, 0.0) for k in places], self.inputs)
        return _computed(self.function.pulled_back(places).values, inputs)

    def pull_back_as_graph(self, signals: Cotangents, _call: Value) -> Sequence[Scalar | None]:
        """Return the same as results of a program, of the operands and the signals."""
        derived = self.function.pulled_back(tuple(signals))
        arriving = tuple([x if isinstance(x, Value) else Value(x) for x in signals.values()])
        inputs = self.function.with_seeds([x.data for x in arriving], self.inputs)
        numbers = _computed(derived.outputs, inputs)
        self._require_finite(numbers, signals)
        run = Run(f"{self.name}'", derived, inputs, (*self.operands, *arriving))
        found = ResultNodes(derived.reached(), derived).outputs(numbers, run)
        return self._where_read(found, signals)

    def require_linear(self, _call: Value) -> None:
        """Do nothing: a derivative is linear."""

    def reads(self, k: int, others: Sequence[int]) -> bool:
        """Return whether one of the other results was computed from the k-th."""
        return self.function.read_by(others, [k])[0]


def _computed(program: Callable[[Inputs], list[float]], inputs: Inputs) -> list[float]:
    """Run a program of gradients; if a custom operation fails, raise its exception."""
    try:
        return program(inputs)
    except CallbackError as failed:
        raise failed.error from None


class DenseGradient(tuple[float, ...]):
    """The local gradients of a node with many operands, which get their shares at once."""

    __slots__ = ()

    def propagate(self, node: Value, upstream: float, under_way: dict[Any, Any]) -> None:
        """Add upstream · local to the signal of each operand."""
        shares = self if upstream == 1.0 else [upstream * local for local in self]
        if under_way:
            accumulate(node.parents, shares, under_way)
            return
        under_way.update(zip(node.parents, shares))  # noqa: B905 - hot loop
        if len(under_way) != len(shares):  # an operand is there more than once
            under_way.clear()
            accumulate(node.parents, shares, under_way)


class _CompiledOp(MultiOutputOperation):
    """A compiled function as the operation of a Result."""

    def partial_nodes(self, node: Any) -> list[Scalar]:
        """Return the gradient of a result as Values that can be differentiated again."""
        found = node.run.pull_back_as_graph(Cotangents({node.index: 1.0}), node)
        return [found[k] for k in node.places]  # these are read


_operation_of = functools.cache(_CompiledOp)


class Result(Value):
    """The only number of a compiled call that depends on Values; these are its operands."""

    __slots__ = ("_row", "_run", "index")

    def __init__(
        self, data: float, index: int, run: tuple[Any, ...], operands: tuple[Value, ...]
    ) -> None:
        self.data = data
        self.grad = 0.0
        self.label = ""
        self.index = index
        self.parents = operands
        self._run = run
        self._row: DenseGradient | None = None

    @property
    def run(self) -> Run:
        """The run that it is a result of."""
        return Run(*self._run)

    @property
    def op(self) -> Operation:  # type: ignore[override]
        """The compiled function as an operation."""
        return _operation_of(self._run[0])

    @property
    def local_grads(self) -> tuple[float | None, ...]:  # type: ignore[override]
        """The gradient with respect to each operand."""
        if self._row is None:
            *_, operands, along = self._run
            if along is not None and along[0] == self.index:
                row: Any = along[1]
            else:
                row = self.run.pull_back(Cotangents({self.index: 1.0}), self)
            is_full = self.parents is operands
            self._row = DenseGradient(row if is_full else [row[k] for k in self.places])
        return self._row

    @property
    def places(self) -> Sequence[int]:
        """The indices of its operands among those of the program."""
        read = self.run.function.operands_of((self.index,))
        return range(len(self.run.operands)) if read is None else read


Result.__name__ = "Value"  # which is all that it is to a reader


def all_finite(row: Sequence[float]) -> bool:
    """Return whether all numbers are finite."""
    return isfinite(sum(row)) or all(map(isfinite, row))


class ResultNodes:
    """Makes the nodes for the results of a program.

    Parameters
    ----------
    reached : tuple of bool
        For each result, whether it depends on a Value; if not, it stays a number.
    function : Function
        The program.
    """

    def __init__(self, reached: tuple[bool, ...], function: Function) -> None:
        given = function.given_back()
        #: The results that are operands themselves, as they were given, with the indices of these.
        self._given = [*given.items()]
        self._reached = reached
        attached = function.attached() if any(reached) else reached
        nodes = [k for k, moves in enumerate(reached) if moves and k not in given]
        #: The results that depend on operands; one that depends on nothing is a leaf.
        self._moving = [k for k in nodes if attached[k]]
        self._still = [k for k in nodes if not attached[k]]
        #: The operands of the only result; None for all.
        self._places = function.operands_of((*self._moving,)) if len(self._moving) == 1 else None
        are_read = function.are_read if len(self._moving) > 1 else []
        self._kinds = [Intermediate if is_read else Value for is_read in are_read]
        #: Whether the only result depends on all operands: a call then makes the node itself.
        self.is_single = len(reached) == 1 and self._moving == [0] and self._places is None

    def outputs(self, numbers: Sequence[float], run: Run) -> list[Value | float]:
        """Return each result as a node if it depends on a Value, else as a number."""
        found: list[Value | float] = [*numbers[: len(self._reached)]]
        for k in self._still:
            found[k] = Value(numbers[k])
        if len(self._moving) == 1:
            (k,) = self._moving
            places, operands = self._places, run.operands
            read = operands if places is None else tuple([operands[i] for i in places])
            found[k] = Result(numbers[k], k, run, read)
        elif self._moving:
            call = MultiOutputNode(run.name, run.operands, numbers[: len(self._reached)], run)
            for k, y in zip(self._moving, call.outputs(self._moving, self._kinds), strict=True):
                found[k] = y
        return self._with_given(found, run.operands)

    def leaves(self, numbers: Sequence[float], operands: tuple[Value, ...]) -> list[Value | float]:
        """Return each result as a Value without parents if it depends on a Value.

        An operand that is a result is returned itself.
        """
        reached = zip(numbers, self._reached)  # noqa: B905 - the numbers hold guards too
        return self._with_given([Value(x) if moves else x for x, moves in reached], operands)

    def _with_given(
        self, found: list[Value | float], operands: tuple[Value, ...]
    ) -> list[Value | float]:
        """Return results with the operands that are results themselves in their places."""
        for k, place in self._given:
            found[k] = operands[place]
        return found
