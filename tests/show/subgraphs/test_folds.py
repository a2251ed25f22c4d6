"""fold: a graph in nested parts: calls of modules, stretches between repetitions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import topological_order

from scalargrad import Parameter, Value, no_grad, ops
from scalargrad.errors import GraphError, OperandError
from scalargrad.experiments import GPT
from scalargrad.nn import (
    MLP,
    Embedding,
    GRUCell,
    Layer,
    Linear,
    Module,
    Neuron,
    ReLU,
    RNNCell,
    Sequential,
)
from scalargrad.show.subgraphs import Fold, fold


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


def test_rows_of_any_length_are_cut_into_at_most_the_limit() -> None:
    """No stretch is empty and no node is lost, whatever the length of the row."""
    for length in range(1, 40):
        y = chain(length)
        require_sound(fold(y, limit=4), [y], 4)


def test_a_chain_of_2000_folds_into_stretches_that_can_each_be_seen_whole() -> None:
    """One level of stretches suffices, none of which has more than the limit inside."""
    y = chain(2000)
    whole = fold(y)
    require_sound(whole, [y])
    assert {part.kind for part in whole.folds} == {"stretch"}
    assert all(not part.folds for part in whole.folds)
    assert whole.nodes == topological_order(y)[:1]


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


def test_terms_that_were_computed_stay_together_in_groups_of_a_sum() -> None:
    """No group of a wide sum holds one node of a term without the others."""
    terms = [[Value(float(i)), Value(1.0)] for i in range(200)]
    total = ops.mean([a * b + a for a, b in terms])
    whole = fold(total)
    require_sound(whole, [total])
    for part in whole.folds:
        inside = set(part.everything())
        assert all(len(inside.intersection(term)) in {0, 2} for term in terms)


def test_a_reduction_over_many_leaves_stays_in_sight() -> None:
    """Of 64 weights and a bias, beside folds of its operands."""
    weights, inputs = ([Value(0.1) for _ in range(64)] for _ in range(2))
    y = ops.dot(weights, inputs, Value(1.0)).tanh().exp()
    whole = fold(y)
    assert [node.op.name for node in whole.nodes if node.op] == ["dot", "tanh", "exp"]
    assert all(part.title.endswith("inputs") for part in whole.folds)
    assert sum(part.size for part in whole.folds) == 129


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


def test_a_small_graph_is_not_folded() -> None:
    """What fits on one level is left as it is, also with a module that the graph does not use."""

    class Nothing(Module):
        pass

    x, y = Value(1.0, "x"), Value(2.0, "y")
    for model in (None, Nothing()):
        whole = fold(x * y + x, model=model)
        assert not whole.folds
        assert whole.title == "4 nodes"
        assert repr(whole) == "<Fold '': 4 nodes>"


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


@pytest.mark.parametrize(("option", "value"), [("limit", 3), ("model", MLP), ("model", 3.0)])
def test_a_limit_below_four_and_what_is_no_module_are_refused(option: str, value: Any) -> None:
    """The error names the option."""
    with pytest.raises(OperandError, match=option):
        fold(Value(1.0), **{option: value})


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
    "lambda": lambda: MLP(2, [4, 2], activation=lambda v: v.relu() * 2 + v, rng=0),
    "nested": lambda: Sequential(MLP(2, [3, 2], "tanh", rng=0), Neuron(2, rng=0)),
    "linear": lambda: Sequential(Linear(2, 5, rng=0), Linear(5, 1, bias=False, rng=0)),
    "layer": lambda: Layer(2, 4, rng=0),
    "neuron": lambda: Neuron(2, activation=ReLU(), rng=0),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("as_values", [True, False])
def test_folds_of_one_call_hold_what_the_modules_computed(name: str, as_values: bool) -> None:
    """The operations in each fold are those its module made when it was called."""
    model = MODELS[name]()
    recorded = Recorded(model)
    x: Sequence[Any] = values(0.5, -2.0) if as_values else [0.5, -2.0]
    y = model(x)
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
    """An MLP of 2 inputs and layers of 16 and 1 says so.

    Modules in a list are counted from 1, each kind by itself, though paths are those of PyTorch.
    """
    model = MLP(2, [16, 1], rng=0)
    whole = fold(model(values(1.0, 2.0)), model=model)
    described = {part.path: (part.title, part.shape) for part in whole.walk()}
    assert described["MLP"] == ("MLP: 2 layers", (2, 1))
    assert described["layers.0"] == ("Layer 1: 16 neurons", (2, 16))
    assert described["layers.0.neurons.3"] == ("Neuron 4: relu", (2, 1))
    assert described["layers.1.neurons.0"] == ("Neuron 1: linear", (16, 1))
    layers = Sequential(Linear(2, 3, rng=0), ReLU(), Linear(3, 1, rng=0))
    (output,) = layers(values(1.0, 2.0))
    titles = {part.path: part.title for part in fold(output, model=layers).walk()}
    assert (titles["0"], titles["2"]) == ("Linear 1", "Linear 2")


def test_parts_without_a_module_say_what_they_hold() -> None:
    """Groups of calls, of terms alike and of inputs are titled by what is in them."""
    model = MLP(2, [2, 1], rng=0)
    total = ops.sum([model(values(0.1 * i, 1.0)) ** 2 for i in range(40)])
    titles = [part.title for part in fold(total, model=model, limit=8).walk()]
    assert any(title.endswith("calls of MLP") for title in titles)
    assert any(title == "MLP, call 1 of 40" for title in titles)
    alike = ops.sum([a.tanh().sin() for a in values(*range(40))])
    titles = [part.title for part in fold(alike, limit=8).walk()]
    assert "× (tanh, sin)" in " ".join(titles)
    assert any("inputs" in part.title for part in fold(ops.sum(values(*range(40))), limit=8).walk())


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


@pytest.mark.parametrize("limit", [4, 5, 8])
def test_parameters_that_calls_share_leave_room_for_the_calls(limit: int) -> None:
    """Two modules for each of 30 samples, on levels of four."""
    first, second = Line(), Line()

    class Both(Module):
        def __init__(self) -> None:
            self.first, self.second = first, second

        def forward(self, x: Any) -> Any:
            """Compute a product."""
            return self.first(x) * self.second(x)

    model = Both()
    total = ops.sum([model(x) for x in values(*range(30))])
    require_sound(fold(total, model=model, limit=limit), [total], limit)


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


class Cell(Module):
    """One step of a recurrent network."""

    def __init__(self) -> None:
        self.u, self.v = Linear(2, 2, rng=0), Linear(2, 2, rng=1)

    def forward(self, x: Any, h: Any) -> Any:
        """Compute it."""
        return [(a + b).tanh() for a, b in zip(self.u(x), self.v(h), strict=True)]


class Memory(Module):
    """A cell with a gate: c ← σ(F h)·c + tanh(G h), h ← tanh(c)."""

    def __init__(self) -> None:
        self.f, self.g = Linear(2, 2, rng=0), Linear(2, 2, rng=1)

    def forward(self, h: Any, c: Any) -> Any:
        """Compute it."""
        kept = [a.sigmoid() * b for a, b in zip(self.f(h), c, strict=True)]
        c = [a + b.tanh() for a, b in zip(kept, self.g(h), strict=True)]
        return [x.tanh() for x in c], c


class Recurrent(Module):
    """A cell for each input, or a gated one three times, and a head."""

    def __init__(self, cell: Module) -> None:
        self.cell, self.head = cell, Neuron(2, rng=0)

    def forward(self, *xs: Any) -> Any:
        """Compute it."""
        h: Any = [0.0, 0.0]
        if isinstance(self.cell, Memory):
            h, c = xs
            for _ in range(3):
                h, c = self.cell(h, c)
        else:
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


def test_rows_of_an_embedding_are_parameters_of_the_layer_that_reads_them() -> None:
    """A look-up makes no node, so a layer's call is its own, and the rows stand beside it."""
    model = Sequential(Embedding(5, 3, rng=0), Linear(3, 2, rng=0))
    y = ops.sum(model(4))
    whole = fold(y, model=model)
    require_sound(whole, [y])
    assert paths(whole) == ["Sequential", "0.parameters", "1"]


