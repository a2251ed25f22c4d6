"""Variadic operations: one node each, for every kind of operand."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.inner import topological_order

import scalargrad as sg
from scalargrad import OperandError, Value, dot, grad, gradients, jit, logsumexp, maximum, mean, ops


def numbers(count: int) -> list[float]:
    """Return this many different numbers of single precision."""
    generator = random.Random(count)
    return [float(np.float32(generator.uniform(-2.0, 2.0))) for _ in range(count)]


#: A reduction of a list, and its value and partials by Python and NumPy.
REDUCTIONS: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[Any], Any]]] = {
    "sum": (ops.sum, math.fsum, np.ones_like),
    "mean": (mean, np.mean, lambda x: np.ones_like(x) / len(x)),
    "maximum": (lambda xs: maximum(*xs), max, lambda x: x == x.max()),
    "minimum": (lambda xs: sg.minimum(*xs), min, lambda x: x == x.min()),
    "logsumexp": (
        *(logsumexp, lambda x: np.log(np.exp(x).sum())),
        lambda x: np.exp(x) / np.exp(x).sum(),
    ),
    "dot": (lambda xs: dot(xs, xs), lambda x: math.fsum(t * t for t in x), lambda x: 2 * x),
}


def test_softmax_has_values_and_plain_floats_as_operands() -> None:
    """The maximum that is subtracted is a constant, so that micrograd's ``_children`` work."""
    scores = [Value(x) for x in (1.0, 3.0, 2.0)]
    order = topological_order(*sg.softmax(scores))
    operands = [operand for node in order for operand in node.parents]
    assert {*map(type, operands)} == {Value, float}
    assert [x for x in operands if isinstance(x, float)] == [3.0] * 3
    assert sum(not node.parents for node in order) == len(scores)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("count", [1, 2, 7, 32, 33])
def test_reduction_of_few_and_many_operands_has_its_closed_form(name: str, count: int) -> None:
    """One node with closed-form value and partials; numbers among the Values change no bit."""
    reduce, value, partials = REDUCTIONS[name]
    point = numbers(count)
    xs = [Value(x) for x in point]
    node = reduce(xs)
    slopes = gradients(node, xs)
    assert node.data == pytest.approx(float(value(np.array(point))), rel=1e-13)
    assert slopes == pytest.approx(list(partials(np.array(point)).astype(float)), rel=1e-13)
    assert len(topological_order(node)) == count + 1
    kinds: list[Any] = [Value, float, np.float32, np.array]
    mixed = [xs[i] if i % 4 == 0 else kinds[i % 4](x) for i, x in enumerate(point)]
    found = reduce(mixed)
    assert found.data == node.data
    assert gradients(found, xs[::4]) == slopes[::4]
    assert {type(x) for x in found.parents} <= {Value, float}
    with sg.no_grad():
        leaf = reduce(xs)
    assert (leaf.data, leaf.op, leaf.parents) == (node.data, None, ())


def test_reductions_of_empty_lists() -> None:
    """A sum is 0, a dot its bias, softmax an empty list; mean, maximum and logsumexp are errors."""
    empties: list[Any] = [(), [], iter(()), {}]
    for empty in empties:
        assert ops.sum(empty) == 0.0
    assert dot([], []) == 0.0
    bias = Value(2.0)
    neuron = dot([], [], bias)
    neuron.backward()
    assert (neuron.data, bias.grad) == (2.0, 1.0)
    assert sg.softmax([]) == sg.log_softmax([]) == []
    calls: list[Callable[[], Any]] = [lambda: mean([]), lambda: logsumexp([]), maximum, sg.minimum]
    for call in calls:
        with pytest.raises(OperandError, match="at least one"):
            call()


def test_sum_mean_dot_logsumexp_and_softmax_accept_any_iterable() -> None:
    """Generators, tuples, sets and arrays are accepted."""
    v, w = Value(2.0), Value(3.0)
    assert ops.sum(x for x in (v, w)).data == 5.0
    assert mean({v, w}).data == 2.5
    assert ops.sum(np.array([v, w])).data == 5.0
    assert dot(np.array([1.0, 10.0]), (v, w)).data == 32.0
    assert dot((x for x in (v, w)), iter([v, w]), np.float64(1.0)).data == 14.0
    assert logsumexp(np.array([0.0, 0.0])) == math.log(2.0)
    assert sg.softmax(x for x in (0, 0)) == [0.5, 0.5]


def test_logaddexp_and_logsumexp_of_minus_infinities_have_gradient_0() -> None:
    """In ln(e^-inf + e^-inf) neither operand changes the sum, so both slopes are 0."""
    xs = [Value(-math.inf), Value(-math.inf)]
    for found in (sg.logaddexp(*xs), logsumexp(xs)):
        assert gradients(found, xs, allow_nonfinite=True) == [0.0, 0.0]
    assert sg.logaddexp(2.0, 2.0) == pytest.approx(2.0 + math.log(2.0), rel=1e-15)


