"""What stands under More, how the page is printed, seen and heard, and how it grows."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Parameter, Value, maximum, sigmoid, square
from scalargrad import sum as add_up
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .graphs import labelled


def lecture() -> Walk:
    """Walk through (x + y)z."""
    q = labelled(Value(-2.0, "x") + Value(5.0, "y"), "q")
    return walk(labelled(q * Value(-4.0, "z"), "f"))


def regularised() -> Walk:
    """Walk through a loss in which w fans out."""
    w = Parameter(0.5, "w")
    return walk(labelled(square(sigmoid(w * Value(2.0, "x")) - 1.0) + 0.05 * square(w), "L"))


def test_the_state_is_exported_as_an_svg_of_its_own(open_page: Any) -> None:
    """It is XML, has the numbers shown, and its colours without a style sheet."""
    page = open_page(lecture())
    page.evaluate("scalargrad.goTo(6)")
    page.locator("#more").click()
    with page.expect_download() as download:
        page.locator("#export").click()
    assert download.value.suggested_filename == "step-6.svg"
    svg = ET.parse(download.value.path()).getroot()
    texts = ["".join(text.itertext()) for text in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"q = 3", "f = −12", "−4"} <= set(texts)
    fills = {text.get("fill") for text in svg.iter("{http://www.w3.org/2000/svg}text")}
    assert "rgb(179, 71, 0)" in fills
    assert not [part for part in svg.iter() if part.get("class")]


def printed(page: Any, button: str) -> Any:
    """Press a button that prints, and keep the sheet for looking at."""
    page.evaluate("window.print = () => {}")
    page.locator("#more").click()
    page.locator(button).click()
    page.emulate_media(media="print")
    return page.locator("#sheet")


def test_worksheet_leaves_blanks_and_its_answer_key_fills_them(open_page: Any) -> None:
    """Values are given, gradients asked for; the key has every step and every gradient."""
    sheet = printed(open_page(lecture()), "#worksheet")
    exercises, answers = sheet.locator("ol").all()
    assert exercises.locator("li").all_text_contents() == [
        "∂f∂z=______·______=______",
        "∂f∂q=______·______=______",
        "∂f∂y=______·______=______",
        "∂f∂x=______·______=______",
    ]
    assert answers.locator("li").nth(3).text_content() == "∂f∂x=∂f∂q·∂q∂x=(−4)·1=−4"
    blank, filled = sheet.locator("svg").all()
    assert set(blank.locator("text.gradient").all_text_contents()) == {"______"}
    assert blank.locator(".value").last.text_content() == "−12"
    assert sorted(filled.locator("text.gradient").all_text_contents()) == sorted(
        ["−4", "−4", "−4", "3", "1"]
    )
    assert sheet.locator("[id]:not(defs *)").count() == 0


def test_the_browsers_own_printing_adds_the_steps_and_nothing_else(open_page: Any) -> None:
    """Without short names to explain, the page printed the word null."""
    page = open_page(lecture())
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    by_browser = page.locator("#sheet").text_content()
    assert by_browser.startswith("Backpropagation through f")
    assert "null" not in by_browser
    assert printed(page, "#print-steps").text_content() == by_browser


def test_a_worksheet_asks_for_the_sum_where_a_node_fans_out(open_page: Any) -> None:
    """Below w's second term stands a line for both; 0.1·w and -4s(1 - s)² fill it."""
    sheet = printed(open_page(regularised()), "#worksheet")
    asked, told = sheet.locator(".sum").all_text_contents()
    s = 1 / (1 + math.exp(-1.0))
    steep, flat = -4 * s * (1 - s) ** 2, 0.05
    assert asked == "∂L/∂w = ______ + ______ = ______"
    assert told == f"∂L/∂w ≈ {flat:.4g} − {-steep:.4g} = −{-(steep + flat):.4g}"


