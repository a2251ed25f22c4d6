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
from importlib.util import find_spec
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import (
    GraphError,
    OperandError,
    Parameter,
    ScalargradError,
    TraceError,
    Value,
    grad,
    gradcheck,
    jit,
    no_grad,
    ops,
    value_and_grad,
)

needs_graphviz = pytest.mark.skipif(find_spec("pygraphviz") is None, reason="has no Graphviz")

REAL_NUMBERS: list[Any] = [
    3,
    3.0,
    True,
    np.float64(3.0),
    np.float32(3.0),
    np.float16(3.0),
    np.longdouble(3.0),
    np.int8(3),
    np.uint64(3),
    np.bool_(True),
    np.array(3.0),
    np.array(3),
]
NOT_NUMBERS: list[Any] = [
    "3",
    b"3",
    None,
    [3.0],
    (3.0,),
    {3.0: 1},
    3j,
    Fraction(3, 2),
    Decimal(3),
    np.str_("3"),
    object,
    np.ndarray,
    Value,
]
BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow]


# What a Value holds -----------------------------------------------------------------------------


@pytest.mark.parametrize("number", REAL_NUMBERS, ids=lambda x: f"{type(x).__name__}")
def test_data_is_a_float_whatever_number_is_given(number: Any) -> None:
    """Ints, bools, NumPy scalars and 0-d arrays are stored as float, at first and on assignment."""
    x = Value(number)
    assert type(x.data) is float
    assert x.data == float(number)
    y = Value(0.0)
    y.data = number
    assert type(y.data) is float
    assert y.data == float(number)


@pytest.mark.parametrize("thing", [*NOT_NUMBERS, np.array([3.0]), np.complex128(3)], ids=repr)
def test_data_must_be_a_real_number(thing: Any) -> None:
    """Anything else is refused by name, at first and on assignment, which then changes nothing."""
    with pytest.raises(OperandError, match="the data of a Value is") as caught:
        Value(thing)
    assert repr(thing)[:50] in str(caught.value)
    x = Value(1.0)
    with pytest.raises(OperandError, match="the data assigned is"):
        x.data = thing
    assert x.data == 1.0


@pytest.mark.parametrize(
    "thing", [Value(3.0), *(x for x in NOT_NUMBERS if x is not None)], ids=repr
)
def test_a_grad_must_be_a_real_number_or_none(thing: Any) -> None:
    """Else the next sweep would meet it, and could not say where it came from."""
    x = Value(1.0)
    with pytest.raises(OperandError, match="the grad assigned is"):
        x.grad = thing
    x.grad = np.float64(2.0)
    assert x.grad == 2.0
    x.grad = None
    x.backward()
    assert x.grad == 1.0


def test_value_of_a_value_is_refused() -> None:
    """Wrapping a Value would cut its graph; the message offers detach."""
    with pytest.raises(OperandError, match=r"use it as it is, or \.detach\(\)"):
        Value(Value(1.0))  # type: ignore[arg-type, unused-ignore]


def test_assigning_a_value_says_to_take_its_data() -> None:
    """``p.data = p - g`` is refused: the graph would be lost without a word."""
    p = Value(1.0)
    with pytest.raises(OperandError, match=r"take its \.data"):
        p.data = p - 0.1  # type: ignore[assignment]


def test_integer_too_large_is_refused() -> None:
    """An int beyond the floats is an OperandError, also on assignment."""
    x = Value(1.0)
    with pytest.raises(OperandError, match="too large for a float"):
        x.data = 10**400


def test_leaf_holds_what_it_was_given() -> None:
    """A new Value is a leaf with gradient 0."""
    x = Value(2.0, "x")
    assert (x.data, x.grad, x.label) == (2.0, 0.0, "x")
    assert (x.op, x.parents, x.local_grads) == (None, (), ())
    assert Value(2.0).label == ""