def test_dot_gradients_are_inputs_weights_and_1() -> None:
    """Each weight receives its input, each input its weight, the bias 1; one Value may be both."""
    value, (w, x, b) = sg.value_and_grad(dot, (0, 1, 2))([2.0, 3.0], [5.0, 7.0], 0.75)
    assert (value, w, x, b) == (31.75, [5.0, 7.0], [2.0, 3.0], 1.0)
    assert grad(lambda x: dot([x, x], [x, 5.0]))(3.0) == 11.0
    both = grad(lambda w: grad(lambda x: dot([w], [x], 1.0))(3.0))
    assert (both(2.0), grad(grad(lambda w: dot([w], [3.0])))(2.0)) == (1.0, 0.0)


def test_dot_adds_the_bias_first() -> None:
    """The order of additions is that of micrograd's neuron, so losses agree to the bit."""
    w, x, b = [1e16, 1.0], [1.0, 1.0], -1e16
    assert dot(w, x, b) == dot([Value(a) for a in w], x, b).data == 1.0


def test_maximum_of_many_operands_can_be_differentiated_twice() -> None:
    """The gradient as a graph needs no recursion as deep as the number of operands."""
    x = [Value(float(i % 7)) for i in range(3000)]
    found = gradients(maximum(*x), x, create_graph=True)
    assert [g.data for g in found] == gradients(maximum(*x), x)


def test_sum_accepts_the_arguments_of_pythons_sum() -> None:
    """A start, by name or by position, is added first; lists and arrays are joined."""
    v, w = Value(3.0), Value(4.0)
    assert ops.sum([1.0, 2.0], start=2) == ops.sum([1.0, 2.0], 2) == 5.0
    assert ops.sum([v, 1.0], start=w).data == 8.0
    assert gradients(ops.sum([v, w], w), [v, w]) == [1.0, 2.0]
    assert ops.sum([], v).data == 3.0
    assert ops.sum([[1], [2, 3]], []) == [1, 2, 3]
    assert ops.sum([(v,), (w,)], ()) == (v, w)
    assert ops.sum([np.ones(2), np.ones(2)], np.zeros(2)).tolist() == [2.0, 2.0]
    assert ops.sum(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist() == [4.0, 6.0]
    rows: list[Any] = [np.array([v, w]), np.ones(2)]
    assert ops.sum(row for row in rows)[1].data == 5.0
    assert jit(lambda xs, s: ops.sum(xs, start=s))([1.0, 2.0], 4.0) == 7.0


@pytest.mark.parametrize("xs", [[2.0, -3.0, 5.0], [2.0, 0.0, 5.0], [0.0, 3.0, 0.0], [7.0]])
def test_prod_slopes_are_the_products_of_the_other_factors(xs: list[float]) -> None:
    """They are right if one or two factors are 0, where the product divided by a factor is not."""
    slopes = [math.prod(xs[:i] + xs[i + 1 :]) for i in range(len(xs))]
    for both in (sg.value_and_grad(sg.prod), jit(sg.value_and_grad(sg.prod))):
        assert both(xs) == (math.prod(xs), slopes)
    assert sg.prod([]) == 1.0


@pytest.mark.parametrize("correction", [0, 1, 1.5])
def test_var_and_std_agree_with_numpy(correction: float) -> None:
    """The slopes are 2(x - mean)/(n - correction), and that over twice the root."""
    xs = np.array([1.0, 4.0, -2.5, 0.25])
    slopes = 2.0 * (xs - xs.mean()) / (len(xs) - correction)
    root = xs.std(ddof=correction)
    for f, value, partials in (
        (sg.var, xs.var(ddof=correction), slopes),
        (sg.std, root, slopes / 2 / root),
    ):
        both: Any = sg.value_and_grad(lambda x, f=f: f(x, correction=correction))
        for found, gradient in (both([*xs]), jit(both)([*xs])):
            assert found == pytest.approx(value, rel=1e-14)
            assert gradient == pytest.approx(partials, rel=1e-13)
    with pytest.raises(OperandError, match="1 number"):
        sg.std([1.0])


@pytest.mark.parametrize("far", [1.0, math.inf, math.nan])
def test_argmax_and_argmin_agree_with_numpy(far: float) -> None:
    """The index is that of the first of equals, or of nan; compiled code finds it at each call."""
    for f, theirs in ((sg.argmax, np.argmax), (sg.argmin, np.argmin)):
        rows = [[0.5, 2.0, 2.0], [-1.0, -1.0, 0.0], [0.5, far, -far], [3.0, 1.0, far], [far]]
        found: Any = jit(lambda xs, names, f=f: sg.take(names, f(xs)))
        for xs in rows:
            index = f([Value(x) for x in xs])
            assert index == f(xs) == theirs(xs)
            assert isinstance(index, int)
            assert found(xs, [10.0, 20.0, 30.0]) == [10.0, 20.0, 30.0][index]
        assert jit(sg.vmap(f))(rows[:4]) == [theirs(xs) for xs in rows[:4]]
        with pytest.raises(OperandError, match="at least one"):
            f([])


def test_pow_with_a_modulus_is_pythons_pow() -> None:
    """pow(2, 3, 5) is a whole number; Values are an OperandError."""
    assert ops.pow(2, 3, 5) == 3
    assert ops.pow(base=3, exp=-1, mod=7) == 5
    assert ops.pow(base=2.0, exp=3.0) == 8.0
    with pytest.raises(OperandError, match="remainder"):
        ops.pow(Value(2.0), 3, 5)  # type: ignore[call-overload]
