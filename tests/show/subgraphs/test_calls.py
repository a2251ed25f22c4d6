"""Folds of models: each call of a module is found from the parameters its nodes use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from scalargrad import Parameter, Value, no_grad, ops
from scalargrad.experiments.gpt import GPT
from scalargrad.graph import topological_order
from scalargrad.nn import MLP, Embedding, Layer, Linear, Module, Neuron, ReLU, Sequential
from scalargrad.show.subgraphs import Fold, fold
from scalargrad.value import Scalar

from .test_grouping import require_sound


def values(*data: float) -> list[Value]:
    """Return leaves x0, x1, …."""
    return [Value(x, f"x{i}") for i, x in enumerate(data)]


def paths(whole: Fold) -> list[str]:
    """Return the paths of all folds."""
    return [part.path for part in whole.walk()][1:]


class Recorded:
    """Notes which nodes each call of a module makes, by comparing graphs before and after."""

    def __init__(self, model: Module) -> None:
        self.made: dict[str, list[set[Value]]] = {}
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
            self.made.setdefault(name, []).append(
                {node for node in after if node not in before and node.parents}
            )
            return result

        module.__class__ = type(kind.__name__, (kind,), {"__call__": call})


MODELS: list[Callable[[], Module]] = [
    lambda: MLP(2, [16, 16, 1], rng=0),
    lambda: MLP(2, [3, 1], activation="tanh", rng=0),
    lambda: MLP(2, [4, 2], activation=lambda v: v.relu() * 2 + v, rng=0),
    lambda: Sequential(MLP(2, [3, 2], rng=0), Neuron(2, rng=0)),
    lambda: Sequential(Linear(2, 5, rng=0), Linear(5, 1, bias=False, rng=0)),
    lambda: Layer(2, 4, rng=0),
    lambda: Neuron(2, activation=ReLU(), rng=0),
]


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("as_values", [True, False])
def test_folds_of_one_call_hold_what_the_modules_computed(
    make: Callable[[], Module], as_values: bool
) -> None:
    """The operations in each fold are those its module made when it was called."""
    model = make()
    recorded = Recorded(model)
    x: Sequence[Scalar] = values(0.5, -2.0) if as_values else [0.5, -2.0]
    y = model(x)
    outputs = y if isinstance(y, list) else [y]
    root = ops.mul(ops.sum(outputs), Value(2.0))
    whole = fold(root, model=model)
    require_sound(whole, [root], 60)
    folds = {part.module_path: part for part in whole.walk() if part.kind == "call"}
    assert folds.keys() == {path for path, m in model.named_modules() if m.parameters()}
    for path, part in folds.items():
        assert {node for node in part.everything() if node.parents} == recorded.made[path][0]
        own = {id(p) for p in part.module.parameters()}
        assert own <= {id(node) for node in part.everything()}
        assert part.shape is not None
        assert part.shape[1] == len(part.outputs)


@pytest.mark.parametrize("as_values", [True, False])
def test_each_sample_of_a_batch_has_a_call_of_its_own(as_values: bool) -> None:
    """30 samples make 30 calls of the model, and the parameters they share are one fold."""
    model = MLP(2, [4, 4, 1], rng=0)
    recorded = Recorded(model)
    data = [(0.1 * i, 0.5) for i in range(30)]
    loss = ops.mean([(model(values(*x) if as_values else x) - 1.0) ** 2 for x in data])
    whole = fold(loss, model=model)
    require_sound(whole, [loss], 60)
    calls = [part for part in whole.walk() if part.kind == "call" and not part.module_path]
    assert [set(part.everything()) for part in calls] == recorded.made[""]
    assert [part.path for part in calls] == [f"MLP[{i}]" for i in range(30)]
    assert calls[2].title == "MLP: 3 layers, call 3 of 30"
    shared = whole.find("MLP.parameters")
    assert {*shared.everything()} == {*model.parameters()}
    assert shared.title == "MLP: 37 parameters"
    assert whole.find("MLP[7].layers.1.neurons.2").shape == (4, 1)


def test_samples_that_are_equal_are_calls_of_their_own() -> None:
    """The same numbers given twice make two calls."""
    model = MLP(2, [3, 1], rng=0)
    loss = model([1.0, 2.0]) + model([1.0, 2.0])
    assert {"MLP[0]", "MLP[1]"} <= set(paths(fold(loss, model=model)))


def test_shapes_and_titles_are_those_a_student_knows() -> None:
    """An MLP of 2 inputs and layers of 16 and 1 says so."""
    model = MLP(2, [16, 1], rng=0)
    whole = fold(model(values(1.0, 2.0)), model=model)
    described = {part.path: (part.title, part.shape) for part in whole.walk()}
    assert described["MLP"] == ("MLP: 2 layers", (2, 1))
    assert described["layers.0"] == ("Layer 1: 16 neurons", (2, 16))
    assert described["layers.0.neurons.3"] == ("Neuron 4: relu", (2, 1))
    assert described["layers.1.neurons.0"] == ("Neuron 1: linear", (16, 1))


def test_modules_in_a_list_are_counted_from_1_each_kind_by_itself() -> None:
    """The second Linear is Linear 2 as its weights are W₂, though its path is that of PyTorch."""
    model = Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=0))
    (output,) = model(values(1.0, 2.0))
    titles = {part.path: part.title for part in fold(output, model=model).walk()}
    assert titles["0"] == "Linear 1"
    assert titles["2"] == "Linear 2"


def test_a_penalty_on_weights_is_no_call() -> None:
    """Squares of parameters stay outside; the parameters, now shared, are a fold beside."""
    model = MLP(2, [3, 1], rng=0)
    penalty = ops.sum([p * p for p in model.parameters()]) + ops.sum(
        [p**2 for p in model.parameters()]
    )
    whole = fold(model(values(1.0, 2.0)) + 0.1 * penalty, model=model, limit=100)
    require_sound(whole, [*whole.outputs], 100)
    assert [part.path for part in whole.folds] == ["MLP.parameters", "MLP"]
    assert penalty in whole.nodes


class Line(Module):
    """slope · x + offset."""

    def __init__(self) -> None:
        self.slope, self.offset = Parameter(2.0, "slope"), Parameter(1.0, "offset")

    def forward(self, x: Any) -> Any:
        """Compute it."""
        return ops.sin(self.slope * x) + self.offset


class Twice(Module):
    """One line after itself, and a scale of its own."""

    def __init__(self) -> None:
        self.inner, self.scale = Line(), Parameter(3.0)

    def forward(self, x: Any) -> Any:
        """Compute it."""
        return self.scale * self.inner(self.inner(x))


def test_a_module_called_on_its_own_result_has_two_calls() -> None:
    """What lies between two uses of parameters belongs to the call, the second use to another."""
    model = Twice()
    x = Value(0.5, "x")
    whole = fold(model(x), model=model)
    require_sound(whole, whole.outputs, 60)
    calls = whole.find("Twice").folds
    assert [part.path for part in calls] == ["inner.parameters", "inner[0]", "inner[1]"]
    names = [[node.op.name for node in part.nodes if node.op] for part in calls]
    assert names == [[], ["mul", "sin", "add"], ["mul", "sin", "add"]]


class Siamese(Module):
    """One encoder for two inputs, whose results are compared."""

    def __init__(self) -> None:
        self.encoder, self.head = MLP(2, [3, 2], rng=0), Neuron(4, rng=0)

    def forward(self, a: Any, b: Any) -> Any:
        """Compute it."""
        return self.head([*self.encoder(a), *self.encoder(b)])


def test_two_towers_of_one_encoder_are_two_calls_inside_one() -> None:
    """Calls whose results meet in the module around them are inside one call of it."""
    model = Siamese()
    whole = fold(model(values(1.0, 2.0), values(3.0, 4.0)), model=model)
    assert [part.path for part in whole.folds] == ["Siamese"]
    inside = [part.path for part in whole.find("Siamese").folds]
    assert inside == ["encoder.parameters", "encoder[0]", "encoder[1]", "head"]


class Recurrent(Module):
    """h ← tanh(U x + V h), and a head."""

    def __init__(self) -> None:
        self.cell, self.head = Cell(), Neuron(2, rng=0)

    def forward(self, xs: Any) -> Any:
        """Compute it."""
        h: Any = [0.0, 0.0]
        for x in xs:
            h = self.cell(x, h)
        return self.head(h)


class Cell(Module):
    """One step of a recurrent network."""

    def __init__(self) -> None:
        self.u, self.v = Linear(2, 2, rng=0), Linear(2, 2, rng=1)

    def forward(self, x: Any, h: Any) -> Any:
        """Compute it."""
        return [(a + b).tanh() for a, b in zip(self.u(x), self.v(h), strict=True)]


def test_the_steps_of_a_recurrent_network_are_calls_of_its_cell() -> None:
    """Two linear maps, of the input and of the state, meet in one call with their sum's tanh."""
    model = Recurrent()
    inputs = [values(0.1 * t, 1.0) for t in range(4)]
    whole = fold(model(inputs), model=model)
    require_sound(whole, whole.outputs, 60)
    (one,) = whole.folds
    cells = [part for part in one.folds if part.module_path == "cell" and part.kind == "call"]
    assert len(cells) == 4
    for cell in cells:
        done = sorted(node.op.name for node in cell.everything() if node.op)
        assert done == ["add", "add", "dot", "dot", "dot", "dot", "tanh", "tanh"]


