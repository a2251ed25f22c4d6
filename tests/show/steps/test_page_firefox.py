"""The page in a real Firefox: quiet, the same numbers, keys, inputs, formulas and themes."""

from __future__ import annotations

import socket
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from scalargrad import Value, square
from scalargrad.nn import MLP
from scalargrad.show.steps import walk

PANELS = [
    ["inputs", "x=−2", "y=5", "z=−4"],
    ["q=x+y=3"],
    ["f=q·z=3·(−4)=−12"],
    ["∂f∂f=1"],
    ["∂f∂z=1·q", "1·3=3", "swap multiplier: z receives 1·q"],
    ["∂f∂q=1·z", "1·(−4)=−4", "swap multiplier: q receives 1·z"],
    ["∂f∂y=∂f∂q·∂q∂y", "(−4)·1=−4", "distributor: y receives ∂f/∂q"],
    ["∂f∂x=∂f∂q·∂q∂x", "(−4)·1=−4", "nudge x by +0.01: f changes by −0.04"],
]


SVG = "{http://www.w3.org/2000/svg}"

# Playwright has no word of downloads from this Firefox, so the page's own link is looked at.
KEEP_DOWNLOADS = """window.kept = new Promise(resolve => {
  const blobs = new Map(), make = URL.createObjectURL;
  URL.createObjectURL = blob => { const url = make(blob); blobs.set(url, blob); return url; };
  HTMLAnchorElement.prototype.click = function () {
    resolve([this.download, blobs.get(this.href)]);
  };
}), undefined"""

SIZE_OF_TEXT = "block => parseFloat(getComputedStyle(block).fontSize)"


@pytest.fixture
def lecture(tmp_path: Path) -> Path:
    """Save the walk through (x + y)z at (-2, 5, -4)."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    return walk(f).save(tmp_path / "walk.html")


def numbers(page: Any, kind: str) -> list[str]:
    """Return what stands above ("value") or below ("gradient") the wires, node by node."""
    texts: list[str] = page.locator(f"#graph [id$=-{kind}]").all_text_contents()
    return [text.rsplit("=", 1)[-1].strip() for text in texts]


def background(page: Any) -> str:
    """Return the colour of the paper."""
    colour: str = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return colour


def test_keys_lead_through_the_lecture_s_eight_steps(lecture: Path, open_in_firefox: Any) -> None:
    """Each says the numbers the lecture says; the way back shows the same texts."""
    page = open_in_firefox(lecture)
    said = []
    for position, pieces in enumerate(PANELS):
        assert page.locator("#counter").text_content() == f"{position + 1}/8"
        said.append(page.locator("#panel").text_content())
        assert [piece for piece in pieces if piece not in said[-1]] == []
        page.keyboard.press("ArrowRight")
    for before in reversed(said):
        assert page.locator("#panel").text_content() == before
        page.keyboard.press("ArrowLeft")


def test_the_graph_ends_with_every_value_and_gradient(lecture: Path, open_in_firefox: Any) -> None:
    """The values -2, 5, 3, -4 and -12, the gradients -4, -4, -4, 3 and 1."""
    page = open_in_firefox(lecture)
    page.keyboard.press("End")
    assert sorted(numbers(page, "value")) == sorted(["−2", "5", "3", "−4", "−12"])
    assert sorted(numbers(page, "gradient")) == sorted(["−4", "−4", "−4", "3", "1"])


def test_an_input_recomputes(lecture: Path, open_in_firefox: Any) -> None:
    """By the box or by the slider's keys: q·z at x = 5, y = 5, z = 0.5 is 5."""
    page = open_in_firefox(lecture, "#step=8")
    page.get_by_role("spinbutton", name="z", exact=True).click()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.5")
    assert "0.5·1=0.5" in page.locator("#panel").text_content()
    page.get_by_role("slider", name="x, slider").focus()
    page.keyboard.press("End")
    assert page.get_by_role("spinbutton", name="x", exact=True).input_value() == "5"
    assert {"10", "5", "0.5"} <= set(numbers(page, "value"))
    assert page.get_by_text("The gates stay as recorded").is_visible()
    page.get_by_role("spinbutton", name="x", exact=True).click()
    page.keyboard.press("Control+a")
    page.keyboard.type("0.12345")
    assert page.locator("#n2-value").text_content() == "q ≈ 5.123"


def test_formulas_are_set_as_mathematics(lecture: Path, open_in_firefox: Any) -> None:
    """A fraction is drawn as one: its numerator stands above its denominator."""
    page = open_in_firefox(lecture, "#step=8")
    above, below = page.locator("#panel mfrac").first.evaluate(
        "fraction => [...fraction.children].map(part => part.getBoundingClientRect().bottom)"
    )
    assert above < below


def test_a_node_s_full_sum_opens_and_closes_by_keys(lecture: Path, open_in_firefox: Any) -> None:
    """Enter on a focused node shows its sum in a dialog, and Escape puts it away."""
    page = open_in_firefox(lecture, "#step=8")
    page.locator("#n0").focus()
    page.keyboard.press("Enter")
    assert page.locator("#node-sum").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#node-sum").is_hidden()


