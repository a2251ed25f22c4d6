"""Functions that add up products.

A sum of up to 64 products is added up one after the other, on top of what it starts from. A longer
one is eight such sums, of every eighth product, added up on top of the start in order. So a sum
has the same digits however its terms lie, in a tile of many sums or alone.

The table of a function lists the runs of terms it adds: a long sum whose lanes are not side by side
is gone through eight times, a class at a time. The two bits of `mode` say whether a run begins a
class, and whether it ends one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter

#: Up to this many products are added up one after the other.
SEQUENTIAL = 64
#: The number of partial sums of a longer one.
CLASSES = 8
BEGINS, ENDS = 1, 2
#: Whole numbers in the head of a table of sums, and for each stretch.
HEAD, STRETCH = 7, 11


class Moves(NamedTuple):
    """Along which indices a factor moves: rows i and columns j of a tile, and terms if asked."""

    rows: bool
    columns: bool
    terms: bool = True


def shared(walk: Moves, h: int, w: int) -> tuple[int, int]:
    """Return the place in a tile whose factor is also that of another place."""
    return h if walk.rows else 0, w if walk.columns else 0


def choose(e: Emitter, which: str, ways: Sequence[Callable[[], list[str]]]) -> list[str]:
    """Write several ways to the same registers, the last one taken without asking."""
    body = e.body
    if len(ways) == 1:
        return ways[0]()
    done = body.fresh("done")
    taken: list[tuple[str, list[str]]] = []
    for k, way in enumerate(ways):
        other = body.fresh("other")
        if k < len(ways) - 1:
            this = body.fresh("this")
            test = body.assign(f"icmp eq i64 {which}, {k}")
            body.line(f"br i1 {test}, label %{this}, label %{other}")
            body.begin(this)
        found = way()
        taken.append((body.block, found))
        body.line(f"br label %{done}")
        if k < len(ways) - 1:
            body.begin(other)
    body.begin(done)
    return [
        body.assign(f"phi {e.type} " + ", ".join(f"[{x[k]}, %{block}]" for block, x in taken))
        for k in range(len(taken[0][1]))
    ]
