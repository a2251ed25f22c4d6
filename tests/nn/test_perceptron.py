"""Neuron, Layer and MLP: micrograd's signatures, draws and names; any activation; clear errors."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, Parameter, Value
from scalargrad.nn import MLP, Layer, Neuron

SEEDS = [0, 1, 1337]


def uniform(seed: int) -> Iterator[float]:
    """Yield random.uniform(-1, 1) again and again, from a seed."""
    generator = random.Random(seed)
    while True:
        yield generator.uniform(-1, 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_are_drawn_neuron_by_neuron_and_biases_start_at_zero(seed: int) -> None:
    """Each neuron takes its weights from random.uniform(-1, 1) in order, then a bias of 0."""
    draws = uniform(seed)
    expected: list[float] = []
    for nin, nout in [(2, 3), (3, 4), (4, 1)]:
        for _ in range(nout):
            expected += [*(next(draws) for _ in range(nin)), 0.0]
    random.seed(seed)
    assert [p.data for p in MLP(2, [3, 4, 1]).parameters()] == expected
    assert random.uniform(-1, 1) == next(draws)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    "make",
    [
        lambda **how: Neuron(3, **how),
        lambda **how: Layer(3, 2, **how),
        lambda **how: MLP(2, [3, 1], **how),
    ],
    ids=["Neuron", "Layer", "MLP"],
)
def test_a_generator_or_seed_of_its_own_draws_the_same_and_nothing_else(
    make: Callable[..., Neuron | Layer | MLP], seed: int
) -> None:
    """rng=seed and rng=Random(seed) equal random.seed(seed), and leave the module random alone."""
    random.seed(seed)
    expected = [p.data for p in make().parameters()]
    before = random.getstate()
    for rng in (seed, random.Random(seed)):
        assert [p.data for p in make(rng=rng).parameters()] == expected
    assert random.getstate() == before


@pytest.mark.parametrize("seed", SEEDS)
def test_parameters_are_micrograd_s(seed: int) -> None:
    """Equal seeds give equal networks, parameter by parameter, with equal descriptions."""
    micrograd = pytest.importorskip("micrograd.nn", reason="micrograd is the oracle")
    random.seed(seed)
    theirs = micrograd.MLP(3, [4, 4, 1])
    random.seed(seed)
    ours = MLP(3, [4, 4, 1])
    assert [p.data for p in ours.parameters()] == [p.data for p in theirs.parameters()]
    assert repr(ours) == repr(theirs)


@pytest.mark.parametrize(
    ("module", "described"),
    [
        (Neuron(2), "ReLUNeuron(2)"),
        (Neuron(3, nonlin=False), "LinearNeuron(3)"),
        (Neuron(1, activation="tanh"), "tanhNeuron(1)"),
        (Neuron(1, activation=sg.sigmoid), "σNeuron(1)"),
        (Layer(2, 2, nonlin=False), "Layer of [LinearNeuron(2), LinearNeuron(2)]"),
        (
            MLP(3, [2, 1]),
            "MLP of [Layer of [ReLUNeuron(3), ReLUNeuron(3)], Layer of [LinearNeuron(2)]]",
        ),
    ],
)
def test_descriptions_are_micrograd_s(module: Neuron | Layer | MLP, described: str) -> None:
    """ReLU and linear networks describe themselves as micrograd's; others name the activation."""
    assert repr(module) == described


def test_activations_without_a_name_are_called_custom() -> None:
    """A callable object with no name of its own is described as Custom."""

    class Squared:
        def __call__(self, z: Value) -> Value:
            return z * z

    assert repr(Neuron(2, activation=Squared())) == "CustomNeuron(2)"


def test_parameters_are_trainable_leaves_with_labels() -> None:
    """Weights are w0, w1, … and the bias b, all of them Parameters."""
    neuron = Neuron(3)
    assert all(type(p) is Parameter for p in neuron.parameters())
    assert [p.label for p in neuron.parameters()] == ["w0", "w1", "w2", "b"]


def test_names_of_parameters() -> None:
    """An MLP's parameters are named by layer, neuron and weight."""
    names = [name for name, _ in MLP(1, [2, 1]).named_parameters()]
    first = [f"layers.0.neurons.{i}.{part}" for i in (0, 1) for part in ("w.0", "b")]
    assert names == [*first, *(f"layers.1.neurons.0.{part}" for part in ("w.0", "w.1", "b"))]


def test_the_moons_network_has_337_parameters() -> None:
    """2·16 + 16 and 16·16 + 16 and 16 + 1."""
    assert len(MLP(2, [16, 16, 1]).parameters()) == 48 + 272 + 17


