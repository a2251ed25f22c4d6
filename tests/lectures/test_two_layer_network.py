"""Toronto STA414 week 6: the two-layer network with squared error, in scalar form.

z = W₁x + b₁, h = σ(z), y = W₂h + b₂, L = ½ Σ (y - t)², and q̄ = ∂L/∂q is the adjoint of every
quantity q. Weights are W[to][from], as in the lecture.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import scalargrad as sg
from scalargrad import Value

Array = npt.NDArray[Any]

NUMBERS: dict[str, Array] = {
    "x": np.array([0.7, -1.2]),
    "W1": np.array([[0.5, -0.3], [0.8, 0.2], [-0.6, 0.9]]),
    "b1": np.array([0.1, -0.2, 0.05]),
    "W2": np.array([[1.1, -0.7, 0.4], [-0.5, 0.6, 0.3]]),
    "b2": np.array([0.2, -0.1]),
    "t": np.array([0.4, -0.3]),
}
QUANTITIES = ["x", "W1", "b1", "z", "h", "W2", "b2", "y"]


def elementary(weights: Array, inputs: Array, bias: Value) -> Value:
    """Return an affine unit with one gate for each product and each sum."""
    z = bias
    for w, x in zip(weights, inputs, strict=True):
        z = z + w * x
    return z


def single_gate(weights: Array, inputs: Array, bias: Value) -> Value:
    """Return an affine unit as one gate, the dot product."""
    z: Value = sg.dot(weights, inputs, bias)
    return z


def values(numbers: Array) -> Array:
    """Return an array of new Values."""
    return np.array([Value(x) for x in numbers.flat]).reshape(numbers.shape)


def data(nodes: Array) -> Array:
    """Return the numbers in an array of Values."""
    return np.array([node.data for node in nodes.flat]).reshape(nodes.shape)


def adjoints(nodes: Array) -> Array:
    """Return the adjoints in an array of Values."""
    return np.array([node.grad for node in nodes.flat]).reshape(nodes.shape)


@pytest.fixture(params=[elementary, single_gate])
def network(request: pytest.FixtureRequest) -> dict[str, Array]:
    """Return every quantity of the network by name, after a forward and a backward pass."""
    affine: Callable[[Array, Array, Value], Value] = request.param
    q = {name: values(numbers) for name, numbers in NUMBERS.items()}
    q["z"] = np.array([affine(w, q["x"], b) for w, b in zip(q["W1"], q["b1"], strict=True)])
    q["h"] = np.array([sg.sigmoid(z) for z in q["z"]])
    q["y"] = np.array([affine(w, q["h"], b) for w, b in zip(q["W2"], q["b2"], strict=True)])
    squares = [(y - t) ** 2 for y, t in zip(q["y"], q["t"], strict=True)]
    q["L"] = np.array([0.5 * sg.sum(squares)])
    q["L"][0].backward()
    return q


def sigmoid(z: Array) -> Array:
    """Return the logistic function of an array."""
    return np.asarray(1.0 / (1.0 + np.exp(-z)))


def loss(nudged: str = "", nudge: Array | float = 0.0) -> float:
    """Return L by NumPy, with one quantity changed by `nudge` where it is computed."""

    def changed(name: str, value: Array) -> Array:
        return np.asarray(value + nudge) if name == nudged else value

    q = {name: changed(name, numbers) for name, numbers in NUMBERS.items()}
    h = changed("h", sigmoid(changed("z", q["W1"] @ q["x"] + q["b1"])))
    y = changed("y", q["W2"] @ h + q["b2"])
    return float(0.5 * np.sum((y - q["t"]) ** 2))


def test_forward_pass_agrees_with_the_matrix_formula(network: dict[str, Array]) -> None:
    """Scalar neurons give L of W₂σ(W₁x + b₁) + b₂."""
    assert network["L"][0].data == pytest.approx(loss(), rel=1e-14)


@pytest.mark.parametrize("name", QUANTITIES)
def test_backward_agrees_with_central_differences(network: dict[str, Array], name: str) -> None:
    """The adjoint q̄ is the slope of L in q, for inputs, weights and units."""
    step = 1e-6
    found = adjoints(network[name])
    for index in np.ndindex(found.shape):
        nudge = np.zeros(found.shape)
        nudge[index] = step
        quotient = (loss(name, nudge) - loss(name, -nudge)) / (2 * step)
        assert found[index] == pytest.approx(quotient, abs=1e-7)


def test_backward_agrees_with_the_vectorized_formulas(network: dict[str, Array]) -> None:
    """The vectorized chain rule: W̄₂ = ȳhᵀ, h̄ = W₂ᵀȳ, z̄ = h̄∘σ'(z), W̄₁ = z̄xᵀ, and so on."""
    x, h, z = NUMBERS["x"], data(network["h"]), data(network["z"])
    y_bar = data(network["y"]) - NUMBERS["t"]
    h_bar = NUMBERS["W2"].T @ y_bar
    z_bar = h_bar * sigmoid(z) * (1.0 - sigmoid(z))
    formulas = {
        "y": y_bar,
        "W2": np.outer(y_bar, h),
        "b2": y_bar,
        "h": h_bar,
        "z": z_bar,
        "W1": np.outer(z_bar, x),
        "b1": z_bar,
        "x": NUMBERS["W1"].T @ z_bar,
    }
    for name, expected in formulas.items():
        np.testing.assert_allclose(adjoints(network[name]), expected, rtol=1e-12, err_msg=name)


def test_gradients_of_a_hidden_unit_add_up_over_the_outputs(network: dict[str, Array]) -> None:
    """The adjoint h̄ᵢ = Σₖ ȳₖ w₂ₖᵢ has one term for each output."""
    terms = [
        [sg.gradients(y, hidden) * y.grad for y in network["y"]] for hidden in network["h"].tolist()
    ]
    np.testing.assert_allclose(np.sum(terms, axis=1), adjoints(network["h"]), rtol=1e-12)
    assert np.all(np.array(terms) != 0.0)
