"""Formulas wider than the panel: in several lines, with nothing left out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scalargrad import Parameter, Value, dot, logsumexp, mean, square
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .graphs import labelled

SIZES = {"desktop": (1280, 800), "phone": (390, 844), "projector": (1920, 1080)}


def long_formulas() -> Walk:
    """Walk through sums, calls and chain rules of long names."""
    weights = [Parameter(0.37 * i - 0.9, f"weight_{i}") for i in range(5)]
    features = [Value(0.1 * i - 0.3, f"feature_{i}") for i in range(5)]
    score = labelled(dot(weights, features), "score")
    partition = labelled(logsumexp([score, *(score * (i + 0.5) for i in range(6))]), "partition")
    return walk(labelled(mean([square(score - 0.12), score * score, partition]), "mean_error"))


#: At each stop, how wide the content of each formula is, and how wide the formula may be.
WIDTHS = """(count) => Array.from({ length: count }, () => {
  const blocks = document.querySelectorAll("#panel .formula, #panel .local-rule, #panel .many li");
  const widths = [...blocks].map((block) => [block.scrollWidth, block.clientWidth]);
  document.getElementById("next").click();
  return widths;
})"""


@pytest.mark.parametrize("view", ["wire", "gate"])
@pytest.mark.parametrize("size", ["desktop", "phone"])
def test_no_formula_has_to_be_scrolled(size: str, view: str, open_page: Any) -> None:
    """At every stop of either view, on a desktop and on a phone."""
    width, height = SIZES[size]
    page = open_page(
        long_formulas(), f"#step=1&view={view}", viewport={"width": width, "height": height}
    )
    stops = int(page.locator("#scrubber").get_attribute("max")) + 1
    for widths in page.evaluate(WIDTHS, stops):
        assert all(content <= room for content, room in widths)


def test_a_formula_in_lines_is_the_same_formula(open_page: Any) -> None:
    """Sign by sign it says what Python says, and some do need more than one line."""
    steps = long_formulas()
    page = open_page(steps)
    divided = 0
    for step in steps[1 : steps.scene.seed_at]:
        page.keyboard.press("ArrowRight")
        block = page.locator("#panel .formula")
        assert block.text_content() == re.sub("<[^>]+>", "", step.mathml())
        divided += block.locator(".lines").count() > 0
    assert divided >= 2


def test_lines_begin_with_the_sign_that_relates_them(open_page: Any) -> None:
    """The name first, then below it = and ≈, each at the left edge."""
    page = open_page(long_formulas())
    page.keyboard.press("ArrowRight")
    lines = page.locator("#panel .formula > .lines > *")
    assert [str(line)[0] for line in lines.all_text_contents()] == ["s", "=", "≈", "≈"]
    boxes = [line.bounding_box() for line in lines.all()]
    assert boxes[1]["x"] == boxes[2]["x"] < boxes[0]["x"] + 12
    assert boxes[1]["y"] + boxes[1]["height"] <= boxes[2]["y"] + 1


def test_a_presented_layer_hides_no_matrix_to_the_side(open_page: Any) -> None:
    """On a projector all lines of a layer stand in the panel's width, one below the other."""
    model = MLP(3, [16, 16, 1], activation="tanh", rng=4)
    steps = walk(labelled(square(model([0.5, -1.0, 2.0]) - 1.0), "L"), model=model)
    width, height = SIZES["projector"]
    page = open_page(steps, "#step=300&view=layer", viewport={"width": width, "height": height})
    page.locator("#more").click()
    page.locator("#present").click()
    assert page.locator("#panel .matrix-line").count() == 5
    content, room = page.evaluate(
        "(panel => [panel.scrollWidth, panel.clientWidth])(document.getElementById('panel'))"
    )
    assert content <= room
    boxes = [line.bounding_box() for line in page.locator("#panel .matrix-line").all()]
    for i, one in enumerate(boxes):
        for other in boxes[:i]:
            beside = other["x"] + other["width"] <= one["x"]
            assert beside or other["y"] + other["height"] <= one["y"] + 1
