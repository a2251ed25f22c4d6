"""divide_graph with a model: calls recorded while a function runs, or one call for each module."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from tests.inner import Subgraph, divide_graph, record_calls, topological_order
from tests.show.subgraphs.trees import count_operations, require_sound

from examples.experiments import GPT
from scalargrad import Parameter, Value, draw, ops
from scalargrad.errors import OperandError
from scalargrad.nn import (
    MLP,
    GRUCell,
    Layer,
    LayerNorm,
    Linear,
    Module,
    Neuron,
    ReLU,
    RNNCell,
    Sequential,
)


def values(*data: float) -> list[Value]:
    """Return leaves x0, x1, …."""
    return [Value(x, f"x{i}") for i, x in enumerate(data)]


def recorded(build: Callable[[], Any], model: Module, limit: int = 60) -> Subgraph:
    """Return the subgraphs of the graph that a function builds, and check the tree."""
    result, calls = record_calls(build, model)
    roots = result if isinstance(result, list) else [result]
    whole = divide_graph(*roots, model=calls, limit=limit)
    require_sound(whole, roots, limit)
    return whole


def paths(whole: Subgraph) -> list[str]:
    """Return the paths of all subgraphs but the whole."""
    return [part.path for part in whole.walk()][1:]


def calls_of(whole: Subgraph, path: str) -> list[Subgraph]:
    """Return the calls of the module of this path."""
    return [part for part in whole.walk() if part.kind == "call" and part.module_path == path]


class Watched:
    """Collects the nodes that each call of a module makes, by comparing graphs before and after."""

    def __init__(self, model: Module) -> None:
        self.nodes: dict[str, list[set[Value]]] = {}
        for name, module in model.named_modules():
            if module.parameters():
                self._watch(name, module)

    def _watch(self, name: str, module: Module) -> None:
        kind = type(module)

        def call(_self: Any, x: Any) -> Any:
            before = set(topological_order(*(v for v in x if isinstance(v, Value))))
            result = kind.__call__(module, x)
            outputs = result if isinstance(result, list) else [result]
            after = topological_order(*outputs)
            self.nodes.setdefault(name, []).append(
                {node for node in after if node not in before and node.parents}
            )
            return result

        module.__class__ = type(kind.__name__, (kind,), {"__call__": call})


MODELS: dict[str, Callable[[], Module]] = {
    "deep": lambda: MLP(2, [6, 5, 1], rng=0),
    "nested": lambda: Sequential(MLP(2, [3, 2], "tanh", rng=0), Neuron(2, rng=0)),
    "linear": lambda: Sequential(Linear(2, 5, rng=0), Linear(5, 1, bias=False, rng=0)),
    "layer": lambda: Layer(2, 4, rng=0),
    "neuron": lambda: Neuron(2, activation=ReLU(), rng=0),
}


@pytest.mark.parametrize("is_recorded", [True, False])
@pytest.mark.parametrize("name", MODELS)
def test_divide_graph_puts_what_a_module_computes_into_its_call(
    name: str, is_recorded: bool
) -> None:
    """The operations in each subgraph are those that its module computed when it was called."""
    model = MODELS[name]()
    watched = Watched(model)

    def build() -> Any:
        y = model(values(0.5, -2.0))
        return ops.mul(ops.sum(y if isinstance(y, list) else [y]), Value(2.0))

    if is_recorded:
        whole = recorded(build, model)
    else:
        root = build()
        whole = divide_graph(root, model=model)
        require_sound(whole, [root])
    calls = {part.module_path: part for part in whole.walk() if part.kind == "call"}
    assert calls.keys() == {path for path, m in model.named_modules() if m.parameters()}
    for path, part in calls.items():
        assert {node for node in part.all_nodes() if node.parents} == watched.nodes[path][0]
        assert {*part.module.parameters()} <= {*part.all_nodes()}
        assert part.shape is not None
        assert part.shape[1] == len(part.outputs)


@pytest.mark.parametrize("as_values", [True, False])
def test_record_calls_separates_the_samples_of_a_batch(as_values: bool) -> None:
    """12 samples make 12 calls of the model, and the parameters they share are one subgraph.

    Samples with equal numbers are separate calls too.
    """
    model = MLP(2, [4, 4, 1], rng=0)
    watched = Watched(model)
    data = [(0.1 * (i // 2), 0.5) for i in range(12)]
    whole = recorded(
        lambda: ops.mean([(model(values(*x) if as_values else x) - 1.0) ** 2 for x in data]), model
    )
    calls = calls_of(whole, "")
    assert [set(part.all_nodes()) for part in calls] == watched.nodes[""]
    assert [part.path for part in calls] == [f"MLP[{i}]" for i in range(12)]
    assert calls[2].title == "MLP, call 3 of 12"
    shared = whole.find("MLP.parameters")
    assert {*shared.all_nodes()} == {*model.parameters()}
    assert shared.title == "MLP: 37 parameters"
    assert whole.find("MLP[7].layers.1.neurons.2").shape == (4, 1)


@pytest.mark.parametrize("as_values", [True, False])
def test_divide_graph_merges_the_calls_of_a_finished_graph(as_values: bool) -> None:
    """Of 3 samples, 24 numbers go into layer 2 of 4 units, and 12 come out."""
    model = MLP(2, [4, 4, 1], rng=0)
    data = [(0.1 * i, 0.5) for i in range(3)]
    root = ops.mean([(model(values(*x) if as_values else x) - 1.0) ** 2 for x in data])
    whole = divide_graph(root, model=model)
    require_sound(whole, [root])
    assert [part.path for part in whole.children] == ["MLP"]
    assert whole.find("layers.0").shape == (6, 12)
    assert whole.find("layers.1").shape == (12, 12)


def test_record_calls_makes_one_call_of_a_batch_that_a_module_takes_whole() -> None:
    """A perceptron calls itself for each row of a batch; the layers are called for each."""
    model = MLP(2, [4, 1], rng=0)
    whole = recorded(lambda: ops.sum(model([[0.1, 0.2], [0.3, 0.4]])), model)
    (call,) = calls_of(whole, "")
    assert call.shape == (4, 2)
    assert len(calls_of(whole, "layers.0")) == 2


def test_subgraph_titles_and_shapes_of_a_perceptron() -> None:
    """An MLP of 2 inputs and layers of 16 and 1 units; modules in a list are counted from 1."""
    model = MLP(2, [16, 1], rng=0)
    whole = divide_graph(model(values(1.0, 2.0)), model=model)
    described = {part.path: (part.title, part.shape) for part in whole.walk()}
    assert described["MLP"] == ("MLP", (2, 1))
    assert described["layers.0"] == ("Layer 1", (2, 16))
    assert described["layers.0.neurons.3"] == ("Neuron 4: relu", (2, 1))
    assert described["layers.1.neurons.0"] == ("Neuron 1: linear", (16, 1))


def test_subgraph_titles_count_each_class_of_modules_by_itself() -> None:
    """Linear, ReLU, Linear: the last is Linear 2, and its path is PyTorch's."""
    layers = Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=0))
    (output,) = layers(values(1.0, 2.0))
    titles = {part.path: part.title for part in divide_graph(output, model=layers).walk()}
    assert (titles["0"], titles["2"]) == ("Linear 1", "Linear 2")


