"""What a backward sweep costs: about two forward passes of products, and every intermediate."""

from __future__ import annotations

import itertools

import pytest
from tests.inner import topological_order

from scalargrad import Value, nn


def products_forwards(sizes: list[int]) -> int:
    """Return how often a weight is multiplied by an input: once for each weight."""
    return sum(nin * nout for nin, nout in itertools.pairwise(sizes))


def products_backwards(*roots: Value) -> int:
    """Return how often upstream × local is computed: once for each wire between two nodes."""
    nodes = topological_order(*roots)
    return sum(isinstance(parent, Value) for node in nodes for parent in node.parents)


def linear(sizes: list[int]) -> nn.Sequential:
    """Return linear layers in a row, without biases."""
    pairs = itertools.pairwise(sizes)
    return nn.Sequential(*(nn.Linear(nin, nout, bias=False, rng=0) for nin, nout in pairs))


SIZES = [[4, 3], [5, 8, 8, 2], [20, 30, 10]]


@pytest.mark.parametrize("sizes", SIZES)
def test_backward_is_two_products_for_each_one_forwards(sizes: list[int]) -> None:
    """A weight is used once forwards, w·x, and twice backwards: once for w̄ and once for x̄."""
    outputs = linear(sizes)([Value(1.0 + i) for i in range(sizes[0])])
    assert products_backwards(*outputs) == 2 * products_forwards(sizes)


@pytest.mark.parametrize("sizes", SIZES)
def test_plain_inputs_spare_the_first_layer_half_of_it(sizes: list[int]) -> None:
    """Nobody asks for the gradient of an input that is a number."""
    outputs = linear(sizes)([1.0 + i for i in range(sizes[0])])
    spared = sizes[0] * sizes[1]
    assert products_backwards(*outputs) == 2 * products_forwards(sizes) - spared


def test_biases_and_units_add_little() -> None:
    """With a bias and a unit for every neuron of 64-64-64-10 it is 2.03 times."""
    sizes = [64, 64, 64, 10]
    outputs = nn.MLP(64, sizes[1:], rng=0)([Value(0.5) for _ in range(64)])
    extra = 2 * (64 + 64) + 10
    assert products_backwards(*outputs) == 2 * products_forwards(sizes) + extra
    assert products_backwards(*outputs) / products_forwards(sizes) == pytest.approx(2.03, abs=0.01)


def test_every_intermediate_is_kept_for_every_example_of_a_batch() -> None:
    """Memory bounds the batch: ten examples keep ten times the nodes, all still reachable."""
    model = nn.MLP(2, [16, 16, 1], rng=0)
    one = nn.summary(model, [0.0, 0.2])
    losses = [model([0.1 * i, 0.2]) for i in range(10)]
    kept = [node for node in topological_order(*losses) if node.parents]
    assert len(kept) == 10 * one.nodes == 10 * (2 * 32 + 1)
    assert one.bytes > 200 * one.nodes
