"""Presentation mode: what is shown can be read from the last row of a lecture hall."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import (
    Parameter,
    Value,
    clip,
    log_softmax,
    mean,
    softmax,
    square,
    tanh,
)
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .graphs import labelled, lecture, neuron, regularised
from .stepping import at_every_step, until

SMALLEST = """[...document.querySelectorAll("#graph text")].filter(t => t.textContent).map(
    t => parseFloat(getComputedStyle(t).fontSize) * t.getCTM().a)"""


def network() -> Walk:
    """Walk through a network of three hidden units and its loss, drawn whole."""
    out = MLP(2, [3, 1], activation="tanh", rng=0)([Value(0.5, "x0"), Value(-1.0, "x1")])
    return walk(labelled(square(out - 1.0), "L"))


@pytest.mark.parametrize("make", [lecture, regularised, network, neuron])
def test_labels_have_28_pixels_and_the_graph_the_room(make: Any, open_page: Any) -> None:
    """At 1920 × 1080; panel and bar stay on the screen, and beside a wide graph there is none."""
    steps = make()
    page = open_page(steps, viewport={"width": 1920, "height": 1080})
    page.locator("#more").click()
    page.locator("#present").click()
    page.evaluate(f"scalargrad.goTo({len(steps)})")
    assert min(page.evaluate(SMALLEST)) >= 27.9
    stage, panel, bar = (
        page.locator(id).bounding_box() for id in ("#stage", "#panel", "#timeline")
    )
    assert stage["width"] * stage["height"] >= 0.5 * 1920 * 1080
    assert panel["y"] + panel["height"] <= bar["y"] + 1
    assert bar["y"] + bar["height"] <= 1081
    if page.evaluate("document.body.classList.contains('wide')"):
        assert panel["y"] >= stage["y"] + stage["height"] - 1


WRITTEN = """() => {
  const sizes = [...document.querySelectorAll(".said :is(p, .formula, li), h1, .expression")]
    .filter((part) => part.textContent.trim() && part.checkVisibility())
    .map((part) => parseFloat(getComputedStyle(part).fontSize));
  const panel = document.getElementById("panel");
  return [Math.min(...sizes), panel.scrollHeight, panel.clientHeight];
}"""

SEEN = """() => {
  const room = document.getElementById('viewport').getBoundingClientRect();
  return [...document.querySelectorAll('.chip .paper, #underlay rect.halo')].every((part) => {
    const box = part.getBoundingClientRect();
    return box.left >= room.left - 1 && box.right <= room.right + 1
      && box.top >= room.top - 1 && box.bottom <= room.bottom + 1;
  });
}"""


def test_what_a_step_says_has_28_pixels_and_stays_in_the_room(open_page: Any) -> None:
    """At every step of the sigmoid neuron sentences are as large as labels, and none is cut."""
    steps = neuron()
    page = open_page(steps, viewport={"width": 1920, "height": 1080})
    page.locator("#more").click()
    page.locator("#present").click()
    for written, needed, room in at_every_step(page, WRITTEN, 1, len(steps)):
        assert written >= 28
        assert needed <= room + 1


def test_a_graph_wider_than_the_room_shows_where_one_is(open_page: Any) -> None:
    """The sigmoid neuron has 2,254 pixels: a step is in sight, and the map shows the rest."""
    steps = neuron()
    page = open_page(steps, viewport={"width": 1920, "height": 1080})
    page.locator("#more").click()
    page.locator("#present").click()
    assert page.evaluate("document.getElementById('graph').clientWidth") > 1920
    assert page.locator("#minimap").is_visible()
    assert page.locator("#zoom-fit").is_visible()
    assert all(at_every_step(page, SEEN, 2, len(steps)))


def test_quick_keys_on_a_busy_machine_end_with_the_step_in_sight(open_page: Any) -> None:
    """The first two scrolls lead nowhere; the third, down to w1, a browser of its own may lose."""
    size = {"width": 1920, "height": 1080}
    page = open_page(neuron(), viewport=size, reduced_motion="no-preference")
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setCPUThrottlingRate", {"rate": 20})
    page.locator("#more").click()
    page.locator("#present").click()
    for key in ("End", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    page.wait_for_timeout(1500)  # looking at the page before would help it along
    until(page, SEEN, every=1000)
    assert page.locator("#counter").text_content() == "20/22"


def test_a_reader_s_hand_stops_a_scroll(open_page: Any) -> None:
    """Whoever turns the wheel while the graph moves to a step keeps the place that it shows."""
    size = {"width": 900, "height": 600}
    page = open_page(neuron(), viewport=size, reduced_motion="no-preference")
    page.clock.install(time=0)
    page.clock.pause_at(60)
    page.reload()
    place = "document.getElementById('viewport').scrollLeft"
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.evaluate("scalargrad.goTo(13)")
    page.clock.run_for(200)
    under_way = page.evaluate(place)
    page.locator("#viewport").dispatch_event("wheel")
    page.clock.run_for(1000)
    assert page.evaluate(place) == under_way
    page.evaluate("scalargrad.goTo(13)")
    page.clock.run_for(1000)
    assert page.evaluate(place) > under_way > 0


def recurrent() -> Walk:
    """Walk through four steps of a recurrent unit, in rows."""
    w, u, b = Parameter(0.8, "w_h"), Parameter(-0.5, "w_x"), Parameter(0.1, "b")
    h: Value = Value(0.0, "h_0")
    for t, x in enumerate((1.0, -0.5, 0.25, 2.0), 1):
        h = labelled(tanh(w * h + u * Value(x, f"x_{t}") + b), f"h_{t}")
    return walk(labelled(square(h - 0.5), "L"))


BESIDE = """() => {
  const room = document.getElementById('viewport');
  const { left, right } = room.getBoundingClientRect();
  const boxes = (selector) =>
    [...document.querySelectorAll(selector)].map((part) => part.getBoundingClientRect());
  const beside = (of) => [Math.min(...of.map((box) => box.left)) - left,
    right - Math.max(...of.map((box) => box.right))];
  if (Math.min(...beside(boxes('#underlay > *, .chip'))) >= 0) return null;
  const chips = boxes('.chip .paper');
  const [before, after] = beside(chips.length ? chips : boxes('#underlay rect'));
  return [room.scrollLeft > 0 ? before : null,
    room.scrollLeft < room.scrollWidth - room.clientWidth - 1 ? after : null];
}"""


def test_a_gate_fed_from_another_row_stands_amid_the_room(open_page: Any) -> None:
    """Not at its edge, as where the middle of a wire that comes around a whole row is centred."""
    steps = recurrent()
    page = open_page(steps, viewport={"width": 1920, "height": 1080})
    page.locator("#more").click()
    page.locator("#present").click()
    panel, stage = (page.locator(id).bounding_box() for id in ("#panel", "#stage"))
    assert panel["y"] >= stage["y"] + stage["height"] - 1
    both = f"() => [({SEEN})(), ({BESIDE})()]"
    for seen, rooms in at_every_step(page, both, 2, len(steps)):
        assert seen
        assert all(room is None or room >= 300 for room in rooms or ())


COVERED = """() => {
  const box = (part) => part.getBoundingClientRect();
  const over = (a, b) => Math.min(a.right, b.right) > Math.max(a.left, b.left) + 1
    && Math.min(a.bottom, b.bottom) > Math.max(a.top, b.top) + 1;
  const tools = ['minimap', 'zoom'].map((id) => document.getElementById(id))
    .filter((tool) => tool.checkVisibility({ visibilityProperty: true }));
  return [...document.querySelectorAll('.chip .paper, #underlay rect.halo, .ring')]
    .filter((part) => tools.some((tool) => over(box(part), box(tool)))).length;
}"""


def chain() -> Walk:
    """Walk through 40 gates one after the other, in rows."""
    y: Value = Value(0.5, "x")
    for i in range(20):
        y = tanh(y * 1.1) if i % 2 else y.sin() + 0.1
    return walk(labelled(y, "f"))


@pytest.mark.parametrize("make", [chain, neuron, network])
@pytest.mark.parametrize("size", [(1280, 720), (900, 600)])
def test_neither_map_nor_buttons_cover_what_a_step_is_about(
    make: Any, size: tuple[int, int], open_page: Any
) -> None:
    """At no step of a long page, and when the graph has been made larger."""
    steps = make()
    page = open_page(steps, viewport={"width": size[0], "height": size[1]})
    for factor in (1, 2):
        if factor == 2:
            page.locator("#zoom-in").click(force=True)
            page.locator("#zoom-in").click(force=True)
        assert not any(at_every_step(page, COVERED, 1, len(steps)))


CORNERS = """() => {
  const box = (part) => part.getBoundingClientRect();
  const over = (a, b) => Math.min(a.right, b.right) > Math.max(a.left, b.left)
    && Math.min(a.bottom, b.bottom) > Math.max(a.top, b.top);
  const [buttons, map] = ['zoom', 'minimap'].map((id) => document.getElementById(id));
  const drawn = [...document.querySelectorAll(
    '#graph .node > rect:first-of-type, #graph .wire text, .tap:not(.empty) rect, .chip, .ring')];
  const isFree = () => !drawn.some((part) => over(box(part), box(buttons)));
  const { corner } = buttons.dataset;
  const taken = isFree() || buttons.classList.contains('away');
  const free = ['high', 'left', 'low', 'low-left'].filter((other) => {
    buttons.dataset.corner = other;
    return isFree();
  });
  buttons.dataset.corner = corner;
  return [taken, free.length];
}"""


def test_buttons_find_a_free_corner(open_page: Any) -> None:
    """Of forty squares, no number is hidden that need not be."""
    steps = walk(mean([square(Value(0.1 * i, f"x{i}")) for i in range(40)]))
    page = open_page(steps, viewport={"width": 900, "height": 600})
    for position in range(1, len(steps) + 1, 4):
        page.evaluate(f"scalargrad.goTo({position})")
        taken, free = page.evaluate(CORNERS)
        assert taken or not free, position


UNDER_THE_MAP = """() => {
  const map = document.getElementById('minimap');
  const { left, right, top, bottom } = map.getBoundingClientRect();
  const parts = '#graph .node > rect:first-of-type, #graph .wire text, .chip .paper, .ring';
  const seenIn = document.getElementById('viewport').getBoundingClientRect();
  const over = (a, b) => Math.min(a.right, b.right) > Math.max(a.left, b.left)
    && Math.min(a.bottom, b.bottom) > Math.max(a.top, b.top);
  const isUnder = (box) => over(box, { left: Math.max(left, seenIn.left),
    right: Math.min(right, seenIn.right), top: Math.max(top, seenIn.top),
    bottom: Math.min(bottom, seenIn.bottom) });
  const boxes = [...document.querySelectorAll(parts)].map((part) => part.getBoundingClientRect());
  const seen = map.checkVisibility({ visibilityProperty: true });
  return [seen, seen && boxes.some(isUnder)];
}"""


@pytest.mark.parametrize("make", [chain, neuron, network])
@pytest.mark.parametrize("size", [(900, 600), (390, 844)])
def test_the_map_hides_nothing_of_the_graph(
    make: Any, size: tuple[int, int], open_anywhere: Any
) -> None:
    """An input and its gradient could not be read under it; it goes where no corner is free."""
    steps = make()
    page = open_anywhere(steps, viewport={"width": size[0], "height": size[1]})
    found = at_every_step(page, UNDER_THE_MAP, 1, len(steps))
    assert not any(is_over for _, is_over in found)
    assert make is chain or any(seen for seen, _ in found)


INSIDE = """() => [...document.querySelectorAll('#graph .node')].filter((shape) => {
  const rect = shape.querySelector('rect'), text = shape.querySelector('text');
  if (!rect || !text || !text.textContent) return false;
  const [a, b] = [rect.getBBox(), text.getBBox()];
  return b.x < a.x + 4 || b.x + b.width > a.x + a.width - 4;
}).map((shape) => shape.textContent)"""


def wordy() -> Walk:
    """Walk through gates and boxes of wide letters."""
    x, w = Value(2.0, "mmmm"), Parameter(0.5, "WWW")
    p = softmax([x, w, labelled(x * -1.0, "warm")])[0]
    return walk(labelled(log_softmax([p, w])[0] + mean([x, w]) + clip(x, -1.5, 2.5), "mmm"))


@pytest.mark.parametrize("make", [wordy, neuron, network])
def test_no_text_touches_the_outline_of_its_box(make: Any, open_page: Any) -> None:
    """Whatever font the browser has: four pixels are left on either side."""
    assert open_page(make()).evaluate(INSIDE) == []
