"""Eager evaluation: code printed from a declaration keeps the declaration's meaning."""

from __future__ import annotations

import copy
import math
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.garbage import no_garbage

from scalargrad import (
    DomainError,
    OperandError,
    Parameter,
    Value,
    clip,
    custom_op,
    elu,
    exp,
    gelu,
    gradients,
    gt,
    jit,
    leaky_relu,
    no_grad,
    ops,
    sin,
    where,
)
from scalargrad.graph import topological_order
from scalargrad.table.domain import Domain
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import TABLE, Symbol

FLOATS = st.floats() | st.sampled_from([0.0, -0.0, 1.0, -1.0, math.inf, 2.0, 0.5])

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
}
METHODS: dict[str, Callable[[Value], Value]] = {
    "neg": operator.neg,
    "abs": abs,
    "exp": Value.exp,
    "log": Value.log,
    "tanh": Value.tanh,
    "sigmoid": Value.sigmoid,
    "relu": Value.relu,
}


def outcome(make: Callable[..., Value], *operands: Any) -> tuple[str, ...]:
    """Return what a node holds, bit for bit, or the message of its DomainError."""
    try:
        node = make(*operands)
    except DomainError as error:
        return (str(error),)
    assert type(node) is Value
    return (node._op, repr(node.data), *map(repr, node.local_grads), *map(repr, node.parents))


@pytest.mark.parametrize("name", OPERATORS)
@given(a=FLOATS, b=FLOATS)
def test_operators_are_the_operations(name: str, a: float, b: float) -> None:
    """Operators make the node, or raise the error, of the operation, on either side of a number."""
    op, sign = vars(ops)[name], OPERATORS[name]
    for x, y in ((Value(a), Value(b)), (Value(a), b), (a, Value(b))):
        assert outcome(sign, x, y) == outcome(op, x, y)


@pytest.mark.parametrize("name", METHODS)
@given(x=FLOATS)
def test_methods_are_the_operations(name: str, x: float) -> None:
    """Methods make the node, or raise the error, of the operation of their name."""
    op, method = vars(ops)[name], METHODS[name]
    assert outcome(method, Value(x)) == outcome(op, Value(x))


@pytest.mark.parametrize("op", [ops.maximum, ops.minimum])
@given(xs=st.lists(FLOATS, min_size=1, max_size=3))
def test_a_choice_among_few_is_printed_as_its_declaration_runs(op: Any, xs: list[float]) -> None:
    """The largest and the smallest of up to three have the declaration's number and shares."""
    few = op(*map(Value, xs))
    assert float(op.function(xs)).hex() == few.data.hex()
    shares = [float(p).hex() for p in few.local_grads]
    assert shares == [float(p).hex() for p in op.partials(op.function(xs), xs)]


def test_partial_of_a_number_is_never_evaluated() -> None:
    """A partial whose operand is a number is not computed, however badly it would go."""
    asked: list[float] = []

    @custom_op(partials=lambda y, x: (0.0,))
    def spy(x: float) -> float:
        asked.append(x)
        return x

    @custom_op(partials=lambda y, a, b: (spy(a), spy(b)))
    def both(a: float, b: float) -> float:
        return a + b

    node = both(Value(1.0), 2.0)
    assert (node.local_grads, asked) == ((1.0, None), [1.0])


def test_custom_operation_may_be_called_like_one_of_ours() -> None:
    """A user's op named exp, whose partial uses ours, has both meanings right."""

    @custom_op(partials=lambda y, x: (3.0 * ops.exp(x),))
    def exp(x: float) -> float:
        return 3.0 * math.exp(x)

    x = Value(1.0)
    y = exp(x)
    y.backward()
    assert (y.data, x.grad) == pytest.approx((3.0 * math.e, 3.0 * math.e), rel=1e-15)
    (second,) = gradients(gradients(exp(x), [x], create_graph=True)[0], [x])
    assert second == pytest.approx(3.0 * math.e, rel=1e-15)


