"""Operations of any number of operands: one node each, whatever the operands are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import (
    OperandError,
    Value,
    dot,
    gradients,
    jit,
    log_softmax,
    logsumexp,
    maximum,
    mean,
    minimum,
    no_grad,
    ops,
    softmax,
)
from scalargrad.graph import topological_order
from scalargrad.table.eager import UNROLLED
from scalargrad.table.operation import Reduction
from scalargrad.table.symbol import TABLE

REDUCTIONS = [op for op in TABLE.values() if isinstance(op, Reduction)]
every_reduction = pytest.mark.parametrize("op", REDUCTIONS, ids=lambda op: op.name)


def numbers(count: int) -> list[float]:
    """Return as many different numbers."""
    generator = random.Random(count)
    return [generator.uniform(-2.0, 2.0) for _ in range(count)]


@every_reduction
@pytest.mark.parametrize("count", [1, 2, UNROLLED - 1, UNROLLED, UNROLLED + 1, 300])
def test_printed_and_looped_forms_are_one_function(op: Any, count: int) -> None:
    """Below, at and above the length to which a reduction is printed, the same bits result."""
    point = numbers(count)
    node = op.of(*map(Value, point))
    assert node.data == op.function(point)
    assert node.local_grads == tuple(op.partials(node.data, point))
    assert len(topological_order(node)) == count + 1


@every_reduction
@pytest.mark.parametrize("count", [2, 5, UNROLLED, 200])
@pytest.mark.parametrize("kinds", [[Value, float], [Value, float, np.float32, Value, np.array]])
def test_numbers_among_the_operands_stay_numbers(
    op: Any, count: int, kinds: list[Callable[[float], Any]]
) -> None:
    """Ints and NumPy numbers are kept as floats, have no partial, and change no result."""
    point = [float(np.float32(x)) for x in numbers(count)]
    operands = [kinds[i % len(kinds)](x) for i, x in enumerate(point)]
    node, expected = op.of(*operands), op.of(*map(Value, point))
    assert node.data == expected.data
    for operand, parent, local, full in zip(
        operands, node.parents, node.local_grads, expected.local_grads, strict=True
    ):
        if isinstance(operand, Value):
            assert (parent, local) == (operand, full)
        else:
            assert (type(parent), local) == (float, None)


@every_reduction
@pytest.mark.parametrize("bad", ["1", None, [1.0], 1j])
def test_operand_that_is_no_number_is_named(op: Any, bad: Any) -> None:
    """Anything else among the operands is an OperandError that shows it, first or last."""
    for operands in ((Value(1.0), bad), (bad, Value(1.0)), (1.0, bad), (Value(1.0), 2.0, bad)):
        with pytest.raises(OperandError) as caught:
            op.of(*operands)
        assert repr(bad) in str(caught.value)
        assert op.name in str(caught.value)


@every_reduction
def test_without_recording_the_result_is_a_leaf(op: Any) -> None:
    """Inside no_grad no operand is kept, few operands or many."""
    for count in (3, 200):
        with no_grad():
            node = op.of(*map(Value, numbers(count)))
        assert (node.op, node.parents, node.local_grads) == (None, (), ())
        assert node.data == op.function(numbers(count))


@pytest.mark.parametrize("empty", [(), [], iter(()), {}])
def test_sum_of_nothing_is_zero(empty: Any) -> None:
    """An empty sum is 0, an empty dot the bias alone."""
    assert ops.sum(empty) == 0.0
    assert dot([], []) == 0.0
    assert dot([], [], 2.0) == 2.0
    bias = Value(2.0)
    neuron = dot([], [], bias)
    neuron.backward()
    assert (neuron.data, bias.grad) == (2.0, 1.0)


@pytest.mark.parametrize("reduce", [lambda: mean([]), lambda: logsumexp([]), maximum, minimum])
def test_reduction_that_needs_an_operand_says_so(reduce: Callable[[], float]) -> None:
    """The mean, largest and logsumexp of nothing are undefined."""
    with pytest.raises(OperandError, match="of no numbers is undefined: give at least one"):
        reduce()


def test_operands_may_be_any_iterable() -> None:
    """Generators, tuples, sets of keys and arrays are taken as they come."""
    v, w = Value(2.0), Value(3.0)
    assert ops.sum(x for x in (v, w)).data == 5.0
    assert mean({v: 0, w: 1}).data == 2.5
    assert ops.sum(np.array([v, w])).data == 5.0
    assert dot(np.array([1.0, 10.0]), (v, w)).data == 32.0
    assert dot((x for x in (v, w)), iter([v, w]), np.float64(1.0)).data == 14.0
    assert logsumexp(np.array([0.0, 0.0])) == math.log(2.0)
    assert softmax(x for x in (0, 0)) == [0.5, 0.5]


def test_a_reduction_of_one_thing_that_is_not_iterable() -> None:
    """sum(5) is a TypeError, as Python's is."""
    with pytest.raises(TypeError, match="iterable"):
        ops.sum(5)  # type: ignore[call-overload]


