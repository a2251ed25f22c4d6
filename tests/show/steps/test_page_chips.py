"""The product on a wire covers no active wire and no node, at any step of ten pages."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, Value, mean, softmax, square, tanh
from scalargrad import sum as add_up
from scalargrad.nn import MLP, Linear
from scalargrad.show.steps import Walk, walk

from .graphs import lecture, neuron, regularised, routing
from .stepping import at_every_step

# Every step in each view: where a product lies over an active wire, a node's shape, a number on a
# wire or another product.
COVERED = """() => {
  const $ = (id) => document.getElementById(id);
  const found = [];
  let seen = 0;
  const boxOf = (shape) => {
    const { x, y, width, height } = shape.getBoundingClientRect();
    return { left: x, top: y, right: x + width, bottom: y + height };
  };
  const meets = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
  const known = new Map(); // finding the points along a path takes most of the time
  const along = (path) => {
    const d = path.getAttribute("d");
    if (!known.has(d)) {
      const length = path.getTotalLength();
      known.set(d, Array.from({ length: Math.floor(length / 2) + 1 },
        (_, i) => path.getPointAtLength(2 * i)));
    }
    return known.get(d);
  };
  const look = (where) => {
    const lines = [...document.querySelectorAll("#underlay path.back")].map((path) => {
      const { a, b, c, d, e, f } = path.getScreenCTM();
      return along(path).map(({ x, y }) => [a * x + c * y + e, b * x + d * y + f]);
    });
    const chips = [...document.querySelectorAll("#graph .chip .paper")].map(boxOf);
    const isShown = (text) => text.textContent.trim()
      && text.checkVisibility({ visibilityProperty: true, opacityProperty: true });
    if (!chips.length) return;
    const numbers = [...document.querySelectorAll("#graph .wire text")].filter(isShown)
      .map((text) => [text.textContent, boxOf(text)]);
    const nodes = [...document.querySelectorAll("#graph .node > rect:not(.hit)")]
      .map((node) => [node.parentNode.id, boxOf(node)]);
    for (const [i, box] of chips.entries()) {
      seen += 1;
      if (chips.slice(0, i).some((other) => meets(box, other))) {
        found.push(`${where}: another product`);
      }
      for (const [text, room] of numbers) {
        if (meets(box, room)) found.push(`${where}: number ${text}`);
      }
      for (const line of lines) {
        if (line.some(([x, y]) => x > box.left && x < box.right && y > box.top && y < box.bottom)) {
          found.push(`${where}: wire`);
        }
      }
      for (const [id, room] of nodes) {
        if (meets(box, room)) found.push(`${where}: ${id}`);
      }
    }
  };
  for (const view of ["wire", "gate"]) {
    document.querySelector(`[name=view][value=${view}]`).click();
    $("first").click();
    for (let k = 1; ; k += 1) {
      look(`${view} ${k}`);
      if ($("next").getAttribute("aria-disabled") === "true") break;
      $("next").click();
    }
  }
  return [seen > 3 && known.size > 0, found];
}"""


def values(count: int) -> list[Value]:
    """Return inputs x0, x1, … in a list."""
    return [Value(0.3 * i - 0.4, f"x{i}") for i in range(count)]


def polynomial() -> Walk:
    """Walk through a cubic by Horner's rule, in which x fans out."""
    x = Value(0.7, "x")
    c = [Parameter(0.5 * i - 1.0, f"c{i}") for i in range(4)]
    return walk(((c[3] * x + c[2]) * x + c[1]) * x + c[0])


def cross_entropy() -> Walk:
    """Walk through the cross-entropy of three logits."""
    return walk(-softmax(values(3))[1].log())


def attention() -> Walk:
    """Walk through attention of one query over three keys of two numbers: nodes stand close."""
    q = [Value(1.0, "q1"), Value(0.5, "q2")]
    rows = [(0.3, -1.0), (1.2, 0.7), (0.0, 2.0)]
    keys = [[Value(x, f"k{i}{j}") for j, x in enumerate(row)] for i, row in enumerate(rows)]
    values = [Value(x, f"v{i}") for i, x in enumerate([1.0, 2.0, -1.0])]
    scores = [(q[0] * k[0] + q[1] * k[1]) / math.sqrt(2) for k in keys]
    return walk(add_up([w * v for w, v in zip(softmax(scores), values, strict=True)]))


def least_squares() -> Walk:
    """Walk through the mean of three squared errors of a line."""
    w, b = Parameter(0.5, "w"), Parameter(0.1, "b")
    return walk(mean([square(w * x + b - 1.0) for x in values(3)]))