def test_custom_operations_of_one_name_in_one_partial() -> None:
    """Two ops of a user that share a name stay two."""

    def declare(factor: float) -> Any:
        @custom_op(partials=lambda y, x: (factor,))
        def scale(x: float) -> float:
            return factor * x

        return scale

    double, triple = declare(2.0), declare(3.0)

    @custom_op(partials=lambda y, x: (double(x) * triple(x),))
    def cube_of_two(x: float) -> float:
        return 2.0 * x**3

    assert cube_of_two(Value(5.0)).local_grads == (150.0,)


def test_custom_operation_may_be_a_lambda() -> None:
    """A function without a name of its own can be declared."""
    double = custom_op(partials=lambda y, x: (2.0,), symbol="2x")(lambda x: 2.0 * x)
    x = Value(1.5)
    y = double(x)
    y.backward()
    assert (y.data, x.grad, double(1.5)) == (3.0, 2.0, 3.0)


def test_operands_may_have_any_names() -> None:
    """Names the printed code uses itself do not collide with a user's parameters."""

    @custom_op(partials=lambda y, op, node, x1, check: (node, op, 1.0, check))
    def mixed(op: float, node: float, x1: float, check: float) -> float:
        return op * node + x1 + check * check / 2.0

    y = mixed(*[Value(float(k)) for k in (2, 3, 4, 5)])
    assert (y.data, y.local_grads) == (22.5, (3.0, 2.0, 1.0, 5.0))


def test_domain_and_partial_may_share_a_subexpression() -> None:
    """What the domain's condition shares with the partials is computed before both."""

    @custom_op(
        partials=lambda y, x: (1 / (1 - x * x) + 0.0 * (x * x),),
        domain=Domain(valid=lambda x: x * x < 1.0, safe=0.0),
    )
    def inverse(x: float) -> float:
        return math.atanh(x)

    y = inverse(Value(0.5))
    assert (y.data, y.local_grads) == (math.atanh(0.5), (4 / 3,))
    with pytest.raises(DomainError, match=r"inverse\(where\(x \* x < 1, x, 0\)\)"):
        inverse(Value(2.0))


def test_errors_inside_a_custom_operation_reach_the_caller() -> None:
    """A custom function that raises is not silenced, nor taken for a domain violation."""

    @custom_op(partials=lambda y, x: (1.0,))
    def picky(x: float) -> float:
        raise ZeroDivisionError("picky")

    with pytest.raises(ZeroDivisionError, match="picky"):
        picky(Value(1.0))


def test_custom_operation_cannot_be_pickled() -> None:
    """It is not in the table under its name; the error says what to do."""

    @custom_op(partials=lambda y, x: (1.0,))
    def mine(x: float) -> float:
        return x

    for copier in (pickle.dumps, copy.deepcopy):
        with pytest.raises(OperandError, match="'mine' cannot be pickled or copied: declare it"):
            copier(mine)


def test_conditions_and_infinities_are_printed() -> None:
    """Any expression serves as a condition, NaN counts as true, and constants may be infinite."""

    @custom_op(partials=lambda y, x: (where(x - 1.0, where(x, math.inf, -math.inf), -2.5),))
    def stepped(x: float) -> float:
        return x

    slopes = [stepped(Value(x)).local_grads[0] for x in (1.0, 0.0, 2.0, math.nan)]
    assert slopes == [-2.5, -math.inf, math.inf, math.inf]


def test_what_partials_have_in_common_is_computed_once() -> None:
    """The printed node code evaluates a shared subexpression once, however often it is used."""
    counted: list[float] = []

    @custom_op(partials=lambda y, x: (0.0,))
    def costly(x: float) -> float:
        counted.append(x)
        return x

    @custom_op(partials=lambda y, x: (costly(x) * costly(x) + costly(x),))
    def user(x: float) -> float:
        return x

    assert user(Value(3.0)).local_grads == (12.0,)
    assert counted == [3.0]


