"""Equations on arrays, their derivatives and what prints them, against closed forms and Values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.compiler import random_nests
from tests.compiler.compiled_nests import LLVMNest
from tests.compiler.nests import (
    Builder,
    Cells,
    Program,
    fma,
    gradient,
    interpret,
    schedule,
    simplify,
    tangent,
)
from tests.seeds import seeds

import scalargrad as sg
from scalargrad.errors import TraceError

pytestmark = pytest.mark.behaviour

NUMBERS = np.random.default_rng(0).normal(size=200)


@pytest.mark.differential
@pytest.mark.parametrize("seed", [*seeds(12, 3), 40070])
def test_random_nests_and_their_gradients_are_those_of_values(seed: int) -> None:
    """Random nests agree with loops over Values; what is compiled has every digit."""
    assert not random_nests.compare(seed)


@pytest.mark.native
def test_rows_of_a_matrix_are_lanes() -> None:
    """Products with vectors are NumPy's, and have the same digits turn by turn and abreast."""
    b = Builder()
    w, x, y = b.input("w", 40, 9), b.const("x", NUMBERS[:72].reshape(8, 9)), b.output("y", 8, 40)
    with b.loop(8) as t, b.loop(40) as i, b.loop(9) as k:
        b.add(y[t, i], w[i, k] * x[t, k])
    rows = NUMBERS[:40, None] * np.arange(1.0, 10.0)
    tiled, plain = (
        LLVMNest(b.program(), tiles=tiles)({w.array: rows})[y.array] for tiles in (True, False)
    )
    assert tiled == pytest.approx(NUMBERS[:72].reshape(8, 9) @ rows.T, rel=1e-12, abs=1e-12)
    assert np.array_equal(tiled, plain)


def test_steps_that_read_later_and_earlier_turns_are_refused() -> None:
    """The error names the loop that would have to run both ways."""
    b = Builder()
    x, y, z = b.temp("x", 6), b.temp("y", 6), b.output("z", 4)
    with b.loop(4, "t") as t:
        x[t + 1] = y[t] + 1.0
        y[t + 1] = z[t] + 1.0
        z[t] = x[t + 2] + 1.0
    with pytest.raises(TraceError, match="t"):
        schedule(b.program())


def summed(terms: int, square: bool = False) -> tuple[float, list[float]]:
    """Return the sum of random numbers, or of their squares, as equations, and the numbers."""
    b = Builder()
    x, total = b.const("x", NUMBERS[:terms]), b.output("total")
    with b.loop(terms) as i:
        b.add(total[()], x[i] * x[i] if square else x[i])
    return float(interpret(b.program(), {})[total.array]), NUMBERS[:terms].tolist()


def test_up_to_64_terms_are_added_in_order() -> None:
    """A sum of 64 terms has the digits of Python's sum."""
    found, x = summed(64)
    assert found == sum(x)


def test_more_terms_are_added_in_eight_classes() -> None:
    """A sum of 65 terms is the sum of eight sums of every eighth term."""
    found, x = summed(65)
    assert found == sum((sum(x[k::8]) for k in range(1, 8)), sum(x[0::8]))
    assert found != sum(x)


def test_products_are_added_with_one_rounding() -> None:
    """A sum of products is a chain of fused multiply-adds."""
    found, x = summed(3, square=True)
    assert found == fma(x[2], x[2], fma(x[1], x[1], x[0] * x[0]))


def garch(b: Builder, p: Cells, loss: Cells) -> None:
    """Write the negative log-likelihood of a GARCH(1, 1) model."""
    x, s = b.const("x", NUMBERS), b.temp("s", len(NUMBERS) + 1)
    s[0] = 1.0
    with b.loop(len(NUMBERS)) as t:
        s[t + 1] = p[0] + p[1] * x[t] * x[t] + p[2] * s[t]
        b.add(loss[()], sg.log(s[t + 1]) + x[t] * x[t] / s[t + 1])


def with_gradient(b: Builder, p: Cells, loss: Cells) -> tuple[Program, Cells]:
    """Return the program of a builder with the gradient of a loss, simplified."""
    program, found = gradient(b.program(), loss[()].access, [p.array])
    return simplify(program), Cells(b, found[p.array])


def test_a_variance_that_recurs_has_the_gradient_of_its_derivative_in_time() -> None:
    """GARCH agrees with its forward sensitivities, which NumPy carries along."""
    b = Builder()
    p, loss = b.input("p", 3), b.output("loss")
    garch(b, p, loss)
    program, slopes = with_gradient(b, p, loss)
    found = interpret(program, {p.array: [0.1, 0.15, 0.8]})
    s, ds, value, expected = 1.0, np.zeros(3), 0.0, np.zeros(3)
    for x in NUMBERS:
        ds = np.array([1.0, x * x, s]) + 0.8 * ds
        s = 0.1 + 0.15 * x * x + 0.8 * s
        value += math.log(s) + x * x / s
        expected += (1 / s - x * x / s**2) * ds
    assert found[loss.array] == pytest.approx(value, rel=1e-13)
    assert found[slopes.array] == pytest.approx(expected, rel=1e-12)


