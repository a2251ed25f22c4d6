"""Value and Parameter: what they hold, how they compare, and what they refuse."""

from __future__ import annotations

import copy
import math
import operator
import pickle
import statistics
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import scalargrad as sg
from scalargrad import GraphError, OperandError, Parameter, Value, grad, jit, ops, value_and_grad

#: One of each kind of real number that differs in how it is converted.
REAL_NUMBERS: list[Any] = [
    *(3, 3.0, True, np.float64(3.0), np.float32(3.0), np.longdouble(3.0), np.uint64(3)),
    *(np.bool_(True), np.array(3.0), np.array(3)),
]
NOT_NUMBERS: list[Any] = [
    *("3", None, [3.0], {3.0: 1}, 3j, Fraction(3, 2), Decimal(3), np.str_("3"), np.ndarray, Value)
]
ARITHMETIC = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]
ORDER = [operator.lt, operator.le, operator.gt, operator.ge]


# What a Value holds -----------------------------------------------------------------------------


def test_every_kind_of_real_number_is_taken_for_a_float() -> None:
    """As data, at first and assigned, as operand on either side, and compared with."""
    for number in REAL_NUMBERS:
        x, y, z = Value(number), Value(2.0), Value(2.0)
        y.data = z.data = number  # converted where it is computed with
        results: list[Any] = [y * 3.0, sg.dot([z], [3.0]), y < 5.0]
        assert type(x.data) is type(y.data) is float
        assert x.data == y.data == z.data == float(number)
        assert all(type(r) is bool or type(r.data) is float for r in results)
        y.data = 2.0
        for operate in ARITHMETIC:
            for node, expected, place in (
                (operate(y, number), operate(2.0, float(number)), 1),
                (operate(number, y), operate(float(number), 2.0), 0),
            ):
                assert (type(node), node.data) == (Value, expected)
                assert type(node.parents[place]) is float
                assert node.parents[1 - place] is y
        for compare in (*ORDER, operator.eq, operator.ne):
            assert bool(compare(y, number)) == compare(2.0, float(number))
            assert bool(compare(number, y)) == compare(float(number), 2.0)
            assert bool(compare(x, number)) == compare(1.0, 1.0)


def test_what_is_no_real_number_is_named() -> None:
    """As data, gradient, operand or in a comparison; it changes nothing, and equals nothing."""
    for thing in NOT_NUMBERS:
        x = Value(1.0)
        with pytest.raises(OperandError) as caught:
            Value(thing)
        assert repr(thing)[:50] in str(caught.value)
        w: Any = Value(1.0, "wanted")
        w.data = Decimal(3) if isinstance(thing, Fraction) else thing  # a fraction is converted
        uses = (
            lambda w: w * 2.0,
            ops.exp,
            lambda w: w < 1.0,
            lambda w: sg.sum([w]),
            lambda w: w == 1.0,
        )
        for use in (*uses, Value.backward, jit(lambda w: w * 2.0)):
            with pytest.raises(OperandError, match="wanted"):
                use(w)
        if thing is not None:  # PyTorch's habit
            x.grad = thing
            with pytest.raises(OperandError):
                (x * 2.0).backward()
            x.grad = 0.0
        for operate in (*ARITHMETIC, *ORDER):
            for pair in ((x, thing), (thing, x)):
                if (operate, type(pair[0])) == (operator.pow, Fraction):
                    continue  # Fraction makes itself a float before it asks the exponent
                with pytest.raises(OperandError) as caught:
                    operate(*pair)
                assert type(thing).__name__ in str(caught.value)
        assert not x == thing  # noqa: SIM201 - both operators are meant
        assert x != thing


def test_wrapping_or_assigning_a_value_is_refused() -> None:
    """It would cut the graph without a word."""
    p = Value(1.0)
    with pytest.raises(OperandError, match="detach"):
        Value(p)  # type: ignore[arg-type, unused-ignore]
    p.data = p - 0.1  # type: ignore[assignment]
    with pytest.raises(OperandError, match="data"):
        p * 2.0
    p.data = 10**400
    with pytest.raises(OperandError, match="too large"):
        p * 2.0
    p.data = Fraction(1, 2)  # type: ignore[assignment]
    assert ((p * 2.0).data, p.data) == (1.0, 0.5)
    with pytest.raises(OperandError) as caught:
        p + list(range(10000))  # type: ignore[arg-type]
    assert len(str(caught.value)) < 300


def test_leaf_and_node_hold_what_they_were_given() -> None:
    """Parents are Values or plain floats, in order; a number operand has no local gradient."""
    x = Value(3.0, "x")
    assert (x.data, x.grad, x.label, Value(2.0).label) == (3.0, 0.0, "x", "")
    assert (x.op, x.parents, x.local_grads) == (None, (), ())
    y, z = 2 - x, x * x
    assert (y.op, y.parents, y.local_grads) == (ops.sub, (2.0, x), (None, -1.0))
    assert (z.parents, z.local_grads, z.item()) == ((x, x), (3.0, 3.0), 9.0)
    assert (+x is x, (-x).data, abs(-x).data) == (True, -3.0, 3.0)
    for kind in (Value, Parameter):  # an optimiser written by hand keeps its state there
        w = kind(1.0)
        w.m = [0.5]  # type: ignore[attr-defined]
        assert copy.deepcopy(w).m == pickle.loads(pickle.dumps(w)).m == [0.5]  # type: ignore[attr-defined]


