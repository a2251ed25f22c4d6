"""cond: against conditional expressions of Python and closed forms."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import DomainError, JitWarning, Value, cond, grad, hessian, jit, log, value_and_grad
from scalargrad.errors import OperandError

pytestmark = pytest.mark.behaviour


def huber(r: Any) -> Any:
    """Return the Huber loss of a residual, by cond."""
    return cond(abs(r) < 1, lambda r: r * r / 2, lambda r: abs(r) - 0.5, r)


POINTS = [0.5, -3.0, 0.25, 7.0, -0.75, -1.5, 2.0]
HUBER = [0.125, 2.5, 0.03125, 6.5, 0.28125, 1.0, 1.5]
SLOPES = [0.5, -1.0, 0.25, 1.0, -0.75, -1.0, 1.0]


def test_cond_and_its_derivatives_match_the_huber_loss_without_retracing() -> None:
    """Values, first and second derivatives, whichever branch is taken."""
    compiled = jit(huber)
    with warnings.catch_warnings():
        warnings.simplefilter("error", JitWarning)
        for _ in range(3):
            assert [compiled(r) for r in POINTS] == HUBER
    assert [huber(r) for r in POINTS] == HUBER
    for f in (huber, compiled):
        assert [grad(f)(r) for r in POINTS] == SLOPES
        assert [hessian(f)(r) for r in POINTS[:2]] == [1.0, 0.0]


def test_cond_in_vmap_and_scan_selects_in_each_example_and_step() -> None:
    """And so do gradients."""
    assert jit(sg.vmap(huber))(POINTS) == HUBER

    def step(c: Any, x: Any) -> Any:
        c = cond(x > c, lambda c, x: {"next": [c / 2 + x]}, lambda c, _: {"next": [c * 0.9]}, c, x)
        return c["next"][0], c["next"][0]

    def loop(w: Any, xs: list[float]) -> Any:
        for x in xs:
            w = w / 2 + x if x > w else w * 0.9
        return w

    compiled = jit(value_and_grad(lambda w, xs: sg.scan(step, w, xs)[0]))
    for start in (0.5, 3.0):
        expected = value_and_grad(loop)(start, POINTS)
        assert compiled(start, POINTS) == pytest.approx(expected, rel=1e-14)


def test_cond_ignores_domain_errors_of_the_branch_not_taken() -> None:
    """The logarithm of a negative number is an error only in the branch that is taken."""
    f = jit(lambda x: cond(x > 1, log, lambda x: x - 1.0, x))
    assert [f(x) for x in (-1.0, 1.0, 0.0)] == [-2.0, 0.0, -1.0]
    assert f(2.0) == pytest.approx(0.6931471805599453, rel=1e-15)
    assert grad(f)(-1.0) == 1.0
    with pytest.raises(DomainError, match="log"):
        jit(lambda x: cond(x < 1, log, lambda x: x, x))(-1.0)


def test_eager_cond_calls_only_the_selected_function() -> None:
    """The condition is a number or a Value; the function may return any object."""
    called: list[str] = []
    assert cond(Value(0.0), lambda: called.append("yes"), lambda: called.append("no")) is None
    assert called == ["no"]
    assert cond(2.0, lambda x: [x], lambda x: x, "text") == ["text"]


def test_cond_matches_dicts_by_their_keys() -> None:
    """In any order."""
    f = jit(lambda x: cond(x > 0, lambda: {"a": x, "b": 2.0}, lambda: {"b": 3.0, "a": 4 * x})["a"])
    assert [f(1.0), f(-1.0)] == [1.0, -4.0]


def test_cond_refuses_branches_of_different_structure_and_text_as_condition() -> None:
    """A compiled program selects number by number."""
    with pytest.raises(OperandError, match="cond"):
        jit(lambda x: cond(x > 0, lambda x: [x], lambda x: [x, x], x))(1.0)
    with pytest.raises(OperandError, match="condition"):
        cond("yes", abs, abs, 1.0)
