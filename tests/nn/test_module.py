"""Module: which parameters belong to it, under which names, and how they are cleared."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Parameter, Value
from scalargrad.nn import MLP, Layer, Module, Neuron


class Bag(Module):
    """A module with any attributes."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update(parts)


def paths(module: Module) -> list[str]:
    """Return the names of a module's parameters."""
    return [name for name, _ in module.named_parameters()]


def test_parameters_come_in_the_order_of_assignment() -> None:
    """Attributes count in the order they were assigned, not by name."""
    b, a = Parameter(1.0), Parameter(2.0)
    module = Bag(b=b, a=a)
    assert paths(module) == ["b", "a"]
    assert module.parameters() == [b, a]


def test_names_are_paths_of_attributes_indices_and_keys() -> None:
    """Modules, lists, tuples and dicts nested in each other give dotted paths, depth first."""
    leaf = Parameter
    module = Bag(
        scale=leaf(1.0),
        blocks=[Bag(w=(leaf(2.0), leaf(3.0))), Bag(heads={"left": leaf(4.0), 7: [leaf(5.0)]})],
        offset=leaf(6.0),
    )
    assert paths(module) == [
        "scale",
        "blocks.0.w.0",
        "blocks.0.w.1",
        "blocks.1.heads.left",
        "blocks.1.heads.7.0",
        "offset",
    ]
    assert [p.data for p in module.parameters()] == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]


def test_parameters_in_object_arrays_belong_to_the_module() -> None:
    """A matrix of Parameters in NumPy is found, row by row; arrays of numbers are not entered."""
    weights = np.array([[Parameter(1.0), Parameter(2.0)], [Parameter(3.0), Parameter(4.0)]])
    module = Bag(w=weights, mask=np.ones(3), b=Parameter(5.0))
    assert paths(module) == ["w.0", "w.1", "w.2", "w.3", "b"]
    assert [p.data for p in module.parameters()] == [1.0, 2.0, 3.0, 4.0, 5.0]


def test_only_parameters_are_found() -> None:
    """Inputs, interior nodes, numbers, strings and functions are no parameters."""
    w = Parameter(2.0)
    module = Bag(x=Value(1.0), y=w * 3.0, n=4, name="w", f=abs, w=w, nothing=None)
    assert paths(module) == ["w"]


def test_a_module_without_parameters_has_none() -> None:
    """An empty module lists nothing, and clearing its gradients does nothing."""
    module = Module()
    assert module.parameters() == []
    module.zero_grad()


def test_shared_parameters_count_once_under_their_first_name() -> None:
    """A tied weight appears once, so an update moves it once."""
    tied = Parameter(1.0)
    module = Bag(encoder=Bag(w=[tied]), decoder=Bag(w=[tied, Parameter(2.0)]))
    assert paths(module) == ["encoder.w.0", "decoder.w.1"]
    assert [p.data for p in module.parameters()] == [1.0, 2.0]


def test_modules_that_contain_each_other_are_entered_once() -> None:
    """A child that refers to its parent, and a list that holds itself, do not loop."""
    parent, child = Bag(w=Parameter(1.0)), Bag(v=Parameter(2.0))
    ring: list[Any] = [Parameter(3.0)]
    ring.append(ring)
    parent.__dict__.update(child=child, ring=ring)
    child.__dict__.update(parent=parent)
    assert paths(parent) == ["w", "child.v", "ring.0"]
    assert paths(child) == ["v", "parent.w", "parent.ring.0"]


def test_modules_shared_on_many_paths_take_linear_time() -> None:
    """A tower of 200 modules, each holding the one below it twice, has 2²⁰⁰ paths."""
    tower = Bag(w=Parameter(0.0))
    for height in range(1, 200):
        tower = Bag(left=tower, right=tower, w=Parameter(float(height)))
    assert len(tower.parameters()) == 200


def test_deep_nesting_does_not_recurse() -> None:
    """Ten thousand modules inside each other are searched without a RecursionError."""
    module = Bag(w=Parameter(1.0))
    for _ in range(10_000):
        module = Bag(inner=module)
    assert len(module.parameters()) == 1


def test_zero_grad_clears_the_parameters_and_nothing_else() -> None:
    """Gradients of parameters become 0.0; those of inputs stay."""
    w, x = Parameter(2.0), Value(3.0)
    module = Bag(w=w, x=x)
    (w * x).backward()
    module.zero_grad()
    assert (w.grad, x.grad) == (0.0, 2.0)


def test_two_backward_sweeps_without_zero_grad_add_up() -> None:
    """Gradients of parameters accumulate until they are cleared, as in micrograd and PyTorch."""
    neuron = Neuron(1, nonlin=False)
    for _ in range(2):
        neuron([3.0]).backward()
    assert [p.grad for p in neuron.parameters()] == [6.0, 2.0]


def test_a_subclass_may_list_its_parameters_itself() -> None:
    """An override of parameters(), as micrograd programs have, decides what is cleared."""

    class Line(Module):
        def __init__(self) -> None:
            self.slope, self.offset = Value(2.0), Value(1.0)

        def __call__(self, x: float) -> Value:
            return self.slope * x + self.offset

        def parameters(self) -> list[Value]:
            return [self.slope]

    line = Line()
    line(3.0).backward()
    line.zero_grad()
    assert (line.slope.grad, line.offset.grad) == (0.0, 1.0)


def test_layers_ask_their_neurons_which_parameters_they_have() -> None:
    """A neuron that freezes its weights by overriding parameters() is respected inside an MLP."""

    class Frozen(Neuron):
        def parameters(self) -> list[Any]:
            return [self.b]

    model = MLP(2, [2, 1])
    model.layers[0].neurons[0] = Frozen(2)
    assert len(model.parameters()) == 9 - 2


@pytest.mark.parametrize("module", [Neuron(3), Layer(3, 2), MLP(2, [3, 4, 1])])
def test_own_lists_agree_with_the_names(module: Module) -> None:
    """For neurons, layers and MLPs, parameters() and named_parameters() have one order."""
    assert module.parameters() == [p for _, p in module.named_parameters()]


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_networks_can_be_copied_and_pickled(twin: Any) -> None:
    """A copy computes the same, and training it leaves the original alone."""
    model = MLP(2, [3, 1], activation="tanh")
    copied = twin(model)
    assert copied([0.3, -0.7]).data == model([0.3, -0.7]).data
    before = [p.data for p in model.parameters()]
    for parameter in copied.parameters():
        parameter.data += 1.0
    assert [p.data for p in model.parameters()] == before


def test_a_model_is_differentiated_like_any_function() -> None:
    """A module's output has gradients for its parameters without touching their grad."""
    neuron = Neuron(2, nonlin=False)
    found = sg.gradients(neuron([3.0, 4.0]), dict(neuron.named_parameters()))
    assert found == {"w.0": 3.0, "w.1": 4.0, "b": 1.0}
    assert [p.grad for p in neuron.parameters()] == [0.0, 0.0, 0.0]