def test_node_keeps_its_operands_in_order() -> None:
    """Parents are Values or plain floats, in order; a number operand has no local gradient."""
    x = Value(3.0)
    y = 2 - x
    assert y.op is ops.sub
    assert y.parents == (2.0, x)
    assert type(y.parents[0]) is float
    assert y.local_grads == (None, -1.0)
    z = x * x
    assert z.parents == (x, x)
    assert z.local_grads == (3.0, 3.0)


@pytest.mark.parametrize("kind", [Value, Parameter])
def test_values_have_no_instance_dict(kind: type[Value]) -> None:
    """Slots keep a node small, and a misspelt attribute an error."""
    x = kind(1.0)
    assert not hasattr(x, "__dict__")
    with pytest.raises(AttributeError):
        x.gard = 1.0  # type: ignore[attr-defined]


def test_repr_is_micrograds_with_the_label() -> None:
    """Without a label it is micrograd's to the letter; a label of any text is quoted."""
    assert repr(Value(2.0)) == "Value(data=2.0, grad=0.0)"
    assert repr(Value(2, "w·x = {'a'}\n")) == (
        "Value(data=2.0, grad=0.0, label=\"w·x = {'a'}\\n\")"
    )
    assert repr(Parameter(0.5, "w")) == "Parameter(data=0.5, grad=0.0, label='w')"


def test_zero_grad_sets_the_gradient_to_zero() -> None:
    """zero_grad clears this Value's own gradient."""
    x = Value(3.0)
    (x * x).backward()
    assert x.grad == 6.0
    x.zero_grad()
    assert x.grad == 0.0


def test_detach_gives_a_leaf_that_blocks_gradients() -> None:
    """A detached node has the same data and label and no graph."""
    x = Value(3.0)
    y = x * x
    y.label = "y"
    leaf = y.detach()
    assert (leaf.data, leaf.label, leaf.parents) == (9.0, "y", ())
    (leaf * x).backward()
    assert (x.grad, leaf.grad) == (9.0, 3.0)
    assert type(Parameter(1.0).detach()) is Value


def test_parameter_is_a_leaf_whose_results_are_values() -> None:
    """Arithmetic on Parameters gives plain Values; only leaves are trained."""
    w = Parameter(2.0, "w")
    for y in (w * 3.0, 3.0 - w, w + Value(1.0), w**2, -w, abs(w), w.exp(), ops.sum([w, w])):
        assert type(y) is Value
    assert isinstance(w, Value)
    assert +w is w


class Tagged(Value):
    """A subclass of a user, with attributes of its own."""


def test_subclass_takes_part_in_arithmetic() -> None:
    """A user's subclass is an operand like any other."""
    x = Tagged(3.0)
    y = x * 2.0 + x
    y.backward()
    assert (type(y), x.grad) == (Value, 3.0)


# Arithmetic -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", REAL_NUMBERS, ids=lambda x: f"{type(x).__name__}")
@pytest.mark.parametrize("operate", BINARY, ids=lambda f: f.__name__)
def test_numbers_of_every_kind_stand_on_either_side(operate: Any, number: Any) -> None:
    """Any real number works as left and right operand, and is kept as a plain float."""
    x = Value(2.0)
    for node, expected, place in (
        (operate(x, number), operate(2.0, float(number)), 1),
        (operate(number, x), operate(float(number), 2.0), 0),
    ):
        assert type(node) is Value
        assert node.data == expected
        assert type(node.parents[place]) is float
        assert node.parents[1 - place] is x


@pytest.mark.parametrize("thing", NOT_NUMBERS, ids=repr)
@pytest.mark.parametrize("operate", BINARY, ids=lambda f: f.__name__)
def test_operand_that_is_no_number_is_named(operate: Any, thing: Any) -> None:
    """On either side of any operator the TypeError shows the operand and its type."""
    for left, right in ((Value(2.0), thing), (thing, Value(2.0))):
        if (operate, type(left)) == (operator.pow, Fraction):
            continue  # Fraction makes itself a float before it asks the exponent
        with pytest.raises(OperandError) as caught:
            operate(left, right)
        assert repr(thing)[:50] in str(caught.value)
        assert type(thing).__name__ in str(caught.value)
        assert isinstance(caught.value, TypeError | ScalargradError)