def test_unchosen_arm_is_not_touched() -> None:
    """A partial written with where computes only the arm it chooses, as a number and as a graph."""

    @custom_op(partials=lambda y, x: (0.0,))
    def positive(x: float) -> float:
        if x <= 0.0:
            raise ValueError("touched")
        return x

    @custom_op(partials=lambda y, x: (where(x > 0, positive(x), -1.0),))
    def op(x: float) -> float:
        return x

    for data, slope in ((-2.0, -1.0), (3.0, 3.0)):
        x = Value(data)
        y = op(x)
        assert y.local_grads == (slope,)
        assert gradients(y, x, create_graph=True).data == slope
    with pytest.raises(ValueError, match="touched"):
        positive(-1.0)


def test_where_with_a_number_makes_no_node() -> None:
    """With a number or bool as condition the chosen operand itself is the result."""
    v, w = Value(2.0), Value(3.0)
    assert where(True, v, w) is v
    assert where(v > 5, v, w) is w
    assert where(0, 1, 2) == 2.0
    chosen: Any = where(1, 7, v)
    assert type(chosen) is float


@pytest.mark.parametrize("condition", [True, False])
@pytest.mark.parametrize("bad", ["1", None, [1.0]])
def test_where_refuses_what_is_no_number_in_either_arm(condition: bool, bad: Any) -> None:
    """A wrong operand is reported whether or not it is chosen."""
    for arms in ((bad, Value(1.0)), (Value(1.0), bad)):
        with pytest.raises(OperandError, match="an operand of where is"):
            where(condition, *arms)
    with pytest.raises(OperandError, match="an operand of where is"):
        where(bad, Value(1.0), 2.0)


def test_where_on_a_node_records_the_choice() -> None:
    """A comparison recorded as a node routes the gradient and has none itself."""
    x, a, b = Value(2.0), Value(10.0), Value(20.0)
    y = where(ops.gt(x, 1.0), a, b)
    y.backward()
    assert (y.data, a.grad, b.grad, x.grad) == (10.0, 1.0, 0.0, 0.0)


def test_shape_parameters_have_pytorchs_names_and_defaults() -> None:
    """leaky_relu takes negative_slope (0.01), elu alpha (1), by position or by name."""
    assert leaky_relu(-2.0) == pytest.approx(-0.02)
    assert leaky_relu(-2.0, 0.5) == leaky_relu(-2.0, negative_slope=0.5) == -1.0
    assert elu(-1.0) == pytest.approx(math.expm1(-1.0), rel=1e-15)
    assert elu(-1.0, 2.0) == elu(-1.0, alpha=2.0) == pytest.approx(2.0 * math.expm1(-1.0))
    slope = Value(0.25)
    leaky_relu(-2.0, slope).backward()
    assert slope.grad == -2.0


@pytest.mark.parametrize(
    "wrong",
    [
        (leaky_relu, 1.0, 2.0, 3.0),
        (exp, 1.0, 2.0),
        (exp,),
        (ops.add, 1.0),
        (ops.clip,),
        (exp, "1"),
        (exp, 10**400),
        (ops.add, Value(1.0), None),
        (gelu, 1.0, "fast"),
    ],
)
def test_wrong_arguments_are_type_errors(wrong: tuple[Any, ...]) -> None:
    """Too many, too few or the wrong kind of operands raise TypeError, as Python does."""
    op, *operands = wrong
    with pytest.raises(TypeError):
        op(*operands)


def test_unknown_form_of_gelu_is_refused() -> None:
    """The message shows what was given and what there is."""
    with pytest.raises(OperandError, match="approximate is 'fast'; use 'none' or 'tanh'"):
        gelu(1.0, approximate="fast")


def test_integer_too_large_for_a_float_is_explained() -> None:
    """An int beyond 1.8e308 is refused with a reason, not with an OverflowError."""
    for make in (lambda: exp(10**400), lambda: Value(1.0) * 10**400, lambda: Value(10**400)):
        with pytest.raises(OperandError, match="too large for a float"):
            make()


