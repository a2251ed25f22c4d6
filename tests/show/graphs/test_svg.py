"""The SVG, read back with an XML parser."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scalargrad import Parameter, Value, custom_op, exp, ops
from scalargrad.graph import names, topological_order
from scalargrad.show.aliases import aliases, is_long
from scalargrad.show.characters import visible
from scalargrad.show.graphs import Picture, draw
from scalargrad.table.printing import script_parts

SVG = "{http://www.w3.org/2000/svg}"
Element = ET.Element


def elements(picture: Picture) -> dict[str, Element]:
    """Return the elements of a picture by id."""
    return {e.attrib["id"]: e for e in ET.fromstring(picture.svg()).iter() if "id" in e.attrib}


def words(element: Element) -> list[Element]:
    """Return the pieces of text under an element, in reading order."""
    found = element.iter(f"{SVG}text")
    return sorted(found, key=lambda e: (float(e.attrib["y"]), float(e.attrib["x"])))


def lines(element: Element) -> list[str]:
    """Return the text under an element line by line, without blank lines.

    Graphviz writes the second of two spaces as a no-break space, which looks the same.
    """
    rows: dict[str, str] = {}
    for word in words(element):
        y = word.attrib["y"]
        rows[y] = rows.get(y, "") + (word.text or "")
    return [row.replace("\xa0", " ") for row in rows.values() if row.strip()]


def title(element: Element) -> str | None:
    """Return what is shown when the pointer rests on an element."""
    return element.findtext(f"{SVG}title")


def box(element: Element) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a box or gate."""
    ellipse = element.find(f"{SVG}ellipse")
    if ellipse is not None:
        cx, cy, rx, ry = (float(ellipse.attrib[name]) for name in ("cx", "cy", "rx", "ry"))
        return cx - rx, cy - ry, cx + rx, cy + ry
    return span(next(element.iter(f"{SVG}polygon")))


def span(polygon: Element) -> tuple[float, float, float, float]:
    """Return left, top, right and bottom of a polygon."""
    points = [tuple(map(float, p.split(","))) for p in polygon.attrib["points"].split()]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)


def path_ends(line: Element) -> tuple[float, float]:
    """Return where a line begins and ends, from left to right."""
    path = next(line.iter(f"{SVG}path"))
    xs = [float(x) for x in re.findall(r"(-?[\d.]+),", path.attrib["d"])]
    return xs[0], xs[-1]


def lecture() -> Value:
    """Return f = (x + y)z at (-2, 5, -4), after backward."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    f.backward()
    return f


def neuron(activation: str) -> Value:
    """Return the lecture's sigmoid neuron, from elementary gates or with one sigmoid gate."""
    w = [Parameter(data, f"w{i}") for i, data in enumerate((2.0, -3.0, -3.0))]
    x = [Value(data, f"x{i}") for i, data in enumerate((-1.0, -2.0))]
    total = w[0] * x[0] + w[1] * x[1] + w[2]
    f = ops.sigmoid(total) if activation == "sigmoid" else 1 / (1 + exp(total * -1))
    f.label = "f"
    f.backward()
    return f


def regularised() -> Value:
    """Return the lecture's regularised logistic loss, whose weight feeds two gates."""
    w, b, x, t = Parameter(0.5, "w"), Parameter(-0.25, "b"), Value(2.0, "x"), Value(1.0, "t")
    loss = (ops.sigmoid(w * x + b) - t) ** 2 / 2 + 0.1 * (w**2 / 2)
    loss.label = "L_reg"
    loss.backward()
    return loss


def numbers(found: dict[str, Element], i: int) -> tuple[str, str]:
    """Return what stands above and below the wire of node i."""
    return lines(found[f"n{i}-value"])[0], lines(found[f"n{i}-gradient"])[0]


# The lecture's graphs -------------------------------------------------------------------------


def test_lecture_graph_has_its_numbers() -> None:
    """The wires carry q = 3, f = -12 and the gradients -4, -4, -4, 3 and 1."""
    found = elements(draw(lecture()))
    assert [numbers(found, i) for i in range(5)] == [
        ("−2", "−4"),
        ("5", "−4"),
        ("q = 3", "−4"),
        ("−4", "3"),
        ("f = −12", "1"),
    ]
    assert [lines(found[f"n{i}"]) for i in range(5)] == [["x"], ["y"], ["+"], ["z"], ["×"]]


