"""Lines and frames: a line passes a border once, and none where it has no business."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from scalargrad import Value, draw
from scalargrad.experiments.gpt import Block
from scalargrad.nn import MLP
from scalargrad.show.graphs import Picture
from scalargrad.show.graphs.diagram import Border, Diagram, Folded, Line, Shape
from scalargrad.show.graphs.edges import Edges

SVG = "{http://www.w3.org/2000/svg}"
Point = tuple[float, float]
Corners = tuple[float, float, float, float]


def points(written: str) -> list[Point]:
    """Return the points in a path or polygon."""
    numbers = [float(x) for x in re.findall(r"-?\d+\.?\d*", written)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def sampled(curve: list[Point]) -> Iterator[Point]:
    """Yield 25 points of each piece of a Bézier curve."""
    for i in range(0, len(curve) - 1, 3):
        a, b, c, d = curve[i : i + 4]
        for t in (k / 24 for k in range(25)):
            weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3)
            x, y = (
                sum(w * p[side] for w, p in zip(weights, (a, b, c, d), strict=True))
                for side in (0, 1)
            )
            yield x, y


def parts(picture: Picture) -> tuple[dict[str, Corners], dict[str, list[Point]]]:
    """Return the frames and the lines of a picture by id; stretches of a line make one."""
    frames: dict[str, Corners] = {}
    stretches: dict[str, list[Point]] = {}
    for group in ET.fromstring(picture.svg()).iter(f"{SVG}g"):
        id = group.get("id", "")
        if group.get("class") == "cluster":
            shape = next(x for x in group if x.tag in {f"{SVG}polygon", f"{SVG}path"})
            xs, ys = zip(*points(shape.get("points") or shape.attrib["d"]), strict=True)
            frames[id] = min(xs), min(ys), max(xs), max(ys)
        elif group.get("class") == "edge":
            path = next(group.iter(f"{SVG}path")).attrib["d"]
            stretches[id] = list(sampled(points(path)))
    lines: dict[str, list[Point]] = {}
    for id in sorted(stretches, key=lambda own: (own.partition("-to")[0], "-to" not in own, own)):
        lines.setdefault(id.partition("-to")[0], []).extend(stretches[id])
    return frames, lines


def passings(path: list[Point], frame: Corners) -> tuple[bool, bool, int]:
    """Return whether a line begins and ends in a frame, and how often it passes the border."""
    left, top, right, bottom = frame
    inside = [left < x < right and top < y < bottom for x, y in path]
    return inside[0], inside[-1], sum(a != b for a, b in pairwise(inside))


def block() -> tuple[Any, list[Value]]:
    """Return a block of a transformer and its four numbers at each of two positions."""
    model = Block(4, 2, rng=0)
    positions = [[Value(0.1 * i - 0.3 * t, f"x{t}{i}") for i in range(4)] for t in range(2)]
    return model, [value for vector in model(positions) for value in vector]


def perceptron() -> tuple[Any, list[Value]]:
    """Return a network of two hidden layers and its answer."""
    model = MLP(3, [4, 4, 1], rng=0)
    return model, [model([Value(1.0, "a"), Value(-1.0, "b"), Value(0.5, "c")])]


@pytest.mark.parametrize("depth", [1, pytest.param(2, marks=pytest.mark.long)])
@pytest.mark.parametrize("make", [block, perceptron])
def test_every_line_stays_in_its_frames(make: Any, depth: int) -> None:
    """It passes a border once if one of its ends is inside, and never if both or neither are."""
    model, roots = make()
    frames, lines = parts(draw(roots, model=model, depth=depth))
    assert frames
    for id, path in lines.items():
        for name, frame in frames.items():
            begins, ends, passed = passings(path, frame)
            assert passed == (begins != ends), (id, name)


def test_a_thick_line_at_a_border_leaves_other_lines_as_they_are() -> None:
    """Lines to the border of a frame share their style; one of them once made all others thick."""
    shapes: list[Shape] = [Border("b", out=True), Border("c", out=True), Folded("f", "f", (), "")]
    lines = [Line("f-b", "f", "b", thick=True), Line("f-c", "f", "c")]
    edges = Edges(Diagram("t", shapes, lines), "LR")
    styles = [edges.style(line) for line in lines]
    assert "penwidth" in styles[0]
    assert "penwidth" not in styles[1]
