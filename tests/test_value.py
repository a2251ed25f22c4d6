"""Value and Parameter: contents, comparisons, copies and errors."""

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
COMPARISONS = [*ORDER, operator.eq, operator.ne]


def describe(x: Any) -> str:
    """Return an object as a test id, with its type."""
    return f"{getattr(x, '__name__', x)} {type(x).__name__}"


# Contents ---------------------------------------------------------------------------------------


every_real_number = pytest.mark.parametrize("number", REAL_NUMBERS, ids=describe)


@every_real_number
def test_value_data_may_be_any_kind_of_real_number(number: Any) -> None:
    """The number is converted to float by the constructor, or when it is computed with."""
    x, y, z = Value(number), Value(2.0), Value(2.0)
    y.data = z.data = number
    results: list[Any] = [y * 3.0, sg.dot([z], [3.0]), y < 5.0]
    assert type(x.data) is type(y.data) is float
    assert x.data == y.data == z.data == float(number)
    assert all(type(r) is bool or type(r.data) is float for r in results)


@pytest.mark.parametrize("operate", ARITHMETIC, ids=lambda f: f.__name__)
@every_real_number
def test_value_operand_may_be_any_kind_of_real_number(number: Any, operate: Any) -> None:
    """On either side it becomes a float among the parents."""
    y = Value(2.0)
    for node, expected, place in (
        (operate(y, number), operate(2.0, float(number)), 1),
        (operate(number, y), operate(float(number), 2.0), 0),
    ):
        assert (type(node), node.data) == (Value, expected)
        assert type(node.parents[place]) is float
        assert node.parents[1 - place] is y


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
@every_real_number
def test_value_is_compared_with_any_kind_of_real_number(number: Any, compare: Any) -> None:
    """The outcome is that of floats."""
    x, y = Value(number), Value(2.0)
    assert bool(compare(y, number)) == compare(2.0, float(number))
    assert bool(compare(number, y)) == compare(float(number), 2.0)
    assert bool(compare(x, number)) == compare(1.0, 1.0)


every_other_object = pytest.mark.parametrize("thing", NOT_NUMBERS, ids=describe)


@every_other_object
def test_value_data_must_be_a_real_number(thing: Any) -> None:
    """The constructor names the object; assigned data is refused when it is used."""
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


@every_other_object
def test_value_grad_must_be_a_real_number(thing: Any) -> None:
    """An assigned gradient is refused by backward; None is cleared, as in PyTorch."""
    x = Value(1.0)
    x.grad = thing
    if thing is None:
        (x * 2.0).backward()
        assert x.grad == 2.0
        return
    with pytest.raises(OperandError):
        (x * 2.0).backward()


@every_other_object
def test_value_operand_must_be_a_real_number(thing: Any) -> None:
    """In arithmetic and order comparisons, on either side, the error names its type."""
    x = Value(1.0)
    for operate in (*ARITHMETIC, *ORDER):
        for pair in ((x, thing), (thing, x)):
            if (operate, type(pair[0])) == (operator.pow, Fraction):
                continue  # Fraction converts itself to float first
            with pytest.raises(OperandError) as caught:
                operate(*pair)
            assert type(thing).__name__ in str(caught.value)
    assert not x == thing  # noqa: SIM201 - both operators are meant
    assert x != thing


def test_value_refuses_a_value_as_data() -> None:
    """Wrapping or assigning a Value would silently cut the graph."""
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


def test_value_parents_local_grads_and_label() -> None:
    """Parents are Values or floats, in order; a number operand has no local gradient."""
    x = Value(3.0, "x")
    assert (x.data, x.grad, x.label, Value(2.0).label) == (3.0, 0.0, "x", "")
    assert (x.op, x.parents, x.local_grads) == (None, (), ())
    y, z = 2 - x, x * x
    assert (y.op, y.parents, y.local_grads) == (ops.sub, (2.0, x), (None, -1.0))
    assert (z.parents, z.local_grads, z.item()) == ((x, x), (3.0, 3.0), 9.0)
    assert (+x is x, (-x).data, abs(-x).data) == (True, -3.0, 3.0)
    for kind in (Value, Parameter):  # a user's optimizer may store its state there
        w = kind(1.0)
        w.m = [0.5]  # type: ignore[attr-defined]
        assert copy.deepcopy(w).m == pickle.loads(pickle.dumps(w)).m == [0.5]  # type: ignore[attr-defined]


