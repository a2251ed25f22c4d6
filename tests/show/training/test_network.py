"""The units of a network, as they are found in what its model computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Value, relu, softmax, tanh
from scalargrad.compiler.passes.program import Program
from scalargrad.errors import OperandError
from scalargrad.nn import MLP, Linear, Module, ReLU, Sequential, Softplus, Tanh
from scalargrad.show.training.model_record import record_model
from scalargrad.show.training.network import Cell, activation, find_cells
from scalargrad.value import Parameter


def cells_of(model: Any, inputs: int = 2) -> tuple[Program, list[Cell], list[Value]]:
    """Record a model and find its cells."""
    found = record_model(model, [0.1] * inputs)
    return found.program, find_cells(found.program, inputs), found.parameters


def test_an_mlp_has_the_units_it_was_made_with() -> None:
    """Two inputs, then layers of three and one, each fully connected to the one before."""
    _, cells, _ = cells_of(MLP(2, [3, 1], rng=0))
    assert [cell.layer for cell in cells] == [0, 0, 1, 1, 1, 2]
    assert [[source.cell for source in cell.sources] for cell in cells] == [
        [],
        [],
        *[[0, 1]] * 3,
        [2, 3, 4],
    ]


def test_weights_and_bias_of_a_unit_are_its_own_parameters() -> None:
    """Unit j of a layer has the weights and the bias of neuron j."""
    model = MLP(2, [3, 2], rng=0)
    _, cells, parameters = cells_of(model)
    neurons = [neuron for layer in model.layers for neuron in layer.neurons]
    for cell, neuron in zip(cells[2:], neurons, strict=True):
        assert [parameters[weight - 2] for _, weight in cell.sources] == neuron.w
        assert cell.bias is not None
        assert parameters[cell.bias - 2] is neuron.b


@pytest.mark.parametrize(
    ("make", "symbol"), [(ReLU, "ReLU"), (Tanh, "tanh"), (lambda: Softplus(beta=2.0), "φ")]
)
def test_an_activation_is_named_by_its_symbol(make: Callable[[], Module], symbol: str) -> None:
    """One of several operations is φ; none is nothing."""
    program, cells, _ = cells_of(Sequential(Linear(2, 2, rng=0), make(), Linear(2, 1, rng=0)))
    assert [activation(program, cell) for cell in cells] == ["", "", symbol, symbol, ""]


def test_probabilities_over_all_units_are_outputs_and_no_unit() -> None:
    """Each softmax reads every unit of the last layer, whose own output is its sum."""
    model = Linear(2, 3, rng=0)
    program, cells, _ = cells_of(lambda x: softmax(model(x)))
    assert [cell.output for cell in cells[2:]] == [None] * 3
    assert len(program.outputs) == 3


def test_a_connection_may_skip_a_layer() -> None:
    """The last unit reads the hidden one and the inputs themselves."""
    hidden, last = Linear(2, 1, rng=0), Linear(3, 1, rng=1)
    _, cells, _ = cells_of(lambda x: last([tanh(hidden(x)[0]), *x]))
    assert [source.cell for source in cells[-1].sources] == [2, 0, 1]
    assert [cell.layer for cell in cells] == [0, 0, 1, 2]


def test_a_scaled_input_is_an_input_still() -> None:
    """What is made of one input alone is what its cell gives."""
    line = Linear(2, 1, rng=0)
    program, cells, _ = cells_of(lambda x: line([2.0 * x[0], x[1] - 1.0]))
    assert [cell.layer for cell in cells] == [0, 0, 1]
    assert cells[0].output is not None
    assert cells[0].output >= program.inputs


def test_a_bias_may_be_missing() -> None:
    """The sum is over the products alone."""
    _, cells, _ = cells_of(Linear(2, 1, bias=False, rng=0))
    assert cells[-1].bias is None


def test_units_may_be_written_with_plus_and_times() -> None:
    """A network in micrograd's spelling has the units of one of Linear and Tanh."""
    first, second = Linear(2, 3, rng=0), Linear(3, 1, rng=1)

    def spelled(layer: Linear, x: Any) -> list[Any]:
        units = zip(layer.weight, layer.bias or (), strict=True)
        return [sum((wi * xi for wi, xi in zip(w, x, strict=True)), b) for w, b in units]

    _, cells, parameters = cells_of(
        lambda x: spelled(second, [tanh(z) for z in spelled(first, x)])[0]
    )
    assert [[source.cell for source in cell.sources] for cell in cells[2:]] == [
        *[[0, 1]] * 3,
        [2, 3, 4],
    ]
    for cell, w in zip(cells[2:], [*first.weight, *second.weight], strict=True):
        assert [parameters[weight - 2] for _, weight in cell.sources] == list(w)
        assert cell.bias is not None


def test_a_parameter_times_a_unit_is_part_of_its_activation() -> None:
    """The slope of PReLU is learned, but it is the weight of no connection."""
    slope, first, second = Parameter(0.25), Linear(2, 2, rng=0), Linear(2, 1, rng=1)
    program, cells, _ = cells_of(lambda x: second([relu(z) - slope * relu(-z) for z in first(x)]))
    assert [cell.layer for cell in cells] == [0, 0, 1, 1, 2]
    assert [activation(program, cell) for cell in cells[2:]] == ["φ", "φ", ""]


PAIR = [Parameter(1.0), Parameter(2.0)]

FOREIGN: list[tuple[Callable[[], Any], str]] = [
    (lambda: lambda x: Parameter(1.0) * x[0] + x[1], "no such unit"),
    (lambda: _after(lambda h: [h[0] + h[1], h[0]]), "several others mixed"),
    (lambda: _after(lambda h: [h[0], relu(h[0])]), "two different outputs"),
    (lambda: lambda x: _dot(x, x), "weights are not parameters"),
    (lambda: lambda x: _dot(PAIR, PAIR), "weights are not parameters"),
]


def _dot(w: Any, x: Any) -> Any:
    from scalargrad import dot

    return dot(w, x)


def _after(mix: Callable[[list[Any]], list[Any]]) -> Callable[[list[Any]], Any]:
    """Return a model of two layers with something else between them."""
    first, second = Linear(2, 2, rng=0), Linear(2, 1, rng=1)
    return lambda x: second(mix(first(x)))


@pytest.mark.parametrize(("make", "why"), FOREIGN)
def test_what_is_no_network_of_units_is_refused(make: Callable[[], Any], why: str) -> None:
    """The error says what a unit is, and what this model has instead."""
    with pytest.raises(OperandError, match=rf"activation\(dot\(w, x, b\)\).*{why}"):
        cells_of(make())
