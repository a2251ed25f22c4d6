"""fold: a graph in nested parts: calls of modules, stretches between repetitions."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import Fold, fold, topological_order

from examples.experiments import GPT
from scalargrad import Parameter, Value, ops
from scalargrad.errors import GraphError
from scalargrad.nn import MLP, GRUCell, Layer, Linear, Module, Neuron, ReLU, RNNCell, Sequential


def values(*data: float) -> list[Value]:
    """Return leaves x0, x1, …."""
    return [Value(x, f"x{i}") for i, x in enumerate(data)]


def chain(length: int) -> Value:
    """Return the last of so many operations, each on the one before."""
    y = Value(0.5, "x")
    for _ in range(length):
        y = y.tanh()
    return y


def paths(whole: Fold) -> list[str]:
    """Return the paths of all folds."""
    return [part.path for part in whole.walk()][1:]


def done(nodes: Any) -> Counter[str]:
    """Count the operations of some nodes."""
    return Counter(node.op.name for node in nodes if node.op)


def require_sound(whole: Fold, roots: Sequence[Value], limit: int = 60) -> None:
    """Assert what holds of every tree of folds.

    Each node is in one place, paths differ, what enters and leaves is noted, no level has more than
    the limit, and on each level what is read comes before its readers, so that nothing is a cycle.
    """
    order = topological_order(*roots)
    folds = list(whole.walk())
    assert Counter(whole.everything()) == Counter(order)
    assert len({part.path for part in folds}) == len(folds)
    lines = [(x, node) for node in order for x in node.parents if isinstance(x, Value)]
    for part in folds:
        inside = set(part.everything())
        read = {x for x, reader in lines if x in inside and reader not in inside}
        assert set(part.outputs) == read | (inside & set(roots))
        assert set(part.inputs) == {x for x, reader in lines if reader in inside} - inside
        assert part.size == len(inside)
        assert part is whole or part.items
        assert len(part.items) <= limit
        place = {
            node: i
            for i, item in enumerate(part.items)
            for node in ([item] if isinstance(item, Value) else item.everything())
        }
        for operand, reader in lines:
            if operand in place and reader in place:
                assert place[operand] <= place[reader]


# Graphs without modules -----------------------------------------------------------------------

graphs = st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=150)


@pytest.mark.differential
@given(graphs, st.integers(4, 12))
def test_random_graphs_fold_soundly(choices: list[tuple[int, int]], limit: int) -> None:
    """Every node is in one fold, no level exceeds the limit, and no value leaves and comes back."""
    nodes = [Value(float(i)) for i in range(3)]
    for a, b in choices:
        nodes.append(nodes[a % len(nodes)] + nodes[b % len(nodes)])
    read = {x for node in nodes for x in node.parents}
    roots = [node for node in nodes if node not in read]
    require_sound(fold(*roots, limit=limit), roots, limit)


def test_a_recurrence_is_cut_between_its_steps() -> None:
    """2,500 nodes of h = tanh(w·h + x): h0 and w in sight, and folds that name their steps."""
    w, h = Value(0.9, "w"), Value(0.5, "h0")
    for t in range(600):
        h = ops.tanh(w * h + Value(0.1 * t, f"x{t}"))
    whole = fold(h)
    require_sound(whole, [h])
    assert {node.label for node in whole.nodes if not node.parents} == {"h0", "w"}
    inner = [part for part in whole.walk() if part.kind == "stretch" and not part.folds]
    titles = [part.title for part in inner]
    assert max(titles.count(title) for title in titles) >= len(titles) - 2
    assert titles[0].endswith(" × (mul, add, tanh)")


def test_what_does_not_repeat_is_cut_into_stretches_that_are_shown_whole() -> None:
    """150 functions of functions, 60 in sight at once."""
    y = Value(0.5, "x")
    for op in random.Random(0).choices([ops.sin, ops.cos, ops.tanh, ops.exp], k=150):
        y = op(y)
    assert not any(part.folds for part in fold(y, limit=60).folds)


def test_terms_that_were_computed_stay_together_in_groups_of_a_sum() -> None:
    """No group of a wide sum holds one node of a term without the others."""
    terms = [[Value(float(i)), Value(1.0)] for i in range(200)]
    total = ops.mean([a * b + a for a, b in terms])
    whole = fold(total)
    require_sound(whole, [total])
    for part in whole.folds:
        inside = set(part.everything())
        assert all(len(inside.intersection(term)) in {0, 2} for term in terms)


def test_a_deep_graph_of_a_shared_node_folds_without_recursion() -> None:
    """5,000 steps that all read the same x nest a few levels deep, and x is in one place."""
    x = y = Value(0.5, "x")
    for _ in range(5_000):
        y = x * y
    whole = fold(y)
    assert sum(x in part.nodes for part in whole.walk()) == 1
    level, depth = [whole], 0
    while level:
        level, depth = [inner for part in level for inner in part.folds], depth + 1
    assert depth <= 6


def test_a_fold_is_found_by_its_path() -> None:
    """A misspelt path is answered with those there are; labels like paths keep them apart."""
    y = chain(100)
    whole = fold(y)
    assert whole.find(whole.folds[0].path) is whole.folds[0]
    with pytest.raises(GraphError, match="v1…v"):
        whole.find("layer")
    with pytest.raises(GraphError, match="none"):
        fold(Value(1.0)).find("layer")
    y.parents[0].label = paths(whole)[0]  # type: ignore[union-attr]
    renamed = paths(fold(y))
    assert len(set(renamed)) == len(renamed)


# Calls of modules -----------------------------------------------------------------------------


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


MODELS: dict[str, Callable[[], Module]] = {
    "deep": lambda: MLP(2, [6, 5, 1], rng=0),
    "nested": lambda: Sequential(MLP(2, [3, 2], "tanh", rng=0), Neuron(2, rng=0)),
    "linear": lambda: Sequential(Linear(2, 5, rng=0), Linear(5, 1, bias=False, rng=0)),
    "layer": lambda: Layer(2, 4, rng=0),
    "neuron": lambda: Neuron(2, activation=ReLU(), rng=0),
}


@pytest.mark.parametrize("name", MODELS)
def test_folds_of_one_call_hold_what_the_modules_computed(name: str) -> None:
    """The operations in each fold are those its module made when it was called."""
    model = MODELS[name]()
    recorded = Recorded(model)
    y = model(values(0.5, -2.0))
    outputs = y if isinstance(y, list) else [y]
    root = ops.mul(ops.sum(outputs), Value(2.0))
    whole = fold(root, model=model)
    require_sound(whole, [root])
    folds = {part.module_path: part for part in whole.walk() if part.kind == "call"}
    assert folds.keys() == {path for path, m in model.named_modules() if m.parameters()}
    for path, part in folds.items():
        assert {node for node in part.everything() if node.parents} == recorded.made[path][0]
        assert {*part.module.parameters()} <= {*part.everything()}
        assert part.shape is not None
        assert part.shape[1] == len(part.outputs)


@pytest.mark.parametrize("as_values", [True, False])
def test_each_sample_of_a_batch_has_a_call_of_its_own(as_values: bool) -> None:
    """12 samples make 12 calls of the model, and the parameters they share are one fold.

    Samples that are equal are calls of their own.
    """
    model = MLP(2, [4, 4, 1], rng=0)
    recorded = Recorded(model)
    data = [(0.1 * (i // 2), 0.5) for i in range(12)]
    loss = ops.mean([(model(values(*x) if as_values else x) - 1.0) ** 2 for x in data])
    whole = fold(loss, model=model)
    require_sound(whole, [loss])
    calls = [part for part in whole.walk() if part.kind == "call" and not part.module_path]
    assert [set(part.everything()) for part in calls] == recorded.made[""]
    assert [part.path for part in calls] == [f"MLP[{i}]" for i in range(12)]
    assert calls[2].title == "MLP, call 3 of 12"
    shared = whole.find("MLP.parameters")
    assert {*shared.everything()} == {*model.parameters()}
    assert shared.title == "MLP: 37 parameters"
    assert whole.find("MLP[7].layers.1.neurons.2").shape == (4, 1)


def test_shapes_and_titles_are_those_a_student_knows() -> None:
    """An MLP of 2 inputs and layers of 16 and 1 says so, and what its neurons apply.

    Modules in a list are counted from 1, each kind by itself, though paths are those of PyTorch.
    """
    model = MLP(2, [16, 1], rng=0)
    whole = fold(model(values(1.0, 2.0)), model=model)
    described = {part.path: (part.title, part.shape) for part in whole.walk()}
    assert described["MLP"] == ("MLP", (2, 1))
    assert described["layers.0"] == ("Layer 1", (2, 16))
    assert described["layers.0.neurons.3"] == ("Neuron 4: relu", (2, 1))
    assert described["layers.1.neurons.0"] == ("Neuron 1: linear", (16, 1))
    layers = Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=0))
    (output,) = layers(values(1.0, 2.0))
    titles = {part.path: part.title for part in fold(output, model=layers).walk()}
    assert (titles["0"], titles["2"]) == ("Linear 1", "Linear 2")


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
    whole = fold(model(Value(0.5, "x")), model=model)
    require_sound(whole, whole.outputs)
    calls = whole.find("Twice").folds
    assert [part.path for part in calls] == ["inner.parameters", "inner[0]", "inner[1]"]
    once = {"mul": 1, "sin": 1, "add": 1}
    assert [done(part.nodes) for part in calls] == [{}, once, once]


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


def steps_of_cell(model: Recurrent, *xs: Any) -> list[Counter[str]]:
    """Return what is done in each call of the cell, and check the tree around them."""
    whole = fold(model(*xs), model=model)
    require_sound(whole, whole.outputs)
    (one,) = whole.folds
    assert not done(one.nodes)
    calls = [part for part in one.folds if part.module_path == "cell" and part.kind == "call"]
    return [done(part.everything()) for part in calls]


def test_the_steps_of_a_recurrent_network_are_calls_of_its_cell() -> None:
    """Two linear maps, of the input and of the state, meet in one call with their sum's tanh."""
    steps = steps_of_cell(Recurrent(Cell()), *(values(0.1 * t, 1.0) for t in range(4)))
    assert steps == [{"dot": 4, "add": 2, "tanh": 2}] * 4
    for cell in (RNNCell(2, 2, rng=0), GRUCell(2, 2, rng=0)):
        steps = steps_of_cell(Recurrent(cell), *(values(0.1 * t, 1.0) for t in range(4)))
        assert steps == steps[:1] * 4
        assert steps[0]["tanh"] == 2


def test_every_position_of_a_transformer_is_one_fold() -> None:
    """Attention looks back only, so that no position needs a result of a later one."""
    model = GPT(5, context=4, width=4, heads=2, rng=0)
    whole = fold(*(score for scores in model([0, 1, 2]) for score in scores), model=model)
    require_sound(whole, whole.outputs)
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
    assert [done(call.everything()) for call in calls] == [{"dot": 4}] * 3


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
    require_sound(whole, whole.outputs)
    assert paths(whole) == ["Interlaced", "a.0", "b", "a.1"]