def test_value_repr_is_micrograds_with_the_label() -> None:
    """Without a label it is micrograd's repr; a format specification formats the number."""
    assert repr(Value(2.0)) == "Value(data=2.0, grad=0.0)"
    assert repr(Value(2, "{'a'}\n")) == "Value(data=2.0, grad=0.0, label=\"{'a'}\\n\")"
    v = Parameter(0.123456, "w")
    assert f"{v}" == repr(v) == "Parameter(data=0.123456, grad=0.0, label='w')"
    assert f"{v:.3f} {v:8.2e}" == "0.123 1.23e-01"


def test_detach_returns_a_leaf_that_blocks_gradients() -> None:
    """The leaf has the same data and label and no graph; zero_grad clears only its own gradient."""
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
    """A user's class of numbers with elementwise operators."""

    def __rsub__(self, number: Any) -> Vector:
        """Take each from a number."""
        return Vector(number - x for x in self)

    def __rpow__(self, number: Any) -> Vector:
        """Raise a number to each."""
        return Vector(number**x for x in self)


@pytest.mark.parametrize("wrap", [lambda f: f, jit])
def test_value_defers_to_the_operators_of_a_users_class(wrap: Any) -> None:
    """Its reflected operators are called, as for a float; without them it is Python's TypeError."""
    difference = value_and_grad(wrap(lambda x: sum(x - Vector([1.0, 4.0]))))
    power = value_and_grad(wrap(lambda x: sum(x ** Vector([1.0, 4.0]))))
    assert (difference(2.0), power(2.0)) == ((-1.0, 2.0), (18.0, 33.0))
    with pytest.raises(TypeError, match="'Vector'"):
        operator.mod(Value(2.0), Vector([1.0]))
    with pytest.raises(TypeError, match="unsupported"):
        operator.matmul(Value(2.0), 2.0)


# Comparisons and truth values -------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Value, Parameter])
def test_value_equality_of_two_values_is_identity(kind: type[Value]) -> None:
    """Two Values with equal data are different nodes in sets, as keys and in lists."""
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
def test_value_comparisons_compare_data(a: float, b: float) -> None:
    """Numbers may be on either side, NaN included; two Values are compared by order only."""
    for number in (a, b, -a):
        for x, y in ((Value(a), number), (Parameter(a), np.float64(number))):
            assert bool(x == y) is (a == number)
            assert bool(y != x) is (a != number)
    pairs: list[Any] = [(Value(a), Value(b)), (Value(a), b), (a, Value(b))]
    for compare in ORDER:
        for pair in (*pairs, (Value(a), np.float64(b))):
            assert compare(*pair) is compare(a, b)


@pytest.mark.parametrize("thing", [3, Decimal(3), Fraction(3, 2), 3j, 1.5 + 0j, np.complex128(3)])
def test_value_equality_with_a_number_is_that_of_floats(thing: Any) -> None:
    """The number may be on either side or in a list, and of a kind refused as an operand."""
    for number in (3.0, 1.5):
        expected = bool(number == thing)
        x = Value(number)
        assert bool(x == thing) is bool(thing == x) is (x in [thing]) is expected
        assert bool(x != thing) is bool(thing != x) is not expected


