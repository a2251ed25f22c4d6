"""Pictures of graphs of which parts are folded."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import Value, draw, ops, walk
from scalargrad.errors import GraphError, GraphTooLargeError, LayoutError
from scalargrad.graph import topological_order
from scalargrad.nn import MLP
from scalargrad.show.graphs import Picture
from scalargrad.show.graphs.diagram import Bundle, GateShape, Wire
from scalargrad.show.graphs.folded_diagram import FoldedBuilder
from scalargrad.show.graphs.inks import HALO
from scalargrad.show.graphs.opening import opening
from scalargrad.show.subgraphs import fold

SVG = "{http://www.w3.org/2000/svg}"


def squared_error(model: MLP, *samples: Sequence[float]) -> Value:
    """Return the mean squared error over samples, with gradients."""
    inputs = [[Value(v, f"x{i}") for i, v in enumerate(sample)] for sample in samples]
    loss: Value = ops.mean([(model(x) - 1.0) ** 2 for x in inputs])
    loss.backward()
    return loss


@pytest.fixture
def model() -> MLP:
    """Make a network of 2, 3, 3 and 1 units."""
    return MLP(2, [3, 3, 1], rng=0)


@pytest.fixture
def loss(model: MLP) -> Value:
    """Return its squared error on one sample."""
    return squared_error(model, (1.0, -2.0))


def titles(picture: Picture) -> list[str]:
    """Return what stands in folded boxes."""
    return re.findall(r'<FONT POINT-SIZE="14">(.*?)</FONT>', picture.dot)


def frames(picture: Picture) -> set[str]:
    """Return what stands above frames."""
    clusters = picture.dot.split("subgraph cluster_")[1:]
    return {re.search(r"label=<([^>]*)>", text)[1] for text in clusters}  # type: ignore[index]


def test_a_model_is_drawn_as_its_layers(model: MLP, loss: Value) -> None:
    """By default the layers are boxes in the frame of the model."""
    picture = draw(loss, model=model)
    assert sorted(titles(picture)) == [
        "Layer 1: 3 neurons",
        "Layer 2: 3 neurons",
        "Layer 3: 1 neuron",
    ]
    assert frames(picture) == {"MLP: 3 layers"}
    assert "2 → 3" in picture.dot
    assert "9 parameters" in picture.dot
    assert repr(picture).endswith(f": {count(loss)} nodes, 3 folded parts>")


def count(root: Value) -> int:
    """Return the number of nodes."""
    return len(topological_order(root))


@pytest.mark.parametrize(("depth", "boxes", "framed"), [(0, 1, 0), (1, 3, 1), (2, 7, 4)])
def test_depth_is_how_many_levels_of_modules_are_open(
    model: MLP, loss: Value, depth: int, boxes: int, framed: int
) -> None:
    """0 draws one box, 1 three layers in a frame, 2 seven neurons in three more."""
    picture = draw(loss, model=model, depth=depth)
    assert (len(titles(picture)), picture.dot.count("subgraph cluster_")) == (boxes, framed)


def test_everything_open_shows_every_node(model: MLP, loss: Value) -> None:
    """With depth=None no box is left, and each of 3 layers and 7 neurons has a frame."""
    picture = draw(loss, model=model, depth=None)
    assert not titles(picture)
    assert picture.dot.count("subgraph cluster_") == 1 + 3 + 7
    assert len(set(re.findall(r"\bid=(n\d+)\b", picture.dot))) == count(loss)


def test_a_named_part_opens_with_what_is_around_it(model: MLP, loss: Value) -> None:
    """Opening one neuron opens its layer and leaves the other neurons closed."""
    picture = draw(loss, model=model, depth=0, open="layers.1.neurons.2")
    assert frames(picture) >= {"MLP: 3 layers", "Layer 2: 3 neurons", "Neuron 3: relu"}
    assert sorted(titles(picture)) == [
        "Layer 1: 3 neurons",
        "Layer 3: 1 neuron",
        "Neuron 1: relu",
        "Neuron 2: relu",
    ]


def test_a_part_that_is_not_there_is_named(model: MLP, loss: Value) -> None:
    """The message lists paths that can be opened."""
    with pytest.raises(GraphError, match=r"'layer.1'.*'layers.0'"):
        draw(loss, model=model, open="layer.1")


def test_a_module_called_for_each_sample_opens_in_all(model: MLP) -> None:
    """The path of a module stands for all its calls, that of a fold for one."""
    loss = squared_error(model, (1.0, -2.0), (0.5, 0.5))
    all_calls = draw(loss, model=model, depth=0, open="layers.1")
    assert titles(all_calls).count("Neuron 3: relu") == 2
    one = draw(loss, model=model, depth=0, open="MLP[1].layers.1")
    assert titles(one).count("Neuron 3: relu") == 1
    assert "MLP: 3 layers, call 1 of 2" in titles(one)


def test_shared_parameters_are_one_box(model: MLP) -> None:
    """The 25 parameters that two samples share stand beside them and feed both."""
    loss = squared_error(model, (1.0, -2.0), (0.5, 0.5))
    picture = draw(loss, model=model, depth=0)
    assert "MLP: 25 parameters" in titles(picture)
    assert "25 values" in picture.dot


def test_what_is_deeper_than_the_limit_stays_folded() -> None:
    """A large network is opened only as deep as fits, and a note says how to go on."""
    model = MLP(2, [16, 16, 1], rng=0)
    loss = squared_error(model, (1.0, -2.0))
    picture = draw(loss, model=model, depth=None)
    assert "Neuron 8: relu" in titles(picture)
    assert re.search(r"Folded to be readable: open=&quot;[\w.]+&quot; opens", picture.dot)
    assert "Folded to be readable" not in draw(loss, model=model).dot


def test_a_long_row_is_drawn_as_few_stretches() -> None:
    """2,000 operations in a row become a handful of boxes, joined by the values between."""
    y = Value(0.5, "x")
    values = []
    for _ in range(2000):
        y = y.tanh()
        values.append(y)
    picture = draw(y)
    assert 2 <= len(titles(picture)) <= 30
    shown = set(re.findall(r'ID="n(\d+)-value"', picture.dot))
    assert len(shown) == len(titles(picture))
    assert "2000" in shown


def test_too_much_to_open_is_refused_before_layout() -> None:
    """What was asked for by name is not dropped silently; the message has the count."""
    y = Value(0.5, "x")
    for _ in range(500):
        y = y.tanh()
    paths = [part.path for part in fold(y, limit=30).walk() if part.path]
    with pytest.raises(GraphTooLargeError, match=r"501 nodes and 500 lines.*limit=501"):
        draw(y, open=paths)
    assert "folded" not in repr(draw(y, open=paths, limit=501))


def test_copies_are_not_drawn_of_a_folded_graph(model: MLP, loss: Value) -> None:
    """With copies, everything is open or the graph is refused."""
    assert not titles(draw(loss, model=model, copies=True))
    y = Value(0.5, "x")
    for _ in range(300):
        y = y + y
    with pytest.raises(GraphTooLargeError, match="leave out copies"):
        draw(y, copies=True)


def test_a_negative_depth_is_refused(model: MLP, loss: Value) -> None:
    """The message says what depth may be."""
    with pytest.raises(LayoutError, match="depth is -1: give 0 or more, or None"):
        draw(loss, model=model, depth=-1)


@given(st.lists(st.tuples(st.integers(0, 999), st.integers(0, 999)), min_size=1, max_size=80))
def test_every_line_of_a_random_graph_is_drawn_or_hidden(choices: list[tuple[int, int]]) -> None:
    """Between what is seen there is a path exactly where the graph has one line."""
    nodes = [Value(1.0), Value(2.0)]
    for a, b in choices:
        nodes.append(nodes[a % len(nodes)] * nodes[b % len(nodes)])
    root = nodes[-1]
    order = topological_order(root)
    seen = opening(fold(root, limit=12), 1, (), 12)
    builder = FoldedBuilder(order, {}, seen, {})
    drawn = builder.build([root])
    shapes = {shape.id for shape in drawn.shapes}
    assert len(shapes) == len(drawn.shapes)
    assert len({line.id for line in drawn.lines}) == len(drawn.lines)
    assert all({line.source, line.target} <= shapes for line in drawn.lines)
    origin = {line.target: line.source for line in drawn.lines if not line.enters}
    ids = {item: builder.folds.get(item) or builder.ids[item] for item in builder.items}  # type: ignore[arg-type, index]

    def computed_by(id: str) -> str:
        while id in origin:
            id = origin[id]
        return id

    found = {(computed_by(line.source), line.target) for line in drawn.lines if line.enters}
    stands = seen.stands
    wanted = {
        (ids[stands[x]], ids[stands[node]])
        for node in order
        for x in node.parents
        if isinstance(x, Value) and stands[x] is not stands[node]
    }
    assert found == wanted


def test_one_value_that_leaves_a_box_is_shown_and_several_are_counted(
    model: MLP, loss: Value
) -> None:
    """Layer 3 gives one wire with its number, layers 1 and 2 a bundle of 3 values each."""
    whole = fold(loss, model=model)
    seen = opening(whole, 1, (), 300)
    drawn = FoldedBuilder(topological_order(loss), {}, seen, {}).build([loss])
    assert [s.text for s in drawn.shapes if isinstance(s, Bundle)] == ["3 values", "3 values"]
    (output,) = whole.find("layers.2").outputs
    position = topological_order(loss).index(output)
    assert f"n{position}-wire" in {s.id for s in drawn.shapes if isinstance(s, Wire)}


def test_a_gate_reads_a_folded_layer_by_one_thick_line(model: MLP, loss: Value) -> None:
    """An open neuron after a closed layer of three has one line from it, not three."""
    whole = fold(loss, model=model)
    seen = opening(whole, 1, ["layers.1.neurons.0"], 300)
    drawn = FoldedBuilder(topological_order(loss), {}, seen, {}).build([loss])
    (gate,) = (s for s in drawn.shapes if isinstance(s, GateShape) and s.text == "w·x")
    arriving = [line for line in drawn.lines if line.target == gate.id and line.enters]
    assert [line.thick for line in arriving].count(True) == 1
    assert len(arriving) == 1 + 3 + 1  # the layer, three weights, the bias


def test_frames_enclose_their_shapes_and_no_others(model: MLP, loss: Value) -> None:
    """In the SVG each shape lies inside the frames of the modules it belongs to, and no other."""
    svg = ET.fromstring(draw(loss, model=model, depth=None).svg())
    groups = {g.attrib["id"]: g for g in svg.iter(f"{SVG}g") if "id" in g.attrib}
    whole = fold(loss, model=model)
    order = topological_order(loss)
    for k, part in enumerate(whole.walk()):
        if part is whole:
            continue
        left, top, right, bottom = extent(groups[f"f{k}"])
        inside = set(part.everything())
        for i, node in enumerate(order):
            a, b, c, d = extent(groups[f"n{i}"])
            within = left <= a and c <= right and top <= b and d <= bottom
            assert within == (node in inside)


def extent(group: ET.Element) -> tuple[float, float, float, float]:
    """Return the least and greatest coordinates of what is drawn in a group."""
    numbers: list[tuple[float, float]] = []
    for shape in group.iter():
        if shape.tag == f"{SVG}ellipse":
            cx, cy, rx, ry = (float(shape.attrib[k]) for k in ("cx", "cy", "rx", "ry"))
            numbers += [(cx - rx, cy - ry), (cx + rx, cy + ry)]
        for text in (shape.get("points", ""), shape.get("d", "")):
            found = [float(x) for x in re.findall(r"-?\d+\.?\d*", text)]
            numbers += zip(found[::2], found[1::2], strict=True)
    xs, ys = zip(*numbers, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_neurons_stand_in_their_order(model: MLP, loss: Value, direction: str) -> None:
    """The first neuron of a layer is at the top, or at the left where lines run down."""
    picture = draw(loss, model=model, depth=2, direction=direction)
    svg = ET.fromstring(picture.svg())
    axis = 1 if direction == "LR" else 0
    assert all(first_on_top(svg, layer, axis) for layer in (0, 1))


def first_on_top(svg: ET.Element, layer: int, axis: int) -> bool:
    """Return whether neurons 0, 1, 2 of a layer follow one another along an axis."""
    found: dict[str, float] = {}
    for group in svg.iter(f"{SVG}g"):
        title = group.findtext(f"{SVG}title") or ""
        if match := re.search(rf"its path is layers\.{layer}\.neurons\.(\d)", title):
            found[match[1]] = extent(group)[axis]
    return found["0"] < found["1"] < found["2"]


def test_titles_tell_equal_labels_apart(model: MLP, loss: Value) -> None:
    """What the pointer shows of w0 names the neuron it belongs to."""
    svg = draw(loss, model=model, depth=None).svg()
    assert "value of w²₃,₁: " in svg
    assert "its path is layers.1.neurons.2" in svg


def test_a_highlighted_node_in_a_box_lights_up_the_box(model: MLP, loss: Value) -> None:
    """Where a weight is not seen, the layer that holds it stands out."""
    picture = draw(loss, model=model, highlight=model.layers[1].neurons[0].w[0])
    (bold,) = (line for line in picture.dot.splitlines() if "penwidth=3" in line)
    assert "Layer 2: 3 neurons" in bold


def test_steps_inside_a_box_light_it_up(model: MLP, loss: Value) -> None:
    """Every step of a walk can be shown in a folded picture."""
    for step in walk(loss):
        text = draw(loss, model=model, depth=0, highlight=step).dot
        assert HALO in text or "penwidth=3" in text


def test_colours_are_of_what_is_seen(model: MLP, loss: Value) -> None:
    """The scale ends at the greatest number in sight, not at one in a closed box."""
    hidden = model.layers[2].neurons[0].b
    hidden.grad = 1e6
    assert "1e6" not in draw(loss, model=model, depth=0, color="gradient").dot
    assert "1e6" in draw(loss, model=model, depth=None, color="gradient").dot


def test_mermaid_has_a_subgraph_for_each_open_part(model: MLP, loss: Value) -> None:
    """Subgraphs nest as modules do, and every one is closed."""
    text = draw(loss, model=model, depth=2).mermaid
    lines = [line.strip() for line in text.splitlines()]
    assert sum(line.startswith("subgraph ") for line in lines) == 4
    assert lines.count("end") == 4
    assert sum(line.endswith(":::folded") for line in lines) == 7
    depths, depth = [], 0
    for line in lines:
        depth += line.startswith("subgraph ")
        depths.append(depth)
        depth -= line == "end"
    assert (max(depths), depth) == (2, 0)
    declared = {re.split(r"[\[(]", line)[0] for line in lines if ":::" in line}
    joined = [
        re.split(r" ?[-=]{2}[->=] ?", line) for line in lines if re.search("---|-->|==", line)
    ]
    assert all(set(ends) <= declared for ends in joined)


def test_equal_graphs_give_equal_text(model: MLP) -> None:
    """A folded picture is the same each time it is drawn."""

    def text() -> str:
        return draw(squared_error(model, (1.0, -2.0), (3.0, 4.0)), model=model).dot

    model.zero_grad()
    first = text()
    model.zero_grad()
    assert text() == first


def test_a_model_without_nodes_in_the_graph_is_no_obstacle() -> None:
    """A graph that does not use the model is drawn as without it."""
    x: Any = Value(1.0, "x")
    assert draw(x * x, model=MLP(2, [1], rng=0)).dot == draw(x * x).dot


def test_mermaid_counts_the_values_that_leave_a_box(model: MLP, loss: Value) -> None:
    """Between two layers of a flowchart a thick line passes the number of values."""
    text = draw(loss, model=model).mermaid
    assert '["3 values"]:::wire' in text
    assert " ==> " in text


def test_parts_that_are_no_modules_open_while_they_can_be_seen_at_a_glance() -> None:
    """A sum of many terms of 4 nodes is drawn as the sum over terms, not as one box."""
    terms = [Value(0.1 * i, f"x{i}").tanh().sin().cos() for i in range(25)]
    picture = draw(ops.sum(terms), limit=60)
    assert "label=<Σ>" in picture.dot
    assert titles(picture) == ["cos: 4 nodes"] * 25