def test_paper_says_what_short_names_stand_for(open_page: Any) -> None:
    """A printed sheet has no heading that unfolds: each alias in its graph is explained on it."""
    rate = Value(1.5, "annual_percentage_rate_before_taxes")
    atoms = Value(3e12, "number_of_atoms_in_the_sample")
    for button in ("#worksheet", "#print-steps"):
        sheet = printed(open_page(walk((rate * atoms).log() + rate)), button)
        text = sheet.locator(".short-names").inner_text()
        for short, name in (("aprbt", rate.label), ("noaits", atoms.label)):
            assert sheet.locator("svg").first.get_by_text(short, exact=True).count() > 0
            assert f"{short} = {name}" in text


def test_a_blank_has_the_signs_of_the_answer(open_page: Any) -> None:
    """One of several contributions is announced, ∂L/∂w by u:, and no = follows the colon."""
    sheet = printed(open_page(regularised()), "#worksheet")
    exercises, answers = sheet.locator("ol").all()
    asked, told = (part.locator("li > math").all_text_contents() for part in (exercises, answers))
    assert any(":" in line for line in asked)
    for blank, answer in zip(asked, told, strict=True):
        assert blank.replace("_", "").startswith(answer.split(":")[0] if ":" in answer else "∂")
        assert ":=" not in blank.replace(" ", "")
        assert blank.count("______") == 3


def test_every_step_can_be_printed(open_page: Any) -> None:
    """The list has the formulas of the whole walk; on paper there are no controls."""
    page = open_page(lecture())
    sheet = printed(page, "#print-steps")
    assert sheet.locator("li").count() == 8
    assert page.locator("#timeline").is_hidden()


def test_presentation_mode_is_large_and_bare(open_page: Any) -> None:
    """For the projector: the graph, the panel, the timeline; keys still move."""
    page = open_page(lecture(), viewport={"width": 1920, "height": 1080})
    page.locator("#more").click()
    page.locator("#present").click()
    assert page.locator("#inputs").is_hidden()
    assert (
        page.locator("#panel .sentence").evaluate("p => parseFloat(getComputedStyle(p).fontSize)")
        >= 20
    )
    page.keyboard.press("ArrowRight")
    assert page.locator("#counter").text_content() == "2/8"
    page.get_by_role("button", name="Leave").click()
    assert page.locator("#inputs").is_visible()


COLOURS = [
    ("light", False, "rgb(11, 92, 173)", "rgb(179, 71, 0)"),
    ("dark", False, "rgb(124, 196, 255)", "rgb(255, 163, 107)"),
    ("light", True, "rgb(0, 122, 61)", "rgb(198, 40, 40)"),
]


@pytest.mark.parametrize(("scheme", "palette", "value", "gradient"), COLOURS)
def test_colours_follow_the_system_and_the_palette(
    scheme: str, palette: bool, value: str, gradient: str, open_page: Any
) -> None:
    """Values upright, gradients slanted, whatever the colour."""
    page = open_page(lecture(), color_scheme=scheme)
    page.keyboard.press("End")
    if palette:
        page.locator("#more").click()
        page.locator("#lecture").check()
    look = "part => { const s = getComputedStyle(part); return [s.fill, s.fontStyle] }"
    assert page.locator("#n4-value .value").evaluate(look) == [value, "normal"]
    assert page.locator("#n4-gradient").evaluate(look) == [gradient, "italic"]


@pytest.mark.parametrize("size", [(1280, 800), (1920, 1080)])
def test_graph_has_most_of_the_width(size: tuple[int, int], open_page: Any) -> None:
    """At least 65 in 100, and nothing sticks out of the window."""
    page = open_page(regularised(), viewport={"width": size[0], "height": size[1]})
    assert page.locator("#stage").bounding_box()["width"] >= 0.65 * size[0]
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1]


def small_text(page: Any) -> list[list[Any]]:
    """Return what is smaller than 14 pixels, give or take rounding."""
    sizes: list[list[Any]] = page.evaluate(
        """[...document.querySelectorAll("p, span, button, label, text, output, code, td")]
        .filter(part => part.textContent.trim() && part.getBoundingClientRect().width)
        .map(part => [parseFloat(getComputedStyle(part).fontSize) *
            (part.ownerSVGElement ? part.getScreenCTM().a : 1), part.textContent])"""
    )
    return [small for small in sizes if small[0] < 13.9]


