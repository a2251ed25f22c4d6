"""The maximum that softmax subtracts: shown by name, and after the scores it is taken from."""

from __future__ import annotations

from math import exp

import pytest

from scalargrad import Value, draw, softmax, square, tanh
from scalargrad.graph import topological_order
from scalargrad.show.softmax_maximum import shown_order
from scalargrad.show.steps import walk


def test_the_maximum_is_named_and_its_number_is_that_of_now() -> None:
    """A gate says −max, and its step which scores it is the maximum of."""
    z = [Value(x, f"z{i}") for i, x in enumerate([2.0, 1.0, 0.1], 1)]
    p = softmax(z)[0]
    steps = walk(p)
    assert steps[1].text() == "v1 = z1 − max(z1, z2, z3) = 2 − 2 = 0"
    assert steps[1].sentence() == "The gate −max computes v1 from z1."
    assert steps[1].notes() == [
        "max(z1, z2, z3) is held constant: softmax is the same whatever is subtracted"
    ]
    assert "−max" in draw(p).svg()
    assert "−2" not in draw(p).svg()


def test_scores_come_before_what_their_maximum_is_subtracted_from() -> None:
    """A step that names max(v1, v2) stands after v2, which the first gate does not read."""
    x, y = Value(2.0, "x"), Value(0.5, "y")
    root = softmax([square(x), tanh(y)])[0]
    order = shown_order(root)
    assert set(order) == set(topological_order(root))
    place = {node: i for i, node in enumerate(order)}
    for node in order:
        assert all(place[x] < place[node] for x in node.parents if isinstance(x, Value))
    shifted = [node for node in order if node.op is not None and node.op.name == "sub"]
    tanhs = [node for node in order if node.op is not None and node.op.name == "tanh"]
    assert place[tanhs[0]] < min(place[node] for node in shifted)


def test_of_part_of_a_softmax_the_maximum_is_a_number() -> None:
    """Where the other scores are no nodes of the graph, nobody could compute it anew."""
    z = [Value(2.0, "z1"), Value(1.0, "z2")]
    root = softmax(z)[0]
    shifted = next(x for x in topological_order(root) if x.parents)
    assert walk(shifted)[1].text() == "v1 = z1 − 2 = 0"


def test_softmax_and_its_gradient_are_as_before() -> None:
    """p₁ at (2, 1) is 1/(1 + e^-1), with slope p₁(1 - p₁)."""
    z = [Value(2.0), Value(1.0)]
    p = softmax(z)[0]
    p.backward()
    expected = 1 / (1 + exp(-1.0))
    assert p.data == pytest.approx(expected, rel=1e-15)
    assert z[0].grad == pytest.approx(expected * (1 - expected), rel=1e-15)
