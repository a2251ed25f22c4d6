"""Every operation of the table computes compiled what it computes eagerly."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from scalargrad import Value, grad, gradients, jit, vmap
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise, Reduction

OPS = sorted(TABLE)
LANES = 9
_SCALE = math.sqrt(2.0 / math.pi)  # of the tanh in GELU
SPECIAL = (0.0, -0.0, 1.0, -1.0, math.inf, -math.inf, math.nan, 1e300, -745.5, 0.5)

pytestmark = pytest.mark.usefixtures("backend")


def agree(a: float, b: float, scale: float = 0.0) -> bool:
    """Return whether numbers are equal to rounding, with NaN, infinities and signs of zero."""
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    if math.isinf(a) or math.isinf(b):
        return a == b
    if a == b == 0.0:
        return math.copysign(1.0, a) == math.copysign(1.0, b) or scale > 0.0
    return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12 * scale)


def arity_of(op: Any) -> int:
    """Return how many operands to try an operation with."""
    if isinstance(op, Elementwise):
        return op.arity
    return 6 if op.name == "dot" else 4


def sample(op: Any, generator: random.Random) -> list[float]:
    """Return operands from the op's domain."""
    intervals = [op.domain.interval(i) for i in range(arity_of(op))]
    return [generator.uniform(*interval) for interval in intervals]


@pytest.mark.alike
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("name", OPS)
def test_values_and_gradients_agree_with_eager(name: str, mapped: bool) -> None:
    """At points of the domain, lanes, looped or mapped, give eager values and gradients."""
    op = TABLE[name]
    generator = random.Random(name)
    points = [sample(op, generator) for _ in range(LANES)]

    def several(points: list[list[Any]]) -> list[Any]:
        return [op.of(*point) for point in points]

    compiled = jit(vmap(lambda point: op.of(*point)) if mapped else several)
    leaves = [[Value(x) for x in point] for point in points]
    for eager, mine in zip(several(leaves), compiled(leaves), strict=True):
        assert agree(mine.data, eager.data)
        expected = gradients(eager, leaves, allow_nonfinite=True)
        found = gradients(mine, leaves, allow_nonfinite=True)
        for a, b in zip(itertools.chain(*found), itertools.chain(*expected), strict=True):
            assert agree(a, b, 1.0)


@pytest.mark.alike
@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("name", OPS)
def test_values_at_special_numbers_agree_with_eager(name: str, mapped: bool) -> None:
    """NaN, infinities, signed zeros and huge numbers come out as they do eagerly."""
    op = TABLE[name]
    if isinstance(op, Reduction):
        points = [list(p) for p in itertools.product(SPECIAL, repeat=2)]
    else:
        points = [list(p) for p in itertools.product(SPECIAL, repeat=arity_of(op))]

    def several(points: list[list[Any]]) -> list[Any]:
        return [op.of(*point, checked=False) for point in points]

    together = vmap(lambda point: op.of(*point, checked=False))
    found = jit(together if mapped else several)(points)
    for point, mine in zip(points, found, strict=True):
        if isinstance(op, Reduction):
            eager = op.of_floats(*point)
        else:
            eager = op.of_floats_unchecked(*point)
        assert agree(mine, eager), (name, point, mine, eager)


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("softplus", -1.0 / 8.0),
        ("silu", -1.0 / 2.0),
        ("gelu_tanh", 12.0 * _SCALE * (0.044715 - _SCALE**2 / 3.0)),
        ("tanh", 0.0),
    ],
)
def test_a_fourth_derivative_at_0_is_that_of_the_taylor_series(
    name: str, expected: float, mapped: bool
) -> None:
    """No derivative passes through the -|x| that a sigmoid is computed from, which has a kink."""
    fourth = grad(grad(grad(grad(TABLE[name].of))))
    found = jit(vmap(fourth))([0.0] * LANES)[-1] if mapped else jit(fourth)(0.0)
    assert found == pytest.approx(expected, rel=1e-12)
