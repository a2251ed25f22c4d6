"""Write a program as statements of C, with placeholders for what each reads and writes.

A single number becomes a variable; a node with lanes becomes a row of cells of the workspace ``m``,
which a loop fills. `c_parts` decides later which variables are in the workspace, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.compiler.passes.kinds import (
    BATCH,
    CONSTANT,
    INPUT,
    PRODUCTS,
    SCATTER,
    TAKE,
    UNBATCH,
    OverLanes,
    Total,
)
from scalargrad.compiler.passes.partial import Partial
from scalargrad.compiler.passes.program import Program
from scalargrad.export.c_operations import INDEX, Operations
from scalargrad.table.c import number_code
from scalargrad.table.operation import Elementwise

#: A sum of more terms than this is written as several statements.
STRETCH = 32
#: A row of at least this many constants becomes a table of the file.
_TABLE = 8

_AT = """\
static double sg_at(double index, long place, long size, double x) {
  return sg_index(index, size) == place ? x : 0.0;
}"""


class CStatement(NamedTuple):
    """One statement, or a loop.

    Attributes
    ----------
    code : str
        With ``{0}``, ``{1}``, … for the nodes it reads; ``{new}`` declares the node it writes as
        a constant, ``{first}`` as a variable, and ``{self}`` refers to it.
    reads : tuple of int
        The nodes it reads.
    writes : int
        The node it writes, or -1.
    lanes : int
        If more than 1, the number of iterations of a loop over ``i`` around it.
    """

    code: str
    reads: tuple[int, ...] = ()
    writes: int = -1
    lanes: int = 1

    @property
    def cost(self) -> int:
        """The approximate number of lines."""
        return 1 + len(self.reads) // 8


class Statements:
    """The statements of a program, in order.

    Attributes
    ----------
    listed : list of CStatement
    functions : dict from str to str
        The sources of the functions that they call, by name.
    sizes : list of int
        The number of lanes of each node, including nodes that are added here.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self.sizes = program.sizes()
        self.listed: list[CStatement] = []
        self._operations = Operations()
        self.functions = self._operations.functions
        self._rows: dict[tuple[int, ...], int] = {}
        self._tables = 0

    def is_plain(self, node: int) -> bool:
        """Return whether a node is an input or constant, for which there is no statement."""
        if node >= len(self.program):
            return False
        return self.program.ops[node] in {INPUT, CONSTANT}

    def plain_text(self, node: int) -> str:
        """Return an input or constant as C."""
        if self.program.ops[node] is INPUT:
            return f"in[{node}]"
        code = number_code(self.program.constants[node])
        return f"({code})" if code.startswith("-") else code

    def add(self, node: int) -> None:
        """Write the statements that compute a node."""
        op, args = self.program.ops[node], self.program.args[node]
        if op is UNBATCH:
            place = int(self.program.constants[args[1]])
            self._make(node, f"{{new}} = {{0}}[{place}];", args[:1])
        elif op is BATCH:
            self._stack(node, args)
        elif op is PRODUCTS:
            self._sum(node, *_in_pairs(self._products(args)))
        elif op is TAKE:
            self._take(node, args)
        elif op is SCATTER or isinstance(op, OverLanes):
            terms = self._products(args) if isinstance(op, Total) else self._scattered(args)
            write = self._total if isinstance(op, OverLanes) else self._sum
            write(node, *_in_pairs(terms))
        else:
            assert isinstance(op, Elementwise | Partial), f"{op.name} has been left in a program"
            code = self._operations.code(op)
            self._make(node, f"{{new}} = {code};", args)

    def _make(self, node: int, code: str, reads: Sequence[int]) -> None:
        self.listed.append(CStatement(code, tuple(reads), node, self.sizes[node]))

    def _new(self, size: int) -> int:
        self.sizes.append(size)
        return len(self.sizes) - 1

    def _products(self, args: Sequence[int]) -> list[tuple[str, tuple[int, ...]]]:
        """Return the terms of a sum, each with the nodes it reads."""
        one = self.program.one
        pairs = zip(args[::2], args[1::2], strict=True)
        return [("{}", (a,)) if b == one else ("{} * {}", (a, b)) for a, b in pairs]

    def _scattered(self, args: Sequence[int]) -> list[tuple[str, tuple[int, ...]]]:
        self.functions["sg_index"] = INDEX
        self.functions["sg_at"] = _AT
        place, size = (int(self.program.constants[x]) for x in args[:2])
        pairs = zip(args[2::2], args[3::2], strict=True)
        return [(f"sg_at({{}}, {place}, {size}, {{}})", pair) for pair in pairs]

    def _sum(self, node: int, codes: list[str], reads: list[tuple[int, ...]]) -> None:
        """Write a sum; a long one as several, each of which is the first term of the next."""
        before: int | None = None
        for k in range(0, len(codes), STRETCH):
            last = k + STRETCH >= len(codes)
            made = node if last else self._new(self.sizes[node])
            terms = codes[k : k + STRETCH] if before is None else ["{}", *codes[k : k + STRETCH]]
            read = [x for some in reads[k : k + STRETCH] for x in some]
            read = read if before is None else [before, *read]
            self._make(made, f"{{new}} = {_counted(_added(terms))};", read)
            before = made

    def _total(self, node: int, codes: list[str], reads: list[tuple[int, ...]]) -> None:
        """Write a sum over lanes."""
        read = [x for some in reads for x in some]
        lanes = max(self.sizes[x] for x in read)
        body = _counted(_added(codes))
        code = f"{{first}} = 0.0;\nfor (long i = 0; i < {lanes}; i++) {{self}} += {body};"
        self.listed.append(CStatement(code, tuple(read), node))

    def _take(self, node: int, args: Sequence[int]) -> None:
        self.functions["sg_index"] = INDEX
        index, *values = args
        n = len(values)
        if all(self.sizes[x] == 1 for x in values):
            row = self._row(tuple(values))
            if isinstance(row, str):
                self._make(node, f"{{new}} = {row}[sg_index({{0}}, {n})];", [index])
            else:
                code = f"{{new}} = {{1}}[sg_index({{0}}, {n})];"
                self.listed.append(CStatement(code, (index, row), node, self.sizes[node]))
            return
        self.functions["sg_at"] = _AT
        cases = [f"sg_at({{}}, {k}, {n}, 1.0) != 0.0 ? {{}} : " for k in range(n - 1)]
        reads = [x for value in values[:-1] for x in (index, value)]
        self._make(node, f"{{new}} = {_counted(''.join(cases) + '{}')};", [*reads, values[-1]])

    def _row(self, values: tuple[int, ...]) -> str | int:
        """Return an array of single numbers: its name in C, or a node."""
        if all(x in self.program.constants for x in values):
            return self._table(values)
        if values not in self._rows:
            self._rows[values] = self._new(len(values))
            self._stack(self._rows[values], values)
        return self._rows[values]

    def _table(self, values: Sequence[int]) -> str:
        """Return the name of a table of constants."""
        name = f"table_{self._tables}"
        self._tables += 1
        numbers = [number_code(self.program.constants[x]) for x in values]
        lines = [", ".join(numbers[k : k + 8]) for k in range(0, len(numbers), 8)]
        shown = ",\n  ".join(lines)
        self.functions[name] = f"static const double {name}[{len(values)}] = {{\n  {shown}}};"
        return name

    def _stack(self, node: int, args: Sequence[int]) -> None:
        """Write numbers into the cells of a row, with loops for runs of inputs and constants."""
        start = 0
        while start < len(args):
            stop, source = self._stretch(args, start)
            count = stop - start
            if source:
                step = f"for (long i = 0; i < {count}; i++) {{self}}[{start} + i] = {source};"
                self.listed.append(CStatement(step, (), node))
            else:
                self.listed.append(CStatement(f"{{self}}[{start}] = {{0}};", (args[start],), node))
            start = stop

    def _stretch(self, args: Sequence[int], start: int) -> tuple[int, str]:
        """Return the end of a run that a loop can write, and the code of its number ``i``."""
        ops, constants = self.program.ops, self.program.constants
        first = stop = start
        while stop < len(args) and args[stop] in constants:
            stop += 1
        if stop - first >= _TABLE:
            return stop, f"{self._table(args[first:stop])}[i]"
        if ops[args[first]] is not INPUT or first + 1 == len(args):
            return first + 1, ""
        step = args[first + 1] - args[first]
        stop = first + 1
        while stop < len(args) and args[stop] - args[stop - 1] == step:
            if ops[args[stop]] is not INPUT:
                break
            stop += 1
        if stop - first < 3:
            return first + 1, ""
        return stop, f"in[{args[first]} + {step} * i]".replace("+ 1 * i", "+ i")


def _in_pairs(
    terms: list[tuple[str, tuple[int, ...]]],
) -> tuple[list[str], list[tuple[int, ...]]]:
    return [code for code, _ in terms], [reads for _, reads in terms]


def _added(terms: list[str]) -> str:
    """Return the sum of some terms, four to a line."""
    lines = [" + ".join(terms[k : k + 4]) for k in range(0, len(terms), 4)]
    return "\n    + ".join(lines)


def _counted(code: str) -> str:
    """Return a text with its placeholders ``{}`` numbered from 0."""
    parts = code.split("{}")
    return parts[0] + "".join(f"{{{k}}}{part}" for k, part in enumerate(parts[1:]))
