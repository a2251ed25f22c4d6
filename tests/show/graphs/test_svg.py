"""The SVG as it is seen: where names, numbers, shapes and lines stand; its use.

Read back with an XML parser; its ids are those that the documentation lists.
"""

from __future__ import annotations

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations, pairwise
from typing import Any

import pytest
from tests.show.graphs.reading import (
    SVG,
    Corners,
    Element,
    Point,
    are_apart,
    corners,
    curve,
    elements,
    head,
    lecture,
    lines,
    neuron,
    of_class,
    pieces,
    points,
    regularised,
    width,
    words,
)
from tests.show.steps.graphs import labelled

from scalargrad import Parameter, Value, draw, ops, walk
from scalargrad.nn import MLP
from scalargrad.show.graphs import Picture


def numbers(found: dict[str, Element], i: int) -> tuple[str, str]:
    """Return what stands above and below the wire of node i."""
    return lines(found[f"n{i}-value"])[0], lines(found[f"n{i}-gradient"])[0]


# The lecture's graphs -------------------------------------------------------------------------


def test_neuron_from_elementary_gates() -> None:
    """1/(1 + e^-(w·x)) has the lecture's gates, value and gradients, operands from the top."""
    found = elements(draw(neuron("elementary")))
    shown = {lines(found[f"n{i}"])[0]: numbers(found, i) for i in range(13)}
    assert shown["1/x"] == ("f ≈ 0.7311", "1")
    leaves = {name: shown[name][1] for name in ("w0", "x0", "w1", "x1", "w2")}
    assert leaves == {
        "w0": "−0.1966",
        "x0": "0.3932",
        "w1": "−0.3932",
        "x1": "−0.5898",
        "w2": "0.1966",
    }
    gates = [lines(found[f"n{i}"])[0] for i in (2, 5, 6, 8, 9, 10, 11, 12)]
    assert gates == ["×", "×", "+", "+", "×−1", "exp", "+1", "1/x"]
    tops = [corners(found[id])[1] for id in ("n0", "n1", "n3", "n4")]  # w0, x0, w1, x1
    assert tops == sorted(tops)


def test_a_weight_that_feeds_two_gates_shows_its_total_gradient() -> None:
    """The loss is 0.06396; what the two uses of w give, -0.1398 and 0.05, adds up to -0.08981.

    The index of its name stands lower, and every gate stands on the line of its wire.
    """
    loss = regularised()
    picture = draw(loss)
    found = elements(picture)
    assert numbers(found, 0) == ("0.5", "−0.08981")
    assert numbers(found, 13) == ("Lreg ≈ 0.06396", "1")
    copied = [
        "".join(lines(element))
        for id, element in elements(draw(loss, copies=True)).items()
        if re.fullmatch(r"n\d+-w0-gradient", id)
    ]
    assert sorted(copied) == ["0.05", "−0.1398"]
    letter, index = pieces(words(found["n13-value"])[0])[:2]
    assert (letter.text, index.text) == ("L", "reg")
    assert float(index.attrib["dy"]) > 0
    assert float(index.attrib["font-size"]) < 14
    straight = [line for id, line in of_class(picture, "line").items() if id.endswith("-out")]
    assert len(straight) == 14
    for line in straight:
        heights = [y for _, y in curve(line)]
        assert max(heights) - min(heights) < 1


# How it looks ---------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_nothing_overlaps(direction: str) -> None:
    """No box, gate or wire with its numbers covers another in the lecture's neuron."""
    shapes = of_class(draw(neuron("elementary"), direction=direction), "node")
    places = {id: corners(shape) for id, shape in shapes.items()}
    assert len(places) == 26
    for (a, one), (b, other) in itertools.combinations(places.items(), 2):
        assert are_apart(one, other), (a, b)
    for id, shape in shapes.items():
        left, top, right, bottom = corners(shape)
        if not id.endswith("-wire"):  # letters stand on a line below the middle
            assert all((top + bottom) / 2 < float(x.attrib["y"]) < bottom for x in words(shape))
        for other_id, other_shape in shapes.items():
            for word in words(other_shape) if other_id != id else []:
                x, y = float(word.attrib["x"]), float(word.attrib["y"])
                assert not (left < x < right and top < y < bottom), (id, other_id)


