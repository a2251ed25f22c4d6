"""Parse pictures: an SVG by an XML parser, a Mermaid flowchart line by line."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field

from scalargrad import Parameter, Value, exp, ops
from scalargrad.show.graphs import Picture

SVG = "{http://www.w3.org/2000/svg}"
Element = ET.Element
Point = tuple[float, float]
Corners = tuple[float, float, float, float]


# Graphs ---------------------------------------------------------------------------------------


def lecture() -> Value:
    """Return f = (x + y)z at (-2, 5, -4), nodes 0 to 4, after backward."""
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
    """Return the lecture's regularised logistic loss, in which w, node 0, feeds two gates."""
    w, b, x, t = Parameter(0.5, "w"), Parameter(-0.25, "b"), Value(2.0, "x"), Value(1.0, "t")
    loss = (ops.sigmoid(w * x + b) - t) ** 2 / 2 + 0.1 * (w**2 / 2)
    loss.label = "L_reg"
    loss.backward()
    return loss


# Mermaid --------------------------------------------------------------------------------------

_SHAPE = re.compile(r'(\w+)(?:\["(.*)"\]|\(\("(.*)"\)\)|\(\["(.*)"\]\))(?::::(\w+))?')
_LINE = re.compile(r"(\w+) (-->|---|==>|===|-\.-) (\w+)")


@dataclass
class Flow:
    """A flowchart: the text and the kind of each shape, and the lines."""

    texts: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    lines: list[tuple[str, str, str]] = field(default_factory=list)

    def of(self, kind: str) -> list[str]:
        """Return the texts of the shapes of one kind, in order."""
        return [text for id, text in self.texts.items() if self.kinds[id] == kind]

    def collapsed(self) -> list[str]:
        """Return the titles of collapsed subgraphs."""
        return [text.split("\n")[0] for text in self.of("collapsed")]

    def arriving(self, id: str) -> list[str]:
        """Return the sources and arrows of the lines into a gate."""
        return [f"{source} {arrow}" for source, arrow, target in self.lines if target == id]


def flow(picture: Picture) -> Flow:
    """Return the flowchart of a picture, with decoded texts."""
    found = Flow()
    for row in map(str.strip, picture.mermaid.splitlines()):
        if line := _LINE.fullmatch(row):
            found.lines.append((line[1], line[2], line[3]))
        elif shape := _SHAPE.fullmatch(row):
            found.texts[shape[1]] = _decode(next(x for x in shape.groups()[1:4] if x is not None))
            found.kinds[shape[1]] = shape[5] or ""
    return found


def _decode(text: str) -> str:
    return re.sub("#([0-9]+);", lambda m: chr(int(m[1])), text.replace("<br/>", "\n"))


# SVG ------------------------------------------------------------------------------------------


def elements(picture: Picture) -> dict[str, Element]:
    """Return the elements of a picture's SVG by id."""
    return {e.attrib["id"]: e for e in ET.fromstring(picture.svg()).iter() if "id" in e.attrib}


def words(element: Element) -> list[Element]:
    """Return the texts under an element, in reading order."""
    found = element.iter(f"{SVG}text")
    return sorted(found, key=lambda e: (float(e.attrib["y"]), float(e.attrib["x"])))


def pieces(text: Element) -> list[Element]:
    """Return a text element and its spans."""
    return [text, *text.iter(f"{SVG}tspan")]


def lines(element: Element) -> list[str]:
    """Return the text under an element line by line."""
    return ["".join(text.itertext()).replace("\xa0", " ") for text in words(element)]


def title(element: Element) -> str | None:
    """Return the title of an element, which appears under the pointer."""
    return element.findtext(f"{SVG}title")


def points(text: str) -> list[Point]:
    """Return the points in a path or polygon."""
    numbers = [float(x) for x in re.findall(r"-?\d+\.?\d*", text)]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def corners(element: Element) -> Corners:
    """Return left, top, right and bottom of the shapes in an element."""
    found: list[Point] = []
    for shape in element.iter():
        if shape.tag == f"{SVG}rect":
            x, y, wide, high = (float(shape.attrib[k]) for k in ("x", "y", "width", "height"))
            found += [(x, y), (x + wide, y + high)]
        elif shape.tag in {f"{SVG}polygon", f"{SVG}path"}:
            found += points(shape.get("points") or shape.attrib["d"])
    xs, ys = zip(*found, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def of_class(picture: Picture, kind: str) -> dict[str, Element]:
    """Return the shapes ("node") or lines ("line") of an SVG by id."""
    found = elements(picture).items()
    return {id: group for id, group in found if kind in group.get("class", "").split()}


def curve(line: Element) -> list[Point]:
    """Return 25 points of each Bézier curve of a line, from its start to its end."""
    path = points(next(line.iter(f"{SVG}path")).attrib["d"])
    return list(_sample(path))


def _sample(path: list[Point]) -> Iterator[Point]:
    for i in range(0, len(path) - 1, 3):
        ends = path[i : i + 4]
        for t in (k / 24 for k in range(25)):
            weights = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t**3)
            x, y = (sum(w * p[side] for w, p in zip(weights, ends, strict=True)) for side in (0, 1))
            yield x, y


def head(line: Element) -> Corners:
    """Return the corners of the arrowhead of a line."""
    return corners(next(line.iter(f"{SVG}polygon")))


def are_apart(one: Corners, other: Corners, margin: float = 0.5) -> bool:
    """Return True if two rectangles do not overlap."""
    beside = one[2] <= other[0] + margin or other[2] <= one[0] + margin
    return beside or one[3] <= other[1] + margin or other[3] <= one[1] + margin


def width(picture: Picture) -> float:
    """Return the width of an SVG in points."""
    return float(ET.fromstring(picture.svg()).attrib["viewBox"].split()[2])