def test_repr_is_micrograds_with_the_label() -> None:
    """Without a label it is micrograd's to the letter; a format says how the number is written."""
    assert repr(Value(2.0)) == "Value(data=2.0, grad=0.0)"
    assert repr(Value(2, "{'a'}\n")) == "Value(data=2.0, grad=0.0, label=\"{'a'}\\n\")"
    v = Parameter(0.123456, "w")
    assert f"{v}" == repr(v) == "Parameter(data=0.123456, grad=0.0, label='w')"
    assert f"{v:.3f} {v:8.2e}" == "0.123 1.23e-01"


def test_detach_gives_a_leaf_that_blocks_gradients() -> None:
    """It has the same data and label and no graph; zero_grad clears one's own gradient."""
    x = Value(3.0)
    y = x * x
    y.label = "y"
    leaf = y.detach()
    assert (leaf.data, leaf.label, leaf.parents) == (9.0, "y", ())
    (leaf * x).backward()
    assert (x.grad, leaf.grad) == (9.0, 3.0)
    x.zero_grad()
    assert x.grad == 0.0
    assert type(Parameter(1.0).detach()) is Value


class Vector(list[Any]):
    """Numbers that a user's class computes with, element by element."""

    def __rsub__(self, number: Any) -> Vector:
        """Take each from a number."""
        return Vector(number - x for x in self)

    def __rpow__(self, number: Any) -> Vector:
        """Raise a number to each."""
        return Vector(number**x for x in self)


@pytest.mark.parametrize("wrap", [lambda f: f, jit])
def test_a_class_of_a_users_meets_values_by_its_own_operators(wrap: Any) -> None:
    """A Value on the left leaves it to them, as a float does; without one it is Python's error."""
    difference = value_and_grad(wrap(lambda x: sum(x - Vector([1.0, 4.0]))))
    power = value_and_grad(wrap(lambda x: sum(x ** Vector([1.0, 4.0]))))
    assert (difference(2.0), power(2.0)) == ((-1.0, 2.0), (18.0, 33.0))
    with pytest.raises(TypeError, match="'Vector'"):
        operator.mod(Value(2.0), Vector([1.0]))
    with pytest.raises(TypeError, match="unsupported"):
        operator.matmul(Value(2.0), 2.0)


# Comparison and truth ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Value, Parameter])
def test_values_equal_one_another_by_identity(kind: type[Value]) -> None:
    """Two Values of the same data are different nodes, in sets, as keys and in lists."""
    a, b, nowhere = kind(1.0), kind(1.0), kind(math.nan)
    assert (a == a, a != b, nowhere == nowhere) == (True, True, True)
    assert hash(a) == object.__hash__(a)
    assert len({a, b, a}) == 2
    assert {a: 1, b: 2}[a] == 1
    assert [a, b].index(b) == 1
    x = kind(2.0)
    assert x in [1.0, 2.0]
    assert x not in (1.0, 3.0)
    values = [kind(x) for x in (2.0, 1.0, 3.0)]
    assert sum(values).data == 6.0  # type: ignore[union-attr]
    assert (max(values), min(values)) == (values[2], values[1])
    assert [v.data for v in sorted(values)] == [1.0, 2.0, 3.0]


@pytest.mark.differential
@given(a=st.floats(), b=st.floats())
def test_comparisons_are_those_of_data(a: float, b: float) -> None:
    """With numbers on either side, NaN included; of two Values, order alone."""
    for number in (a, b, -a):
        for x, y in ((Value(a), number), (Parameter(a), np.float64(number))):
            assert bool(x == y) is (a == number)
            assert bool(y != x) is (a != number)
    for compare in ORDER:
        pairs: list[Any] = [(Value(a), Value(b)), (Value(a), b), (a, Value(b))]
        for pair in (*pairs, (Value(a), np.float64(b))):
            assert compare(*pair) is compare(a, b)


@pytest.mark.parametrize("thing", [3, Decimal(3), Fraction(3, 2), 3j, 1.5 + 0j, np.complex128(3)])
def test_equality_with_a_number_is_that_of_floats(thing: Any) -> None:
    """With numbers that are not computed with as well, on either side and in a list."""
    for number in (3.0, 1.5):
        expected = bool(number == thing)
        x = Value(number)
        assert bool(x == thing) is bool(thing == x) is (x in [thing]) is expected
        assert bool(x != thing) is bool(thing != x) is not expected


def test_comparisons_beside_an_array_are_taken_element_by_element() -> None:
    """Arrays of numbers beside a Value, and of Values beside a number, give arrays of bools."""
    numbers = np.array([1.0, 2.0, 3.0])
    values = np.array([Value(x) for x in numbers])
    for compare in (*ORDER, operator.eq, operator.ne):
        assert compare(Value(2.0), numbers).tolist() == compare(2.0, numbers).tolist()
        assert compare(numbers, Value(2.0)).tolist() == compare(numbers, 2.0).tolist()
        assert compare(values, 2.0).tolist() == compare(numbers, 2.0).tolist()
    assert (values == numbers).tolist() == [True, True, True]