@pytest.mark.parametrize("count", [1, 2, 7, 40])
@pytest.mark.parametrize("with_bias", [False, True])
def test_dot_is_a_neurons_sum(count: int, with_bias: bool) -> None:
    """Σ wᵢxᵢ + b: each weight receives its input, each input its weight, the bias 1."""
    w, x = [Value(a) for a in numbers(count)], [Value(a + 1.0) for a in numbers(count)]
    bias = Value(0.75) if with_bias else None
    s = dot(w, x, bias)
    s.backward()
    expected = math.fsum(a.data * b.data for a, b in zip(w, x, strict=True)) + 0.75 * with_bias
    assert s.data == pytest.approx(expected, rel=1e-14)
    assert [a.grad for a in w] == [b.data for b in x]
    assert [b.grad for b in x] == [a.data for a in w]
    assert bias is None or bias.grad == 1.0


def test_dot_adds_the_bias_first() -> None:
    """The order of additions is that of micrograd's neuron, so its losses come out to the bit."""
    w, x, b = [1e16, 1.0], [1.0, 1.0], -1e16
    assert dot(w, x, b) == 1.0
    assert dot([Value(a) for a in w], x, b).data == 1.0


def test_dot_of_unequal_lengths_says_both() -> None:
    """A neuron with more weights than inputs is refused with the counts."""
    with pytest.raises(OperandError, match="dot: 2 weights but 1 input; give"):
        dot([1.0, 2.0], [1.0])


def test_dot_with_itself_has_twice_the_gradient() -> None:
    """One Value in both places receives a contribution through each wire."""
    x = Value(3.0)
    s = dot([x, x], [x, 5.0])
    s.backward()
    assert (s.data, x.grad) == (24.0, 11.0)


def test_dot_differentiates_twice() -> None:
    """The mixed second derivative of wx is 1, the pure ones are 0."""
    w, x = Value(2.0), Value(3.0)
    dw, dx = gradients(dot([w], [x], Value(1.0)), [w, x], create_graph=True)
    assert gradients(dw, [w, x]) == [0.0, 1.0]
    assert gradients(dx, [w, x]) == [1.0, 0.0]


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=80))
def test_extrema_route_to_the_operands_that_win(xs: list[float]) -> None:
    """The shares of maximum and minimum sum to 1 and lie on the winners only."""
    for op, winner in ((maximum, max(xs)), (minimum, min(xs))):
        node = op(*map(Value, xs))
        assert node.data == winner
        ties = xs.count(winner)
        expected = [1.0 / ties if x == winner else 0.0 for x in xs]
        assert node.local_grads == pytest.approx(expected)


def test_softmax_of_nothing_is_nothing() -> None:
    """No scores have no probabilities."""
    assert softmax([]) == []
    assert log_softmax([]) == []


def test_softmax_of_values_and_numbers() -> None:
    """Numbers of any kind stand beside Values; probabilities are Values, and add up to 1."""
    z = Value(1.0)
    kinds: list[Any] = [int, float, np.float64, np.array]
    for kind in kinds:
        first, second = softmax([z, kind(1)])
        assert (first.data, second.data) == (0.5, 0.5)
        logarithms = [p.data for p in log_softmax([z, kind(1)])]
        assert logarithms == pytest.approx([-math.log(2.0)] * 2, rel=1e-15)
        assert [type(p) for p in log_softmax([kind(0), kind(0)])] == [float, float]


@pytest.mark.parametrize("function", [softmax, log_softmax])
@pytest.mark.parametrize("bad", ["1.0", None, 1j])
def test_score_that_is_no_number_is_named(function: Any, bad: Any) -> None:
    """A text is not taken for a number, even where float() would read it."""
    with pytest.raises(OperandError) as caught:
        function([Value(1.0), bad])
    assert repr(bad) in str(caught.value)


