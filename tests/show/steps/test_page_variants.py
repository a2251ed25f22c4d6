"""Worksheets in seeded variants, and as questions that Moodle can import."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from scalargrad import Parameter, Value, sigmoid, square
from scalargrad.nn import MLP
from scalargrad.show.steps import walk

from .graphs import labelled, lecture, neuron, regularised

KEEP = """window.kept = new Promise(resolve => {
  const blobs = new Map(), make = URL.createObjectURL;
  URL.createObjectURL = blob => { const url = make(blob); blobs.set(url, blob); return url; };
  HTMLAnchorElement.prototype.click = function () {
    blobs.get(this.href).text().then(text => resolve([this.download, text]));
  };
  window.print = () => {};
}), undefined"""


def questions(page: Any) -> tuple[str, list[ET.Element]]:
    """Return the name of the saved file, and the questions in it."""
    page.evaluate(KEEP)
    page.locator("#more").click()
    page.locator("#moodle").click()
    name, text = page.evaluate("kept")
    return name, ET.fromstring(text).findall("question")


def answer(question: ET.Element) -> float:
    """Return the number a question asks for."""
    return float(question.findtext("answer/text") or "nan")


def test_every_wire_is_a_question(open_page: Any) -> None:
    """(x + y)z at (-2, 5, -4): the four products, in the order of the steps."""
    name, found = questions(open_page(lecture()))
    assert name == "questions.xml"
    assert [question.get("type") for question in found] == ["numerical"] * 4
    assert [answer(question) for question in found] == [3.0, -4.0, -4.0, -4.0]
    text = found[3].findtext("questiontext/text") or ""
    assert text.startswith("<p>q = x + y; f = q·z, at x = −2, y = 5, z = −4. What is")


def test_a_sum_is_a_question_of_its_own(open_page: Any) -> None:
    """Of the regularised loss: w̄ = -0.08981071068366962, within half a per cent."""
    _, found = questions(open_page(regularised()))
    (total,) = [q for q in found if "the sum of 2 terms" in (q.findtext("questiontext/text") or "")]
    assert answer(total) == pytest.approx(-0.08981071068366962, rel=1e-12)
    assert float(total.findtext("answer/tolerance") or 0) == pytest.approx(0.00044905, rel=1e-3)


def test_a_variant_has_inputs_of_its_own_always_the_same(open_page: Any) -> None:
    """Sheet and key bear its number; its answers are the products of its inputs; the page stays."""
    page = open_page(lecture())
    page.evaluate(KEEP)
    page.locator("#more").click()
    sheets = []
    for seed in ("7", "8", "7"):
        page.locator("#variant").fill(seed)
        page.locator("#worksheet").click()
        sheets.append(page.locator("#sheet").inner_text())
    assert sheets[0] == sheets[2] != sheets[1]
    for sheet, name in zip(sheets, ["variant 7", "variant 8", "variant 7"], strict=True):
        assert sheet.count(name) == 2  # on the sheet, and on the key that belongs to it
    x, y, z = (
        float(re.search(rf"{name} = (−?[\d.]+)", sheets[0])[1].replace("−", "-"))  # type: ignore[index]
        for name in "xyz"
    )
    key = page.locator("#sheet ol").nth(1).locator("li").first.text_content()
    assert float(key.rpartition("=")[2].replace("−", "-")) == pytest.approx(x + y, abs=1e-9)
    assert z != 0
    assert page.locator("#box-0").input_value() == "-2"


def to_four_digits(x: float) -> float:
    """Round as the page prints."""
    return float(f"{x:.4g}")


def test_rounding_by_the_printed_digits_is_right(open_page: Any) -> None:
    """σ(9) is printed as 0.9999: by hand its slope is 0.9999·0.0001, 19 % off, and allowed."""
    s = labelled(Parameter(3.0, "w") * Value(3.0, "x"), "s")
    _, found = questions(open_page(walk(labelled(sigmoid(s), "f"))))
    y = to_four_digits(1 / (1 + math.exp(-9.0)))
    by_hand = y * (1 - y)
    slope = found[0]
    assert abs(by_hand - answer(slope)) > 0.05 * answer(slope)
    assert abs(by_hand - answer(slope)) <= float(slope.findtext("answer/tolerance") or 0)


def test_a_question_does_not_print_the_rule_it_asks_for(open_page: Any) -> None:
    """It asks for ∂f/∂x; the product of which it consists stands in the feedback."""
    _, found = questions(open_page(lecture()))
    asked = (found[3].findtext("questiontext/text") or "").partition("What is ")[2]
    assert asked == "∂f/∂x?</p>"
    assert "∂f/∂q·∂q/∂x" in (found[3].findtext("generalfeedback/text") or "")


@pytest.mark.parametrize("seed", range(1, 9))
def test_variants_do_not_saturate(seed: int, open_page: Any) -> None:
    """Of the sigmoid neuron, at inputs of up to 4 times 4: no slope, no answer is about 0."""
    page = open_page(neuron())
    page.evaluate(KEEP)
    page.locator("#more").click()
    page.locator("#variant").fill(str(seed))
    page.locator("#moodle").click()
    _, text = page.evaluate("kept")
    answers = [abs(answer(q)) for q in ET.fromstring(text).findall("question")]
    assert min(answers) >= 0.01


@pytest.mark.parametrize("place", [None, 1])
def test_the_worksheet_of_a_folded_model_gives_what_it_starts_from(
    place: int | None, open_page: Any
) -> None:
    """Whichever drawing is open: all that its gates read is given, and something is asked."""
    model = MLP(2, [2, 1], activation="tanh", rng=0)
    loss = labelled(square(model([Value(0.5, "x0"), Value(-1.0, "x1")]) - 1.0), "L")
    page = open_page(walk(loss, model=model))
    page.evaluate(KEEP)
    page.evaluate("scalargrad.goTo(1)")
    if place is not None:
        page.evaluate(f"scalargrad.open({place})")
    page.locator("#more").click()
    page.locator("#worksheet").click()
    told = page.locator("#sheet p").first.text_content()
    assert re.match(r"At \S+ [=≈] ", told)
    assert page.locator("#sheet ol").first.locator("li").count() > 0