def test_neuron_from_elementary_gates() -> None:
    """The neuron 1/(1 + e^-(w·x)) has the lecture's gates, value and gradients."""
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


def test_neuron_with_one_sigmoid_gate() -> None:
    """The graph is not unique: one sigmoid gate gives the same value and gradients."""
    found = elements(draw(neuron("sigmoid")))
    assert lines(found["n9"]) == ["σ"]
    assert numbers(found, 9) == ("f ≈ 0.7311", "1")
    assert numbers(found, 0) == ("2", "−0.1966")


def test_weight_that_feeds_two_gates_shows_its_total_gradient() -> None:
    """The regularised loss is 0.06396 and the gradients of w's two uses add up to -0.08981."""
    found = elements(draw(regularised()))
    assert numbers(found, 0) == ("0.5", "−0.08981")
    assert numbers(found, 13) == ("Lreg ≈ 0.06396", "1")  # the index stands lower
    assert "n0-fan" in found


def test_an_index_stands_lower_than_its_letter() -> None:
    """In every viewer: by `dy`, because browsers ignore `baseline-shift` on a whole text."""
    svg = draw(regularised()).svg()
    assert "baseline-shift" not in svg
    letter, index = words(elements(draw(regularised()))["n13-value"])[:2]
    assert (letter.text, index.text) == ("L", "reg")
    assert float(index.attrib["dy"]) > 0
    assert float(index.attrib["font-size"]) < float(letter.attrib["font-size"])


def test_a_long_label_has_an_alias_and_a_legend() -> None:
    """Of 40 characters: initials in the box, and what they stand for below the picture."""
    label = "the_learning_rate_of_the_very_first_layer"
    drawn = draw(Parameter(2.0, label) * Value(3.0, "x"))
    assert lines(elements(drawn)["n0"]) == ["tlrotv"]
    assert f"tlrotv: {label}" in "".join(ET.fromstring(drawn.svg()).itertext())
    assert 'n0["tlrotv"]' in drawn.mermaid
    assert 'legend["tlrotv' in drawn.mermaid


# How it looks ---------------------------------------------------------------------------------


def test_value_stands_upright_above_and_gradient_italic_below() -> None:
    """Position and slant tell value from gradient, so that colour is never needed."""
    found = elements(draw(lecture()))
    value, gradient = words(found["n0-value"])[0], words(found["n0-gradient"])[0]
    assert float(value.attrib["y"]) < float(gradient.attrib["y"])
    assert "font-style" not in value.attrib
    assert gradient.attrib["font-style"] == "italic"
    assert (value.attrib["fill"], gradient.attrib["fill"]) == ("#0b5cad", "#b34700")


def test_from_top_to_bottom_the_value_stands_left() -> None:
    """In a picture that runs downwards, value and gradient stand beside their wire."""
    found = elements(draw(lecture(), direction="TB"))
    value, gradient = words(found["n0-value"])[0], words(found["n0-gradient"])[0]
    assert float(value.attrib["x"]) < float(gradient.attrib["x"])
    assert box(found["n0"])[3] < box(found["n2"])[1]


def test_leaves_are_told_apart_without_colour() -> None:
    """Parameters have a thick solid outline, inputs a dashed one, constants a grey field."""
    found = elements(draw(ops.maximum(Parameter(1.0), Value(2.0), 0.0)))
    parameter, leaf, constant = (
        next(found[id].iter(f"{SVG}polygon")) for id in ("n0", "n1", "n2-c2")
    )
    assert float(parameter.attrib["stroke-width"]) > 1
    assert "stroke-dasharray" not in parameter.attrib
    assert "stroke-dasharray" in leaf.attrib
    assert constant.attrib["fill"] == constant.attrib["stroke"] == "#e6e6e6"


@pytest.mark.parametrize("activation", ["elementary", "sigmoid"])
def test_operands_arrive_in_order(activation: str) -> None:
    """The leaves of the neuron stand in the order of the formula, from the top."""
    found = elements(draw(neuron(activation)))
    tops = [box(found[id])[1] for id in ("n0", "n1", "n3", "n4")]  # w0, x0, w1, x1
    assert tops == sorted(tops)


