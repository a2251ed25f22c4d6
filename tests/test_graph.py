"""Graphs: topological order, names, descriptions in errors, and logged comparisons."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.garbage_collection import assert_no_garbage
from tests.inner import leaves, recorded_comparisons, topological_order

from scalargrad import NumericalError, Parameter, Value, jit, no_grad, ops, softmax, walk


def names(root: Value) -> list[str]:
    """Return the names in step text of inputs and gates, in order."""
    inputs, *gates = [text for step in walk(root) if "∂" not in (text := step.text())]
    return [line.partition(" = ")[0] for line in (*inputs.split(", "), *gates)]


def test_topological_order_is_depth_first_by_operands() -> None:
    """For (x + y)z it is x, y, q, z, f; with several roots each node appears once."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    f, g = q * z, q * 3.0
    assert topological_order(f) == [x, y, q, z, f]
    assert topological_order(g, f, g) == [x, y, q, g, z, f]
    assert topological_order() == []
    assert topological_order(x) == leaves(x) == [x]
    assert leaves(f * x + 7) == [x, y, z]


def test_step_names_are_labels_or_numbered() -> None:
    """v1, v2, …, or u1, z1 if the label v or u is used; equal labels are numbered."""
    x, v, u = Value(3.0, "x"), Value(3.0, "v"), Value(1.0, "u")
    assert names(x * x + 1.0) == ["x", "v1", "v2"]
    assert names(v * v + 1.0) == ["v", "u1", "u2"]
    assert names(v * v + u) == ["v", "u", "z1", "z2"]
    twins = [Value(2.0, label) for label in ("w", "w", "w_2", "w", "v1", "")]
    assert names(ops.sum(twins)) == ["w", "w_2", "w_3", "w_4", "v1", "u1", "u2"]


@pytest.mark.differential
@given(st.lists(st.text(alphabet="v1_2{}%w", max_size=4), min_size=1, max_size=8))
def test_step_names_are_unique_for_any_labels(labels: list[str]) -> None:
    """No two nodes share a name, for labels with braces and percent signs too."""
    found = names(ops.sum([Value(0.0, label) for label in labels]))
    assert len(set(found)) == len(labels) + 1
    assert "" not in found
    assert set(labels) - {""} <= set(found)


def test_numerical_error_describes_the_first_nonfinite_node() -> None:
    """The message has label, operation and operands; of many operands it shows four."""
    x = Value(800.0, "x")
    power = x.exp()
    power.label = "power"
    for root, description in (
        (power * 2.0 - power, "power: exp(x=800) = inf"),
        (ops.sum([Value(1e308)] * 9), "sum(1e+308, 1e+308, 1e+308, 1e+308, …) = inf"),
        (ops.sum([Value(1e308)] * 4), "sum(1e+308, 1e+308, 1e+308, 1e+308) = inf"),
        (Value(float("nan")) + 1.0, "a leaf = nan"),
    ):
        with pytest.raises(NumericalError) as caught:
            root.backward()
        assert description in str(caught.value)


# Comparisons ------------------------------------------------------------------------------------


def logged_comparisons(root: Value) -> list[tuple[object, ...]]:
    """Return operation, operand numbers and outcome of each comparison in the log."""
    return [
        (x.op.name, *[getattr(y, "data", y) for y in x.operands], x.outcome)
        for x in recorded_comparisons(root)
    ]


def test_recorded_comparisons_are_found_from_what_they_were_made_of() -> None:
    """Also where no operand is in the graph: abs(x·x − 2), or the smaller one of max(a, b)."""
    x, y = Value(1.5, "x"), Value(4.0, "y")
    larger = max(x + y, x * y)
    if x and y != 3 and not abs(x * x - 2) > 0.5 and larger >= 10**400:
        raise AssertionError
    assert logged_comparisons(larger) == [
        ("gt", 6.0, 5.5, True),
        ("ne", 1.5, 0.0, True),
        ("eq", 4.0, 3.0, False),
        ("gt", 0.25, 0.5, False),
        ("ge", 6.0, float("inf"), False),
    ]
    assert recorded_comparisons(larger)[0].operands[0] is larger
    assert logged_comparisons(y * 2.0) == [
        ("gt", 6.0, 5.5, True),
        ("eq", 4.0, 3.0, False),
        ("ge", 6.0, float("inf"), False),
    ]
    x.data = 7.0  # comparisons with the old number no longer count
    assert logged_comparisons(x * 2.0) == []


@pytest.mark.parametrize(
    "compare",
    [
        pytest.param(lambda x: sum([x * k for k in range(9)]) + x > 0, id="long formula"),
        pytest.param(lambda x: softmax([x, 2 * x])[0] > 0.1, id="softmax"),
    ],
)
def test_recorded_comparisons_are_incomplete_where_too_little_is_known(
    compare: Callable[[Value], bool],
) -> None:
    """A long formula ends in nodes that are gone; the maximum that softmax subtracts changes."""
    x = Value(1.0, "x")
    assert compare(x)
    (comparison,) = recorded_comparisons(x)
    assert comparison.operands[0] is None
    assert comparison.outcome


def test_recorded_comparisons_are_few_and_keep_no_graph_alive() -> None:
    """A loop leaves the newest 64, in order; `no_grad` and copies none; programs do not mind."""
    w = Parameter(2.0, "w")
    with no_grad():
        assert w > 0
    assert recorded_comparisons(w) == []
    program = jit(lambda x: x * w)
    for k in range(1000):
        assert w > -k
        assert program(1.0).data == 2.0
    assert len(program.paths(1.0)) == 1
    assert [found[2] for found in logged_comparisons(w)] == [-float(k) for k in range(936, 1000)]
    assert len(recorded_comparisons(w * 2.0, 8)) == 8
    assert recorded_comparisons(copy.deepcopy(w)) == []
    with assert_no_garbage():
        y = (w * Value(3.0) + 1.0) * 2.0
        assert y > w
        del y
