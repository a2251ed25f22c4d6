"""Inputs of a step page: changes, gradient descent, finite differences, and Predict."""

from __future__ import annotations

import re

import pytest

from scalargrad import Parameter, Value, custom_op, dot, log, maximum, relu, square
from scalargrad import sum as add_up
from scalargrad.show.steps import Walk, walk

from .conftest import Read, Reader
from .graphs import labelled


def test_page_formula_follows_its_condition(read: Read) -> None:
    """ReLU's slope is 1 on the right and 0 on the left; max routes to the other operand."""
    x, y = Value(2.0, "x"), Value(1.0, "y")
    page = read(walk(labelled(relu(x) + maximum(x, y), "f")))
    page.press("End")
    assert "x receives ∂f/∂v1" in page.says
    page.box("x").fill("-3")
    assert "x receives nothing" in page.says
    assert page.nodes["x"] == ("= −3", "0")


def test_page_explains_an_undefined_input_and_keeps_the_last_valid_state(read: Read) -> None:
    """Log needs x > 0: the message says so, the box is invalid, and nothing is lost."""
    page = read(walk(labelled(log(Value(2.0, "x")) * 3.0, "f")))
    page.press("End")
    before, alert = page.nodes, page.page.get_by_role("alert")
    page.box("x").fill("-1")
    assert "log(x) is undefined at x = −1" in alert.text_content()
    assert page.box("x").get_attribute("aria-invalid") == "true"
    assert "The last valid state" in page.says
    assert page.nodes == before
    page.box("x").fill("")
    assert "write a number" in alert.text_content()
    page.box("x").fill("4")
    assert alert.text_content() == ""
    assert page.nodes["x"][0] == "= 4"


@pytest.mark.parametrize("width", [1280, 390])
def test_page_keeps_the_slider_while_its_box_has_the_focus(width: int, read: Read) -> None:
    """After typing 2 the slider works; a number of many digits covers it until Enter."""
    x, y = Value(1.0 / 3.0, "x"), Value(2.0, "y")
    page = read(walk(labelled(x * y, "f")), viewport={"width": width, "height": 844})
    if width == 390:
        page.button("Inputs").click()
    page.write("x", "2")
    slider = page.page.get_by_role("slider", name="x, slider")
    slider.click(trial=True)  # nothing covers it
    page.write("x", "2.000000000000001")
    assert page.box("x").bounding_box()["width"] > 190
    page.press("Enter")
    slider.click()
    assert page.nodes["x"][0] == "= 0"


def test_page_fixes_inputs_of_a_custom_operation(read: Read) -> None:
    """The page cannot call Python, and says so."""

    @custom_op(partials=lambda y, x: (3 * square(x),))
    def cube(x: float) -> float:
        return x**3

    page = read(walk(labelled(cube(Value(2.0, "x")) * 2.0, "f")))
    page.press("End")
    assert page.chip == "2 × 12 = 24"
    assert page.box("x").is_disabled()
    assert "Python function" in page.page.get_by_role("alert").text_content()
    assert "f changes by +0.24" in page.says


@pytest.mark.parametrize("width", [1440, 390])
def test_page_reports_another_branch_of_the_program(width: int, read: Read) -> None:
    """For 2·x if x > 0 else 0.1·x at −3 Python gives −0.3, the page −6, greyed and with a note."""
    x, y = Value(3.0, "x"), Value(2.0, "y")
    f = x * 2 if x > 0 else x * 0.1
    while abs(y * y - 2) > 0.5:
        y = y - (y * y - 2) / (2 * y)
    page = read(walk(labelled(f + y, "f")), viewport={"width": width, "height": 844})
    banner, drawn, worksheet = map(page.page.locator, ("#branch", "#viewport", "#worksheet"))
    assert not banner.is_visible()
    page.set(x=-3.0)
    said = " ".join(banner.inner_text().split())
    assert "x > 0 was true and is now false (3 > 0, now −3 > 0)" in said
    above, below = banner.bounding_box(), drawn.bounding_box()
    assert below["y"] >= above["y"] + above["height"]
    assert drawn.locator("svg").evaluate("drawing => getComputedStyle(drawing).opacity < 1")
    assert worksheet.is_disabled()
    page.set(x=3.0, y=1.5)
    assert "(|2| > 0.5, now |0.25| > 0.5)" in banner.inner_text()
    page.set(x=4.0, y=2.1)
    assert not banner.is_visible()
    assert worksheet.is_enabled()


# Under More -------------------------------------------------------------------------------------


def test_page_finite_difference_agrees_with_the_gradient(read: Read) -> None:
    """For each input."""
    page = read(walk(labelled(relu(Value(0.5, "x")) + square(Value(3.0, "y")), "f")))
    assert "gradient = 1: they agree" in checked(page, "x")
    assert "gradient = 6: they agree" in checked(page, "y")