def test_nothing_runs_out_of_a_phone(lecture: Path, open_in_firefox: Any) -> None:
    """At 390 pixels the page does not scroll sideways, and the step buttons are 44 pixels wide."""
    page = open_in_firefox(lecture, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.get_by_role("button", name="Next step").bounding_box()["width"] >= 44


def test_the_page_is_dark_where_the_system_is(
    lecture: Path, dark_firefox: Any, open_in_firefox: Any
) -> None:
    """Without a choice of the reader it follows the system; with one, the reader."""
    dark, light = open_in_firefox(lecture, browser=dark_firefox), open_in_firefox(lecture)
    assert [background(dark), background(light)] == ["rgb(20, 23, 27)", "rgb(255, 255, 255)"]
    dark.locator("#more").click()
    dark.get_by_label("Theme").select_option("light")
    assert background(dark) == "rgb(255, 255, 255)"


def test_predicting_needs_nothing_but_keys(lecture: Path, open_in_firefox: Any) -> None:
    """A sign or digit lands in the box, a wrong answer is explained, a right one fills the wire."""
    page = open_in_firefox(lecture, "#step=8")
    page.keyboard.press("p")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    assert "Not yet: multiply the upstream −4" in page.locator("#reply").text_content()
    page.keyboard.type("-4")
    page.keyboard.press("Enter")
    assert page.locator("#answer").count() == 0
    assert page.locator("#n0-gradient").text_content() == "−4"


def test_descent_and_finite_differences_compute(lecture: Path, open_in_firefox: Any) -> None:
    """At z = -4 the slope by x is -4; a step of 0.1 from (-2, 5, -4) reaches f = -16.34."""
    page = open_in_firefox(lecture)
    page.locator("#more").click()
    page.locator("#check").click()
    assert str(page.locator("#check-result").text_content()).endswith("gradient = −4: they agree.")
    page.locator("#descend").click()
    assert (
        page.locator("#descent-result").text_content() == "1 step: f from −12 to −16.34, it fell."
    )
    assert page.locator("#descent-chart circle").count() == 2


def test_a_state_is_saved_and_linked_to(lecture: Path, open_in_firefox: Any) -> None:
    """The SVG has the numbers of the step; the link opens the same step with the same input."""
    page = open_in_firefox(lecture, "#step=5")
    page.evaluate("scalargrad.setInputs({x: 1})")
    page.locator("#more").click()
    page.locator("#link").click()
    again = open_in_firefox(lecture, "#" + page.locator("#link-text").input_value().split("#")[1])
    assert again.locator("#counter").text_content() == "5/8"
    assert numbers(again, "value") == numbers(page, "value")
    page.evaluate(KEEP_DOWNLOADS)
    page.locator("#export").click()
    name, written = page.evaluate("kept.then(([name, blob]) => blob.text().then(t => [name, t]))")
    assert name == "step-5.svg"
    texts = ["".join(text.itertext()) for text in ET.fromstring(written).iter(f"{SVG}text")]
    assert {"q = 6", "f = −24"} <= set(texts)


def test_a_presentation_and_a_worksheet(lecture: Path, open_in_firefox: Any) -> None:
    """Large and bare for the projector; on paper blanks, and a key that fills them."""
    page = open_in_firefox(lecture, "#step=5")
    page.evaluate("window.print = () => {}")
    page.locator("#more").click()
    page.locator("#worksheet").click()
    asked, told = page.locator("#sheet ol").all()
    assert asked.locator("li").first.text_content() == "∂f∂z=______·______=______"
    assert told.locator("li").first.text_content() == "∂f∂z=1·q=1·3=3"
    page.locator("#present").click()
    assert page.locator("#inputs").is_hidden()
    assert page.locator("#panel .formula").first.evaluate(SIZE_OF_TEXT) >= 28
    page.locator("#leave").click()
    assert page.locator("#inputs").is_visible()


def test_folds_open_and_layers_are_matrices(tmp_path: Path, open_in_firefox: Any) -> None:
    """The drawing follows into a neuron, a key leads out, and brackets are as high as a matrix."""
    model = MLP(2, [3, 1], activation="tanh", rng=1)
    steps = walk(square(model([Value(0.5, "x0"), Value(-1.0, "x1")])), model=model)
    page = open_in_firefox(steps.save(tmp_path / "folded.html", limit=10))
    page.keyboard.press("ArrowRight")
    assert page.locator("#path [aria-current]").text_content() == "Neuron 1"
    page.keyboard.press("u")
    assert page.locator(".fold").count() == 3
    page.get_by_role("radio", name="layer").check(force=True)
    assert page.locator("#panel .matrices").count() == 2
    matrix = page.locator("#panel mtable").first
    assert (
        matrix.evaluate("table => getComputedStyle(table).backgroundImage").count("gradient") == 6
    )
    heights = matrix.evaluate(
        "t => [t, t.rows?.[0] ?? t.firstElementChild].map(x => x.getBoundingClientRect().height)"
    )
    assert heights[0] > 3 * heights[1]


def test_a_page_that_is_not_quiet_is_found_out(
    tmp_path: Path, open_in_firefox: Any, witness: Any
) -> None:
    """One that prints, throws and asks the network for something fails these tests in Firefox."""
    path = tmp_path / "noisy.html"
    path.write_text("<script>console.log('printed'); throw Error('thrown')</script>")
    page = open_in_firefox(path)
    with socket.create_server(("127.0.0.1", 0)) as server, page.expect_event("request"):
        address = f"http://127.0.0.1:{server.getsockname()[1]}/"
        page.evaluate(f"void fetch('{address}')")
    witness.close()  # after which nothing more can be said
    said, asked = " ".join(witness.complaints), [*witness.requests]
    witness.complaints.clear()
    witness.requests.clear()
    assert "printed" in said
    assert "thrown" in said
    assert address in asked
