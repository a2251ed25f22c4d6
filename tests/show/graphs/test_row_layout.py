"""Long chains in rows: as wide as a screen, nothing over anything else, every line whole."""

from __future__ import annotations

import functools
import operator
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from itertools import combinations, pairwise

import pytest

from scalargrad import Parameter, Value, draw, exp, ndtr
from scalargrad.graph import topological_order
from scalargrad.show.graphs import Picture
from scalargrad.show.graphs.builder import Builder, DrawnGraph
from scalargrad.show.graphs.chain_rows import rows
from scalargrad.show.graphs.diagram import GateShape

from .test_borders import SVG, Corners, Point, parts, points


def test_a_long_chain_is_drawn_in_rows() -> None:
    """Sixty gates are less than a screen wide, in the order in which they compute."""
    y = Value(0.5, "x")
    for i in range(60):
        y = y.sin() if i % 2 else y + 0.1
    picture = draw(y)
    width = float(re.search(r'width="(\d+)pt"', picture.svg())[1])  # type: ignore[index]
    assert width < 1000
    shapes = {
        group.get("id"): points(next(group.iter(f"{SVG}ellipse")).attrib["cx"] + ",0")[0][0]
        for group in ET.fromstring(picture.svg()).iter(f"{SVG}g")
        if re.fullmatch(r"n\d+", group.get("id", "")) and group.find(f"{SVG}ellipse") is not None
    }
    across = [shapes[f"n{i}"] for i in range(1, 61)]
    turns = sum(before > behind for before, behind in pairwise(across))
    assert turns == 9


def wide_sum() -> Value:
    """Return a squared error of twenty terms, each with its own gates."""
    w, b = Parameter(0.5, "w"), Parameter(0.1, "b")
    terms = [(w * (i / 10) + b - i * 0.05) ** 2 for i in range(20)]
    return functools.reduce(operator.add, terms) / 20


def recurrence() -> Value:
    """Return the state after thirty steps of h = tanh(w·h + x)."""
    w, h = Parameter(0.5, "w"), Value(0.0, "h0")
    for t in range(30):
        h = (w * h + Value(0.1 * t, f"x{t}")).tanh()
    return h


def likelihood() -> Value:
    """Return the negative log-likelihood of three numbers under a normal distribution."""
    mu, log_sigma = Parameter(0.2, "mu"), Parameter(-0.3, "log_sigma")
    numbers = [Value(x, f"x{i}") for i, x in enumerate((0.1, 0.9, -0.4))]
    terms = [((x - mu) / exp(log_sigma)) ** 2 / 2 + log_sigma for x in numbers]
    return functools.reduce(operator.add, terms) / 3


def logistic_map() -> Value:
    """Return x after six steps of x = r·x·(1 - x), in all of which r is read."""
    r, x = Value(3.2, "r"), Value(0.4, "x0")
    for _ in range(6):
        x = r * x * (1 - x)
    return x


def black_scholes() -> Value:
    """Return a call's price, in which σ is squared, and read three times more."""
    s, k, r, t = (Value(x, name) for x, name in [(1.0, "S"), (1.1, "K"), (0.03, "r"), (0.5, "T")])
    sigma = Value(0.2, "sigma")
    d1 = ((s / k).log() + (r + sigma**2 / 2) * t) / (sigma * t.sqrt())
    return s * ndtr(d1) - k * (-r * t).exp() * ndtr(d1 - sigma * t.sqrt())


@pytest.mark.parametrize("make", [logistic_map, recurrence, black_scholes])
def test_no_row_that_others_follow_is_next_to_empty(make: Callable[[], Value]) -> None:
    """A leaf that many gates read does not stand in a row of its own, nor with one gate."""
    root = make()
    diagram = Builder(DrawnGraph(topological_order(root))).build([root])
    row = rows(diagram.shapes, diagram.lines)
    gates = [row[shape.id] for shape in diagram.shapes if isinstance(shape, GateShape)]
    assert all(gates.count(i) >= 3 for i in range(max(row.values())))


