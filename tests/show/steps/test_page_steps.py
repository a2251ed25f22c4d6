"""The page at every step, in a real Chromium: its numbers, its words, what it marks."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scalargrad import Parameter, Value, square, tanh
from scalargrad import exp as grow
from scalargrad.nn import MLP
from scalargrad.show.number_format import number
from scalargrad.show.steps import Step, Walk, walk

from .graphs import labelled, lecture, neuron, regularised, routing

HOSTILE = "</script><img src=x onerror=\"document.title='pwned'\"><!--{{walk}}"


def network() -> Walk:
    """Walk through a small network and its loss."""
    random.seed(1)
    model = MLP(2, [3, 1], activation="tanh")
    return walk(labelled(square(model([Value(1.0, "x1"), Value(-2.0, "x2")]) - 1.0), "loss"))


WALKS = [lecture, neuron, regularised, routing, network]
every_walk = pytest.mark.parametrize("make", WALKS)


def shown(x: float | None) -> str:
    """Write a number as the graph does, with a true minus sign."""
    assert x is not None
    return number(x).replace("-", "−")


def in_graph(page: Any, id: str, kind: str) -> str:
    """Return the number above or below the wire of a node."""
    inside = " .value" if kind == "value" else ""
    text: str = page.locator(f"#{id}-{kind}{inside}").text_content()
    return text


def visible_chip(page: Any) -> str:
    """Return the product on the active wire, its pieces joined."""
    return " ".join(page.locator(".chip text").all_text_contents())


# Every step -------------------------------------------------------------------------------------


# What the page shows at every step, the next one each time by its key.
AT_EVERY_STEP = """(count) => {
  const written = (selector) =>
    [...document.querySelectorAll(selector)].map((part) => part.textContent);
  const { nodes } = JSON.parse(document.getElementById("walk").textContent);
  return Array.from({ length: count }, () => {
    const now = {
      counter: written("#counter"),
      signs: written(".chip .sign"),
      gradients: written(".chip .gradient"),
      local: written(".chip .local"),
      wires: nodes.map((_, i) =>
        [...written(`#n${i}-value .value`), ...written(`#n${i}-gradient`)]),
    };
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true }));
    return now;
  });
}"""


@every_walk
def test_every_step_shows_its_numbers_and_hides_those_to_come(make: Any, open_page: Any) -> None:
    """Values appear when their gate is computed, gradients when their last term has arrived."""
    steps = make()
    scene = steps.scene
    shows = open_page(steps).evaluate(AT_EVERY_STEP, len(steps))
    totals: dict[Value, Step] = {}
    for position, (step, now) in enumerate(zip(steps, shows, strict=True)):
        assert now["counter"] == [f"{position + 1}/{len(steps)}"]
        if step.parent is not None:
            totals[step.parent] = step
            assert now["gradients"] == [shown(step.upstream), shown(step.contribution)]
            assert [text.strip("()") for text in now["local"]] == [shown(step.local)]
            assert now["signs"][1] in {"=", "≈"}
        for node, wire in zip(scene.order, now["wires"], strict=True):
            known = scene.is_known(node, position)
            last = totals.get(node)
            expected = ""
            if node is scene.root:
                expected = "1" if position >= scene.seed_at else ""
            elif last is not None:
                done = last.arrived == last.expected
                expected = shown(last.total) if done else f"Σ {last.arrived}/{last.expected}"
            assert wire == [shown(scene.data[node]) if known else "", expected]


def test_the_lecture_s_graph_reads_as_specified(open_page: Any) -> None:
    """(x + y)z has eight positions, and each says its numbers and its pattern."""
    page = open_page(lecture())
    panel = page.locator("#panel")
    expected = [
        ["inputs", "x=−2", "y=5", "z=−4"],
        ["q=x+y=3"],
        ["f=q·z=3·(−4)=−12"],
        ["∂f∂f=1"],
        ["∂f∂z=1·q", "1·3=3", "swap multiplier: z receives 1·q"],
        ["∂f∂q=1·z", "1·(−4)=−4", "swap multiplier: q receives 1·z"],
        ["∂f∂y=∂f∂q·∂q∂y", "(−4)·1=−4", "distributor: y receives ∂f/∂q"],
        ["(−4)·1=−4", "nudge x by +0.01: f changes by −0.04"],
    ]
    for pieces in expected:
        said = panel.text_content()
        assert [piece for piece in pieces if piece not in said] == []
        page.keyboard.press("ArrowRight")


def test_a_fan_out_announces_collects_and_completes_its_sum(open_page: Any) -> None:
    """Two terms for w̄: announced at the seed, 1 of 2, then complete; each wire keeps its own."""
    steps = regularised()
    page = open_page(steps)
    page.keyboard.press("n")
    page.evaluate(f"scalargrad.goTo({steps.scene.seed_at + 1})")
    assert "w feeds 2 gates; w̄ needs 2 terms" in page.locator("#panel").text_content()
    w = next(leaf for leaf in steps.scene.inputs if leaf.label == "w")
    by_a, by_u = (step for step in steps if step.parent is w)
    page.evaluate(f"scalargrad.goTo({by_a.index + 1})")
    assert "w̄ ≈ −0.1398 + ?, 1 of 2" in page.locator("#panel .sum").text_content()
    assert in_graph(page, f"n{steps.scene.order.index(w)}", "gradient") == "Σ 1/2"
    page.evaluate(f"scalargrad.goTo({by_u.index + 1})")
    told = page.locator("#panel .sum").text_content()
    assert told == "w̄ ≈ −0.1398 + 0.05 = −0.0898, complete: adder at a fan-out"
    taps = page.locator(".tap:not(.empty) text").all_text_contents()
    assert sorted(taps) == ["0.05", "−0.1398"]


def test_a_zero_local_stops_the_gradient_visibly(open_page: Any) -> None:
    """The wire of an operand that max did not choose is hatched and says so."""
    steps = routing()
    page = open_page(steps)
    page.evaluate("scalargrad.goTo(6)")
    assert visible_chip(page) == "2 × 0 = 0 stops here"
    page.keyboard.press("ArrowRight")
    dead = page.locator("path.dead.enters")
    assert dead.count() == 1
    assert dead.evaluate("line => getComputedStyle(line).strokeDasharray") != "none"


def test_saved_values_are_ringed(open_page: Any) -> None:
    """The local derivative of z reads q, which was kept from the forward pass."""
    page = open_page(lecture())
    page.evaluate("scalargrad.goTo(5)")
    assert page.locator(".ring-label").all_text_contents() == ["saved"]
    page.keyboard.press("End")
    assert page.locator(".ring").count() == 0


def test_the_word_saved_is_read_over_a_wire_that_it_lies_on(open_page: Any) -> None:
    """Each letter has a rim of paper, under the letter and over the wire."""
    page = open_page(lecture())
    page.evaluate("scalargrad.goTo(6)")
    style = "label => ['stroke', 'paintOrder'].map((name) => getComputedStyle(label)[name])"
    rim = page.locator(".ring-label").evaluate(style)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert rim == [paper, "stroke"]


def test_labels_do_nothing_but_appear(open_page: Any) -> None:
    """Markup in a label runs nothing and loads nothing, wherever the page writes it."""
    x = Parameter(3.0, HOSTILE)
    steps = walk(labelled(square(x) * x, HOSTILE))
    page = open_page(steps)
    for _ in range(3):
        for _step in steps:
            page.keyboard.press("ArrowRight")
        page.keyboard.press("Home")
        page.keyboard.press("n")
    page.locator("#n0").focus()
    page.keyboard.press("Enter")
    assert HOSTILE in page.locator("#node-sum").text_content()
    assert page.locator("img").count() == 0
    assert page.title().startswith("Backpropagation through </script>")


def test_a_walk_through_one_leaf_has_a_page(open_page: Any) -> None:
    """Inputs and seed; there is no gate."""
    page = open_page(walk(Value(2.0, "x")))
    page.keyboard.press("End")
    assert page.locator("#counter").text_content() == "2/2"
    assert in_graph(page, "n0", "gradient") == "1"


def test_infinite_numbers_are_shown_as_they_are(open_page: Any) -> None:
    """A page of an overflow opens; inf and nan travel."""
    page = open_page(walk(labelled(grow(Value(800.0, "x")) * 2.0, "f")))
    page.keyboard.press("End")
    assert in_graph(page, "n2", "value") == "inf"


def test_names_stand_before_an_equals_sign_only_if_the_number_is_exact(open_page: Any) -> None:
    """tanh(40) is not 1, so the slope there is not 0; tanh(0) is 0. In the graph and below it."""
    h, r = labelled(tanh(Value(40.0, "x")), "h"), Value(1.0, "y") * Value(2.0, "z")
    page = open_page(walk(labelled(h * labelled(r, "r"), "f")))
    page.keyboard.press("End")
    for x, value, gradient in ((40.0, "≈ 1", "≈ 0"), (0.0, "= 0", "= 2")):
        page.evaluate("x => scalargrad.setInputs({ x })", x)
        drawn = " ".join(page.locator("[id$='-value']").all_text_contents())
        assert f"h {value}".replace(" ", "") in drawn.replace(" ", "")
        assert page.get_by_text(f"∂f/∂x {gradient}").count() == 1
        assert page.locator(f"[aria-label*='h {value}, gradient 2']").count() == 1
