"""Types: the static types of public names are the types of their results."""

from __future__ import annotations

from typing import assert_type

from scalargrad import Parameter, Value, jit, no_grad, ops


def test_types_of_value_operators_and_methods() -> None:
    """Arithmetic with Values and numbers is a Value, a comparison a bool."""
    v, w = Value(2.0), Parameter(3.0)
    for node in (
        assert_type(v + w, Value),
        assert_type(1 - v, Value),
        assert_type(2**v, Value),
        assert_type(v**w, Value),
        assert_type(abs(v), Value),
        assert_type(v.exp(), Value),
        assert_type(w.log().tanh().sigmoid().relu(), Value),
        assert_type(w.detach(), Value),
        assert_type(w.softplus().gelu(approximate="tanh").clip(max=1.0).maximum(v), Value),
    ):
        assert type(node) is Value
    assert type(assert_type(v < 3, bool)) is bool
    assert type(assert_type(v.data, float)) is float
    assert sum([v, w]).data == 5.0  # type: ignore[union-attr] # Python's sum may also return 0
    assert assert_type(max([v, w]), Value) is w


def test_types_of_operations_on_values() -> None:
    """An operation with a Value among its operands is a Value."""
    v = Value(0.5)
    for node in (
        assert_type(ops.exp(v), Value),
        assert_type(ops.add(1.0, v), Value),
        assert_type(ops.pow(v, 2), Value),
        assert_type(ops.leaky_relu(v, negative_slope=0.2), Value),
        assert_type(ops.gelu(v, approximate="tanh"), Value),
        assert_type(ops.where(ops.gt(v, 0.0), 1.0, 2.0), Value),
        assert_type(ops.maximum(v, 1.0), Value),
        assert_type(ops.sum([v, v]), Value),
        assert_type(ops.dot([v], [1.0], 2.0), Value),
    ):
        assert type(node) is Value
    assert [type(p) for p in assert_type(ops.softmax([v, v]), list[Value])] == [Value, Value]


def test_types_of_operations_on_numbers() -> None:
    """An operation of numbers is a float, for ints too."""
    for number in (
        assert_type(ops.exp(1), float),
        assert_type(ops.add(1.0, 2), float),
        assert_type(ops.leaky_relu(-1.0), float),
        assert_type(ops.where(True, 1.0, 2.0), float),
        assert_type(ops.maximum(1.0, 2.0), float),
        assert_type(ops.sum([1.0, 2.0]), float),
        assert_type(ops.dot([1.0], [2.0]), float),
    ):
        assert type(number) is float
    assert assert_type(ops.log_softmax([0.0]), list[float]) == [0.0]


def test_types_of_a_function_with_no_grad() -> None:
    """The decorator changes neither parameters nor result."""

    @no_grad()
    def evaluate(x: Value, times: int) -> Value:
        return x * times

    assert assert_type(evaluate(Value(2.0), times=3), Value).parents == ()


def test_types_of_a_method_with_jit() -> None:
    """It is bound like an ordinary method."""

    class Line:
        def __init__(self) -> None:
            self.w = Value(2.0)

        @jit
        def at(self, x: float, *, scale: float = 1.0) -> Value:
            return self.w * x * scale

    line = Line()
    assert assert_type(line.at(3.0, scale=0.5), Value).data == 3.0
    assert assert_type(Line.at(line, 3.0), Value).data == 6.0