class Memory(Module):
    """A cell with a gate: c ← σ(F h)·c + tanh(G h), h ← tanh(c)."""

    def __init__(self) -> None:
        self.f, self.g = Linear(2, 2, rng=0), Linear(2, 2, rng=1)

    def forward(self, h: Any, c: Any) -> Any:
        """Compute it."""
        kept = [a.sigmoid() * b for a, b in zip(self.f(h), c, strict=True)]
        c = [a + b.tanh() for a, b in zip(kept, self.g(h), strict=True)]
        return [x.tanh() for x in c], c


class Remembering(Module):
    """A gated cell, three times, and a head."""

    def __init__(self) -> None:
        self.cell, self.head = Memory(), Neuron(2, rng=0)

    def forward(self, x: Any) -> Any:
        """Compute it."""
        h, c = x, [0.5, -0.5]
        for _ in range(3):
            h, c = self.cell(h, c)
        return self.head(h)


def test_a_state_that_is_carried_on_belongs_to_the_step_that_makes_it() -> None:
    """Every step of a gated cell holds its σ, products, sums and tanh; the last one too."""
    model = Remembering()
    whole = fold(model(values(0.1, 1.0)), model=model)
    require_sound(whole, whole.outputs, 60)
    (one,) = whole.folds
    assert not [node for node in one.nodes if node.op]
    cells = [part for part in one.folds if part.module_path == "cell" and part.kind == "call"]
    for cell in cells:
        done = Counter(node.op.name for node in cell.everything() if node.op)
        assert done == {"dot": 4, "sigmoid": 2, "mul": 2, "tanh": 4, "add": 2}
    assert len(cells) == 3


