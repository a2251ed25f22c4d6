"""Exports of a step page: SVG, printed steps, worksheets, Moodle; frames in notebooks."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from scalargrad import Parameter, Value, sigmoid
from scalargrad.show.steps import walk

from .conftest import Read, Reader
from .graphs import labelled, lecture, regularised

#: Replaces saving by a promise of the file, and printing by nothing.
KEEP = """window.kept = new Promise(resolve => {
  const blobs = new Map(), make = URL.createObjectURL;
  URL.createObjectURL = blob => { const url = make(blob); blobs.set(url, blob); return url; };
  HTMLAnchorElement.prototype.click = function () {
    blobs.get(this.href).text().then(text => resolve([this.download, text]));
  };
}), window.print = () => {}, undefined"""


def saved(page: Reader, button: str) -> tuple[str, ET.Element]:
    """Press a button that saves a file, and return its name and its XML."""
    page.page.evaluate(KEEP)
    page.tool(button)
    name, text = page.page.evaluate("kept")
    return name, ET.fromstring(text)


def printed(page: Reader, button: str) -> Any:
    """Press a button that prints, and return the sheet."""
    page.page.evaluate(KEEP)
    page.tool(button)
    page.page.emulate_media(media="print")
    return page.page.locator("#sheet")


def items(sheet: Any, which: int) -> list[str]:
    """Return the lines of the exercises, or of the key."""
    lines: list[str] = sheet.locator("ol").nth(which).locator("li").all_text_contents()
    return [line.replace("\xa0", " ") for line in lines]


def answer(question: ET.Element) -> float:
    """Return the answer of a question."""
    return float(question.findtext("answer/text") or "nan")


def test_page_saves_its_state_as_svg(read_in_firefox: Read) -> None:
    """The SVG has the displayed numbers, and its colours without a style sheet."""
    page = read_in_firefox(lecture())
    page.go(6)
    name, svg = saved(page, "Save this state as SVG")
    assert name == "step-6.svg"
    texts = [*svg.iter("{http://www.w3.org/2000/svg}text")]
    written = {piece for text in texts for piece in text.itertext()}
    assert {"q", "3", "f", "−12", "−4"} <= written
    assert "rgb(179, 71, 0)" in {text.get("fill") for text in texts}
    assert not [part for part in svg.iter() if part.get("class")]


def test_page_worksheet_has_blanks_and_a_key(read: Read) -> None:
    """Values are given, gradients are blank; the key has every step and every gradient."""
    sheet = printed(read(lecture()), "Print worksheets")
    assert items(sheet, 0) == [f"∂f∂{x}=______·______=______" for x in "zqyx"]
    assert items(sheet, 1)[3] == "∂f∂x=∂f∂q·∂q∂x=(−4)·1=−4"
    blank, filled = (
        [text for text in svg.locator("text").all_text_contents() if re.search(r"\d|_", text)]
        for svg in sheet.locator("svg").all()
    )
    assert blank.count("______") == 5
    assert any(text.endswith("−12") for text in blank)
    assert "______" not in filled
    assert filled.count("−4") == 4


def test_page_worksheet_has_the_sum_of_a_fan_out(read: Read) -> None:
    """Below w's second term is a line for both; no blank shows the sign of its answer."""
    sheet = printed(read(regularised()), "Print worksheets")
    exercises, key = items(sheet, 0), items(sheet, 1)
    assert "∂Lreg/∂w = ______ + ______ = ______" in exercises[-1]
    assert "∂Lreg/∂w ≈ −0.1398 + 0.05 ≈ −0.08981" in key[-1]
    assert any(":" in line for line in exercises)
    for asked, told in zip(exercises, key, strict=True):
        assert asked.split("_")[0].rstrip("= ") in told
        assert ":=" not in asked.replace(" ", "")


def test_page_prints_every_step(read: Read) -> None:
    """By the button or by the browser's command; controls are not printed."""
    rate, atoms = Value(1.5, "rate"), Value(3e12, "n")
    page = read(walk(labelled((rate * atoms).log() + rate, "f")))
    page.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    by_browser = page.page.locator("#sheet").text_content()
    sheet = printed(page, "Print the steps")
    assert sheet.text_content() == by_browser
    assert by_browser.startswith("Backpropagation through f")
    assert "null" not in by_browser
    assert (
        sheet.get_by_role("listitem", include_hidden=True).count()
        == len(walk(rate * atoms + rate)) + 2
    )
    assert page.button("Play").is_hidden()


def test_page_moodle_has_a_question_for_every_wire_and_sum(read: Read) -> None:
    """For the lecture's graph four products; for the regularised loss w̄, within half a per cent."""
    name, quiz = saved(read(lecture()), "Save as Moodle XML")
    found = quiz.findall("question")
    assert name == "questions.xml"
    assert [question.get("type") for question in found] == ["numerical"] * 4
    assert [*map(answer, found)] == [3.0, -4.0, -4.0, -4.0]
    asked = found[3].findtext("questiontext/text") or ""
    assert asked.startswith("<p>q = x + y; f = q·z, at x = −2, y = 5, z = −4. What is")
    assert asked.endswith("∂f/∂x?</p>")
    assert "∂f/∂q·∂q/∂x" in (found[3].findtext("generalfeedback/text") or "")
    _, quiz = saved(read(regularised()), "Save as Moodle XML")
    (total,) = [q for q in quiz.iter("question") if "sum of 2 terms" in ET.tostring(q, "unicode")]
    assert answer(total) == pytest.approx(-0.08981071068366962, rel=1e-12)
    assert float(total.findtext("answer/tolerance") or 0) == pytest.approx(0.00044905, rel=1e-3)