def network() -> Walk:
    """Walk through a network of three hidden units, drawn whole."""
    return walk(square(MLP(2, [3, 1], activation="tanh", rng=0)(values(2)) - 1.0))


def folded() -> Walk:
    """Walk through the same, drawn by its modules."""
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    return walk(square(model(values(2)) - 1.0), model=model)


def two_layers() -> Walk:
    """Walk through two hidden layers of four units, drawn whole: many lines cross."""
    return walk(square(MLP(2, [4, 4, 1], activation="tanh", rng=0)(values(2)) - 1.0))


def dense() -> Walk:
    """Walk through a layer of many inputs, drawn as a bundle."""
    return walk(add_up([tanh(y) for y in Linear(12, 3, rng=0)(values(12))]))


PAGES = [
    *(lecture, neuron, regularised, routing, polynomial),
    *(attention, cross_entropy, least_squares, network, folded, dense, two_layers),
]


@pytest.mark.parametrize("make", PAGES)
def test_no_product_covers_an_active_wire_or_a_node(
    make: Callable[[], Walk], open_page: Any
) -> None:
    """Checked geometrically, with every piece of every active wire and every shape."""
    assert open_page(make()).evaluate(COVERED) == [True, []]


# Where the triangle of an arrow overlaps a digit: no line parts the two, along a side of either.
PAINTED_OVER = """() => {
  const found = [];
  const corners = (part, points) => {
    const at = part.getCTM();
    return points.map(([x, y]) => [at.a * x + at.c * y + at.e, at.b * x + at.d * y + at.f]);
  };
  const overlap = (one, other) => [one, other].every((shape) => shape.every(([x, y], i) => {
    const [x1, y1] = shape[(i + 1) % shape.length];
    const [across, down] = [y1 - y, x - x1];
    const far = Math.hypot(across, down);
    const along = (points) => points.map(([px, py]) => (px * across + py * down) / far);
    const [a, b] = [along(one), along(other)];
    const low = Math.max(Math.min(...a), Math.min(...b));
    const high = Math.min(Math.max(...a), Math.max(...b));
    return high - low > 0.5;
  }));
  const isShown = (text) => text.textContent.trim()
    && text.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const texts = [...document.querySelectorAll("#graph :is(.wire, .tap) text")].filter(isShown);
  const arrows = [...document.querySelectorAll("#graph .arrow")];
  for (const text of texts) {
    for (let i = 0; i < text.getNumberOfChars(); i += 1) {
      const { x, y, width, height } = text.getExtentOfChar(i);
      const [top, bottom] = [y + 0.25 * height, y + 0.8 * height]; // digits are lower than lines
      const digit = corners(text, [[x, top], [x + width, top], [x + width, bottom], [x, bottom]]);
      if (arrows.some((arrow) => overlap(corners(arrow, [[-6, -4.5], [8, 0], [-6, 4.5]]), digit))) {
        found.push(text.textContent);
      }
    }
  }
  return [arrows.length, found];
}"""


def newton() -> Walk:
    """Walk through three steps of Newton's method: long contributions on short wires."""
    x = Value(2.0, "x0")
    for i in range(3):
        x = x - (x**3 - 5) / (3 * x**2)
        x.label = f"x{i + 1}"
    return walk(x)


BARBED = """() => {
  const arrow = document.querySelector("#graph .arrow");
  const { x, y, width, height } = arrow.getBBox();
  const inside = (along) => arrow.isPointInFill(new DOMPoint(x + along * width, y + height / 2));
  return [width / height, inside(0.1), inside(0.5)];
}"""


def test_an_arrow_at_rest_beside_its_gate_does_not_seem_to_point_into_it(
    open_anywhere: Any,
) -> None:
    """Slender, with a notch at its tail; a triangle of equal sides was read the wrong way."""
    page = open_anywhere(newton())
    page.keyboard.press("End")
    slenderness, tail, middle = page.evaluate(BARBED)
    assert slenderness > 1.4
    assert (tail, middle) == (False, True)


@pytest.mark.parametrize("size", [(1280, 800), (390, 844)])
@pytest.mark.parametrize("make", [newton, regularised, least_squares])
def test_no_arrow_is_painted_over_a_digit(
    make: Callable[[], Walk], size: tuple[int, int], open_page: Any
) -> None:
    """Where it rests: it hid the 5 of −4.745e−5 on a wire of sixty pixels."""
    steps = make()
    page = open_page(steps, viewport={"width": size[0], "height": size[1]})
    counts, found = zip(*at_every_step(page, PAINTED_OVER, 1, len(steps)), strict=True)
    assert not any(found)
    assert sum(counts) > 3