@pytest.mark.parametrize("fragment", ["#step=3", "#step=14&view=layer", "#step=9&view=gate"])
def test_folds_and_layers_fit_a_phone(fragment: str, open_page: Any) -> None:
    """Nothing sticks out sideways, nothing is small, and what is pressed has 44 pixels."""
    model = MLP(3, [6, 1], activation="tanh", rng=0)
    steps = walk(labelled(square(model([1.0, 2.0, 3.0])), "L"), model=model)
    page = open_page(
        steps, fragment, limit=10, viewport={"width": 390, "height": 844}, has_touch=True
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert small_text(page) == []
    for button in page.locator("#folds button").all():
        assert button.bounding_box()["height"] >= 44
    here = page.locator("#path [aria-current]").bounding_box()
    assert here["x"] + here["width"] <= page.locator("#follow").bounding_box()["x"]


def test_phone_keeps_the_active_wire_in_view_and_buttons_within_reach(open_page: Any) -> None:
    """Graph half the height, panel beneath, a bar that stays with buttons of 44 pixels."""
    page = open_page(regularised(), viewport={"width": 390, "height": 844}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    stage = page.locator("#stage").bounding_box()
    assert stage["height"] == pytest.approx(844 / 2, abs=1)
    for _ in range(12):
        page.locator("#next").click()
        button = page.locator("#next").bounding_box()
        assert min(button["width"], button["height"]) >= 44
        assert button["y"] + button["height"] <= 844
        active = page.locator("#underlay > :first-child").bounding_box()
        middle = active["x"] + active["width"] / 2
        assert 0 <= middle <= 390
    assert small_text(page) == []
    assert page.locator("#fields").is_hidden()
    page.locator("#drawer").click()
    assert page.locator("#fields").is_visible()


def test_the_layout_never_moves(open_page: Any) -> None:
    """Neither a step nor an input moves a shape."""
    page = open_page(regularised())
    places = """[...document.querySelectorAll("#graph .node rect, #graph path.line")]
        .map(shape => { const b = shape.getBBox(); return [b.x, b.y, b.width, b.height] })"""
    before = page.evaluate(places)
    page.evaluate("scalargrad.setInputs({w: -12.3456789})")
    page.keyboard.press("End")
    assert page.evaluate(places) == before


def test_motion_is_left_out_where_it_is_unwanted(open_page: Any) -> None:
    """The arrow stands still at once; otherwise it travels and comes to rest."""

    def places(motion: str) -> list[str | None]:
        """Return where the arrow is at once and after each of three quarters of a second."""
        page = open_page(lecture(), reduced_motion=motion)
        page.clock.install(time=0)
        page.clock.pause_at(60)
        page.reload()
        page.evaluate("scalargrad.goTo(5)")
        found = []
        for _ in range(4):
            found.append(page.locator(".arrow").get_attribute("transform"))
            page.clock.run_for(250)
        return found

    at_rest, *still = places("reduce")
    assert still == [at_rest] * 3
    _, *travelling, arrived = places("no-preference")
    assert len({at_rest, *travelling}) == 3
    assert arrived == at_rest


def test_three_hundred_nodes_are_drawn_and_move(open_page: Any) -> None:
    """A graph at the limit is stepped through like a small one."""
    leaves = [Parameter(0.1 * i, f"w{i}") for i in range(100)]
    root = labelled(add_up([square(w * 2.0) for w in leaves][:99]) * maximum(*leaves[:4]), "f")
    steps = walk(root)
    assert 295 <= len(steps.scene.order) <= 300
    page = open_page(steps)
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    assert str(page.locator("#counter").text_content()).startswith("11/")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("make", [lecture, regularised])
def test_axe_finds_no_accessibility_violation(
    make: Any, scheme: str, open_page: Any, axe: Callable[[Any], Any]
) -> None:
    """At the inputs, at a wire, in Predict mode, with everything open."""
    page = open_page(make(), color_scheme=scheme)
    for prepare in (
        "0",
        "scalargrad.goTo(5)",
        "document.getElementById('predict').click()",
        "document.getElementById('more').click()",
        "document.getElementById('n0').dispatchEvent(new MouseEvent('click'))",
    ):
        page.evaluate(prepare)
        assert axe(page) == []