def test_page_moodle_tolerance_covers_rounded_digits(read: Read) -> None:
    """σ(9) is printed as 0.9999: by hand its derivative is 0.9999·0.0001, which is accepted."""
    s = labelled(Parameter(3.0, "w") * Value(3.0, "x"), "s")
    _, quiz = saved(read(walk(labelled(sigmoid(s), "f"))), "Save as Moodle XML")
    slope = quiz.findall("question")[0]
    y = float(f"{1 / (1 + math.exp(-9.0)):.4g}")
    off = abs(y * (1 - y) - answer(slope))
    assert 0.05 * answer(slope) < off <= float(slope.findtext("answer/tolerance") or 0)


def test_page_variants_have_sheets_keys_and_moodle_categories(
    read: Read,
) -> None:
    """Three sheets, then three keys; a category for each wire, with a question of each variant."""
    page = read(lecture())
    page.button("More ▾").click()
    page.page.get_by_label("Variants", exact=True).fill("2-4")
    name, quiz = saved(page, "Save as Moodle XML")
    assert name == "questions-2-4.xml"
    kinds = [question.get("type") for question in quiz.iter("question")]
    assert kinds == ["category", "numerical", "numerical", "numerical"] * 4
    path = quiz.findtext("question/category/text") or ""
    assert path.startswith("$course$/top/Backpropagation through f/1 ∂f//∂z")
    numerical = quiz.findall("question[@type='numerical']")
    assert len({question.findtext("name/text") for question in numerical}) == 12
    for question in numerical[:3]:  # ∂f/∂z is x + y
        given = dict(re.findall(r"(\w) = (−?[\d.]+)", question.findtext("questiontext/text") or ""))
        x, y = (float(given[letter].replace("−", "-")) for letter in "xy")
        assert answer(question) == pytest.approx(x + y)
    headings = printed(page, "Print worksheets").locator("h1").all_text_contents()
    sheets = [f"Backpropagation through f, variant {seed}" for seed in (2, 3, 4)]
    assert headings == [*sheets, *(f"{sheet}: answer key" for sheet in sheets)]


#: The policy of VS Code for the outputs of a notebook, which the frame inherits.
VS_CODE = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src https: http: data:; font-src https:; connect-src https:; child-src https: data:"
)


@pytest.mark.parametrize("policy", ["", VS_CODE])
def test_walk_frame_in_a_notebook_is_a_working_page(policy: str, open_blank: Any) -> None:
    """In its sandbox it moves, links, checks answers and closes its help."""
    page = open_blank()
    meta = f'<meta http-equiv="Content-Security-Policy" content="{policy}">' if policy else ""
    page.set_content(f"<html><head>{meta}</head><body></body></html>")
    shown = lecture()._repr_mimebundle_()["text/html"]
    page.evaluate("html => { document.body.innerHTML = html; }", shown)
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Last step").click()
    assert frame.get_by_text("8/8").is_visible()
    frame.get_by_role("button", name="More").click()
    frame.get_by_role("button", name="Link to this step").click()
    assert (
        frame.get_by_role("textbox", name="Link to this step").input_value()
        == "#step=8&view=wire&notation=partial"
    )
    frame.get_by_role("button", name="Keys and colours").click()
    frame.get_by_role("button", name="Close").click()
    frame.get_by_role("button", name="Predict").click()
    frame.get_by_label("∂q/∂x = ?").fill("7")
    step = frame.get_by_role("region", name="This step")
    step.get_by_role("button", name="Check").click()
    frame.get_by_text("Not yet").first.wait_for()
    frame.get_by_label("∂q/∂x = ?").fill("1")
    frame.get_by_label("∂q/∂x = ?").press("Enter")
    frame.get_by_text("Right").first.wait_for()


def test_walk_frame_shown_late_is_fitted(open_blank: Any) -> None:
    """Notebooks lay out a hidden frame when it is scrolled into view, without a resize event."""
    page = open_blank(viewport={"width": 1100, "height": 800})
    page.add_init_script("addEventListener('resize', (it) => it.stopImmediatePropagation(), true)")
    frame = lecture()._repr_mimebundle_()["text/html"]
    page.set_content(f"<style>iframe {{ display: none }}</style>{frame}")
    inside = page.frame_locator("iframe")
    inside.get_by_text("1/8").wait_for(state="attached")
    page.evaluate("document.querySelector('style').remove()")
    page.wait_for_timeout(500)
    stage = inside.get_by_role("region", name="Graph", exact=True)
    room, drawing = stage.bounding_box(), stage.get_by_role("group").first.bounding_box()
    assert 0.9 < max(drawing[side] / room[side] for side in ("width", "height")) < 1.001