class Vector(list[Any]):
    """Numbers that a user's class computes with, element by element."""

    def __radd__(self, number: Any) -> Vector:
        """Add a number to each."""
        return Vector(number + x for x in self)

    def __rsub__(self, number: Any) -> Vector:
        """Take each from a number."""
        return Vector(number - x for x in self)

    def __rmul__(self, number: Any) -> Vector:
        """Scale each."""
        return Vector(number * x for x in self)

    def __rtruediv__(self, number: Any) -> Vector:
        """Divide a number by each."""
        return Vector(number / x for x in self)

    def __rpow__(self, number: Any) -> Vector:
        """Raise a number to each."""
        return Vector(number**x for x in self)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(
    ("operate", "value", "slope"),
    [
        (operator.add, 2.0 + 1.0 + 2.0 + 4.0, 2.0),
        (operator.sub, 2.0 - 1.0 + 2.0 - 4.0, 2.0),
        (operator.mul, 2.0 * 1.0 + 2.0 * 4.0, 5.0),
        (operator.truediv, 2.0 / 1.0 + 2.0 / 4.0, 1.25),
        (operator.pow, 2.0**1.0 + 2.0**4.0, 1.0 + 4.0 * 2.0**3.0),
    ],
)
def test_a_class_of_a_users_meets_values_by_its_own_operators(
    operate: Any, value: float, slope: float, compiled: bool
) -> None:
    """A Value on the left leaves it to them, as a float does."""

    def total(x: Any) -> Any:
        first, second = operate(x, Vector([1.0, 4.0]))
        return first + second

    found = value_and_grad(jit(total) if compiled else total)(2.0)
    assert total(2.0) == value
    assert found == (value, slope)


def test_a_class_without_the_operator_is_pythons_error() -> None:
    """It names both classes."""
    with pytest.raises(TypeError, match="'Value' and 'Vector'"):
        operator.mod(Value(2.0), Vector([1.0]))


def test_long_operand_is_cut_in_the_message() -> None:
    """A huge operand does not flood the message."""
    with pytest.raises(OperandError) as caught:
        Value(1.0) + list(range(10000))  # type: ignore[arg-type]
    assert "…" in str(caught.value)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("operate", [operator.matmul, operator.lshift])
def test_operators_that_have_no_gradient_are_not_there(operate: Any) -> None:
    """What Value does not define is Python's own TypeError."""
    with pytest.raises(TypeError, match="unsupported operand"):
        operate(Value(2.0), 2.0)


def test_unary_operators() -> None:
    """-x and abs(x) are nodes; +x is x."""
    x = Value(-2.0)
    assert ((-x).data, abs(x).data) == (2.0, 2.0)
    assert ((-x).op, abs(x).op) == (ops.neg, ops.abs)
    assert +x is x


def test_augmented_assignment_makes_a_new_node() -> None:
    """``v += 1`` binds the name to a new node and leaves the old one as it was."""
    v = first = Value(2.0)
    v += 1
    v *= v
    v -= 0.5
    v /= 2
    v **= 2
    assert v.data == ((9.0 - 0.5) / 2) ** 2
    assert first.data == 2.0
    v.backward()
    assert first.grad == 2 * 4.25 * 0.5 * 2 * 3.0


@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "relu"])
def test_methods_have_the_operations_documentation(name: str) -> None:
    """The five methods are documented like the operations they are."""
    assert getattr(Value, name).__doc__ == vars(ops)[name].__doc__


