"""Long chains go on in rows; a page opens at its inputs, with the whole in a small map."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scalargrad import Parameter, Value, cos, sin, square, tanh
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .graphs import labelled, lecture, likelihood, neuron, recurrence
from .stepping import at_every_step, until

BROKEN = """() => {
  const box = (id) => document.getElementById(id)?.querySelector('rect').getBBox();
  const ends = [...document.querySelectorAll('#graph .line.enters')].map((line) => {
    const length = line.getTotalLength();
    const end = line.getPointAtLength(length);
    const gate = box(line.id.split('-')[0]);
    const near = end.x > gate.x - 4 && end.x < gate.x + gate.width + 4
      && end.y > gate.y - 4 && end.y < gate.y + gate.height + 4;
    return near ? '' : line.id;
  });
  return ends.filter(Boolean);
}"""

CROSSED = """() => {
  const boxes = [...document.querySelectorAll('#graph .node > rect:not(.hit)')]
    .map((rect) => [rect.parentNode.id, rect.getBBox()]);
  return [...document.querySelectorAll('#graph .line')].flatMap((line) => {
    const length = line.getTotalLength();
    const found = [];
    for (let at = 0; at < length; at += 4) {
      const { x, y } = line.getPointAtLength(at);
      for (const [id, box] of boxes) {
        const inside = x > box.x + 1 && x < box.x + box.width - 1
          && y > box.y + 1 && y < box.y + box.height - 1;
        if (inside && !line.id.startsWith(id)) found.push(`${line.id} through ${id}`);
      }
    }
    return [...new Set(found)];
  });
}"""


def chain() -> Walk:
    """Walk through 40 gates of one operand, one after the other."""
    y: Value = Parameter(0.5, "x")
    for i in range(20):
        y = tanh(y * 1.1) if i % 2 else y.sin() + 0.1
    return walk(y)


def kepler() -> Walk:
    """Walk through three steps of Newton's method, each of which reads both inputs."""
    anomaly, e = Value(1.0, "M"), Value(0.3, "e")
    found = anomaly
    for _ in range(3):
        found = found - (found - e * sin(found) - anomaly) / (1 - e * cos(found))
    return walk(labelled(found, "E"))


def horner() -> Walk:
    """Walk through a polynomial of degree 9, each coefficient an input."""
    x = Value(0.7, "x")
    y: Value = Parameter(1.0, "c0")
    for i in range(1, 10):
        y = y * x + Parameter(float(i), f"c{i}")
    return walk(y)


def recurrent() -> Walk:
    """Walk through eight steps of a recurrent cell, whose weights are read all along."""
    w, u, h = Parameter(0.7, "w"), Parameter(-0.4, "u"), Value(0.0, "h0")
    for t in range(8):
        h = labelled(tanh(w * h + u * Value(0.1 * t, f"x{t}")), f"h{t + 1}")
    return walk(h)


def summed() -> Walk:
    """Walk through a squared error of twenty terms, each with four gates of its own."""
    w, b = Parameter(0.5, "w"), Parameter(0.1, "b")
    terms = [square(w * (i / 10) + b - i * 0.05) for i in range(20)]
    return walk(functools.reduce(operator.add, terms) / 20)


def network() -> Walk:
    """Walk through a network of two layers of six units, drawn whole."""
    model = MLP(3, [6, 6, 1], activation="tanh", rng=0)
    out = model([Value(0.5, "x0"), Value(-1.0, "x1"), Value(0.2, "x2")])
    return walk(square(out - 1.0))


@pytest.mark.parametrize("make", [chain, horner, recurrent, summed])
def test_a_long_chain_goes_on_in_rows(make: Callable[[], Walk], open_page: Any) -> None:
    """Every row fits into the width; every line reaches its gate and runs through no other."""
    page = open_page(make())
    assert page.locator("#graph.rows").count() == 1
    across = page.evaluate(
        "[document.getElementById('graph').clientWidth, viewport.clientWidth]".replace(
            "viewport", "document.getElementById('viewport')"
        )
    )
    assert across[0] <= across[1] + 1
    assert page.evaluate(BROKEN) == []
    assert page.evaluate(CROSSED) == []


def test_the_product_is_carried_from_row_to_row(open_page: Any) -> None:
    """The way back along a line that turns is one path from gate to gate."""
    steps = chain()
    page = open_page(steps)
    count = "() => document.querySelectorAll('#underlay .back').length"
    found = at_every_step(page, count, steps.scene.seed_at + 2, len(steps))
    assert set(found) == {1}
    assert page.locator("#graph .line.enters:not(.passed)").count() == 0


@pytest.mark.parametrize("make", [lecture, lambda: walk(tanh(tanh(Value(1.0, "x"))))])
def test_a_short_graph_has_one_row(make: Callable[[], Walk], open_page: Any) -> None:
    """And where the whole is seen, there is no map of it."""
    page = open_page(make())
    assert page.locator("#graph.rows").count() == 0
    assert page.locator("#minimap").is_hidden()


def test_a_page_opens_at_its_inputs(open_page: Any) -> None:
    """At the left edge, not in the middle of all leaves; a chain in rows at its first."""
    page = open_page(network())
    assert page.evaluate("document.getElementById('viewport').scrollLeft") == 0
    x = page.locator("#graph .input").first.bounding_box()
    stage = page.locator("#viewport").bounding_box()
    assert stage["x"] <= x["x"] < stage["x"] + stage["width"] / 2
    page = open_page(recurrent())
    assert page.evaluate("document.getElementById('viewport').scrollTop") == 0


