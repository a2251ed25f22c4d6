"""Find the simplest of a few trees of a recording, and check it."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from scalargrad.compiler.nests.finder.access import cost, count_tables, read_operands
from scalargrad.compiler.nests.finder.expand import expanded
from scalargrad.compiler.nests.finder.recording import Recording
from scalargrad.compiler.nests.finder.split import split, unrolled
from scalargrad.compiler.nests.finder.structure import Structure, search
from scalargrad.compiler.nests.finder.tree import Tree

#: A tree without tables of at most so many statements is taken at once.
_SHORT = 60
#: A tree is written in other ways in so many rounds.
_ROUNDS = 2
#: Loops are split so often in a row, while that makes a tree no worse than by this factor.
_SPLITS, _WORSE = 4, 1.25
#: Trees of up to so many statements are written in other ways, which takes a millisecond for each.
_CHANGED = 150
#: More statements than this, and than one of so many nodes, are no tree.
_MOST, _NODES_EACH = 500, 100


def find(recording: Recording) -> Tree | None:
    """Return the loops and statements of a recording.

    Returns
    -------
    Tree or None
        None if it is irregular, or if none was found that expands to it.
    """
    best = None
    for by_number in (True, False):
        structure = search(recording, by_number=by_number)
        if structure is None:
            break
        found = _tree(structure, inf if best is None else cost(best))
        best = found or best
        if best is not None and not count_tables(best) and len(best.statements) <= _SHORT:
            break
    return best if best is not None and expanded(best).equals(recording) else None


def _tree(structure: Structure, limit: float) -> Tree | None:
    """Return the simplest tree of a structure that costs less than a limit, or None."""
    if structure.size > max(_MOST, len(structure.recording) // _NODES_EACH):
        return None
    tree = Tree(structure)
    read_operands(tree)
    for _ in range(_ROUNDS if structure.size <= _CHANGED else 0):
        before = tree
        for change, times in ((split, _SPLITS), (unrolled, 1)):
            tree = _changed(tree, change, times)
        if tree is before:
            break
    return tree if cost(tree) < limit else None


def _changed(tree: Tree, change: Callable[[Tree], Structure | None], times: int) -> Tree:
    """Return the simplest of a tree and what becomes of it by changing it so often."""
    best, limit = tree, cost(tree)
    for _ in range(times):
        changed = change(tree)
        if changed is None:
            break
        tree = Tree(changed)
        if not read_operands(tree, _WORSE * limit):
            break
        best = min(best, tree, key=cost)
    return best
