"""Numbers: what stands, in a recording, for what are plain numbers in eager evaluation."""

from __future__ import annotations

from scalargrad.ops.methods import is_truth
from scalargrad.value import Value


class Number(Value):
    """A leaf that stands for a plain number among the arguments, while a function is recorded."""

    __slots__ = ()


class Numbers:
    """Tells the nodes over plain numbers only from those that are Values eagerly, too."""

    def __init__(self) -> None:
        self._known: dict[int, bool] = {}

    def stands_for_one(self, node: Value) -> bool:
        """Return whether a node stands for a number, or for the truth of a comparison."""
        known = self._known
        ahead = [node]
        while ahead:
            x = ahead[-1]
            operands = [y for y in x.parents if isinstance(y, Value)]
            unknown = [y for y in operands if id(y) not in known]
            if is_truth(x):
                known[id(x)] = True
            elif unknown:
                ahead += unknown
                continue
            elif x.parents:
                known[id(x)] = all(known[id(y)] for y in operands)
            else:
                known[id(x)] = isinstance(x, Number)
            ahead.pop()
        return known[id(node)]
