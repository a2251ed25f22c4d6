"""Update rules, held against closed forms, on floats and on Values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import Parameter, Value, gradients, optim
from scalargrad.optim import rules

number = st.floats(-10.0, 10.0)
away_from_zero = number.filter(lambda x: abs(x) > 1e-3)


def descend(optimizer: optim.Optimizer, w: Parameter, curvature: float, steps: int) -> None:
    """Minimise ½ · curvature · w²."""
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * curvature * w * w).backward()
        optimizer.step()


@given(number, st.floats(0.0, 1.0), st.floats(0.1, 2.0))
def test_gradient_descent_on_a_parabola_shrinks_geometrically(
    start: float, lr: float, curvature: float
) -> None:
    """W after n steps is (1 - lr · curvature)ⁿ w₀."""
    w = Parameter(start)
    descend(optim.SGD([w], lr=lr), w, curvature, 7)
    assert w.data == pytest.approx((1 - lr * curvature) ** 7 * start, rel=1e-9, abs=1e-12)


def test_too_long_a_step_oscillates_and_then_diverges() -> None:
    """On ½w², a step of 2 flips the sign for ever, and one of 3 doubles w."""
    for lr, after in ((1.0, 0.0), (2.0, 1.0), (3.0, 16.0)):
        w = Parameter(1.0)
        descend(optim.SGD([w], lr=lr), w, 1.0, 4)
        assert w.data == after


def test_momentum_adds_up_a_constant_gradient() -> None:
    """The velocity, 1, 1.5, 1.75 and so on, approaches g / (1 - momentum)."""
    w = Parameter(0.0)
    optimizer = optim.SGD([w], lr=1.0, momentum=0.5)
    positions = []
    for _ in range(3):
        optimizer.zero_grad()
        (w * 1.0).backward()
        optimizer.step()
        positions.append(w.data)
    assert positions == [-1.0, -2.5, -4.25]


@given(away_from_zero, st.floats(0.001, 1.0))
def test_the_first_step_of_every_adaptive_rule_is_the_learning_rate(g: float, lr: float) -> None:
    """Whatever the size of the gradient: that is what adaptive means."""
    first: list[Callable[[Any], optim.Optimizer]] = [
        lambda p: optim.Adam(p, lr=lr, eps=0.0),
        lambda p: optim.SparseAdam(p, lr=lr, eps=0.0),
        lambda p: optim.Adagrad(p, lr=lr, eps=0.0),
        lambda p: optim.RMSprop(p, lr=lr, alpha=0.0, eps=0.0),
    ]
    for build in first:
        w = Parameter(0.0)
        w.grad = g
        build([w]).step()
        assert w.data == pytest.approx(-lr if g > 0 else lr, rel=1e-12)


def test_decoupled_decay_shrinks_weights_without_gradient() -> None:
    """AdamW multiplies by 1 - lr · λ; Adam's penalty passes through its scaling."""
    kept, scaled = Parameter(2.0), Parameter(2.0)
    optim.AdamW([kept], lr=0.1, weight_decay=0.5).step()
    optim.Adam([scaled], lr=0.1, weight_decay=0.5).step()
    assert kept.data == pytest.approx(1.9, rel=1e-12)
    assert scaled.data == pytest.approx(1.9, rel=1e-6)
    optim.AdamW([kept], lr=0.1, weight_decay=0.0).step()
    assert kept.data == pytest.approx(1.9, rel=1e-12)


def test_weight_decay_is_the_gradient_of_half_a_squared_penalty() -> None:
    """SGD with λ moves as SGD on loss + ½λw² does."""
    decayed, penalised = Parameter(2.0), Parameter(2.0)
    first = optim.SGD([decayed], lr=0.1, weight_decay=0.3)
    second = optim.SGD([penalised], lr=0.1)
    for _ in range(5):
        first.zero_grad()
        (decayed * 3.0).backward()
        first.step()
        second.zero_grad()
        (penalised * 3.0 + 0.5 * 0.3 * penalised * penalised).backward()
        second.step()
    assert decayed.data == pytest.approx(penalised.data, rel=1e-12)


def test_a_constant_gradient_has_no_variance() -> None:
    """Centred RMSprop then divides by eps alone, and rounding below 0 does no harm."""
    w = Parameter(0.0)
    optimizer = optim.RMSprop([w], lr=1e-3, alpha=0.5, eps=1.0, centered=True)
    for _ in range(200):
        w.grad = 0.1
        optimizer.step()
    before = w.data
    w.grad = 0.1
    optimizer.step()
    assert w.data - before == pytest.approx(-1e-4, rel=1e-6)


RULES: list[tuple[Callable[..., Any], int, dict[str, Any]]] = [
    (rules.sgd, 1, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    (rules.adam, 3, {"betas": (0.9, 0.99), "corrections": (0.19, 0.02), "eps": 1e-8}),
    (
        rules.adam,
        3,
        {"betas": (0.9, 0.99), "corrections": (0.2, 0.1), "eps": 1e-8, "amsgrad": True},
    ),
    (rules.sparse_adam, 2, {"betas": (0.9, 0.99), "corrections": (0.19, 0.02), "eps": 1e-8}),
    (rules.rmsprop, 3, {"alpha": 0.9, "eps": 1e-8, "momentum": 0.5}),
    (rules.adagrad, 1, {"eps": 1e-10, "weight_decay": 0.1}),
]


@pytest.mark.parametrize(("rule", "size", "options"), RULES)
def test_a_rule_gives_values_the_numbers_it_gives_floats(
    rule: Callable[..., Any], size: int, options: dict[str, Any]
) -> None:
    """The same function serves both, so an update can be recorded and compiled."""
    numbers = [0.7, -1.3, *(0.4 + 0.1 * i for i in range(size))]
    floats = rule(*numbers, lr=0.05, **options)
    recorded = rule(*map(Value, numbers), lr=Value(0.05), **options)
    assert len(floats) == size + 1
    assert all(isinstance(x, float) for x in floats)
    found = [x.data if isinstance(x, Value) else x for x in recorded]
    assert found == pytest.approx(list(floats), rel=1e-15)


def test_an_update_can_be_differentiated_by_the_learning_rate() -> None:
    """D loss(w - lr·g) / d lr = -g(w)·g(w'): the hypergradient of Baydin et al., 2018."""
    lr, w = Value(0.1), Value(2.0)
    grad = gradients(w * w, w, create_graph=True)
    moved, _ = rules.sgd(w, grad, 0.0, lr=lr)
    assert gradients(moved * moved, lr) == pytest.approx(-4.0 * 2.0 * moved.data, rel=1e-12)


def test_every_rule_takes_the_penalty_into_the_gradient() -> None:
    """With weight decay λ and gradient g a rule moves as with the gradient g + λw."""
    w, g, decay = 2.0, 0.5, 0.3
    adam = {"betas": (0.9, 0.99), "corrections": (0.1, 0.01), "eps": 1e-8}
    cases: list[tuple[Callable[..., Any], list[float], dict[str, Any]]] = [
        (rules.sgd, [0.0], {}),
        (rules.adam, [0.0, 0.0, 0.0], adam),
        (rules.rmsprop, [1.0, 0.0, 0.0], {"alpha": 0.9, "eps": 1e-8}),
        (rules.adagrad, [1.0], {"eps": 1e-10}),
    ]
    for rule, state, options in cases:
        decayed = rule(w, g, *state, lr=0.1, weight_decay=decay, **options)
        assert decayed == rule(w, g + decay * w, *state, lr=0.1, **options)
