"""Kinks and jumps: what the table declares, held against difference quotients of both sides."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
from tests.inner import TABLE, Elementwise, Operation

from scalargrad import ScalargradError

#: Numbers at which operations have kinks, jumps and ties, and some between.
SPECIAL = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 0.3, -0.7)
H = 1e-6


def value(op: Operation, point: tuple[float, ...]) -> float:
    """Return what an operation gives at a point; nan outside its domain."""
    try:
        result: float = op.of(*point)
    except ScalargradError:
        return math.nan
    return result


def slopes(op: Operation, point: tuple[float, ...]) -> Iterator[tuple[float, float]]:
    """Yield the difference quotients to the left and to the right, for each operand."""
    middle = value(op, point)
    for i, x in enumerate(point):
        left, right = (value(op, (*point[:i], x + h, *point[i + 1 :])) for h in (-H, H))
        yield (middle - left) / H, (right - middle) / H


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_gap_is_0_wherever_both_sides_have_different_slopes(op: Operation) -> None:
    """Pages say at these points that a slope is a convention."""
    arity = op.arity if isinstance(op, Elementwise) else 2
    for point in itertools.product(SPECIAL, repeat=arity):
        if not math.isfinite(value(op, point)):
            continue
        for left, right in slopes(op, point):
            if abs(right - left) > 1e-3 * max(1.0, abs(left), abs(right)):
                assert op.domain.gap is not None, point
                assert op.domain.gap(*point) == 0.0, point


#: Where the slopes of both sides are equal by chance: arms that agree, empty intervals, values
#: that differ at one point alone, a vertical tangent.
BY_CHANCE = {"where", "clip", "logical_and", "sign", "cbrt"}


@pytest.mark.parametrize("name", sorted({*TABLE} - BY_CHANCE))
def test_gap_is_0_nowhere_else(name: str) -> None:
    """Else a page would call a slope a convention that is a derivative."""
    op = TABLE[name]
    if op.domain.gap is None:
        return
    arity = op.arity if isinstance(op, Elementwise) else 2
    for point in itertools.product(SPECIAL, repeat=arity):
        if math.isfinite(value(op, point)) and op.domain.gap(*point) == 0.0:
            found = [pair for pair in slopes(op, point) if not any(map(math.isnan, pair))]
            assert any(
                abs(right - left) > 1e-3 * max(1.0, abs(left), abs(right)) for left, right in found
            ), point
