"""The page on a phone: places a finger hits, and the graph in sight of the sliders."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Value, mean, square, tanh
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .graphs import lecture, regularised
from .stepping import at_every_step

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
FINGER = 44

SMALL = """(least) => [...document.querySelectorAll(
    'button, select, summary, .segments label, .tool label, '
    + 'input:not([type=radio], [type=checkbox])'
  )].filter((place) => place.checkVisibility()).map((place) => [place.id || place.textContent,
    ...['width', 'height'].map((side) => place.getBoundingClientRect()[side])])
  .filter(([, width, height]) => Math.min(width, height) < least - 0.5)"""


def test_whatever_is_touched_is_as_large_as_a_finger(open_page: Any) -> None:
    """44 pixels each way: buttons, choices, sliders, boxes, also in the drawer and under More."""
    page = open_page(lecture(), **PHONE)
    page.locator("#drawer").tap()
    page.locator("#more").tap()
    assert page.evaluate(SMALL, FINGER) == []
    page.locator("#predict").tap()
    page.evaluate("scalargrad.goTo(6)")
    assert page.evaluate(SMALL, FINGER) == []


def test_long_names_leave_room_for_the_formula(open_page: Any) -> None:
    """What they are short for is told at a tap; open, the list took the place of the product."""
    rate = Value(1.5, "annual_percentage_rate_of_the_mortgage")
    amount = Value(-2.25e-7, "initial_concentration_of_the_reagent")
    page = open_page(walk(rate * amount * 3.0 + rate), **PHONE)
    page.evaluate("scalargrad.goTo(6)")
    formula = page.locator("#panel .formula").first.bounding_box()
    bar = page.locator("#next").bounding_box()
    assert formula["y"] + formula["height"] < bar["y"]
    summary = page.locator(".aliases summary")
    assert summary.bounding_box()["height"] >= FINGER - 0.5
    summary.tap()
    assert page.locator(".aliases dl").is_visible()


def test_the_help_opens_at_its_beginning(open_page: Any) -> None:
    """Its only button is at the end, where the browser would put the focus, and so what is seen."""
    page = open_page(lecture(), **PHONE)
    page.locator("#help").tap()
    help_text = page.locator("#help-text")
    assert help_text.evaluate("box => box.scrollHeight > box.clientHeight")
    assert help_text.evaluate("box => box.scrollTop") == 0
    page.keyboard.press("Escape")
    assert help_text.is_hidden()


def test_a_shape_of_the_graph_is_hit_beside_its_outline(open_page: Any) -> None:
    """A box is 30 pixels high; its place is 44, and opens the node."""
    page = open_page(lecture(), **PHONE)
    sizes = page.evaluate(
        """() => [...document.querySelectorAll('.node .hit')].flatMap((place) =>
          [place.getBoundingClientRect().width, place.getBoundingClientRect().height])"""
    )
    assert sizes
    assert min(sizes) >= FINGER
    box = page.locator("#n0 rect").first.bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] + 5)
    assert page.locator("#node-title").text_content() == "x"


@pytest.mark.parametrize("opened", ["open_page", "open_in_firefox"])
def test_the_graph_stays_in_sight_while_a_slider_is_moved(
    opened: str, request: pytest.FixtureRequest, tmp_path: Any
) -> None:
    """Opening the drawer brings the sliders under the graph, not the graph out of sight."""
    if opened == "open_page":
        page = request.getfixturevalue(opened)(regularised(), **PHONE)
    else:
        path = regularised().save(tmp_path / "walk.html")
        page = request.getfixturevalue(opened)(path, viewport=PHONE["viewport"])
    page.locator("#drawer").click()
    last = page.locator(".field input[type=range]").last
    last.scroll_into_view_if_needed()
    stage, slider = page.locator("#stage").bounding_box(), last.bounding_box()
    assert stage["y"] >= -1
    assert stage["height"] > 250
    assert slider["y"] >= stage["y"] + stage["height"]
    bar = page.locator("#timeline").bounding_box()
    assert slider["y"] + slider["height"] <= bar["y"] + 1


def network() -> Walk:
    """Walk through a network whose drawing is wider than a phone."""
    model = MLP(3, [4, 1], activation="tanh", rng=0)
    return walk(model([Value(x, f"x{i}") for i, x in enumerate([0.5, -1.0, 2.0])]), model=model)


def pendulum() -> Walk:
    """Walk through a few steps of an equation of motion: long, and too low to be wrapped."""
    angle, speed = Value(0.5, "a"), Value(0.0, "s")
    for _ in range(5):
        speed = speed - tanh(angle) * 0.5
        angle = angle + speed * 0.1
    return walk(angle)


@pytest.mark.parametrize("make", [network, pendulum])
def test_the_product_of_a_step_is_read_without_scrolling(make: Any, open_page: Any) -> None:
    """However long the wire beside it: the frame follows to where the whole chip is in sight."""
    steps = make()
    page = open_page(steps, **PHONE, reduced_motion="reduce")
    cut = """() => { const frame = document.querySelector("#viewport").getBoundingClientRect();
      return [...document.querySelectorAll("#overlay .chip .paper")]
        .map((chip) => chip.getBoundingClientRect())
        .filter((chip) => chip.left < frame.left || chip.right > frame.right
          || chip.top < frame.top || chip.bottom > frame.bottom).length; }"""
    assert not any(at_every_step(page, cut, 1, len(steps)))


@pytest.mark.parametrize("make", [network, pendulum])
def test_the_map_stands_clear_of_the_buttons_and_can_be_made_out(make: Any, open_page: Any) -> None:
    """In whatever corner; the map of a very wide graph is wide instead of a line."""
    steps = make()
    page = open_page(steps, **PHONE, reduced_motion="reduce")
    seen: list[int] = []
    for position in (1, len(steps) // 2, len(steps)):
        page.evaluate(f"scalargrad.goTo({position})")
        if not page.locator("#minimap").is_visible():
            continue
        map_, zoom = (page.locator(id).bounding_box() for id in ("#minimap", ".zoom"))
        seen.append(position)
        assert map_["height"] >= 12
        assert (
            map_["x"] >= zoom["x"] + zoom["width"]
            or map_["x"] + map_["width"] <= zoom["x"]
            or map_["y"] + map_["height"] <= zoom["y"]
            or map_["y"] >= zoom["y"] + zoom["height"]
        )
    assert seen


COVERS = """() => {
  const frame = document.getElementById('viewport').getBoundingClientRect();
  const isOver = (part) => {
    const box = part.getBoundingClientRect();
    return Math.min(box.right, frame.right) > Math.max(box.left, frame.left)
      && Math.min(box.bottom, frame.bottom) > Math.max(box.top, frame.top);
  };
  return [...document.querySelectorAll('#stage button, #minimap, #exact')]
    .filter((part) => part.checkVisibility({ visibilityProperty: true }) && isOver(part))
    .map((part) => part.id);
}"""


@pytest.mark.parametrize("make", [network, pendulum, regularised])
def test_no_button_map_or_number_lies_over_the_graph(make: Any, open_page: Any) -> None:
    """A pill of 11.66 of which a button hid the first digit was read as 1.66."""
    steps = make()
    page = open_page(steps, **PHONE)
    page.locator("#graph .node").first.focus()
    for factor in ("fit", "in"):
        page.locator(f"#zoom-{factor}").tap()
        assert not any(at_every_step(page, COVERS, 1, len(steps)))


def squares() -> Walk:
    """Walk through a mean of forty squares, whose drawing is a tall one."""
    return walk(mean([square(Value(0.1 * i, f"x{i}")) for i in range(40)]))


def test_a_tall_graph_opens_at_its_first_input(open_page: Any) -> None:
    """Of forty, x0 is in sight, not the middle one."""
    page = open_page(squares(), **PHONE)
    frame, first = (page.locator(id).bounding_box() for id in ("#viewport", "#n0"))
    assert frame["y"] <= first["y"] < frame["y"] + frame["height"] / 2


@pytest.mark.parametrize("size", [PHONE, {"viewport": {"width": 1280, "height": 560}}])
def test_a_button_says_that_the_panel_goes_on_and_scrolls_there(size: Any, open_page: Any) -> None:
    """The matrices of a layer are cut at the fold, where nothing else tells of more."""
    page = open_page(network(), **size)
    further = page.locator("#further")
    page.evaluate("document.querySelector('[name=view][value=layer]').click()")
    page.locator("#next").click()
    further.wait_for(state="visible")
    button, panel = further.bounding_box(), page.locator("#panel").bounding_box()
    bar = page.locator("#timeline").bounding_box()
    assert panel["x"] <= button["x"] < button["x"] + button["width"] <= panel["x"] + panel["width"]
    assert panel["y"] <= button["y"] < button["y"] + button["height"] <= bar["y"]
    for _ in range(9):
        if further.is_visible():
            further.click()
            page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
    further.wait_for(state="hidden")
    last = page.locator("#panel .note").last.bounding_box()
    assert last["y"] + last["height"] <= page.locator("#timeline").bounding_box()["y"]


def test_the_button_hides_whole_lines_and_no_end_of_one(open_page: Any) -> None:
    """A result that loses its last digit to a button is another number."""
    page = open_page(network(), **PHONE)
    page.evaluate("document.querySelector('[name=view][value=layer]').click()")
    page.locator("#next").click()
    further = page.locator("#further")
    further.wait_for(state="visible")
    button, panel = further.bounding_box(), page.locator("#panel").bounding_box()
    assert (button["x"], button["width"]) == (panel["x"], panel["width"])


def test_no_button_stands_where_only_a_margin_is_below_the_fold(open_page: Any) -> None:
    """It would cover the end of a text that can be read, for nothing that is to come."""
    steps = network()
    page = open_page(steps, viewport={"width": 1100, "height": 800})
    page.evaluate(f"scalargrad.goTo({len(steps) - 3})")
    found = {True: 0, False: 0}
    for height in range(560, 800, 8):
        page.set_viewport_size({"width": 1100, "height": height})
        page.evaluate("() => new Promise((done) => setTimeout(done, 60))")
        last = page.locator("#panel .note").last.bounding_box()
        bar = page.locator("#timeline").bounding_box()
        below = last["y"] + last["height"] - bar["y"]
        if abs(below) > 5:  # else a pixel decides
            assert page.locator("#further").is_visible() == (below > 0), (height, below)
            found[below > 0] += 1
    assert all(found.values()), found


def test_no_button_stands_where_the_panel_is_whole(open_page: Any) -> None:
    """A step of (x + y)z takes less room than there is."""
    page = open_page(lecture(), viewport={"width": 1280, "height": 800})
    for position in range(1, len(lecture()) + 1):
        page.evaluate(f"scalargrad.goTo({position})")
        page.evaluate("() => new Promise((done) => setTimeout(done, 50))")
        assert page.locator("#further").is_hidden()
