"""Orders and searches of a graph."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import Value, log, ops
from scalargrad.graph import (
    describe,
    fan_out,
    first_nonfinite,
    leaves,
    names,
    topological_order,
)


def lecture() -> tuple[Value, ...]:
    """Return x, y, z, q and f of the lecture's (x + y)z."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    return x, y, z, q, q * z


def tangle(seed: int, size: int = 60) -> list[Value]:
    """Return the nodes of a random graph with many shared nodes, in order of their making."""
    generator = random.Random(seed)
    nodes = [Value(1.0), Value(2.0)]
    for _ in range(size):
        operands = generator.choices(nodes, k=generator.choice((1, 2, 2, 3, 5)))
        nodes.append(ops.maximum(*operands))
    return nodes


def test_order_is_the_one_in_which_a_person_evaluates() -> None:
    """For (x + y)z it is x, y, q, z, f."""
    x, y, z, q, f = lecture()
    assert topological_order(f) == [x, y, q, z, f]


@given(st.integers(0, 10**6))
def test_operands_come_before_results(seed: int) -> None:
    """Each node reachable appears once, after all its operands."""
    root = tangle(seed)[-1]
    order = topological_order(root)
    place = {node: i for i, node in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is root
    for node in order:
        assert all(place[parent] < place[node] for parent in node.parents)  # type: ignore[index]


@given(st.integers(0, 10**6))
def test_order_holds_exactly_what_is_reachable(seed: int) -> None:
    """Nothing under the root is missing, and nothing else is there."""
    nodes = tangle(seed)
    reachable = {nodes[-1]}
    for node in reversed(nodes):
        if node in reachable:
            reachable.update(node.parents)  # type: ignore[arg-type]
    assert set(topological_order(nodes[-1])) == reachable


def test_order_of_several_roots() -> None:
    """Two roots that share nodes are ordered together, each node once."""
    x = Value(2.0)
    shared = x * x
    a, b = shared + 1.0, shared * 3.0
    assert topological_order(a, b) == [x, shared, a, b]
    assert topological_order(b, a, b) == [x, shared, b, a]
    assert topological_order() == []


def test_order_stops_where_it_is_told() -> None:
    """Nodes named in `until` are left out, with all that only they reach."""
    x, y = Value(2.0), Value(3.0)
    hidden = x * x
    root = hidden + y * x
    order = topological_order(root, until=[hidden])
    assert hidden not in order
    assert order == [y, x, root.parents[1], root]
    assert topological_order(root, until=[root]) == []


def test_leaf_is_its_own_order() -> None:
    """A leaf's graph is the leaf."""
    x = Value(1.0)
    assert topological_order(x) == [x]
    assert leaves(x) == [x]


def test_leaves_come_in_the_order_an_expression_names_them() -> None:
    """Leaves are listed once, constants not at all."""
    x, y, z, _, f = lecture()
    assert leaves(f * x + 7) == [x, y, z]


def test_fan_out_counts_wires() -> None:
    """Of x · x two wires leave x, and of the root none."""
    x = Value(3.0)
    y = x * x + 2.0 * x
    counts = fan_out(topological_order(y))
    assert counts[x] == 3
    assert counts[y] == 0
    assert sum(counts.values()) == sum(
        isinstance(parent, Value) for node in counts for parent in node.parents
    )


def test_first_nonfinite_node_is_where_it_began() -> None:
    """The node found has finite operands; a finite graph has none."""
    x = Value(1000.0)
    power = x.exp()
    assert first_nonfinite(power * 2.0 - power) is power
    assert first_nonfinite(x * 2.0) is None
    assert first_nonfinite(Value(float("nan")) + 1.0).op is None  # type: ignore[union-attr]


def test_names_are_labels_or_numbers_in_order() -> None:
    """Labels stay; other nodes are v1, v2, … in topological order."""
    *_, f = lecture()
    assert list(names(topological_order(f)).values()) == ["x", "y", "v1", "z", "v2"]


def test_nodes_beside_a_velocity_are_no_velocities() -> None:
    """Of v·v + u the square is called z1: v1 and u1 would be taken for another v or u."""
    v = Value(3.0, "v")
    assert list(names(topological_order(v * v + 1.0)).values()) == ["v", "u1", "u2"]
    f = v * v + Value(1.0, "u")
    assert list(names(topological_order(f)).values()) == ["v", "z1", "u", "z2"]


def test_names_are_unique_when_labels_are_not() -> None:
    """Equal labels are numbered from the second on, past labels that look like numbers."""
    nodes = [Value(0.0, label) for label in ("w", "w", "w_2", "w", "v1", "", "", "v3", "")]
    assert list(names(nodes).values()) == [
        "w", "w_3", "w_2", "w_4", "v1", "v2", "v4", "v3", "v5",
    ]  # fmt: skip


@given(st.lists(st.text(alphabet="v1_2{}%w", max_size=4), max_size=30))
def test_names_are_unique_for_any_labels(labels: list[str]) -> None:
    """Whatever the labels, braces and percent signs included, no two nodes share a name."""
    nodes = [Value(0.0, label) for label in labels]
    named = names(nodes)
    assert len(set(named.values())) == len(nodes)
    assert "" not in named.values()
    assert all(named[nodes[labels.index(x)]] == x for x in set(labels) - {""})


def test_names_of_many_nodes_of_one_label() -> None:
    """100,000 nodes of one label are named in one pass, not in one for each."""
    named = names([Value(0.0, "w") for _ in range(100_000)])
    assert len(set(named.values())) == 100_000


def test_describe_names_operation_operands_and_data() -> None:
    """A node in a message shows its label, what made it from what, and its data."""
    x = Value(800.0, "x")
    y = x.exp()
    assert describe(y) == "exp(x=800) = inf"
    y.label = "power"
    assert describe(y) == "power: exp(x=800) = inf"
    assert describe(2 - y * 1.0) == "sub(2, inf) = -inf"
    assert describe(x) == "x = 800"
    assert describe(Value(0.1234567)) == "a leaf = 0.123457"


def test_describe_cuts_a_long_list_of_operands() -> None:
    """Of many operands four are shown."""
    assert describe(ops.sum([Value(1.0)] * 4)) == "sum(1, 1, 1, 1) = 4"
    assert describe(ops.sum([Value(1.0)] * 9)) == "sum(1, 1, 1, 1, …) = 9"
    assert describe(ops.sum([Value(1.0)] * 4)) == "sum(1, 1, 1, 1) = 4"


@pytest.mark.uncounted
@pytest.mark.parametrize("size", [100_000])
def test_orders_need_no_recursion(size: int) -> None:
    """A chain far deeper than Python's stack is ordered and searched."""
    x = Value(1.0)
    y = x
    for _ in range(size):
        y = y + 1.0
    assert len(topological_order(y)) == size + 1
    assert leaves(y) == [x]
    assert first_nonfinite(log(y)) is None
