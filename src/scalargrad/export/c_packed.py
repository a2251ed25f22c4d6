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
from scalargrad.export.c_operations import INDEX, Operations, rows_of
from scalargrad.table.c import number_code
from scalargrad.table.operation import Elementwise

#: About how many lines a function has at most.
_LINES = 300
#: A loop of so few steps is written out.
_FEW = 2
#: Up to this many products are written out; for more, the addresses are tables.
_WRITTEN = 8

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
    """

    def __init__(self, packed: Packed) -> None:
        self._operations = Operations()
        self.functions = self._operations.functions
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
        table = self._operations.table(step.sources)
        return _repeated(
            len(step.sources),
            lambda i: f"{cell_code(Affine(step.out, 0, 1), '0', i)} = m[{table}[{i}]];",
        )

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
        start, a, b = map(self._operations.table, (step.start, step.a, step.b))
        at = f"i * {terms} + t"
        return [
            f"for (long i = 0; i < {lanes}; i++) {{",
            f"  double s = m[{start}[i]];",
            f"  for (long t = 0; t < {terms}; t++) s += m[{a}[{at}]] * m[{b}[{at}]];",
            f"  m[{step.out} + i] = s;",
            "}",
        ]

    def take(self, step: Take) -> list[str]:
        """Write an entry of a table looked up in each lane."""
        self.functions.update(sg_index=INDEX, sg_is_index=_IS_INDEX)
        place, base, stride, size = map(
            self._operations.table, (step.place, step.base, step.stride, step.size)
        )
        return [
            f"for (long i = 0; i < {len(step.place)}; i++) {{",
            f"  const double index = m[{place}[i]];",
            f"  const long cell = {base}[i] + {stride}[i] * sg_index(index, {size}[i]);",
            f"  m[{step.out} + i] = sg_is_index(index, {size}[i]) ? m[cell] : NAN;",
            "}",
        ]

    def scatter(self, step: Scatter) -> list[str]:
        """Write rows to whose entries numbers are added."""
        self.functions.update(sg_index=INDEX, sg_is_index=_IS_INDEX)
        rows, terms = step.place.shape
        start, size, place, values = map(
            self._operations.table, (step.start, step.size, step.place, step.values)
        )
        at = f"r * {terms} + t"
        return [
            f"for (long i = 0; i < {int(step.size.sum())}; i++) m[{step.out} + i] = 0.0;",
            f"for (long r = 0; r < {rows}; r++) {{",
            f"  for (long t = 0; t < {terms}; t++) {{",
            f"    const double index = m[{place}[{at}]];",
            f"    const long cell = {step.out} + {start}[r] + sg_index(index, {size}[r]);",
            f"    if (sg_is_index(index, {size}[r])) m[cell] += m[{values}[{at}]];",
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


def memory_of(packed: Packed) -> str:
    """Return the declaration of the memory, with the constants in it."""
    numbers = packed.memory.tolist()
    while numbers and numbers[-1].hex() == "0x0.0p+0":
        numbers.pop()
    shown = rows_of(map(number_code, numbers or [0.0]))
    return f"static double m[{max(1, len(packed.memory))}] = {{\n{shown}}};"


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
