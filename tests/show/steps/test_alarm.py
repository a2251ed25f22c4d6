"""What a walk says of numbers that are inf or nan: where the first is, and nothing false after it.

exp(800) overflows IEEE 754's doubles, whose largest is below e^710; the slope of √x at 0 is
infinite; 0·inf is nan.
"""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from scalargrad import Value, exp, log, sqrt
from scalargrad.show.steps import Walk, walk
from scalargrad.show.steps.view import View

from .graphs import labelled


def overflow() -> Walk:
    """Walk through 2·exp(x) at 800."""
    v = labelled(exp(Value(800.0, "x")), "v")
    return walk(labelled(v * 2.0, "f"))


def vertical() -> Walk:
    """Walk through √x at 0."""
    return walk(labelled(sqrt(Value(0.0, "x")), "f"))


def notes(steps: Walk) -> dict[int, list[str]]:
    """Return what is said of numbers that are not finite, by step."""
    found = {step.index: [n for n in step.notes() if "not finite" in n] for step in steps}
    return {index: said for index, said in found.items() if said}


def test_the_gate_that_overflows_is_named_once() -> None:
    """At its own step, with its operand and the remedy of `backward`'s error."""
    ((index, (said,)),) = notes(overflow()).items()
    assert index == 1
    assert said.startswith("first value that is not finite: v = exp(x) = exp(800) ≈ inf")
    assert "scale the operands of v, or guard them with where" in said


def test_a_gradient_that_is_infinite_is_named() -> None:
    """Every value of √x at 0 is finite, its slope is not."""
    ((index, (said,)),) = notes(vertical()).items()
    assert index == 3
    assert said.startswith("first gradient that is not finite: ∂f/∂x")
    assert "shift the operands of f, or guard them with where" in said  # 2·0 is 0 still


@pytest.mark.parametrize("x", [float("nan"), float("inf"), float("-inf")])
def test_an_input_that_is_not_finite_is_named(x: float) -> None:
    """It is where the trouble starts, at the first step."""
    assert [*notes(walk(Value(x, "x") * 2.0))] == [0]


def test_of_a_finite_graph_nothing_is_said() -> None:
    """Every number of x·2 is finite."""
    assert notes(walk(Value(3.0, "x") * 2.0)) == {}


def test_no_nudge_is_promised_of_an_infinite_output() -> None:
    """Infinity + 0.01 changes nothing, whatever the gradient of b."""
    b = Value(1.0, "b")
    steps = walk(exp(Value(800.0, "x")) + b)
    assert not [note for step in steps for note in step.notes() if "nudge" in note]


def test_zero_times_infinity_does_not_stop() -> None:
    """The way back through 0·log(x) at 0 brings 0 · inf = nan, not nothing."""
    x, zero = Value(1e-320, "x"), Value(0.0, "zero")
    steps = walk(log(x) * zero)
    assert steps[-1].contribution != steps[-1].contribution
    assert not [note for note in steps[-1].notes() if "stops here" in note]


def test_the_terminal_marks_the_first() -> None:
    """With an exclamation mark in front of its name, from its step on."""
    steps = overflow()
    console = Console(width=80, height=24, record=True)
    drawn = []
    for position in (0, 1, 4):
        console.print(View(steps).draw(position, console))
        drawn.append("! v" in console.export_text())
    assert drawn == [False, True, True]


# The page -------------------------------------------------------------------------------------


def test_the_page_marks_the_first_and_says_why(open_page: Any) -> None:
    """By colour, frame and sign on its gate, and in a sentence from its step on."""
    page = open_page(overflow())
    assert page.locator(".alarm-sign").count() == 0
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        assert page.locator(".alarm").count() == page.locator(".alarm-sign").count() == 1
        assert (
            "irst value that is not finite: v = exp(x)" in page.locator(".alarm-note").inner_text()
        )
    gate = page.locator("#n1 rect").first.bounding_box()
    mark = page.locator(".alarm").bounding_box()
    assert mark["x"] < gate["x"] < gate["x"] + gate["width"] < mark["x"] + mark["width"]


def test_the_page_marks_another_input(open_page: Any) -> None:
    """At x = 1 nothing overflows, and the alarm is over; at 800 it is back."""
    page = open_page(overflow())
    page.keyboard.press("End")
    for x, count in ((1, 0), (800, 1)):
        page.evaluate(f"scalargrad.setInputs({{x: {x}}})")
        assert page.locator(".alarm").count() == count


def test_an_input_that_is_not_finite_is_shown(open_page: Any) -> None:
    """A box of numbers would stay empty."""
    page = open_page(walk(labelled(Value(float("nan"), "x") * 2.0, "f")))
    assert page.locator("#box-0").input_value() == "nan"
    page.locator("#box-0").fill("3")
    page.evaluate("scalargrad.goTo(4)")
    assert page.locator("#n1-value .value").text_content() == "6"


def test_descent_says_why_it_stops(open_page: Any) -> None:
    """From √x at 0 the first step has no finite end; of nan nothing is said to fall."""
    page = open_page(vertical())
    page.locator("#more").click()
    page.locator("#descend").click()
    told = page.locator("#descent-result").text_content()
    assert told.startswith("0 steps. Stopped: ")
    assert "the next step would take x to −inf, for its gradient is inf." in told


def test_what_is_said_of_a_node_in_focus_follows_the_steps(lecture_page: Any) -> None:
    """No node is "not computed yet" at the last step."""
    page = lecture_page
    page.locator("#n4").focus()
    assert "not computed yet" in page.locator("#exact").text_content()
    page.keyboard.press("End")
    assert page.locator("#exact").text_content() == "exactly: f = −12; ∂f/∂f = 1"


@pytest.fixture(params=["open_page", "open_in_firefox"])
def lecture_page(request: Any, tmp_path: Any) -> Any:
    """Open the walk through (x + y)z in either browser."""
    from .graphs import lecture

    if request.param == "open_page":
        return request.getfixturevalue("open_page")(lecture())
    return request.getfixturevalue("open_in_firefox")(lecture().save(tmp_path / "walk.html"))
