"""Gradients with respect to nodes inside a graph, of gradients that depend on them in two ways.

As in PyTorch, what a local gradient reads of the result of its operation is a function of that
result: the slope of tanh is 1 - y², and moves when y does.
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


def test_a_gradient_is_linear_in_what_it_is_multiplied_by() -> None:
    """The derivative of a pullback by its cotangent is that of the function, a long one too."""

    def chain(x: Any) -> Any:
        y = x
        for _ in range(120):
            y = 1.01 * sg.sin(y) + 0.02 * x
        return y

    def pulled(s: Any, x: Any) -> Any:
        _, back = sg.vjp(chain, x)
        return back(s)[0]

    assert jit(grad(pulled))(0.3, 0.7) == pytest.approx(grad(chain)(0.7), rel=1e-12)


#: What eagerly is the very Value x, or the very signal, and in a program a node.
ANOTHER: dict[str, Callable[[Any], Any]] = {
    "where": lambda x: sg.where(x > 0.0, x, 0.0),
    "take": lambda x: sg.take([0.0, x], x > 0.0),
    "gradient": lambda x: gradients(sg.relu(x) * 0.6, x, create_graph=True),
}


@pytest.mark.parametrize("name", ANOTHER)
def test_what_may_be_another_node_is_given_one_of_its_own(name: str) -> None:
    """Gradients by it are refused in a program; by a node made of it they are the eager ones."""

    def f(x: Any, own: Callable[[Any], Any]) -> Any:
        y = own(ANOTHER[name](x))
        return gradients(y * y + 3.0 * x, y)

    with pytest.raises(TraceError, match="identity"):
        jit(f, static_argnums=1)(Value(0.6), lambda y: y)
    assert f(Value(0.6), sg.identity) == jit(f, static_argnums=1)(Value(0.6), sg.identity) == 1.2


def cubes(x: Any) -> tuple[Any, Any, Any]:
    """Return a number, its sine y, and y³."""
    y = sg.sin(x)
    return x, y, y**3


XS = [0.3, -0.7, 1.1]


def test_a_number_that_an_example_holds_twice() -> None:
    """It is one number: 2 x by x."""

    def f(xs: list[Any]) -> Any:
        doubled = [2.0 * x for x in xs]
        return vmap(lambda x, pair: (gradients(x * pair[0], x), x))(
            doubled, [(x, 1.0) for x in doubled]
        )

    for call in f, jit(f):
        assert plain([x for x, _ in call([*map(Value, XS)])]) == [4.0 * x for x in XS]


def test_gradients_by_results_of_vmap() -> None:
    """They are refused: the examples may have gone on from these."""

    def f(xs: list[Any]) -> Any:
        hidden = vmap(sg.tanh)(xs)
        loss = sum(h * h * k for k, h in enumerate(hidden))
        return gradients(loss, hidden)

    def within(xs: list[Any]) -> Any:
        (_, y, z), _ = vmap(cubes)(xs)
        return vmap(lambda x: gradients(x * z, [y])[0])(xs)

    for refused in f, within:
        with pytest.raises(sg.TraceError, match="vmap"):
            jit(refused)([*map(Value, XS[:2])])


@pytest.mark.parametrize("examples", [3, 300])
def test_a_gradient_by_a_result_read_inside_the_program_is_refused(examples: int) -> None:
    """The square of a result has twice that result as its gradient by it, and none flows there."""
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


def test_a_result_returned_twice_is_one_value() -> None:
    """Of y = sin x, returned three times, and of x itself: ∂(y + 2y + y)/∂y is 4, not 1 or 2."""

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


def test_what_a_function_returns_as_it_was_given_is_that_value() -> None:
    """An argument, one among examples, a closed-over Value, a parameter; and beside an operand."""
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
def test_the_grad_of_a_result_read_inside_the_program_is_refused(checking: bool) -> None:
    """Of h = tanh s and h², ∂h²/∂h is 2h: 0, or what arrives from outside alone, would be wrong."""
    f: Any = jit(lambda s: (h := sg.tanh(s), h * h, 3.0 * s))
    swept: list[Callable[[Any, Any, Any], Any]] = [
        lambda h, square, beside: square,
        lambda h, square, beside: 2.0 * square + h,
    ]
    for root in swept:
        h, square, beside = f(Value(0.4))
        assert h.grad == 0.0
        with sg.detect_anomaly() if checking else contextlib.nullcontext():
            root(h, square, beside).backward()
        with pytest.raises(GraphError, match="output"):
            h.grad  # noqa: B018 - it raises
        assert beside.grad == 0.0
        assert square.grad == (1.0 if root is swept[0] else 2.0)
    h, square, beside = f(Value(0.4))
    (2.0 * h + beside).backward()
    assert [h.grad, square.grad, beside.grad] == [2.0, 0.0, 1.0]
    h.grad = 0.5
    assert h.grad == 0.5


def _by_signal(x: Any) -> Any:
    """Return ∂(y·s)/∂y = s at y = s = 4x³, a gradient itself."""
    s = grad(lambda t: t**4)(x)
    return grad(lambda y: y * s)(s)


def _by_signals(xs: Any) -> Any:
    """Return ∂(Σ h·g + h₀h₁)/∂h = (g₀ + h₁, g₁ + h₀) at h = g = 3x²."""
    g = grad(lambda p: p[0] ** 3 + p[1] ** 3)(xs)
    return grad(lambda h: h[0] * g[0] + h[1] * g[1] + h[0] * h[1])(g)


def _many_times(x: Any) -> Any:
    """Return (1 - 0.01)ⁿ·s after n = 300 steps s - 0.01·∂(y·s)/∂y."""
    s = grad(lambda t: t**4)(x)
    for _ in range(300):
        s = s - 0.01 * grad(lambda y, s=s: y * s)(s)
    return s


@pytest.mark.parametrize(
    ("f", "x", "expected"),
    [
        (_by_signal, 0.7, 4.0 * 0.7**3),
        (grad(_by_signal), 0.7, 12.0 * 0.7**2),
        (lambda x: jvp(_by_signal, (x,), (1.0,))[1], 0.7, 12.0 * 0.7**2),
        (_by_signals, [0.3, 0.4], [3.0 * (0.3**2 + 0.4**2)] * 2),
        (_many_times, 0.7, 4.0 * 0.7**3 * 0.99**300),
        (grad(_many_times), 0.7, 12.0 * 0.7**2 * 0.99**300),
    ],
)
def test_a_function_of_a_gradient_does_not_see_it_elsewhere(f: Any, x: Any, expected: Any) -> None:
    """What is differentiated by is another leaf than the gradient whose number it has."""
    assert f(x) == pytest.approx(expected, rel=1e-12)
    assert jit(f)(x) == pytest.approx(expected, rel=1e-12)
