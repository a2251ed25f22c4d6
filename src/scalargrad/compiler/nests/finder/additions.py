"""Statements that add up: chains of additions of which only the last result is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from scalargrad.compiler.nests.finder.tree import (
    Access,
    Affine,
    Border,
    Result,
    Statement,
    Tree,
)
from scalargrad.ops import TABLE
from scalargrad.table.operation import Operation

_IDENTITY, _ADD = TABLE["identity"], TABLE["add"]
#: Operations of chains that are sums, and what is added.
_SUMS: dict[object, Operation] = {_ADD: _IDENTITY, TABLE["sub"]: TABLE["neg"]}


class Sum(NamedTuple):
    """What a statement adds up over its loops from one on: a term, as it is or negated."""

    axis: int
    start: Access
    op: Operation
    term: Access
    place: int
    chain: tuple[Access, ...]


def sums_of(tree: Tree, node: int) -> Mapping[int, Sum]:
    """Return the statements that add up, of which only the last result is read."""
    found = {s.number: own for s in tree.statements if (own := _sum(tree, s)) is not None}
    for statement in tree.statements:
        for access in statement.operands:
            for x in _results(access):
                own = found.get(x.statement)
                if own is not None and not any(x is y for y in own.chain):
                    last = _last(tree.statements[x.statement], own.axis, x.indices)
                    if x.indices[own.axis :] != last:
                        del found[x.statement]
    number, instance = int(tree.statement_of[node]), int(tree.instance_of[node])
    if number in found and instance + 1 < len(tree.statements[number].nodes):
        del found[number]
    return found


def _results(access: Access) -> Iterator[Result]:
    if isinstance(access, Result):
        yield access
    elif isinstance(access, Border):
        yield from _results(access.there)
        yield from _results(access.elsewhere)


def _sum(tree: Tree, statement: Statement) -> Sum | None:
    """Return what a statement adds up, if each turn adds to the one before."""
    op = tree.recording.table[statement.code]
    if op not in _SUMS:
        return None
    for place in (0, 1)[: 1 + (op is _ADD)]:
        access, term = statement.operands[place], statement.operands[1 - place]
        axis, chain = len(statement.loops) - 1, []
        while isinstance(access, Border) and (access.axis, access.at) == (axis, 0):
            elsewhere = access.elsewhere
            if not isinstance(elsewhere, Result) or elsewhere != _previous(statement, axis):
                break
            chain.append(elsewhere)
            access, axis = access.there, axis - 1
        if chain:
            return Sum(axis + 1, access, _SUMS[op], term, 1 - place, tuple(chain))
    return None


def _previous(statement: Statement, axis: int) -> Result:
    """Return the result of a statement one turn of a loop earlier, the last one within that."""
    depth = len(statement.loops)
    own = [Affine(0, tuple(int(k == a) for k in range(depth))) for a in range(axis + 1)]
    own[axis] = own[axis]._replace(base=-1)
    own += _last(statement, axis + 1, (*own, *[Affine(0, (0,) * depth)] * (depth - axis - 1)))
    return Result(statement.number, tuple(own))


def _last(statement: Statement, axis: int, at: Sequence[Affine]) -> tuple[Affine, ...]:
    """Return the last indices of the loops of a statement from one on, at those of the others."""
    found = [*at[:axis]]
    for loop in statement.loops[axis:]:
        if not isinstance(loop.extent, Affine):
            return ()
        base, strides = loop.extent.base - 1, [0] * len(at[0].strides if at else ())
        for stride, index in zip(loop.extent.strides, found, strict=True):
            base += stride * index.base
            strides = [x + stride * y for x, y in zip(strides, index.strides, strict=True)]
        found.append(Affine(base, tuple(strides)))
    return tuple(found[axis:])