def test_printed_code_appears_in_tracebacks_under_the_operations_name() -> None:
    """A printed function bears the operation's name and docstring."""
    assert isinstance(sin, Elementwise)
    assert sin.of_floats.__name__ == "sin"
    assert sin.of_floats.__doc__ == sin.__doc__


def test_making_nodes_leaves_no_garbage() -> None:
    """Printing and running operations creates no reference cycles for each node."""
    for op in TABLE.values():
        if isinstance(op, Elementwise):
            op.of(*[Value(sum(op.domain.interval(i)) / 2 or 0.5) for i in range(op.arity)])
    with no_garbage():
        for op in TABLE.values():
            if isinstance(op, Elementwise):
                op.of(*[Value(sum(op.domain.interval(i)) / 2 or 0.5) for i in range(op.arity)])


# Symbols ----------------------------------------------------------------------------------------


def test_symbols_record_what_is_written() -> None:
    """Every operator on symbols leaves its operation behind, numbers on either side."""
    x, y = Symbol("x"), Symbol("y")
    written = {
        "add(x, y)": x + y,
        "add(1.0, x)": 1 + x,
        "sub(x, 1.0)": x - 1,
        "sub(1.0, x)": 1 - x,
        "mul(x, y)": x * y,
        "mul(2.0, x)": 2 * x,
        "div(x, y)": x / y,
        "div(1.0, x)": 1 / x,
        "pow(x, 2.0)": x**2,
        "pow(2.0, x)": 2**x,
        "neg(x)": -x,
        "abs(x)": abs(x),
        "lt(x, y)": x < y,
        "le(x, 1.0)": x <= 1,
        "gt(x, 1.0)": x > 1,
        "ge(x, y)": x >= y,
        "eq(x, 1.0)": x == 1,
        "ne(x, 1.0)": x != 1,
        "remainder(x, y)": x % y,
        "remainder(1.0, x)": 1 % x,
        "floor_divide(x, 2.0)": x // 2,
        "floor_divide(1.0, x)": 1 // x,
        "exp(x)": exp(x),
    }
    assert [repr(expression) for expression in written.values()] == list(written)


def test_symbols_equal_one_another_by_identity() -> None:
    """Two symbols of one name are two operands, as two Values are; a dict tells them apart."""
    x, other = Symbol("x"), Symbol("x")
    assert x == x
    assert x != other
    assert {x: 1, other: 2}[x] == 1
    assert x not in [other, None]


def test_a_partial_may_ask_whether_its_operand_is_a_number() -> None:
    """``x == 0`` in a declaration is asked at each point: the slope is 5 at 0 and 1 elsewhere."""
    kinked = custom_op(partials=lambda y, x: (where(x == 0, 5.0, where(x != 2, 1.0, 7.0)),))(
        lambda x: x
    )
    assert [kinked(Value(x)).local_grads for x in (0.0, 1.0, 2.0)] == [(5.0,), (1.0,), (7.0,)]


def test_symbol_has_no_truth_value() -> None:
    """Branching on a symbol is refused, with where as the remedy."""
    with pytest.raises(TypeError, match=r"use where\(condition, a, b\)"):
        bool(Symbol("x") > 0)


def test_operations_of_three_operands_know_who_records_each_time() -> None:
    """Code remembered by classes of operands makes leaves under no_grad, and jit records."""
    x, low, high = Value(0.3), Parameter(0.5), 1
    chosen: Any = where
    calls: list[Any] = [lambda a, b: clip(a, b, high), lambda a, b: chosen(gt(b, a), a, b)]
    for f in calls:
        for a, b in ((x, low), (x, 0.5), (x, 2), (x, low), (0.3, low), (x, np.float64(0.5))):
            for _ in range(2):
                node = f(a, b)
                with no_grad():
                    assert f(a, b).parents == ()
                assert all(type(p) in (float, Value, Parameter) for p in node.parents)
                assert jit(f)(a, b).data == node.data
                assert [y for y in topological_order(node) if y is x] == [x] * (a is x)