def test_every_position_of_a_transformer_is_one_fold() -> None:
    """Attention looks back only, so that no position needs a result of a later one."""
    model = GPT(5, context=4, width=4, heads=2, rng=0)
    whole = fold(*(score for scores in model([0, 1, 2]) for score in scores), model=model)
    require_sound(whole, whole.outputs, 60)
    positions = [part for part in whole.folds if part.kind == "call"]
    for part in positions:
        inside = [inner.module_path for inner in part.folds]
        assert inside == ["blocks.0.attention", "blocks.0.wide", "blocks.0.narrow", "head"]
    assert len(positions) == 3


def test_what_joins_the_calls_of_a_batch_belongs_to_none_of_them() -> None:
    """Errors of samples, and their mean, are read by no other call: they stay outside."""
    model = Cell()
    outputs = [h for k in range(3) for h in model(values(0.1 * k, 1.0), values(1.0, k))]
    loss = ops.mean([h * h for h in outputs])
    whole = fold(loss, model=Sequential(model))
    calls = [part for part in whole.walk() if part.kind == "call" and part.module_path == "0"]
    assert len(calls) == 3
    for call in calls:
        assert all(node.op.name == "dot" for node in call.everything() if node.op)


class Interlaced(Module):
    """Two modules, each of which needs a result of the other."""

    def __init__(self) -> None:
        self.a, self.b = Sequential(Line(), Neuron(2, rng=0)), Line()

    def forward(self, x: Any) -> Any:
        """Compute it."""
        first = self.a[0](x)
        return self.a[1]([self.b(first), first])