def test_tied_weights_count_once() -> None:
    """A weight that two neurons share is listed once, so an update moves it once."""
    model = MLP(2, [2, 1])
    first, second = model.layers[0].neurons
    second.w[0] = first.w[0]
    assert len(model.parameters()) == 9 - 1
    assert len(model.layers[0].parameters()) == 6 - 1


def test_weights_replaced_by_plain_values_are_still_listed() -> None:
    """Micrograd programs put Values of their own into a neuron; parameters() returns them."""
    neuron = Neuron(2)
    neuron.w = [Value(1.0), Value(2.0)]  # type: ignore[list-item]
    assert [p.data for p in neuron.parameters()] == [1.0, 2.0, 0.0]


def matrices(model: MLP) -> list[tuple[Any, Any]]:
    """Return each layer's weights, [to][from], and biases as arrays."""
    return [
        (
            np.array([[w.data for w in neuron.w] for neuron in layer.neurons]),
            np.array([neuron.b.data for neuron in layer.neurons]),
        )
        for layer in model.layers
    ]


@pytest.mark.parametrize("sizes", [[1], [4, 1], [3, 5, 2], [1, 2], [2, 1, 1, 3]])
def test_the_network_is_its_matrix_formula(sizes: list[int]) -> None:
    """W₂·ReLU(W₁x + b₁) + b₂ and so on, for every depth and width, hidden width 1 included."""
    random.seed(5)
    model = MLP(3, sizes)
    for parameter in model.parameters():
        parameter.data = random.uniform(-1, 1)
    x = [0.5, -1.5, 2.0]
    signal = np.array(x)
    for i, (weights, biases) in enumerate(matrices(model)):
        signal = weights @ signal + biases
        signal = signal if i == len(sizes) - 1 else np.maximum(signal, 0.0)
    outputs = model(x)
    found = [outputs.data] if sizes[-1] == 1 else [y.data for y in outputs]
    np.testing.assert_allclose(found, signal, rtol=1e-12)


@pytest.mark.parametrize("sizes", [[4, 1], [1, 2], [3, 2]])
@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu", "leaky_relu"])
def test_gradients_of_all_parameters_match_central_differences(
    sizes: list[int], activation: str
) -> None:
    """Every weight and bias of every layer gets the slope of the output."""
    random.seed(8)
    model = MLP(2, sizes, activation=activation)
    for parameter in model.parameters():
        parameter.data += 0.1
    x = [0.7, -0.4]

    def squared() -> Value:
        outputs = model(x)
        y: list[Value] = outputs if isinstance(outputs, list) else [outputs]
        return sg.dot(y, y)

    squared().backward()
    step = 1e-6
    for name, parameter in model.named_parameters():
        at = parameter.data
        parameter.data = at + step
        above = squared().data
        parameter.data = at - step
        below = squared().data
        parameter.data = at
        assert parameter.grad == pytest.approx((above - below) / (2 * step), abs=1e-7), name


def test_one_output_is_a_value_and_several_are_a_list() -> None:
    """As in micrograd, a layer of one neuron returns the Value itself."""
    assert isinstance(Layer(2, 1)([1.0, 2.0]), Value)
    assert [type(y) for y in Layer(2, 3)([1.0, 2.0])] == [Value] * 3
    assert isinstance(MLP(2, [3, 1])([1.0, 2.0]), Value)


def test_a_network_without_layers_returns_its_inputs() -> None:
    """MLP(n, []) is the identity, as in micrograd."""
    x = [Value(1.0), Value(2.0)]
    assert MLP(2, [])(x) is x


@pytest.mark.parametrize(
    "x",
    [
        [1, 2],
        (1.0, 2.0),
        np.array([1.0, 2.0]),
        np.array([1, 2]),
        [Value(1.0), 2.0],
        [True, np.float32(2.0)],
    ],
    ids=lambda x: type(x).__name__,
)
def test_inputs_of_every_numeric_kind(x: Any) -> None:
    """Lists, tuples and arrays of numbers and Values give one answer."""
    model = MLP(2, [3, 1])
    assert model(x).data == model([1.0, 2.0]).data


def test_every_layer_but_the_last_is_activated() -> None:
    """The output of an MLP is linear: it can be negative although hidden units are ReLU."""
    model = MLP(1, [1, 1])
    for parameter, number in zip(model.parameters(), (1.0, 0.0, -2.0, 0.5), strict=True):
        parameter.data = number
    assert model([3.0]).data == -5.5
    assert model([-3.0]).data == 0.5


def doubled(z: Value) -> Value:
    """Return 2z."""
    return 2.0 * z