@pytest.mark.parametrize("is_recorded", [True, False])
def test_divide_graph_puts_a_penalty_on_weights_into_no_call(is_recorded: bool) -> None:
    """Squares of parameters stay outside; the parameters, now shared, are beside the call."""
    model = MLP(2, [3, 1], rng=0)
    penalties: list[Value] = []

    def build() -> Any:
        squares = ops.sum([p * p for p in model.parameters()])
        penalties.append(squares + ops.sum([p**2 for p in model.parameters()]))
        return model(values(1.0, 2.0)) + 0.1 * penalties[0]

    if is_recorded:
        whole = recorded(build, model, limit=100)
    else:
        whole = divide_graph(build(), model=model, limit=100)
    assert [part.path for part in whole.children] == ["MLP.parameters", "MLP"]
    assert penalties[0] in whole.nodes


class Line(Module):
    """slope · sin(x) + offset, by a class that overrides `__call__` as micrograd's do."""

    def __init__(self) -> None:
        self.slope, self.offset = Parameter(2.0, "slope"), Parameter(1.0, "offset")

    def __call__(self, x: Any) -> Any:
        """Compute it."""
        return ops.sin(self.slope * x) + self.offset


class Twice(Module):
    """A line of a line, and a scale of its own."""

    def __init__(self) -> None:
        self.inner, self.scale = Line(), Parameter(3.0)

    def forward(self, x: Any) -> Any:
        """Compute it."""
        return self.scale * self.inner(self.inner(x))


