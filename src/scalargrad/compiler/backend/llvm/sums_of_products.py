"""The order of summation in sums of products, and what the files that print them share.

Up to 64 products are added to the start one after the other. More are split into eight classes,
each the sum of every eighth product, which are then added to the start in order. A sum therefore
has the same digits however its terms are stored, in a tile of many sums or alone.

A printed function reads from a table where its terms lie, stretch by stretch. Unless the classes
of a long sum are lanes, each stretch belongs to one class, and two bits (its `mode`) tell whether
it is the first of its class and whether it is the last.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter

BEGINS, ENDS = 1, 2
#: The integers in the head of a table of sums, and for each stretch.
HEAD, STRETCH = 7, 11


class Moves(NamedTuple):
    """Whether a factor varies with the rows and columns of a tile, and with the terms."""

    rows: bool
    columns: bool
    terms: bool = True


def shared(walk: Moves, h: int, w: int) -> tuple[int, int]:
    """Return the first place in a tile that has the same factor as place (h, w)."""
    return h if walk.rows else 0, w if walk.columns else 0


def choose(
    e: Emitter, which: str, ways: Sequence[Callable[[], list[str]]], first: int = 0
) -> list[str]:
    """Print a switch over alternatives that set the same registers; the last is the default.

    They are numbered from `first` on.
    """
    this, *others = ways
    if not others:
        return this()
    test = e.body.assign(f"icmp eq i64 {which}, {first}")
    return e.body.either(test, this, lambda: choose(e, which, others, first + 1), e.type)
