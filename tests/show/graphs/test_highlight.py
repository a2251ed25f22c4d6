"""What draw(…, highlight=…) makes stand out."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from typing import Any

import pytest

from scalargrad import Parameter, Value, walk
from scalargrad.errors import GraphError, OperandError
from scalargrad.graph import topological_order
from scalargrad.show.graphs import draw
from scalargrad.show.graphs.inks import HALO
from scalargrad.show.graphs.looks import Highlight, highlighted_ids

SVG = "{http://www.w3.org/2000/svg}"


def lecture() -> tuple[Value, ...]:
    """Return x, y, q, z and f of f = (x + y)z, nodes 0 to 4."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    f = q * z
    f.backward()
    return x, y, q, z, f


def bold(root: Value, highlight: Highlight) -> set[str]:
    """Return the ids of shapes and lines that the SVG draws with the halo's colour or fill."""
    svg = ET.fromstring(draw(root, highlight=highlight).svg())
    groups = [g for g in svg.iter(f"{SVG}g") if g.get("class") in {"node", "edge"}]
    haloed = {HALO.lower(), "#ffe2a0"}
    return {
        g.attrib["id"]
        for g in groups
        if any(haloed & {e.get("stroke", ""), e.get("fill", "")} for e in g.iter())
    }


def test_one_value_stands_out_with_its_wire() -> None:
    """Of (x + y)z with q highlighted, q's gate, wire and the line between are haloed alone."""
    _, _, q, _, f = lecture()
    assert bold(f, q) == {"n2", "n2-out", "n2-wire"}


def test_path_includes_the_lines_between_its_values() -> None:
    """A path x, q, f has the lines from x to q and from q to f, and not those of y and z."""
    x, _, q, _, f = lecture()
    nodes = {f"n{i}{part}" for i in (0, 2, 4) for part in ("", "-out", "-wire")}
    assert bold(f, [x, q, f]) == nodes | {"n2-w0", "n4-w0"}


def test_backward_step_highlights_the_wire_it_travels() -> None:
    """The step f → z of the walk lights the line by which f reads z, the gate and z's own line."""
    *_, f = lecture()
    step = next(s for s in walk(f) if s.phase == "backward")
    assert bold(f, step) == {"n4", "n4-w1", "n3-out", "n3-wire"}


def test_seed_highlights_the_root_and_inputs_all_leaves() -> None:
    """The first step lights the three leaves, the seed the root alone."""
    *_, f = lecture()
    steps = list(walk(f))
    seed = next(s for s in steps if s.phase == "seed")
    assert {"n0", "n1", "n3"} == {id for id in bold(f, steps[0]) if "-" not in id}
    assert bold(f, seed) == {"n4", "n4-out", "n4-wire"}


def test_step_tells_two_wires_to_one_node_apart() -> None:
    """Each backward step of x · x lights one of its two lines."""
    x = Value(3.0, "x")
    y = x * x
    steps = [s for s in walk(y) if s.phase == "backward"]
    lines = [{id for id in bold(y, step) if "-w" in id and id != "n0-wire"} for step in steps]
    assert sorted(map(sorted, lines)) == [["n1-w0"], ["n1-w1"]]


@dataclass
class Travel:
    """The least that counts as a step."""

    node: Value | None
    parent: Value | None


def test_step_without_operand_lights_every_line_to_its_parent() -> None:
    """What has a node and a parent is a step; of x · x it lights both lines."""
    x = Value(3.0, "x")
    ids = highlighted_ids(topological_order(y := x * x), Travel(y, x))
    assert {"n1-w0", "n1-w1", "n0-stem", "n0-fan"} <= ids


def test_foreign_value_is_named() -> None:
    """A Value that is not drawn is refused by name, alone or in a step."""
    *_, f = lecture()
    stranger = Parameter(7.0, "stranger")
    for highlight in (stranger, [f, stranger], Travel(f, stranger)):
        with pytest.raises(GraphError, match="highlight: stranger = 7 is not in the graph"):
            draw(f, highlight=highlight)


def test_step_that_travels_no_wire_is_refused() -> None:
    """A step from f to x, which f does not read, has no line to light."""
    x, *_, f = lecture()
    with pytest.raises(GraphError, match="does not read x = -2"):
        draw(f, highlight=Travel(f, x))


@pytest.mark.parametrize("highlight", [3.0, "x", [1.0]])
def test_anything_else_is_refused(highlight: Any) -> None:
    """Numbers and names cannot be highlighted; the message shows them."""
    with pytest.raises(OperandError, match="give a Value of the graph, several, or a step"):
        draw(Value(1.0), highlight=highlight)


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_highlight_changes_no_text_and_keeps_inputs_dashed(direction: str) -> None:
    """Everything remains readable: the words are the same, and a bold input is still dashed."""
    x, *_, f = lecture()
    plain = draw(f, direction=direction)
    lit = draw(f, direction=direction, highlight=[x, f])
    said = [
        sorted(e.text or "" for e in ET.fromstring(p.svg()).iter(f"{SVG}text"))
        for p in (plain, lit)
    ]
    assert said[0] == said[1]
    assert 'style="dashed,filled"' in lit.dot


def test_nothing_highlighted_is_the_ordinary_picture() -> None:
    """None and an empty list give the same DOT as no highlight at all."""
    *_, f = lecture()
    assert draw(f).dot == draw(f, highlight=None).dot == draw(f, highlight=[]).dot


def test_mermaid_styles_the_highlighted_line_by_its_index() -> None:
    """Mermaid numbers lines as they are written: x to q is the third."""
    x, _, q, _, f = lecture()
    text = draw(f, highlight=[x, q]).mermaid
    lines = [line for line in text.splitlines() if "-->" in line or "---" in line]
    index = lines.index("    n0_wire --> n2")
    assert f"linkStyle {index} stroke" in text
    assert "style n2 fill" in text
    assert "style n4 fill" not in text
