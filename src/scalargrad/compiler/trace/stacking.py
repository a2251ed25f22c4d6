"""Stack and pick: while a function is recorded, many examples become one, and results many.

Each number of an example becomes one Value whose operands are that number in every example; a
function run once on such Values computes all examples. Meanwhile they hold the numbers of the first
example, so nothing may be decided by them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scalargrad.compiler.objects import like
from scalargrad.compiler.trace.refusal import refuse
from scalargrad.table.numbers import is_real
from scalargrad.table.operation import Operation
from scalargrad.transforms.draws import Draw, made_by
from scalargrad.value import Value

if TYPE_CHECKING:
    from scalargrad.compiler.trace.trace import Trace


def _unused(*_: Any) -> Any:
    """Stand where a declaration stands in the table; a program takes its place."""


#: Marks a Value whose lanes are its operands.
STACK_NODE = Operation(_unused, _unused, name="stack")
#: Marks a Value that is one lane of its first operand; the second is the number of the lane.
PICK_NODE = Operation(_unused, _unused, name="pick")


class UnlikeError(Exception):
    """Examples differ in more than numbers, so that each has to be computed by itself."""


class Lanes:
    """Which Values of a recording have lanes, and which depend on several examples at all.

    Parameters
    ----------
    trace : Trace
        The recording; what it holds already depends on no example.

    Attributes
    ----------
    count : int
        How many examples the function stands for that is running; 0 where none is.
    """

    def __init__(self, trace: Trace) -> None:
        self.count = 0
        self._trace = trace
        self._nodes = trace.nodes
        self._seen = len(trace.nodes)
        self._counts: list[int] = []
        self._drawn: list[tuple[Draw, list[Value]]] = []
        self._map_of: dict[Value, int] = {}
        self._dependent: set[Value] = set()

    @contextmanager
    def one_example(self, count: int) -> Iterator[None]:
        """Note that what is made meanwhile belongs to one example of so many."""
        self._look()
        self._counts.append(count)
        self.count = count
        try:
            yield
            self._draw_for_others()
        finally:
            self._look()  # also at what is given up, should it be used outside
            self._drawn.clear()
            self.count = 0

    def drawn(self, draw: Draw, first: Value) -> Value:
        """Return what stands for a number drawn by each example; `first` is the first one's."""
        others = [_made(None, (), first._data, ()) for _ in range(self.count - 1)]
        del self._nodes[-len(others) :]  # inputs, not nodes
        self._drawn.append((draw, others))
        return stack([first, *others])

    def _draw_for_others(self) -> None:
        """Draw for one example after the other, as a loop over them does."""
        with made_by(None):
            for k in range(self.count - 1 if self._drawn else 0):
                for draw, leaves in self._drawn:
                    leaves[k]._data = float(draw())
                    self._trace.draws.append((draw, leaves[k]))

    def has_lanes(self, node: Any) -> bool:
        """Return whether a Value stands for a number of every example."""
        return self.size(node) > 1

    def size(self, node: Any) -> int:
        """Return for how many numbers a Value stands, one of every example or just one."""
        self._look()
        return self._counts[self._map_of[node]] if node in self._map_of else 1

    def depends(self, node: Value) -> bool:
        """Return whether the number of a Value is not known while recording."""
        self._look()
        return node in self._dependent

    def require_none(self, outputs: Iterable[Value]) -> None:
        """Raise TraceError if a Value inside an example is a result of the whole function."""
        if any(self.has_lanes(node) for node in outputs):
            _refuse_stray()

    def _look(self) -> None:
        """Look at the nodes made since the last time."""
        nodes, known, dependent = self._nodes, self._map_of, self._dependent
        for node in nodes[self._seen :]:
            operands: list[Any] = [x for x in node.parents if x.__class__ is not float]
            if node.op is STACK_NODE or not dependent.isdisjoint(operands):
                dependent.add(node)
                if node.op is STACK_NODE:
                    known[node] = len(self._counts) - 1
                elif node.op is not PICK_NODE:
                    self._place(node, {known[x] for x in operands if x in known})
        self._seen = len(nodes)

    def _place(self, node: Value, maps: set[int]) -> None:
        if maps:
            newest = len(self._counts) - 1
            if not self.count or maps != {newest}:
                _refuse_stray()
            self._map_of[node] = newest