def test_page_predicts_nothing_at_a_kink(read: Read) -> None:
    """At |x| + relu(y) + max(x, y) there is no prediction for x = 0, but one for x = 2."""
    x, y = Value(0.0, "x"), Value(0.0, "y")
    page = read(walk(labelled(abs(x) + relu(y) + maximum(x, y), "f")))
    page.press("End")
    assert "0 is used by convention" in page.says
    assert "no prediction for a nudge of x" in page.says
    assert "predicts" not in page.says
    page.set(x=2.0, y=1.0)
    assert "kink" not in page.says
    assert "predicts that f changes by +0.02" in page.says
    assert "gradient = 2: they agree" in checked(page, "x")


@pytest.mark.parametrize(("name", "left", "right"), [("x", "−1", "2"), ("y", "0", "2")])
def test_page_finite_difference_reports_the_convention_at_a_kink(
    name: str, left: str, right: str, read: Read
) -> None:
    """For |x| + relu(y) + max(x, y) at 0 the gradients are means of the slopes."""
    x, y = Value(0.0, "x"), Value(0.0, "y")
    report = checked(read(walk(labelled(abs(x) + relu(y) + maximum(x, y), "f"))), name)
    assert f"slope to the left ≈ {left}, to the right ≈ {right}; gradient = 0.5" in report
    assert "a convention" in report
    assert "agree" not in report


def test_page_finite_difference_agrees_on_both_sides_of_a_smooth_kink(read: Read) -> None:
    """For x·|x| at 0, whose slope is 2|x|."""
    x = Value(0.0, "x")
    assert "both agree" in checked(read(walk(labelled(x * abs(x), "f"))), "x")


def test_page_layer_view_names_kinks(read: Read) -> None:
    """For a ReLU unit whose sum is 0, in the layer view, and for a gate of many operands."""
    weights, x = [[1.0, 2.0], [3.0, -1.0]], [Value(0.0, "x0"), Value(0.0, "x1")]
    page = read(walk(labelled(add_up([relu(dot(map(Parameter, w), x)) for w in weights]), "f")))
    page.view("layer")
    page.press("End")
    assert "ReLU has a kink or jump at" in page.says
    inputs = [Value(1.0, f"x{i}") for i in range(5)]
    page = read(walk(labelled(maximum(*inputs), "f")))
    page.view("gate")
    page.press("End")
    assert "0.2 is used by convention" in page.says


def checked(page: Reader, name: str) -> str:
    """Return the result of a finite difference of an input."""
    if page.page.get_by_role("region", name="More").is_hidden():
        page.button("More ▾").click()
    page.page.get_by_role("combobox", name=re.compile("^Input")).select_option(label=name)
    page.tool("Check")
    said: str = page.page.locator("#check-result").inner_text()
    return " ".join(said.split())


def test_page_gradient_descent_moves_the_chosen_inputs(read: Read) -> None:
    """On (w - 3)² + x², eleven steps of 0.1 leave 0.8²² of w's part, and x untouched."""
    page = read(walk(labelled(square(Parameter(0.0, "w") - 3.0) + square(Value(1.0, "x")), "f")))
    page.tool("1 step")
    page.tool("10 steps")
    output = page.page.evaluate("scalargrad.numbers().data.at(-1)")
    assert output == pytest.approx(9.0 * 0.8**22 + 1.0, rel=1e-12)
    assert page.box("x").input_value() == "1"
    assert page.page.get_by_text("10 steps: f from 6.76 to 1.066, it fell").is_visible()


# Predict ----------------------------------------------------------------------------------------


def product() -> Walk:
    """Walk through (x + y)z·2 at (-2, 5, -4): back from q, -8·1; to z, 2·3."""
    q = labelled(Value(-2.0, "x") + Value(5.0, "y"), "q")
    return walk(labelled(labelled(q * Value(-4.0, "z"), "p") * 2.0, "f"))


def asked(read: Read, steps: Walk, place: str) -> Reader:
    """Open a walk in Predict mode at one of its steps."""
    page = read(steps)
    page.press("p")
    page.go(1 + next(step.index for step in steps if step.place == place))
    return page


def reply(page: Reader, answer: str) -> str:
    """Answer, and return the reply of the page."""
    page.page.get_by_role("textbox").fill(answer)
    page.press("Enter")
    return page.told


def test_page_predict_hides_the_answer(read: Read) -> None:
    """Play waits for an answer, moving back asks again, and the gate view ends Predict."""
    page = asked(read, product(), "p → z")
    page.page.clock.install()
    page.button("Play").click()
    page.page.clock.run_for(10_000)
    assert page.page.get_by_role("textbox").count() == 1
    reply(page, "3")
    reply(page, "6")
    page.press("ArrowRight", "ArrowLeft")
    assert page.page.get_by_role("textbox").count() == 1
    page.view("gate")
    assert page.button("Predict").get_attribute("aria-pressed") == "false"
    assert "?" not in page.chip