def test_minuend_stands_above_subtrahend_though_its_operand_is_shared() -> None:
    """In xy - y the product arrives above y."""
    x, y = Value(2.0, "x"), Value(3.0, "y")
    found = elements(draw(x * y - y))
    heads = [next(found[id].iter(f"{SVG}polygon")) for id in ("n3-w0", "n3-w1")]
    assert span(heads[0])[1] < span(heads[1])[1]


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_shapes_do_not_overlap(direction: str) -> None:
    """No box or gate of the neuron touches another, nor a number."""
    found = elements(draw(neuron("elementary"), direction=direction))
    shapes = [box(found[f"n{i}"]) for i in range(13)]
    for i, (left, top, right, bottom) in enumerate(shapes):
        for other in shapes[i + 1 :]:
            apart = right < other[0] or other[2] < left or bottom < other[1] or other[3] < top
            assert apart
        for wire in (found[f"n{j}-wire"] for j in range(13)):
            for word in words(wire):
                x, y = float(word.attrib["x"]), float(word.attrib["y"])
                assert not (left < x < right and top < y < bottom)


def test_wire_runs_on_without_a_gap() -> None:
    """A line, the inked part of the wire and the next line meet end to end."""
    found = elements(draw(Value(2.0, "x").tanh()))
    inked = [span(polygon) for polygon in found["n0-wire"].iter(f"{SVG}polygon")]
    out, into = (path_ends(found[id]) for id in ("n0-out", "n1-w0"))
    assert out[1] >= min(left for left, _, _, _ in inked)
    assert into[0] <= max(right for _, _, right, _ in inked)


def test_chains_run_straight() -> None:
    """Every gate stands on the line of its wire, and so does a gate with one operand."""
    found = elements(draw(regularised()))
    stubs = [id for id in found if id.endswith("-out")]
    for id in [*stubs, "n5-w0", "n8-w0", "n9-w0", "n11-w0", "n12-w1"]:
        path = next(found[id].iter(f"{SVG}path"))
        heights = [float(y) for y in re.findall(r",(-?[\d.]+)", path.attrib["d"])]
        assert max(heights) - min(heights) < 1


def test_two_lines_to_one_gate_part() -> None:
    """The lines of x · x are longer than their heads, and the heads do not cover each other."""
    x = Value(3.0, "x")
    found = elements(draw(x * x))
    heads = [next(found[id].iter(f"{SVG}polygon")) for id in ("n1-w0", "n1-w1")]
    (_, _, _, bottom), (_, top, _, _) = sorted(map(span, heads), key=lambda head: head[1])
    assert bottom < top
    start, end = path_ends(found["n1-w0"])
    left, _, right, _ = span(heads[0])
    assert end - start > 2 * (right - left)


def test_gate_of_many_operands_gets_room() -> None:
    """The lines of a neuron with 33 operands have far more room to meet than those of a sum."""

    def room(operands: int) -> float:
        found = elements(draw(ops.sum([Value(float(i)) for i in range(operands)])))
        gate = f"n{operands}"
        return box(found[gate])[0] - path_ends(found[f"{gate}-w0"])[0]

    assert room(33) > 3 * room(2)


# Labels are text ------------------------------------------------------------------------------

HOSTILE = [
    "</script><img x=y>",
    "<b>x</b>",
    "\"quoted\" & 'quoted'",
    "a|b {c} [d]",
    r"\N \G \L \l \n \\ \ ",
    "&lt; &eacute; &#65;",
    "two\nlines",
    "ünï 漢 😀 ∂",
    "<!-- --> ]]> <?xml?>",
    "a  b",
    "n0",
    "%s %3",
    "tab\t bell\a nul\0",
]


@pytest.mark.parametrize("label", HOSTILE)
def test_label_appears_literally(label: str) -> None:
    """A label is shown as it is, in a leaf's box and above a wire, and adds no element."""
    leaf = Value(2.0, label)
    root = leaf + Value(3.0, "plain")
    root.label = label
    picture = draw(root)
    found = elements(picture)
    assert lines(found["n0"]) == visible(label).split("\n")
    assert lines(found["n2-value"]) == f"{visible(label)} = 5".split("\n")
    tags = {element.tag.removeprefix(SVG) for element in ET.fromstring(picture.svg()).iter()}
    assert tags == {"svg", "g", "title", "text", "path", "polygon", "ellipse"}


