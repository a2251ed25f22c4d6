"""Join the groups of a program that falls into very many small ones.

A group is of nodes that are computed in the same way all along from the inputs. On a lattice, a
grid or a chain of springs something differs at the edge. The difference reaches one neighbour
further at each step, until no two nodes are alike. Those of one operation whose operands are known
are independent all the same: they become one instruction, which gathers its operands.

References
----------
Neubig, Goldberg and Dyer, On-the-fly operation batching in dynamic computation graphs, 2017;
Graham, Bounds on multiprocessing timing anomalies, 1969 (list schedules).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Sequence
from itertools import chain

from scalargrad.compiler.packing.groups import CONSTANTS, INPUTS, Grouped, LaneGroup
from scalargrad.compiler.passes.kinds import PRODUCTS, Kind

#: Fewer groups stay as they are, and so do groups of more nodes on average.
FEWEST, _LARGE = 2000, 8
#: At most one of so many groups may be left.
GAIN = 3
#: Longer sums are not joined.
_TERMS = 8


def joined(grouped: Grouped) -> Grouped:
    """Return the groups of a program without lanes, joined if that leaves far fewer of them."""
    groups, numbers, program = grouped.groups, grouped.numbers, grouped.program
    if len(groups) < FEWEST or len(numbers) > _LARGE * len(groups):
        return grouped
    steps = _schedule(groups)
    if len(groups) < GAIN * len(steps):
        return grouped
    place = [INPUTS, CONSTANTS, *[0] * (len(groups) - 2)]
    for k, step in enumerate(steps, 2):
        for number in step:
            place[number] = k
    found = [*groups[:2], *[_together(step, groups, place) for step in steps]]
    return Grouped(found, [place[x] for x in numbers], program, is_joined=True)


def _schedule(groups: Sequence[LaneGroup]) -> list[list[int]]:
    """Return the indices of groups to compute together, in an order in which they can be.

    A list schedule: of what can be computed, that comes next which the longest path leads on from,
    together with all that is like it.
    """
    forms = [_form(number, found) for number, found in enumerate(groups)]
    readers: list[list[int]] = [[] for _ in groups]
    missing, height = [0] * len(groups), [0] * len(groups)
    for number in sorted(range(2, len(groups)), key=lambda x: -groups[x].depth):
        for x in {*groups[number].operands} - {INPUTS, CONSTANTS}:
            readers[x].append(number)
            missing[number] += 1
            height[x] = max(height[x], height[number] + 1)
    ready: dict[Hashable, list[int]] = {}
    heap: list[tuple[int, int]] = []

    def make_ready(number: int) -> None:
        ready.setdefault(forms[number], []).append(number)
        heapq.heappush(heap, (-height[number], number))

    for number in range(2, len(groups)):
        if not missing[number]:
            make_ready(number)
    steps, done = [], set[int]()
    while heap:
        _, first = heapq.heappop(heap)
        if first in done:
            continue
        step = ready.pop(forms[first])
        steps.append(step)
        done.update(step)
        for reader in chain.from_iterable(readers[number] for number in step):
            missing[reader] -= 1
            if not missing[reader]:
                make_ready(reader)
    return steps


def _form(number: int, found: LaneGroup) -> Hashable:
    """Return what groups that are joined have in common: above all, which operands are constant."""
    op, _, _, operands = found
    fixed = [x == CONSTANTS for x in operands]
    if op is PRODUCTS and 0 < len(operands) <= 2 * _TERMS:
        return op, tuple([a + b for a, b in zip(fixed[::2], fixed[1::2], strict=True)])
    return number if isinstance(op, Kind) else (op, tuple(fixed))


def _together(step: list[int], groups: Sequence[LaneGroup], place: list[int]) -> LaneGroup:
    """Return several groups as one; `place` has the new number of each."""
    found = [groups[x] for x in step]
    nodes = sorted([node for x in found for node in x.nodes])
    operands = {place[x] for y in found for x in y.operands}
    return LaneGroup(found[0].op, place[step[0]], nodes, tuple(sorted(operands)))
