"""The inputs of the page: recomputing at once, undefined points, descent, differences."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest

from scalargrad import Parameter, Value, custom_op, dot, jit, log, maximum, relu, square, tanh
from scalargrad.show.steps import Walk, walk

from .graphs import labelled


def lecture(x: float = -2.0, y: float = 5.0, z: float = -4.0) -> Walk:
    """Walk through (x + y)z."""
    q = labelled(Value(x, "x") + Value(y, "y"), "q")
    return walk(labelled(q * Value(z, "z"), "f"))


def box(page: Any, name: str) -> Any:
    """Return the number box of an input."""
    return page.get_by_role("spinbutton", name=name, exact=True)


def test_an_input_recomputes_the_step_one_is_at(open_page: Any) -> None:
    """At the last step, a new x changes values, products, texts and its own nudge."""
    page = open_page(lecture())
    page.keyboard.press("End")
    box(page, "z").fill("0.5")
    assert page.locator("#n4-value .value").text_content() == "1.5"
    assert page.locator("#counter").text_content() == "8/8"
    panel = page.locator("#panel").text_content()
    assert "0.5·1=0.5" in panel
    assert "nudge x by +0.01: f changes by +0.005" in panel


@pytest.mark.parametrize("width", [1280, 1920])
def test_a_box_in_which_one_writes_shows_the_number_and_its_name(
    width: int, open_page: Any
) -> None:
    """In focus it grows over its slider; it once grew over the name before that as well."""
    names = ["annual_percentage_rate_of_the_mortgage", "initial_concentration_of_the_reagent"]
    page = open_page(
        walk(Value(1.5, names[0]) * Value(2.0, names[1]) * Value(3.0, "x")),
        viewport={"width": width, "height": 720},
    )
    boxes = page.locator(".field input[type=number]")
    for i in range(3):
        boxes.nth(i).fill("1.23456789012345e-300")
        grown = boxes.nth(i).bounding_box()
        name = page.locator(".field .chip-name").nth(i).bounding_box()
        assert grown["x"] >= name["x"] + name["width"]
        assert grown["x"] + grown["width"] <= name["x"] + width / 3
        assert boxes.nth(i).evaluate("box => box.scrollWidth <= box.clientWidth")


def test_of_very_many_inputs_the_data_are_listed_before_parameters(open_page: Any) -> None:
    """Of 80 weights and 2 inputs it lists twelve, both inputs on top, and counts the others."""
    weights = [Parameter(float(k), f"w{k}") for k in range(80)]
    total = dot(weights, [Value(3.0, "x0"), Value(5.0, "x1")] * 40)
    page = open_page(walk(labelled(total, "f")))
    rows = page.locator("#panel .formula math").all_text_contents()
    assert rows[:3] == ["x0=3", "x1=5", "w0=0"]
    assert len(rows) == 12
    assert page.locator("#panel .extent").text_content() == "and 70 more"


def test_the_slider_and_the_box_are_one_input(open_page: Any) -> None:
    """Moving one moves the other; the slider can be moved by keys."""
    page = open_page(lecture())
    page.keyboard.press("End")
    slider = page.get_by_role("slider", name="x, slider")
    slider.focus()
    page.keyboard.press("End")
    assert box(page, "x").input_value() == "5"
    box(page, "x").fill("-1")
    assert float(slider.input_value()) == -1.0
    assert page.locator("#n2-value .value").text_content() == "4"


def test_a_formula_changes_where_its_condition_does(open_page: Any) -> None:
    """ReLU's slope is 1 on the right and 0 on the left; max routes to the other operand."""
    x, y = Value(2.0, "x"), Value(1.0, "y")
    page = open_page(walk(labelled(relu(x) + maximum(x, y), "f")))
    page.keyboard.press("End")
    assert "gradient router: x receives ∂f/∂v1" in page.locator("#panel").text_content()
    box(page, "x").fill("-3")
    assert "x receives nothing, it stops here" in page.locator("#panel").text_content()


def test_reset_restores_the_recorded_numbers(open_page: Any) -> None:
    """All inputs at once."""
    page = open_page(lecture())
    box(page, "x").fill("7")
    box(page, "y").fill("8")
    page.get_by_role("button", name="Reset inputs").click()
    assert [box(page, name).input_value() for name in "xyz"] == ["-2", "5", "-4"]