def cell() -> Value:
    """Return what a gated cell, which keeps two states, gives after six steps."""
    w = [Parameter(0.1 * i, f"w{i}") for i in range(4)]
    h, c = Value(0.0, "h0"), Value(0.0, "c0")
    for t in range(6):
        x = Value(0.2 * t, f"x{t}")
        keep, new = (w[0] * h + w[1] * x).sigmoid(), (w[2] * h + w[3] * x).tanh()
        c = keep * c + (1 - keep) * new
        h = c.tanh()
    return h


def shapes(picture: Picture) -> dict[str, Corners]:
    """Return the corners of all boxes, gates and texts of wires by the id of their shape."""
    found = {}
    for group in ET.fromstring(picture.svg()).iter(f"{SVG}g"):
        if group.get("class") != "node":
            continue
        corners: list[Point] = []
        for shape in group.iter():
            if shape.tag == f"{SVG}ellipse":
                cx, cy, rx, ry = (float(shape.attrib[k]) for k in ("cx", "cy", "rx", "ry"))
                corners += [(cx - rx, cy - ry), (cx + rx, cy + ry)]
            elif shape.tag in {f"{SVG}polygon", f"{SVG}path"}:
                corners += points(shape.get("points") or shape.attrib["d"])
        xs, ys = zip(*corners, strict=True)
        found[group.get("id", "")] = min(xs), min(ys), max(xs), max(ys)
    return found


@pytest.mark.parametrize("make", [wide_sum, recurrence, cell])
def test_a_chain_with_inputs_on_its_side_is_drawn_in_rows(make: Callable[[], Value]) -> None:
    """It is less than two screens wide; no shapes overlap, and no line passes through one."""
    root = make()
    root.backward()
    picture = draw(root)
    assert float(re.search(r'width="(\d+)pt"', picture.svg())[1]) < 1200  # type: ignore[index]
    boxes, (_, lines) = shapes(picture), parts(picture)
    for (a, one), (b, other) in combinations(boxes.items(), 2):
        beside = one[2] <= other[0] + 0.5 or other[2] <= one[0] + 0.5
        assert beside or one[3] <= other[1] + 0.5 or other[3] <= one[1] + 0.5, (a, b)
    for id, path in lines.items():
        for name, (left, top, right, bottom) in boxes.items():
            inside = [left + 2 < x < right - 2 and top + 2 < y < bottom - 2 for x, y in path]
            assert not any(inside[8:-8]), (id, name)


@pytest.mark.parametrize("make", [wide_sum, recurrence, cell])
def test_every_line_of_a_chain_in_rows_reaches_its_shapes(make: Callable[[], Value]) -> None:
    """Also across rows: it begins and ends within a step of what its edge in DOT joins."""
    picture = draw(make())
    boxes, (_, lines) = shapes(picture), parts(picture)
    written = re.findall(r'\n\t(\S+) -> (\S+) \[.*?\bid="?([\w-]+)', picture.placed)
    ends = {
        id: [end.replace('"', "").split(":")[0] for end in (source, target)]
        for source, target, id in written
    }
    assert ends.keys() == lines.keys()
    for id, (source, target) in ends.items():
        for (x, y), shape in ((lines[id][0], source), (lines[id][-1], target)):
            left, top, right, bottom = boxes[shape]
            assert left - 12 < x < right + 12, (id, shape)
            assert top - 12 < y < bottom + 12, (id, shape)


def test_a_leaf_is_named_again_in_every_row() -> None:
    """Each gate that reads w in a later row has a box of w beside it, and w's own stays one."""
    boxes = shapes(draw(recurrence()))
    again = [id for id in boxes if re.fullmatch(r"n\d+-w0-again", id)]
    assert 15 < len(again) < 30
    assert "n0" in boxes


@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_a_wire_goes_straight_out_of_its_gate(direction: str) -> None:
    """No two of them cross there: a number would stand behind the gate of another."""
    _, lines = parts(draw(likelihood(), direction=direction))
    out = [line for id, line in lines.items() if id.endswith("-out")]
    assert len(out) > 20
    along, across = (0, 1) if direction == "LR" else (1, 0)
    for one, other in combinations(out, 2):
        if max(one[0][along], other[0][along]) < min(one[-1][along], other[-1][along]):
            begin, end = (one[i][across] - other[i][across] for i in (0, -1))
            assert begin * end > 0
