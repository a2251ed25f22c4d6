"""Packed programs as C: one loop for all numbers that are computed alike.

Written one by one, tens of thousands of operations would be as many lines, each of which takes a C
compiler a quarter of a millisecond. Packed, they are a few loops over an array, with tables of
indices for irregular accesses.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.compiler.packing.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    Packed,
    Products,
    Scatter,
    Take,
)
from scalargrad.compiler.passes.partial import Partial
from scalargrad.export.c_operations import Operations, initial_code
from scalargrad.table.operation import Elementwise

#: About how many lines a function has at most.
_LINES = 300
#: A loop of so few steps is written out.
_FEW = 2
#: Up to this many products are written out; for more, the addresses are tables.
_WRITTEN = 8

_INDEX = """\
static long sg_index(double index, long size) {
  if (!(index >= -size && index < size)) return 0;
  return index < 0.0 ? (long)index + size : (long)index;
}"""
_IS_INDEX = """\
static int sg_is_index(double index, long size) {
  return index >= -size && index < size && index == floor(index);
}"""


class PackedStatements:
    """The statements of a packed program, in functions of bounded size.

    Attributes
    ----------
    bodies : list of str
    functions : dict from str to str
        The sources of the functions and tables that they need, by name.
    cells : int
        The size of the memory.
    initial : str
        What it holds at first.
    """

    def __init__(self, packed: Packed) -> None:
        self._operations = Operations()
        self.functions = self._operations.functions
        self.cells, self.initial = max(1, len(packed.memory)), initial_code(packed.memory)
        self.bodies: list[str] = []
        lines: list[str] = []
        for instruction in packed.instructions:
            lines += _WRITERS[type(instruction)](self, instruction)
            if len(lines) > _LINES:
                self.bodies.append("\n".join(lines))
                lines = []
        if lines or not self.bodies:
            self.bodies.append("\n".join(lines))

    def apply(self, step: Apply) -> list[str]:
        """Write an operation applied to each lane."""
        assert isinstance(step.op, Elementwise | Partial), f"{step.op.name} was left"
        code = self._operations.code(step.op)

        def line(i: str) -> str:
            operands = [cell_code(Affine(x, 0, 1), "0", i) for x in step.operands]
            return f"{cell_code(Affine(step.out, 0, 1), '0', i)} = {code.format(*operands)};"

        return _repeated(step.lanes, line)

    def copy(self, step: Copy) -> list[str]:
        """Write numbers brought together from regular distances."""
        target = Affine(step.out, step.columns, 1)
        return _over_grid(
            step.rows,
            step.columns,
            lambda i, j: [f"{cell_code(target, i, j)} = {cell_code(step.source, i, j)};"],
        )

    def gather(self, step: Gather) -> list[str]:
        """Write numbers brought together from anywhere."""
        if len(step.sources) <= _FEW:
            return [f"m[{step.out + k}] = m[{x}];" for k, x in enumerate(step.sources.tolist())]
        read = self._operations.entry(step.sources, "i")
        return [f"for (long i = 0; i < {len(step.sources)}; i++) m[{step.out} + i] = m[{read}];"]

    def products(self, step: Products) -> list[str]:
        """Write sums of products of what lies at regular distances."""
        target = Affine(step.out, step.columns, 1)

        def lines(i: str, j: str) -> list[str]:
            written = [f"double s = {cell_code(step.start, i, j)};"]
            for run in step.runs:
                written += _repeated(
                    run.terms,
                    lambda t, run=run: (
                        f"s += {cell_code(run.a, i, j, t)} * {cell_code(run.b, i, j, t)};"
                    ),  # type: ignore[misc]
                    "t",
                )
            return ["{", *_indented(written), f"  {cell_code(target, i, j)} = s;", "}"]

        return _over_grid(step.rows, step.columns, lines)

    def gathered_products(self, step: GatheredProducts) -> list[str]:
        """Write sums of products of what lies anywhere."""
        lanes, terms = step.a.shape
        if lanes * terms <= _WRITTEN:
            return [
                f"m[{step.out + k}] = m[{start}] + "
                + " + ".join(f"m[{x}] * m[{y}]" for x, y in zip(a, b, strict=True))
                + ";"
                for k, (start, a, b) in enumerate(
                    zip(step.start.tolist(), step.a.tolist(), step.b.tolist(), strict=True)
                )
            ]
        start = self._operations.entry(step.start, "i")
        a, b = (self._operations.entry(x, f"i * {terms} + t") for x in (step.a, step.b))
        return [
            f"for (long i = 0; i < {lanes}; i++) {{",
            f"  double s = m[{start}];",
            f"  for (long t = 0; t < {terms}; t++) s += m[{a}] * m[{b}];",
            f"  m[{step.out} + i] = s;",
            "}",
        ]

    def take(self, step: Take) -> list[str]:
        """Write an entry of a table looked up in each lane."""
        self.functions.update(sg_index=_INDEX, sg_is_index=_IS_INDEX)
        place, base, stride, size = (self._operations.entry(x, "i") for x in step[1:])
        return [
            f"for (long i = 0; i < {len(step.place)}; i++) {{",
            f"  const double index = m[{place}];",
            f"  const long cell = {base} + ({stride}) * sg_index(index, {size});",
            f"  m[{step.out} + i] = sg_is_index(index, {size}) ? m[cell] : NAN;",
            "}",
        ]

    def scatter(self, step: Scatter) -> list[str]:
        """Write rows to whose entries numbers are added."""
        self.functions.update(sg_index=_INDEX, sg_is_index=_IS_INDEX)
        rows, terms = step.place.shape
        start, size = (self._operations.entry(x, "r") for x in (step.start, step.size))
        at = f"r * {terms} + t"
        place, values = (self._operations.entry(x, at) for x in (step.place, step.values))
        return [
            f"for (long i = 0; i < {int(step.size.sum())}; i++) m[{step.out} + i] = 0.0;",
            f"for (long r = 0; r < {rows}; r++) {{",
            f"  for (long t = 0; t < {terms}; t++) {{",
            f"    const double index = m[{place}];",
            f"    const long cell = {step.out} + {start} + sg_index(index, {size});",
            f"    if (sg_is_index(index, {size})) m[cell] += m[{values}];",
            "  }",
            "}",
        ]


_WRITERS: dict[type[Instruction], Callable[[PackedStatements, Any], list[str]]] = {
    Apply: PackedStatements.apply,
    Copy: PackedStatements.copy,
    Gather: PackedStatements.gather,
    Products: PackedStatements.products,
    GatheredProducts: PackedStatements.gathered_products,
    Take: PackedStatements.take,
    Scatter: PackedStatements.scatter,
}


def cell_code(place: Affine, i: str, j: str, t: str = "0") -> str:
    """Return the cell of a row, column and term, each of them a variable or a number."""
    base, moved = place.base, []
    for index, distance in ((i, place.outer), (j, place.inner), (t, place.term)):
        if index.isdigit():
            base += int(index) * distance
        elif distance:
            moved.append(index if distance == 1 else f"{distance} * {index}")
    shown = [str(base), *moved] if base or not moved else moved
    return f"m[{' + '.join(shown)}]".replace("+ -", "- ")


def _repeated(count: int, line: Callable[[str], str], index: str = "i") -> list[str]:
    """Return a line for each number, or a loop over them."""
    if count <= _FEW:
        return [line(str(k)) for k in range(count)]
    return [f"for (long {index} = 0; {index} < {count}; {index}++) {line(index)}"]


def _over_grid(rows: int, columns: int, lines: Callable[[str, str], list[str]]) -> list[str]:
    """Return lines for each row and column, or loops over them."""
    i, j = "0" if rows == 1 else "i", "0" if columns == 1 else "j"
    found = lines(i, j)
    if columns > 1:
        found = [f"for (long j = 0; j < {columns}; j++) {{", *_indented(found), "}"]
    if rows > 1:
        found = [f"for (long i = 0; i < {rows}; i++) {{", *_indented(found), "}"]
    return found


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"  {line}" for line in lines]
