"""Use of a step page: move, change inputs, predict, open subgraphs, use keys.

These five tests always run in Chromium, and in Firefox with the wide tests.
"""

from __future__ import annotations

import re

from .conftest import Read
from .graphs import lecture, network, regularised, shown

TOLD = [
    "x = −2, y = 5, z = −4",
    "q = x + y = 3",
    "f = q·z = 3·(−4) = −12",
    "∂f/∂f = 1",
    "∂f/∂z = 1·q = 1·3 = 3. swap multiplier",
    "∂f/∂q = 1·z = 1·(−4) = −4. swap multiplier",
    "∂f/∂y = ∂f/∂q·∂q/∂y = (−4)·1 = −4. distributor",
    "∂f/∂x = ∂f/∂q·∂q/∂x = (−4)·1 = −4. distributor: x receives ∂f/∂q. nudge x by +0.01",
]
PRODUCTS = ["", "", "", "", "1 × 3 = 3", "1 × (−4) = −4", "−4 × 1 = −4", "−4 × 1 = −4"]


def test_page_steps_forwards_and_back(read_anywhere: Read) -> None:
    """(x + y)z at (-2, 5, -4) in eight positions: numbers appear when they are known."""
    page = read_anywhere(lecture())
    seen = []
    for position, product in enumerate(PRODUCTS, 1):
        assert page.at == f"{position}/8"
        assert page.chip == product
        seen.append((page.says, page.nodes))
        page.press("ArrowRight")
        if position < 8:
            assert TOLD[position] in page.told
    unknown = ("", "")
    first = {"x": ("= −2", ""), "y": ("= 5", ""), "z": ("= −4", ""), "q": unknown, "f": unknown}
    assert seen[0][1] == first
    assert seen[2][1] == {**first, "q": ("= 3", ""), "f": ("= −12", "")}
    values, gradients = zip(*seen[7][1].values(), strict=True)
    assert sorted(gradients) == sorted(["−4", "−4", "−4", "3", "1"])
    drawn = page.drawn
    numbers = [number for text in drawn for number in re.findall(r"−?\d+$", text)]
    on_wires = [*gradients, *(value.split()[1] for value in values)]
    assert sorted(numbers) == sorted([*on_wires, *page.chip.split()[::2]])
    for says, nodes in reversed(seen):
        assert (page.says, page.nodes) == (says, nodes)
        page.press("ArrowLeft")
    page.button("Last step").click()
    page.button("Previous step").click()
    assert page.at == "7/8"
    page.button("First step").click()
    page.button("Next step").click()
    assert page.at == "2/8"


def test_page_recomputes_the_current_step_at_a_new_input(read_anywhere: Read) -> None:
    """By its box or by keys on its slider: q·z at x = 5, y = 5, z = 0.5 is 5; Reset restores it."""
    page = read_anywhere(lecture())
    page.press("End")
    page.write("z", "0.5")
    assert page.at == "8/8"
    assert page.nodes["f"] == ("= 1.5", "1")
    assert "0.5·1=0.5" in page.says
    assert "f changes by +0.005" in page.says
    page.page.get_by_role("slider", name="x, slider").focus()
    page.press("End")
    assert page.box("x").input_value() == "5"
    assert page.nodes["f"] == ("= 5", "1")
    page.button("Reset inputs").click()
    assert [page.box(name).input_value() for name in "xyz"] == ["-2", "5", "-4"]
    assert page.nodes["f"] == ("= −12", "1")


def test_page_predict_checks_answers(read_anywhere: Read) -> None:
    """The product is blank until it is answered; the reply distinguishes mistakes."""
    steps = regularised()
    page = read_anywhere(steps)
    page.press("p")
    step = next(step for step in steps if step.place == "a → x")  # -0.06991·0.5
    page.go(step.index + 1)
    assert page.nodes["x"][1] == "?"
    page.page.keyboard.type("0.5")
    page.press("Enter")
    assert page.nodes["x"][1] == "?"
    for answer, reply in (
        ("0.5", "Forgotten upstream"),
        ("0.03495", "Wrong sign"),
        ("7", "Not yet"),
    ):
        page.page.keyboard.type(answer)
        page.press("Enter")
        assert page.page.get_by_text(reply).first.is_visible()
    page.page.keyboard.type("-0.035")
    page.press("Enter")
    assert "Right" in page.told
    assert page.nodes["x"][1] == shown(step.contribution) == "−0.03495"
    page.press("p")
    assert page.page.get_by_role("textbox").count() == 0


def test_page_subgraph_opens_at_a_click_and_the_path_leads_back(read_anywhere: Read) -> None:
    """Whole graph › MLP › Layer 1 › Neuron 2; a step opens its own drawing."""
    steps = network()
    page = read_anywhere(steps)
    page.view("wire")  # in the layer view the page shows the enclosing drawing
    for name in ("MLP", "Layer 1", "Neuron 2"):
        page.graph.get_by_role("button", name=re.compile(f"^{name}.*opens its drawing")).click()
    path = page.page.get_by_role("navigation", name="Subgraphs").locator("li")
    assert [x.strip(" ›") for x in path.all_text_contents()] == [
        *("whole graph", "MLP", "Layer 1", "Neuron 2")
    ]
    page.button("Up to the enclosing drawing").click()
    page.press("u")
    assert "Opened whole graph › MLP" in page.told
    page.panel.focus()
    page.press("ArrowRight")
    assert "In whole graph › MLP › Layer 1 › Neuron 1." in page.told
    first = next(step.node for step in steps[1:])
    assert first is not None
    assert any(value.endswith(shown(first.data)) for value, _ in page.nodes.values())


def test_page_is_usable_by_keyboard(read_anywhere: Read) -> None:
    """Tab visits nodes in sweep order, Enter opens a full sum; keys have no effect while typing."""
    steps = regularised()
    page = read_anywhere(steps)
    page.press("End")
    names = [*page.nodes]
    page.graph.locator("[role=button]").first.focus()
    visited = []
    for _ in names:
        visited.append(page.page.evaluate("document.activeElement.getAttribute('aria-label')"))
        page.press("Tab")
    assert all(f": {name} " in label for name, label in zip(names, visited, strict=True))
    page.graph.get_by_role("button", name=re.compile(r": w =")).focus()
    page.press("Enter")
    assert "−0.1398 + 0.05 ≈ −0.08981" in page.dialog()
    assert f"exactly {steps[-1].total}".replace("-", "−") in page.dialog()
    page.press("Escape")
    assert page.page.get_by_role("dialog").count() == 0
    page.go(steps.graph.seed_at + 1)
    page.press("Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowLeft", "Shift+ArrowLeft")
    assert page.at == f"{steps.graph.seed_at + 1}/{len(steps)}"
    page.press("?")
    assert "next and previous step" in page.dialog()
    page.press("Escape")
    page.box("x").focus()
    page.press("Home", "ArrowRight", "p", "n")
    assert page.at == f"{steps.graph.seed_at + 1}/{len(steps)}"
    assert page.button("Predict").get_attribute("aria-pressed") == "false"
