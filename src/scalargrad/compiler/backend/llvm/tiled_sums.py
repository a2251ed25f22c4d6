"""Print the functions of sums of products, computed in tiles: one register for each sum.

Up to 64 products are added to the start one after the other. More are split into eight classes,
each the sum of every eighth product, which are then added to the start in order. A sum therefore
has the same digits however its terms are stored, in a tile of many sums or alone.

A printed function reads from a table where its terms lie, stretch by stretch. Unless the classes
of a long sum are lanes, each stretch belongs to one class, and two bits (its `mode`) tell whether
it is the first of its class and whether it is the last.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest

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


class Tile(NamedTuple):
    """The shape of sums for which a function is printed.

    Attributes
    ----------
    height, across : int
        The rows of a tile, and its columns in units of `width`.
    width : int
        8 if columns are contiguous and run as lanes, else 1.
    partial : bool
        Whether a tile spans all columns, and perhaps lanes beyond them.
    classes : bool
        Whether any sum is long, and so has classes.
    start : Moves
        How the start of the sums varies.
    walks : tuple of (Moves, Moves)
        How the factors vary, for each kind of stretch.
    wider : bool
        Whether so many tiles of a row are wider by one vector that the others fill it.
    """

    height: int
    across: int
    width: int
    partial: bool
    classes: bool
    start: Moves
    walks: tuple[tuple[Moves, Moves], ...]
    wider: bool = False


class _Tiles:
    """Prints the function: a loop over tiles, and over the terms of each tile's sums."""

    def __init__(self, module: IRModule, name: str, tile: Tile) -> None:
        self.tile = tile
        self.nest = Nest(module, name)
        self.e = Emitter(self.nest.body, tile.width)
        self.out, self.rows, self.columns, self.count, *self.start = self.nest.fields(0, HEAD)

    def write(self) -> None:
        nest, tile = self.nest, self.tile
        last_row = nest.sub(self.rows, tile.height)
        wide = self.wide_columns() if tile.wider else ""

        def row(i: str, _: list[str]) -> list[str]:
            i = nest.least(i, last_row) if tile.height > 1 else i
            if wide:
                self.along(i, tile.across + 1, "0", wide)
                self.along(i, tile.across, wide, nest.sub(self.columns, wide))
            else:
                self.along(i, tile.across, "0", self.columns)
            return []

        nest.loop(self.rows, row, step=tile.height)
        nest.end()

    def wide_columns(self) -> str:
        """Print how many columns the wider tiles take, so that the others fill the row."""
        nest, body, (across, width) = self.nest, self.nest.body, (self.tile.across, self.tile.width)
        vectors = body.assign(f"udiv i64 {nest.add(self.columns, width - 1)}, {width}")
        left = body.assign(f"urem i64 {vectors}, {across}")
        return nest.mul(left, (across + 1) * width)

    def along(self, i: str, across: int, first: str, count: str) -> None:
        """Print the tiles of this width over columns of a row, from `first` on."""
        nest, tile, span = self.nest, self.tile, across * self.tile.width
        self.across = across
        self.places = list(itertools.product(range(tile.height), range(across)))
        last = nest.sub(self.columns, span)

        def column(j: str, _: list[str]) -> list[str]:
            j = nest.add(first, j) if tile.wider else j
            self.one_tile(i, j if tile.partial or span == 1 else nest.least(j, last))
            return []

        nest.loop(count, column, step=span)

    def one_tile(self, i: str, j: str) -> None:
        start = self.pointers(self.tile.start, i, j, self.start)
        sums = [self.taken(self.tile.start, start, "0", place, {}) for place in self.places]
        for (h, w), total in zip(self.places, self.stretches(i, j, sums), strict=True):
            at = self.nest.cell(self.out, self.nest.mul(self.nest.add(i, h), self.columns), j)
            self.put(total, self.nest.cell(w * self.tile.width, base=at), w)

    def put(self, total: str, pointer: str, w: int) -> None:
        tile, nest = self.tile, self.nest
        if not tile.partial or w < self.across - 1:
            self.e.store(total, pointer)
        else:
            left = nest.sub(self.columns, (self.across - 1) * tile.width)
            nest.store_some(self.e, total, pointer, left)

    def stretches(self, i: str, j: str, sums: list[str]) -> list[str]:
        """Add the products of all stretches to the sums of a tile."""
        kind, nest = self.e.type, self.nest

        def stretch(k: str, carried: list[str]) -> list[str]:
            at = nest.table(nest.mul(k, STRETCH))
            walk, mode, terms, *factors = nest.fields(HEAD, STRETCH, at)
            sums, totals = carried[: len(self.places)], carried[len(self.places) :]
            if self.tile.classes:
                begins = self.flag(mode, BEGINS)
                totals = [self.chosen(begins, s, t) for s, t in zip(sums, totals, strict=True)]
                sums = [self.chosen(begins, -0.0, s) for s in sums]
            ways = [
                functools.partial(self.products, walks, terms, (i, j), factors, sums)
                for walks in self.tile.walks
            ]
            sums = choose(self.e, walk, ways)
            if self.tile.classes:
                ends = self.flag(mode, ENDS)
                sums = [
                    self.chosen(ends, self.e.add(t, s), s)
                    for s, t in zip(sums, totals, strict=True)
                ]
            return [*sums, *totals]

        carried = [(kind, x) for x in sums]
        if self.tile.classes:
            carried += [(kind, self.e.number(-0.0))] * len(sums)
        return nest.loop(self.count, stretch, carried)[: len(sums)]

    def flag(self, mode: str, bit: int) -> str:
        masked = self.nest.body.assign(f"and i64 {mode}, {bit}")
        return self.nest.body.assign(f"icmp ne i64 {masked}, 0")

    def chosen(self, test: str, x: str | float, y: str | float) -> str:
        """Return x or y by a single test for all lanes."""
        e = self.e
        return e.body.assign(f"select i1 {test}, {e.type} {e.number(x)}, {e.type} {e.number(y)}")

    def products(
        self,
        walks: tuple[Moves, Moves],
        terms: str,
        tile: tuple[str, str],
        factors: list[str],
        sums: list[str],
    ) -> list[str]:
        """Add products one after the other."""
        nest, (a, b) = self.nest, walks
        first, second = factors[:3], factors[4:7]
        pointers = self.pointers(a, *tile, first), self.pointers(b, *tile, second)

        def term(_: str, carried: list[str]) -> list[str]:
            p, q, *sums = carried
            known: tuple[dict[tuple[int, int], str], ...] = ({}, {})
            added = []
            for place, x in zip(self.places, sums, strict=True):
                left = self.taken(a, pointers[0], p, place, known[0])
                right = self.taken(b, pointers[1], q, place, known[1])
                added.append(self.e.fma(left, right, x))
            return [nest.add(p, factors[3]), nest.add(q, factors[7]), *added]

        carried = [("i64", "0"), ("i64", "0"), *((self.e.type, x) for x in sums)]
        return nest.loop(terms, term, carried)[2:]

    def pointers(self, walk: Moves, i: str, j: str, place: list[str]) -> dict[tuple[int, int], str]:
        """Return the address of a factor's first term for each row (and column) of a tile."""
        nest, (base, outer, inner) = self.nest, place
        found = {}
        lanes = self.tile.width > 1
        for h in range(self.tile.height if walk.rows else 1):
            row = nest.mul(nest.add(i, h), outer)
            if lanes:
                found[h, 0] = nest.cell(base, row, *([j] if walk.columns else []))
                continue
            for w in range(self.across if walk.columns else 1):
                found[h, w] = nest.cell(base, row, nest.mul(nest.add(j, w), inner))
        return found

    def taken(
        self,
        walk: Moves,
        pointers: dict[tuple[int, int], str],
        offset: str,
        place: tuple[int, int],
        known: dict[tuple[int, int], str],
    ) -> str:
        """Return one factor of a product, loaded once for all sums that share it."""
        nest, e = self.nest, self.e
        h, w = shared(walk, *place)
        if (h, w) not in known:
            if e.width == 1:
                known[h, w] = e.load(nest.cell(offset, base=pointers[h, w]))
            elif walk.columns:
                at = nest.cell(offset, base=pointers[h, 0])
                known[h, w] = e.load(nest.cell(w * e.width, base=at) if w else at)
            else:
                single = nest.one.load(nest.cell(offset, base=pointers[h, 0]))
                known[h, w] = e.spread(single)
        return known[h, w]


def write_tiles(module: IRModule, name: str, tile: Tile) -> None:
    """Print the function, ``out rows columns stretches start outer inner`` and the stretches.

    A stretch is ``walk mode terms``, and ``base outer inner term`` for each of the two factors.
    """
    _Tiles(module, name, tile).write()
