"""Every operation of the table written in C, beside Python.

The cases are generated from the table: a new operation is tested here without a line being added.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from typing import Any

import pytest
from tests.export.compiling import compiled

from scalargrad.compiler.passes.kinds import INPUT, Op
from scalargrad.compiler.passes.lower import lower
from scalargrad.compiler.passes.partial import partial
from scalargrad.compiler.passes.program import Program
from scalargrad.export.c_file import c_files
from scalargrad.export.exported import Exported
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise, Operation

#: Agreement promised, relative; at the end of the float range, some of its smallest steps.
RELATIVE, SMALLEST = 1e-12, 20 * 5e-324
EXTREMES = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -3.0),
    *(5e-324, -5e-324, 1e308, -1e308, 2.0, 20.0, -40.0, 711.0, -744.0, 1e-9, 1e17),
)
ARITY = 3  # of those that take any number of operands

every_operation = pytest.mark.parametrize("name", list(TABLE))


def arity_of(op: Operation) -> int:
    """Return with how many operands an operation is tried."""
    return op.arity if isinstance(op, Elementwise) else ARITY


def points(op: Operation) -> Iterator[tuple[float, ...]]:
    """Yield points of the operation's domain, then every mixture of extreme numbers."""
    generator = random.Random(op.name)
    arity = arity_of(op)
    for _ in range(40):
        yield tuple(generator.uniform(*op.domain.interval(i)) for i in range(arity))
    if isinstance(op, Elementwise):
        yield from itertools.product(EXTREMES if arity < 3 else EXTREMES[:12], repeat=arity)


def program_of(op: Operation) -> Program:
    """Return a program of an operation, and its partials where it has so many operands."""
    arity = arity_of(op)
    ops: list[Op] = [*[INPUT] * arity, op]
    args: list[tuple[int, ...]] = [*[()] * arity, tuple(range(arity))]
    if not isinstance(op, Elementwise):
        return lower(Program(arity, ops, args, outputs=[arity]))
    for i in range(arity):
        local = partial(op, i)
        ops.append(local)
        args.append(tuple([arity if k == 0 else k - 1 for k in local.uses]))
    return Program(arity, ops, args, outputs=list(range(arity, len(ops))))


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Compile a function for each operation."""
    folder = tmp_path_factory.mktemp("operations")
    sources = []
    for name, op in TABLE.items():
        program = program_of(op)
        inputs = [f"x{i}" for i in range(program.inputs)]
        outputs = [f"y{i}" for i in range(len(program.outputs))]
        files = c_files(Exported(f"op_{name}", program, inputs, outputs, (), is_written=True))
        for suffix, text in files.items():
            (folder / f"op_{name}{suffix}").write_text(text)
        sources.append(folder / f"op_{name}.c")
    return compiled(sources)


def expected(op: Operation, point: tuple[float, ...]) -> list[float]:
    """Return value and partials as Python has them, outside the domain too."""
    value = op.of_floats_unchecked(*point)
    if not isinstance(op, Elementwise):
        return [value]
    locals_ = [partial(op, i) for i in range(op.arity)]
    known = (value, *point)
    return [value, *(x.of_floats_unchecked(*[known[k] for k in x.uses]) for x in locals_)]


def agree(found: float, wanted: float) -> bool:
    """Return whether two floats are the same but for rounding; 0 and -0 are not."""
    if not math.isfinite(wanted) or wanted == 0.0 == found:
        return repr(abs(found) if wanted != wanted else found) == repr(wanted)
    return math.isclose(found, wanted, rel_tol=RELATIVE, abs_tol=SMALLEST)


@every_operation
def test_c_agrees_with_python(functions: dict[str, Any], name: str) -> None:
    """Value and every partial, in the domain and at the ends of the floats."""
    op = TABLE[name]
    for point in points(op):
        wanted = expected(op, point)
        found = functions[f"op_{name}"](point)
        agreeing = all(map(agree, found, wanted))
        assert agreeing, f"{name}{point}: C has {found}, Python {wanted}"
