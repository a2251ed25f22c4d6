"""The backward pass layer by layer: UNC's deltas and UCSB's dl/dz, dl/dw, dl/dy.

Both lectures write wᵢⱼ for the weight from unit i to unit j, so W[from][to] here. UNC STOR566
lecture 6 has θ = tanh and e = Σ (x - y)² without a ½; UCSB has a logistic unit, l = ½ Σ (y - t)²,
and the bias as the weight on a unit y₀ = 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import pytest

import scalargrad as sg
from scalargrad import Value

Position = tuple[str, int, int, int]
Matrix = Sequence[Sequence[float]]


class Lecture(NamedTuple):
    """The differences between the two lectures."""

    activation: Callable[[Value], Value]
    in_floats: Callable[[float], float]
    slope: Callable[[float], float]  # of the activation, from its output
    scale: float  # of the squared error
    ones: tuple[float, ...]  # units in front of each layer's inputs that are always 1
    weights: tuple[Matrix, ...]


UNC = Lecture(
    activation=sg.tanh,
    in_floats=math.tanh,
    slope=lambda y: 1.0 - y * y,
    scale=1.0,
    ones=(),
    weights=(
        ((0.4, -0.7, 0.2), (0.9, 0.3, -0.5)),
        ((0.6, -0.1), (-0.8, 0.5), (0.3, 0.7)),
        ((0.5, -0.4), (0.2, 0.9)),
    ),
)
UCSB = Lecture(
    activation=sg.sigmoid,
    in_floats=lambda z: 1.0 / (1.0 + math.exp(-z)),
    slope=lambda y: y * (1.0 - y),
    scale=0.5,
    ones=(1.0,),
    weights=(
        ((0.1, -0.3, 0.2), (0.4, -0.7, 0.2), (0.9, 0.3, -0.5)),
        ((0.2, -0.6), (0.6, -0.1), (-0.8, 0.5), (0.3, 0.7)),
    ),
)
X = (0.8, -0.6)
TARGET = (0.5, -0.2)


class Pass(NamedTuple):
    """One forward and backward pass: y[l] is the input of layer l, z[l] are its sums."""

    w: list[list[list[Value]]]
    y: list[list[Value]]
    z: list[list[Value]]
    loss: Value


def run(lecture: Lecture) -> Pass:
    """Run the network on Values, forwards and backwards."""
    w = [[[Value(x) for x in row] for row in layer] for layer in lecture.weights]
    y, z = [[Value(x) for x in X]], []
    for layer in w:
        inputs: list[Value | float] = [*lecture.ones, *y[-1]]
        z.append([sg.dot(column, inputs) for column in zip(*layer, strict=True)])
        y.append([lecture.activation(s) for s in z[-1]])
    errors = [(out - t) ** 2 for out, t in zip(y[-1], TARGET, strict=True)]
    loss = lecture.scale * sg.sum(errors)
    loss.backward()
    return Pass(w, y, z, loss)


def loss_in_floats(lecture: Lecture, nudges: Mapping[Position, float]) -> float:
    """Return the loss in plain Python, with some quantities changed where they are computed."""

    def nudge(name: str, k: int, i: int, j: int = 0) -> float:
        return nudges.get((name, k, i, j), 0.0)

    y = [x + nudge("y", 0, i) for i, x in enumerate(X)]
    for k, layer in enumerate(lecture.weights):
        z = [nudge("z", k, j) for j in range(len(layer[0]))]
        for i, (x, row) in enumerate(zip([*lecture.ones, *y], layer, strict=True)):
            z = [
                s + (w + nudge("w", k, i, j)) * x
                for j, (s, w) in enumerate(zip(z, row, strict=True))
            ]
        y = [lecture.in_floats(s) + nudge("y", k + 1, i) for i, s in enumerate(z)]
    return lecture.scale * sum((out - t) ** 2 for out, t in zip(y, TARGET, strict=True))


def quantities(done: Pass) -> Iterator[tuple[Position, Value]]:
    """Yield every weight, sum and output of a unit, with its position."""
    for k, weights in enumerate(done.w):
        for i, row in enumerate(weights):
            yield from ((("w", k, i, j), w) for j, w in enumerate(row))
    for name, layers in (("z", done.z), ("y", done.y)):
        for k, layer in enumerate(layers):
            yield from (((name, k, i, 0), unit) for i, unit in enumerate(layer))


@pytest.fixture(params=[UNC, UCSB], ids=["UNC", "UCSB"])
def lecture(request: pytest.FixtureRequest) -> Lecture:
    """Return the conventions of one of the lectures."""
    chosen: Lecture = request.param
    return chosen


def test_backward_of_a_network_agrees_with_central_differences(lecture: Lecture) -> None:
    """The derivative by every weight, sum and output of a unit is right to 1e-7."""
    step = 1e-6
    for position, node in quantities(run(lecture)):
        above, below = (loss_in_floats(lecture, {position: s}) for s in (step, -step))
        assert node.grad == pytest.approx((above - below) / (2 * step), abs=1e-7), position


def test_unc_deltas_follow_the_recursion_of_the_lecture() -> None:
    """Output δ = 2(x - y)θ', then δᵢ = θ'ᵢ Σⱼ wᵢⱼδⱼ, and ∂e/∂wᵢⱼ = xᵢδⱼ."""
    done = run(UNC)
    outputs = [x.data for x in done.y[-1]]
    deltas = [2.0 * (x - y) * (1.0 - x**2) for x, y in zip(outputs, TARGET, strict=True)]
    for k in reversed(range(len(done.w))):
        assert [s.grad for s in done.z[k]] == pytest.approx(deltas, rel=1e-12)
        inputs = [x.data for x in done.y[k]]
        for x, row in zip(inputs, done.w[k], strict=True):
            assert [w.grad for w in row] == pytest.approx([x * d for d in deltas], rel=1e-12)
        deltas = [
            (1.0 - x**2) * sum(w * d for w, d in zip(row, deltas, strict=True))
            for x, row in zip(inputs, UNC.weights[k], strict=True)
        ]


def test_unc_update_lowers_the_error() -> None:
    """The step w - ηxᵢδⱼ with a small η lowers e by η times the squared gradient norm."""
    done, rate = run(UNC), 1e-6
    weights = [w for layer in done.w for row in layer for w in row]
    nudges = {at: -rate * node.grad for at, node in quantities(done) if at[0] == "w"}
    drop = done.loss.data - loss_in_floats(UNC, nudges)
    assert drop == pytest.approx(rate * sum(w.grad**2 for w in weights), rel=1e-4)


def test_ucsb_derivatives_layer_by_layer() -> None:
    """With dl/dy follow dl/dz = f'(z) dl/dy, dl/dwᵢⱼ = yᵢ dl/dzⱼ and dl/dyᵢ = Σⱼ wᵢⱼ dl/dzⱼ."""
    done = run(UCSB)
    dl_dy = [y.data - t for y, t in zip(done.y[-1], TARGET, strict=True)]
    for k in reversed(range(len(done.w))):
        outputs = done.y[k + 1]
        assert [y.grad for y in outputs] == pytest.approx(dl_dy, rel=1e-12)
        dl_dz = [d * y.data * (1.0 - y.data) for d, y in zip(dl_dy, outputs, strict=True)]
        assert [z.grad for z in done.z[k]] == pytest.approx(dl_dz, rel=1e-12)
        inputs = [1.0, *(y.data for y in done.y[k])]
        for y, row in zip(inputs, done.w[k], strict=True):
            assert [w.grad for w in row] == pytest.approx([y * d for d in dl_dz], rel=1e-12)
        dl_dy = [sum(w * d for w, d in zip(row, dl_dz, strict=True)) for row in UCSB.weights[k][1:]]
    assert [x.grad for x in done.y[0]] == pytest.approx(dl_dy, rel=1e-12)


def test_ucsb_bias_is_the_weight_on_a_unit_that_is_one() -> None:
    """As y₀ = 1, dl/dw₀ⱼ = dl/dzⱼ, and units with their own bias have the same outputs."""
    done = run(UCSB)
    for weights, sums in zip(done.w, done.z, strict=True):
        assert [w.grad for w in weights[0]] == [z.grad for z in sums]
    signal = [Value(x) for x in X]
    for biases, *rows in UCSB.weights:
        columns = zip(*rows, strict=True)
        sums = [sg.dot(column, signal, b) for column, b in zip(columns, biases, strict=True)]
        signal = [sg.sigmoid(z) for z in sums]
    expected = [y.data for y in done.y[-1]]
    assert [y.data for y in signal] == pytest.approx(expected, rel=1e-14)