def test_sum_and_friends_of_the_builtins_work() -> None:
    """sum(), max(), min() and sorted() take Values."""
    values = [Value(x) for x in (2.0, 1.0, 3.0)]
    assert sum(values).data == 6.0  # type: ignore[union-attr]
    assert max(values) is values[2]
    assert min(values) is values[1]
    assert [v.data for v in sorted(values)] == [1.0, 2.0, 3.0]


# Comparison and truth ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Value, Parameter])
def test_values_equal_one_another_by_identity(kind: type[Value]) -> None:
    """Two Values of the same data are different nodes, in sets, as keys and in lists."""
    a, b = kind(1.0), kind(1.0)
    nowhere = kind(math.nan)
    assert a == a
    assert a != b
    assert nowhere == nowhere
    assert hash(a) == object.__hash__(a)
    assert len({a, b, a}) == 2
    assert {a: 1, b: 2}[a] == 1
    assert {a: 1}.get(1.0, 2) == 2  # type: ignore[call-overload]
    assert [a, b].index(b) == 1
    assert (a, b) != (b, a)


@given(a=st.floats(), b=st.floats())
def test_equality_with_a_number_compares_data(a: float, b: float) -> None:
    """A Value equals a number that its data equals, on either side; a NaN equals none."""
    for number in (a, b, -a):
        for x, y in ((Value(a), number), (number, Value(a)), (Parameter(a), np.float64(number))):
            assert bool(x == y) is (a == number)
            assert bool(x != y) is (a != number)


@pytest.mark.parametrize("number", REAL_NUMBERS, ids=lambda x: f"{type(x).__name__}")
def test_equality_takes_numbers_of_every_kind(number: Any) -> None:
    """Ints, bools and NumPy's numbers are compared as the floats that arithmetic takes them for."""
    data = float(number)
    assert bool(Value(data) == number)
    assert bool(number == Value(data))
    assert not bool(Value(data + 1.0) == number)
    assert bool(number != Value(data + 1.0))


@pytest.mark.parametrize("thing", [3, Decimal(3), Fraction(3, 2), 3j, 1.5 + 0j, np.complex128(3)])
@pytest.mark.parametrize("number", [3.0, 1.5])
def test_equality_with_a_number_is_that_of_floats(number: float, thing: Any) -> None:
    """With numbers that are not computed with as well, on either side and in a list."""
    expected = bool(number == thing)
    x = Value(number)
    assert bool(x == thing) is bool(thing == x) is (x in [thing]) is expected
    assert bool(x != thing) is bool(thing != x) is not expected


@pytest.mark.parametrize("thing", [x for x in NOT_NUMBERS if x != 3], ids=repr)
def test_a_value_equals_nothing_but_numbers(thing: Any) -> None:
    """Comparing with anything else is not an error: the answer is no."""
    x = Value(3.0)
    assert not x == thing  # noqa: SIM201 - both operators are meant
    assert not thing == x  # noqa: SIM201
    assert x != thing


def test_equality_beside_an_array_is_taken_element_by_element() -> None:
    """Arrays of numbers beside a Value, and of Values beside a number, give arrays of bools."""
    numbers = np.array([1.0, 2.0, 3.0])
    values = np.array([Value(x) for x in numbers])
    found: Any
    for found in (Value(2.0) == numbers, numbers == Value(2.0), values == 2.0):
        assert found.tolist() == [False, True, False]
    assert (values == numbers).tolist() == [True, True, True]
    assert (values != 2.0).tolist() == [True, False, True]
    assert np.flatnonzero(values == 2.0).tolist() == [1]


def test_membership_among_numbers_compares_data() -> None:
    """A Value is found in a list of numbers, and matched against one, by its data."""
    x = Value(2.0)
    assert x in [1.0, 2.0]
    assert x not in (1.0, 3.0)
    match x:
        case 2.0:
            found = True
        case _:
            found = False
    assert found


