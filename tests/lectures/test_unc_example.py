"""UNC STOR566 lecture 6: h(x) = θ(W₃θ(W₂θ(W₁x))) with θ = ReLU, at the lecture's numbers."""

from __future__ import annotations

import pytest

import scalargrad as sg
from scalargrad import Value, nn

X = (1.5, -1.0, 1.3)
W1 = ((0.3, 0.4, 0.2), (0.3, 0.5, 0.2), (0.8, 1.0, -1.0))
W2 = ((0.0, -1.2, 0.5), (0.9, 1.0, 0.0))
W3 = ((-1.0, 1.0),)


class Example:
    """The network with its inputs, weights and layer sums."""

    def __init__(self) -> None:
        self.x = [Value(x) for x in X]
        self.weights = [[[Value(w) for w in row] for row in layer] for layer in (W1, W2, W3)]
        self.sums: list[list[Value]] = []
        signal = self.x
        for layer in self.weights:
            self.sums.append([sg.dot(row, signal) for row in layer])
            signal = [sg.relu(s) for s in self.sums[-1]]
        (self.h,) = signal
        self.h.backward()

    def weight_gradients(self) -> list[list[list[float]]]:
        """Return ∂h/∂w arranged as the weights."""
        return [[[w.grad for w in row] for row in layer] for layer in self.weights]


@pytest.fixture
def example() -> Example:
    """Return the example after a forward and a backward pass."""
    return Example()


def test_unc_example_layer_sums(example: Example) -> None:
    """The sums are (.31, .21, -1.1), then (-.252, .489), then .489, and h = .489."""
    sums = [[s.data for s in layer] for layer in example.sums]
    assert sums[0] == pytest.approx([0.31, 0.21, -1.1], rel=1e-12)
    assert sums[1] == pytest.approx([-0.252, 0.489], rel=1e-12)
    assert sums[2] == pytest.approx([0.489], rel=1e-12)
    assert example.h.data == pytest.approx(0.489, rel=1e-12)


def test_unc_example_gradient_of_the_inputs(example: Example) -> None:
    """dh/dx = (.57, .86, .38): .9 times the first row of W₁ plus 1 times the second."""
    assert [x.grad for x in example.x] == pytest.approx([0.57, 0.86, 0.38], rel=1e-12)


def test_unc_example_dead_units_leave_eight_weights_without_gradient(example: Example) -> None:
    """A weight to or from a dead unit has no gradient; the others have xᵢδⱼ."""
    first, second, third = example.weight_gradients()
    assert first == [
        pytest.approx([0.9 * x for x in X], rel=1e-12),
        pytest.approx(X, rel=1e-12),
        [0.0, 0.0, 0.0],
    ]
    assert second == [[0.0, 0.0, 0.0], pytest.approx([0.31, 0.21, 0.0], rel=1e-12)]
    assert third == [pytest.approx([0.0, 0.489], rel=1e-12)]
    every = [g for layer in (first, second, third) for row in layer for g in row]
    assert (len(every), every.count(0.0)) == (17, 8)


def test_unc_example_with_nn_layers() -> None:
    """Three ReLU layers with the lecture's weights and no bias give h = .489 and its dh/dx."""
    layers = [nn.Layer(3, 3), nn.Layer(3, 2), nn.Layer(2, 1)]
    for layer, rows in zip(layers, (W1, W2, W3), strict=True):
        for neuron, row in zip(layer.neurons, rows, strict=True):
            for parameter, w in zip(neuron.w, row, strict=True):
                parameter.data = w
    x = [Value(number) for number in X]
    h = layers[2](layers[1](layers[0](x)))
    h.backward()
    assert h.data == pytest.approx(0.489, rel=1e-12)
    assert [number.grad for number in x] == pytest.approx([0.57, 0.86, 0.38], rel=1e-12)
