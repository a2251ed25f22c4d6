"""Linear is an affine map; Embedding and EmbeddingBag look up rows of a matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.inner import topological_order

from scalargrad import DomainError, OperandError, Value, gradcheck, jit, nn, ops, square, vmap


def test_linear_computes_weighted_sums_plus_bias() -> None:
    """weight[j][i] connects input i to output j; gradients agree with finite differences."""
    layer = nn.Linear(2, 2)
    layer.load_state_dict({"weight": [[1.0, 2.0], [3.0, 4.0]], "bias": [10.0, 20.0]})
    assert [y.data for y in layer([1.0, -1.0])] == [9.0, 19.0]
    assert gradcheck(layer, [0.5, -1.0])


def test_linear_initialization_is_that_of_pytorch() -> None:
    """U(-1/√nin, 1/√nin): its bounds, its variance 1/(3 nin), and distinct biases."""
    layer = nn.Linear(100, 50, rng=1)
    weights = [p.data for p in layer.parameters()]
    assert max(map(abs, weights)) <= 0.1
    assert sum(w * w for w in weights) / len(weights) == pytest.approx(0.01 / 3.0, rel=0.05)
    bias = nn.Linear(4, 40, rng=0).bias
    assert bias is not None
    drawn = sorted(b.data for b in bias)
    assert len(set(drawn)) == 40
    assert -0.5 <= drawn[0] < -0.4
    assert 0.4 < drawn[-1] <= 0.5


def test_linear_sparse_input_equals_dense_input_with_zeros() -> None:
    """Values and gradients agree, also for a Value in the dict; an empty dict gives the bias."""
    layer, x = nn.Linear(6, 2, rng=0), Value(-1.5)
    dense, sparse = layer([0.0, 2.0, 0.0, 0.0, x, 0.0]), layer({1: 2.0, 4: x})
    assert [y.data for y in sparse] == pytest.approx([y.data for y in dense], rel=1e-15)
    sparse[0].backward()
    assert x.grad == layer.weight[0][4].data
    assert layer.bias is not None
    assert [y.data for y in layer({})] == [b.data for b in layer.bias]


def test_linear_sparse_input_has_a_small_graph() -> None:
    """With two words, four of 4,000 weights and two biases are in the graph."""
    layer = nn.Linear(2_000, 2, rng=0)
    y = layer({7: 1.0, 1_999: 2.0})
    assert len(topological_order(*y)) == 2 * (2 + 1 + 1)
    (y[0] + y[1]).backward()
    assert sum(w.grad != 0.0 for row in layer.weight for w in row) == 4


def test_linear_without_inputs_is_its_bias() -> None:
    """The bound 1/√nin is not computed for nin = 0."""
    layer = nn.Linear(0, 2, rng=0)
    assert [y.data for y in layer([])] == [0.0, 0.0]
    assert layer.state_dict()["weight"] == [[], []]
    assert layer.load_state_dict(layer.state_dict()) == ([], [])


def test_embedding_returns_the_parameters_themselves() -> None:
    """A lookup creates no nodes; nested indices and arrays give nested rows."""
    table = nn.Embedding(4, 2, rng=0)
    assert table(3) == list(table.weight[3])
    assert table([[0, 1], [2, 2]])[1][0] == list(table.weight[2])
    assert table(np.array([2]))[0] == list(table.weight[2])


def test_embedding_initialization_is_standard_normal() -> None:
    """Mean 0 and variance 1, within three standard errors of 10,000 draws."""
    numbers = [p.data for p in nn.Embedding(100, 100, rng=0).parameters()]
    assert sum(numbers) / len(numbers) == pytest.approx(0.0, abs=3 / 10_000**0.5)
    assert sum(x * x for x in numbers) / len(numbers) == pytest.approx(1.0, abs=0.05)


def test_embedding_padding_row_is_zero_and_not_trained() -> None:
    """The index may be counted from the end."""
    table = nn.Embedding(4, 2, padding_idx=-1, rng=0)
    assert repr(table) == "Embedding(4, 2, padding_idx=3)"
    row = table(3)
    (row[0] + row[1]).backward()
    assert [p.data for p in table.weight[3]] == [0.0, 0.0]
    assert not any(p.grad for p in table.parameters())


def test_embedding_bag_by_hand() -> None:
    """The mean or the sum without the padding row; the result for an empty bag is 0."""
    mean, total = nn.EmbeddingBag(3, 2, padding_idx=2), nn.EmbeddingBag(3, 2, mode="sum")
    assert repr(mean) == "EmbeddingBag(3, 2, mode='mean', padding_idx=2)"
    for bag in (mean, total):
        bag.load_state_dict({"weight": [[1.0, 2.0], [3.0, 5.0], [0.0, 0.0]]})
    assert [y.data for y in mean([0, 1, 2])] == [2.0, 3.5]
    assert [y.data for y in mean(np.array([1]))] == [3.0, 5.0]
    assert [y.data for y in mean([2])] == [0.0, 0.0]
    assert [y.data for y in total([0, 1, 1])] == [7.0, 12.0]
    assert [y.data for y in total([0, 1], [2.0, -1.0])] == [-1.0, -1.0]
    assert [y.data for y in total([])] == [0.0, 0.0]
    both = total([[0, 1], [2]])
    assert [y.data for y in both[0]] == [4.0, 7.0]
    assert [y.data for y in total([[0], [1]], [[2.0], [3.0]])[1]] == [9.0, 15.0]
    factor = Value(0.5)
    total([1], [factor])[0].backward()
    assert factor.grad == 3.0


@pytest.mark.parametrize("mode", ["mean", "sum"])
def test_embedding_bag_of_padded_bags_under_vmap(mode: str) -> None:
    """Values and gradients equal those of eager bags without padding, also of an empty bag."""
    bags, factors = (
        [[1, 4, 4], [0, 5, 2], [4, 4, 4]],
        [[2.0, 3.0, 1.0], [0.5, 1.5, -1.0], [1.0] * 3],
    )
    bag = nn.EmbeddingBag(6, 2, mode=mode, padding_idx=4, rng=0)
    weights = [[2.0], [0.5, 1.5, -1.0], []] if mode == "sum" else None
    expected = bag([[1], [0, 5, 2], []], weights)
    ops.sum([square(y) for row in expected for y in row]).backward()
    slopes = [p.grad for p in bag.parameters()]
    bag.zero_grad()
    found = jit(vmap(bag))(*((bags, factors) if mode == "sum" else (bags,)))
    assert [[y.data for y in row] for row in found] == [[y.data for y in row] for row in expected]
    ops.sum([square(y) for row in found for y in row]).backward()
    assert [p.grad for p in bag.parameters()] == pytest.approx(slopes, rel=1e-15)


@pytest.mark.parametrize(
    ("index", "error"), [(4, DomainError), (-1, DomainError), (1.5, OperandError)]
)
def test_embedding_refuses_indices_out_of_range(index: Any, error: type[Exception]) -> None:
    """A negative index is an error, and does not count from the end."""
    with pytest.raises(error, match=r"index|whole"):
        nn.Embedding(4, 2)(index)
    with pytest.raises(error, match=r"index|whole"):
        nn.EmbeddingBag(4, 2)([index])
