"""Calls of operations: operators, methods, where, number arguments, wrong arguments."""

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
    """Return value, slopes and operands of a node, bit for bit, or its DomainError."""
    try:
        node = make(*operands)
    except DomainError as error:
        return (str(error),)
    values = [x for x in operands if isinstance(x, Value)]
    slopes = sg.gradients(node, values, allow_nonfinite=True)
    return (node._op, repr(node.data), *map(repr, slopes), *map(repr, node.parents))


@pytest.mark.differential
@given(a=st.floats() | st.sampled_from([0.0, -0.0, 1.0, 2.0, 0.5]), b=st.floats())
def test_value_operators_and_methods_are_the_operations(a: float, b: float) -> None:
    """They make the same node, or raise the same error, with a number on either side."""
    for name, sign in OPERATORS.items():
        for x, y in ((Value(a), Value(b)), (Value(a), b), (b, Value(a))):
            assert outcome(sign, x, y) == outcome(vars(ops)[name], x, y)
    for name in METHODS:
        assert outcome(operator.methodcaller(name), Value(a)) == outcome(vars(ops)[name], Value(a))
        assert vars(ops)[name].__doc__.startswith(getattr(Value, name).__doc__)
    assert outcome(operator.neg, Value(a)) == outcome(ops.neg, Value(a))
    assert outcome(abs, Value(a)) == outcome(ops.abs, Value(a))


def test_where_with_a_number_as_condition_makes_no_node() -> None:
    """If the condition is a number or bool, the result is the selected operand itself."""
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


#: Selections and reductions of plain numbers, with their results by Python and NumPy.
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
def test_maximum_where_and_reductions_of_floats_make_few_calls(name: str) -> None:
    """A model evaluated without gradients pays for Python calls: 40 ns each, `max` 100 ns.

    `where` is one call; the others also check that all operands are plain numbers.
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


@pytest.mark.parametrize(
    "op", [sg.maximum, sg.minimum, lambda *xs: sg.sum([*xs])], ids=["maximum", "minimum", "sum"]
)
def test_maximum_minimum_and_sum_of_numbers_agree_with_values(op: Any) -> None:
    """They agree for ints, bools, NumPy numbers, nan and infinities; a huge integer is an error."""
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


@pytest.mark.parametrize(
    ("op", "number"),
    [(sg.log, math.log(5.0, 3.0)), (sg.softplus, math.log1p(math.exp(3.0 * 5.0)) / 3.0)],
    ids=["log", "softplus"],
)
def test_log_and_softplus_with_a_second_operand_suggest_the_formula(op: Any, number: float) -> None:
    """The suggestion has the value of math.log(x, base), or of PyTorch's softplus with beta."""
    numbers = {"x": Value(5.0), "base": 3.0, "beta": 3.0}
    with pytest.raises(OperandError) as caught:
        op(Value(5.0), 3.0)
    suggestion = str(caught.value).rpartition(", or ")[2]
    assert eval(suggestion, {op.name: op, **numbers}).data == pytest.approx(number, rel=1e-14)


def test_clip_and_where_check_the_grad_mode_at_each_call() -> None:
    """After any earlier calls they make leaves under no_grad, and jit traces them."""
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
