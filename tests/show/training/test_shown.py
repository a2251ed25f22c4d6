"""The pictures of a training page: lines, units, the plane, colours."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from tests.show.training.helpers import (
    HOSTILE,
    LABELS,
    POINTS,
    classifier,
    network,
    others,
    said,
    watched,
)

from scalargrad import watch
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy
from scalargrad.nn import MLP

# Lines and units ------------------------------------------------------------------------------


def widths(page: Any) -> list[float]:
    """Return the width of every line above the minimum, negative for negative numbers."""
    found: list[float] = page.evaluate(
        """[...document.querySelectorAll("#lines path:not(#halo)")].map((line) =>
        Math.max(0, line.getAttribute("stroke-width") - 0.25)
        * (line.classList.contains("negative") ? -1 : 1))"""
    )
    return found


def alike(found: list[float], expected: list[float]) -> None:
    """Check that two lists are proportional, to a fiftieth of the largest number."""
    scale = max(map(abs, found)) / (most := max(map(abs, expected)))
    within = most * scale / 100 + 0.01  # widths have two decimals
    assert found == pytest.approx([x * scale for x in expected], abs=within)


def test_training_page_lines_show_weights_products_gradients_or_changes(open_page: Any) -> None:
    """Width in proportion to the number, sign by colour and dashes; L changes the view."""
    training, model = classifier()
    page = open_page(training, "#step=30")
    neurons = [neuron for layer in model.layers for neuron in layer.neurons]
    weights = [w for neuron in neurons for w in neuron.w]
    places = [training.parameters.index(w) for w in weights]
    greatest = max(abs(kept.parameters[i]) for i in places for kept in training.snapshots)
    alike([*widths(page), 5.0], [*(w.data for w in weights), greatest])

    page.keyboard.press("l")
    assert page.locator("#example").input_value() == "0"
    values = [POINTS[0]] * 3 + [[y.data for y in model.layers[0](POINTS[0])]]
    products = [
        w.data * x
        for neuron, given in zip(neurons, values, strict=True)
        for w, x in zip(neuron.w, given, strict=True)
    ]
    alike(widths(page), products)

    page.keyboard.press("l")
    page.keyboard.press("Escape")
    model.zero_grad()
    binary_cross_entropy_with_logits([model(x) for x in POINTS], LABELS).backward()
    alike(widths(page), [w.grad for w in weights])
    assert "∂L/∂w of the mean loss" in said(page, "lines-legend")

    page.get_by_role("radio", name="changes").check()
    assert "change of w" in said(page, "lines-legend")
    last, before = training.snapshots[-1].parameters, training.snapshots[-2].parameters
    alike(widths(page), [last[i] - before[i] for i in places])


def test_training_page_crosses_out_a_dead_unit(open_page: Any) -> None:
    """Only a ReLU that is 0 over the whole plane is crossed out."""
    model = MLP(2, [2, 1], rng=0)
    model.layers[0].neurons[1].b.data = -100.0
    page = open_page(watch(model, POINTS, LABELS, loss=binary_cross_entropy_with_logits))
    marked = page.locator("#units .dead [role=button]").evaluate_all("all => all.map(x => x.id)")
    assert marked == ["unit-3"]


# The plane ------------------------------------------------------------------------------------


def boundary(page: Any) -> list[list[float]]:
    """Return the points of the boundary in coordinates of the plane, from those of `POINTS`."""
    path = page.locator("#boundary").get_attribute("d")
    places = page.evaluate(
        """[...document.querySelectorAll(".point")].map((point) =>
        point.getAttribute("transform").match(/-?[\\d.]+/g).map(Number))"""
    )
    (ax, ay), (bx, by) = places[0], places[-1]
    (x0, y0), (x1, y1) = POINTS[0], POINTS[-1]
    drawn = [tuple(map(float, pair.split(","))) for pair in re.split("[ML]", path)[1:]]
    return [
        [x0 + (x - ax) / (bx - ax) * (x1 - x0), y0 + (y - ay) / (by - ay) * (y1 - y0)]
        for x, y in drawn
    ]


def test_training_page_plane_shows_the_outputs_of_the_model(open_page: Any) -> None:
    """The boundary is where the output is zero; blue is class one; wrong points have a ring."""
    training, model = classifier()
    page = open_page(training, "#step=30")
    outputs = [model(point).data for point in boundary(page)]
    reach = max(abs(model(x).data) for x in POINTS)
    assert len(outputs) > 40
    assert max(map(abs, outputs)) < 0.02 * reach
    colours = page.evaluate(
        """[...document.querySelectorAll(".point")].map((point) => {
          const [x, y] = point.getAttribute("transform").match(/-?[\\d.]+/g).map(Number);
          const field = document.getElementById("field").getContext("2d");
          return [...field.getImageData(x, y, 1, 1).data];
        })"""
    )
    for (red, _, blue, _), x in zip(colours, POINTS, strict=True):
        assert (blue > red) == (model(x).data > 0)
    wrong = sum((model(x).data > 0) != bool(y) for x, y in zip(POINTS, LABELS, strict=True))
    assert page.locator("#points .miss:visible").count() == wrong
    page.keyboard.press("Home")
    before = sum((network()(x).data > 0) != bool(y) for x, y in zip(POINTS, LABELS, strict=True))
    assert page.locator("#points .miss:visible").count() == before > wrong


@pytest.mark.parametrize(
    ("name", "title", "legend"),
    [
        ("three classes", "Decision boundary", HOSTILE),
        ("curve", "Output", "points: targets, line: output"),
        ("surface", "Output", "first output, −1 … 1"),
        ("four inputs", "Decision boundary in a slice", "Slice at first = 0.4, "),
    ],
)
def test_training_page_shows_other_tasks_at_every_snapshot(
    name: str, title: str, legend: str, open_page: Any
) -> None:
    """Each view works with and without an example."""
    page = open_page(others()[name])
    alerts: list[str] = []

    def alerted(dialog: Any) -> None:
        alerts.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", alerted)
    for _ in range(5):
        page.keyboard.press("ArrowRight")
        page.keyboard.press("e")
        page.keyboard.press("l")
    assert said(page, "plane-title") == title
    assert legend in said(page, "plane-legend")
    assert page.locator("img").count() == 0
    assert alerts == []
    assert page.locator(".point").count() == (10 if name == "four inputs" else 25)


def test_training_page_slice_passes_through_the_selected_example(open_page: Any) -> None:
    """Its colours are outputs for inputs like the example's, not like the mean."""
    inputs = [[x, y, 1.0 if i % 2 else -1.0] for i, (x, y) in enumerate(POINTS)]
    model = MLP(3, [1], rng=0)
    for weight, number in zip(model.layers[0].neurons[0].w, (0.0, 0.0, 3.0), strict=True):
        weight.data = number  # only the input across the plane counts
    labels = [i % 2 for i in range(12)]
    page = open_page(watch(model, inputs, labels, loss=binary_cross_entropy_with_logits))
    assert "Slice at x₂ = 0 (the mean of all examples)" in said(page, "slice")
    corner = """(() => {
      const edge = document.querySelector("#points .edge");
      const field = document.getElementById("field").getContext("2d");
      const [x, y] = ["x", "y"].map((name) => Number(edge.getAttribute(name)) + 5);
      const [red, , blue] = field.getImageData(x, y, 1, 1).data;
      return Math.sign(blue - red);
    })()"""
    assert page.evaluate(corner) == 0
    for example, place, sign in ((6, "−1", -1), (7, "1", 1)):
        page.locator("#example").select_option(str(example))
        assert f"Slice at x₂ = {place} (example {example})" in said(page, "slice")
        assert page.evaluate(corner) == sign
    page.locator("#example").select_option("")
    assert page.evaluate(corner) == 0
    assert open_page(classifier()[0]).locator("#slice").count() == 0


