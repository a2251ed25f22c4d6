"""draw with collapsed subgraphs: which are boxes, which are expanded, and the text in boxes."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import divide_graph, topological_order
from tests.show.graphs.parsing import SVG, corners, flow, lines, of_class, words

from scalargrad import Value, draw, ops
from scalargrad.errors import GraphError, GraphTooLargeError
from scalargrad.nn import MLP


def squared_error(model: MLP, *samples: Sequence[float]) -> Value:
    """Return the mean squared error over samples, with gradients."""
    inputs = [[Value(v, f"x{i}") for i, v in enumerate(sample)] for sample in samples]
    loss: Value = ops.mean([(model(x) - 1.0) ** 2 for x in inputs])
    loss.backward()
    return loss


def chain(length: int) -> Value:
    """Return the last of so many nodes, each computed from the one before."""
    y = Value(0.5, "x")
    for _ in range(length - 1):
        y = y.tanh()
    return y


@pytest.fixture
def model() -> MLP:
    """Make a network of 2, 3, 3 and 1 units."""
    return MLP(2, [3, 3, 1], rng=0)


@pytest.fixture
def loss(model: MLP) -> Value:
    """Return its squared error on one sample."""
    return squared_error(model, (1.0, -2.0))


# Expanded modules ---------------------------------------------------------------------------------


def test_draw_of_a_model_shows_its_layers(model: MLP, loss: Value) -> None:
    """By default the layers are boxes, with their sizes."""
    picture = draw(loss, model=model)
    shown = flow(picture)
    assert shown.of("collapsed") == [
        "Layer 1\n2 → 3\n9 parameters",
        "Layer 2\n3 → 3\n12 parameters",
        "Layer 3\n3 → 1\n4 parameters",
    ]
    assert repr(picture).endswith(f": {len(topological_order(loss))} nodes, 3 collapsed subgraphs>")


@pytest.mark.parametrize(("depth", "boxes"), [(0, 1), (1, 3), (2, 7)])
def test_draw_depth_expands_as_many_levels_of_modules(
    model: MLP, loss: Value, depth: int, boxes: int
) -> None:
    """0 draws one box, 1 three layers, 2 seven neurons."""
    assert len(flow(draw(loss, model=model, depth=depth)).collapsed()) == boxes


def test_draw_without_depth_or_with_copies_shows_every_node(model: MLP, loss: Value) -> None:
    """With depth=None or copies no box is left."""
    shown = flow(draw(loss, model=model, depth=None))
    copied = flow(draw(loss, model=model, copies=True))
    assert not shown.collapsed() + copied.collapsed()
    assert "copy" in copied.of("gate")
    assert sum(bool(re.fullmatch(r"n\d+", id)) for id in shown.texts) == len(
        topological_order(loss)
    )


def test_draw_open_expands_a_module_and_those_around_it(model: MLP, loss: Value) -> None:
    """Expanding one neuron expands its layer, and the other neurons remain collapsed."""
    shown = flow(draw(loss, model=model, depth=0, open="layers.1.neurons.2"))
    assert sorted(shown.collapsed()) == [
        "Layer 1",
        "Layer 3",
        "Neuron 1: relu",
        "Neuron 2: relu",
    ]
    with pytest.raises(GraphError, match=r"layers\.0"):
        draw(loss, model=model, open="layer.1")


def test_draw_open_expands_all_calls_of_a_module_or_one_by_its_path(model: MLP) -> None:
    """Two samples are two recorded calls; the 25 parameters they share are one box."""

    def loss() -> Value:
        return squared_error(model, (1.0, -2.0), (0.5, 0.5))

    both = flow(draw(loss, model=model, depth=0, open="layers.1"))
    assert both.collapsed().count("Neuron 3: relu") == 2
    one = flow(draw(loss, model=model, depth=0, open="MLP[1].layers.1"))
    assert one.collapsed().count("Neuron 3: relu") == 1
    assert "MLP, call 1 of 2" in one.collapsed()
    closed = flow(draw(loss, model=model, depth=0))
    assert "MLP: 25 parameters" in closed.collapsed()
    assert "25 values" in closed.of("wire")


def test_draw_limit_collapses_deep_levels_and_notes_how_to_expand_them() -> None:
    """A large network is expanded as deep as the limit allows; the command in the note works."""
    model = MLP(2, [16, 16, 1], rng=0)
    loss = squared_error(model, (1.0, -2.0))
    picture = draw(loss, model=model, depth=None)
    assert "Neuron 8: relu" in flow(picture).collapsed()
    text = re.sub(r"</text>\s*<text[^>]*>", " ", picture.svg())  # a note has several lines
    note = re.search(r"open=&quot;([\w.]+)&quot; expands ([\w ]+)", text)
    assert note is not None
    opened = flow(draw(loss, model=model, depth=0, open=note[1]))
    assert not any(text.startswith(f"{note[2]}:") for text in opened.collapsed())
    assert "open=" not in draw(loss, model=model).svg()


# Graphs without modules -----------------------------------------------------------------------


def test_draw_shows_a_long_chain_as_few_segments() -> None:
    """2,000 operations become at most 30 boxes, which contain all of its nodes."""
    picture = draw(chain(2001))
    shown = flow(picture)
    assert 2 <= len(shown.collapsed()) <= 30
    assert len(shown.of("wire")) == 1 + len(shown.collapsed())  # that of x
    assert shown.of("wire")[-1] == f"{chain(2001).data:.4g}"
    assert re.search(r"2,?001 nodes, \d+ collapsed subgraphs", repr(picture))
    sizes = [re.findall(r"([\d,]+) × tanh", text)[0] for text in shown.of("collapsed")]
    assert sum(int(size.replace(",", "")) for size in sizes) == 2000


def test_draw_open_above_the_limit_is_an_error() -> None:
    """Paths are not ignored; with copies, everything is expanded."""
    y = chain(501)
    paths = [part.path for part in divide_graph(y, limit=30).walk() if part.path]
    with pytest.raises(GraphTooLargeError, match="limit=501"):
        draw(y, open=paths)
    assert "collapsed" not in repr(draw(y, open=paths, limit=501))
    for _ in range(300):
        y = y + y
    with pytest.raises(GraphTooLargeError, match="copies"):
        draw(y, copies=True)


choices = st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=1, max_size=80)


@pytest.mark.differential
@given(choices)
def test_draw_has_the_lines_between_visible_nodes_of_random_graphs(
    choices: list[tuple[int, int]],
) -> None:
    """Lines join shapes, a path in the graph is a path in the picture, and there is no cycle."""
    nodes = [Value(1.0), Value(2.0)]
    for a, b in choices:
        nodes.append(nodes[a % len(nodes)] * nodes[b % len(nodes)])
    for k, node in enumerate(nodes):
        node.label = f"x{k}"
    shown = flow(draw(nodes[-1], limit=12))
    named = {text.split(" = ")[0]: id.removesuffix("_wire") for id, text in shown.texts.items()}
    order = topological_order(nodes[-1])
    ids = {node: named[node.label] for node in order if node.label in named}
    assert {end for a, _, b in shown.lines for end in (a, b)} <= shown.texts.keys()
    after: dict[str, set[str]] = {id: set() for id in shown.texts}
    for source, _, target in shown.lines:
        after[source].add(target)
    reached = {id: reachable(after, id) for id in after}
    assert all(id not in found for id, found in reached.items())
    for node, id in ids.items():
        for x in node.parents:
            if x in ids:
                count = sum(y is x for y in node.parents)
                assert shown.arriving(id).count(f"{ids[x]}_wire -->") == count  # type: ignore[index]
    for node, id in ids.items():
        for below in topological_order(node)[:-1]:
            assert below not in ids or id in reached[ids[below]]


def reachable(after: dict[str, set[str]], start: str) -> set[str]:
    """Return the shapes that can be reached from a shape along lines."""
    found: set[str] = set()
    pending = [start]
    while pending:
        new = after[pending.pop()] - found
        found |= new
        pending += new
    return found


# Wires and text ---------------------------------------------------------------------------


def test_draw_shows_the_value_of_one_output_and_the_count_of_several(
    model: MLP, loss: Value
) -> None:
    """Layer 3 has one wire with its number, layers 1 and 2 have a thick wire of 3 values."""
    picture = draw(loss, model=model)
    shown = flow(picture)
    wires = shown.of("wire")
    assert wires.count("3 values") == 2
    assert sum(arrow == "==>" for _, arrow, _ in shown.lines) == 2
    for box in of_class(picture, "subgraph").values():
        _, top, _, bottom = corners(box)
        assert all(top < float(x.attrib["y"]) < bottom for x in words(box))
    for line in of_class(picture, "enters").values():
        path, arrow = line.iter(f"{SVG}path"), line.iter(f"{SVG}polygon")
        assert next(path).attrib["stroke"] == next(arrow).attrib["fill"]
    (prediction,) = divide_graph(loss, model=model).find("layers.2").outputs
    assert any(text.startswith(f"{prediction.data:.4g}".replace("-", "−")) for text in wires)


def test_draw_highlight_of_a_hidden_node_highlights_its_box(model: MLP, loss: Value) -> None:
    """If a weight is not visible, its layer is highlighted."""
    weight = model.layers[1].neurons[0].w[0]
    boxes = of_class(draw(loss, model=model, highlight=weight), "subgraph").values()
    lit = [x for x in boxes if any(part.get("fill") == "#FFE2A0" for part in x.iter())]
    assert [lines(box)[0] for box in lit] == ["Layer 2"]