@pytest.mark.parametrize("symbol", ["<b>&amp;|", r"\N {x}"])
def test_symbol_of_a_custom_operation_appears_literally(symbol: str) -> None:
    """What a user calls an operation is text, too."""

    @custom_op(partials=lambda y, x: (1.0,), symbol=symbol)
    def named(x: float) -> float:
        return x

    found = elements(draw(named(Value(1.0))))
    assert lines(found["n1"]) == [symbol]


@settings(max_examples=20)
@given(st.lists(st.text(min_size=1), min_size=1, max_size=20))
@example(["0" * 22, "0" * 22])  # an alias of a word that is a long number, and a second one
def test_any_label_appears_literally(labels: list[str]) -> None:
    """Whatever the characters, the lines of the box are those of the label, or of its alias."""
    leaves = [Value(1.0, label) for label in labels]
    root = ops.sum(leaves)
    short, _ = aliases({x: visible(name) for x, name in names(topological_order(root)).items()})
    found = elements(draw(root))
    for i, leaf in enumerate(leaves):
        label = visible(leaf.label)
        known = short[leaf] if is_long(label) else label
        parts = script_parts(known)
        name = f"{parts[0]}{parts[2]}{parts[1]}" if parts else known
        shown = name.replace("\xa0", " ").split("\n")
        assert lines(found[f"n{i}"]) == [line for line in shown if line.strip()]


STREET = (
    "the average number of rooms of all houses in the same street, without bathrooms and kitchens, "
    "as counted_in_the_census_of_2021"
)


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_narrow_picture_is_no_wider_for_what_stands_below_it(direction: str) -> None:
    """A legend of 130 letters takes three lines, broken between words, with nothing left out."""
    x = Value(1000.0, STREET)
    picture = draw(ops.exp(x * 1.0), direction=direction)
    said = lines(elements(picture)["graph0"])
    start = next(i for i, line in enumerate(said) if line.startswith("tanoro: the"))
    end = next(i for i, line in enumerate(said) if line.endswith("2021"))
    assert end == start + 2
    assert " ".join(said[start : end + 1]).replace("_ ", "_") == f"tanoro: {STREET}"
    assert max(map(len, said)) <= 64
    width = ET.fromstring(picture.svg()).attrib["viewBox"].split()[2]
    assert float(width) < 480


# Made for a page ------------------------------------------------------------------------------


def test_ids_are_stable() -> None:
    """Every shape and line has the id the documentation gives it."""
    x = Value(3.0, "x")
    found = elements(draw(ops.maximum(x * x, 1.0)))
    shapes = {"n0", "n0-wire", "n0-value", "n0-gradient", "n0-fan"}
    shapes |= {"n1", "n1-wire", "n1-value", "n1-gradient"}
    shapes |= {"n2", "n2-c1", "n2-wire", "n2-value", "n2-gradient"}
    joins = {"n0-out", "n0-stem", "n1-w0", "n1-w1", "n1-out", "n2-w0", "n2-w1", "n2-out"}
    assert set(found) - {"graph0"} == shapes | joins


def test_titles_tell_what_rounding_hides() -> None:
    """Resting on a shape shows exact numbers and local gradients, not Graphviz's names."""
    found = elements(draw(neuron("sigmoid")))
    assert title(found["n0"]) == "parameter w0 = 2"
    assert title(found["n9-value"]) == "value of f: 0.7310585786300049"
    gradient = re.fullmatch(r"gradient of w0: (.*)", title(found["n0-gradient"]) or "")
    assert gradient is not None
    assert float(gradient[1].replace("−", "-")) == pytest.approx(-0.19661193324148188, rel=1e-12)
    assert title(found["n2-w0"]) == "∂v1/∂w0 = −1.0"
    assert title(found["n0-out"]) is None
    assert title(found["graph0"]) is None


def test_svg_can_be_set_into_a_page() -> None:
    """The text is one <svg> element with a spoken description, and no declaration before it."""
    svg = draw(lecture()).svg()
    root = ET.fromstring(svg)
    assert svg.startswith("<svg ")
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == "Computation graph of f = −12: 5 nodes"
    assert "<!--" not in svg
