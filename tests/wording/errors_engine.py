"""Errors of the engine: operations, graphs, gradients, trees, custom operations."""

from __future__ import annotations

import copy
import math
import operator
import pickle
import statistics
from collections.abc import Callable
from typing import Any

import numpy as np
from tests.inner import Domain

import scalargrad
from scalargrad import Value, custom_op, detect_anomaly, grad, gradcheck, gradients, no_grad

_sg: Any = scalargrad


def _with_data(data: Any) -> Value:
    w = Value(1.0, "w")
    w.data = data
    return w


def _x(data: float = 2.0, label: str = "x") -> Any:
    return Value(data, label)


def _primals_that_are_no_tuple() -> None:
    _sg.jvp(abs, 3.0, 1.0)


@custom_op(
    partials=lambda y, x, scale: (1 / scale, -y / scale),
    domain=Domain(valid=lambda x, scale: x * x / scale < 0.123456789, safe=0.25, guard=1),
)
def _part(x: float, scale: float) -> float:
    return x / scale


def _declare(partials: Any) -> Any:
    def product(a: float, b: float) -> float:
        return a * b

    return custom_op(partials=partials)(product)


def _watched(y: Value) -> None:
    with detect_anomaly():
        y.backward()


def _changed() -> None:
    w, x = _x(2.0, "w"), _x(3.0)
    y = w * x
    w.data = 5.0
    gradients(y, x, create_graph=True)


def _generator() -> Any:
    yield 1


CASES: dict[str, Callable[[], object]] = {
    # Domains
    "log_of_a_negative_number": lambda: _x(-1.0).log(),
    "log_of_an_operand_with_an_odd_label": lambda: _sg.log(_x(-1.0, "my x")),
    "log_of_a_computed_operand": lambda: _sg.log(_x() - 3.0),
    "division_by_zero": lambda: 1 / _x(0.0, "z"),
    "division_of_operands_of_one_label": lambda: _x(1.0, "v") / _x(0.0, "v"),
    "power_of_zero": lambda: _x(0.0, "rate") ** _x(-2.0, "order"),
    "root_of_a_negative_number": lambda: _sg.sqrt(-1.0),
    "arc_cosine_beyond_one": lambda: _sg.acos(2.0),
    "log_loss_of_no_probability": lambda: _sg.log_loss(_x(1.5, "p"), 1.0),
    "remainder_of_zero": lambda: _x() % 0,
    "domain_of_a_custom_operation": lambda: _part(_x(2.0), 1.0),
    # Operands
    "sum_with_text": lambda: _x(1.0) + "two",
    "operand_beyond_the_floats": lambda: _x() * 10**400,
    "data_that_is_no_number": lambda: Value("2"),  # type: ignore[arg-type]
    "value_of_a_value": lambda: Value(_x()),
    "value_with_operands": lambda: Value(4.0, (_x(), _x()), "*"),
    "assigned_value": lambda: _with_data(_x()) * 2.0,
    "assigned_backward": lambda: setattr(_x(), "_backward", print),
    "truths_joined_with_a_number": lambda: _sg.gt(_x(), 0.0) & 3,
    "tilde_of_a_truth": lambda: ~_sg.gt(_x(), 0.0),
    "float_of_a_value": lambda: math.sin(_x()),
    "int_of_a_value": lambda: int(_x()),
    "truncated_value": lambda: math.trunc(_x()),
    "value_as_an_index": lambda: [1, 2, 3][_x()],
    "mean_of_statistics": lambda: statistics.mean([_x(), 1.0]),
    "digits_of_round": lambda: round(_x(), 400),
    "array_of_floats": lambda: np.array([_x(), _x()], dtype=float),
    "log_with_a_base": lambda: _sg.log(_x(), 3.0),
    "softplus_with_beta": lambda: _sg.softplus(_x(), 3.0),
    "operand_too_many": lambda: _sg.sin(_x(), 3.0),
    "unknown_form_of_gelu": lambda: _sg.gelu(1.0, approximate="fast"),
    "mean_of_nothing": lambda: _sg.mean([]),
    "mean_of_single_numbers": lambda: _sg.mean(_x(), 2.0),
    "maximum_of_a_list": lambda: _sg.maximum([_x(), 2.0]),
    "dot_of_unequal_lengths": lambda: _sg.dot([1.0, 2.0], [1.0]),
    "dot_of_a_number": lambda: _sg.dot([1.0], 2.0),
    "dot_of_a_dict": lambda: _sg.dot({0: 2.0, 3: 5.0}, {0: 2.0, 3: 5.0}),
    "power_with_a_modulus": lambda: _sg.pow(_x(), 3, 5),
    "name_of_another_library": lambda: _sg.radians,
    "name_of_no_library": lambda: _sg.nothing,
    # Gradients
    "backward_of_an_infinite_number": lambda: (_x(800.0).exp() * 2.0 + 1.0).backward(),  # noqa: PLW0108
    "backward_of_a_sum_of_many": lambda: _sg.sum([Value(1e308)] * 9).backward(
        allow_nonfinite=False
    ),
    "gradient_that_went_bad": lambda: _watched(_sg.sqrt(_x(0.0)) * 2.0),
    "gradients_of_a_number": lambda: gradients(2.0, _x()),  # type: ignore[arg-type]
    "gradients_by_a_number": lambda: gradients(_x() * 2.0, [2.0]),
    "graph_that_was_changed": _changed,
    "pickled_node": lambda: pickle.dumps(_x() * 3.0),
    "no_grad_of_a_generator": lambda: no_grad()(_generator),
    # Functions
    "gradient_of_several_numbers": lambda: grad(lambda x: [x, x])(3.0),
    "gradient_of_an_array_of_one": lambda: grad(lambda x: np.where(x[0], x[1], 0))(np.ones(2)),
    "gradient_of_text": lambda: grad(lambda x: "1")(3.0),
    "gradient_of_infinity": lambda: grad(lambda x: math.inf)(3.0),
    "gradient_by_an_argument_that_is_not_there": lambda: grad(operator.mul, 2)(3.0, 4.0),
    "gradient_by_a_name": lambda: _sg.grad(operator.mul, "x"),
    "gradient_by_text_in_a_tree": lambda: grad(lambda p: p["k"])({"k": 3.0, "unit": "m"}),
    "auxiliary_result_that_is_missing": lambda: grad(lambda x: x, has_aux=True)(3.0),
    "tangent_of_another_length": lambda: _sg.jvp(lambda x: x[0], ([3.0, 4.0],), ([1.0],)),
    "primals_that_are_no_tuple": _primals_that_are_no_tuple,
    "cotangent_with_another_key": lambda: _sg.vjp(lambda x: {"a": x}, 3.0)[1]({"b": 1.0}),
    "check_of_nothing": lambda: gradcheck(lambda x: 1.0, []),
    "tolerance_below_zero": lambda: gradcheck(abs, 1.0, atol=-0.5),
    # Custom operations
    "partials_too_few": lambda: _declare(lambda y, a, b: (a,)),
    "partials_by_math": lambda: _declare(lambda y, a, b: (math.sin(a), b)),
    "partials_with_if": lambda: _declare(lambda y, a, b: (a if a > 0 else b, b)),
    "custom_operation_of_a_builtin": lambda: _sg.custom_op(partials=lambda y, x: (x,))(math.sin),
    "custom_operation_of_too_few_operands": lambda: _part(),  # noqa: PLW0108 - a case is a function
    "custom_operation_that_returns_text": lambda: _sg.custom_op(partials=lambda y, x: (x,))(
        lambda x: "3"
    )(1.0),
    "copied_custom_operation": lambda: copy.copy(_part),
}
