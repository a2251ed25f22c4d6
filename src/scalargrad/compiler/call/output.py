"""Output: the node of the graph that a compiled function returns, one for each number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import repeat
from math import isfinite
from operator import itemgetter
from typing import Any

from scalargrad.compiler.call.call_signals import CallSignals
from scalargrad.compiler.call.eager_replay import Call, gradient, graph
from scalargrad.compiler.call.results_read import (
    Reader,
    first_read,
    note_swept,
    refusal,
    require_unread,
)
from scalargrad.compiler.function import Function
from scalargrad.compiler.runner import Inputs
from scalargrad.graph import are_leaves
from scalargrad.table.operation import Operation
from scalargrad.table.symbol import Symbol
from scalargrad.value import Scalar, Value

#: What the results of a call share: the name of the function, its program, the inputs it ran on,
#: and the call, with the Path it took; for second derivatives, the Output that was differentiated.
#: Then what `backward` has gone through, where that matters to the other results.
Source = tuple[str, Function, Inputs, "tuple[Any, Call] | Output", set[Reader]]


class CompiledOp(Operation):
    """A compiled function as the operation of an Output, for pictures, steps and backward.

    Parameters
    ----------
    name : str
        The name of the compiled function.
    node : Output
        The node; its inputs are used where no operand replaces them.
    compute : callable
        Returns the result of the operation for inputs of the program.
    """

    def __init__(self, name: str, node: Output, compute: Callable[[Inputs], float]) -> None:
        super().__init__(_undeclared, _undeclared, name=name, pattern="compiled")
        self._node = node
        self._compute = compute

    def of_floats(self, *operands: float) -> float:
        """Run the program with these operands."""
        node = self._node
        inputs = list(node.inputs)
        for place, number in zip(node.places, operands, strict=True):
            inputs[node.function.wrt[place]] = number
        return self._compute(inputs)

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return symbols, and partials as named functions: programs are not written as formulas."""
        operands = tuple(Symbol(f"x{i}") for i in range(arity))
        return Symbol("y"), operands, tuple(self._partial(i, operands) for i in range(arity))

    def partial_nodes(self, node: Any) -> list[Scalar]:
        """Return the gradient of a result as Values that can be differentiated again."""
        derived = node.function.gradient(node.index)
        numbers = derived.outputs(node.inputs)
        eager = None if all_finite(numbers) else node.eager()
        if eager is not None:
            return gradient(eager, node.parents, as_graph=True)
        source: Source = (f"{self.name}'", derived, node.inputs, node, set())
        parents = dict(zip(node.places, node.parents, strict=True))
        found: list[Scalar] = []
        for i in node.places:
            read = derived.operands[i]
            operands = node.parents if read is None else tuple([parents[k] for k in read])
            found.append(Output(numbers[i], i, source, operands) if operands else numbers[i])
        return found

    def _partial(self, i: int, operands: tuple[Symbol, ...]) -> Symbol:
        node = self._node
        name = f"∂{self.name}/∂x{i}"
        place = node.places[i]
        op = CompiledOp(name, node, lambda inputs: node.function.row(node.index, inputs)[place])
        return Symbol("", op, operands)


def _undeclared(*_: Any) -> Any:
    """Stand for the declared function, which is never called: a program computes the value."""


class Output(Value):
    """A number computed by a program, whose operands are the Values it depends on.

    It keeps the inputs that it was computed from, so that nothing done later changes its gradient.
    The gradient is computed on demand, unless the call has computed it along with the value. If it
    is not finite, it is computed again eagerly.
    """

    __slots__ = ("_call", "_row", "_row_known", "index")
    _call: Source  # type: ignore[misc]
    #: What sweeps over graphs with results of calls do for these.
    call_signals = CallSignals
    first_read, require_unread = staticmethod(first_read), staticmethod(require_unread)

    def __init__(
        self,
        data: float,
        index: int,
        source: Source,
        parents: tuple[Value, ...],
        row: tuple[float, ...] | None = None,
    ) -> None:
        self._number = data
        self._grad = 0.0
        self.label = ""
        self.index = index
        self._call = source
        self.parents = parents
        self._row = row
        self._row_known = False

    @property
    def name(self) -> str:
        """The name of the compiled function."""
        return self._call[0]

    @property
    def function(self) -> Function:
        """The program it is a result of."""
        return self._call[1]

    @property
    def inputs(self) -> Inputs:
        """The inputs that the program ran on."""
        return self._call[2]

    @Value.grad.getter  # type: ignore[attr-defined, untyped-decorator]
    def grad(self) -> float:
        """∂root/∂self, as of a Value.

        Raises
        ------
        GraphError
            If `backward` went through what was computed from this within the program of the call:
            the gradient along that way is not known here.
        """
        swept = self._call[4]
        if swept and self.function.read_by([*swept], [self.index])[0]:
            raise refusal(self)
        return super().grad

    @property
    def op(self) -> Operation:  # type: ignore[override]
        """The compiled function as an operation."""
        return CompiledOp(self.name, self, lambda inputs: self.function.outputs(inputs)[self.index])

    @property
    def local_grads(self) -> tuple[float | None, ...]:  # type: ignore[override]
        """The gradient with respect to each operand."""
        if not self._row_known:
            function, index = self._call[1], self.index
            row = self._row or function.row(index, self.inputs)
            read = function.operands[index]
            self._row = tuple(row if read is None else [row[k] for k in read])
            function.lately = index
            if not all_finite(self._row):
                node = self.eager()
                if node is not None:
                    self._row = tuple(gradient(node, self.parents))  # type: ignore[arg-type]
            self._row_known = True
        return self._row  # type: ignore[return-value] # it is known by now

    @property
    def places(self) -> Sequence[int]:
        """The indices of its operands among those of all results of the call."""
        read = self.function.operands[self.index]
        return range(len(self.function.wrt)) if read is None else read

    def note_swept(self, together: Iterable[Output] = ()) -> None:
        """Note that `backward` went through this and other results of the call."""
        if self.function.reads_results or isinstance(self._call[3], Output):
            note_swept((self, *together))

    def stands_on_leaves(self) -> bool:
        """Return whether all operands are leaves, each read once; a sweep has nothing to do."""
        made = self._call[3]
        if not isinstance(made, Output) and self.parents is made[0].closed_over:
            return bool(made[0].closes_over_leaves)
        return are_leaves(self.parents)  # type: ignore[arg-type] # all are Values

    def sent_back(
        self, results: Sequence[Output], signals: Sequence[float]
    ) -> tuple[Sequence[Any], Sequence[float]] | None:
        """Return operands and their gradients for signals to several results of one call.

        None if a gradient is not finite.
        """
        seeds = [0.0] * self.function.results
        for result, signal in zip(results, signals, strict=True):
            seeds[result.index] = signal
        found = self.function.back(seeds, self.inputs)
        if not all_finite(found):
            return None
        of_all = self.function.operands
        whole = next((x for x in results if of_all[x.index] is None), None)
        if whole is not None:
            return whole.parents, found
        parents: dict[int, Any] = {}
        for result in {of_all[x.index]: x for x in results}.values():
            parents.update(zip(result.places, result.parents, strict=True))
        return [parents[k] for k in sorted(parents)], [found[k] for k in sorted(parents)]

    def eager(self) -> Value | None:
        """Return this result of the call, repeated eagerly; None if that is impossible."""
        made = self._call[3]
        if not isinstance(made, Output):
            path, call = made
            node = graph(path, call, self.index, self.inputs)
            if node is not None:
                call[0].note_not_finite(path, call, self.inputs)
            return node
        node = made.eager()  # this is a partial derivative of it
        if node is None:
            return None
        slopes = gradient(node, made.parents, as_graph=True)  # type: ignore[arg-type]
        slope = slopes[made.places.index(self.index)]
        return slope if isinstance(slope, Value) else Value(slope)  # it depends on nothing