def test_record_calls_separates_two_calls_of_a_shared_module() -> None:
    """A module that is called with its own result has two calls with the same operations."""
    model = Twice()
    calls = recorded(lambda: model(Value(0.5, "x")), model).find("Twice").children
    assert [part.path for part in calls] == ["inner.parameters", "inner[0]", "inner[1]"]
    once = {"mul": 1, "sin": 1, "add": 1}
    assert [count_operations(part.nodes) for part in calls] == [{}, once, once]


class Cell(Module):
    """One step of a recurrent network."""

    def __init__(self) -> None:
        self.u, self.v = Linear(2, 2, rng=0), Linear(2, 2, rng=1)

    def forward(self, x: Any, h: Any) -> Any:
        """Compute it."""
        return [(a + b).tanh() for a, b in zip(self.u(x), self.v(h), strict=True)]


class Recurrent(Module):
    """A cell for each input, and a head."""

    def __init__(self, cell: Module) -> None:
        self.cell, self.head = cell, Neuron(2, rng=0)

    def forward(self, *xs: Any) -> Any:
        """Compute it."""
        h: Any = [0.0, 0.0]
        for x in xs:
            h = self.cell(x, h)
        return self.head(h)


CELLS: dict[str, Callable[[], Module]] = {
    "two_linear": Cell,
    "rnn": lambda: RNNCell(2, 2, rng=0),
    "gru": lambda: GRUCell(2, 2, rng=0),
}


@pytest.mark.parametrize("name", CELLS)
def test_record_calls_separates_the_steps_of_a_recurrent_network(name: str) -> None:
    """Each step takes two inputs and two states, the first too, and ends with its last tanh."""
    model = Recurrent(CELLS[name]())
    whole = recorded(lambda: model(*(values(0.1 * t, 1.0) for t in range(4))), model)
    (outer,) = whole.children
    assert not count_operations(outer.nodes)
    steps = calls_of(whole, "cell")
    counts = [count_operations(part.all_nodes()) for part in steps]
    assert counts == counts[:1] * 4
    assert counts[0]["tanh"] == 2
    assert [part.shape for part in steps] == [(4, 2)] * 4


def test_record_calls_nests_the_modules_of_a_transformer() -> None:
    """The calls in a GPT's block are those of its forward method, for each of 3 positions."""
    model = GPT(5, context=4, width=4, heads=2, rng=0)
    whole = recorded(lambda: [z for scores in model([0, 1, 2]) for z in scores], model, limit=1000)
    (outer,) = [part for part in whole.children if part.kind == "call"]
    assert [part.module_path for part in outer.children if part.kind == "call"] == [
        "blocks.0", *["head"] * 3,
    ]  # fmt: skip
    inside = [part.module_path for part in whole.find("blocks.0").children if part.kind == "call"]
    assert sorted(inside) == sorted(
        ["blocks.0.attention", *["blocks.0.wide"] * 3, *["blocks.0.narrow"] * 3]
    )


