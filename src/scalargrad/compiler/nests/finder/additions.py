"""Sums: chains of additions of which only the last result is read.

In ``%3 = add(%1, %2)``, ``%5 = add(%3, %4)``, ``%7 = add(%5, %6)`` these are %1, %2, %4 and %6.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.instructions import COMPUTED
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Affine,
    Border,
    Result,
    Statement,
    Tree,
)
from scalargrad.ops import TABLE

_ADD, _SUB = TABLE["add"], TABLE["sub"]


class Term(NamedTuple):
    """A term of a sum: the operand that a statement adds, or subtracts."""

    statement: Statement
    place: int
    negated: bool


class Sum(NamedTuple):
    """A sum over the loops from one on, of all terms at each turn.

    Attributes
    ----------
    axis : int
        The first of its loops.
    start : Access
        The start: the operand of the first statement that is no term, at first turns.
    terms : tuple of Term
        The terms, in order.
    chain : tuple of Access
        The operands through which the sum goes on.
    """

    axis: int
    start: Access
    terms: tuple[Term, ...]
    chain: tuple[Access, ...]


def sums_of(tree: Tree, results: Sequence[int]) -> dict[int, Sum]:
    """Return the sums, whose last result alone is read, by their last statements."""
    recording = tree.recording
    reads = np.bincount(recording.places[recording.kinds == COMPUTED], minlength=len(recording))
    np.add.at(reads, [*results], 1)
    found = (own for statement in tree.statements for own in _sums(tree, statement))
    return {
        own.terms[-1].statement.number: own
        for own in found
        if all((reads[partial] == 1).all() for partial in _partial_results(own))
    }


def _partial_results(own: Sum) -> Iterator[Integers]:
    """Yield the nodes of a sum that its next step reads."""
    *others, last = (term.statement for term in own.terms)
    for statement in others:
        yield statement.nodes
    axes = last.indices.axes[: own.axis]
    yield last.nodes[:-1][(axes[:, 1:] == axes[:, :-1]).all(axis=0)]


def _addends(tree: Tree, statement: Statement) -> Iterator[tuple[Access, Term]]:
    """Yield each operand of an addition or difference that it may go on from, and the other."""
    op = tree.recording.table[statement.code]
    if op in {_ADD, _SUB}:
        for place in (0, 1)[: 1 + (op is not _SUB)]:
            yield statement.operands[place], Term(statement, 1 - place, op is _SUB)


def _sums(tree: Tree, statement: Statement) -> Iterator[Sum]:
    """Yield the sum that begins with a statement, if each turn adds to the one before."""
    for access, term in _addends(tree, statement) if statement.loops else ():
        axis, chain = len(statement.loops) - 1, []
        while isinstance(access, Border) and (access.axis, access.at) == (axis, 0):
            elsewhere = access.elsewhere
            if not isinstance(elsewhere, Result):
                break
            chain.append(elsewhere)
            access, axis = access.there, axis - 1
        terms = chain and _terms(tree, term, chain[0].statement)
        if terms:
            of = terms[-1].statement
            links = [_previous(of, k) for k in reversed(range(axis + 1, len(of.loops)))]
            if [*chain] == links:
                between = (x.statement.operands[1 - x.place] for x in terms[1:])
                yield Sum(axis + 1, access, tuple(terms), (*chain, *between))
                return


def _terms(tree: Tree, first: Term, last: int) -> list[Term]:
    """Return the terms of statements that each add to the one before, up to the last."""
    found, loops = [first], first.statement.loops
    same = same_turn(len(loops))
    for statement in tree.statements[first.statement.number + 1 : last + 1]:
        before = Result(found[-1].statement.number, same)
        if statement.loops == loops:
            pairs = _addends(tree, statement)
            found += [term for x, term in pairs if isinstance(x, Result) and x == before][:1]
    return found if found[-1].statement.number == last else []


def same_turn(depth: int) -> tuple[Affine, ...]:
    """Return the indices of the current turn of a number of loops."""
    return tuple(Affine(0, tuple(int(k == a) for k in range(depth))) for a in range(depth))


def _previous(statement: Statement, axis: int) -> Result | None:
    """Return the result of a statement one turn of a loop earlier, the last one within that."""
    depth = len(statement.loops)
    own = [*same_turn(depth)[: axis + 1]]
    own[axis] = own[axis]._replace(base=-1)
    for loop in statement.loops[axis + 1 :]:
        if not isinstance(loop.extent, Affine):
            return None
        base, strides = loop.extent.base - 1, [0] * depth
        for stride, index in zip(loop.extent.strides, own, strict=True):
            base += stride * index.base
            strides = [x + stride * y for x, y in zip(strides, index.strides, strict=True)]
        own.append(Affine(base, tuple(strides)))
    return Result(statement.number, tuple(own))
