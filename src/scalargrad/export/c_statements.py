"""Programs of single numbers as C: a statement for each operation, in functions of bounded size.

A number that is only read in the function that computes it is a local variable there. Others are
cells of the workspace ``m``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from scalargrad.compiler.passes.kinds import CONSTANT, INPUT, PRODUCTS, Op
from scalargrad.compiler.passes.partial import Partial
from scalargrad.compiler.passes.program import Program
from scalargrad.export.c_operations import Operations
from scalargrad.table.c import number_code
from scalargrad.table.operation import Elementwise

#: About how many lines a function has at most.
_LINES = 400
#: The terms of a sum in a line.
_TERMS = 4


def is_single(op: Op) -> bool:
    """Return whether statements are written for an operation: not for lanes and lookups."""
    return op in {INPUT, CONSTANT, PRODUCTS} or isinstance(op, Elementwise | Partial)


class Statements:
    """The statements of a program.

    Parameters
    ----------
    results : mapping
        For nodes, lines to write as soon as they are known, with ``{}`` for the number.

    Attributes
    ----------
    bodies : list of str
    functions : dict from str to str
        The sources of the functions that they need, by name.
    cells : int
        How large the workspace is.
    initial : str
        What it holds at first: anything.
    """

    initial = ""

    def __init__(self, program: Program, results: Mapping[int, Sequence[str]]) -> None:
        self._program = program
        self._operations = Operations()
        self.functions = self._operations.functions
        self._names = {k: self._plain(k) for k in {*range(program.inputs), *program.constants}}
        parts = self._parts()
        reads = ((x, node) for node, args in enumerate(program.args) for x in args)
        kept = {x for x, node in reads if x not in self._names and parts[x] < parts[node]}
        self._names |= {x: f"m[{k}]" for k, x in enumerate(sorted(kept))}
        self.cells = len(kept)
        found: list[list[str]] = [[] for _ in range(max(parts, default=0) + 1)]
        for node, part in enumerate(parts):
            if node not in self._names or node in kept:
                found[part].append(self._statement(node))
            found[part] += [line.format(self._names[node]) for line in results.get(node, ())]
        self.bodies = ["\n".join(lines) for lines in found]

    def _plain(self, node: int) -> str:
        """Return an input or constant as C."""
        if node < self._program.inputs:
            return f"in[{node}]"
        code = number_code(self._program.constants[node])
        return f"({code})" if code.startswith("-") else code

    def _parts(self) -> list[int]:
        """Return the function in which each node is computed."""
        parts, part, lines = [], 0, 0
        for node, args in enumerate(self._program.args):
            if lines > _LINES:
                part, lines = part + 1, 0
            parts.append(part)
            lines += 0 if node in self._names else 1 + len(args) // (2 * _TERMS)
        return parts

    def _statement(self, node: int) -> str:
        """Return the statement that computes a node."""
        op, names = self._program.ops[node], self._names
        read = [names[x] for x in self._program.args[node]]
        if op is PRODUCTS:
            code = self._sum(self._program.args[node])
        else:
            assert isinstance(op, Elementwise | Partial), f"{op.name} has been left in a program"
            code = self._operations.code(op).format(*read)
        if node in names:
            return f"{names[node]} = {code};"
        names[node] = f"v{node}"
        return f"const double v{node} = {code};"

    def _sum(self, args: Sequence[int]) -> str:
        names, one = self._names, self._program.one
        pairs = zip(args[::2], args[1::2], strict=True)
        terms = (names[a] if b == one else f"{names[a]} * {names[b]}" for a, b in pairs)
        lines = []
        while some := [*islice(terms, _TERMS)]:
            lines.append(" + ".join(some))
        return "\n    + ".join(lines)
