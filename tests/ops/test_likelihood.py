"""The log loss of one probability."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import DomainError, Value, gradcheck, gradients, hessian, log_loss

inside = st.floats(0.01, 0.99)

#: Probability said, what happened, cost.
CERTAIN = [(0.0, 0.0, 0.0), (0.0, 1.0, 100.0), (1.0, 0.0, 100.0)]


@given(inside, st.floats(0.0, 1.0))
def test_it_is_the_cross_entropy_of_two_coins(p: float, t: float) -> None:
    """-(t ln p + (1 - t) ln(1 - p)), with slopes (p - t)/(p(1 - p)) and ln((1 - p)/p)."""
    chance, truth = Value(p), Value(t)
    loss = log_loss(chance, truth)
    assert loss.data == pytest.approx(-t * math.log(p) - (1 - t) * math.log1p(-p), rel=1e-12)
    slopes = gradients(loss, [chance, truth])
    assert slopes[0] == pytest.approx((p - t) / (p * (1 - p)), rel=1e-12, abs=1e-12)
    assert slopes[1] == pytest.approx(math.log((1 - p) / p), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("p", "t", "loss"), CERTAIN)
def test_certainty_costs_at_most_a_hundred(p: float, t: float, loss: float) -> None:
    """PyTorch's bound keeps a wrong certainty finite, and its slope."""
    chance = Value(p)
    found = log_loss(chance, t)
    assert found.data == loss
    assert math.isfinite(gradients(found, chance))


def test_it_can_be_differentiated_twice() -> None:
    """At p = t the curvature is 1/(p(1 - p)), the Fisher information of a coin."""
    assert hessian(lambda p: log_loss(p, 0.3))(0.3) == pytest.approx(1 / 0.21, rel=1e-12)
    assert gradcheck(log_loss, 0.3, 0.6)


def test_what_is_no_probability_is_refused() -> None:
    """The message names the number and a remedy."""
    with pytest.raises(DomainError, match=r"p = 1\.5.*0 <= p <= 1"):
        log_loss(Value(1.5, "p"), 1.0)
