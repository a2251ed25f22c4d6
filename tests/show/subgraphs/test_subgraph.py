"""divide_graph: a graph in nested subgraphs, without modules: segments between repetitions."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import divide_graph
from tests.show.subgraphs.trees import require_sound

from scalargrad import Value, ops
from scalargrad.errors import GraphError


def chain(length: int) -> Value:
    """Return the last of `length` operations, each on the result of the one before."""
    y = Value(0.5, "x")
    for _ in range(length):
        y = y.tanh()
    return y


graphs = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=150)


@pytest.mark.differential
@given(graphs, st.integers(4, 12))
def test_divide_graph_of_random_graphs_is_sound(choices: list[tuple[int, int]], limit: int) -> None:
    """Every node is in one subgraph, no level exceeds the limit, and no value returns to one."""
    nodes = [Value(float(i)) for i in range(3)]
    for a, b in choices:
        nodes.append(nodes[a % len(nodes)] + nodes[b % len(nodes)])
    read = {x for node in nodes for x in node.parents}
    roots = [node for node in nodes if node not in read]
    require_sound(divide_graph(*roots, limit=limit), roots, limit)


def test_divide_graph_cuts_a_recurrence_between_its_steps() -> None:
    """For 600 steps of h = tanh(w·h + x), h0 and w stay visible, and titles name the steps."""
    w, h = Value(0.9, "w"), Value(0.5, "h0")
    for t in range(600):
        h = ops.tanh(w * h + Value(0.1 * t, f"x{t}"))
    whole = divide_graph(h)
    require_sound(whole, [h])
    assert {node.label for node in whole.nodes if not node.parents} == {"h0", "w"}
    inner = [part for part in whole.walk() if part.kind == "segment" and not part.children]
    titles = [part.title for part in inner]
    assert max(titles.count(title) for title in titles) >= len(titles) - 2
    assert titles[0].endswith(" × (mul, add, tanh)")


def test_divide_graph_cuts_a_sequence_without_repetition_into_segments_of_one_level() -> None:
    """150 different functions of functions, at most 60 on one level."""
    y = Value(0.5, "x")
    for op in random.Random(0).choices([ops.sin, ops.cos, ops.tanh, ops.exp], k=150):
        y = op(y)
    assert not any(part.children for part in divide_graph(y, limit=60).children)


def test_divide_graph_keeps_the_nodes_of_a_term_together() -> None:
    """No segment of a wide sum contains one leaf of a term without the other."""
    terms = [[Value(float(i)), Value(1.0)] for i in range(200)]
    total = ops.mean([a * b + a for a, b in terms])
    whole = divide_graph(total)
    require_sound(whole, [total])
    for part in whole.children:
        inside = set(part.all_nodes())
        assert all(len(inside.intersection(term)) in {0, 2} for term in terms)


def test_divide_graph_nests_a_deep_graph_of_a_shared_node_few_levels_deep() -> None:
    """5,000 steps read the same x: x is in one subgraph, and there is no recursion."""
    x = y = Value(0.5, "x")
    for _ in range(5_000):
        y = x * y
    whole = divide_graph(y)
    assert sum(x in part.nodes for part in whole.walk()) == 1
    level, depth = [whole], 0
    while level:
        level, depth = [inner for part in level for inner in part.children], depth + 1
    assert depth <= 6


def test_subgraph_find_lists_the_paths_if_there_is_no_such_path() -> None:
    """A misspelled path is answered with the existing ones."""
    whole = divide_graph(chain(100))
    assert whole.find(whole.children[0].path) is whole.children[0]
    with pytest.raises(GraphError, match="v1…v"):
        whole.find("layer")
    with pytest.raises(GraphError, match="not divided"):
        divide_graph(Value(1.0)).find("layer")


def test_subgraph_paths_differ_although_a_label_is_equal_to_a_path() -> None:
    """A node is labeled with the path of a segment."""
    y = chain(100)
    y.parents[0].label = divide_graph(y).children[0].path  # type: ignore[union-attr]
    renamed = [part.path for part in divide_graph(y).walk()]
    assert len(set(renamed)) == len(renamed)