@pytest.mark.parametrize(
    ("activation", "expected"),
    [
        ("identity", -0.5),
        ("relu", 0.0),
        ("leaky_relu", -0.005),
        ("elu", np.expm1(-0.5)),
        ("step", 0.0),
        (sg.tanh, np.tanh(-0.5)),
        (doubled, -1.0),
        (lambda z: z * z, 0.25),
        (lambda z: sg.leaky_relu(z, 0.2), -0.1),
    ],
)
def test_activations_by_name_or_as_a_function(
    activation: str | Callable[[Value], Value], expected: float
) -> None:
    """An operation's name, the operation itself and any function of a Value will do."""
    neuron = Neuron(1, activation=activation)
    neuron.w[0].data = -0.5
    assert neuron([1.0]).data == pytest.approx(expected, rel=1e-15)


@pytest.mark.parametrize("activation", ["rellu", "maximum", "dot", "", None, ["relu"]])
def test_unknown_activations_are_named_with_the_known_ones(activation: Any) -> None:
    """A misspelt name, or an operation of several operands, lists what can be chosen."""
    with pytest.raises(OperandError, match="relu, ") as raised:
        MLP(2, [3, 1], activation=activation)
    assert repr(activation) in str(raised.value)


@pytest.mark.parametrize("x", [[], [1.0], [1.0, 2.0, 3.0]])
def test_a_wrong_number_of_inputs_is_an_error(x: list[float]) -> None:
    """Inputs are never cut off silently: the message gives both counts."""
    for module in (Neuron(2), Layer(2, 2), MLP(2, [3, 1])):
        with pytest.raises(OperandError, match=f"2 inputs but was given {len(x)}$"):
            module(x)


@pytest.mark.parametrize("x", [3.0, Value(3.0), iter([1.0])])
def test_inputs_that_are_no_sequence_are_an_error(x: Any) -> None:
    """A bare number or an iterator gets the advice to use a list."""
    with pytest.raises(OperandError, match=r"ReLUNeuron\(1\) takes a sequence of 1 .* list"):
        MLP(1, [1, 1])(x)


def test_inputs_that_are_no_numbers_are_an_error() -> None:
    """A string among the inputs is named."""
    with pytest.raises(OperandError, match="'a'"):
        Neuron(2)(["a", 1.0])  # type: ignore[list-item]


def test_a_neuron_makes_two_nodes() -> None:
    """One for the weighted sum and one for the activation, whatever the number of inputs."""
    y = Neuron(50)([1.0] * 50)
    assert y.op is sg.relu
    (weighted,) = y.parents
    assert isinstance(weighted, Value)
    assert weighted.op is sg.dot
    assert len(weighted.parents) == 101


PROGRAM = """
import random
{imports}

random.seed(42)
model = MLP(3, [4, 4, 1])
xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
ys = [1.0, -1.0, -1.0, 1.0]
losses = []
for k in range(20):
    inputs = [list(map(Value, row)) for row in xs]
    ypred = [model(x) for x in inputs]
    loss = sum((yout - ygt) ** 2 for ygt, yout in zip(ys, ypred))
    loss = loss + 1e-4 * sum((p * p for p in model.parameters()))
    for p in model.parameters():
        p.grad = 0.0
    loss.backward()
    for p in model.parameters():
        p.data += -0.05 * p.grad
    losses.append(loss.data)


class Pair(Module):
    def __init__(self):
        self.left, self.right = Neuron(2), Neuron(2, nonlin=False)

    def __call__(self, x):
        return self.left(x) - self.right(x) / 2 + (self.left(x) * 3).relu()

    def parameters(self):
        return self.left.parameters() + self.right.parameters()


pair = Pair()
pair.zero_grad()
out = pair([Value(-1.0), Value(2.0)])
out.backward()
losses.append(out.data)
gradients = [p.grad for p in model.parameters() + pair.parameters()]
"""


def outcome(imports: str) -> tuple[list[float], list[float]]:
    """Run the program with the given import lines; return its losses and gradients."""
    names: dict[str, Any] = {"__name__": "program"}
    exec(PROGRAM.format(imports=imports), names)
    return names["losses"], names["gradients"]


def test_a_micrograd_program_runs_with_its_import_lines_changed() -> None:
    """A program that knows only Value and nn trains here, and lowers its loss to a fifth."""
    losses, gradients = outcome(
        "from scalargrad import Value\nfrom scalargrad.nn import MLP, Module, Neuron"
    )
    assert losses[19] < losses[0] / 5.0
    assert len(gradients) == 41 + 6


def test_a_micrograd_program_has_the_same_numbers_here() -> None:
    """Every loss and gradient of the program is micrograd's."""
    pytest.importorskip("micrograd", reason="micrograd is the oracle")
    theirs = outcome(
        "from micrograd.engine import Value\nfrom micrograd.nn import MLP, Module, Neuron"
    )
    ours = outcome("from scalargrad import Value\nfrom scalargrad.nn import MLP, Module, Neuron")
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-9, atol=1e-12)
