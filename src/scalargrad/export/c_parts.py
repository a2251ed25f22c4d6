"""Split statements into C functions of bounded size, and find the variables these share.

A variable that is only read in its own part is a local variable there. Others are cells of the
workspace, which are reused after the last part that reads them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from scalargrad.export.c_statements import CStatement, Statements

#: About how many lines a function has at most.
PART = 400


class Parts:
    """Functions that together run some statements.

    Attributes
    ----------
    bodies : list of str
    cells : int
        How large the workspace is.
    """

    def __init__(self, statements: Statements) -> None:
        self._all = statements
        self._parts = _cut(statements.listed)
        made, last = self._lives()
        self._cell: dict[int, int] = {}
        self._free: dict[int, list[int]] = defaultdict(list)
        self.cells = 0
        self.bodies: list[str] = []
        ending: dict[int, list[int]] = defaultdict(list)
        for node, part in last.items():
            ending[part].append(node)
        for k, some in enumerate(self._parts):
            for node in (statement.writes for statement in some):
                size = statements.sizes[node]
                if node >= 0 and node not in self._cell and (size > 1 or last[node] > made[node]):
                    self._cell[node] = self._taken(size)
            self.bodies.append("\n".join(map(self._text, some)))
            for node in ending[k]:
                if node in self._cell:
                    self._free[statements.sizes[node]].append(self._cell[node])

    def _lives(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return the part in which each node is computed, and the part in which it is last used."""
        made: dict[int, int] = {}
        last: dict[int, int] = {}
        for k, part in enumerate(self._parts):
            for statement in part:
                if statement.writes >= 0:
                    made.setdefault(statement.writes, k)
                    last[statement.writes] = k
                for node in statement.reads:
                    last[node] = k
        return made, last

    def _taken(self, size: int) -> int:
        """Return the first of `size` consecutive free cells."""
        if self._free[size]:
            return self._free[size].pop()
        self.cells += size
        return self.cells - size

    def _text(self, statement: CStatement) -> str:
        code, node, loop = statement.code, statement.writes, statement.lanes > 1
        reads = [self._read(x, f"{{{k}}}[" in code) for k, x in enumerate(statement.reads)]
        if node < 0:
            return code.format(*reads)
        if node in self._cell:
            cell = self._cell[node]
            lane = f"m[{cell} + i]" if loop else f"m[{cell}]"
            name = f"(m + {cell})" if self._all.sizes[node] > 1 and not loop else lane
            code = code.format(*reads, new=name, first=name, self=name)
        else:
            name = f"v{node}"
            new, first = f"const double {name}", f"double {name}"
            code = code.format(*reads, new=new, first=first, self=name)
        return f"for (long i = 0; i < {statement.lanes}; i++) {code}" if loop else code

    def _read(self, node: int, whole: bool) -> str:
        if self._all.is_plain(node):
            return self._all.plain_text(node)
        if node not in self._cell:
            return f"v{node}"
        cell = self._cell[node]
        if whole:
            return f"(m + {cell})"
        return f"m[{cell} + i]" if self._all.sizes[node] > 1 else f"m[{cell}]"


def _cut(statements: Sequence[CStatement]) -> list[list[CStatement]]:
    """Return the statements in parts of about the same cost."""
    parts: list[list[CStatement]] = [[]]
    cost = 0
    for statement in statements:
        if cost > PART:
            parts.append([])
            cost = 0
        parts[-1].append(statement)
        cost += statement.cost
    return parts