def _refuse_stray() -> None:
    refuse(
        "a Value computed for one example inside vmap was used outside",
        "return it from the function given to vmap",
    )


def lanes_of(trace: Trace) -> Lanes:
    """Return what is known about lanes in a recording."""
    if trace.lanes is None:
        trace.lanes = Lanes(trace)
    return trace.lanes


def stacked(examples: Sequence[Any]) -> Any:
    """Return one example whose numbers stand for those of all `examples`.

    Raises
    ------
    UnlikeError
        If the examples differ in more than numbers.
    """
    first = examples[0]
    if all(x is first for x in examples):
        return first
    if _is_number(first):
        return _stacked_numbers(examples)
    if hasattr(first, "dtype") and hasattr(first, "ravel"):
        return _stacked_arrays(examples)
    if any(type(x) is not type(first) for x in examples):
        raise UnlikeError
    if isinstance(first, dict):
        if any(list(x) != list(first) for x in examples):
            raise UnlikeError
        return like(first, [stacked([x[key] for x in examples]) for key in first])
    if isinstance(first, list | tuple):
        if any(len(x) != len(first) for x in examples):
            raise UnlikeError
        items = [stacked(column) for column in zip(*examples, strict=True)]
        return type(first)(*items) if hasattr(first, "_fields") else type(first)(items)
    if any(x != first for x in examples):
        raise UnlikeError
    return first


def _is_number(x: Any) -> bool:
    return isinstance(x, Value) or (is_real(x) and not isinstance(x, bool))


def _stacked_numbers(numbers: Sequence[Any]) -> Any:
    if not all(map(_is_number, numbers)):
        raise UnlikeError
    if not any(isinstance(x, Value) for x in numbers):
        first = float(numbers[0]).hex()
        if all(float(x).hex() == first for x in numbers):
            return numbers[0]
    return stack(numbers)


def _stacked_arrays(arrays: Sequence[Any]) -> Any:
    import numpy as np

    if any(getattr(x, "shape", None) != arrays[0].shape for x in arrays):
        raise UnlikeError
    columns = np.array([x.ravel() for x in arrays]).T.tolist()
    found = np.empty(len(columns), dtype=object)
    found[:] = [stacked(column) for column in columns]
    varies = any(isinstance(x, Value) for x in found)
    return found.reshape(arrays[0].shape) if varies else arrays[0]


def stack(numbers: Sequence[Any]) -> Value:
    """Make the node whose lanes are `numbers`."""
    operands: list[Any] = [x if isinstance(x, Value) else float(x) for x in numbers]
    if not any(isinstance(x, Value) for x in operands):
        operands[0] = _anchor(operands[0])
    slopes = tuple([1.0 if isinstance(x, Value) else None for x in operands])
    return _made(STACK_NODE, tuple(operands), _number(operands[0]), slopes)


def _anchor(number: float) -> Value:
    """Make a leaf that no derivative counts as its own, so that examples are never folded."""
    return _made(None, (), number, ())


def pick(node: Value, lane: int) -> Value:
    """Make the node that is one lane of another."""
    return _made(PICK_NODE, (node, float(lane)), _number(node), (1.0, None))


def _number(x: Any) -> float:
    return x._data if isinstance(x, Value) else x


def _made(op: Any, parents: tuple[Any, ...], number: float, slopes: tuple[Any, ...]) -> Value:
    node = object.__new__(Value)
    node._data, node.grad, node.label, node.op = number, 0.0, "", op
    node.parents = parents
    node.local_grads = slopes
    return node
