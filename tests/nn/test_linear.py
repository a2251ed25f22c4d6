"""Linear is the affine map PyTorch computes, over dense and sparse inputs."""

from __future__ import annotations

import random

import pytest

from scalargrad import DomainError, OperandError, Value, gradcheck, nn
from scalargrad.graph import topological_order


def test_linear_computes_weighted_sums_plus_bias() -> None:
    """weight[j][i] leads from input i to output j."""
    layer = nn.Linear(2, 2)
    layer.load_state_dict({"weight": [[1.0, 2.0], [3.0, 4.0]], "bias": [10.0, 20.0]})
    assert [y.data for y in layer([1.0, -1.0])] == [9.0, 19.0]


def test_without_bias_there_is_none() -> None:
    """It is neither computed nor a parameter."""
    layer = nn.Linear(2, 1, bias=False)
    assert layer.bias is None
    assert [name for name, _ in layer.named_parameters()] == ["weight.0.0", "weight.0.1"]
    assert layer([0.0, 0.0])[0].data == 0.0


def test_values_and_gradients_equal_pytorchs() -> None:
    """Outputs, and gradients of weights, biases and inputs, at 1e-10."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    ours, theirs = nn.Linear(3, 2, rng=0), torch.nn.Linear(3, 2, dtype=torch.float64)
    theirs.load_state_dict(
        {k: torch.tensor(v, dtype=torch.float64) for k, v in ours.state_dict().items()}
    )
    x = [Value(1e4), Value(-0.3), Value(2.0)]
    oracle = torch.tensor([v.data for v in x], dtype=torch.float64, requires_grad=True)
    y, expected = ours(x), theirs(oracle)
    (y[0] * y[0] + 3.0 * y[1]).backward()
    (expected[0] ** 2 + 3.0 * expected[1]).backward()
    assert [v.data for v in y] == pytest.approx(expected.tolist(), rel=1e-10)
    assert [v.grad for v in x] == pytest.approx(oracle.grad.tolist(), rel=1e-10)
    found = [p.grad for row in ours.weight for p in row]
    assert found == pytest.approx(theirs.weight.grad.ravel().tolist(), rel=1e-10)
    assert ours.bias is not None
    assert [p.grad for p in ours.bias] == pytest.approx(theirs.bias.grad.tolist(), rel=1e-10)


def test_weights_are_drawn_as_pytorch_draws_them() -> None:
    """U(-1/√nin, 1/√nin): within the bounds, and with the variance 1/(3 nin)."""
    layer = nn.Linear(100, 50, rng=1)
    weights = [p.data for p in layer.parameters()]
    assert max(map(abs, weights)) <= 0.1
    variance = sum(w * w for w in weights) / len(weights)
    assert variance == pytest.approx(0.01 / 3.0, rel=0.05)


def test_biases_are_drawn_one_by_one() -> None:
    """Each from U(-1/√nin, 1/√nin): forty differ, lie on both sides of 0 and near both ends."""
    bias = nn.Linear(4, 40, rng=0).bias
    assert bias is not None
    drawn = sorted(b.data for b in bias)
    assert len(set(drawn)) == 40
    assert -0.5 <= drawn[0] < -0.4
    assert 0.4 < drawn[-1] <= 0.5


def test_equal_seeds_give_equal_layers() -> None:
    """A seed, a generator and the seeded module random draw alike."""
    by_seed = nn.Linear(3, 2, rng=5).state_dict()
    assert nn.Linear(3, 2, rng=random.Random(5)).state_dict() == by_seed
    random.seed(5)
    assert nn.Linear(3, 2).state_dict() == by_seed
    assert nn.Linear(3, 2, rng=6).state_dict() != by_seed


def test_a_sparse_input_is_the_dense_one_with_zeros() -> None:
    """Values and gradients agree; a Value may stand in a dict too."""
    layer = nn.Linear(6, 2, rng=0)
    x = Value(-1.5)
    dense = layer([0.0, 2.0, 0.0, 0.0, x, 0.0])
    sparse = layer({1: 2.0, 4: x})
    assert [y.data for y in sparse] == pytest.approx([y.data for y in dense], rel=1e-15)
    sparse[0].backward()
    assert x.grad == layer.weight[0][4].data


def test_a_sparse_input_costs_what_is_present() -> None:
    """Of 20,000 weights, the graph of two words holds four and two biases."""
    layer = nn.Linear(10_000, 2, rng=0)
    y = layer({7: 1.0, 9_999: 2.0})
    assert len(topological_order(*y)) == 2 * (2 + 1 + 1)
    (y[0] + y[1]).backward()
    assert len(layer.weight.touched) == 4


def test_an_empty_sparse_input_gives_the_bias() -> None:
    """No word present leaves the bias alone."""
    layer = nn.Linear(3, 2, rng=0)
    assert layer.bias is not None
    assert [y.data for y in layer({})] == [b.data for b in layer.bias]


def test_linear_layers_in_a_row_collapse_to_one() -> None:
    """W₂(W₁x) = (W₂W₁)x: depth without an activation adds nothing."""
    first, second = nn.Linear(3, 4, bias=False, rng=0), nn.Linear(4, 2, bias=False, rng=1)
    a, b = first.state_dict()["weight"], second.state_dict()["weight"]
    product = [[sum(b[i][k] * a[k][j] for k in range(4)) for j in range(3)] for i in range(2)]
    collapsed = nn.Linear(3, 2, bias=False)
    collapsed.load_state_dict({"weight": product})
    x = [0.3, -1.2, 2.0]
    deep = nn.Sequential(first, second)(x)
    assert [y.data for y in deep] == pytest.approx([y.data for y in collapsed(x)], rel=1e-12)


def test_gradients_agree_with_central_differences() -> None:
    """The check every lecture names."""
    assert gradcheck(nn.Linear(3, 2, rng=0), [0.5, -1.0, 2.0])


def test_what_does_not_fit_is_refused() -> None:
    """Wrong lengths, lone numbers, and indices that are no inputs."""
    layer = nn.Linear(2, 1, rng=0)
    with pytest.raises(OperandError, match=r"in_features=2.* has 2 inputs but was given 3$"):
        layer([1.0, 2.0, 3.0])
    with pytest.raises(OperandError, match="put it in a list"):
        layer(1.0)
    with pytest.raises(DomainError, match="index 2; it has 0 … 1"):
        layer({2: 1.0})
    with pytest.raises(DomainError, match="index -1"):
        layer({-1: 1.0})
    with pytest.raises(OperandError, match="whole numbers"):
        layer({"word": 1.0})


def test_a_layer_without_inputs_is_its_bias() -> None:
    """Nin = 0 divides by nothing."""
    layer = nn.Linear(0, 2, rng=0)
    assert [y.data for y in layer([])] == [0.0, 0.0]
    assert layer.state_dict()["weight"] == [[], []]
    assert layer.load_state_dict(layer.state_dict()) == ([], [])


def test_an_example_input_tells_weights_apart() -> None:
    """No number is 0, which would hide a weight, and no two are equal."""
    example = nn.Linear(5, 2).example_input()
    assert len({*example}) == 5
    assert all(0.0 < x <= 1.0 for x in example)
    assert nn.Layer(5, 1).example_input() == example
