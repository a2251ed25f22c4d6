"""Module finds its parts and parameters, names and prints them, and saves and loads their state."""

from __future__ import annotations

import copy
import json
import pickle
from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import OperandError, Parameter, StateError, TrainingWarning, Value, nn
from scalargrad.nn import MLP, Linear, Module, Neuron, ReLU, Sequential


class Bag(Module):
    """A module with arbitrary attributes."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


class Residual(Module):
    """x + inner(x), written as in PyTorch, with another module in a list."""

    def __init__(self) -> None:
        self.inner = Sequential(Linear(2, 2, rng=0), nn.Tanh())
        self.others = [Linear(2, 1, rng=1)]
        self.scale = Parameter(1.0, "scale")

    def forward(self, x: list[Value]) -> list[Any]:
        """Add the inner network's output to its input."""
        return [a + self.scale * b for a, b in zip(x, self.inner(x), strict=True)]


def names(module: Module) -> list[str]:
    """Return the names of a module's parameters."""
    return [name for name, _ in module.named_parameters()]


def test_named_parameters_are_paths_in_order_of_assignment() -> None:
    """Nested modules, lists, dicts, arrays and other containers have dotted paths."""
    leaf = Parameter
    module = Bag(
        scale=leaf(1.0),
        blocks=[Bag(w=(leaf(2.0), leaf(3.0))), Bag(heads={"left": leaf(4.0), 7: [leaf(5.0)]})],
        array=np.array([[leaf(6.0)], [leaf(7.0)]]),
        more=SimpleNamespace(b=leaf(8.0), last=deque([leaf(9.0)])),
    )
    assert names(module) == [
        *("scale", "blocks.0.w.0", "blocks.0.w.1", "blocks.1.heads.left", "blocks.1.heads.7.0"),
        *("array.0", "array.1", "more.b", "more.last.0"),
    ]
    assert [p.data for p in module.parameters()] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]


class Plain:
    """A class that is not a module."""

    def __init__(self) -> None:
        self.w = [Parameter(1.0)]


@pytest.mark.parametrize("held", [Plain(), {Neuron(2)}, frozenset([Parameter(1.0)])])
def test_parameters_warns_of_parameters_that_it_does_not_find(held: Any) -> None:
    """Otherwise they would silently not be trained."""
    model = Bag(heads=[held], w=Parameter(2.0))
    with pytest.warns(TrainingWarning, match=r"heads\.0") as warned:
        assert model.parameters() == [model.w]  # type: ignore[attr-defined]
    assert warned[0].filename == __file__


def test_named_parameters_of_shared_parts_occur_once() -> None:
    """A tied weight is updated once, a layer used twice is saved once."""
    tied = Parameter(1.0)
    module = Bag(encoder=Bag(w=[tied]), decoder=Bag(w=[tied, Parameter(2.0)]))
    assert names(module) == ["encoder.w.0", "decoder.w.1"]
    layer = Linear(2, 2, rng=0)
    model = Sequential(layer, ReLU(), layer)
    assert len(model.parameters()) == 6
    assert list(model.state_dict()) == ["0.weight", "0.bias"]


def test_named_parameters_of_cyclic_modules() -> None:
    """A child that refers to its parent, and a list that contains itself, do not loop."""
    parent, child = Bag(w=Parameter(1.0)), Bag(v=Parameter(2.0))
    ring: list[Any] = [Parameter(3.0)]
    ring.append(ring)
    parent.__dict__.update(child=child, ring=ring)
    child.__dict__.update(parent=parent)
    assert names(parent) == ["w", "child.v", "ring.0"]
    assert names(child) == ["v", "parent.w", "parent.ring.0"]
    assert len(parent.modules()) == 2


def test_parameters_of_deep_and_shared_modules_take_linear_time() -> None:
    """A module with 2²⁰⁰ paths, and one with 10,000 levels, without RecursionError."""
    tower = Bag(w=Parameter(0.0))
    for height in range(1, 200):
        tower = Bag(left=tower, right=tower, w=Parameter(float(height)))
    assert len(tower.parameters()) == 200
    deep = Bag(w=Parameter(1.0))
    for _ in range(10_000):
        deep = Bag(inner=deep)
    assert len(deep.parameters()) == 1


