"""Predict mode: local derivative and product are blank, answers are judged, hints lead on."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Parameter, Value, square
from scalargrad.show.steps import Walk, walk

from .graphs import labelled


def product() -> Walk:
    """Walk through (x + y)z·2 at (-2, 5, -4): back from q, -8·1; to z, 2·3."""
    q = labelled(Value(-2.0, "x") + Value(5.0, "y"), "q")
    return walk(labelled(labelled(q * Value(-4.0, "z"), "p") * 2.0, "f"))


def fan_out() -> Walk:
    """Walk through 5x + x² at 3, in which 6 and then 5 arrive at x."""
    x = Parameter(3.0, "x")
    return walk(labelled(labelled(x * 5.0, "a") + labelled(square(x), "u"), "f"))


@pytest.fixture
def asked(open_page: Any) -> Any:
    """Return a function that opens a walk in Predict mode at one of its steps."""

    def opened(steps: Walk, place: str) -> Any:
        page = open_page(steps)
        page.keyboard.press("p")
        index = next(step.index for step in steps if step.place == place)
        page.evaluate(f"scalargrad.goTo({index + 1})")
        return page

    return opened


LOCALS = {"q → x": "1", "p → z": "3", "a → x": "5", "p → q": "-4"}


@pytest.fixture
def multiplying(asked: Any) -> Any:
    """Return a function that opens a walk where the local derivative has been answered."""

    def opened(steps: Walk, place: str, local: str = "") -> Any:
        page = asked(steps, place)
        assert reply_to(page, local or LOCALS[place]).startswith("Right")
        return page

    return opened


def reply_to(page: Any, answer: str) -> str:
    """Answer and return what the page replies."""
    page.locator("#answer").fill(answer)
    page.keyboard.press("Enter")
    told: str = page.locator("#announcement").text_content()
    return told


def test_the_product_is_blank_everywhere(multiplying: Any) -> None:
    """In the graph, in the panel, at the input and in what is announced."""
    page = multiplying(product(), "q → x")
    assert page.locator(".chip .result").text_content() == "?"
    assert page.locator("#n0-gradient").text_content() == "?"
    assert "(−8)·1 = ?" in page.locator("#panel").text_content()
    assert "nudge" not in page.locator("#panel").text_content()
    assert page.locator(".field").first.locator("output").text_content() == "∂f/∂x = …"
    assert "What is the product?" in page.locator("#announcement").text_content()
    assert "−8·1 = −8" not in page.locator("#announcement").text_content()


def test_the_local_derivative_is_asked_for_first(asked: Any) -> None:
    """Neither its number nor its rule is to be seen, in panel, product, rings or announcement."""
    page = asked(product(), "p → z")
    assert page.locator(".question label").text_content() == "∂p/∂z = ?"
    assert page.locator(".chip text").all_text_contents() == ["2", "×", "?", "=", "?"]
    assert page.locator(".local-rule, .pattern, .ring").count() == 0
    assert page.locator("#announcement").text_content().endswith("What is the local derivative?")
    assert reply_to(page, "3") == "Right: ∂p/∂z = q = 3. What is the product?"
    assert page.locator(".chip text").all_text_contents() == ["2", "×", "3", "=", "?"]
    assert page.locator(".ring").count() == 1


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ("-3", "Wrong sign"),
        ("6", "That is the product already."),
        ("-4", "That is the derivative by another operand. Differentiate p by z."),
        ("-12", "That is the value of p, not its slope."),
        ("77", "Not yet: how many times as much does p change when z changes a little?"),
    ],
)
def test_the_reply_to_a_wrong_local_derivative(asked: Any, answer: str, reply: str) -> None:
    """At p = q·z with q = 3 and z = −4, by z."""
    assert reply_to(asked(product(), "p → z"), answer).startswith(reply)


def test_hints_lead_from_the_rule_to_the_numbers(asked: Any) -> None:
    """Two for each question; what has been written stays, and no hint is the answer itself."""
    page = asked(product(), "p → z")
    hint = page.get_by_role("button", name="Hint")
    page.locator("#answer").fill("7")
    hint.click()
    hint.click()
    assert page.locator(".hint").all_text_contents()[1] == "∂p/∂z = q. Put the numbers in."
    assert hint.is_disabled()
    assert page.locator("#answer").input_value() == "7"
    reply_to(page, "3")
    assert page.locator(".hint").count() == 0
    hint.click()
    hint.click()
    assert page.locator(".hint").last.text_content() == "Upstream is 2, the local derivative is 3."


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        ("6", "Right: 2·3 = 6."),
        ("6.0", "Right"),
        ("-6", "Wrong sign"),
        ("3", "Forgotten upstream: 3 is the local derivative alone. Multiply it by the upstream"),
        ("2", "Forgotten local derivative"),
        ("5", "The chain rule multiplies"),
        ("77", "Not yet: multiply the upstream 2 by the local derivative 3."),
        ("what", "Write a number"),
        ("", "Write a number"),
    ],
)
def test_the_reply_says_what_went_wrong(multiplying: Any, answer: str, reply: str) -> None:
    """At z, upstream 2 and local 3."""
    assert reply_to(multiplying(product(), "p → z"), answer).startswith(reply)


def test_a_right_answer_fills_the_blank(multiplying: Any) -> None:
    """And shows what was hidden."""
    page = multiplying(product(), "q → x")
    reply_to(page, "−8")
    assert page.locator("#n0-gradient").text_content() == "−8"
    assert "nudge x by +0.01: f changes by −0.08" in page.locator("#panel").text_content()


def test_an_answer_needs_nothing_but_keys(multiplying: Any) -> None:
    """A digit or sign goes into the box, the next try replaces the last, then arrows move on."""
    page = multiplying(product(), "p → z")
    page.keyboard.type("-6")
    page.keyboard.press("Enter")
    assert str(page.locator("#reply").text_content()).startswith("Wrong sign")
    page.keyboard.type("6")
    assert page.locator("#answer").input_value() == "6"
    page.keyboard.press("Enter")
    assert page.locator("#answer").count() == 0
    page.keyboard.press("ArrowRight")
    assert page.locator("#answer").count() == 1


def test_on_a_phone_the_reply_is_not_behind_the_bar(open_page: Any) -> None:
    """The bar with the buttons stays at the bottom; the question comes up above it."""
    page = open_page(product(), "#step=6", viewport={"width": 390, "height": 844}, has_touch=True)
    page.locator("#predict").click()
    page.keyboard.type("77")
    page.keyboard.press("Enter")
    reply, bar = page.locator("#reply").bounding_box(), page.locator("#timeline").bounding_box()
    assert reply["y"] + reply["height"] <= bar["y"]


def test_on_a_phone_the_question_is_seen_when_it_is_asked(open_page: Any) -> None:
    """Box and buttons stand above the bar at once; they began behind it."""
    page = open_page(product(), "#step=6", viewport={"width": 390, "height": 844}, has_touch=True)
    page.locator("#predict").tap()
    form, bar = page.locator(".question").bounding_box(), page.locator("#timeline").bounding_box()
    assert form["y"] + form["height"] <= bar["y"]
    page.locator("#predict").tap()
    assert page.locator("#answer").count() == 0


def test_rounded_answers_are_accepted(multiplying: Any) -> None:
    """Three digits of a long product will do."""
    steps = walk(labelled(labelled(Value(1 / 3, "x") * 0.7, "a") * (1 / 7), "f"))
    page = multiplying(steps, "a → x", "0.7")
    assert reply_to(page, "0.1").startswith("Right")


def test_at_a_fan_out_the_sum_is_asked_for_too(multiplying: Any) -> None:
    """First the product, then the total; each forgotten term is named."""
    page = multiplying(fan_out(), "a → x")
    assert page.locator("#n0-gradient").text_content() == "Σ 1/2"
    assert reply_to(page, "11").startswith("That is already the sum")
    assert reply_to(page, "5").startswith("Right: 1·5 = 5.")
    assert "so far = ?" in page.locator("#panel").text_content()
    told = reply_to(page, "5")
    assert told == (
        "Forgotten term: 5 is this wire's term alone. 6 had arrived before; a fan-out adds."
    )
    assert reply_to(page, "6").startswith("Forgotten term: 6 had arrived before. Add this wire's 5")
    assert reply_to(page, "-11").startswith("Wrong sign")
    assert reply_to(page, "11") == "Right: ∂f/∂x = 6 + 5 = 11."
    assert page.locator("#n0-gradient").text_content() == "11"


def test_a_wire_from_the_root_to_a_fan_out_is_asked_for_alone(asked: Any) -> None:
    """Of the slope 7 of x * x + x at 3 it carries 1; the rule names whose term that is."""
    x = Parameter(3.0, "x")
    page = asked(walk(labelled(labelled(x * x, "s") + x, "f")), "f → x")
    assert page.locator(".question label").text_content() == "∂f/∂x on this wire = ?"
    assert "by f:" in page.locator("#panel .symbols").text_content()
    assert page.locator("#panel .symbols").text_content().count("on this wire") == 1
    for _ in range(2):
        page.get_by_role("button", name="Hint").click()
    first, second = page.locator(".hint").all_text_contents()
    assert "by x on this wire" in first
    assert "x on its other wires too" in first
    assert "∂f/∂x on this wire" in second or "1, −1 or 0" in second
    assert reply_to(page, "1").startswith("Right")


def test_the_answer_can_be_shown_and_the_mode_left(multiplying: Any) -> None:
    """Nobody is held up."""
    page = multiplying(product(), "q → x")
    page.get_by_role("button", name="Show").click()
    assert page.locator("#n0-gradient").text_content() == "−8"
    page.locator("#panel").focus()
    page.keyboard.press("ArrowLeft")
    assert page.locator("#answer").count() == 1
    page.keyboard.press("p")
    assert page.locator("#answer").count() == 0


def test_the_gate_view_ends_the_questions(multiplying: Any) -> None:
    """Predict asks wire by wire, so it is either the one or the other."""
    page = multiplying(product(), "p → z")
    page.get_by_role("radio", name="gate").check()
    assert page.locator("#predict").get_attribute("aria-pressed") == "false"
    assert page.locator(".chip .result").first.text_content() != "?"


def test_play_waits_for_an_answer(multiplying: Any) -> None:
    """Predict mode does not give the product away by moving on."""
    page = multiplying(product(), "p → z")
    page.clock.install()
    page.locator("#play").click()
    page.clock.run_for(10_000)
    assert page.locator("#answer").count() == 1