def test_lines_from_an_operand_of_two_gates_cross_no_others() -> None:
    """Of (b - a)·(c·b), where the gates need not stand in the order of the formula."""
    a, b, c = (Value(x, name) for x, name in zip((1.0, 2.0, 3.0), "abc", strict=True))
    lines = [curve(x) for x in of_class(draw((b - a) * (c * b)), "line").values()]
    ends = [(complex(*line[0]), complex(*line[-1])) for line in lines]

    def beside(line: tuple[complex, complex], at: complex) -> float:
        return ((line[1] - line[0]).conjugate() * (at - line[0])).imag

    for x, y in itertools.combinations(ends, 2):
        assert max(beside(p, q[0]) * beside(p, q[1]) for p, q in ((x, y), (y, x))) >= 0.0


def test_arrows_lead_from_operands_to_results() -> None:
    """The tip of a head is farther to the right than its two other corners, or lower down."""
    for direction, side in (("LR", 0), ("TB", 1)):
        picture = draw(lecture(), direction=direction)
        for line in of_class(picture, "line").values():
            for arrow in line.iter(f"{SVG}polygon"):
                tip, *others = (p[side] for p in points(arrow.attrib["points"]))
                assert tip > max(others)


def test_the_minuend_stands_above_the_subtrahend_though_its_operand_is_shared() -> None:
    """In xy - y the product arrives above y; in where(c, x, y) the order is kept too."""
    x, y = Value(2.0, "x"), Value(3.0, "y")
    for root in (x * y - y, ops.where(ops.gt(x, y), x, y)):
        found = of_class(draw(root), "line")
        last = max(int(id[1:].split("-")[0]) for id in found if "-w" in id)
        heads = [head(line)[1] for id, line in sorted(found.items()) if f"n{last}-w" in id]
        assert len(heads) >= 2
        assert heads == sorted(heads)


def test_leaves_that_the_same_gates_read_stand_in_their_order() -> None:
    """In two units that read x1 and x2, x1 comes first, and u11, u12, b1 as they were given.

    There is room for it, though one of them has a long name, also from top to bottom.
    """
    inputs = [Value(0.5, "x1"), Value(-1.0, "x2")]
    names = [[f"u{j}1", f"u{j}2", f"bias_of_hidden_unit_{j}"] for j in (1, 2)]
    weights = [[Parameter(0.9, name) for name in unit] for unit in names]
    units = [ops.tanh(ops.dot([u, v], inputs, b)) for u, v, b in weights]
    leaves = of_class(draw(units[0] * units[1]), "leaf").values()
    at = {lines(leaf)[0]: corners(leaf)[1] for leaf in leaves}
    for row in (["x1", "x2"], *names):
        assert [at[name] for name in row] == sorted(at[name] for name in row)
    shapes = of_class(draw(units[0] * units[1], direction="TB"), "node").values()
    places = map(corners, shapes)
    assert all(are_apart(one, other) for one, other in itertools.combinations(places, 2))


# Labels are text ------------------------------------------------------------------------------

HOSTILE = {
    "</script><img x=y>": "</script><img x=y>",
    "\"quoted\" & 'quoted'": "\"quoted\" & 'quoted'",
    "a|b {c} [d]": "a|b {c} [d]",
    r"\N \G \L \l \n \\ \ ": r"\N \G \L \l \n \\ \ ",
    "&lt; &eacute; &#65;": "&lt; &eacute; &#65;",
    "two\nlines": "two␊lines",
    "ünï 漢 😀 ∂": "ünï 漢 😀 ∂",
    "<!-- --> ]]> <?xml?>": "<!-- --> ]]> <?xml?>",
    "tab\t bell\a nul\0 del\x7f": "tab␉ bell␇ nul␀ del␡",
    "\ud800 \uffff": "\ufffd \ufffd",
}


def test_labels_appear_literally() -> None:
    """In boxes and above wires; control characters become signs, and no element is added."""
    leaves = elements(draw([Value(2.0, label) for label in HOSTILE]))
    picture = draw([labelled(Value(2.0) + 1.0, label) for label in HOSTILE])
    gates = elements(picture)
    for i, shown in enumerate(HOSTILE.values()):
        assert lines(leaves[f"n{i}"]) == [shown]
        assert lines(gates[f"n{2 * i + 1}-value"]) == [f"{shown} = 3"]
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(picture.svg()).iter()}
    assert tags == {"svg", "g", "title", "text", "tspan", "path", "polygon", "rect"}