def test_the_map_shows_the_frame_and_moves_it(open_page: Any) -> None:
    """Its frame is the part in sight; a press on the far corner brings that into sight."""
    page = open_page(network())
    shares = """() => {
      const map = document.getElementById('minimap');
      const frame = map.querySelector('.frame');
      const { width, height } = map.viewBox.baseVal;
      const view = document.getElementById('viewport');
      const drawn = document.getElementById('graph').getBoundingClientRect();
      const seen = view.getBoundingClientRect();
      return [frame.x.baseVal.value / width - (seen.left - drawn.left) / drawn.width,
        frame.y.baseVal.value / height - (seen.top - drawn.top) / drawn.height,
        frame.width.baseVal.value / width - view.clientWidth / view.scrollWidth];
    }"""
    assert all(abs(share) < 0.02 for share in page.evaluate(shares))
    box = page.locator("#minimap").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    at = page.evaluate(
        "(() => { const v = document.getElementById('viewport');"
        "return v.scrollLeft + v.clientWidth - v.scrollWidth })()"
    )
    assert abs(at) < 2
    until(page, f"() => ({shares})().every((share) => Math.abs(share) < 0.02)")


def test_the_map_of_a_tall_graph_can_be_made_out(open_page: Any) -> None:
    """Of 25 rows, within 100 pixels of height, it was a line."""
    y = Value(0.5, "x")
    for i in range(150):
        y = y.sin() if i % 2 else y + 0.1
    page = open_page(walk(y), limit=200)
    wide, high = (page.locator("#minimap").get_attribute(side) for side in ("width", "height"))
    assert int(wide) >= 40
    assert int(high) < page.locator("#viewport").bounding_box()["height"] / 2


OFF_THE_WIRE = """() => {
  const here = document.querySelector('#minimap .here');
  const [x, y] = ['cx', 'cy'].map((side) => here[side].baseVal.value);
  const wire = document.querySelector('#underlay path.halo');
  const part = wire.getTotalLength() / 50;
  const points = Array.from({ length: 51 }, (_, i) => wire.getPointAtLength(part * i));
  return Math.min(...points.map((point) => Math.hypot(point.x - x, point.y - y)));
}"""


def test_the_mark_on_the_map_is_on_the_wire(open_page: Any) -> None:
    """Not between it and its product, which is where there is room for it."""
    steps = neuron()
    page = open_page(steps, viewport={"width": 390, "height": 844})
    seed = next(step.index for step in steps if step.phase == "seed")
    off = at_every_step(page, OFF_THE_WIRE, seed + 2, len(steps))
    assert off
    assert max(off) < 3


SHOWN = """() => {
  const frame = document.getElementById('viewport').getBoundingClientRect();
  return [...document.querySelectorAll('.chip .paper, #underlay rect.halo')].every((part) => {
    const box = part.getBoundingClientRect();
    return box.left >= frame.left - 1 && box.right <= frame.right + 1
      && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
  });
}"""


@pytest.mark.parametrize("size", [(1280, 720), (390, 844)])
def test_the_gate_of_a_step_is_in_sight(size: tuple[int, int], open_page: Any) -> None:
    """However long the lines to it; the frame was once centred on those, the gate outside."""
    steps = recurrence()
    page = open_page(steps, viewport=dict(zip(("width", "height"), size, strict=True)))
    assert all(at_every_step(page, SHOWN, 2, len(steps)))


def test_the_number_behind_a_gate_is_its_own(tmp_path: Path) -> None:
    """A wire goes straight out of its gate: crossed, its number stands behind another gate."""
    written = walk(likelihood()).save(tmp_path / "page.html").read_text(encoding="utf-8")
    gates = re.findall(
        r'<g class="node gate" id="(n\d+)".*?<rect .*?y="(.*?)".*?height="(.*?)"', written
    )
    lines = dict(re.findall(r'id="(n\d+)-wire-line" d="M[^,]*,([\d.]+)', written))
    assert len(gates) == 21
    for id, top, height in gates:
        assert float(lines[id]) == pytest.approx(float(top) + float(height) / 2, abs=1), id


def test_a_very_wide_graph_is_wrapped_where_many_lines_cross(open_page: Any) -> None:
    """27 gates in three rows, between which eight lines run; in one row they had 3,379 pixels."""
    page = open_page(kepler())
    assert page.locator("#graph.rows").count() == 1
    assert page.evaluate("document.getElementById('graph').viewBox.baseVal.width") < 1500
    assert page.evaluate(BROKEN) == []
    assert page.evaluate(CROSSED) == []
    outside = page.evaluate("""() => {
      const { width, height } = document.getElementById('graph').viewBox.baseVal;
      return [...document.querySelectorAll('#graph .line')].map((line) => line.getBBox())
        .filter((box) => box.x < 2 || box.x + box.width > width - 2
          || box.y < 2 || box.y + box.height > height - 2).length;
    }""")
    assert outside == 0


def test_contributions_to_a_junction_of_a_dense_layer_stand_together(tmp_path: Path) -> None:
    """Each input of 6 units has 6 places of 22 pixels, 12 apart, and nothing else."""
    model = MLP(3, [6, 1], rng=0)
    loss = square(model([Value(0.1 * i, f"x{i}") for i in range(3)]) - 1.0)
    page = walk(loss).save(tmp_path / "page.html").read_text(encoding="utf-8")
    tap = re.compile(r'class="tap" id="(n\d+-w\d+)-tap"><rect x="[-\d.]+" y="([-\d.]+)"')
    columns: dict[str, list[float]] = {}
    for line, top in tap.findall(page):
        _, _, operand = line.partition("-w")
        columns.setdefault(operand, []).append(float(top))
    spans = [max(tops) - min(tops) for tops in columns.values()]
    assert [len(tops) for tops in columns.values()] == [6, 6, 6]
    assert all(span <= 5 * (22 + 13) for span in spans)
