"""Orders, names and searches of a graph, as gradients, steps and errors show them."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import leaves, topological_order

from scalargrad import NumericalError, Value, maximum, ops, walk


def names(root: Value) -> list[str]:
    """Return the names that steps give to inputs and gates, in order."""
    inputs, *gates = [text for step in walk(root) if "∂" not in (text := step.text())]
    return [line.partition(" = ")[0] for line in (*inputs.split(", "), *gates)]


def test_order_is_the_one_in_which_a_person_evaluates() -> None:
    """For (x + y)z it is x, y, q, z, f; of several roots each node comes once."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    f, g = q * z, q * 3.0
    assert topological_order(f) == [x, y, q, z, f]
    assert topological_order(g, f, g) == [x, y, q, g, z, f]
    assert topological_order() == []
    assert topological_order(x) == leaves(x) == [x]
    assert leaves(f * x + 7) == [x, y, z]


@pytest.mark.differential
@given(st.integers(0, 10**6))
def test_order_holds_exactly_what_is_reachable_operands_first(seed: int) -> None:
    """In a random graph with many shared nodes, each node reachable appears once."""
    generator = random.Random(seed)
    nodes = [Value(1.0), Value(2.0)]
    for _ in range(60):
        nodes.append(maximum(*generator.choices(nodes, k=generator.choice((1, 2, 2, 3, 5)))))
    order = topological_order(nodes[-1])
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is nodes[-1]
    reachable = {nodes[-1]}
    for node in reversed(nodes):
        if node in reachable:
            parents = [x for x in node.parents if isinstance(x, Value)]
            reachable.update(parents)
            assert all(place[parent] < place[node] for parent in parents)
    assert set(order) == reachable


def test_names_are_labels_or_numbers_in_order() -> None:
    """v1, v2, …; beside a velocity v they are u1, beside a u too z1; equal labels are numbered."""
    x, v, u = Value(3.0, "x"), Value(3.0, "v"), Value(1.0, "u")
    assert names(x * x + 1.0) == ["x", "v1", "v2"]
    assert names(v * v + 1.0) == ["v", "u1", "u2"]
    assert names(v * v + u) == ["v", "u", "z1", "z2"]
    twins = [Value(2.0, label) for label in ("w", "w", "w_2", "w", "v1", "")]
    assert names(ops.sum(twins)) == ["w", "w_2", "w_3", "w_4", "v1", "v2", "v3"]


@pytest.mark.differential
@given(st.lists(st.text(alphabet="v1_2{}%w", max_size=4), min_size=1, max_size=8))
def test_names_are_unique_for_any_labels(labels: list[str]) -> None:
    """Whatever the labels, braces and percent signs included, no two nodes share a name."""
    found = names(ops.sum([Value(0.0, label) for label in labels]))
    assert len(set(found)) == len(labels) + 1
    assert "" not in found
    assert all(found[labels.index(x)] == x for x in set(labels) - {""})


def test_errors_describe_a_node_by_label_operation_and_operands() -> None:
    """The node that first went non-finite; of many operands four are shown."""
    x = Value(800.0, "x")
    power = x.exp()
    power.label = "power"
    for root, said in (
        (power * 2.0 - power, "power: exp(x=800) = inf"),
        (ops.sum([Value(1e308)] * 9), "sum(1e+308, 1e+308, 1e+308, 1e+308, …) = inf"),
        (Value(float("nan")) + 1.0, "a leaf = nan"),
    ):
        with pytest.raises(NumericalError) as caught:
            root.backward()
        assert said in str(caught.value)


def test_orders_need_no_recursion() -> None:
    """A chain far deeper than Python's stack is ordered and searched."""
    x = y = Value(1.0)
    for _ in range(20_000):
        y = y + 1.0
    assert len(topological_order(y)) == 20_001
    assert leaves(y) == [x]
    with pytest.raises(NumericalError, match="inf"):
        (y * 1e308 * 10.0).backward()
