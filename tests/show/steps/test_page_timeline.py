"""Moving through the page: buttons, keys, views, playing, links, what is announced."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scalargrad import Value, square, tanh
from scalargrad.show.steps import walk

from .graphs import labelled, lecture, regularised


def in_graph(page: Any, id: str, kind: str) -> str:
    """Return the number above or below the wire of a node."""
    inside = " .value" if kind == "value" else ""
    text: str = page.locator(f"#{id}-{kind}{inside}").text_content()
    return text


def counter(page: Any) -> str:
    """Return where the page says it is."""
    text: str = page.locator("#counter").text_content()
    return text


def test_arrows_home_and_end_move_and_undo(open_page: Any) -> None:
    """Going back shows less again."""
    page = open_page(lecture())
    assert counter(page) == "1/8"
    page.keyboard.press("End")
    assert counter(page) == "8/8"
    page.keyboard.press("ArrowRight")
    assert counter(page) == "8/8"
    page.keyboard.press("ArrowLeft")
    assert counter(page) == "7/8"
    assert in_graph(page, "n0", "gradient") == ""
    page.keyboard.press("Home")
    assert counter(page) == "1/8"
    assert page.locator("#n2-value .value").text_content() == ""


def test_buttons_and_the_scrubber_move_too(open_page: Any) -> None:
    """First, previous, next, last and the slider are one timeline."""
    page = open_page(lecture())
    page.get_by_role("button", name="Last step").click()
    page.get_by_role("button", name="Previous step").click()
    assert counter(page) == "7/8"
    page.get_by_role("button", name="First step").click()
    page.get_by_role("button", name="Next step").click()
    assert counter(page) == "2/8"
    page.locator("#scrubber").focus()
    page.keyboard.press("ArrowRight")
    assert counter(page) == "3/8"


def test_shift_and_arrows_move_by_gates(open_page: Any) -> None:
    """From the seed to the first wire of ×, then to that of +, and back."""
    page = open_page(lecture())
    page.evaluate("scalargrad.goTo(4)")
    seen = []
    for key in ["ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft"]:
        page.keyboard.press(f"Shift+{key}")
        seen.append(counter(page))
    assert seen == ["5/8", "7/8", "5/8", "4/8"]


def test_gate_view_shows_a_gate_s_operands_together(open_page: Any) -> None:
    """Six stops for (x + y)z: inputs, two gates, the seed, and each gate once on the way back."""
    page = open_page(lecture())
    page.get_by_role("radio", name="gate").check()
    page.keyboard.press("Escape")
    page.locator("#panel").focus()
    page.keyboard.press("End")
    assert counter(page) == "6/6"
    assert page.locator("#panel .sentence").all_text_contents() == [
        "From q back to y: upstream ∂f/∂q times local ∂q/∂y.",
        "From q back to x: upstream ∂f/∂q times local ∂q/∂x.",
    ]
    assert page.locator(".chip").count() == 2


def test_arrows_move_the_steps_after_a_click_on_a_view(open_page: Any) -> None:
    """The clicked choice does not keep them; chosen by keyboard, it does."""
    page = open_page(lecture())
    page.locator("input[value=gate]").click()
    page.keyboard.press("ArrowRight")
    assert counter(page) == "2/6"
    page.locator("input[value=gate]").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("input[value=wire]").is_checked()


def test_keys_belong_to_a_control_in_which_someone_types(open_page: Any) -> None:
    """An arrow, P or N in a number box moves no step and changes no mode."""
    page = open_page(lecture())
    page.get_by_role("spinbutton", name="x", exact=True).focus()
    for key in ("Home", "ArrowRight", "p", "n"):
        page.keyboard.press(key)
    assert counter(page) == "1/8"
    assert page.locator("#predict").get_attribute("aria-pressed") == "false"


def test_nothing_plays_by_itself_and_space_plays_and_pauses(open_page: Any) -> None:
    """Play moves without announcing each step; it stops at the end."""
    page = open_page(lecture())
    page.clock.install(time=0)
    page.clock.pause_at(60)
    page.reload()
    page.clock.run_for(10_000)
    assert counter(page) == "1/8"
    page.keyboard.press("Space")
    page.clock.run_for(3_300)
    assert counter(page) == "3/8"
    assert page.locator("#announcement").text_content() == ""
    page.keyboard.press("Space")
    page.clock.run_for(10_000)
    assert counter(page) == "3/8"
    page.locator("#play").click()
    page.clock.run_for(30_000)
    assert counter(page) == "8/8"
    assert page.locator("#play").text_content() == "Play"


def test_manual_steps_are_announced(open_page: Any) -> None:
    """A screen reader hears the position, the sentence, the chain rule and the remarks."""
    page = open_page(lecture())
    page.evaluate("scalargrad.goTo(7)")
    page.keyboard.press("ArrowRight")
    assert page.locator("#announcement").text_content() == (
        "Step 8 of 8. From q back to x: upstream ∂f/∂q times local ∂q/∂x. "
        "∂f/∂x = ∂f/∂q·∂q/∂x = (−4)·1 = −4. distributor: x receives ∂f/∂q. "
        "nudge x by +0.01: f changes by −0.04."
    )


def test_tab_visits_nodes_in_sweep_order_and_enter_opens_the_sum(open_page: Any) -> None:
    """x, y, q, z, f; the dialog has every term and the exact number, and Escape closes it."""
    steps = regularised()
    page = open_page(steps)
    page.keyboard.press("End")
    page.locator("#n0").focus()
    visited = []
    for _ in steps.scene.order:
        visited.append(page.evaluate("document.activeElement.id"))
        page.keyboard.press("Tab")
    assert visited == [f"n{i}" for i in range(len(steps.scene.order))]
    names = [steps.scene.names[node] for node in steps.scene.order]
    page.locator(f"#n{names.index('w')}").focus()
    page.keyboard.press("Enter")
    opened = page.locator("#node-sum")
    assert opened.is_visible()
    assert opened.locator("li").count() == 2
    assert "exactly −0.0898107106836696" in opened.text_content()
    page.keyboard.press("Escape")
    assert not opened.is_visible()


def test_the_whole_page_can_be_used_by_keyboard(open_page: Any) -> None:
    """Every control is reached with Tab and shows where the focus is."""
    page = open_page(lecture())
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert reached >= {
        *("view", "notation", "predict", "help", "n0", "n4", "first", "previous", "next", "last"),
        *("scrubber", "play", "box-0", "reset", "more", "panel"),
    }
    page.keyboard.press("?")
    assert page.locator("#help-text").is_visible()


def test_notations_change_with_n(open_page: Any) -> None:
    """∂f/∂q, q̄ and, as q enters a unit, δ_q are three names of one number."""
    q = labelled(Value(2.0, "x") + Value(3.0, "y"), "q")
    page = open_page(walk(labelled(square(tanh(q)), "f")))
    page.evaluate("scalargrad.goTo(8)")
    said = []
    for _ in range(3):
        said.append(page.locator("#panel .sentence").text_content())
        page.keyboard.press("n")
    assert [re.search("upstream (.*) times", text)[1] for text in said] == ["∂f/∂q", "q̄", "δq"]  # type: ignore[index]


def test_a_link_opens_at_its_step_view_notation_and_inputs(open_page: Any) -> None:
    """The fragment the page makes restores what it was made from."""
    page = open_page(lecture())
    page.evaluate("scalargrad.setInputs({x: 1.5})")
    page.evaluate("scalargrad.goTo(6)")
    page.keyboard.press("n")
    page.locator("#more").click()
    page.locator("#link").click()
    link = page.locator("#link-text").input_value()
    fragment = "#" + link.partition("#")[2]
    assert fragment == "#step=6&view=wire&notation=bar&n0=1.5"
    again = open_page(lecture(), fragment)
    assert counter(again) == "6/8"
    assert again.locator("#box-0").input_value() == "1.5"
    assert again.get_by_role("radio", name="x bar").is_checked()
    assert in_graph(again, "n4", "value") == "−26"


@pytest.mark.parametrize(
    "fragment", ["#step=999", "#step=-3&view=no&n0=abc&n99=1", "#%E0%A4%A", "#"]
)
def test_a_wrong_link_is_harmless(fragment: str, open_page: Any) -> None:
    """What it cannot use it leaves out."""
    page = open_page(lecture(), fragment)
    assert counter(page) in {"1/8", "8/8"}
    assert page.locator("#box-0").input_value() == "-2"


def test_part_of_a_walk_is_a_page_of_those_steps(open_page: Any) -> None:
    """The backward pass alone has four positions, with everything before it known."""
    page = open_page(lecture()[4:])
    assert counter(page) == "1/4"
    assert in_graph(page, "n3", "gradient") == "3"