def quartic() -> tuple[Builder, Cells, Cells]:
    """Return Σ (p₀ xᵢ + p₁)⁴ as equations; its second derivatives are 12 Σ (…)² xᵢ²⁻ʲ⁻ᵏ."""
    b = Builder()
    p, loss, x = b.input("p", 2), b.output("loss"), b.const("x", NUMBERS[:70])
    with b.loop(70) as i:
        y = b.let(p[0] * x[i] + p[1])
        b.add(loss[()], y * y * (y * y))
    return b, p, loss


HESSIAN = [
    [12 * sum((0.5 * x + 0.25) ** 2 * x ** (2 - j - k) for x in NUMBERS[:70]) for k in range(2)]
    for j in range(2)
]


def test_derivatives_of_derivatives_in_reverse() -> None:
    """A row of the Hessian, reverse over reverse, is the closed form's."""
    b, p, loss = quartic()
    first, slopes = gradient(b.program(), loss[()].access, [p.array])
    slope = Cells(b, slopes[p.array])
    second, found = gradient(first, slope[1].access, [p.array])
    row = interpret(simplify(second), {p.array: [0.5, 0.25]})[found[p.array]]
    assert row == pytest.approx(HESSIAN[1], rel=1e-12)


def test_forward_mode_over_reverse_mode() -> None:
    """A Hessian times a vector, forward over reverse, is the closed form's."""
    b, p, loss = quartic()
    first, slopes = gradient(b.program(), loss[()].access, [p.array])
    outside = Builder(first)
    along = outside.const("v", [1.0, -2.0])
    second, found = tangent(outside.program(), {p.array: along.array})
    product = interpret(second, {p.array: [0.5, 0.25]})[found[slopes[p.array]]]
    assert product == pytest.approx(np.array(HESSIAN) @ [1.0, -2.0], rel=1e-12)


def test_a_tie_for_the_largest_shares_the_gradient() -> None:
    """Of two equal largest numbers, each receives half."""
    b = Builder()
    p, loss, top = b.input("p", 4), b.output("loss"), b.temp("top")
    with b.loop(4) as i:
        b.largest(top[()], p[i])
    loss[()] = top[()] * 3.0
    program, slopes = with_gradient(b, p, loss)
    found = interpret(program, {p.array: [1.0, 2.0, 2.0, 0.0]})[slopes.array]
    assert found.tolist() == [0.0, 1.5, 1.5, 0.0]


def test_simplified_equations_keep_every_digit() -> None:
    """Forwarding copies and sharing steps changes no digit."""
    b = Builder()
    p, loss = b.input("p", 3), b.output("loss")
    garch(b, p, loss)
    program, slopes = gradient(b.program(), loss[()].access, [p.array])
    given = {p.array: [0.1, 0.15, 0.8]}
    short = simplify(program)
    assert len(short.arrays) < len(program.arrays)
    written, shorter = interpret(program, given), interpret(short, given)
    assert np.array_equal(written[slopes[p.array]], shorter[slopes[p.array]])


def test_equations_that_wait_for_each_other_are_refused() -> None:
    """A cell set twice, and steps that wait for each other, are errors."""
    b = Builder()
    x = b.output("x", 4)
    with b.loop(3) as i:
        x[i] = x[i + 1] + 1.0
        x[i + 1] = x[i] + 1.0
    with pytest.raises(TraceError, match="second time"):
        interpret(b.program(), {})
    b = Builder()
    x, y = b.output("x", 4), b.output("y", 4)
    with b.loop(4) as i:
        x[i] = y[i] + 1.0
        y[i] = x[i] + 1.0
    with pytest.raises(TraceError, match="waits"):
        interpret(b.program(), {})


def test_an_index_that_leaves_its_array_is_refused() -> None:
    """The error names the range of the array."""
    b = Builder()
    x, y = b.const("x", [1.0, 2.0]), b.output("y", 2)
    with b.loop(2) as i:
        y[i] = x[i + 1] * 2.0
    with pytest.raises(TraceError, match="0 to 1"):
        b.program()


def test_a_second_step_that_adds_is_refused() -> None:
    """An array is added to by one step: the order of sums is then known."""
    b = Builder()
    total = b.output("total")
    with b.loop(2):
        b.add(total[()], 1.0)
    b.add(total[()], 2.0)
    with pytest.raises(TraceError, match="total"):
        b.program()


def test_a_triangle_is_a_loop_up_to_the_variable_of_another() -> None:
    """Loops may end where an outer one stands."""
    b = Builder()
    sums = b.output("sums", 5)
    with b.loop(5) as i, b.loop(i + 1):
        b.add(sums[i], 1.0)
    assert interpret(b.program(), {})[sums.array].tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert "in i+1" in str(b.program())