def test_calls_that_need_each_other_are_opened() -> None:
    """A fold that would read its own result through another is left out, not drawn as a cycle."""
    model = Interlaced()
    whole = fold(model(Value(1.0, "x")), model=model)
    require_sound(whole, whole.outputs, 60)
    assert paths(whole) == ["Interlaced", "a.0", "b", "a.1"]


def test_rows_of_an_embedding_are_parameters_of_the_layer_that_reads_them() -> None:
    """A look-up makes no node, so a layer's call is its own, and the rows stand beside it."""
    model = Sequential(Embedding(5, 3, rng=0), Linear(3, 2, rng=0))
    y = ops.sum(model(4))
    whole = fold(y, model=model)
    require_sound(whole, [y], 60)
    assert paths(whole) == ["Sequential", "0.parameters", "1"]


def test_a_large_linear_layer_opens_into_its_outputs() -> None:
    """A level of a module with too much on it is divided as any other."""
    model = Sequential(Linear(8, 40, rng=0))
    outputs = model(values(*range(8)))
    whole = fold(*outputs, model=model)
    require_sound(whole, outputs, 60)
    rows = whole.find("0").folds
    assert [part.title for part in rows] == ["dot of 9 terms"] * 40


def test_an_activation_that_gives_no_node_is_left_alone() -> None:
    """A neuron whose activation returns a number ends with its weighted sum."""
    neuron = Neuron(1, activation=lambda v: Value(v.data), rng=0)
    weighted = ops.dot(neuron.w, [Value(2.0)], neuron.b)
    whole = fold(weighted.relu(), model=neuron)
    assert [node.op.name for node in whole.find("Neuron").nodes if node.op] == ["dot"]


def test_a_graph_can_be_folded_where_nothing_is_recorded() -> None:
    """Inside no_grad the activation of a neuron is still told from what follows it."""
    neuron = Neuron(1, activation="tanh", rng=0)
    y = neuron([Value(2.0)])
    with no_grad():
        whole = fold(y, model=neuron)
    assert [node.op.name for node in whole.find("Neuron").nodes if node.op] == ["dot", "tanh"]


class Positive(Module):
    """A weight kept positive, and another."""

    def __init__(self) -> None:
        self.log_weight, self.weight = Parameter(0.3), Parameter(-0.2)

    def forward(self, x: Any) -> Any:
        """Compute it."""
        return ops.dot([ops.exp(self.log_weight), self.weight], x)


def test_what_is_made_of_parameters_alone_belongs_to_the_call_that_reads_it() -> None:
    """The exponential of a weight is inside the module, although it has no input."""
    model = Positive()
    whole = fold(model(values(1.0, 2.0)), model=model)
    inside = [node.op.name for node in whole.find("Positive").nodes if node.op]
    assert inside == ["exp", "dot"]


class Mixed(Module):
    """A sum in which each of two modules has one weight."""

    def __init__(self) -> None:
        self.a, self.b = Line(), Line()

    def forward(self, x: Any) -> Any:
        """Compute it."""
        return ops.dot([self.a.slope, self.b.slope], x)


def test_a_node_of_two_modules_belongs_to_that_around_both() -> None:
    """Where neither module has more of the parameters, the node is the outer one's own."""
    model = Mixed()
    y = model(values(1.0, 2.0))
    whole = fold(y, model=model)
    require_sound(whole, [y], 60)
    assert y in whole.find("Mixed").nodes
    assert repr(whole.find("Mixed")) == "<Fold 'Mixed': Mixed: 2 lines>"
