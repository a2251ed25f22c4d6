"""Calls of operations: operators, methods, choices, shape parameters, wrong arguments."""

from __future__ import annotations

import itertools
import math
import operator
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import TABLE, topological_order

import scalargrad as sg
from scalargrad import DomainError, OperandError, Parameter, Value, ops, where

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "pow": operator.pow,
}
METHODS = [name for name, op in TABLE.items() if getattr(op, "arity", 0) == 1]


def outcome(make: Callable[..., Value], *operands: Any) -> tuple[str, ...]:
    """Return what a node holds, bit for bit, or the message of its DomainError."""
    try:
        node = make(*operands)
    except DomainError as error:
        return (str(error),)
    values = [x for x in operands if isinstance(x, Value)]
    slopes = sg.gradients(node, values, allow_nonfinite=True)
    return (node._op, repr(node.data), *map(repr, slopes), *map(repr, node.parents))


@pytest.mark.differential
@given(a=st.floats() | st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5]), b=st.floats())
def test_operators_and_methods_are_the_operations(a: float, b: float) -> None:
    """They make the node, or raise the error, of the operation, on either side of a number."""
    for name, sign in OPERATORS.items():
        for x, y in ((Value(a), Value(b)), (Value(a), b), (b, Value(a))):
            assert outcome(sign, x, y) == outcome(vars(ops)[name], x, y)
    for name in METHODS:
        assert outcome(operator.methodcaller(name), Value(a)) == outcome(vars(ops)[name], Value(a))
        assert vars(ops)[name].__doc__.startswith(getattr(Value, name).__doc__)
    assert outcome(operator.neg, Value(a)) == outcome(ops.neg, Value(a))
    assert outcome(abs, Value(a)) == outcome(ops.abs, Value(a))


def test_where_with_a_number_makes_no_node() -> None:
    """With a number or bool as condition the chosen operand itself is the result."""
    v, w = Value(2.0), Value(3.0)
    assert where(True, v, w) is v
    assert where(v > 5, v, w) is w
    assert where(0, 1, 2) == 2.0
    chosen: Any = where(1, 7, v)
    assert type(chosen) is float
    for condition in (True, False):
        for arms in (("1", v), (v, "1")):
            with pytest.raises(OperandError, match="where"):
                where(condition, *arms)


#: What operations that choose among numbers, or add them up, are to Python and NumPy.
OF_FLOATS: dict[str, tuple[Callable[[], Any], float]] = {
    "maximum": (lambda: sg.maximum(2.0, 3.0, -1.0), 3.0),
    "maximum of an int": (lambda: sg.maximum(0, -3.5), 0.0),
    "minimum": (lambda: sg.minimum(2.0, 3.0), 2.0),
    "where": (lambda: sg.where(False, 5.0, 7.0), 7.0),
    "clip": (lambda: sg.clip(5.0, 0.0, 1.0), 1.0),
    "clip by ints": (lambda: sg.clip(0.25, 0, 1), 0.25),
    "sum": (lambda: sg.sum([1.0, 2.0, 4.0]), 7.0),
    "mean": (lambda: sg.mean([1.0, 2.0, 6.0]), 3.0),
    "logsumexp": (lambda: sg.logsumexp([0.0, 0.0]), math.log(2.0)),
}


@pytest.mark.parametrize("name", OF_FLOATS)
def test_maximum_where_and_reductions_of_floats_take_few_calls(name: str) -> None:
    """A model used without gradients pays for calls of Python's: 40 ns each, and `max` takes 100.

    `where` is one, others ask besides whether all are plain numbers.
    """
    compute, expected = OF_FLOATS[name]
    assert compute() == expected
    assert type(compute()) is float
    calls = []
    before = sys.getprofile()
    sys.setprofile(lambda frame, event, _: calls.append(frame.f_code) if event == "call" else None)
    try:
        compute()
    finally:
        sys.setprofile(before)
    assert len(calls) <= 5  # one is `compute`


@pytest.mark.parametrize("op", [sg.maximum, sg.minimum, lambda *xs: sg.sum([*xs])])
def test_maximum_minimum_and_sum_of_plain_numbers_are_those_of_values(op: Any) -> None:
    """Of ints, bools, NumPy's numbers, nan, infinities and an integer that no float can hold."""
    numbers: list[Any] = [
        -0.0,
        1,
        True,
        np.float32(0.5),
        math.nan,
        math.inf,
        -math.inf,
        2**60 + 1,
        0.1,
    ]
    for x, y, z in itertools.product(numbers, repeat=3):
        assert repr(op(x, y, z)) == repr(op(Value(x), Value(y), z).data)
    with pytest.raises(OperandError, match="too large for a float"):
        op(1.0, 10**400)


def test_what_other_libraries_take_as_a_second_operand_is_written_out() -> None:
    """What the message says gives the number of math.log(x, base), and PyTorch's softplus."""
    numbers = {"x": Value(5.0), "base": 3.0, "beta": 3.0}
    cases: list[tuple[Any, float]] = [
        (sg.log, math.log(5.0, 3.0)),
        (sg.softplus, math.log1p(math.exp(3.0 * 5.0)) / 3.0),
    ]
    for op, number in cases:
        with pytest.raises(OperandError) as caught:
            op(Value(5.0), 3.0)
        written = str(caught.value).rpartition(", or ")[2]
        assert eval(written, {op.name: op, **numbers}).data == pytest.approx(number, rel=1e-14)


def test_operations_of_three_operands_know_who_records_each_time() -> None:
    """Whatever was called before, they make leaves under no_grad, and jit records."""
    x, low, high = Value(0.3), Parameter(0.5), 1
    chosen: Any = where
    calls: list[Any] = [lambda a, b: sg.clip(a, b, high), lambda a, b: chosen(sg.gt(b, a), a, b)]
    for f in calls:
        for a, b in ((x, low), (x, 0.5), (x, 2), (x, low), (0.3, low), (x, np.float64(0.5))):
            node = f(a, b)
            with sg.no_grad():
                assert f(a, b).parents == ()
            assert all(type(p) in (float, Value, Parameter) for p in node.parents)
            assert sg.jit(f)(a, b).data == node.data
            assert [y for y in topological_order(node) if y is x] == [x] * (a is x)