def test_an_undefined_input_is_explained_and_the_last_valid_state_kept(open_page: Any) -> None:
    """Log needs x > 0: the message says so, the graph is greyed, nothing is lost."""
    page = open_page(walk(labelled(log(Value(2.0, "x")) * 3.0, "f")))
    page.keyboard.press("End")
    before = page.locator("#n2-value .value").text_content()
    box(page, "x").fill("-1")
    told = page.locator("#undefined").text_content()
    assert told == "log(x) is undefined at x = −1: it needs x > 0. The last valid state is kept."
    assert box(page, "x").get_attribute("aria-invalid") == "true"
    assert page.locator("#stage").evaluate("stage => stage.classList.contains('greyed')")
    assert page.locator("#n2-value .value").text_content() == before
    page.locator("#panel").focus()
    page.keyboard.press("Home")
    assert page.locator("#counter").text_content() == "1/6"
    box(page, "x").fill("4")
    assert page.locator("#undefined").text_content() == ""
    assert not page.locator("#stage").evaluate("stage => stage.classList.contains('greyed')")


def test_an_empty_box_waits_for_a_number(open_page: Any) -> None:
    """Deleting a number to type another is no error in the graph."""
    page = open_page(lecture())
    box(page, "x").fill("")
    assert page.locator("#undefined").text_content() == "x: write a number."
    box(page, "x").fill("1")
    assert page.locator("#undefined").text_content() == ""


def test_inputs_are_fixed_where_python_would_have_to_be_called(open_page: Any) -> None:
    """A custom operation is shown step by step, and the page says why nothing can be moved."""

    @custom_op(partials=lambda y, x: (3 * square(x),))
    def cube(x: float) -> float:
        return x**3

    page = open_page(walk(labelled(cube(Value(2.0, "x")) * 2.0, "f")))
    page.keyboard.press("End")
    assert page.locator(".chip").text_content() == "2×12=24"
    assert box(page, "x").is_disabled()
    assert "cube is a Python function" in page.locator("#undefined").text_content()


def test_a_compiled_function_is_a_gate_whose_inputs_are_fixed(open_page: Any) -> None:
    """Its page was a NotImplementedError; nudges are tried by running the program."""

    @jit
    def cube(x: Any) -> Any:
        return x**3

    page = open_page(walk(labelled(cube(Value(2.0, "x")) * 2.0, "f")))
    page.keyboard.press("End")
    assert page.locator(".chip").text_content() == "2×12=24"
    assert box(page, "x").is_disabled()
    assert "nudge x by +0.01: f changes by about +0.24" in page.content()


def test_choices_of_python_are_said_to_stay_while_inputs_are_moved(open_page: Any) -> None:
    """Of f = x if x > 0 else 0.1·x, recorded at 2, a page makes −1 at −1, and Python −0.1."""
    x = Value(2.0, "x")
    page = open_page(walk(labelled(x * 1.0 if x > 0 else x * 0.1, "f")))
    said = page.get_by_text("The gates stay as recorded")
    graph = page.locator("#viewport").bounding_box()
    page.keyboard.press("End")
    assert not said.is_visible()
    box(page, "x").fill("-1")
    assert page.locator("#n1-value .value").text_content() == "−1"
    assert said.is_visible()
    assert page.locator("#viewport").bounding_box() == graph
    page.locator("#reset").click()
    assert not said.is_visible()


def test_an_input_that_is_nan_has_not_been_moved(open_page: Any) -> None:
    """A NaN is not equal to itself; pages said that inputs were other than those recorded."""
    page = open_page(lecture(x=math.nan))
    said = page.get_by_text("The gates stay as recorded")
    assert not said.is_visible()
    box(page, "y").fill("1")
    assert said.is_visible()


def test_the_help_says_which_choices_stay(open_page: Any) -> None:
    """A graph records one path."""
    page = open_page(lecture())
    page.locator("#help").click()
    told = " ".join(page.locator("#help-text").text_content().split())
    assert "with if, max or where(x > 0, …), the choice stays as it was recorded" in told


def test_the_help_says_that_a_dotted_box_has_one_contribution(open_page: Any) -> None:
    """Of an input read at many places, the number below its wire there is not its gradient."""
    page = open_page(lecture())
    page.locator("#help").click()
    told = " ".join(page.locator("#help-text").text_content().split())
    assert "A dotted box beside a gate names again a node that stands elsewhere" in told
    assert "is one contribution to the gradient" in told


