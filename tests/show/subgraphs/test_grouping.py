"""Folds of graphs without modules: dominators, stretches, and what every folding keeps to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import Value, ops
from scalargrad.errors import GraphError
from scalargrad.graph import topological_order
from scalargrad.nn import Module
from scalargrad.show.subgraphs import Fold, fold
from scalargrad.show.subgraphs.dominators import immediate_dominators
from scalargrad.show.subgraphs.grouping import grouped


def require_sound(whole: Fold, roots: Sequence[Value], limit: int) -> None:
    """Assert what holds of every tree of folds."""
    order = topological_order(*roots)
    folds = list(whole.walk())
    assert sorted(map(id, whole.everything())) == sorted(map(id, order))
    assert len({part.path for part in folds}) == len(folds)
    lines = [(x, node) for node in order for x in node.parents if isinstance(x, Value)]
    for part in folds:
        inside = set(part.everything())
        read = {x for x, reader in lines if x in inside and reader not in inside}
        assert set(part.outputs) == read | (inside & set(roots))
        assert set(part.inputs) == {x for x, reader in lines if reader in inside} - inside
        assert part.size == len(inside)
        assert part is whole or part.items
        assert len(part.items) <= limit
        require_acyclic(part, lines)


def require_acyclic(part: Fold, lines: Sequence[tuple[Value, Value]]) -> None:
    """Assert that each item directly inside comes before those that read it."""
    place = {
        node: i
        for i, item in enumerate(part.items)
        for node in ([item] if isinstance(item, Value) else item.everything())
    }
    for operand, reader in lines:
        if operand in place and reader in place:
            assert place[operand] <= place[reader]


graphs = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=150)


def computed(choices: Sequence[tuple[int, int]], inputs: int = 3) -> list[Value]:
    """Return the ends of a graph in which each node reads two earlier ones."""
    nodes = [Value(float(i)) for i in range(inputs)]
    for a, b in choices:
        nodes.append(nodes[a % len(nodes)] + nodes[b % len(nodes)])
    read = {x for node in nodes for x in node.parents}
    return [node for node in nodes if node not in read]


@given(graphs, st.integers(4, 12))
def test_random_graphs_fold_soundly(choices: list[tuple[int, int]], limit: int) -> None:
    """Every node is in one fold, no level exceeds the limit, and no value leaves and comes back."""
    roots = computed(choices)
    require_sound(fold(*roots, limit=limit), roots, limit)


@given(graphs)
def test_dominators_are_what_every_path_passes(choices: list[tuple[int, int]]) -> None:
    """A vertex is dominated by those whose removal cuts it off from every end."""
    order = topological_order(*computed(choices[:25]))
    place = {node: i for i, node in enumerate(order)}
    reads = [[place[x] for x in node.parents if isinstance(x, Value)] for node in order]
    found, end = immediate_dominators(reads), len(reads)
    for vertex in range(end):
        chain, at = set[int](), vertex
        while (at := found[at]) != end:
            chain.add(at)
        assert chain == {d for d in range(end) if d != vertex and cuts_off(reads, d, vertex)}


def cuts_off(reads: Sequence[Sequence[int]], removed: int, vertex: int) -> bool:
    """Return whether no path leads from a vertex to an end once another is removed."""
    read = {x for operands in reads for x in operands}
    reached = {i for i in range(len(reads)) if i not in read and i != removed}
    for reader in reversed(range(len(reads))):
        if reader in reached:
            reached.update(x for x in reads[reader] if x != removed)
    return vertex not in reached


def test_a_chain_of_2000_folds_into_stretches_that_can_each_be_seen_whole() -> None:
    """One level of stretches suffices, none of which has more than the limit inside."""
    x = y = Value(0.5, "x")
    for _ in range(2000):
        y = y.tanh()
    whole = fold(y)
    require_sound(whole, [y], 60)
    assert {part.kind for part in whole.folds} == {"stretch"}
    assert all(not part.folds for part in whole.folds)
    assert x in whole.folds[0].nodes


def test_a_wide_sum_shows_the_sum_and_its_terms_in_groups() -> None:
    """The Σ stands by itself beside groups of its 500 operands."""
    total = ops.sum([Value(float(i)) for i in range(500)])
    whole = fold(total)
    require_sound(whole, [total], 60)
    assert whole.nodes == [total]
    assert sum(part.size for part in whole.folds) == 500


def test_terms_that_were_computed_stay_together_in_groups_of_a_sum() -> None:
    """No group of a wide sum holds one node of a term without the others."""
    terms = [[Value(float(i)), Value(1.0)] for i in range(200)]
    total = ops.mean([a * b + a for a, b in terms])
    whole = fold(total)
    require_sound(whole, [total], 60)
    for part in whole.folds:
        inside = set(part.everything())
        assert all(len(inside.intersection(term)) in {0, 2} for term in terms)


def test_a_reduction_over_leaves_is_one_fold_that_counts_its_terms() -> None:
    """A dot over 64 weights and a bias is a "dot of 65 terms", which opens to groups of them."""
    weights, inputs = ([Value(0.1) for _ in range(64)] for _ in range(2))
    y = ops.dot(weights, inputs, Value(1.0)).tanh().exp()
    (terms,) = fold(y).folds
    assert terms.title == "dot of 65 terms"
    assert sum(part.size for part in terms.folds) == 129


def test_a_deep_graph_of_a_shared_node_folds_without_recursion() -> None:
    """20,000 steps that all read the same x nest a few levels deep, and x is in one place."""
    x = y = Value(0.5, "x")
    for _ in range(20_000):
        y = x * y
    whole = fold(y)
    require_shallow(whole)
    assert sum(x in part.nodes for part in whole.walk()) == 1


def require_shallow(whole: Fold) -> None:
    """Assert that no fold is more than six levels down."""
    level = [whole]
    for _ in range(6):
        level = [inner for part in level for inner in part.folds]
    assert not level


def test_equal_graphs_have_equal_folds() -> None:
    """Nothing depends on addresses or the order of sets."""

    def tree() -> list[tuple[str, str, int]]:
        nodes = [Value(float(i)) for i in range(5)]
        for i in range(400):
            nodes.append(nodes[(i * 7) % len(nodes)] + nodes[(i * 13) % len(nodes)].tanh())
        return [(part.path, part.title, part.size) for part in fold(nodes[-1], limit=12).walk()]

    assert tree() == tree()


def test_a_small_graph_is_not_folded() -> None:
    """What fits on one level is left as it is."""
    x, y = Value(1.0, "x"), Value(2.0, "y")
    whole = fold(x * y + x)
    assert not whole.folds
    assert whole.title == "4 nodes"


def test_shown_says_what_stands_for_a_node() -> None:
    """A node in a closed fold is stood for by the outermost closed one, else by itself."""
    y = Value(0.5, "x")
    for _ in range(2000):
        y = y.tanh()
    whole = fold(y, limit=20)
    outer = whole.folds[-1]
    inner = outer.folds[-1]
    assert whole.shown([])[y] is outer
    assert whole.shown([inner])[y] is outer
    assert whole.shown([outer])[y] is inner
    assert whole.shown([outer, inner])[y] is y
    assert set(whole.shown([])) == set(topological_order(y))


def test_a_fold_that_is_not_there_is_named_with_those_that_are() -> None:
    """A misspelt path is answered with paths."""
    y = Value(0.5, "x")
    for _ in range(100):
        y = y.tanh()
    whole = fold(y)
    assert whole.find(whole.folds[0].path) is whole.folds[0]
    with pytest.raises(GraphError, match=r"no fold 'layer': there are 'x…v"):
        whole.find("layer")


@pytest.mark.parametrize("count", range(1, 40))
def test_rows_of_any_length_are_cut_into_at_most_the_limit(count: int) -> None:
    """No stretch is empty and no vertex is lost, whatever the length of the row."""
    members = list(grouped([[] for _ in range(count)], limit=4))
    assert len(members) <= 4
    pending, found = list(members), list[int]()
    while pending:
        member = pending.pop()
        if isinstance(member, int):
            found.append(member)
        else:
            assert 1 < len(member.members) <= 4
            pending += member.members
    assert sorted(found) == list(range(count))


def test_a_model_without_parameters_in_the_graph_changes_nothing() -> None:
    """A module whose parameters no node reads has no fold."""

    class Nothing(Module):
        pass

    x = Value(1.0)
    assert not fold(x * x, model=Nothing()).folds


def test_paths_differ_where_labels_are_like_paths() -> None:
    """A node that is called like the range of another fold does not take its path."""
    y = Value(0.5, "x")
    for _ in range(100):
        y = y.tanh()
    paths = [part.path for part in fold(y).walk()]
    y.parents[0].label = paths[1]  # type: ignore[union-attr]
    renamed = [part.path for part in fold(y).walk()]
    assert len(set(renamed)) == len(renamed)
