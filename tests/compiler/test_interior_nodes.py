"""Gradients with respect to interior nodes, in jit and of jitted results.

As in PyTorch, a local derivative that is computed from the result of its operation is a function of
this result: the derivative of tanh is 1 - y², and depends on y.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import plain

import scalargrad as sg
from scalargrad import GraphError, TraceError, Value, grad, gradients, jit, jvp, vmap


def test_jitted_pullback_is_linear_in_its_cotangent() -> None:
    """Its derivative with respect to the cotangent is that of the function, for a long chain."""

    def chain(x: Any) -> Any:
        y = x
        for _ in range(120):
            y = 1.01 * sg.sin(y) + 0.02 * x
        return y

    def pullback(s: Any, x: Any) -> Any:
        _, back = sg.vjp(chain, x)
        return back(s)[0]

    assert jit(grad(pullback))(0.3, 0.7) == pytest.approx(grad(chain)(0.7), rel=1e-12)


#: Functions that return the operand x, or an adjoint, eagerly, and another node when compiled.
SELECTIONS: dict[str, Callable[[Any], Any]] = {
    "where": lambda x: sg.where(x > 0.0, x, 0.0),
    "take": lambda x: sg.take([0.0, x], x > 0.0),
    "gradient": lambda x: gradients(sg.relu(x) * 0.6, x, create_graph=True),
}


@pytest.mark.parametrize("name", SELECTIONS)
def test_jit_refuses_gradients_by_the_result_of_a_selection(name: str) -> None:
    """The remedy, identity, makes a node whose gradient is the eager one."""

    def f(x: Any, own: Callable[[Any], Any]) -> Any:
        y = own(SELECTIONS[name](x))
        return gradients(y * y + 3.0 * x, y)

    with pytest.raises(TraceError, match="identity"):
        jit(f, static_argnums=1)(Value(0.6), lambda y: y)
    assert f(Value(0.6), sg.identity) == jit(f, static_argnums=1)(Value(0.6), sg.identity) == 1.2


def cubes(x: Any) -> tuple[Any, Any, Any]:
    """Return x, its sine y, and y³."""
    y = sg.sin(x)
    return x, y, y**3


XS = [0.3, -0.7, 1.1]


def test_gradients_by_a_value_that_an_example_contains_twice() -> None:
    """It is one Value: ∂x²/∂x = 2x."""

    def f(xs: list[Any]) -> Any:
        doubled = [2.0 * x for x in xs]
        return vmap(lambda x, pair: (gradients(x * pair[0], x), x))(
            doubled, [(x, 1.0) for x in doubled]
        )

    for call in f, jit(f):
        assert plain([x for x, _ in call([*map(Value, XS)])]) == [4.0 * x for x in XS]


def gradients_by_hidden(xs: list[Any]) -> Any:
    """Return gradients with respect to the results of vmap."""
    hidden = vmap(sg.tanh)(xs)
    loss = sum(h * h * k for k, h in enumerate(hidden))
    return gradients(loss, hidden)


def gradients_in_second_vmap(xs: list[Any]) -> Any:
    """Return gradients in one vmap with respect to a result of another."""
    (_, y, z), _ = vmap(cubes)(xs)
    return vmap(lambda x: gradients(x * z, [y])[0])(xs)


@pytest.mark.parametrize("f", [gradients_by_hidden, gradients_in_second_vmap])
def test_jit_refuses_gradients_by_results_of_vmap(f: Any) -> None:
    """Later results of the examples may depend on them."""
    with pytest.raises(sg.TraceError, match="vmap"):
        jit(f)([*map(Value, XS[:2])])


@pytest.mark.parametrize("examples", [3, 300])
def test_gradients_by_a_jitted_result_that_another_result_reads_are_refused(examples: int) -> None:
    """h² has the derivative 2h with respect to the result h, but the program does not return it."""
    xs = [0.5 + 0.01 * k for k in range(examples)]

    @jit
    def results(s: Any) -> Any:
        half, ys = 0.5 * s, vmap(lambda x: s * x)(xs)
        return half, half * half, ys, sum(ys), ys[0] * ys[0]

    half, square, ys, total, first = results(Value(1.5))
    for root, x in [(square, half), (square + half, half), (total, ys[1]), (first, [*ys])]:
        with pytest.raises(GraphError, match="result"):
            gradients(root, x)
    assert gradients(half * half, half) == 1.5
    assert gradients(half, square) == 0.0
    assert gradients(first, ys[1]) == 0.0
    assert gradients(ys[0] * ys[1], ys[:3]) == [ys[1].data, ys[0].data, 0.0]


def test_jit_returns_a_result_that_occurs_twice_as_one_value() -> None:
    """Of y = sin x, returned three times: ∂(y + 2y + y)/∂y is 4, not 1 or 2."""

    def f(x: Any) -> Any:
        y = sg.sin(x)
        return y, {"again": [y, x]}, np.array([y, 2.0 * y, x])

    def examples(xs: Any) -> Any:
        return vmap(lambda x: (y := sg.sin(x), [y]))(xs)

    for call in f, jit(f):
        y, again, array = call(Value(0.3))
        assert y is again["again"][0] is array[0]
        assert again["again"][1] is array[2]
        total = y + 2.0 * again["again"][0] + array[0]
        assert gradients(total, [y, array[0]]) == [4.0, 4.0]
    for mapped in examples, jit(examples):
        (y, (same,)), _ = mapped([Value(0.3), Value(0.4)])
        assert gradients(y * same, y) == 2.0 * y.data


def test_jit_returns_its_arguments_and_captured_values_themselves() -> None:
    """An argument, an example, a captured Value and a parameter, also if they are operands."""
    held, layer = Value(0.7), sg.nn.Linear(1, 1, rng=0)

    def f(x: Any, xs: Any, layer: Any) -> Any:
        return [x, held, layer.weight[0][0], x * held, vmap(lambda x, y: (x, y * x))(xs, xs)]

    for call in f, jit(f):
        x, xs = Value(0.3), [Value(0.4), Value(0.5)]
        one, two, three, four, pairs = call(x, xs, layer)
        assert one is x
        assert two is held
        assert three is layer.weight[0][0]
        assert [y for y, _ in pairs] == xs
        total = one * x + four + pairs[1][0] * xs[1]
        assert gradients(total, [one, held, pairs[1][0]]) == pytest.approx([0.6 + 0.7, 0.3, 1.0])
        with sg.no_grad():
            assert call(x, xs, layer)[0] is x
    same: Any = jit(lambda x: x)
    assert same(four) is four
    assert gradients(four, [x, held]) == [0.7, 0.3]
    assert same(2.0) == 2.0


@pytest.mark.parametrize("checking", [False, True])
def test_grad_of_a_jitted_result_that_another_result_reads_is_refused(checking: bool) -> None:
    """Of h = tanh s and h², ∂h²/∂h is 2h, which `.grad` of h would lack."""
    f: Any = jit(lambda s: (h := sg.tanh(s), h * h, 3.0 * s))
    roots: list[Callable[[Any, Any, Any], Any]] = [
        lambda h, square, linear: square,
        lambda h, square, linear: 2.0 * square + h,
    ]
    for root in roots:
        h, square, linear = f(Value(0.4))
        assert h.grad == 0.0
        with sg.detect_anomaly() if checking else contextlib.nullcontext():
            root(h, square, linear).backward()
        with pytest.raises(GraphError, match="output"):
            h.grad  # noqa: B018 - it raises
        assert linear.grad == 0.0
        assert square.grad == (1.0 if root is roots[0] else 2.0)
    h, square, linear = f(Value(0.4))
    (2.0 * h + linear).backward()
    assert [h.grad, square.grad, linear.grad] == [2.0, 0.0, 1.0]
    h.grad = 0.5
    assert h.grad == 0.5


def _grad_by_gradient(x: Any) -> Any:
    """Return ∂(y·s)/∂y = s at y = s = 4x³, a gradient itself."""
    s = grad(lambda t: t**4)(x)
    return grad(lambda y: y * s)(s)


def _grad_by_gradients(xs: Any) -> Any:
    """Return ∂(Σ h·g + h₀h₁)/∂h = (g₀ + h₁, g₁ + h₀) at h = g = 3x²."""
    g = grad(lambda p: p[0] ** 3 + p[1] ** 3)(xs)
    return grad(lambda h: h[0] * g[0] + h[1] * g[1] + h[0] * h[1])(g)


def _repeated_grad(x: Any) -> Any:
    """Return (1 - 0.01)ⁿ·s after n = 300 steps s - 0.01·∂(y·s)/∂y."""
    s = grad(lambda t: t**4)(x)
    for _ in range(300):
        s = s - 0.01 * grad(lambda y, s=s: y * s)(s)
    return s


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (_grad_by_gradient, 0.7, 4.0 * 0.7**3),
        (grad(_grad_by_gradient), 0.7, 12.0 * 0.7**2),
        (lambda x: jvp(_grad_by_gradient, (x,), (1.0,))[1], 0.7, 12.0 * 0.7**2),
        (_grad_by_gradients, [0.3, 0.4], [3.0 * (0.3**2 + 0.4**2)] * 2),
        (_repeated_grad, 0.7, 4.0 * 0.7**3 * 0.99**300),
        (grad(_repeated_grad), 0.7, 12.0 * 0.7**2 * 0.99**300),
    ],
)
def test_grad_at_a_gradient_does_not_differentiate_the_gradient_itself(
    f: Any, x: Any, expected: Any
) -> None:
    """The argument is another leaf than the gradient with the same number."""
    assert f(x) == pytest.approx(expected, rel=1e-12)
    assert jit(f)(x) == pytest.approx(expected, rel=1e-12)
