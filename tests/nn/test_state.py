"""States go out as plain numbers and come back whole, or not at all."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from scalargrad import Parameter, StateError, Value, jit, nn
from scalargrad.sparse import Table, Touched


def model() -> nn.Sequential:
    """Build 2 → 3 → 1 with fixed seeds."""
    return nn.Sequential(nn.Linear(2, 3, rng=0), nn.ReLU(), nn.Linear(3, 1, rng=1))


def test_a_state_is_named_and_shaped_as_in_pytorch() -> None:
    """The same names and shapes, so that each loads the other's."""
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    theirs = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU(), torch.nn.Linear(3, 1))
    ours = model()
    shapes = {name: list(tensor.shape) for name, tensor in theirs.state_dict().items()}
    assert {n: list(torch.tensor(x).shape) for n, x in ours.state_dict().items()} == shapes
    assert ours.load_state_dict(theirs.state_dict()) == ([], [])
    x = [0.3, -2.0]
    assert ours(x)[0].data == pytest.approx(theirs(torch.tensor(x)).item(), rel=1e-5)


def test_a_state_survives_json_to_the_last_bit() -> None:
    """Plain lists of floats need nothing else."""
    saved, other = model(), nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    other.load_state_dict(json.loads(json.dumps(saved.state_dict())))
    assert other.state_dict() == saved.state_dict()


def test_a_state_is_a_copy() -> None:
    """Training on does not change what was kept."""
    net = model()
    kept = net.state_dict()
    net.parameters()[0].data += 1.0
    assert kept != net.state_dict()


def test_every_kind_of_module_has_a_state() -> None:
    """Micrograd's perceptrons, lone parameters, and parameters in dicts and arrays."""
    numpy = pytest.importorskip("numpy", reason="arrays are optional")

    class Mixed(nn.Module):
        def __init__(self) -> None:
            self.mlp = nn.MLP(2, [1])
            self.lone = Parameter(2.0)
            self.by_name = {"a": Parameter(3.0)}
            self.array = numpy.array([Parameter(4.0), Parameter(5.0)], dtype=object)
            self.ragged = [[Parameter(6.0)], [Parameter(7.0), Parameter(8.0)]]
            self.unrelated: list[Any] = ["text", 1.0, []]

    module = Mixed()
    state = module.state_dict()
    assert state["lone"] == 2.0
    assert state["by_name.a"] == 3.0
    assert [state[k] for k in state if k.startswith("array")] == [4.0, 5.0]
    assert (state["ragged.0"], state["ragged.1"]) == ([6.0], [7.0, 8.0])
    assert len(state["mlp.layers.0.neurons.0.w"]) == 2
    assert state["mlp.layers.0.neurons.0.b"] == 0.0
    assert module.load_state_dict({**state, "lone": 9.0}) == ([], [])
    assert module.lone.data == 9.0


def test_computed_numbers_in_the_place_of_parameters_are_named() -> None:
    """A module that a compiled function makes holds results, which are nobody's Parameters."""

    def doubled(layer: Any) -> Any:
        made = copy.copy(layer)
        made.weight = Table([[2.0 * w for w in row] for row in layer.weight], Touched())
        return made

    layer = nn.Linear(2, 3, rng=0)
    with pytest.raises(StateError, match=r"weight holds numbers that were computed"):
        jit(doubled)(layer).state_dict()
    assert jit(lambda layer: layer)(layer).state_dict() == layer.state_dict()


@pytest.mark.parametrize("parts", [{"a.b": 1.0, "a": {"b": 2.0}}, {0: 1.0, "0": 2.0}])
def test_two_parts_of_one_name_are_no_state(parts: dict[Any, Any]) -> None:
    """Only the numbers of the second were saved; loading gave them to both."""

    class Mixed(nn.Module):
        def __init__(self) -> None:
            self.parts = replaced_by_parameters(parts)

    model = Mixed()
    assert [p.data for p in model.parameters()] == [1.0, 2.0]
    for act in (model.state_dict, lambda: model.load_state_dict({}, strict=False)):
        with pytest.raises(StateError, match=r"2 parts of Mixed have the name parts\.(a\.b|0)"):
            act()


def replaced_by_parameters(tree: Any) -> Any:
    """Put a Parameter in the place of each number of nested dicts."""
    if isinstance(tree, dict):
        return {key: replaced_by_parameters(x) for key, x in tree.items()}
    return Parameter(tree)


class Written(nn.Module):
    """A neuron as in micrograd's lecture, but for the base class."""

    def __init__(self, number: Any) -> None:
        self.w, self.b = [number(0.5), number(-0.5)], number(0.0)

    def parameters(self) -> list[Any]:
        """List weights and bias."""
        return [*self.w, self.b]


def test_a_state_that_would_leave_out_numbers_that_are_trained_is_refused() -> None:
    """Such a state is empty, and what was saved so could not be told from a model that is new."""
    for use in (
        Written(Value).state_dict,
        lambda: Written(Value).load_state_dict({}),
        lambda: nn.save_model(Written(Value), "never.safetensors"),
    ):
        with pytest.raises(StateError, match=r"parameters\(\) has Value\(data=0\.5.*Parameter\("):
            use()
    assert Written(Parameter).state_dict() == {"w": [0.5, -0.5], "b": 0.0}


def test_everything_wrong_is_listed_and_nothing_is_changed() -> None:
    """Missing, unexpected and misshapen names stand in one message."""
    net = model()
    before = net.state_dict()
    wrong = {**before, "0.weight": [[1.0, 2.0]], "2.weight": [1.0, "x"], "extra": 1.0}
    del wrong["0.bias"]
    with pytest.raises(StateError) as caught:
        net.load_state_dict(wrong)
    message = str(caught.value)
    assert "missing: 0.bias" in message
    assert "unexpected: extra" in message
    assert "0.weight should be 3 × 2, but is 1 × 2" in message
    assert "2.weight should be 1 × 3, but is not a rectangle of numbers" in message
    assert net.state_dict() == before


def test_without_strict_names_may_differ_but_not_shapes() -> None:
    """What fits is loaded, and the rest is returned."""
    net = model()
    keys = net.load_state_dict({"0.bias": [1.0, 2.0, 3.0], "extra": 1.0}, strict=False)
    assert keys.missing_keys == ["0.weight", "2.weight", "2.bias"]
    assert keys.unexpected_keys == ["extra"]
    assert net.state_dict()["0.bias"] == [1.0, 2.0, 3.0]
    with pytest.raises(StateError, match=r"0\.bias should be 3, but is one number"):
        net.load_state_dict({"0.bias": 1.0}, strict=False)