@pytest.mark.parametrize("derivative", [grad, lambda f: lambda x: value_and_grad(f)(x)[1]])
def test_a_branch_on_equality_is_taken_by_the_functions_of_the_argument(derivative: Any) -> None:
    """A derivative takes the way that the function takes on floats: slope 10 at 1, else 1."""

    def f(x: Any) -> Any:
        return 10 * x if x == 1.0 else x

    assert [derivative(f)(x) for x in (1.0, 2.0, 1)] == [10.0, 1.0, 10.0]
    assert grad(lambda x: 1.0 if x == 0 else ops.sin(x) / x)(0.0) == 0.0


NAMES = ["lt", "le", "gt", "ge"]


@pytest.mark.parametrize("name", NAMES)
@given(a=st.floats(), b=st.floats())
def test_order_compares_data(name: str, a: float, b: float) -> None:
    """<, <=, > and >= compare data, with Values and numbers on either side, NaN included."""
    compare = getattr(operator, name)
    expected = compare(a, b)
    for x, y in ((Value(a), Value(b)), (Value(a), b), (a, Value(b)), (Value(a), np.float64(b))):
        assert compare(x, y) is expected


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", REAL_NUMBERS, ids=lambda x: f"{type(x).__name__}")
def test_order_takes_numbers_of_every_kind(name: str, number: Any) -> None:
    """NumPy numbers compare on either side."""
    compare = getattr(operator, name)
    assert bool(compare(Value(2.0), number)) == compare(2.0, float(number))
    assert bool(compare(number, Value(2.0))) == compare(float(number), 2.0)


@pytest.mark.parametrize("name", NAMES)
def test_order_beside_an_array_is_taken_element_by_element(name: str) -> None:
    """An array on either side gives an array of bools."""
    compare, array = getattr(operator, name), np.array([1.0, 2.0, 3.0])
    assert compare(Value(2.0), array).tolist() == compare(2.0, array).tolist()
    assert compare(array, Value(2.0)).tolist() == compare(array, 2.0).tolist()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("thing", NOT_NUMBERS, ids=repr)
def test_order_refuses_what_is_no_number(name: str, thing: Any) -> None:
    """Comparing with anything else is an OperandError that names it."""
    compare = getattr(operator, name)
    for pair in ((Value(2.0), thing), (thing, Value(2.0))):
        with pytest.raises(OperandError, match="an operand of"):
            compare(*pair)


@pytest.mark.parametrize(
    ("data", "truth"), [(0.0, False), (-0.0, False), (1e-300, True), (math.nan, True), (-1, True)]
)
def test_truth_is_data_other_than_zero(data: float, truth: bool) -> None:
    """bool(v) is v.data != 0."""
    assert bool(Value(data)) is truth


@pytest.mark.parametrize(
    "convert", [float, int, complex, math.sin, math.floor, math.trunc, math.sqrt, np.float64]
)
def test_conversion_that_would_drop_the_gradient_is_refused(convert: Any) -> None:
    """float(v), int(v) and math.sin(v) are TypeErrors that name .data."""
    with pytest.raises(OperandError, match=r"would drop the gradient: use .*\.data"):
        convert(Value(2.0))


@pytest.mark.parametrize("compute", [statistics.mean, statistics.variance, statistics.stdev])
def test_functions_of_statistics_name_what_keeps_the_gradient(compute: Any) -> None:
    """They compute with fractions, which have no gradient."""
    with pytest.raises(OperandError, match=r"drop the gradient.*scalargrad\.mean"):
        compute([Value(2.0), 1.0])
    with pytest.raises(TraceError, match=r"made a fraction.*scalargrad\.mean"):
        jit(lambda x: compute([x, 1.0]))(2.0)


@pytest.mark.parametrize("use", [range, [1, 2, 3].__getitem__, [1, 2, 3].pop])
def test_a_value_as_an_index_or_a_size_is_refused_with_the_remedy(use: Any) -> None:
    """A token or a number of steps that is a Value is named, with its data and what to write."""
    with pytest.raises(OperandError, match=r"label='t'.* int\(….data\).*take\(values, i\)"):
        use(Value(2.0, "t"))


