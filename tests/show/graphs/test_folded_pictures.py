"""Pictures of which parts are folded: what is a box, what is open, and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inner import divide_graph, topological_order
from tests.show.graphs.reading import SVG, corners, flow, lines, of_class, words

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


# What is open ---------------------------------------------------------------------------------


def test_a_model_is_drawn_as_its_layers(model: MLP, loss: Value) -> None:
    """By default the layers are boxes, with their sizes."""
    picture = draw(loss, model=model)
    shown = flow(picture)
    assert shown.of("folded") == [
        "Layer 1\n2 → 3\n9 parameters",
        "Layer 2\n3 → 3\n12 parameters",
        "Layer 3\n3 → 1\n4 parameters",
    ]
    assert repr(picture).endswith(f": {len(topological_order(loss))} nodes, 3 collapsed subgraphs>")


@pytest.mark.parametrize(("depth", "boxes"), [(0, 1), (1, 3), (2, 7)])
def test_depth_is_how_many_levels_of_modules_are_open(
    model: MLP, loss: Value, depth: int, boxes: int
) -> None:
    """0 draws one box, 1 three layers, 2 seven neurons."""
    assert len(flow(draw(loss, model=model, depth=depth)).folded()) == boxes


def test_everything_open_shows_every_node(model: MLP, loss: Value) -> None:
    """With depth=None or copies no box is left."""
    shown = flow(draw(loss, model=model, depth=None))
    copied = flow(draw(loss, model=model, copies=True))
    assert not shown.folded() + copied.folded()
    assert "copy" in copied.of("gate")
    assert sum(bool(re.fullmatch(r"n\d+", id)) for id in shown.texts) == len(
        topological_order(loss)
    )


def test_a_named_part_opens_with_what_is_around_it(model: MLP, loss: Value) -> None:
    """Opening one neuron opens its layer and leaves the other neurons closed."""
    shown = flow(draw(loss, model=model, depth=0, open="layers.1.neurons.2"))
    assert sorted(shown.folded()) == [
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
    assert both.folded().count("Neuron 3: relu") == 2
    one = flow(draw(loss, model=model, depth=0, open="MLP[1].layers.1"))
    assert one.folded().count("Neuron 3: relu") == 1
    assert "MLP, call 1 of 2" in one.folded()
    closed = flow(draw(loss, model=model, depth=0))
    assert "MLP: 25 parameters" in closed.folded()
    assert "25 values" in closed.of("wire")


def test_what_is_deeper_than_the_limit_stays_folded() -> None:
    """A large network is opened only as deep as fits, and a note says how to go on, rightly."""
    model = MLP(2, [16, 16, 1], rng=0)
    loss = squared_error(model, (1.0, -2.0))
    picture = draw(loss, model=model, depth=None)
    assert "Neuron 8: relu" in flow(picture).folded()
    text = re.sub(r"</text>\s*<text[^>]*>", " ", picture.svg())  # a note has several lines
    note = re.search(r"open=&quot;([\w.]+)&quot; expands ([\w ]+)", text)
    assert note is not None
    opened = flow(draw(loss, model=model, depth=0, open=note[1]))
    assert not any(text.startswith(f"{note[2]}:") for text in opened.folded())
    assert "open=" not in draw(loss, model=model).svg()


# Graphs without modules -----------------------------------------------------------------------


def test_a_long_row_is_drawn_as_few_stretches() -> None:
    """2,000 operations in a row become a handful of boxes, joined by the values between.

    Together they have all its nodes.
    """
    picture = draw(chain(2001))
    shown = flow(picture)
    assert 2 <= len(shown.folded()) <= 30
    assert len(shown.of("wire")) == 1 + len(shown.folded())  # that of x
    assert shown.of("wire")[-1] == f"{chain(2001).data:.4g}"
    assert re.search(r"2,?001 nodes, \d+ collapsed subgraphs", repr(picture))
    sizes = [re.findall(r"([\d,]+) × tanh", text)[0] for text in shown.of("folded")]
    assert sum(int(size.replace(",", "")) for size in sizes) == 2000


def test_too_much_to_open_is_refused() -> None:
    """What was asked for by name is not dropped silently; with copies everything is open."""
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
def test_every_line_of_a_random_graph_is_drawn_or_hidden(choices: list[tuple[int, int]]) -> None:
    """A line between two nodes in sight is drawn as often as the graph has it.

    Lines join what is drawn, a path in the graph is a path in the picture, and none is a cycle.
    """
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
    """Return what can be reached from a shape along lines."""
    found: set[str] = set()
    pending = [start]
    while pending:
        new = after[pending.pop()] - found
        found |= new
        pending += new
    return found


# What is seen of it ---------------------------------------------------------------------------


def test_one_value_that_leaves_a_box_is_shown_and_several_are_counted(
    model: MLP, loss: Value
) -> None:
    """Layer 3 gives one wire with its number, layers 1 and 2 a thick one, head too, of 3 values.

    What is said of a box stands in it.
    """
    picture = draw(loss, model=model)
    shown = flow(picture)
    wires = shown.of("wire")
    assert wires.count("3 values") == 2
    assert sum(arrow == "==>" for _, arrow, _ in shown.lines) == 2
    for box in of_class(picture, "fold").values():
        _, top, _, bottom = corners(box)
        assert all(top < float(x.attrib["y"]) < bottom for x in words(box))
    for line in of_class(picture, "enters").values():
        path, arrow = line.iter(f"{SVG}path"), line.iter(f"{SVG}polygon")
        assert next(path).attrib["stroke"] == next(arrow).attrib["fill"]
    (prediction,) = divide_graph(loss, model=model).find("layers.2").outputs
    assert any(text.startswith(f"{prediction.data:.4g}".replace("-", "−")) for text in wires)


def test_what_is_highlighted_in_a_box_lights_up_the_box(model: MLP, loss: Value) -> None:
    """Where a weight is not seen, the layer that holds it stands out."""
    weight = model.layers[1].neurons[0].w[0]
    boxes = of_class(draw(loss, model=model, highlight=weight), "fold").values()
    lit = [x for x in boxes if any(part.get("fill") == "#FFE2A0" for part in x.iter())]
    assert [lines(box)[0] for box in lit] == ["Layer 2"]
