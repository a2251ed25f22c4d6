"""Printed code can be read: by inspect, by debuggers and in tracebacks."""

from __future__ import annotations

import inspect
import traceback

import pytest

from scalargrad import Value, custom_op, ops
from scalargrad.table.domain import Domain


def test_method_shows_the_statements_that_make_its_node() -> None:
    """The source of Value * Value has the product and the two partials of the product rule."""
    source = inspect.getsource(Value.__mul__)
    assert source.startswith("def mul(x0, x1):")
    assert "y = a0 * a1" in source
    assert "node.local_grads = (a1, a0)" in source


def test_every_operator_has_source_of_its_own() -> None:
    """The text shown for an operator is that of its own operation."""
    for name in ("add", "sub", "mul", "truediv", "pow", "neg"):
        function = getattr(Value, f"__{name}__")
        assert inspect.getsource(function).startswith(f"def {function.__name__}(")


def test_source_of_a_primitive_is_what_runs_on_floats() -> None:
    """Compiled anew, the text of exp gives e at 1."""
    assert ops.square.source == "def square(a0):\n    return a0 * a0\n"


def test_source_of_a_reduction_is_its_declaration() -> None:
    """A sum shows the function that was declared."""
    assert "def sum(" in ops.sum.source


def test_traceback_shows_the_printed_line() -> None:
    """An error in printed code is shown with the line that raised it."""
    with pytest.raises(Exception, match="log") as caught:
        Value(-1.0).log()
    text = "".join(traceback.format_exception(caught.value))
    assert "check(x0)" in text


@pytest.mark.parametrize("name", ["check", "new", "op", "lambda_"])
def test_custom_operation_may_have_any_name(name: str) -> None:
    """An operation called like a name that printed code uses computes nevertheless."""

    def function(x: float) -> float:
        return x + 1.0

    function.__name__ = name
    op = custom_op(partials=lambda y, x: (1.0,), domain=Domain(valid=lambda x: x > 0.0))(function)
    x = Value(2.0)
    y = op(x)
    y.backward()
    assert (y.data, x.grad) == (3.0, 1.0)
