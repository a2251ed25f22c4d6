"""Lookups by a computed index (`take`) as equations: an entry of a table whose index is computed.

Lookups in tables of one size are written together, as loops over the tables and over the lookups in
each. An index that is outside gives nan, so that the call is made eagerly and names it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from typing import NamedTuple

from scalargrad.compiler.nests.equations import Access, Array, Index, Step, Var, as_index
from scalargrad.compiler.nests.node_cells import NodeCells
from scalargrad.compiler.passes.kinds import TAKE
from scalargrad.ops import TABLE

_FLOOR, _WHERE, _MUL, _ADD = (TABLE[x] for x in ("floor", "where", "mul", "add"))
_GE, _LT, _EQ, _IDENTITY = (TABLE[x] for x in ("ge", "lt", "eq", "identity"))


class _Form(NamedTuple):
    """What lookups have in common that are written together.

    Attributes
    ----------
    size : int
        How many entries a table has.
    times : int
        How many lookups there are in each table.
    lanes, wide : int
        How many lanes a lookup has, and its table.
    level : int
        After which gradients they are made.
    """

    size: int
    times: int
    lanes: int
    wide: int
    level: int


class Lookups:
    """The lookups of a program, which are written when the first of a form is asked for."""

    def __init__(self, cells: NodeCells) -> None:
        self.cells = cells
        found, tables = cells.found, dict[tuple[int, int, int], list[int]]()
        for node in found.written.places(TAKE):
            _, table = found.written.args_of(node)
            own = table, int(found.sizes[node]), int(found.levels[node])
            tables.setdefault(own, []).append(node)
        self.forms: dict[_Form, list[list[int]]] = {}
        self.form_of: dict[int, _Form] = {}
        for (table, lanes, level), nodes in tables.items():
            size, wide = len(cells.args(table)), int(found.sizes[table])
            form = _Form(size, len(nodes), lanes, wide, level)
            self.forms.setdefault(form, []).append(nodes)
            self.form_of.update(dict.fromkeys(nodes, form))

    def write(self, node: int) -> None:
        """Write the lookups of a node's form, and note their cells."""
        form = self.form_of[node]
        size, count, lanes, wide, _ = form
        cells, b, groups = self.cells, self.cells.builder, self.forms[form]
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
        self._copied(table, entries, cells.var(wide))
        self._copied(at, [cells.args(x)[0] for x in every], var)
        with ExitStack() as stack:
            turns = [stack.enter_context(b.loop(n)) for n in (len(groups), count) if n > 1]
            if var:
                stack.enter_context(b.loop(var))
            group = as_index(turns[0] if len(groups) > 1 else 0)
            which = group * count + (turns[-1] if count > 1 else 0), *own
            self._look(Access(taken, which), Access(at, which), table, group * size, size)

    def _copied(self, to: Array, nodes: Sequence[int], var: Var | None) -> None:
        if var:
            self.cells.copy_examples(to, nodes, var)
        else:
            self.cells.copy(to, nodes)

    def _look(self, out: Access, at: Access, table: Array, first: Index, size: int) -> None:
        """Write one lookup, for each turn of the loops that are open."""
        b = self.cells.builder
        inside = b.step(_MUL, (b.step(_GE, (at, -float(size))), b.step(_LT, (at, float(size)))))
        known = b.step(_MUL, (inside, b.step(_EQ, (at, b.step(_FLOOR, (at,))))))
        from_end = b.step(_ADD, (at, float(size)))
        counted = b.step(_WHERE, (b.step(_LT, (at, 0.0)), from_end, at))
        place = b.step(_WHERE, (known, counted, 0.0))
        index = first + Index(0, (), place)
        after = out.indices[1:] if len(table.shape) > 1 else ()
        found = b.step(_IDENTITY, (Access(table, (index, *after)),))
        b.append(Step(out, _WHERE, (known, found, math.nan)))