class ResidualBlock(Module):
    """A block whose results are sums of its own, not of an inner module."""

    def __init__(self) -> None:
        self.norm, self.linear = LayerNorm(3), Linear(3, 3, rng=0)

    def forward(self, x: Any) -> Any:
        """Compute x + linear(norm(2x))."""
        doubled = [2.0 * a for a in x]
        return [a + b for a, b in zip(x, self.linear(self.norm(doubled)), strict=True)]


def test_record_calls_puts_operations_before_and_after_inner_calls_into_the_outer_one() -> None:
    """The products before the normalization and the sums after it; not the input's sine."""
    model = ResidualBlock()
    whole = recorded(lambda: model([ops.sin(x) for x in values(0.1, 0.2, 0.3)]), model)
    (block,) = whole.children
    assert count_operations(whole.nodes) == {"sin": 3}
    assert count_operations(block.nodes) == {"mul": 3, "add": 3}


def test_record_calls_puts_errors_of_samples_into_no_call() -> None:
    """Squares of outputs and their mean stay outside."""
    model = Cell()

    def build() -> Any:
        outputs = [h for k in range(3) for h in model(values(0.1 * k, 1.0), values(1.0, k))]
        return ops.mean([h * h for h in outputs])

    whole = recorded(build, model)
    step = {"dot": 4, "add": 2, "tanh": 2}
    assert [count_operations(part.all_nodes()) for part in calls_of(whole, "")] == [step] * 3


class Interleaved(Module):
    """Two modules, each of which needs a result of the other."""

    def __init__(self) -> None:
        self.a, self.b = Sequential(Line(), Neuron(2, rng=0)), Line()

    def forward(self, x: Any) -> Any:
        """Compute it."""
        first = self.a[0](x)
        return self.a[1]([self.b(first), first])


def test_divide_graph_expands_modules_that_need_each_other() -> None:
    """A subgraph that would read its own result through another one would be a cycle."""
    model = Interleaved()
    root = model(Value(1.0, "x"))
    whole = divide_graph(root, model=model)
    require_sound(whole, [root])
    assert paths(whole) == ["Interleaved", "a.0", "b", "a.1"]


def test_record_calls_restores_the_classes_of_the_modules() -> None:
    """Also if the function fails."""
    model = Twice()
    methods = Line.__call__, Module.__call__
    with pytest.raises(ZeroDivisionError):
        draw(lambda: model(1 / 0), model=model)
    assert (Line.__call__, Module.__call__) == methods


def test_record_calls_ignores_other_threads() -> None:
    """A call of the model in another thread meanwhile is not a call of the drawn graph."""
    model = Twice()

    def build() -> Any:
        thread = threading.Thread(target=lambda: model(Value(1.0)))
        thread.start()
        thread.join()
        return model(Value(0.5, "x"))

    assert paths(recorded(build, model)).count("Twice") == 1


def test_draw_of_a_function_shows_the_calls_of_sums_that_begin_at_zero() -> None:
    """Nodes that are displayed without the 0 of Python's sum are in the same calls."""
    model = Twice()
    picture = draw(
        lambda: sum([model(Value(0.5, "x")), model(Value(0.25, "y"))]), model=model, depth=0
    )
    assert repr(picture).endswith("3 collapsed subgraphs>")


def test_draw_of_a_function_with_arguments_is_an_error() -> None:
    """A layer is not a function that builds a graph."""
    with pytest.raises(OperandError, match="takes arguments"):
        draw(Line())  # type: ignore[arg-type]


def test_draw_of_a_function_without_a_model_draws_its_result() -> None:
    """The function is called once."""
    x = Value(2.0, "x")
    assert repr(draw(lambda: x * x)) == "<Picture: Computation graph of v1 = 4: 2 nodes>"