# Colours --------------------------------------------------------------------------------------

COLOURS = [
    ("light", "rgb(11, 92, 173)", "rgb(179, 71, 0)"),
    ("dark", "rgb(124, 196, 255)", "rgb(255, 163, 107)"),
]


@pytest.mark.parametrize(("scheme", "positive", "negative"), COLOURS)
def test_training_page_class_colours_differ_from_the_colours_of_signs(
    scheme: str, positive: str, negative: str, open_page: Any
) -> None:
    """A class must not be blue like positive numbers.

    Lines of positive numbers are solid, those of negative ones dashed, whatever the theme.
    """
    around = [[math.cos(0.2 * math.pi * k), math.sin(0.2 * math.pi * k)] for k in range(10)]
    training = watched(MLP(2, [8, 10], rng=0), around, list(range(10)), cross_entropy, epochs=1)
    page = open_page(training, color_scheme=scheme)
    look = "all => all.map((x) => [getComputedStyle(x).fill, x.getAttribute('d')])"
    for part in ("#plane-legend .marker", "#points .marker"):
        looks = page.locator(part).evaluate_all(look)
        assert len(looks) == 10
        assert len({colour for colour, _ in looks} | {positive, negative}) == 12
    look = "line => { const s = getComputedStyle(line); return [s.stroke, s.strokeDasharray] }"
    assert page.locator("#lines .positive").first.evaluate(look) == [positive, "none"]
    drawn = page.locator("#lines .negative").first.evaluate(look)
    assert drawn[0] == negative
    assert drawn[1] != "none"
