"""Whether a tree stands for a recording: a mistake of the search then costs speed alone.

Operands are computed from the accesses as they are written, nothing of how they were found is used.
"""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.recording import COMPUTED, GIVEN, NUMBER, Recording
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Border,
    Constant,
    Data,
    Indices,
    Input,
    Result,
    Statement,
    Tree,
)


def stands_for(tree: Tree, recording: Recording) -> bool:
    """Return whether each node of a recording is in one statement, which reads its operands."""
    found = np.sort(np.concatenate([s.nodes for s in tree.statements]))
    if not np.array_equal(found, np.arange(len(recording))):
        return False
    counts = np.diff(recording.first)
    for s in tree.statements:
        if (recording.codes[s.nodes] != s.code).any():
            return False
        if (counts[s.nodes] != len(s.operands)).any():
            return False
        for j, access in enumerate(s.operands):
            own_kinds, own_places = recording.operand(s.nodes, j)
            kinds, places = _operand(tree, access, s.indices)
            if (kinds != own_kinds).any() or (places != own_places).any():
                return False
    return True


def _operand(tree: Tree, access: Access, indices: Indices) -> tuple[Integers, Integers]:
    """Return kinds and places of an operand at all instances."""
    count = len(indices)
    if isinstance(access, Constant):
        return _all(NUMBER, np.full(count, access.number).view(np.int64))
    if isinstance(access, Data):
        return _all(NUMBER, access.numbers.view(np.int64))
    if isinstance(access, Input):
        return _all(GIVEN, access.place.at(indices))
    if isinstance(access, Result):
        wanted = [x.at(indices) for x in access.indices]
        return _all(COMPUTED, _nodes(tree.statements[access.statement], wanted, count))
    if isinstance(access, Border):
        there = indices.axes[access.axis] == access.at
        border = _operand(tree, access.there, indices)
        other = _operand(tree, access.elsewhere, indices)
        kinds, places = (np.where(there, x, y) for x, y in zip(border, other, strict=True))
        return kinds, places
    return access.kinds.astype(np.int64), access.places


def _all(kind: int, places: Integers) -> tuple[Integers, Integers]:
    return np.full(len(places), kind), places


def _nodes(statement: Statement, wanted: list[Integers], count: int) -> Integers:
    """Return the nodes of a statement at so many indices; -1 where there is none."""
    keys, asked = np.zeros(len(statement.nodes), np.int64), np.zeros(count, np.int64)
    inside = np.ones(count, np.bool_)
    for own, index in zip(statement.indices.axes, wanted, strict=True):
        size = int(own.max()) + 1
        inside &= (index >= 0) & (index < size)
        keys, asked = keys * size + own, asked * size + index
    at = np.searchsorted(keys, asked).clip(max=len(keys) - 1)  # keys are in order
    return np.where(inside & (keys[at] == asked), statement.nodes[at], -1)
