"""Cost of a backward pass: about two forward passes of products, and every intermediate result."""

from __future__ import annotations

import itertools

import pytest
from tests.inner import topological_order

from scalargrad import Value, nn


def products_forwards(sizes: list[int]) -> int:
    """Return the number of products of a weight and an input: one for each weight."""
    return sum(nin * nout for nin, nout in itertools.pairwise(sizes))


def products_backwards(*roots: Value) -> int:
    """Return the number of products upstream × local: one for each wire between two nodes."""
    nodes = topological_order(*roots)
    return sum(isinstance(parent, Value) for node in nodes for parent in node.parents)


def linear(sizes: list[int]) -> nn.Sequential:
    """Return a sequence of linear layers without biases."""
    pairs = itertools.pairwise(sizes)
    return nn.Sequential(*(nn.Linear(nin, nout, bias=False, rng=0) for nin, nout in pairs))


SIZES = [[4, 3], [5, 8, 8, 2], [20, 30, 10]]


@pytest.mark.parametrize("sizes", SIZES)
def test_backward_has_two_products_for_each_forward_one(sizes: list[int]) -> None:
    """A weight is used once forwards, w·x, and twice backwards: once for w̄ and once for x̄."""
    outputs = linear(sizes)([Value(1.0 + i) for i in range(sizes[0])])
    assert products_backwards(*outputs) == 2 * products_forwards(sizes)


@pytest.mark.parametrize("sizes", SIZES)
def test_backward_with_float_inputs_saves_half_of_the_first_layer(sizes: list[int]) -> None:
    """An input that is a number needs no gradient."""
    outputs = linear(sizes)([1.0 + i for i in range(sizes[0])])
    spared = sizes[0] * sizes[1]
    assert products_backwards(*outputs) == 2 * products_forwards(sizes) - spared


def test_backward_products_of_biases_and_activations() -> None:
    """With biases and activations in the network 64-64-64-10 the ratio is 2.03."""
    sizes = [64, 64, 64, 10]
    outputs = nn.MLP(64, sizes[1:], rng=0)([Value(0.5) for _ in range(64)])
    extra = 2 * (64 + 64) + 10
    assert products_backwards(*outputs) == 2 * products_forwards(sizes) + extra
    assert products_backwards(*outputs) / products_forwards(sizes) == pytest.approx(2.03, abs=0.01)


def test_summary_nodes_of_a_batch_are_all_kept() -> None:
    """Memory limits the batch: ten examples keep ten times the nodes."""
    model = nn.MLP(2, [16, 16, 1], rng=0)
    one = nn.summary(model, [0.0, 0.2])
    losses = [model([0.1 * i, 0.2]) for i in range(10)]
    kept = [node for node in topological_order(*losses) if node.parents]
    assert len(kept) == 10 * one.nodes == 10 * (2 * 32 + 1)
    assert one.bytes > 200 * one.nodes
