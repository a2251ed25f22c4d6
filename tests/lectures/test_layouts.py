"""Layouts of weights in the lectures, and Toronto's algorithm on v₁ … v_N."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from tests.inner import topological_order

from scalargrad import Parameter, Value, sigmoid
from scalargrad.nn import Linear, ReLU, Sequential

SIZES = [3, 5, 4, 2]
X = [0.5, -1.0, 2.0]


@pytest.fixture
def layers() -> list[Linear]:
    """Return the layers of a network 3-5-4-2."""
    pairs = itertools.pairwise(SIZES)
    return [Linear(n, m, bias=False, rng=seed) for seed, (n, m) in enumerate(pairs)]


def outputs(layers: list[Linear]) -> list[float]:
    """Return the outputs of the network, with ReLU between the layers."""
    first, second, third = layers
    return [y.data for y in Sequential(first, ReLU(), second, ReLU(), third)(X)]


def test_linear_weights_transposed_are_hosseinis_matrices(layers: list[Linear]) -> None:
    """U₁ is 3 × 5, U₂ 5 × 4, U₃ 4 × 2, and a row vector is multiplied as xU."""
    matrices = [np.array(layer.state_dict()["weight"]).T for layer in layers]
    assert [u.shape for u in matrices] == [(3, 5), (5, 4), (4, 2)]
    row = np.array(X)
    for u in matrices[:-1]:
        row = np.maximum(row @ u, 0.0)
    np.testing.assert_allclose(outputs(layers), row @ matrices[-1], rtol=1e-12)


def test_linear_weight_j_i_is_uncs_w_ij(layers: list[Linear]) -> None:
    """Unit j sums wᵢⱼxᵢ over the inputs i, with wᵢⱼ = weight[j, i]."""
    x = X
    for k, layer in enumerate(layers):
        sums = [
            sum(layer.weight[j, i].data * x[i] for i in range(SIZES[k]))
            for j in range(SIZES[k + 1])
        ]
        x = sums if k == 2 else [max(s, 0.0) for s in sums]
    np.testing.assert_allclose(outputs(layers), x, rtol=1e-12)


def regularized_loss() -> tuple[Parameter, Value]:
    """Return w and Toronto's L_reg, made of elementary gates."""
    w, b = Parameter(0.5, "w"), Parameter(-0.25, "b")
    y = sigmoid(w * 2.0 + b)
    return w, (y - 1.0) ** 2 / 2 + 0.1 * (w**2 / 2)


def test_topological_order_puts_parents_first_and_the_loss_last() -> None:
    """Each vᵢ comes after its parents, and v_N is the loss."""
    _, loss = regularized_loss()
    v = topological_order(loss)
    number = {node: i for i, node in enumerate(v, 1)}
    assert v[-1] is loss
    parents = [(x, i) for node, i in number.items() for x in node.parents if isinstance(x, Value)]
    assert all(number[x] < i for x, i in parents)


def test_torontos_algorithm_gives_the_gradients_of_backward() -> None:
    """The algorithm is v̄_N = 1, v̄ᵢ = Σ v̄ⱼ ∂vⱼ/∂vᵢ over the children j, in reverse order."""
    w, loss = regularized_loss()
    v = topological_order(loss)
    children = {node: [j for j in v if any(x is node for x in j.parents)] for node in v}
    bar = {loss: 1.0}
    for node in reversed(v[:-1]):
        bar[node] = sum(
            bar[j] * (local or 0.0)
            for j in children[node]
            for x, local in zip(j.parents, j.local_grads, strict=True)
            if x is node
        )
    assert len(children[w]) == 2
    assert bar[w] == pytest.approx(-0.08981071068366962, rel=1e-12)
    loss.backward()
    assert all(bar[node] == pytest.approx(node.grad, rel=1e-15) for node in v)
