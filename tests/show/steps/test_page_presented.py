"""Presentation mode: what is shown can be read from the last row of a lecture hall."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Value, square
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .graphs import labelled, lecture, regularised

SMALLEST = """[...document.querySelectorAll("#graph text")].filter(t => t.textContent).map(
    t => parseFloat(getComputedStyle(t).fontSize) * t.getCTM().a)"""


def network() -> Walk:
    """Walk through a network of three hidden units and its loss, drawn whole."""
    out = MLP(2, [3, 1], activation="tanh", rng=0)([Value(0.5, "x0"), Value(-1.0, "x1")])
    return walk(labelled(square(out - 1.0), "L"))


@pytest.mark.parametrize("make", [lecture, regularised, network])
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