def test_a_long_label_stands_whole_in_a_box_as_wide() -> None:
    """Of 40 characters, in the picture and in Mermaid."""
    label = "the_learning_rate_of_the_very_first_layer"
    drawn = draw(Parameter(2.0, label) * Value(3.0, "x"))
    box = elements(drawn)["n0"]
    assert lines(box) == [label]
    left, _, right, _ = corners(box)
    assert right - left > 6.0 * len(label)
    assert f'n0["{label.replace("_", "#95;")}"]' in drawn.mermaid


# Made for a page ------------------------------------------------------------------------------


def test_ids_are_those_that_the_documentation_gives() -> None:
    """Of every box, gate, wire, text and line, so that pages and scripts find them."""
    x = Value(3.0, "x")
    found = elements(draw(ops.maximum(x * x, 1.0)))
    shapes = {"n0", "n0-wire", "n0-value", "n0-gradient", "n0-fan"}
    shapes |= {"n1", "n1-wire", "n1-value", "n1-gradient"}
    shapes |= {"n2", "n2-c1", "n2-wire", "n2-value", "n2-gradient"}
    joins = {"n0-out", "n0-stem", "n1-w0", "n1-w1", "n1-out", "n2-w0", "n2-w1", "n2-out"}
    assert set(found) - {"graph0"} == shapes | joins


@pytest.mark.people
def test_an_svg_is_shown_in_a_page(open_blank: Any) -> None:
    """Set into a page, it shows its numbers, has titles for the pointer, and fits a narrow part."""
    page, svg = open_blank(viewport={"width": 900, "height": 600}), draw(lecture())._repr_svg_()
    assert svg.startswith("<svg ")
    page.set_content(f'<main style="width: 300px">{svg}</main>')
    assert page.get_by_role("img", name="Computation graph of f = −12: 5 nodes").is_visible()
    for text in ("q", "−12"):
        assert page.locator("svg text", has_text=text).first.is_visible()
    assert page.locator("svg").bounding_box()["width"] <= 300
    gradient = page.locator("[id='n3-gradient']")
    assert gradient.locator("title").text_content() == "gradient of z: 3.0"
    above, below = (page.locator(f"[id='n0-{x}']").bounding_box() for x in ("value", "gradient"))
    assert above["y"] + above["height"] <= below["y"] + 1


# Rows -----------------------------------------------------------------------------------------


def recurrence() -> Value:
    """Return the state after thirty steps of h = tanh(w·h + x)."""
    w, h = Parameter(0.5, "w"), Value(0.0, "h0")
    for t in range(30):
        h = (w * h + Value(0.1 * t, f"x{t}")).tanh()
    return h


def gated_cell() -> Value:
    """Return what a gated cell, which keeps two states, gives after six steps."""
    w = [Parameter(0.1 * i, f"w{i}") for i in range(4)]
    h, c = Value(0.0, "h0"), Value(0.0, "c0")
    for t in range(6):
        x = Value(0.2 * t, f"x{t}")
        keep, new = (w[0] * h + w[1] * x).sigmoid(), (w[2] * h + w[3] * x).tanh()
        c = keep * c + (1 - keep) * new
        h = c.tanh()
    return h


def errors() -> Value:
    """Return the sum of squared errors of ten samples, each of which is a chain to the sum's."""
    w, b = Parameter(0.5, "w"), Parameter(0.1, "b")
    total = Value(0.0, "start")
    for i in range(10):
        total = total + (w * Value(i, f"x{i}") + b - Value(2.0 * i, f"y{i}")) ** 2
    return total


def places(picture: Picture) -> dict[str, Corners]:
    """Return the corners of all boxes, gates, wires and dots by id."""
    return {id: corners(shape) for id, shape in of_class(picture, "node").items()}


def paths(picture: Picture) -> dict[str, list[Point]]:
    """Return the lines of a picture by id."""
    return {id: curve(line) for id, line in of_class(picture, "line").items()}