def test_softmax_makes_as_many_nodes_as_it_says() -> None:
    """Of n scores softmax makes 3n + 1 nodes, and log_softmax n + 1."""
    scores = [Value(x) for x in numbers(5)]
    assert len(topological_order(*softmax(scores))) - 5 == 16
    assert len(topological_order(*log_softmax(scores))) - 5 == 6


def test_constant_shift_of_softmax_carries_no_gradient() -> None:
    """Every probability's gradients sum to 0: a shift of all scores changes nothing."""
    scores = [Value(x) for x in (3.0, -1.0, 3.0, 0.5)]
    for p in softmax(scores):
        assert sum(gradients(p, scores)) == pytest.approx(0.0, abs=1e-16)


@pytest.mark.parametrize("name", ["sum", "mean", "logsumexp"])
def test_a_reduction_given_numbers_one_by_one_says_how_it_is_called(name: str) -> None:
    """A list's brackets forgotten is an error that shows the call with them."""
    call: Any = ops.TABLE[name]
    with pytest.raises(OperandError, match=rf"{name}\(\[a, b\]\)"):
        call(Value(1.0), 2.0)


@pytest.mark.parametrize("op", [maximum, minimum])
def test_an_extremum_of_one_list_says_how_it_is_called(op: Any) -> None:
    """A list in place of the operands is an error that shows how to hand it over."""
    with pytest.raises(OperandError, match=rf"{op.name}\(\*values\)"):
        op([Value(1.0), 2.0])


@pytest.mark.parametrize("op", [maximum, minimum])
def test_an_extremum_of_many_can_be_differentiated_twice(op: Any) -> None:
    """The gradient as a graph needs no recursion as deep as there are operands."""
    x = [Value(float(i % 7)) for i in range(3000)]
    found = gradients(op(*x), x, create_graph=True)
    assert [g.data for g in found] == gradients(op(*x), x)


def test_sum_takes_what_pythons_own_takes() -> None:
    """After ``import *``, a start by name or place is added first; lists and arrays are joined."""
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


def test_sum_starts_where_pythons_own_does_compiled_too() -> None:
    """Compiled, the start is one more operand."""
    assert jit(lambda xs, s: ops.sum(xs, start=s))([1.0, 2.0], 4.0) == 7.0


def test_power_with_a_modulus_is_pythons_own() -> None:
    """After ``import *``, pow(2, 3, 5) is the whole number it is in Python; Values are refused."""
    assert ops.pow(2, 3, 5) == 3
    assert ops.pow(base=3, exp=-1, mod=7) == 5
    assert ops.pow(base=2.0, exp=3.0) == 8.0
    with pytest.raises(OperandError, match=r"remainder\(pow\(base, exp\), mod\)"):
        ops.pow(Value(2.0), 3, 5)  # type: ignore[call-overload]


def test_the_constant_that_softmax_subtracts_knows_its_scores() -> None:
    """Whoever computes the graph at other numbers finds the largest of them again."""
    x, y = Value(1.0), Value(3.0)
    masked = -math.inf
    scores: list[Any] = [x, masked, y]
    first, _, last = softmax(scores)
    for weight, score in ((first, x), (last, y)):
        (shifted,) = weight.parents[0].parents
        taken_from, held = shifted.parents
        assert taken_from is score
        assert held == 3.0
        assert held.scores == (x, masked, y)
        assert held.at({x: 9.0, y: 3.0}.__getitem__) == 9.0


def test_sparse_vectors_are_no_operands_of_dot() -> None:
    """Keys were taken: the product of {0: 2.0, 3: 5.0} with itself was 0·0 + 3·3."""
    sparse: Any = {0: 2.0, 3: 5.0}
    for w, x, name in ((sparse, sparse, "w"), ([1.0, 2.0], sparse, "x")):
        with pytest.raises(OperandError, match=rf"^dot: {name} is \{{0: 2.0, 3: 5.0\}}, of"):
            dot(w, x)


def test_a_single_number_is_no_operand_of_dot() -> None:
    """The error is scalargrad's own, and names the operand."""
    with pytest.raises(OperandError, match=r"^dot: x is 2\.0; give a list of numbers"):
        dot([1.0], 2.0)  # type: ignore[call-overload]
