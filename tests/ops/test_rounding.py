"""Whole division, its remainder and rounding: Python's values, PyTorch's slopes."""

from __future__ import annotations

import builtins
import itertools
import math
import operator
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from scalargrad import DomainError, OperandError, Value, custom_op, grad, gradients, jit, ops, vmap

FINITE = st.floats(allow_nan=False, allow_infinity=False)
POINTS = (7.5, -7.5, 6.0, -6.0, 0.0, 0.3, 1e17, -1e17)
DIVISORS = (2.0, -2.0, 0.1, -3.0, 1e-3, math.inf, -math.inf)


@given(x=FINITE, y=FINITE)
def test_operators_give_pythons_numbers(x: float, y: float) -> None:
    """%, // and divmod give to the bit what Python gives for floats, Values on either side."""
    assume(y != 0.0)
    for operate in (operator.mod, operator.floordiv, lambda a, b: divmod(a, b)[0]):
        expected = operate(x, y).hex()
        for a, b in ((Value(x), Value(y)), (Value(x), y), (x, Value(y))):
            assert operate(a, b).data.hex() == expected
    assert divmod(x, Value(y))[1].data.hex() == (x % y).hex()


def test_slopes_are_pytorchs() -> None:
    """Both partials are those of torch.remainder and torch.floor_divide, where y divides x too."""
    torch = pytest.importorskip("torch", reason="the slopes are PyTorch's: it is the oracle")
    for (x, y), name in itertools.product(
        itertools.product(POINTS, DIVISORS), ("remainder", "floor_divide")
    ):
        theirs = [torch.tensor(z, dtype=torch.float64, requires_grad=True) for z in (x, y)]
        if name == "remainder":
            result = torch.remainder(*theirs)
            expected = [z.item() for z in torch.autograd.grad(result, theirs)]
        else:
            result = torch.floor_divide(*[z.detach() for z in theirs])
            expected = [0.0, 0.0]
        leaves = [Value(x), Value(y)]
        node = vars(ops)[name](*leaves)
        assert node.data == pytest.approx(result.item(), rel=1e-15), (x, y)
        assert gradients(node, leaves, allow_nonfinite=True) == pytest.approx(
            expected, rel=1e-15
        ), (x, y)


def test_an_angle_is_wrapped_with_slope_one() -> None:
    """Taken modulo 2π, an angle moves as it did before; a period of y wraps with slope -⌊x/y⌋."""
    assert grad(lambda x: x % (2 * math.pi))(10.0) == 1.0
    assert grad(lambda y: 10.0 % y)(3.0) == -3.0
    assert grad(lambda y: -10.0 % y)(3.0) == 4.0
    assert grad(lambda x: x // 3.0)(10.0) == 0.0


@pytest.mark.parametrize("operate", [operator.mod, operator.floordiv, divmod])
def test_division_by_zero_is_outside_the_domain(operate: Any) -> None:
    """A divisor of 0 raises where it stands; unchecked, NumPy's number comes out."""
    for operands in ((Value(1.0), 0), (1, Value(0.0)), (Value(1.0), Value(-0.0))):
        with pytest.raises(DomainError, match="needs y != 0"):
            operate(*operands)
    with np.errstate(all="ignore"):
        for x, y in itertools.product((1.0, -1.0, 0.0, math.inf, math.nan), (0.0, -0.0)):
            for op, reference in ((ops.remainder, np.mod), (ops.floor_divide, np.floor_divide)):
                expected = float(reference(x, y))
                assert op.of(x, y, checked=False) == pytest.approx(expected, nan_ok=True)


@given(FINITE)
def test_rounding_goes_to_the_nearest_and_halves_to_the_even(x: float) -> None:
    """Rounding gives NumPy's whole number, zero with its sign, as ``round`` and as ``rint``."""
    expected = float(np.rint(x)).hex()
    assert ops.rint(x).hex() == expected
    assert builtins.round(Value(x)).data.hex() == expected
    assert Value(x).rint().data.hex() == expected


@pytest.mark.parametrize("ndigits", [1, 2, -1, -2, 0])
@pytest.mark.parametrize("x", [1234.5678, -0.05, 2.5, 149.99])
def test_rounding_to_digits_is_numpys(x: float, ndigits: int) -> None:
    """``round(v, n)`` is a Value with np.round's number and slope 0."""
    v = Value(x)
    rounded = builtins.round(v, ndigits)
    assert rounded.data == pytest.approx(float(np.round(x, ndigits)), rel=1e-15)
    assert gradients(rounded, v) == 0.0


def test_partials_of_a_custom_operation_may_use_the_operators() -> None:
    """% and // on the symbols of a declaration stand for the operations, numbers on either side."""
    wave = custom_op(partials=lambda y, x: (x % 2.0 + 7.0 % x + x // 2.0 + 7.0 // x,))(
        lambda x: 0.0
    )
    assert grad(wave)(3.0) == 1.0 + 1.0 + 1.0 + 2.0


@pytest.mark.usefixtures("backend")
def test_compiled_programs_divide_and_round_alike() -> None:
    """Compiled, the operators give eager numbers and slopes, at jumps and for either sign."""

    def f(x: Any, y: Any) -> Any:
        quotient, rest = divmod(x, y)
        return quotient * 10.0 + rest * rest + round(x * 1.5, 1) + 5.0 % y + (-3.0) // y

    pairs = [(x, y) for x in (7.5, -7.5, 6.0, 0.3) for y in (2.0, -2.0, 0.7)]
    compiled, slope = jit(f), jit(grad(f, (0, 1)))
    for pair in pairs:
        assert compiled(*pair) == pytest.approx(f(*pair), rel=1e-12)
        assert slope(*pair) == pytest.approx(grad(f, (0, 1))(*pair), rel=1e-12)


@pytest.mark.parametrize("ndigits", [400, -400, 10**400, 1.5, "2", [1, 2]])
def test_numbers_of_digits_are_small_and_whole(ndigits: Any) -> None:
    """Scaled by 10^308 and back, 12 would be infinite."""
    with pytest.raises(OperandError, match="ndigits is"):
        builtins.round(Value(12.0), ndigits)
    assert builtins.round(Value(12.0), 22).data == 12.0


@pytest.mark.usefixtures("backend")
def test_the_sign_and_the_step_at_zero() -> None:
    """A zero keeps its sign, and a NaN stays; the step at 0 is 0; compiled and of lanes, too."""
    points = [-2.5, -0.5, -0.0, 0.0, 5e-324, 0.5, 1.0, 2.5, math.inf, -math.inf, math.nan]
    signs = [-1.0, -1.0, -0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, -1.0, math.nan]
    steps = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0, math.nan]
    cases: list[tuple[Any, list[float]]] = [(ops.sign, signs), (ops.step, steps)]
    for op, expected in cases:
        for f in (op, jit(op.__call__)):
            found = [f(x) for x in points]
            assert list(map(repr, found)) == list(map(repr, expected))
        assert list(map(repr, jit(vmap(op.__call__))(points))) == list(map(repr, expected))
