"""Divide loops by the strides of their reads, and unroll short ones.

A run of equal iterations may be the rows of a grid. If the differences of an operand's addresses
repeat with a period, the loop becomes a loop over rows of that length. Elsewhere a row begins where
the strides of most operands change:

    a sum of log(xs[10*i + k]) for i, k < 8     64[2]     →     8[8[2]]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.nests.finder.access import has_tables
from scalargrad.compiler.nests.finder.instructions import COMPUTED, GIVEN, NUMBER
from scalargrad.compiler.nests.finder.structure import Structure
from scalargrad.compiler.nests.finder.tree import Loop, Tree
from scalargrad.compiler.passes.nodes import stretches

#: The fewest turns of a loop that is split.
_LEAST = 4
#: The fewest rows of a grid.
_ROWS = 3
#: The most turns of a row, if the last row is not whole: it is then unrolled.
_LONGEST = 12
#: The most loops in the place of one, each of which reads other arrays.
_PIECES = 12
#: The distance between the addresses of the results of two statements.
_STATEMENT_STRIDE = 1 << 32


def split(tree: Tree) -> Structure | None:
    """Return the structure with loops split that are around tables, the outermost that can be."""
    return _with_loops(tree, _split)


def peeled(tree: Tree) -> Structure | None:
    """Return the structure with whole rows in the place of loops around tables, and the rest.

    The recording leaves out nodes of a recurrence's last turn that are never read.
    """
    return _with_loops(tree, _peeled)


def _with_loops(
    tree: Tree, change: Callable[[Structure, Loop, list[Integers]], Structure | None]
) -> Structure | None:
    """Return the structure with others in the place of loops, the outermost that can be."""
    found, depth = tree.structure, tree.recording.places.size
    for loop, addresses in sorted(_addresses(tree).items(), key=lambda x: x[0].number):
        if loop.depth > depth:  # within one that is split
            continue
        depth = tree.recording.places.size
        changed = change(found, loop, addresses)
        if changed is not None:
            found, depth = changed, loop.depth
    return None if found is tree.structure else found


def _split(structure: Structure, loop: Loop, addresses: list[Integers]) -> Structure | None:
    """Return the structure with rows in the place of a loop; None if it has none."""
    times = loop.times
    if times and (length := max(_row_length(x, times) for x in addresses)):
        rows = np.full(len(loop.counts), times // length)
        return _in_rows(structure, loop, np.full(int(rows.sum()), length), rows)
    has_loops = any(isinstance(x, Loop) for x in loop.body)
    if times and not has_loops and (pieces := _pieces(addresses, times)):
        return _in_pieces(structure, loop, pieces)
    if times and all(_is_even(np.diff(x.reshape(-1, times), axis=1)[:, 1:]) for x in addresses):
        return None
    jumps = _jumps(addresses, loop.counts)
    if jumps is None:
        return None
    lengths = np.diff(np.append(np.flatnonzero(jumps), len(jumps)))
    entered = np.cumsum(loop.counts) - loop.counts
    return _in_rows(structure, loop, lengths, np.add.reduceat(jumps.astype(np.int64), entered))


def unroll_loop(structure: Structure, loop: Loop) -> Structure:
    """Return the structure with each turn of a loop, always as many, written out."""
    periods, counts = structure.periods.copy(), structure.counts.copy()
    of = loop.symbols - len(structure.recording)
    periods[of], counts[of] = periods[of] * counts[of], 1
    return replace(structure, periods=periods, counts=counts)


def _addresses(tree: Tree) -> dict[Loop, list[Integers]]:
    """Return, for each loop, the address that each of its operands reads at each turn.

    For a statement in an inner loop, it is that of the inner loop's first turn.
    """
    found: dict[Loop, list[Integers]] = {}
    around = {x for s in tree.statements if has_tables(s) for x in s.loops}
    loops = {x for x in around if x.counts.max() >= _LEAST and x.counts.min()}
    for statement in tree.statements:
        for loop in loops.intersection(statement.loops):
            inner = statement.indices.axes[loop.depth + 1 :]
            nodes = statement.nodes[(inner == 0).all(axis=0)] if len(inner) else statement.nodes
            if len(nodes) != loop.counts.sum():
                continue
            for j in range(tree.recording.arity(int(nodes[0]))):
                kinds, places = tree.recording.operand(nodes, j)
                if (kinds == NUMBER).all():
                    continue
                node = np.where(kinds == COMPUTED, places, 0)
                made = tree.statement_of[node] * _STATEMENT_STRIDE + tree.instance_of[node]
                given = np.where(kinds == GIVEN, places - (1 << 60), -(1 << 59))
                found.setdefault(loop, []).append(np.where(kinds == COMPUTED, made, given))
    return found


def _row_length(addresses: Integers, times: int, *, is_whole: bool = True) -> int:
    """Return the length of rows between which each column moves evenly; 0 if there is none.

    The last row is left out if it is not whole, or is to be treated so.
    """
    turns = addresses.reshape(-1, times)
    strides = np.diff(turns, axis=1)
    if _is_even(strides[:, 1:]):
        return 0
    most = min(times // _ROWS, times if is_whole else _LONGEST)
    for length in range(2, most + 1):
        rows = times // length if is_whole else (times - 1) // length
        if rows < _ROWS or (is_whole and times % length) or _is_even(strides[:, length:]):
            continue
        grid = turns[:, : rows * length].reshape(-1, rows, length)
        bends = grid[:, 2:] - 2 * grid[:, 1:-1] + grid[:, :-2]
        if not bends[:, 1:].any() and (times > _ROWS * length or not bends.any()):
            return length
    return 0


def _pieces(addresses: list[Integers], times: int) -> list[tuple[int, int]]:
    """Return pieces of a loop, as of `_in_pieces`, whose operands read one source each.

    There are none if a source changes often, or not at all.
    """
    sources = np.concatenate([x.reshape(-1, times) // _STATEMENT_STRIDE for x in addresses])
    changes = np.flatnonzero(np.diff(sources, axis=1).any(axis=0)) + 1
    if not 1 < len(changes) < _PIECES or len(changes) * _LEAST > times:
        return []
    return [(1, int(x)) for x in np.diff([0, *changes, times])]


def _is_even(strides: Integers) -> bool:
    """Return whether the strides of each row are equal."""
    return bool((strides == strides[:, :1]).all())


def _jumps(addresses: list[Integers], counts: Integers) -> Flags | None:
    """Return the turns at which rows begin, by unusual strides; None if these are too many."""
    turn = stretches(np.zeros(len(counts), np.int64), counts)
    is_last = np.repeat(counts, counts) - 1 == turn
    votes, regular = np.zeros(len(turn), np.int64), 0
    for x in addresses:
        strides = np.diff(x, prepend=0)
        inside = strides[turn > 0]
        usual = _commonest(inside)
        if 2 * np.count_nonzero(inside == usual) > len(inside):
            regular += 1
            votes += (turn > 0) & (strides != usual)
    at_end = (turn == 1) | is_last  # a border, unless most agree
    found = np.where(at_end, 2 * votes > regular, votes > 0)
    if not found.any() or 2 * (np.count_nonzero(found) + len(counts)) > len(turn):
        return None
    begun: Flags = found | (turn == 0)
    return begun


def _commonest(numbers: Integers) -> int:
    """Return the number that is more than half of all, or any."""
    return int(np.partition(numbers, len(numbers) // 2)[len(numbers) // 2])


def _in_rows(structure: Structure, loop: Loop, lengths: Integers, rows: Integers) -> Structure:
    """Return the structure with rows of these lengths in the place of each turn's loop."""
    of = loop.symbols - len(structure.recording)
    own, entered = np.repeat(of, rows), np.repeat(np.cumsum(loop.counts) - loop.counts, rows)
    done, inner = np.cumsum(lengths) - lengths - entered, structure.periods[own]
    loops = structure.starts[own] + inner * done, inner, lengths
    first = len(structure.recording) + len(structure.starts)
    return _refilled(structure, of, (1, rows), loops, first + np.arange(len(lengths)))


