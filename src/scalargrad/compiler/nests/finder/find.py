"""Find the simplest of a few trees of a recording, and check it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scalargrad.compiler.nests.finder.access import count_tables, has_tables, read_operands
from scalargrad.compiler.nests.finder.expand import expanded
from scalargrad.compiler.nests.finder.recording import Recording
from scalargrad.compiler.nests.finder.split import split
from scalargrad.compiler.nests.finder.structure import Structure, search
from scalargrad.compiler.nests.finder.tree import Tree

#: A table costs as much as so many statements.
_TABLE = 4
#: A tree without tables of at most so many statements is taken at once.
_SHORT = 60
#: Loops are split so often at most.
_SPLITS = 8
#: More statements than this, and than one of so many nodes, are no tree.
_MOST, _NODES_EACH = 2000, 20
#: Loops of so few turns may be written out where they need tables.
_FEW = 4


def find(recording: Recording) -> Tree | None:
    """Return the loops and statements of a recording.

    Returns
    -------
    Tree or None
        None if it is irregular, or if none was found that expands to it.
    """
    best = None
    for by_kind in (False, True):
        structure = search(recording, by_kind=by_kind)
        if structure is None:
            break
        for tree in _trees(structure):
            if best is None or cost(tree) < cost(best):
                best = tree
        if best is not None and not count_tables(best) and len(best.statements) <= _SHORT:
            break
    return best if best is not None and expanded(best).equals(recording) else None


def cost(tree: Tree) -> int:
    """Return how many statements a tree has, and what tables count as."""
    return len(tree.statements) + _TABLE * count_tables(tree)


def _trees(structure: Structure) -> Iterator[Tree]:
    """Yield the tree with loops split by strides, and if it needs tables, others."""
    if structure.size > max(_MOST, len(structure.recording) // _NODES_EACH):
        return
    whole = tree = Tree(structure)
    read_operands(whole)
    yield whole
    among = {s.number for s in whole.statements if has_tables(s)}
    for _ in range(_SPLITS):
        found = split(tree, among)
        if found is None:
            break
        tree = Tree(found)
    if tree is not whole:
        read_operands(tree)
        yield tree
    for one in [whole, tree][: 1 + (tree is not whole)]:
        yield from _unrolled(one)


def _unrolled(tree: Tree) -> Iterator[Tree]:
    """Yield the tree with loops of few turns written out where they need tables."""
    n, unrolled = len(tree.recording), [np.zeros(0, np.int64)]
    while count_tables(tree):
        inner = {s.loops[-1] for s in tree.statements if s.loops and has_tables(s)}
        few = [x.symbols - n for x in inner if x.times and x.times <= _FEW]
        if not few:
            return
        unrolled += few
        tree = Tree(tree.structure, np.concatenate(unrolled))
        read_operands(tree)
        yield tree
