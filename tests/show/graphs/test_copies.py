"""draw(…, copies=True): fan-out as a copy gate whose wires carry contributions."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest

from scalargrad import Parameter, Value, ops
from scalargrad.errors import GraphTooLargeError
from scalargrad.graph import topological_order
from scalargrad.show.graphs import draw
from scalargrad.show.graphs.builder import Builder, DrawnGraph
from scalargrad.show.graphs.copies import copies_of
from scalargrad.show.graphs.diagram import GateShape, Junction, Wire
from scalargrad.show.graphs.scale import Scale

SVG = "{http://www.w3.org/2000/svg}"


def regularised() -> tuple[Value, Value]:
    """Return w and the lecture's regularised logistic loss, in which w feeds two gates."""
    w, b, x, t = Parameter(0.5, "w"), Parameter(-0.25, "b"), Value(2.0, "x"), Value(1.0, "t")
    loss = (ops.sigmoid(w * x + b) - t) ** 2 / 2 + 0.1 * (w**2 / 2)
    loss.backward()
    return w, loss


def gradient_texts(svg: str) -> dict[str, str]:
    """Return what stands below each wire, by the id of the text."""
    groups = {g.attrib["id"]: g for g in ET.fromstring(svg).iter(f"{SVG}g") if "id" in g.attrib}
    return {
        id: "".join(text.text or "" for text in group.iter(f"{SVG}text"))
        for id, group in groups.items()
        if id.endswith("-gradient")
    }


def test_regularised_loss_has_the_lectures_two_terms() -> None:
    """Through wx comes -0.1398, through w² 0.05; w's gradient is their sum, -0.08981."""
    w, loss = regularised()
    order = topological_order(loss)
    texts = gradient_texts(draw(loss, copies=True).svg())
    product, square = (order.index(node) for node in order if w in node.parents)
    assert texts[f"n{product}-w0-gradient"] == "−0.1398"
    assert texts[f"n{square}-w0-gradient"] == "0.05"
    assert texts["n0-gradient"] == "−0.08981"


def test_contributions_sum_to_the_gradient() -> None:
    """Of every node that fans out, the copies' contributions add up to its gradient."""
    x, y = Value(0.7, "x"), Value(-1.3, "y")
    u = ops.sin(x * y)
    root = u * u + ops.exp(x) / (u + y) + x * x * u
    root.backward()
    copies = copies_of(topological_order(root))
    for node in (x, y, u):
        terms = [copy.contribution for copy in copies.values() if copy.operand is node]
        assert len(terms) > 1
        assert sum(terms) == pytest.approx(node.grad, rel=1e-12)


def test_copy_gate_stands_where_the_dot_was() -> None:
    """Of x · x one copy gate reads x's wire, and two wires lead from it to the product."""
    x = Value(3.0, "x")
    order = topological_order(y := x * x)
    diagram = Builder(DrawnGraph(order), copies_of(order)).build([y])
    assert not any(isinstance(shape, Junction) for shape in diagram.shapes)
    gates = [shape.id for shape in diagram.shapes if isinstance(shape, GateShape) and shape.copies]
    assert gates == ["n0-fan"]
    joined = {(line.source, line.target) for line in diagram.lines}
    for wire in ("n1-w0-wire", "n1-w1-wire"):
        assert {("n0-fan", wire), (wire, "n1")} <= joined
    assert ("n0-wire", "n0-fan") in joined


def test_titles_give_the_exact_contribution() -> None:
    """The title of a contribution says whose gradient it is part of, in full."""
    x = Value(3.0, "x")
    order = topological_order(y := x * x)
    y.backward()
    shapes = Builder(DrawnGraph(order), copies_of(order)).build([y]).shapes
    titles = [s.gradient_title for s in shapes if isinstance(s, Wire)]
    assert titles.count("what v1 adds to the gradient of x: 3.0") == 2


def test_without_fan_out_nothing_changes() -> None:
    """A tree has no copies: the picture is the ordinary one."""
    f = (Value(1.0, "x") + Value(2.0, "y")) * Value(3.0, "z")
    assert draw(f, copies=True).dot == draw(f).dot


def test_mermaid_shows_the_copy_gate() -> None:
    """Mermaid has the gate, an arrow into it, and a line to each copy."""
    x = Value(3.0, "x")
    text = draw(x * x, copies=True).mermaid
    assert 'n0_fan(("copy")):::gate' in text
    assert "n0_wire --> n0_fan" in text
    assert "n0_fan --- n1_w1_wire" in text


def test_highlighted_path_goes_through_the_copy() -> None:
    """From w to the square, the copy gate and that copy's wire stand out, and not the other."""
    w, loss = regularised()
    order = topological_order(loss)
    product, square = (order.index(node) for node in order if w in node.parents)
    text = draw(loss, copies=True, highlight=[w, order[square]]).mermaid
    assert "style n0_fan fill:#ffe2a0" in text
    lines = [line.strip() for line in text.splitlines() if "-->" in line or "---" in line]
    lit = {lines[int(row.split()[1])] for row in text.splitlines() if "linkStyle" in row}
    assert f"n0_fan --- n{square}_w0_wire" in lit
    assert f"n0_fan --- n{product}_w0_wire" not in lit


@pytest.mark.parametrize(("color", "expected"), [("value", 3.0), ("gradient", -5.0)])
def test_copies_are_tinted_by_their_own_number(color: str, expected: float) -> None:
    """Of 2x - 5x the copies of x = 3 carry 2 and -5; the scale reaches to the larger."""
    x = Value(3.0, "x")
    y = x * 2.0 - x * 5.0
    y.backward()
    scale = Scale(color, 15.0 if color == "value" else 5.0)
    text = draw(y, copies=True, color=color).dot  # type: ignore[arg-type]
    row = next(line for line in text.splitlines() if line.startswith('\t"n2-w0-wire" ['))
    assert scale.colour(expected) in row


def test_copies_count_towards_the_limit() -> None:
    """Two nodes and two wires of copies with their gate are five nodes."""
    x = Value(3.0, "x")
    assert draw(x * x, limit=2).dot
    assert draw(x * x, copies=True, limit=5).dot
    with pytest.raises(GraphTooLargeError, match=r"5 nodes and 4 lines.*limit=5"):
        draw(x * x, copies=True, limit=4)


def test_copies_pass_the_leaves_beside_them() -> None:
    """Lines leave copy gates in a column before that of the weights, so they cross no box."""
    x = Value(2.0, "x")
    weights = [Parameter(float(i), f"w{i}") for i in range(4)]
    root: Value = ops.sum([ops.tanh(w * x) for w in weights])
    order = topological_order(root)
    svg = ET.fromstring(draw(root, copies=True).svg())
    groups = {g.attrib["id"]: g for g in svg.iter(f"{SVG}g") if g.get("class") == "node"}
    gate = next(groups[f"n{order.index(x)}-fan"].iter(f"{SVG}ellipse"))
    right = float(gate.attrib["cx"]) + float(gate.attrib["rx"])
    for w in weights:
        corners = next(groups[f"n{order.index(w)}"].iter(f"{SVG}polygon")).attrib["points"]
        assert right < min(float(point.split(",")[0]) for point in corners.split())
