"""Lines of the drawing of a page: clear of what they pass, joined to their own shapes, in order."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Parameter, Value, exp, log, maximum, sigmoid, sum, tanh
from scalargrad.show.steps import Walk, walk

from .graphs import neuron, recurrence, regularised

PIXELS = 2

TOUCHING = """(pixels) => {
  const shapes = [...document.querySelectorAll("#graph .node, #graph .tap")].map((shape) => [
    shape.id, shape.querySelector("rect").getBBox()]);
  const touched = new Set();
  for (const line of document.querySelectorAll("#graph path.line")) {
    const gate = line.id.replace(/-[^-]+$/, "");
    const own = [gate, gate.replace(/-wire$/, ""), `${line.id}-tap`];
    const length = line.getTotalLength();
    for (let at = 0; at <= length; at += 2) {
      const { x, y } = line.getPointAtLength(at);
      for (const [id, box] of shapes) {
        const isNear = x > box.x - pixels && x < box.x + box.width + pixels
          && y > box.y - pixels && y < box.y + box.height + pixels;
        if (isNear && !own.includes(id)) touched.add(`${line.id} at ${id}`);
      }
    }
  }
  return [...touched];
}"""

OPEN_ENDS = """() => {
  const rectOf = (id) => document.querySelector(`#${id} > rect`)?.getBBox();
  const beside = ({ x, y }, box) => {
    const radius = box.height / 2;
    const middle = Math.min(Math.max(x, box.x + radius), box.x + box.width - radius);
    return Math.min(Math.abs(x - box.x), Math.abs(x - box.x - box.width),
      Math.abs(Math.hypot(x - middle, y - box.y - radius) - radius));
  };
  const joined = "#graph path.line:is(.enters, [id$='-out'])";
  return [...document.querySelectorAll(joined)].flatMap((line) => {
    const id = line.id.replace(/-[^-]+$/, "");
    const box = rectOf(id);
    if (!box) return [];
    const at = line.classList.contains("enters") ? line.getTotalLength() : 0;
    return beside(line.getPointAtLength(at), box) > 1 ? [line.id] : [];
  });
}"""


def eight_products() -> Walk:
    """Walk through a sum in which x meets eight inputs."""
    x = Value(0.5, "x")
    return walk(sum([x * Value(i + 1.0, f"a{i}") for i in range(8)]))


def eight_functions() -> Walk:
    """Walk through a sum of functions of x, with long and short names."""
    x = Value(0.5, "x")
    return walk(
        sin_of(x) + exp(x) + x * x + tanh(x) + sigmoid(x) + log(x) + x**3 + maximum(x, 1 / x)
    )


def sin_of(x: Value) -> Value:
    """Return a gate that is wider than high."""
    return (x * 1.2345).sin()


def twice_four() -> Walk:
    """Walk through a sum in which x and y fan out, and meet inputs later."""
    x, y = Value(0.5, "x"), Value(1.5, "y")
    return walk(sum([x * y * Value(i + 1.0, f"a{i}") + x for i in range(4)]))


def four_units() -> Walk:
    """Walk through four neurons of twelve weights, whose inputs cross."""
    xs = [Value(0.3 * i - 1, f"x{i}") for i in range(4)]
    ws = [Parameter(0.2 * i - 0.5, f"w{i}") for i in range(12)]
    units = [tanh(sum([*(ws[3 * k + j] * xs[j] for j in range(3)), xs[3]])) for k in range(4)]
    return walk(units[0] * units[1] + units[2] * units[3])


def met_four_times() -> Walk:
    """Walk through a sum of gates, each of which reads x and y."""
    x, y = Value(0.5, "x"), Value(1.5, "y")
    return walk(sum([x * y, x - y, maximum(x, y), x / y]))


WALKS = [
    met_four_times,
    eight_products,
    eight_functions,
    twice_four,
    four_units,
    recurrence,
    regularised,
    neuron,
]


@pytest.mark.parametrize("make", WALKS)
def test_no_line_touches_a_shape_that_it_passes(make: Any, open_page: Any) -> None:
    """Graphviz leads lines along the very corners of what it knows to be in the way."""
    assert open_page(make()).evaluate(TOUCHING, PIXELS) == []


@pytest.mark.parametrize("make", WALKS)
def test_lines_reach_the_shapes_at_their_ends(make: Any, open_page: Any) -> None:
    """Through the room that is left around them: to the side of a box, to the rim of a gate."""
    assert open_page(make()).evaluate(OPEN_ENDS) == []


def test_pills_of_one_input_stand_together(open_page: Any) -> None:
    """Alternately in one column, none could be told to belong to x or to y."""
    page = open_page(met_four_times())
    found: list[list[float]] = page.evaluate("""() => ["w0", "w1"].map((operand) =>
      [...document.querySelectorAll(`#graph [id$="-${operand}-tap"] rect`)]
        .map((pill) => pill.getBBox().y))""")
    above, below = sorted(found, key=min)
    assert len(above) == len(below) == 4
    assert max(above) < min(below)


@pytest.mark.parametrize(("make", "count"), [(eight_products, 8), (twice_four, 4)])
def test_the_terms_of_a_sum_stand_below_each_other_in_order(
    make: Any, count: int, open_page: Any
) -> None:
    """From a0 down; free to choose, Graphviz put a0 between a3 and a7."""
    page = open_page(make())
    tops = [
        page.locator("#graph .leaf", has_text=f"a{i}").evaluate("box => box.getBBox().y")
        for i in range(count)
    ]
    assert tops == sorted(tops)
