"""Functions that add up long sums over neighbouring terms: the classes are lanes."""

from __future__ import annotations

import functools
import itertools
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter
from scalargrad.compiler.backend.llvm.module import Module
from scalargrad.compiler.backend.llvm.nest import Nest, below
from scalargrad.compiler.backend.llvm.sums import HEAD, STRETCH, Walk, choose, shared


class Dots(NamedTuple):
    """What a function for long sums over neighbouring terms is printed for."""

    height: int
    across: int
    walks: tuple[tuple[Walk, Walk], ...]


class _Dots:
    """The registers of one tile of sums whose classes are lanes."""

    def __init__(self, module: Module, name: str, dots: Dots) -> None:
        self.height, self.across, self.walks = dots
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
        for (h, w), total in zip(self.places, nest.loop(self.count, stretch, zeros), strict=True):
            one = nest.one.load(self.pointer(self.start, i, j, h, w))
            for lane in range(WIDTH):
                one = nest.one.add(one, e.lane(total, lane))
            nest.one.store(one, self.pointer([self.out, self.columns, "1"], i, j, h, w))

    def pointer(self, place: list[str], i: str, j: str, h: int, w: int) -> str:
        row = self.nest.mul(self.nest.add(i, h), place[1])
        return self.nest.cell(place[0], row, self.nest.mul(self.nest.add(j, w), place[2]))

    def products(
        self,
        walks: tuple[Walk, Walk],
        stretch: tuple[str, str],
        tile: tuple[str, str],
        factors: list[str],
        sums: list[str],
    ) -> list[str]:
        """Add eight neighbouring products at a time, those of a class on its lane.

        Lanes before the first term and after the last are read, for memory has cells to spare at
        both ends, and left out.
        """
        nest, e, (shift, terms) = self.nest, self.e, stretch
        keys = [[shared(walk, h, w) for h, w in self.places] for walk in walks]
        pointers = [
            {key: self.pointer(factors[4 * k : 4 * k + 3], *tile, *key) for key in keys[k]}
            for k in range(2)
        ]
        numbers = [
            {} if walk.terms else {key: e.spread(nest.one.load(x)) for key, x in found.items()}
            for walk, found in zip(walks, pointers, strict=True)
        ]
        end = nest.add(shift, terms)

        def eight(k: str, sums: list[str]) -> list[str]:
            after, before = below(e, nest.sub(shift, k)), below(e, nest.sub(end, k))
            inside = nest.body.assign(f"xor {e.flag} {after}, {before}")
            first = nest.sub(k, shift)
            read = [
                known or {key: e.load(nest.cell(first, base=x)) for key, x in found.items()}
                for known, found in zip(numbers, pointers, strict=True)
            ]
            return [
                e.select(inside, e.fma(read[0][a], read[1][b], x), x)
                for a, b, x in zip(*keys, sums, strict=True)
            ]

        return nest.loop(end, eight, [(e.type, x) for x in sums], step=WIDTH)


def write_dots(module: Module, name: str, dots: Dots) -> None:
    """Write long sums over neighbouring terms: classes are lanes.

    The table is that of tiles; in place of its mode, a stretch has the class of its first term.
    """
    _Dots(module, name, dots).write()