@pytest.mark.parametrize("add", [ops.mean, sum])
@pytest.mark.parametrize("count", [3, 10])
def test_errors_of_samples_stand_in_their_order(add: Callable[..., Value], count: int) -> None:
    """The first on top, whether a mean reads them all or a sum adds one after the other."""
    w, b = Value(0.5, "w"), Value(0.1, "b")
    errors = [(w * (1.0 + k) + b - 0.7 * k) ** 2 for k in range(count)]
    for k, error in enumerate(errors):
        error.label = f"error{k}"
    texts = [x for x in elements(draw(add(errors))).values() if "error" in "".join(x.itertext())]
    tops = [float(x[-1].get("y", "")) for x in texts if x.get("id", "").endswith("-value")]
    assert len(tops) == count
    assert tops == sorted(tops)


def test_a_long_chain_is_drawn_in_rows() -> None:
    """Sixty gates are less than a screen wide, in the order in which they compute."""
    y = Value(0.5, "x")
    for i in range(60):
        y = y.sin() if i % 2 else y + 0.1
    picture = draw(y)
    assert width(picture) < 1024
    shapes = places(picture)
    across = [shapes[f"n{i}"][0] for i in range(1, 61)]
    down = [shapes[f"n{i}"][1] for i in range(1, 61)]
    turns = [i for i, (before, behind) in enumerate(pairwise(across)) if behind < before]
    assert 5 <= len(turns) <= 15
    for i, (before, behind) in enumerate(pairwise(down)):
        assert (behind > before + 20) == (i in turns)


@pytest.mark.parametrize("make", [recurrence, gated_cell, errors])
def test_a_chain_with_inputs_on_its_side_is_drawn_in_rows(make: Callable[[], Value]) -> None:
    """It is less than two screens wide; nothing overlaps, and every line ends where it should.

    No line passes through a shape. Each comes from the wire that it reads, or from a box that names
    again what stands in another row, and ends at its gate.
    """
    root = make()
    root.backward()
    picture = draw(root)
    assert width(picture) < 1500
    shapes, found = places(picture), paths(picture)
    for (a, one), (b, other) in combinations(shapes.items(), 2):
        assert are_apart(one, other), (a, b)
    for id, path in found.items():
        for name, (left, top, right, bottom) in shapes.items():
            inside = [left + 2 < x < right - 2 and top + 2 < y < bottom - 2 for x, y in path]
            joined_here = any(is_near(end, shapes[name]) for end in (path[0], path[-1]))
            assert joined_here or not any(inside), (id, name)
    texts = {id: lines(shape) for id, shape in of_class(picture, "node").items()}
    graph = walk(root).graph
    names = [graph.names[node] for node in graph.order]
    joined = re.findall(r'\n\t+"?(n\d+[\w-]*)\S* -> .*?\bid="?n(\d+)-w(\d+)\b', picture.dot)
    assert len(joined) > 20
    for source, i, k in joined:
        operand = graph.order[int(i)].parents[int(k)]
        read = next(n for n, x in enumerate(graph.order) if x is operand)
        assert source in {f"n{read}-wire", f"n{read}-fan"} or texts[source] == [names[read]]
        path = found[f"n{i}-w{k}"]
        assert is_near(path[0], shapes[source]), source
        assert is_near(path[-1], shapes[f"n{i}"]), i


def is_near(point: Point, shape: Corners) -> bool:
    """Return whether a point is within a step of a shape."""
    (x, y), (left, top, right, bottom) = point, shape
    return left - 12 < x < right + 12 and top - 12 < y < bottom + 12


# Modules --------------------------------------------------------------------------------------


def test_units_and_inputs_of_a_network_stand_in_their_order() -> None:
    """Neuron 1 on top of its column, and x0 on top of x1; a layer is a column."""
    model = MLP(2, [4, 4, 1], rng=0)
    x = [Value(1.0, "x0"), Value(-1.0, "x1")]
    shapes = of_class(draw(model(x), model=model, depth=2), "node")
    boxes = [(lines(shape)[0], corners(shape)) for shape in shapes.values() if lines(shape)]
    units = [(said, left, top) for said, (left, top, _, _) in boxes if said.startswith("Neuron")]
    for column in (units[:4], units[4:8]):
        assert [said[:8] for said, _, _ in column] == [f"Neuron {k}" for k in range(1, 5)]
        assert len({left for _, left, _ in column}) == 1
        assert (tops := [top for _, _, top in column]) == sorted(tops)
    inputs = [top for said, (_, top, _, _) in boxes if said in {"x0", "x1"}]
    assert inputs == sorted(inputs)