def _refilled(
    structure: Structure,
    of: Integers,
    turns: tuple[int, int | Integers],
    loops: tuple[Integers, Integers, Integers],
    pool: Integers,
) -> Structure:
    """Return the structure with other symbols in loops, and with further loops.

    Parameters
    ----------
    structure : Structure
    of : integers
        The loops that are filled anew.
    turns : pair
        Their period, and how many copies each of them has.
    loops : tuple of integers
        The starts, periods and counts of the further loops.
    pool : integers
        The symbols of the loops, one after the other.
    """
    found = structure.starts.copy(), structure.periods.copy(), structure.counts.copy()
    found[1][of], found[2][of] = turns
    sizes = found[1][of] * found[2][of]
    found[0][of] = len(structure.pool) + np.cumsum(sizes) - sizes
    starts, periods, counts = (np.concatenate(pair) for pair in zip(found, loops, strict=True))
    symbols = np.concatenate([structure.pool, pool])
    return replace(structure, starts=starts, periods=periods, counts=counts, pool=symbols)


def _peeled(structure: Structure, loop: Loop, addresses: list[Integers]) -> Structure | None:
    """Return the structure with a loop of whole rows, written out, and what is left after it."""
    times = loop.times
    if times is None:
        return None
    lengths = [_row_length(x, times, is_whole=False) for x in addresses]
    length = max(lengths)
    if not length or 2 * lengths.count(length) < len(lengths):
        return None
    return _rows_apart(structure, loop, length)


def last_apart(structure: Structure, loop: Loop) -> Structure:
    """Return the structure with the last turn of a loop written out after it."""
    return _rows_apart(structure, loop, 1)


def _rows_apart(structure: Structure, loop: Loop, length: int) -> Structure:
    """Return the structure with a loop of rows of some turns, and the last turns after it.

    These are at least one, written out.
    """
    assert loop.times is not None
    rows, rest = divmod(loop.times - 1, length)
    return _in_pieces(structure, loop, [(length, rows), (rest + 1, 1)])


def _in_pieces(structure: Structure, loop: Loop, pieces: Sequence[tuple[int, int]]) -> Structure:
    """Return the structure with several loops in the place of one, one after the other.

    Parameters
    ----------
    structure : Structure
    loop : Loop
        It always has the same number of turns.
    pieces : sequence of pair
        How many turns make one of each new loop, and how often; a single turn is written out.
    """
    of = loop.symbols - len(structure.recording)
    begin, period = structure.starts[of], int(structure.periods[of[0]])
    new, found = len(structure.recording) + len(structure.starts), list[Integers]()
    loops = list[Integers]()
    for length, rows in pieces:
        if rows > 1:
            found.append(new + np.arange(len(of))[:, None])
            new += len(of)
            loops.append(np.array([begin, *np.full((2, len(of)), [[period * length], [rows]])]))
        else:
            found.append(structure.pool[begin[:, None] + np.arange(period * length)])
        begin = begin + period * length * rows
    pool = np.concatenate(found, axis=1)
    starts, periods, counts = np.concatenate(loops, axis=1)
    return _refilled(structure, of, (pool.shape[1], 1), (starts, periods, counts), pool.ravel())
