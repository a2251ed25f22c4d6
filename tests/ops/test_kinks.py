"""Domain.gap: the declared kinks and jumps agree with one-sided difference quotients."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import pytest
from tests.inner import TABLE, FixedArityOperation, Operation

from scalargrad import ScalargradError

#: Numbers at which operations have kinks, jumps and ties, and some numbers between them.
SPECIAL = (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 0.3, -0.7)
H = 1e-6


def value(op: Operation, point: tuple[float, ...]) -> float:
    """Return the value of an operation at a point, or nan outside its domain."""
    try:
        result: float = op.of(*point)
    except ScalargradError:
        return math.nan
    return result


def slopes(op: Operation, point: tuple[float, ...]) -> Iterator[tuple[float, float]]:
    """Yield the left and right difference quotients for each operand."""
    middle = value(op, point)
    for i, x in enumerate(point):
        left, right = (value(op, (*point[:i], x + h, *point[i + 1 :])) for h in (-H, H))
        yield (middle - left) / H, (right - middle) / H


@pytest.mark.parametrize("op", TABLE.values(), ids=list(TABLE))
def test_domain_gap_is_0_where_one_sided_slopes_differ(op: Operation) -> None:
    """Step pages say at these points that the slope is a convention."""
    arity = op.arity if isinstance(op, FixedArityOperation) else 2
    for point in itertools.product(SPECIAL, repeat=arity):
        if not math.isfinite(value(op, point)):
            continue
        for left, right in slopes(op, point):
            if abs(right - left) > 1e-3 * max(1.0, abs(left), abs(right)):
                assert op.domain.gap is not None, point
                assert op.domain.gap(*point) == 0.0, point


#: Operations whose one-sided slopes may agree at a kink: equal branches, empty intervals, values
#: that differ at a single point, a vertical tangent.
MAY_AGREE = {"where", "clip", "logical_and", "sign", "cbrt"}


@pytest.mark.parametrize("name", sorted({*TABLE} - MAY_AGREE))
def test_domain_gap_is_0_only_where_one_sided_slopes_differ(name: str) -> None:
    """Otherwise a step page would call a true derivative a convention."""
    op = TABLE[name]
    if op.domain.gap is None:
        return
    arity = op.arity if isinstance(op, FixedArityOperation) else 2
    for point in itertools.product(SPECIAL, repeat=arity):
        if math.isfinite(value(op, point)) and op.domain.gap(*point) == 0.0:
            found = [pair for pair in slopes(op, point) if not any(map(math.isnan, pair))]
            assert any(
                abs(right - left) > 1e-3 * max(1.0, abs(left), abs(right)) for left, right in found
            ), point
