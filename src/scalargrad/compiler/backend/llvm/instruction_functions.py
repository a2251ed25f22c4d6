"""Print the functions of instructions, which all programs share.

A printed function reads its counts and addresses from a table of integers. The docstring of each
``write_…`` lists these in order, as in "``out rows columns …``".
"""

from __future__ import annotations

import math

from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.passes.partial import Partial
from scalargrad.table.operation import Elementwise


def write_apply(
    module: IRModule, name: str, op: Elementwise | Partial, count: int, width: int
) -> None:
    """Print an operation of `count` operands, ``out lanes operand …``, `width` lanes at a time."""
    nest = Nest(module, name)
    out, lanes, *operands = nest.fields(0, 2 + count)

    def lane(e: Emitter, j: str) -> tuple[str, str]:
        read = [e.load(nest.cell(x, j)) for x in operands]
        return e.number(apply(e, op, *read)), nest.cell(out, j)

    nest.lanes(Emitter(nest.body, width), lanes, lane)
    nest.end()


def write_gather(module: IRModule, name: str) -> None:
    """Print a gather, ``out count address …``."""
    nest = Nest(module, name)
    out, count = nest.fields(0, 2)

    def one(i: str, _: list[str]) -> list[str]:
        x = nest.one.load(nest.cell(nest.field(nest.add(i, 2))))
        nest.one.store(x, nest.cell(out, i))
        return []

    nest.loop(count, one)
    nest.end()


def write_take(module: IRModule, name: str) -> None:
    """Print a lookup, ``out lanes``, per lane ``index base stride size``; nan if out of range."""
    nest = Nest(module, name)
    out, lanes = nest.fields(0, 2)

    def lane(i: str, _: list[str]) -> list[str]:
        index, base, stride, size = nest.fields(2, 4, nest.table(nest.mul(i, 4)))
        k, known = _place(nest, nest.one.load(nest.cell(index)), size)
        entry = nest.one.load(nest.cell(base, nest.mul(stride, k)))
        nest.one.store(nest.one.select(known, entry, math.nan), nest.cell(out, i))
        return []

    nest.loop(lanes, lane)
    nest.end()


def write_scatter(module: IRModule, name: str) -> None:
    """Print a scatter, ``out cells rows terms`` and per row ``start size`` and its terms."""
    nest = Nest(module, name)
    one = nest.one
    out, cells, rows, terms = nest.fields(0, 4)

    def clear(i: str, _: list[str]) -> list[str]:
        one.store(0.0, nest.cell(out, i))
        return []

    def row(i: str, _: list[str]) -> list[str]:
        at = nest.table(nest.mul(i, nest.add(nest.mul(terms, 2), 2)))
        start, size = nest.fields(4, 2, at)

        def term(t: str, _: list[str]) -> list[str]:
            index, value = nest.fields(6, 2, nest.table(nest.mul(t, 2), at))
            k, known = _place(nest, one.load(nest.cell(index)), size)
            target = nest.cell(out, start, k)
            before = one.load(target)
            one.store(
                one.select(known, one.add(before, one.load(nest.cell(value))), before), target
            )
            return []

        nest.loop(terms, term)
        return []

    nest.loop(cells, clear)
    nest.loop(rows, row)
    nest.end()


def write_products(
    module: IRModule, name: str, width: int, classes: bool, sides: tuple[str, str, str]
) -> None:
    """Print sums of products, ``out lanes passes``, the terms of each pass, then addresses.

    The addresses come in groups of `width` lanes: those of the starts, then, for each term, those
    of the first factors and of the second factors. With several passes, each is a class. `sides`
    tell of starts and factors how the lanes of a group read them, see `encode`: all ``one`` cell or
    a ``row`` of cells, of which the first has an address, or ``any``. Lanes that read from term to
    term the ``next`` cell have an address each, before the terms.
    """
    nest = Nest(module, name)
    e = Emitter(nest.body, width)
    out, lanes, passes = nest.fields(0, 3)
    first = nest.table(nest.add(passes, 3))

    def read(side: str, table: str) -> tuple[str, str]:
        """Return what lanes read by a table of addresses, and where the table goes on."""
        after = nest.table(width if side == "any" else 1, table)
        if width == 1 or side != "any":
            pointer = nest.cell(nest.body.assign(f"load i64, ptr {table}, align 8"))
            return (e.spread(nest.one.load(pointer)) if side == "one" else e.load(pointer)), after
        return e.vector(nest.one.load(nest.cell(x)) for x in nest.fields(0, width, table)), after

    def group(i: str, carried: list[str]) -> list[str]:
        begin, table = read(sides[0], *carried)
        rows: list[list[str]] = [[], []]
        for row in (row for row, side in zip(rows, sides[1:], strict=True) if side == "next"):
            row += map(nest.cell, nest.fields(0, width, table))
            table = nest.table(width, table)

        def one_pass(p: str, carried: list[str]) -> list[str]:
            table, total = carried

            def term(t: str, carried: list[str]) -> list[str]:
                table, total = carried
                factors = []
                for row, side in zip(rows, sides[1:], strict=True):
                    if row:
                        x = e.vector(nest.one.load(nest.cell(t, base=first)) for first in row)
                    else:
                        x, table = read(side, table)
                    factors.append(x)
                x, y = factors
                return [table, e.fma(x, y, total)]

            terms = nest.field(nest.add(p, 3))
            begins = e.number(-0.0) if classes else total
            table, more = nest.loop(terms, term, [("ptr", table), (e.type, begins)])
            return [table, e.add(total, more) if classes else more]

        table, total = nest.loop(passes, one_pass, [("ptr", table), (e.type, begin)])
        nest.store_some(e, total, nest.cell(out, i), nest.sub(lanes, i))
        return [table]

    nest.loop(lanes, group, [("ptr", first)], step=width)
    nest.end()


def _place(nest: Nest, x: str, size: str) -> tuple[str, str]:
    """Return the entry that an index selects (0 if it is out of range), and whether it is valid."""
    one, body = nest.one, nest.body
    most = body.assign(f"sitofp i64 {size} to double")
    tests = [
        one.compare("oge", x, one.neg(most)),
        one.compare("olt", x, most),
        one.compare("oeq", x, one.intrinsic("floor", x)),
    ]
    known = body.assign(f"and i1 {body.assign(f'and i1 {tests[0]}, {tests[1]}')}, {tests[2]}")
    whole = body.assign(f"fptosi double {one.select(known, x, 0.0)} to i64")
    negative = body.assign(f"icmp slt i64 {whole}, 0")
    return body.assign(f"select i1 {negative}, i64 {nest.add(whole, size)}, i64 {whole}"), known
