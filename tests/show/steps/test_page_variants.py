"""Worksheets in seeded variants, and as questions that Moodle can import."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from .graphs import lecture, regularised

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
    """The key of a variant holds: its answers are the products of its inputs; the page stays."""
    page = open_page(lecture())
    page.evaluate(KEEP)
    page.locator("#more").click()
    sheets = []
    for seed in ("7", "8", "7"):
        page.locator("#variant").fill(seed)
        page.locator("#worksheet").click()
        sheets.append(page.locator("#sheet").inner_text())
    assert sheets[0] == sheets[2] != sheets[1]
    x, y, z = (
        float(re.search(rf"{name} = (−?[\d.]+)", sheets[0])[1].replace("−", "-"))  # type: ignore[index]
        for name in "xyz"
    )
    key = page.locator("#sheet ol").nth(1).locator("li").first.text_content()
    assert float(key.rpartition("=")[2].replace("−", "-")) == pytest.approx(x + y, abs=1e-9)
    assert z != 0
    assert page.locator("#box-0").input_value() == "-2"
