"""The step page is legible: nothing overlaps or is cut off, in windows of any size."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable
from functools import reduce
from operator import add
from pathlib import Path
from typing import Any

import pytest
from tests.visibility import DISPLAY_SETTINGS, find_hidden_controls

from scalargrad import Parameter, Value, dot, log, sigmoid, softmax, tanh
from scalargrad import sum as add_up
from scalargrad.nn import MLP, Linear
from scalargrad.show.steps import Walk, walk

from .conftest import Read, Reader
from .graphs import chain, labelled, lecture, network, regularised

OVERLAPS = Path(__file__).with_name("overlaps.js").read_text(encoding="utf-8")
DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True}
FINGER, LETTER = 44, 14


def attention() -> Walk:
    """Walk through attention of one query over three keys of two numbers, with crowded nodes."""
    q = [Value(1.0, "q1"), Value(0.5, "q2")]
    rows = [(0.3, -1.0), (1.2, 0.7), (0.0, 2.0)]
    keys = [[Value(x, f"k{i}{j}") for j, x in enumerate(row)] for i, row in enumerate(rows)]
    scores = [(q[0] * k[0] + q[1] * k[1]) / math.sqrt(2) for k in keys]
    return walk(dot(softmax(scores), [Value(x, f"u{i}") for i, x in enumerate([1.0, 2.0, -1.0])]))


def newton() -> Walk:
    """Walk through three steps of Newton's method: long contributions on short wires."""
    x = Value(2.0, "x0")
    for i in range(3):
        x = labelled(x - (x**3 - 5) / (3 * x**2), f"x{i + 1}")
    return walk(x)


def shared_inputs() -> Walk:
    """Walk through a sum of functions of x and y, and of products of x with eight inputs."""
    x, y = Value(0.5, "x"), Value(1.5, "y")
    products = [x * Value(i + 1.0, f"a{i}") for i in range(8)]
    return walk(add_up([x * y, x - y, x / y, (x * 1.2345).sin(), log(y), *products]))


def dense() -> Walk:
    """Walk through a layer of many inputs, drawn as a bundle."""
    x = [Value(0.3 * i - 0.4, f"x{i}") for i in range(12)]
    return walk(add_up([tanh(y) for y in Linear(12, 3, rng=0)(x)]))


def tiny() -> Walk:
    """Walk through products of 1.2345e-300, and of wide letters with indices."""
    a, b, c = Value(1.2345e-300, "mmmm"), Parameter(-3.0, "WWW"), Value(2.0, "L_reg")
    total = labelled(a * b * c + c, "L_total")
    return walk(labelled(total * total, "y_1,0"))


def samples() -> Walk:
    """Walk through logistic regression on four points: rows of examples, repeated names."""
    w, b = Parameter(0.5, "w"), Parameter(-0.1, "b")
    found = [sigmoid(w * x + b) for x in (-1.0, 0.5, 1.5, 2.0)]
    return walk(reduce(add, [-log(p if k > 1 else 1 - p) for k, p in enumerate(found)]) / 4.0)


WALKS: list[Callable[[], Walk]] = [
    *(lecture, network, attention, newton, shared_inputs, dense, tiny, samples),
    lambda: network((4, 4, 1), folded=False),
    lambda: chain(60),
]


def test_page_draws_layers_in_columns(read: Read) -> None:
    """All units of a layer are visible at once."""
    model = MLP(3, [4, 4, 1], rng=0)
    page = read(walk(model([Value(x, f"x{i}") for i, x in enumerate([1.0, -2.0, 0.5])])), **DESKTOP)
    boxes = [unit.bounding_box() for unit in page.graph.get_by_text("w·x", exact=True).all()]
    assert [*Counter(round(box["x"]) for box in boxes).values()] == [4, 4, 1]
    heights = [box["y"] for box in boxes]
    assert max(heights) - min(heights) < page.graph.bounding_box()["height"]