def test_refused_conversion_names_the_operation() -> None:
    """The message offers the op that keeps the gradient."""
    with pytest.raises(OperandError, match=r"scalargrad\.sin for math\.sin"):
        math.sin(Value(2.0))


# Names micrograd's programs use -----------------------------------------------------------------


def test_prev_and_op_are_micrograds() -> None:
    """_prev is the set of operands, constants wrapped; _op the operation's label."""
    x, y = Value(2.0), Value(3.0)
    assert (x * y)._prev == {x, y}
    assert (x * x)._prev == {x}
    (constant,) = (x + 1)._prev - {x}
    assert constant.data == 1.0
    assert x._prev == set()
    labels = [v._op for v in (x + y, x * y, x**3, x**-1, x**0.5, x.relu(), x, 2**x, x**y)]
    assert labels == ["+", "*", "**3", "**-1", "**0.5", "ReLU", "", "**", "**"]


@pytest.mark.parametrize("name", ["_prev", "_op"])
def test_prev_and_op_are_read_only(name: str) -> None:
    """What is derived from the node cannot be assigned."""
    with pytest.raises(AttributeError):
        setattr(Value(1.0), name, "+")


# Copies -----------------------------------------------------------------------------------------


COPIERS: list[Callable[[Any], Any]] = [
    copy.copy,
    copy.deepcopy,
    *[lambda v, protocol=p: pickle.loads(pickle.dumps(v, protocol)) for p in range(2, 6)],
]


@pytest.mark.parametrize("copier", COPIERS)
@pytest.mark.parametrize("kind", [Value, Parameter])
def test_leaf_survives_copying_and_pickling(
    kind: type[Value], copier: Callable[[Value], Value]
) -> None:
    """Data, gradient, label and class are kept, and the copy is another node."""
    leaf = kind(1.5, "{w} · 'x'")
    leaf.grad = -2.0
    twin = copier(leaf)
    assert twin is not leaf
    assert type(twin) is kind
    assert (twin.data, twin.grad, twin.label) == (1.5, -2.0, "{w} · 'x'")
    assert (twin.op, twin.parents, twin.local_grads) == (None, (), ())


class Bounded(Parameter):
    """A class of a user's that adds an attribute and a slot, and makes objects in its own way."""

    __slots__ = ("__dict__", "low")

    def __init__(self, low: float, unit: str) -> None:
        super().__init__(low + 1.0, f"in {unit}")
        self.low, self.unit = low, unit


@pytest.mark.parametrize("copier", COPIERS)
def test_what_a_derived_class_adds_is_copied(copier: Callable[[Value], Value]) -> None:
    """Attributes were lost, or again what __init__ sets, which is not called now."""
    weight = Bounded(-1.0, "m")
    weight.low, weight.data = -5.0, 2.0
    twin: Any = copier(weight)
    assert type(twin) is Bounded
    assert (twin.low, twin.unit, twin.data, twin.label) == (-5.0, "m", 2.0, "in m")


@pytest.mark.parametrize("data", [math.inf, -math.inf, -0.0, 5e-324])
def test_copy_keeps_every_float(data: float) -> None:
    """Extreme numbers come back bit for bit."""
    assert copy.deepcopy(Value(data)).data.hex() == data.hex()


def test_deepcopy_of_a_model_keeps_shared_parameters_shared() -> None:
    """A parameter used twice is copied once."""
    w = Parameter(1.0)
    model = {"encoder": [w], "decoder": [w]}
    twin = copy.deepcopy(model)
    assert twin["encoder"][0] is twin["decoder"][0]
    assert twin["encoder"][0] is not w


@pytest.mark.parametrize("copier", COPIERS[2:])
def test_interior_node_cannot_be_pickled(copier: Callable[[Value], Value]) -> None:
    """A computed node is refused with its data, its operation and the remedy."""
    x = Value(2.0, "x")
    with pytest.raises(
        GraphError, match=r"only leaves .* computed by mul: pickle its \.detach\(\)"
    ):
        copier(x * 3.0)


