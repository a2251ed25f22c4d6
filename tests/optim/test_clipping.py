"""Gradients are limited together or one by one, without being touched otherwise."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import DomainError, NumericalError, OperandError, Parameter, nn, optim


def parameters(*grads: float) -> list[Parameter]:
    """Build parameters with these gradients."""
    found = [Parameter(0.0) for _ in grads]
    for parameter, grad in zip(found, grads, strict=True):
        parameter.grad = grad
    return found


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5), st.floats(0.01, 1e3))
def test_the_direction_stays_and_the_length_is_limited(grads: list[float], limit: float) -> None:
    """What is returned is the length before."""
    found = parameters(*grads)
    norm = optim.clip_grad_norm_(found, limit)
    assert norm == pytest.approx(math.sqrt(math.fsum(g * g for g in grads)))
    factor = min(1.0, limit / (norm + 1e-6))
    assert [p.grad for p in found] == pytest.approx([factor * g for g in grads])


@pytest.mark.parametrize("p", [1.0, 2.0, 3.0])
def test_large_gradients_do_not_overflow(p: float) -> None:
    """Two gradients of 1e200 have the norm 2^(1/p) · 1e200."""
    norm = optim.clip_grad_norm_(parameters(1e200, -1e200), 1.0, p)
    assert norm == pytest.approx(2.0 ** (1.0 / p) * 1e200)


def test_without_gradients_the_norm_is_zero() -> None:
    """For every kind of norm, and for no parameters at all."""
    for p in (1.0, 2.0, math.inf):
        assert optim.clip_grad_norm_(parameters(0.0, 0.0), 1.0, p) == 0.0
        assert optim.clip_grad_norm_([], 1.0, p) == 0.0


@pytest.mark.parametrize("p", [1.0, 2.0, math.inf])
@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_norm_that_is_not_finite_is_reported(p: float, bad: float) -> None:
    """On request as an error that changes nothing, else as the number returned."""
    found = parameters(1.0, bad)
    with pytest.raises(NumericalError, match="none was changed"):
        optim.clip_grad_norm_(found, 1.0, p, error_if_nonfinite=True)
    assert found[0].grad == 1.0
    assert not math.isfinite(optim.clip_grad_norm_(found, 1.0, p))


def test_clipping_does_not_touch_what_no_gradient_reached() -> None:
    """Entries of a table stay untouched, though all of them are given."""
    table = nn.Embedding(50, 2, rng=0)
    (table(7)[0] * 5.0).backward()
    optim.clip_grad_norm_(table.parameters(), 1.0)
    optim.clip_grad_value_(table.parameters(), 0.5)
    assert list(table.weight.touched) == [table.weight[7][0]]
    assert table.weight[7][0].grad == 0.5


def test_one_parameter_may_stand_alone() -> None:
    """As in PyTorch."""
    (parameter,) = parameters(-3.0)
    optim.clip_grad_value_(parameter, 2.0)
    assert parameter.grad == -2.0
    assert optim.clip_grad_norm_(parameter, 10.0) == 2.0


def test_a_norm_needs_a_positive_power() -> None:
    """Others are no norms."""
    with pytest.raises(DomainError, match="norm_type is 0"):
        optim.clip_grad_norm_(parameters(1.0), 1.0, 0.0)


@pytest.mark.parametrize(
    ("grads", "p", "norm"),
    [
        ((math.inf, 1.0), 3.0, math.inf),
        ((math.inf, -math.inf), 1.0, math.inf),
        ((math.inf, math.nan), 2.0, math.nan),
        ((math.nan, math.inf), math.inf, math.nan),
        ((3.0, 4.0), 1e308, 4.0),
        ((3.0, 4.0), 1000.0, 4.0),
        ((1e308, 1e308), 1.0, math.inf),
        ((1.5e308, 1.5e308), 2.0, math.inf),
        ((3.0, 4.0), 1e-300, math.inf),
        ((3.0, 4.0), 0.5, 3.0 + 4.0 + 2.0 * math.sqrt(12.0)),
        ((5e-324, 0.0), 7.0, 5e-324),
    ],
)
def test_norms_at_the_edges(grads: tuple[float, float], p: float, norm: float) -> None:
    """(Σ |g|^p)^(1/p) in closed form: infinities, nan, large and small powers."""
    found = optim.clip_grad_norm_(parameters(*grads), math.inf, p)
    assert found == pytest.approx(norm, rel=1e-14, abs=0.0, nan_ok=True)


def test_an_infinite_limit_leaves_finite_gradients() -> None:
    """It only measures."""
    found = parameters(3.0, 4.0)
    assert optim.clip_grad_norm_(found, math.inf) == 5.0
    assert [p.grad for p in found] == [3.0, 4.0]


@pytest.mark.parametrize("limit", [-1.0, math.nan, "1", None, Parameter(1.0)])
def test_a_limit_is_a_number_that_is_not_negative(limit: Any) -> None:
    """Of the norm as of the values; no gradient changes."""
    found = parameters(3.0, 4.0)
    with pytest.raises((DomainError, OperandError), match=r"^max_norm is"):
        optim.clip_grad_norm_(found, limit)
    with pytest.raises((DomainError, OperandError), match=r"^clip_value is"):
        optim.clip_grad_value_(found, limit)
    assert [p.grad for p in found] == [3.0, 4.0]


@pytest.mark.parametrize("given", [None, 3, [1.0], "w"])
def test_gradients_are_those_of_parameters(given: Any) -> None:
    """Anything else is named."""
    with pytest.raises(OperandError, match="Parameters"):
        optim.clip_grad_norm_(given, 1.0)