@pytest.mark.parametrize(
    ("make", "is_flat"),
    [
        pytest.param(lambda x: x.tanh().exp().sin().log(), True, id="chain"),
        pytest.param(lambda x: (x + 2.0) * Value(3.0, "z"), False, id="product"),
    ],
)
def test_page_places_the_panel_below_a_flat_drawing(
    make: Callable[[Value], Value], is_flat: bool, read: Read
) -> None:
    """There it has the width of the screen; next to a higher drawing it has not."""
    page = read(walk(make(Value(0.5, "x"))), viewport={"width": 1440, "height": 900})
    assert (page.panel.bounding_box()["x"] == 0) is is_flat


@pytest.mark.parametrize("make", WALKS)
def test_page_shapes_do_not_overlap(make: Callable[[], Walk], read: Read) -> None:
    """At every step of the wire and gate view: products, arrows, numbers, lines."""
    count, faults = read(make(), **DESKTOP).page.evaluate(OVERLAPS)
    assert faults == []
    assert count > 3


def test_page_shapes_do_not_overlap_in_firefox(read_in_firefox: Read) -> None:
    """Firefox has other fonts."""
    assert read_in_firefox(regularised()).page.evaluate(OVERLAPS)[1] == []


def test_page_bar_does_not_touch_its_letter(read: Read) -> None:
    """With any font, z̄ must not look like z."""
    page = read(lecture())
    page.page.get_by_role("radio", name="x bar").check(force=True)
    page.go(6)
    letter, bar = (
        page.panel.locator(f"mover > {tag}").first.bounding_box() for tag in ("mi", "mo")
    )
    assert bar["y"] + bar["height"] <= letter["y"] - 2


def test_page_names_have_subscripts_and_are_not_cut(read: Read) -> None:
    """L_reg is L with a subscript, in graph, panel and inputs."""
    long = "the_learning_rate_of_the_very_first_layer"
    b, c = Parameter(-3.0, long), Value(2.0, "L_reg")
    page = read(walk(labelled(labelled(b * c + c, "L_total") * 2.0, "y_1,0")))
    page.press("End")
    assert "y_1,0" not in page.says
    lowered = page.page.locator("tspan[dy], sub").all_text_contents()
    assert {"reg", "total", "1,0"} <= set(lowered)
    assert page.graph.get_by_role("button", name=re.compile(f"^{long}, parameter: ")).count() == 1
    assert page.page.get_by_role("slider", name=re.compile(long)).count() == 1


def test_page_labels_have_superscripts_everywhere(read: Read) -> None:
    """In the heading, the drawing, the panel and the inputs."""
    x = Value(3.0, "x^2")
    page = read(walk(labelled(labelled(x * 2.0, "sigma^2") * x, "f")))
    page.press("End")
    everything = page.page.locator("body").inner_text() + page.page.title()
    assert "^2" not in everything
    assert "^2" not in "".join(page.drawn)
    for name in ("x²", "σ²"):
        assert any(text.startswith(name) for text in page.drawn)
    assert "(σ²)" in page.page.locator(".expression").inner_text()


ARROW = """() => {
  scalargrad.goTo(5);
  const arrow = document.querySelector(".arrow");
  const place = () => arrow.getBoundingClientRect().x;
  const [motion] = arrow.getAnimations();
  if (!motion) return [place()];
  const { duration } = motion.effect.getTiming();
  const travelling = [0.1, 0.5, 0.9].map((share) => {
    motion.currentTime = share * duration;
    return place();
  });
  motion.finish();
  return [...travelling, place()];
}"""


def test_page_respects_reduced_motion(read: Read) -> None:
    """The arrow is at rest at once; else it moves from right to left to the same position."""
    (at_rest,) = read(lecture()).page.evaluate(ARROW)
    *travelling, arrived = read(lecture(), reduced_motion="no-preference").page.evaluate(ARROW)
    assert travelling == sorted({*travelling}, reverse=True)
    assert arrived == pytest.approx(at_rest)


# Colours ----------------------------------------------------------------------------------------