def test_the_truth_of_a_value_is_that_of_its_data() -> None:
    """Zero is false, of either sign; nan is true."""
    truths = [bool(Value(x)) for x in (0.0, -0.0, 1e-300, math.nan, -1.0)]
    assert truths == [False, False, True, True, True]


def test_conversion_that_would_drop_the_gradient_is_refused() -> None:
    """By float(), math and statistics, as an index or a size: TypeErrors that name .data."""
    cases: list[Any] = [
        *(float, int, complex, math.sin, math.floor, math.trunc, np.float64, range),
        *([1, 2, 3].__getitem__, lambda v: statistics.mean([v, 1.0])),
    ]
    for convert in cases:
        with pytest.raises(OperandError, match=r"\.data"):
            convert(Value(2.0))
        with pytest.raises(sg.TraceError, match="mean"):
            jit(lambda x: statistics.mean([x, 1.0]))(2.0)


def test_prev_and_op_are_micrograds() -> None:
    """_prev is the set of operands, constants wrapped; _op the operation's label; read-only."""
    x, y = Value(2.0), Value(3.0)
    assert ((x * y)._prev, (x * x)._prev, x._prev) == ({x, y}, {x}, set())
    (constant,) = (x + 1)._prev - {x}
    assert constant.data == 1.0
    labels = [v._op for v in (x + y, x * y, x**3, x**-1, x**0.5, x.relu(), x, 2**x, x**y)]
    assert labels == ["+", "*", "**3", "**-1", "**0.5", "ReLU", "", "**", "**"]
    for name in ("_prev", "_op"):
        with pytest.raises(AttributeError):
            setattr(x, name, "+")


# Copies -----------------------------------------------------------------------------------------

COPIERS: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *[lambda v, protocol=p: pickle.loads(pickle.dumps(v, protocol)) for p in (2, 5)],
]


class Bounded(Parameter):
    """A class of a user's that adds an attribute and a slot, and makes objects in its own way."""

    __slots__ = ("low",)

    def __init__(self, low: float, unit: str) -> None:
        super().__init__(low + 1.0, f"in {unit}")
        self.low, self.unit = low, unit


@pytest.mark.parametrize("copier", COPIERS)
def test_leaf_survives_copying_and_pickling(copier: Callable[[Any], Any]) -> None:
    """Data, gradient, label, class and what it adds are kept, and the copy is another node."""
    for kind in (Value, Parameter):
        leaf = kind(-0.0, "{w} · 'x'")
        leaf.grad = -2.0
        twin = copier(leaf)
        assert (twin is leaf, type(twin)) == (False, kind)
        assert (str(twin.data), twin.grad, twin.label) == ("-0.0", -2.0, "{w} · 'x'")
        assert (twin.op, twin.parents) == (None, ())
    weight = Bounded(-1.0, "m")
    weight.low, weight.data = -5.0, 2.0
    found: Any = copier(weight)
    assert type(found) is Bounded
    assert (found.low, found.unit, found.data, found.label) == (-5.0, "m", 2.0, "in m")
    first, second = copier({"encoder": [weight], "decoder": [weight]}).values()
    assert first[0] is second[0]


def test_computed_numbers_are_neither_copied_nor_pickled() -> None:
    """The copy of y would read the x that is not copied; without recording they are leaves."""
    x = Value(2.0, "x")
    y = x * 3.0
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(GraphError, match="detach"):
            copied(y)
    with pytest.raises(GraphError, match="detach"):
        copy.deepcopy([x, y])
    with sg.no_grad():
        assert pickle.loads(pickle.dumps(y * 2.0)).data == 12.0


def copied_states(states: list[Any]) -> Any:
    """Return what three steps of diffusion leave, each on a deep copy of the one before."""
    states = copy.deepcopy(states)
    for _ in range(3):
        new = copy.deepcopy(states)
        for i in range(1, len(states) - 1):
            new[i] = states[i] + 0.1 * (states[i - 1] + states[i + 1] - 2.0 * states[i])
        states = new
    return sum(copy.copy(x) ** 2 for x in states)


@pytest.mark.parametrize("wrap", [lambda f: f, jit])
def test_gradients_flow_through_copies_of_what_a_function_is_given(wrap: Any) -> None:
    """But the copy of a Parameter that it closes over is another node, which none reaches."""
    found = wrap(grad(copied_states))([1.0, 2.0, 4.0, 3.0])
    assert found == pytest.approx([3.232962, 3.59335, 4.364414, 7.725274])
    assert sg.gradcheck(copied_states, [1.0, 2.0, 4.0, 3.0])
    w = Parameter(3.0)
    f = wrap(lambda x: copy.deepcopy(w) * x + w)
    result = f(2.0)
    result.backward()
    assert (grad(f)(2.0), result.data, w.grad) == (3.0, 9.0, 1.0)
