"""The line search lowers the loss at every step, or leaves everything as it was."""

from __future__ import annotations

from functools import partial

import pytest

from scalargrad import Parameter, Value, log
from scalargrad.errors import DomainError
from scalargrad.optim import SGD, Adam, backtracking_line_search


def squared(w: Parameter) -> Value:
    """Return w²."""
    return w * w


def test_the_rate_is_halved_until_the_loss_falls() -> None:
    """On w² the error is multiplied by 1 - 2η: it falls where η < 1, first at 16/2⁵ = ½."""
    w = Parameter(3.0)
    optimizer = SGD([w], lr=16.0)
    assert backtracking_line_search(optimizer, lambda: w * w) == 0.0
    assert optimizer.param_groups[0]["lr"] == 0.5


def test_a_step_that_lowers_the_loss_is_taken_as_it_is() -> None:
    """No halving: the step of gradient descent, 3 - 0.25·6, and its loss."""
    w = Parameter(3.0)
    optimizer = SGD([w], lr=0.25)
    assert backtracking_line_search(optimizer, lambda: w * w) == 2.25
    assert (w.data, optimizer.param_groups[0]["lr"]) == (1.5, 0.25)


def test_armijo_s_condition_asks_for_more() -> None:
    """From 3 the loss falls by 36η(1 - η), more than 36cη where η < 1 - c: ¾ is too much."""
    for c, rate in ((0.0, 0.75), (0.5, 0.375)):
        w = Parameter(3.0)
        optimizer = SGD([w], lr=0.75)
        backtracking_line_search(optimizer, partial(squared, w), sufficient_decrease=c)
        assert optimizer.param_groups[0]["lr"] == rate


def test_at_a_minimum_nothing_is_changed() -> None:
    """No rate lowers the loss, so parameter, rate, state and step count stay."""
    w = Parameter(0.0)
    optimizer = SGD([w], lr=0.25, momentum=0.5)
    assert backtracking_line_search(optimizer, lambda: w * w + 1.0) == 1.0
    assert (w.data, optimizer.param_groups[0]["lr"], dict(optimizer.state)) == (0.0, 0.25, {})
    assert optimizer.param_groups[0]["step"] == 0


def test_steps_out_of_the_domain_count_as_failures() -> None:
    """From 1 a step of 4 on w - ln w would leave the domain of the logarithm."""
    w = Parameter(2.0)
    optimizer = SGD([w], lr=16.0)
    loss = backtracking_line_search(optimizer, lambda: w - log(w))
    assert loss < 2.0 - 0.6931471805599453
    assert w.data > 0.0


def test_an_overflow_counts_as_a_failure() -> None:
    """A rate that takes a parameter beyond the floats is lowered too."""
    w = Parameter(1e200)
    optimizer = SGD([w], lr=1e200)
    assert backtracking_line_search(optimizer, lambda: abs(w), factor=0.001) < 1e200


def test_a_rule_with_memory_is_taken_back_whole() -> None:
    """Adam's failed trials leave no trace: one step at the rate found gives the same."""
    found, direct = Parameter(3.0), Parameter(3.0)
    optimizer = Adam([found], lr=64.0)
    backtracking_line_search(optimizer, lambda: found * found)
    twin = Adam([direct], lr=optimizer.param_groups[0]["lr"])
    (direct * direct).backward()
    twin.step()
    assert found.data == direct.data
    assert list(optimizer.state.values()) == list(twin.state.values())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"factor": 1.0}, "factor is 1.0"),
        ({"factor": 0.0}, "factor is 0.0"),
        ({"sufficient_decrease": 1.0}, "sufficient_decrease is 1.0"),
        ({"sufficient_decrease": -0.1}, "sufficient_decrease is -0.1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    """A factor of 1 would search for ever."""
    w = Parameter(1.0)
    with pytest.raises(DomainError, match=message):
        backtracking_line_search(SGD([w]), lambda: w * w, **options)