@pytest.mark.parametrize("compare", COMPARISONS, ids=lambda f: f.__name__)
def test_value_comparisons_with_arrays_are_elementwise(compare: Any) -> None:
    """Arrays of numbers or of Values give arrays of bools."""
    numbers = np.array([1.0, 2.0, 3.0])
    values = np.array([Value(x) for x in numbers])
    assert compare(Value(2.0), numbers).tolist() == compare(2.0, numbers).tolist()
    assert compare(numbers, Value(2.0)).tolist() == compare(numbers, 2.0).tolist()
    assert compare(values, 2.0).tolist() == compare(numbers, 2.0).tolist()
    assert compare(values, numbers[::-1]).tolist() == compare(numbers, numbers[::-1]).tolist()


def test_value_bool_is_that_of_its_data() -> None:
    """Zero is false, of either sign; nan is true."""
    truths = [bool(Value(x)) for x in (0.0, -0.0, 1e-300, math.nan, -1.0)]
    assert truths == [False, False, True, True, True]


CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "float": float,
    "int": int,
    "complex": complex,
    "math.sin": math.sin,
    "math.floor": math.floor,
    "math.trunc": math.trunc,
    "np.float64": np.float64,
    "range": range,
    "index": [1, 2, 3].__getitem__,
    "statistics.mean": lambda v: statistics.mean([v, 1.0]),
}


@pytest.mark.parametrize("name", CONVERSIONS)
def test_value_refuses_conversions_that_drop_the_gradient(name: str) -> None:
    """The error of a conversion, or of use as an index or a size, names .data."""
    with pytest.raises(OperandError, match=r"\.data"):
        CONVERSIONS[name](Value(2.0))


def test_statistics_mean_of_a_traced_value_is_an_error() -> None:
    """The error of a compiled function names the function of Python that was called."""
    with pytest.raises(sg.TraceError, match="mean"):
        jit(lambda x: statistics.mean([x, 1.0]))(2.0)


def test_value_prev_and_op_are_micrograds() -> None:
    """_prev is the set of operands, constants wrapped; _op the symbol; both are read-only."""
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
    """A user's class with an attribute, a slot and another constructor."""

    __slots__ = ("low",)

    def __init__(self, low: float, unit: str) -> None:
        super().__init__(low + 1.0, f"in {unit}")
        self.low, self.unit = low, unit


@pytest.mark.parametrize("copier", COPIERS)
def test_value_leaf_can_be_copied_and_pickled(copier: Callable[[Any], Any]) -> None:
    """Data, gradient, label, class and attributes are kept, and the copy is another node."""
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


def test_value_interior_node_cannot_be_copied_or_pickled() -> None:
    """A copy of y would depend on the x that is not copied; under no_grad results are leaves."""
    x = Value(2.0, "x")
    y = x * 3.0
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(GraphError, match="detach"):
            copied(y)
    with pytest.raises(GraphError, match="detach"):
        copy.deepcopy([x, y])
    with sg.no_grad():
        assert pickle.loads(pickle.dumps(y * 2.0)).data == 12.0


def diffuse(states: list[Any]) -> Any:
    """Return a sum over three steps of diffusion, each on a deep copy of the step before."""
    states = copy.deepcopy(states)
    for _ in range(3):
        new = copy.deepcopy(states)
        for i in range(1, len(states) - 1):
            new[i] = states[i] + 0.1 * (states[i - 1] + states[i + 1] - 2.0 * states[i])
        states = new
    return sum(copy.copy(x) ** 2 for x in states)


@pytest.mark.parametrize("wrap", [lambda f: f, jit])
def test_grad_flows_through_copies_of_arguments(wrap: Any) -> None:
    """A copy of a captured Parameter is another node, which receives no gradient."""
    found = wrap(grad(diffuse))([1.0, 2.0, 4.0, 3.0])
    assert found == pytest.approx([3.232962, 3.59335, 4.364414, 7.725274])
    assert sg.gradcheck(diffuse, [1.0, 2.0, 4.0, 3.0])
    w = Parameter(3.0)
    f = wrap(lambda x: copy.deepcopy(w) * x + w)
    result = f(2.0)
    result.backward()
    assert (grad(f)(2.0), result.data, w.grad) == (3.0, 9.0, 1.0)