@pytest.mark.parametrize("copier", COPIERS[:2])
def test_the_copy_of_a_computed_number_is_that_number(copier: Callable[[Value], Value]) -> None:
    """As of a float, so that a gradient flows through states that a simulation copies."""
    y = Value(2.0, "x") * 3.0
    assert copier(y) is y


def copied_states(states: list[Any]) -> Any:
    """Return what three steps of diffusion leave, each on a deep copy of the one before."""
    states = copy.deepcopy(states)
    for _ in range(3):
        new = copy.deepcopy(states)
        for i in range(1, len(states) - 1):
            new[i] = states[i] + 0.1 * (states[i - 1] + states[i + 1] - 2.0 * states[i])
        states = new
    return sum(copy.copy(x) ** 2 for x in states)


@pytest.mark.parametrize("compiled", [False, True])
def test_gradients_flow_through_copies_of_what_a_function_is_given(compiled: bool) -> None:
    """The copy of a leaf was another leaf there: its gradient was 0, without a word."""
    gradient = jit(grad(copied_states)) if compiled else grad(copied_states)
    assert gradient([1.0, 2.0, 4.0, 3.0]) == pytest.approx([3.232962, 3.59335, 4.364414, 7.725274])
    assert gradcheck(copied_states, [1.0, 2.0, 4.0, 3.0])


@pytest.mark.parametrize("compiled", [False, True])
def test_what_a_function_closes_over_is_copied_as_ever(compiled: bool) -> None:
    """The copy of a Parameter is another node, which no gradient of that reaches."""
    w = Parameter(3.0)

    def f(x: Any) -> Any:
        return copy.deepcopy(w) * x + w

    slope = grad(jit(f) if compiled else f)(2.0)
    result = (jit(f) if compiled else f)(2.0)
    result.backward()
    assert (slope, result.data, w.grad) == (3.0, 9.0, 1.0)


def test_value_made_without_recording_can_be_copied() -> None:
    """A result of no_grad is a leaf."""
    with no_grad():
        y = Value(2.0) * 3.0
    assert copy.copy(y).data == 6.0


@needs_graphviz
def test_a_small_graph_shows_itself_in_a_notebook() -> None:
    """The rich display of a computed Value is its picture; a leaf shows its text."""
    x = Value(3.0, "x")
    shown = (x * x)._repr_svg_()
    assert shown is not None
    assert shown.startswith("<svg")
    assert x._repr_svg_() is None


@needs_graphviz
def test_a_large_graph_shows_itself_folded_in_a_notebook() -> None:
    """What could not be read at a glance is shown as its parts."""
    x = Value(1.0)
    for _ in range(100):
        x = x * 1.5
    shown = x._repr_svg_()
    assert shown is not None
    assert "folded parts" in shown


@pytest.mark.uncounted
def test_a_huge_graph_shows_its_text_in_a_notebook() -> None:
    """No cell waits for a graph of a hundred thousand nodes to be folded."""
    x = Value(1.0)
    for _ in range(100_000):
        x = -x
    assert x._repr_svg_() is None


def test_a_value_is_formatted_as_its_data() -> None:
    """A format says how the number is written, as for a PyTorch scalar; without one, it is repr."""
    v = Value(0.123456, "loss")
    assert f"{v:.3f}" == "0.123"
    assert f"{v:8.2e}" == "1.23e-01"
    assert f"{v}" == repr(v)


@pytest.mark.parametrize("more", [(), ("*",)])
def test_operands_given_by_hand_are_refused(more: tuple[str, ...]) -> None:
    """Operands as micrograd's Value takes them are refused, with the way to declare an op."""
    x = Value(2.0, "x")
    with pytest.raises(OperandError, match=r"scalargrad\.custom_op"):
        Value(4.0, (x, x), *more)  # type: ignore[arg-type]