def test_parameters_may_be_overridden() -> None:
    """As in micrograd programs; the override of an inner module is used as well."""

    class Line(Module):
        def __init__(self) -> None:
            self.slope, self.offset = Value(2.0), Value(1.0)

        def __call__(self, x: float) -> Value:
            return self.slope * x + self.offset

        def parameters(self) -> list[Value]:
            return [self.slope]

    class Frozen(Neuron):
        def parameters(self) -> list[Any]:
            return [self.b]

    line = Line()
    line(3.0).backward()
    line.zero_grad()
    assert (line.slope.grad, line.offset.grad) == (0.0, 1.0)
    outer = Bag(parts=[line, line, Parameter(3.0)])
    assert outer.parameters() == [line.slope, outer.parts[2]]  # type: ignore[attr-defined]
    line(3.0).backward()
    outer.zero_grad()
    assert (line.slope.grad, line.offset.grad) == (0.0, 2.0)
    with pytest.raises(StateError, match="Parameter"):
        outer.state_dict()
    model = MLP(2, [2, 1])
    model.layers[0].neurons[0] = Frozen(2)
    assert len(model.parameters()) == 9 - 2


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_module_can_be_copied_and_pickled(twin: Any) -> None:
    """A copy computes the same, and training it does not change the original."""
    model = MLP(2, [3, 1], activation="tanh")
    copied = twin(model)
    assert copied([0.3, -0.7]).data == model([0.3, -0.7]).data
    before = [p.data for p in model.parameters()]
    for parameter in copied.parameters():
        parameter.data += 1.0
    assert [p.data for p in model.parameters()] == before


def test_sequential_has_names_of_pytorch() -> None:
    """Numbers by default, or the keys of a dict; append continues the numbers."""
    model = Sequential({"hidden": Linear(2, 1), "unit": ReLU()})
    assert list(model.state_dict()) == ["hidden.weight", "hidden.bias"]
    grown = Sequential(ReLU()).append(Linear(1, 1, bias=False))
    assert list(grown.state_dict()) == ["1.weight"]
    assert names(grown) == ["1.weight.0.0"]
    for wrong in (len, {"train": ReLU()}):  # a function; a name that would hide a method
        with pytest.raises(OperandError):
            Sequential(wrong)  # type: ignore[arg-type]


def test_module_subclass_runs_forward_and_prints_its_children() -> None:
    """A call runs forward; modules in lists are printed and named with their paths."""
    block = Residual()
    assert str(block) == (
        "Residual(\n"
        "  (inner): Sequential(\n"
        "    (0): Linear(in_features=2, out_features=2, bias=True)\n"
        "    (1): Tanh()\n"
        "  )\n"
        "  (others.0): Linear(in_features=2, out_features=1, bias=True)\n"
        ")"
    )
    inner = [y.data for y in block.inner([0.0, 0.0])]
    assert [y.data for y in block([Value(0.0), Value(0.0)])] == inner
    paths = ["", "inner", "inner.0", "inner.1", "others.0"]
    assert [name for name, _ in block.named_modules()] == paths
    assert block.children() == [block.inner, block.others[0]]
    with pytest.raises(NotImplementedError, match="forward"):
        Module()()


def test_train_and_eval_reach_every_module() -> None:
    """New modules are in training mode; an override of `train` is called, as in a frozen part."""

    class Frozen(Sequential):
        def train(self, mode: bool = True) -> Any:
            del mode
            return super().train(False)

    block = Residual()
    assert all(module.training for module in block.modules())
    assert block.eval() is block
    assert not any(module.training for module in block.modules())
    assert all(module.training for module in block.train().modules())
    model = Sequential(Linear(2, 2), Frozen(nn.Dropout(0.5)))
    assert [part.training for part in model.train().modules()] == [True, True, False, False]


def network() -> Sequential:
    """Return a network 2 → 3 → 1 with fixed seeds."""
    return Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=1))