def test_a_large_linear_layer_opens_into_its_outputs() -> None:
    """A level of a module with too much on it is divided as any other."""
    model = Sequential(Linear(8, 40, rng=0))
    outputs = model(values(*range(8)))
    whole = fold(*outputs, model=model)
    require_sound(whole, outputs)
    assert [part.title for part in whole.find("0").folds] == ["360 parameters"]
    assert done(whole.find("0").nodes) == {"dot": 40}


def test_the_activation_of_a_neuron_is_told_from_what_follows_it() -> None:
    """Also where nothing is recorded, and where it gives a number rather than a node."""
    neuron = Neuron(1, activation="tanh", rng=0)
    y = neuron([Value(2.0)]).tanh()
    with no_grad():
        whole = fold(y, model=neuron)
    assert done(whole.find("Neuron").nodes) == {"dot": 1, "tanh": 1}
    still = Neuron(1, activation=lambda v: Value(v.data), rng=0)
    weighted = ops.dot(still.w, [Value(2.0)], still.b)
    assert done(fold(weighted.relu(), model=still).find("Neuron").nodes) == {"dot": 1}


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
    assert done(whole.find("Positive").nodes) == {"exp": 1, "dot": 1}


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
    require_sound(whole, [y])
    assert y in whole.find("Mixed").nodes
    assert repr(whole.find("Mixed")) == "<Fold 'Mixed': Mixed: 2 lines>"
