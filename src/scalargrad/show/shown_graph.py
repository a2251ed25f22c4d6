"""The graph that is shown: with names, softmax's maximum as an input, no 0 of Python's `sum`.

In a graph that maximum is a plain number, held constant. Pictures and step pages name the scores it
was taken from, and compute it again when these change.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from scalargrad import ops
from scalargrad.call import require_no_call
from scalargrad.graph import fan_out, topological_order
from scalargrad.names import names
from scalargrad.ops.reductions import MaxScore
from scalargrad.show.characters import printed, visible
from scalargrad.show.places import module_of, place_names
from scalargrad.system.cached_property import cached_property
from scalargrad.value import Value


class ShownGraph:
    """The graph under some nodes as it is shown, and what each node is called.

    Parameters
    ----------
    roots : iterable of Value
        What is shown, with all it was computed from.
    model : Module or any object, optional
        Names parameters by where they stand in it.

    Attributes
    ----------
    roots : list of Value
        Copies, as all above them, where Python's `sum` made 0 + x below.
    originals : dict from Value to Value
        The nodes of which there are copies.
    model : Module or None
        What the graph can be folded by.
    order : list of Value
        Every node, operands before results.
    place : dict from Value to int
        The position of each in `order`.
    readers : dict from Value to int
        How many wires leave each node, which is the number of terms in its gradient.
    places : dict from Value to str
        The names of parameters by where they stand.
    names : dict from Value to str
        Labels, or v1, v2, …, and of parameters their places; without characters that would move
        the cursor or hide.
    """

    def __init__(self, roots: Iterable[Value], model: object = None) -> None:
        roots = list(roots)
        self._stand_ins = without_zeros(roots)
        self.originals = {copy: node for node, copy in self._stand_ins.items()}
        self.roots = [self._stand_ins.get(root, root) for root in roots]
        self.model = module_of(model)
        self.order = shown_order(*self.roots)
        self.place = {node: i for i, node in enumerate(self.order)}
        self.readers = fan_out(self.order)
        self.places = place_names(model, self.order)
        self.names = printed_names(names(self.order) | self.places)

    def id(self, node: Value) -> str:
        """Return the id of a node in drawings, n2 for the third in order."""
        return f"n{self.place[node]}"

    def is_free(self, node: Value) -> bool:
        """Return whether the order of operands costs no crossing: in trees and running sums.

        Every node below is read once, or the gate adds what is computed for it alone, as Python's
        `sum` does.
        """
        parts = [x for x in node.parents if isinstance(x, Value) and x.parents]
        alone = node.op is ops.add and [self.readers[x] for x in parts] == [1, 1]
        return alone or self._trees[node]

    @cached_property
    def _trees(self) -> dict[Value, bool]:
        trees: dict[Value, bool] = {}
        for node in self.order:
            operands = (x for x in node.parents if isinstance(x, Value))
            trees[node] = all(self.readers[x] == 1 and trees[x] for x in operands)
        return trees

    def standing_for(self, node: Value) -> Value | None:
        """Return the node shown for one of the graph, itself or its copy; None for others."""
        node = self._stand_ins.get(node, node)
        return node if node in self.place else None


def printed_names(words: Mapping[Value, str]) -> dict[Value, str]:
    """Return names as they are printed, on one line each."""
    return {node: visible(printed(word), lines=False) for node, word in words.items()}


def shown_order(*roots: Value) -> list[Value]:
    """Return a topological order in which scores come before the gates that hold their maximum.

    Where no gate holds one, it is the order of `topological_order`.
    """
    order = topological_order(*roots)
    require_no_call(order)
    if not any(isinstance(x, MaxScore) for node in order for x in node.parents):
        return order
    known, done = set(order), dict[Value, None]()
    for node in order:
        stack = [node]
        while stack:
            missing = [x for x in _read(stack[-1], known) if x not in done]
            stack += reversed(missing)
            if not missing:
                done.setdefault(stack.pop())
    return [*done]


def _read(node: Value, known: Container[Value]) -> list[Value]:
    read = [x for x in node.parents if isinstance(x, Value)]
    return read + [x for held in node.parents for x in scores_of(held, known) if x not in read]


def scores_of(held: Value | float, known: Container[Value]) -> list[Value]:
    """Return the Values whose maximum a constant is; empty if it is none, or one is unknown."""
    if not isinstance(held, MaxScore):
        return []
    scores = [x for x in held.scores if isinstance(x, Value)]
    return scores if all(x in known for x in scores) else []


def largest_of(words: Sequence[str]) -> str:
    """Write the maximum of names, max(a, b); of many, the first three and the last."""
    shown = words if len(words) <= _MOST else [*words[: _MOST - 1], "…", words[-1]]
    return f"max({', '.join(shown)})"


_MOST = 4


def without_zeros(roots: Iterable[Value]) -> dict[Value, Value]:
    """Return what stands for each node that is shown otherwise: x for 0 + x, copies above it.

    Empty where there is no such 0, and where a node cannot be copied: a result of a compiled call.

    Examples
    --------
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> total = sum([x, y])
    >>> [operand.label for operand in without_zeros([total])[total].parents]
    ['x', 'y']
    """
    roots = list(roots)
    found: dict[Value, Value] = {}
    for node in shown_order(*roots):
        now = tuple([_standing_for(x, found) for x in node.parents])
        if _starts_a_sum(node) and node not in roots and isinstance(now[1], Value):
            found[node] = now[1]
        elif any(x is not y for x, y in zip(now, node.parents, strict=True)):
            if node.__class__ is not Value:
                return {}
            found[node] = _copied(node, now)
    return found


def _standing_for(x: Value | float, found: Mapping[Value, Value]) -> Value | float:
    """Return what stands for an operand; of the maximum of scores, that of what stands for them."""
    if isinstance(x, Value):
        return found.get(x, x)
    if isinstance(x, MaxScore) and any(score in found for score in x.scores):
        return MaxScore(x, [found.get(score, score) for score in x.scores])
    return x


def _starts_a_sum(node: Value) -> bool:
    first = node.parents[0] if node.op is ops.add else None
    return isinstance(first, float) and first == 0.0 and not node.label


def _copied(node: Value, parents: tuple[Value | float, ...]) -> Value:
    made = object.__new__(Value)
    made.data, made.grad, made.label = node.data, node.grad, node.label
    made.op, made.parents, made.local_grads = node.op, parents, node.local_grads
    return made
