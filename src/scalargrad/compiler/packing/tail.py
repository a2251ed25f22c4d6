"""Join small groups at the end of a program, such as the updates of each layer's parameters.

An elementwise group that only outputs and other such groups read can wait until all else is
computed. Those of the same operation then become one, over lanes in the order of the outputs, with
each operand gathered once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from itertools import chain

from scalargrad.compiler.packing.groups import INPUTS, LaneGroup
from scalargrad.compiler.passes.kinds import PRODUCTS, Kind
from scalargrad.compiler.passes.program import Program
from scalargrad.system.cached_property import cached_property

#: More groups, or nodes at the end, are not searched.
_GROUPS, _NODES = 4000, 20_000
#: Groups of fewer lanes together, or of more on average, are not joined.
FEWEST, _LARGE = 64, 128
#: Sums of more products are not elementwise.
_TERMS = 4


class Tail:
    """The groups of a program in the order in which they are computed.

    Parameters
    ----------
    numbers : sequence of int
        For each node, the index of its group; for constants, the number of groups.
    sizes : sequence of int
        For each node, its number of lanes.
    can_join : bool
        Whether to search for groups to join.

    Attributes
    ----------
    order : list of list of int
        The indices of groups; those of several are computed as one.
    """

    def __init__(
        self,
        program: Program,
        groups: Sequence[LaneGroup],
        numbers: Sequence[int],
        sizes: Sequence[int],
        *,
        can_join: bool = True,
    ) -> None:
        self._program, self._groups, self._numbers = program, groups, numbers
        self._sizes = sizes
        by_depth = sorted(range(2, len(groups)), key=lambda g: groups[g].depth)
        self.order = [[g] for g in by_depth]
        self._heights = self._found(by_depth) if can_join and len(groups) <= _GROUPS else {}
        joined = self._joined()
        if joined and self._lanes(self._heights) <= _NODES:
            last = sorted(self._heights, key=lambda g: (-self._heights[g], groups[g].depth))
            members = {g: found for found in joined for g in found}
            self.order = [[g] for g in by_depth if g not in self._heights]
            self.order += [members.get(g, [g]) for g in last if members.get(g, [g])[0] == g]

    def _found(self, by_depth: Sequence[int]) -> dict[int, int]:
        """Return the groups at the end, with the length of the longest path to an output."""
        needed: set[int] = set()  # by groups that are not at the end
        reached: dict[int, int] = {}
        heights: dict[int, int] = {}
        for g in reversed(by_depth):
            op, _, nodes, _ = self._groups[g]
            operands = {*self._operands(g)}
            elementwise = not isinstance(op, Kind) or (
                op is PRODUCTS and len(self._program.args[nodes[0]]) <= 2 * _TERMS
            )
            if g in needed or not elementwise or self._sizes[nodes[0]] > 1:
                needed |= operands
                continue
            heights[g] = height = reached.get(g, 0)
            reached.update((x, max(reached.get(x, 0), height + 1)) for x in operands)
        return heights

    def _operands(self, g: int) -> list[int]:
        """Return the groups of the operands of a group's nodes."""
        return [self._numbers[x] for x in self._program.args[self._groups[g].nodes[0]]]

    def _joined(self) -> list[list[int]]:
        """Return the groups to compute together."""
        alike: dict[Hashable, list[int]] = {}
        known = {INPUTS, len(self._groups)}
        for g, height in self._heights.items():
            form = tuple([tuple([x if x in known else -1 for x in y]) for y in self._terms(g)])
            alike.setdefault((height, self._groups[g].op, form), []).append(g)
        return [sorted(x) for x in alike.values() if len(x) > 1 and self._is_worth_it(x)]

    def _terms(self, g: int) -> list[tuple[int, ...]]:
        """Return the groups of the factors of each term, or of all operands, as one."""
        operands = self._operands(g)
        if self._groups[g].op is not PRODUCTS:
            return [tuple(operands)]
        pairs = zip(operands[::2], operands[1::2], strict=True)
        return [(min(pair), max(pair)) for pair in pairs]

    def _is_worth_it(self, found: Sequence[int]) -> bool:
        return FEWEST <= self._lanes(found) <= _LARGE * len(found)

    def _lanes(self, found: Iterable[int]) -> int:
        return sum(len(self._groups[g].nodes) for g in found)

    def in_order(self, joined: Sequence[int]) -> list[int]:
        """Return the nodes of groups that are computed as one, in the order of the outputs."""
        nodes = chain.from_iterable(self._groups[g].nodes for g in joined)
        return sorted(nodes, key=self._places.__getitem__)

    @cached_property
    def _places(self) -> dict[int, int]:
        """For each node at the end, the place of the first output that it leads to."""
        places: dict[int, int] = {}
        for place, node in enumerate(self._program.outputs):
            places.setdefault(node, place)
        for g in sorted(self._heights, key=self._heights.__getitem__):
            for node in self._groups[g].nodes:
                place = places.setdefault(node, len(self._program.outputs))
                for operand in self._program.args[node]:
                    if self._numbers[operand] in self._heights:
                        places[operand] = min(places.get(operand, place), place)
        return places
