"""Let what is done to all results of a vmap outside it join the examples.

A loss is often written as a loop over all results, as in ``sum((y - t) ** 2 for y, t in …)``. While
a function is recorded, each operation in it is a node of its own. Where the same operation is done
to all lanes of a node, a node with lanes replaces it, as if it were written inside the vmap
(`joined_operations`); where all of them are added up, a sum over lanes does. So the program does
not grow with the number of examples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import Total, of_lanes
from scalargrad.compiler.passes.nodes import Nodes, alike, entries
from scalargrad.compiler.trace import example_lanes
from scalargrad.compiler.trace.joined_operations import Joined, Joining, follow, whole
from scalargrad.compiler.trace.trace import Trace
from scalargrad.ops import TABLE, add

_SUM = TABLE["sum"]


def joined(trace: Trace, nodes: Nodes, roots: Sequence[int]) -> Joined | None:
    """Return the nodes of a finished recording after some have joined examples.

    None if none has, or lanes are few.

    Parameters
    ----------
    roots : sequence of int
        The nodes that are asked for.
    """
    if sum(x.lanes for x in trace.lanes.taken) < example_lanes.FEWEST:
        return None
    work = Joining(trace, nodes, roots)
    if work.rows:
        work.join()
        _add_up(work)
    return work.finished() if work.made else None


def _add_up(work: Joining) -> None:
    """Put one sum over lanes in place of all rows whose numbers a sum adds."""
    user, operand = work.users, work.nodes.operands
    sums = _sums(work)
    terms = np.flatnonzero((sums[user] >= 0) & (work.row[operand] >= 0))
    row, lane = work.row[operand[terms]], work.lane[operand[terms]]
    kind = alike(sums[user[terms]] * len(work.rows) + row)[1]
    found: dict[tuple[int, int], list[Integers]] = {}
    for x in whole(kind, lane, work.size[operand[terms]]):
        key = int(sums[user[terms[x[0]]]]), work.rows[row[x[0]]][1]
        found.setdefault(key, []).append(terms[x])
    zero, one = (int(x) for x in next(iter(work.places.values()))[:2])
    begins = work.nodes.where(lambda op: op is _SUM)  # with 0.0, which makes 0.0 of -0.0
    reads_zero = np.zeros(len(work.nodes), np.bool_)
    reads_zero[user[operand == zero]] = True
    from_zero = {*sums[begins | reads_zero].tolist()}
    for (top, lanes), entries_of in found.items():
        node, *others = [work.rows[work.row[operand[x[0]]]][0] for x in entries_of]
        for other in others:
            node = work.write(add, (node, other))
        total = work.write(of_lanes(Total, lanes), (node, one))
        every = np.concatenate(entries_of)
        work.kept[every] = False
        work.kept[every.min()] = True
        if top in from_zero and not reads_zero[user[every.min()]]:
            total = work.write(add, (zero, total))
        work.operands[every.min()] = total
    _shorten(work, np.flatnonzero(sums >= 0))


def _shorten(work: Joining, sums: Integers) -> None:
    """Leave out additions of numbers that are no longer added one by one."""
    user, kept, count = work.users, work.kept, len(work.nodes)
    left = np.bincount(user[kept], minlength=count)
    shorter = np.zeros(count, np.bool_)
    shorter[user[~kept]] = True
    alone = kept & (shorter & (left == 1))[user]
    zeros = {x for x, number in work.constants.items() if number == 0.0}
    if left[shorter].all() and zeros.isdisjoint(work.operands[alone].tolist()):
        work.now[user[alone]] = work.operands[alone]
        return
    first, operands = entries(work.nodes.first), entries(work.operands)
    gone: set[int] = set()
    for x in sums.tolist():
        terms = range(first[x], first[x + 1])
        still = [k for k in terms if kept[k] and operands[k] not in gone]
        if len(still) == len(terms):
            continue
        if zeros.issuperset([operands[k] for k in still]):
            gone.add(x)
        elif len(still) == 1:
            work.now[x] = operands[still[0]]
        else:
            kept[terms.start : terms.stop] = False
            kept[still] = True


def _sums(work: Joining) -> Integers:
    """Return the last addition of the sum that each belongs to; -1 for other nodes."""
    nodes, user, operand = work.nodes, work.users, work.nodes.operands
    adds = nodes.where(lambda op: op is add or op is _SUM)
    adds &= work.needed & work.single & (work.row < 0)
    uses = np.bincount(operand[work.needed[user]], minlength=len(nodes))
    uses[[*work.roots]] += 2
    top = np.where(adds, np.arange(len(nodes)), -1)
    within = adds[user] & (adds & (uses == 1) & ~work.stays)[operand]
    top[operand[within]] = user[within]
    follow(top, operand[within])
    return top
