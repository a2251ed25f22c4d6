"""The page on a phone: places a finger hits, and the graph in sight of the sliders."""

from __future__ import annotations

from typing import Any

import pytest

from .graphs import lecture, regularised

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