def test_the_notation_of_errors_is_offered_where_there_is_one(open_page: Any) -> None:
    """δ is ∂f/∂s of a sum that enters a unit: (x + y)z has none, and N passes over it."""
    page = open_page(lecture())
    assert page.locator("[name=notation]").count() == 2
    page.keyboard.press("End")
    said = []
    for _ in range(3):
        said.append(page.locator("#panel .formula.symbols").text_content())
        page.keyboard.press("n")
    assert said[0] == said[2] != said[1]
    unit = open_page(walk(labelled(tanh(Parameter(0.5, "w") * Value(2.0, "x")), "f")))
    assert unit.locator("[name=notation]").count() == 3


def test_a_finite_difference_agrees_with_the_gradient(open_page: Any) -> None:
    """For any input chosen; at a kink the page says that they differ."""
    page = open_page(walk(labelled(relu(Value(0.0, "x")) + square(Value(3.0, "y")), "f")))
    page.locator("#more").click()
    page.locator("#check-input").select_option(label="y")
    page.locator("#check").click()
    told = page.locator("#check-result").text_content()
    assert "≈ 6 with h = 3e−5; gradient = 6: they agree" in told
    page.locator("#check-input").select_option(label="x")
    page.locator("#check").click()
    assert "they differ: is this a kink" in page.locator("#check-result").text_content()


CUT_OFF = """() => {
  const chart = document.getElementById("descent-chart").getBoundingClientRect();
  const isOut = (box) => box.left < chart.left || box.right > chart.right;
  return [...document.querySelectorAll("#descent-chart text")]
    .filter((text) => isOut(text.getBoundingClientRect())).map((text) => text.textContent);
}"""


def test_long_numbers_beside_the_chart_of_descent_are_not_cut_off(open_anywhere: Any) -> None:
    """Downhill on -x⁴, to below -1e100: the first digits of a long number were out of sight."""
    page = open_anywhere(walk(labelled(-square(square(Value(3.0, "x"))), "f")))
    page.locator("#more").click()
    page.locator("#rate").fill("10")
    for _ in range(4):
        page.locator("#descend").click()
    words = page.locator("#descent-chart text").all_text_contents()
    assert max(map(len, words)) >= 8
    assert page.evaluate(CUT_OFF) == []


def test_gradient_descent_moves_the_chosen_inputs_and_the_output_falls(open_page: Any) -> None:
    """On (w - 3)² + x², ten steps of 0.1 leave (1 - 0.2)^20 of w's part, and x untouched."""
    w, x = Parameter(0.0, "w"), Value(1.0, "x")
    page = open_page(walk(labelled(square(w - 3.0) + square(x), "f")))
    page.locator("#more").click()
    page.locator("#descend").click()
    page.locator("#descend-ten").click()
    numbers = page.evaluate("scalargrad.numbers()")
    assert numbers["data"][-1] == pytest.approx(9.0 * 0.8**22 + 1.0, rel=1e-12)
    assert box(page, "x").input_value() == "1"
    told = page.locator("#descent-result").text_content()
    assert re.fullmatch(r"10 steps: f from 6\.76 to 1\.066, it fell\.", told)
    assert page.locator("#descent-chart circle").count() == 12
    assert page.locator("#descent-chart text").all_text_contents() == [
        *("f", "1.066", "10", "0", "step", "11")
    ]


def test_descent_that_climbs_says_so_and_stops_before_it_is_undefined(open_page: Any) -> None:
    """Too large a rate is part of the lesson."""
    page = open_page(walk(labelled(square(Parameter(1.0, "w")), "f")))
    page.locator("#more").click()
    page.locator("#rate").fill("2")
    page.locator("#descend").click()
    assert "it rose: try a smaller rate" in page.locator("#descent-result").text_content()
    again = open_page(walk(labelled(log(Parameter(0.01, "w")), "g")))
    again.locator("#more").click()
    again.locator("#descend-ten").click()
    assert "0 steps" in again.locator("#descent-result").text_content()
    assert math.isclose(float(box(again, "w").input_value()), 0.01)


def test_the_status_tells_the_numbers_that_hold_now(open_page: Any) -> None:
    """What is told to a screen reader at a step is told again when an input changes."""
    page = open_page(lecture())
    status = page.locator("#announcement")
    page.evaluate("scalargrad.setInputs({x: 1})")
    assert status.text_content() == ""  # nobody has gone anywhere yet
    page.locator("#panel").focus()
    page.keyboard.press("End")
    before = status.text_content()
    assert "∂f/∂x" in before
    page.evaluate("scalargrad.setInputs({z: 10})")
    assert status.text_content() != before
    assert "= 10·1 = 10" in status.text_content()
    page.locator("#reset").click()
    assert "= (−4)·1 = −4" in status.text_content()
