"""Find the tree of a program with the lowest cost among a few candidates, and check it.

For a sum of log(xs[10*i + k]) for i, k < 8, `trees` yields ``8[8[2]]``, then ``64[2]``, which needs
a table for the index.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from functools import cached_property
from math import inf

from scalargrad.compiler.nests.finder.access import (
    cost,
    count_tables,
    has_choices,
    has_tables,
    is_padded,
    read_operands,
    starts_there,
)
from scalargrad.compiler.nests.finder.instructions import NUMBER, Instructions
from scalargrad.compiler.nests.finder.split import last_apart, peeled, split, unroll_loop
from scalargrad.compiler.nests.finder.structure import Search, Structure
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Border,
    Loop,
    Result,
    Statement,
    Table,
    Tree,
    computes,
)

#: Flat loops, which hold no loops: the most statements (`_FLAT`), and the fewest turns in the mean.
_FLAT, _LEAST_TURNS = 1200, 6
#: The fewest nodes for each statement of flat loops in a long recording, if there are loops within
#: loops to take instead.
_SELDOM = 40
#: The greatest time of flat loops, as a share of the time of loops within loops.
_FASTER = 0.95
#: Times, in nanoseconds: of an operation, of a choice, of a lookup in a table, of entering a loop
#: whose number of turns varies, and of compiling a statement, divided among 30,000 runs. `_LANES`:
#: the turns that run at once where they wait for nothing.
_EACH, _CHOSEN, _LOOKED, _ENTERED, _COMPILED, _LANES = 1.0, 1.0, 12.0, 6.0, 33.0, 4
#: The most statements of a turn whose cache lines all stay in the cache: with more, an operation
#: takes twice as long.
_CACHED = 400
#: Unrolling: the most turns of a loop (`_TURNS`), the most loops tried (`_TRIED`), and the nodes of
#: trees read for it, all together (`_READ`), which long recordings reach first.
_TURNS, _TRIED, _READ = 8, 5, 100_000
#: The most splits of loops in a row, and the greatest factor by which one may raise the cost.
_SPLITS, _WORSE = 4, 1.25
#: The most statements of a tree that is tried in other forms, each of which takes a millisecond.
_CHANGED = 150
#: The fewest nodes for each statement: with fewer, a program is written without loops.
NODES_PER_STATEMENT = 4
#: The same where loops choose operands in a short program, of at most `SHORT` nodes.
_CHOOSING, SHORT = 9, 2000
#: The most statements of a tree: `_MOST`; in long recordings, one for each `_NODES_EACH` nodes, up
#: to `_LAST`.
_MOST, _NODES_EACH, _LAST = 500, 12, 8000


def trees(recording: Instructions) -> Iterator[Tree]:
    """Yield trees of the loops and statements of a recording, the simplest first.

    The second has flat loops, for a program that no order of the first one's loops computes. An
    irregular recording has no tree.
    """
    found = _Simplest(recording)
    found.search()
    best = found.tree and _with_whole_rows(found.tree)
    if best is None or _chooses(best):
        most = inf if best is None else _FASTER * _time(best)
        other = _flat(found.flat, most)
        if other is not None and _time(other) < most:
            best = other
    if best is not None and len(best.statements) <= _CHANGED:
        best = _with_turns_written(best)
    if best is not None and computes(best, recording):
        yield best
    other = _read(found.flat) if found.flat else None
    if other is not None and computes(other, recording):
        yield other


class _Simplest:
    """The simplest loops within loops that several searches find.

    Attributes
    ----------
    tree : Tree or None
    """

    def __init__(self, recording: Instructions) -> None:
        self.recording = recording
        self.tree: Tree | None = None
        self._taken: list[Structure] = []
        self._known: set[tuple[str, float]] = set()
        self._score = inf  # of the tree

    @cached_property
    def flat(self) -> Structure | None:
        """Loops without loops in them."""
        n = len(self.recording)
        most = min(max(_FLAT, n // _NODES_EACH), _LAST, n // _LEAST_TURNS)
        return Search(self.recording, self.recording.kinds, extrapolate=False).run_flat(most)

    def search(self) -> None:
        """Search until a tree has no tables or choices."""
        recording, are_numbers = self.recording, self.recording.kinds == NUMBER
        for kinds in (are_numbers, None):
            structure = Search(recording, kinds).run()
            if structure is None:
                break
            self._take(structure)
            if structure.is_extrapolated and (self.tree is None or count_tables(self.tree)):
                self._take(Search(recording, kinds, extrapolate=False).run())
            if self.tree is not None and not _chooses(self.tree):
                break
        repeats = not all(map(_is_irregular, self._taken))
        if _chooses(self.tree) if self.tree else repeats:  # additions of two turns may be one run
            self._take(Search(recording, are_numbers, least=_TURNS).run())
        if self.tree is not None and count_tables(self.tree):  # two sums may share what is one loop
            self._take(Search(recording, recording.kinds).run())
        if self.tree is None or _chooses(self.tree):
            structure = Search(recording, are_numbers, joined=True).run()
            if self.tree is None or (structure and structure.size < self.tree.structure.size):
                self._take(structure)

    def _take(self, structure: Structure | None) -> None:
        """Take the tree of a structure if its score is less."""
        if structure is None or any(structure.has_loops_of(x) for x in self._taken):
            return
        found = _tree(structure, self._score / math.sqrt(_least(structure)), self._known)
        self._taken.append(structure)
        if found is not None and score(found) < self._score:
            self.tree, self._score = found, score(found)


def _is_irregular(structure: Structure) -> bool:
    """Return whether a program is written without loops if these choose operands."""
    n = len(structure.recording)
    return n < structure.size * (_CHOOSING if n <= SHORT else NODES_PER_STATEMENT)


def _flat(found: Structure | None, time: float) -> Tree | None:
    """Return loops that hold no other loops, if they may take less time and are not many."""
    if found is None:
        return None
    is_long = time < inf and found.size > max(_FLAT, len(found.recording) // _SELDOM)
    return None if is_long or _least(found) >= time else _read(found)


def _least(structure: Structure) -> float:
    """Return about how many nanoseconds a run takes at least, and its share of compiling."""
    return _EACH / _LANES * len(structure.recording) + _COMPILED * structure.size


def _chooses(tree: Tree) -> bool:
    """Return whether some operand is chosen at each turn from several arrays."""
    return any(map(has_choices, tree.statements))


def _with_whole_rows(tree: Tree) -> Tree:
    """Return a tree with what is left of a last row after the loop over rows, if much better."""
    structure = peeled(tree) if len(tree.statements) <= _CHANGED else None
    changed = structure and _read(structure, tree)
    return changed if changed and _WORSE * score(changed) < score(tree) else tree


def _with_turns_written(tree: Tree) -> Tree:
    """Return a tree, faster with turns written out of loops whose operands choose turn by turn.

    These are all turns of a short loop, and the last one of a loop in which that one chooses.
    """
    tried = set[int]()  # loops, by their first symbols
    while len(tried) < _TRIED and len(tried) * len(tree.recording) < _READ:
        choosing = {x for s in tree.statements if has_choices(s) for x in s.loops}
        at_end = {x for s in tree.statements for x in _choosing_last(s)}
        short = {x for x in choosing if (x.times or _TURNS + 1) <= _TURNS}
        left = [x for x in short | at_end if int(x.symbols[0]) not in tried]
        if not left:
            break
        loop = max(left, key=lambda x: x.number)
        tried.add(int(loop.symbols[0]))
        changed = unroll_loop if loop in short else last_apart
        tree = min(tree, _read(changed(tree.structure, loop), tree), key=_time)
    return tree


def _choosing_last(statement: Statement) -> Iterator[Loop]:
    """Yield the loops at whose last turn an operand is another than before."""
    for x in statement.operands:
        if isinstance(x, Border) and x.at + 1 == statement.loops[x.axis].times:
            yield statement.loops[x.axis]


def _read(structure: Structure, before: Tree | None = None) -> Tree:
    tree = Tree(structure)
    read_operands(tree, inf, before)
    return tree


def score(tree: Tree) -> float:
    """Return the score of a tree, by its cost and its time; less is better."""
    return cost(tree) * math.sqrt(_time(tree))


def _time(tree: Tree) -> float:
    """Return about how many nanoseconds a run takes, and its share of the time to compile."""
    waiting = {loop for s in tree.statements for x in s.operands for loop in _waits(s, x)}
    bodies = Counter(s.loops[-1] for s in tree.statements if s.loops)
    entered = sum(len(x.counts) for x in tree.loops if x.times is None and x.counts.max() > 1)
    found = _ENTERED * entered + _COMPILED * len(tree.statements)
    for s in tree.statements:
        is_wide = s.loops and s.loops[-1] not in waiting and s.loops[-1].counts.max() > _LANES
        each = _EACH / _LANES if is_wide and not has_tables(s) else _EACH
        if not is_wide and len(s.nodes) > 1 and bodies[s.loops[-1]] > _CACHED:
            each *= 2
        others = sum(_CHOSEN if isinstance(x, Border) and not starts_there(x) else
                     _LOOKED if isinstance(x, Table) else 0.0
                     for x in s.operands)  # fmt: skip
        found += len(s.nodes) * (each + others)
    return found


def _waits(statement: Statement, access: Access) -> Iterator[Loop]:
    """Yield the loops whose turns wait for others, as an operand reads their results."""
    if isinstance(access, Border):
        yield from _waits(statement, access.elsewhere)
    elif isinstance(access, Result):
        turn = 0, 1
        for axis, loop in enumerate(statement.loops[: len(access.indices)]):
            index = access.indices[axis]
            if (index.base, index.strides[axis]) != turn:
                yield loop


def _tree(structure: Structure, limit: float, known: set[tuple[str, float]]) -> Tree | None:
    """Return the simplest tree of a structure; None if it is `known`, or costs more than a limit.

    The limit is on the tree as it was found: of 33 dearer trees in the corpus, none became the best
    by being written in another way.
    """
    n = len(structure.recording)
    most = max(_MOST, min(n // _NODES_EACH, _LAST))
    if structure.size > min(most, n / NODES_PER_STATEMENT, limit):  # it costs as much at least
        return None
    tree = Tree(structure)
    if not read_operands(tree, limit):
        return None
    key = str(tree), cost(tree)
    if key in known:
        return None
    known.add(key)
    if structure.size <= _CHANGED:
        tree = _split(tree)
    return None if is_padded(tree) or (_is_irregular(structure) and _chooses(tree)) else tree


def _split(tree: Tree) -> Tree:
    """Return the simplest of a tree and its forms after one split of its loops or several."""
    best, limit = tree, cost(tree)
    for _ in range(_SPLITS):
        changed = split(tree)
        if changed is None:
            break
        before, tree = tree, Tree(changed)
        if not read_operands(tree, _WORSE * limit, before):
            break
        best = min(best, tree, key=score)
    return best