# Python's own errors, as of n << 2, and repr name the class by what a reader knows.
Output.__name__ = "Value"


def all_finite(row: Sequence[float]) -> bool:
    """Return whether all numbers are finite."""
    return isfinite(sum(row)) or all(map(isfinite, row))


class ResultNodes:
    """Makes the nodes for the results of a path.

    Parameters
    ----------
    reached : tuple of bool
        For each result, whether it depends on a Value; if not, it stays a number.
    operands : sequence of tuple of int, or None
        For each result, the indices of the operands it depends on; None for all of them.
    given : dict from int to int
        The results that are operands themselves, as they were given, with the indices of these.
    """

    def __init__(
        self,
        reached: tuple[bool, ...],
        operands: Sequence[tuple[int, ...] | None],
        given: dict[int, int],
    ) -> None:
        self._given = [*given.items()]
        self._reached = reached
        sets = [*dict.fromkeys(operands)]
        #: What takes each different set of operands from all, and which each result depends on.
        self._sets = [taker(places) for places in sets]
        place = {places: k for k, places in enumerate(sets)}
        self._which = [place[places] for places in operands]
        #: Whether each result depends on all operands, as in most functions.
        self._are_plain = all(reached) and sets == [None]
        #: Whether the only result does: a call then makes the node itself.
        self.is_single = self._are_plain and len(reached) == 1 and not given

    def outputs(
        self,
        numbers: list[float],
        source: Source,
        parents: tuple[Value, ...],
        along: tuple[int, tuple[float, ...]] | None,
    ) -> list[Value | float]:
        """Return each result as a node if it depends on a Value, else as a number.

        `along` is a result's index and its gradient, if that was computed with the numbers.
        """
        places = range(len(self._reached))  # the numbers hold guards too
        nodes: Iterable[Any]
        if self._are_plain:
            nodes = map(Output, numbers, places, repeat(source), repeat(parents))
        else:
            # Results that depend on the same operands share the tuple: sorting a graph is faster.
            sets = [take(parents) for take in self._sets]
            each = zip(numbers, places, self._reached, self._which)  # noqa: B905 - as above
            nodes = [
                (Output(x, i, source, sets[k]) if sets[k] else Value(x)) if moves else x
                for x, i, moves, k in each  # a result that depends on nothing is a leaf
            ]
        found = list(nodes)
        if along is not None and isinstance(found[along[0]], Output):
            found[along[0]]._row = along[1]
        return self._with_given(found, parents)

    def leaves(self, numbers: list[float], parents: tuple[Value, ...]) -> list[Value | float]:
        """Return each result as a Value without parents if it depends on a Value.

        An operand that is a result is returned itself.
        """
        reached = zip(numbers, self._reached)  # noqa: B905 - the numbers hold guards too
        return self._with_given([Value(x) if moves else x for x, moves in reached], parents)

    def _with_given(
        self, found: list[Value | float], parents: tuple[Value, ...]
    ) -> list[Value | float]:
        """Return results with the operands that are results themselves in their places."""
        for k, place in self._given:
            found[k] = parents[place]
        return found


def taker(places: tuple[int, ...] | None) -> Callable[[tuple[Value, ...]], tuple[Value, ...]]:
    """Return what takes the operands at these places from all; None stands for all places."""
    if places is None:
        return itemgetter(slice(None))
    first, count = min(places, default=0), len(places)
    return itemgetter(*places) if count > 1 else itemgetter(slice(first, first + count))