def test_page_theme_follows_the_system_or_the_control(
    open_in_firefox: Any, dark_firefox: Any, tmp_path: Path
) -> None:
    """In Firefox, which takes the theme from its profile."""
    path = lecture().save(tmp_path / "page.html")
    paper = "getComputedStyle(document.body).backgroundColor"
    light, dark = open_in_firefox(path), Reader(open_in_firefox(path, browser=dark_firefox))
    assert light.evaluate(paper) == "rgb(255, 255, 255)"
    assert dark.page.evaluate(paper) == "rgb(20, 23, 27)"
    dark.button("More ▾").click()
    dark.page.get_by_label("Theme").select_option("light")
    assert dark.page.evaluate(paper) == "rgb(255, 255, 255)"


@pytest.mark.parametrize(("make", "scheme"), [(regularised, "light"), (network, "dark")])
def test_page_has_no_accessibility_violation_by_axe(
    make: Callable[[], Walk], scheme: str, read: Read, axe: Callable[[Any], Any]
) -> None:
    """At a wire, predicting, in the layer view, with everything under More and a dialog open."""
    page = read(make(), color_scheme=scheme)
    page.go(len(make()) - 1)
    assert axe(page.page) == []
    page.press("p")
    page.button("More ▾").click()
    assert axe(page.page) == []
    page.press("p")
    if page.page.get_by_role("radio", name="layer").count():
        page.view("layer")
        assert axe(page.page) == []
    page.graph.get_by_role("button").first.focus()
    page.press("Enter")
    assert axe(page.page) == []


@pytest.mark.parametrize("look", DISPLAY_SETTINGS, ids=str)
@pytest.mark.parametrize(
    ("make", "fragment"),
    [
        pytest.param(regularised, "#step=9", id="wire"),
        pytest.param(lambda: network((6, 1), inputs=3), "#step=14&view=layer", id="layer"),
    ],
)
def test_page_controls_are_visible(
    make: Callable[[], Walk], fragment: str, look: dict[str, Any], read: Read
) -> None:
    """In Predict mode, in the layer view with subgraphs, and with everything under More."""
    page = read(make(), fragment, limit=10, **look)
    page.button("More ▾").click()
    if page.button("Inputs").is_visible():
        page.button("Inputs").click()
    assert find_hidden_controls(page.page, 45) == []
    page.press("p")
    assert find_hidden_controls(page.page, 45) == []


# A phone ----------------------------------------------------------------------------------------

SMALL = """([finger, letter]) => {
  const seen = (selector) => [...document.querySelectorAll(selector)]
    .filter((part) => part.checkVisibility());
  const touched = seen("button, select, summary, .segments label, .tool label, "
    + "input:not([type=radio], [type=checkbox])").filter((part) => {
    const { width, height } = part.getBoundingClientRect();
    return Math.min(width, height) < finger - 0.5;
  });
  const read = seen("p, span, button, label, text, output, code, td").filter((part) => {
    const size = parseFloat(getComputedStyle(part).fontSize);
    const scale = part.ownerSVGElement ? part.getScreenCTM().a : 1;
    return part.textContent.trim() && part.getBoundingClientRect().width
      && size * scale < letter - 0.1;
  });
  return [...touched, ...read].map((part) => part.id || part.textContent);
}"""


@pytest.mark.parametrize("fragment", ["#step=3", "#step=14&view=layer", "#step=9&view=gate"])
def test_page_on_a_phone_has_large_targets_and_letters(fragment: str, read: Read) -> None:
    """Targets have 44 pixels, letters 14, also under More; the page is not too wide."""
    page = read(network((6, 1), inputs=3), fragment, limit=10, **PHONE)
    page.button("Inputs").tap()
    page.button("More ▾").tap()
    assert page.page.evaluate(SMALL, [FINGER, LETTER]) == []
    assert page.page.evaluate("document.documentElement.scrollWidth") == 390


def test_page_on_a_phone_shows_the_numbers_of_each_step(read: Read) -> None:
    """Between the graph and the bar, without scrolling by hand."""
    steps = regularised()
    page = read(steps, **PHONE)
    for step in steps[1:]:
        page.button("Next step").tap()
        numbers = page.panel.locator(".formula").last.bounding_box()
        covers = page.page.locator("#timeline").bounding_box()
        stage = page.graph.bounding_box()
        assert numbers["y"] >= stage["y"] + stage["height"] - 1, step
        assert numbers["y"] + numbers["height"] <= covers["y"] + 1, step
