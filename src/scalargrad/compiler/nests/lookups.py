"""Lookups by a computed index (`take`) as equations: an entry of a table whose index is computed.

Lookups in tables of one size are written together, as loops over the tables and over the lookups in
each. An index that is outside gives nan, so that the call is made eagerly and names it.
"""

from __future__ import annotations

import math
from contextlib import ExitStack
from typing import TYPE_CHECKING

from scalargrad.compiler.nests.equations import Access, Index, Step, as_index
from scalargrad.compiler.passes.kinds import TAKE
from scalargrad.ops import TABLE

if TYPE_CHECKING:
    from scalargrad.compiler.nests.builder import Builder
    from scalargrad.compiler.nests.node_cells import NodeCells

_FLOOR, _WHERE, _MUL, _ADD = (TABLE[x] for x in ("floor", "where", "mul", "add"))
_GE, _LT, _EQ, _IDENTITY = (TABLE[x] for x in ("ge", "lt", "eq", "identity"))


def write_lookups(cells: NodeCells, node: int) -> None:
    """Write a lookup with all that are of its form, and note their cells.

    Their tables have as many entries and lanes, and as much is looked up in each of them, in as
    many lanes and after the same gradients.
    """
    found, b, tables = cells.found, cells.builder, dict[tuple[int, int, int], list[int]]()
    written = found.written
    for x, (_, row) in zip(written.places(TAKE), written.args_with(TAKE), strict=True):
        tables.setdefault((row, cells.lanes(x), int(found.levels[x])), []).append(x)
    forms = {
        own: (len(cells.args(own[0])), len(nodes), own[1], cells.lanes(own[0]), own[2])
        for own, nodes in tables.items()
    }
    form = next(forms[own] for own, nodes in tables.items() if node in nodes)
    groups = [nodes for own, nodes in tables.items() if forms[own] == form]
    size, count, lanes, wide, _ = form
    var = cells.var(lanes)
    after = (lanes,) if var else ()
    every = [x for nodes in groups for x in nodes]
    taken, at = (b.array(name, (len(every), *after)) for name in ("taken", "at"))
    own = (as_index(var),) if var else ()
    cells.known.put_row(every, taken, *own)
    entries = [y for nodes in groups for y in cells.args(cells.args(nodes[0])[1])]
    if any(cells.has_own_point(y) for y in entries):
        wide = lanes
    table = b.array("table", (size * len(groups), *((wide,) if wide > 1 else ())))
    cells.copy(table, entries, cells.var(wide))
    cells.copy(at, [cells.args(x)[0] for x in every], var)
    with ExitStack() as stack:
        turns = [stack.enter_context(b.loop(n)) for n in (len(groups), count) if n > 1]
        if var:
            stack.enter_context(b.loop(var))
        group = as_index(turns[0] if len(groups) > 1 else 0)
        which = group * count + (turns[-1] if count > 1 else 0), *own
        first = Access(table, (group * size, *(own if wide > 1 else ())))
        _look(b, Access(taken, which), Access(at, which), first, size)


def _look(b: Builder, out: Access, at: Access, first: Access, size: int) -> None:
    """Write one lookup in a table of this first entry, for each turn of the loops that are open."""
    inside = b.step(_MUL, (b.step(_GE, (at, -float(size))), b.step(_LT, (at, float(size)))))
    known = b.step(_MUL, (inside, b.step(_EQ, (at, b.step(_FLOOR, (at,))))))
    from_end = b.step(_ADD, (at, float(size)))
    counted = b.step(_WHERE, (b.step(_LT, (at, 0.0)), from_end, at))
    place = b.step(_WHERE, (known, counted, 0.0))
    index, *others = first.indices
    entry = Access(first.array, (index + Index(0, (), place), *others))
    found = b.step(_IDENTITY, (entry,))
    b.append(Step(out, _WHERE, (known, found, math.nan)))
