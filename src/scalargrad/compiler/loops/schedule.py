"""Split the body of a block into stages: loops over lanes, and recurrences.

Statements that depend on one another across iterations form a recurrence, which runs iteration by
iteration. The iterations of all other statements are independent and run as lanes. A recurrence
that only adds up is a sum, which a loop over lanes can compute too.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from scalargrad.compiler.array_types import Flags
from scalargrad.compiler.loops.roll import Own, RolledBlock
from scalargrad.ops import add, sub


@dataclass
class Stage:
    """Statements of a block that run in one loop.

    Attributes
    ----------
    statements : list of int
        In the order in which they run.
    lanes : bool
        Whether iterations are independent, except for the sums.
    sums : list of list of int
        Groups of statements that add up over all iterations; the last of each has the sum.
    """

    statements: list[int]
    lanes: bool
    sums: list[list[int]] = field(default_factory=list)


def stages(block: RolledBlock, read: Flags) -> list[Stage]:
    """Return the stages of a block in the order in which they run.

    Parameters
    ----------
    read : flags
        For each cell, whether it is an output or another block reads it.
    """
    if block.count == 1:
        return [Stage([*range(len(block.body))], lanes=False)]
    parts = _components(block)
    part_of = {t: k for k, part in enumerate(parts) for t in part}
    sums = [_is_sum(block, part, part_of, read) for part in parts]
    waits = [not found and _waits(block, part) for part, found in zip(parts, sums, strict=True)]
    levels: list[int] = []
    for k, part in enumerate(parts):
        levels.append(_level(block, part, (part_of, k), levels, waits))
    found = []
    for level in sorted(set(levels)):
        chosen = [k for k, x in enumerate(levels) if x == level]
        statements = sorted(t for k in chosen for t in parts[k])
        found.append(Stage(statements, level % 2 == 0, [parts[k] for k in chosen if sums[k]]))
    return found


def _own(block: RolledBlock, t: int) -> list[Own]:
    return [x for x in block.body[t].operands if isinstance(x, Own)]


def _waits(block: RolledBlock, part: list[int]) -> bool:
    """Return whether the statements of a component depend on their own earlier iterations."""
    return len(part) > 1 or any(x.statement == part[0] for x in _own(block, part[0]))


def _level(
    block: RolledBlock,
    part: list[int],
    at: tuple[dict[int, int], int],
    levels: list[int],
    waits: list[bool],
) -> int:
    """Return the level of a component, even for lanes, odd for recurrences; a level is a stage."""
    part_of, k = at
    level = 1 if waits[k] else 0
    for x in (x for t in part for x in _own(block, t)):
        other = part_of[x.statement]
        if other == k:
            continue
        if waits[k]:
            level = max(level, levels[other] | 1)
        else:
            ready = levels[other] + 1 if waits[other] else levels[other] + (2 if x.distance else 0)
            level = max(level, ready)
    return level


def _is_sum(block: RolledBlock, part: list[int], part_of: dict[int, int], read: Flags) -> bool:
    """Return whether a component is a sum, of which only the final value is read."""
    if not _waits(block, part):
        return False
    k = part_of[part[0]]
    carried = 0
    for t in part:
        inner = [
            x for x in block.body[t].operands if isinstance(x, Own) and part_of[x.statement] == k
        ]
        if len(inner) != 1 or not _only_adds(block, t, inner[0]):
            return False
        carried += inner[0].distance
    if carried != 1:
        return False
    members = set(part)
    if any(x.statement in members for t in part_of if t not in members for x in _own(block, t)):
        return False
    ends = {t: block.cells[t] + block.count - (t == max(part)) for t in part}
    return not any(read[block.cells[t] : end].any() for t, end in ends.items())


def _only_adds(block: RolledBlock, t: int, inner: Own) -> bool:
    """Return whether statement `t` is ``inner + x`` or ``inner - x``, x not the same."""
    op, operands = block.body[t].op, block.body[t].operands
    return op is add or (op is sub and operands[0] is inner)


def _components(block: RolledBlock) -> list[list[int]]:
    """Return the strongly connected components, operands before the statements that read them.

    References
    ----------
    Tarjan, Depth-first search and linear graph algorithms, 1972; here without recursion.
    """
    reads = [[x.statement for x in _own(block, t)] for t in range(len(block.body))]
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    stack: list[int] = []
    waiting: set[int] = set()
    found: list[list[int]] = []
    for root in range(len(reads)):
        if root in index:
            continue
        path = [(root, iter(reads[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        waiting.add(root)
        while path:
            t, ahead = path[-1]
            for x in ahead:
                if x not in index:
                    index[x] = low[x] = len(index)
                    stack.append(x)
                    waiting.add(x)
                    path.append((x, iter(reads[x])))
                    break
                if x in waiting:
                    low[t] = min(low[t], index[x])
            else:
                path.pop()
                if path:
                    low[path[-1][0]] = min(low[path[-1][0]], low[t])
                if low[t] == index[t]:
                    part = [stack.pop()]
                    while part[-1] != t:
                        part.append(stack.pop())
                    waiting.difference_update(part)
                    found.append(sorted(part))
    return found