def test_state_dict_survives_json_and_is_a_copy() -> None:
    """It is plain lists of floats; further training does not change it."""
    saved, other = network(), Sequential(Linear(2, 3), ReLU(), Linear(3, 1))
    kept = saved.state_dict()
    other.load_state_dict(json.loads(json.dumps(kept)))
    assert other.state_dict() == kept
    saved.parameters()[0].data += 1.0
    assert kept != saved.state_dict()


def test_state_dict_of_perceptrons_dicts_arrays_and_ragged_lists() -> None:
    """Micrograd's perceptrons, and parameters in attributes, dicts, arrays and ragged lists."""
    module = Bag(
        mlp=MLP(2, [1]),
        lone=Parameter(2.0),
        by_name={"a": Parameter(3.0)},
        array=np.array([Parameter(4.0), Parameter(5.0)], dtype=object),
        ragged=[[Parameter(6.0)], [Parameter(7.0), Parameter(8.0)]],
        unrelated=["text", 1.0, []],
    )
    state = module.state_dict()
    assert (state["lone"], state["by_name.a"]) == (2.0, 3.0)
    assert [state[k] for k in state if k.startswith("array")] == [4.0, 5.0]
    assert (state["ragged.0"], state["ragged.1"]) == ([6.0], [7.0, 8.0])
    assert len(state["mlp.layers.0.neurons.0.w"]) == 2
    assert state["mlp.layers.0.neurons.0.b"] == 0.0
    assert module.load_state_dict({**state, "lone": 9.0}) == ([], [])
    assert module.state_dict()["lone"] == 9.0


@pytest.mark.parametrize(
    "parts",
    [{"a.b": Parameter(1.0), "a": {"b": Parameter(2.0)}}, {0: Parameter(1.0), "0": Parameter(2.0)}],
)
def test_state_dict_refuses_two_parts_of_the_same_name(parts: dict[Any, Any]) -> None:
    """Only one of them could be saved."""
    model = Bag(parts=parts)
    assert [p.data for p in model.parameters()] == [1.0, 2.0]
    for act in (model.state_dict, lambda: model.load_state_dict({}, strict=False)):
        with pytest.raises(StateError, match="name"):
            act()


class LectureNeuron(Module):
    """A neuron as in micrograd's lecture, derived from Module."""

    def __init__(self, number: Any) -> None:
        self.w, self.b = [number(0.5), number(-0.5)], number(0.0)

    def parameters(self) -> list[Any]:
        """Return weights and bias."""
        return [*self.w, self.b]


def test_state_dict_refuses_to_leave_out_trained_values() -> None:
    """The state would be empty, and loading it would silently leave the model untrained."""
    model = LectureNeuron(Value)
    for use in (
        model.state_dict,
        lambda: model.load_state_dict({}),
        lambda: nn.save_model(model, "never.safetensors"),
    ):
        with pytest.raises(StateError, match="Parameter"):
            use()
    assert LectureNeuron(Parameter).state_dict() == {"w": [0.5, -0.5], "b": 0.0}


def test_load_state_dict_lists_all_mismatches_and_changes_nothing() -> None:
    """One message names all missing, unexpected and misshapen entries."""
    net = network()
    before = net.state_dict()
    wrong = {**before, "0.weight": [[1.0, 2.0]], "2.weight": [1.0, "x"], "extra": 1.0}
    del wrong["0.bias"]
    with pytest.raises(StateError) as caught:
        net.load_state_dict(wrong)
    assert all(name in str(caught.value) for name in ("0.bias", "extra", "0.weight", "2.weight"))
    assert net.state_dict() == before


def test_load_state_dict_without_strict_allows_other_names_but_not_shapes() -> None:
    """Matching names are loaded, and the other names are returned."""
    net = network()
    keys = net.load_state_dict({"0.bias": [1.0, 2.0, 3.0], "extra": 1.0}, strict=False)
    assert keys.missing_keys == ["0.weight", "2.weight", "2.bias"]
    assert keys.unexpected_keys == ["extra"]
    assert net.state_dict()["0.bias"] == [1.0, 2.0, 3.0]
    with pytest.raises(StateError, match="bias"):
        net.load_state_dict({"0.bias": 1.0}, strict=False)
