"""Print the functions of long sums of products with contiguous terms: each class is a lane.

A long sum is eight sums, its classes, of every eighth term (see `tiled_sums`). Where terms
are contiguous, a vector of eight terms has one of each class.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest, below
from scalargrad.compiler.backend.llvm.tiled_sums import HEAD, STRETCH, Moves, choose, shared


class Dots(NamedTuple):
    """The shape of long sums for which a function is printed.

    Attributes
    ----------
    height, across : int
        The rows and columns of a tile of sums.
    walks : tuple of (Moves, Moves)
        How the factors vary, for each kind of stretch.
    one_start : bool
        Whether all sums start from the same number.
    """

    height: int
    across: int
    walks: tuple[tuple[Moves, Moves], ...]
    one_start: bool


class _Dots:
    """Prints the function: a loop over tiles, and over the terms of each tile's sums."""

    def __init__(self, module: IRModule, name: str, dots: Dots) -> None:
        self.height, self.across, self.walks, self.one_start = dots
        self.nest = Nest(module, name)
        self.e = Emitter(self.nest.body, WIDTH)
        self.places = list(itertools.product(range(self.height), range(self.across)))
        self.out, self.rows, self.columns, self.count, *self.start = self.nest.fields(0, HEAD)

    def write(self) -> None:
        nest = self.nest
        last = nest.sub(self.rows, self.height), nest.sub(self.columns, self.across)

        def row(i: str, _: list[str]) -> list[str]:
            i = nest.least(i, last[0]) if self.height > 1 else i

            def column(j: str, _: list[str]) -> list[str]:
                self.one_tile(i, nest.least(j, last[1]) if self.across > 1 else j)
                return []

            nest.loop(self.columns, column, step=self.across)
            return []

        nest.loop(self.rows, row, step=self.height)
        nest.end()

    def one_tile(self, i: str, j: str) -> None:
        nest, e = self.nest, self.e

        def stretch(k: str, sums: list[str]) -> list[str]:
            at = nest.table(nest.mul(k, STRETCH))
            walk, shift, terms, *factors = nest.fields(HEAD, STRETCH, at)
            ways = [
                functools.partial(self.products, walks, (shift, terms), (i, j), factors, sums)
                for walks in self.walks
            ]
            return choose(e, walk, ways)

        zeros = [(e.type, e.number(-0.0))] * len(self.places)
        classes = nest.loop(self.count, stretch, zeros)
        for first in range(0, len(self.places), WIDTH):
            places = self.places[first : first + WIDTH]
            self.put(i, j, places, transposed(e, classes[first : first + WIDTH]))

    def put(self, i: str, j: str, places: list[tuple[int, int]], classes: list[str]) -> None:
        """Add the classes of up to eight sums to their starts, each sum on a lane, and store."""
        nest, e, out = self.nest, self.e, [self.out, self.columns, "1"]
        total = self.starts(i, j, places)
        for row in classes:
            total = e.add(total, row)
        if self.across == WIDTH:
            e.store(total, self.pointer(out, i, j, *places[0]))
            return
        for k, place in enumerate(places):
            nest.one.store(e.lane(total, k), self.pointer(out, i, j, *place))

    def starts(self, i: str, j: str, places: list[tuple[int, int]]) -> str:
        """Return the start of up to eight sums, each on a lane."""
        load = self.nest.one.load
        if self.one_start:
            return self.e.spread(load(self.nest.cell(self.start[0])))
        return self.e.vector(load(self.pointer(self.start, i, j, *place)) for place in places)

    def pointer(self, place: list[str], i: str, j: str, h: int, w: int) -> str:
        row = self.nest.mul(self.nest.add(i, h), place[1])
        return self.nest.cell(place[0], row, self.nest.mul(self.nest.add(j, w), place[2]))

    def products(
        self,
        walks: tuple[Moves, Moves],
        stretch: tuple[str, str],
        tile: tuple[str, str],
        factors: list[str],
        sums: list[str],
    ) -> list[str]:
        """Add eight products at a time, each to the class on its lane.

        At the ends of a stretch, vectors reach beyond its terms. Those lanes are loaded, as memory
        has spare cells at both ends, and masked.
        """
        nest, e = self.nest, self.e
        keys = [[shared(walk, h, w) for h, w in self.places] for walk in walks]
        pointers = [
            {key: self.pointer(factors[4 * k : 4 * k + 3], *tile, *key) for key in keys[k]}
            for k in range(2)
        ]
        numbers = [
            {} if walk.terms else {key: e.spread(nest.one.load(x)) for key, x in found.items()}
            for walk, found in zip(walks, pointers, strict=True)
        ]

        def eight(first: str, sums: list[str]) -> list[str]:
            read = [
                known or {key: e.load(nest.cell(first, base=x)) for key, x in found.items()}
                for known, found in zip(numbers, pointers, strict=True)
            ]
            return [e.fma(read[0][a], read[1][b], x) for a, b, x in zip(*keys, sums, strict=True)]

        return self.all_eights(eight, stretch, sums)

    def all_eights(
        self,
        eight: Callable[[str, list[str]], list[str]],
        stretch: tuple[str, str],
        sums: list[str],
    ) -> list[str]:
        """Print a loop over whole vectors if the stretch begins with class 0, then the rest."""
        nest, e, body, (shift, terms) = self.nest, self.e, self.nest.body, stretch
        even = body.assign(f"icmp eq i64 {shift}, 0")
        whole = body.assign(f"and i64 {terms}, -{WIDTH}")
        full = body.assign(f"select i1 {even}, i64 {whole}, i64 0")
        kept = [(e.type, x) for x in sums]
        found = nest.unless_none(full, lambda: nest.loop(full, eight, kept, step=WIDTH), kept)

        def some_of(k: str, sums: list[str]) -> list[str]:
            first = nest.sub(nest.add(full, k), shift)
            after, ahead = below(e, nest.sub("0", first)), below(e, nest.sub(terms, first))
            inside = body.assign(f"xor {e.flag} {after}, {ahead}")
            return [
                e.select(inside, more, x) for more, x in zip(eight(first, sums), sums, strict=True)
            ]

        rest = nest.sub(nest.add(shift, terms), full)
        kept = [(e.type, x) for x in found]
        return nest.unless_none(rest, lambda: nest.loop(rest, some_of, kept, step=WIDTH), kept)


def transposed(e: Emitter, rows: list[str]) -> list[str]:
    """Transpose as many vectors as lanes, or fewer: lane j of vector i becomes i of vector j."""
    width, apart = e.width, 1
    columns = [*rows, *["zeroinitializer"] * (width - len(rows))]
    while apart < width:
        low = [k if not k & apart else width + k - apart for k in range(width)]
        high = [k + apart if not k & apart else width + k for k in range(width)]
        for k in range(width):
            if not k & apart:
                pair = columns[k], columns[k + apart]
                columns[k], columns[k + apart] = (_mixed(e, pair, x) for x in (low, high))
        apart *= 2
    return columns


def _mixed(e: Emitter, pair: tuple[str, str], lanes: list[int]) -> str:
    """Return a shuffle of two vectors, whose lanes are numbered through."""
    mask = ", ".join(f"i32 {x}" for x in lanes)
    a, b = (f"{e.type} {x}" for x in pair)
    return e.body.assign(f"shufflevector {a}, {b}, <{e.width} x i32> <{mask}>")


def write_dots(module: IRModule, name: str, dots: Dots) -> None:
    """Print the function of long sums with contiguous terms.

    Its table is that of `tiled_sums`, with the class of the first term in place of the mode.
    """
    _Dots(module, name, dots).write()
