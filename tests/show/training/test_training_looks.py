"""How the page of a training page looks: colours, sizes, print, files taken away, accessibility."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.show.steps.stepping import until

from scalargrad import watch
from scalargrad.losses import cross_entropy, mse_loss
from scalargrad.nn import MLP
from scalargrad.optim import SGD
from scalargrad.show.training import TrainingPage

from .helpers import LABELS, POINTS, classifier, others

SVG = "{http://www.w3.org/2000/svg}"
COLOURS = [
    ("light", "rgb(11, 92, 173)", "rgb(179, 71, 0)"),
    ("dark", "rgb(124, 196, 255)", "rgb(255, 163, 107)"),
]


@cache
def ten_classes() -> TrainingPage:
    """Watch three epochs of ten classes around a circle."""
    around = [[math.cos(0.2 * math.pi * k), math.sin(0.2 * math.pi * k)] for k in range(10)]
    model = MLP(2, [8, 10], rng=0)
    sgd = SGD(model.parameters(), lr=0.5)
    classes = list(range(10))
    return watch(model, around, classes, loss=cross_entropy, optimizer=sgd, epochs=3, quiet=True)


@pytest.mark.parametrize(("scheme", "positive", "negative"), COLOURS)
def test_ten_classes_have_ten_colours_that_are_no_sign_s(
    scheme: str, positive: str, negative: str, open_page: Any
) -> None:
    """Class 1 was blue, as all that is positive, in the picture of the output for class 0 too."""
    page = open_page(ten_classes(), color_scheme=scheme)
    look = "all => all.map((x) => [getComputedStyle(x).fill, x.getAttribute('d')])"
    for part in ("#plane-legend .marker", "#points .marker"):
        looks = page.locator(part).evaluate_all(look)
        assert len(looks) == 10
        assert len({colour for colour, _ in looks} | {positive, negative}) == 12


@pytest.mark.parametrize(("scheme", "positive", "negative"), COLOURS)
def test_colours_follow_the_system_and_the_sign_has_dashes_too(
    scheme: str, positive: str, negative: str, open_page: Any
) -> None:
    """Blue and solid, orange and dashed, whatever the theme."""
    page = open_page(classifier()[0], color_scheme=scheme)
    look = "line => { const s = getComputedStyle(line); return [s.stroke, s.strokeDasharray] }"
    assert page.locator("#lines .positive").first.evaluate(look) == [positive, "none"]
    assert page.locator("#lines .negative").first.evaluate(look) == [negative, "9px, 5px"]


def corner(page: Any) -> list[int]:
    """Return the colour in the first pixel of the plane's picture."""
    found: list[int] = page.evaluate(
        """(() => { const edge = document.querySelector("#points .edge");
        return [...document.getElementById("field").getContext("2d")
        .getImageData(+edge.getAttribute("x") + 2, +edge.getAttribute("y") + 2, 1, 1).data] })()"""
    )
    return found


def test_the_theme_can_be_chosen_and_pictures_follow(open_page: Any) -> None:
    """The plane is painted anew: dark on dark paper."""
    page = open_page(classifier()[0])
    light = sum(corner(page)[:3])
    page.locator("#theme").select_option("dark")
    assert sum(corner(page)[:3]) < light - 100
    page.locator("#theme").select_option("light")
    assert sum(corner(page)[:3]) == light


@pytest.mark.parametrize("size", [(1440, 900), (1280, 720), (1920, 1080)])
def test_everything_fits_the_window(size: tuple[int, int], open_page: Any) -> None:
    """Nothing to scroll, nothing out of its part, the plane a square."""
    page = open_page(
        classifier()[0], "#step=3&example=2", viewport={"width": size[0], "height": size[1]}
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    assert page.evaluate("document.documentElement.scrollHeight") <= size[1]
    edge = page.locator("#points .edge").bounding_box()
    assert edge["width"] == pytest.approx(edge["height"], abs=1)
    assert edge["height"] > 0.4 * size[1]
    story = page.locator("#story")
    assert story.evaluate("part => part.scrollHeight <= part.clientHeight")


def test_phone_has_large_text_and_buttons_within_reach(open_page: Any) -> None:
    """Nothing to scroll sideways, text of 14 pixels, targets of 44, the timeline always there."""
    page = open_page(
        classifier()[0], "#step=3", viewport={"width": 390, "height": 844}, has_touch=True
    )
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    sizes = page.evaluate(
        """[...document.querySelectorAll("p, span, button, label, text, output, select, h1, h2")]
        .filter(part => part.textContent.trim() && part.getBoundingClientRect().width > 1)
        .map(part => [parseFloat(getComputedStyle(part).fontSize) *
            (part.ownerSVGElement ? part.getScreenCTM().a : 1), part.textContent])"""
    )
    assert [small for small in sizes if small[0] < 13.9] == []
    targets = page.evaluate(
        """[...document.querySelectorAll("button, select, input, .segments label")]
        .filter(part => part.type !== "radio").map(part => [part.id, part.getBoundingClientRect()])
        .filter(([, box]) => box.width > 1).map(([id, box]) => [id, box.width, box.height])"""
    )
    assert [t for t in targets if min(t[1:]) < 43.9] == []
    for down in (0, 400, 5000):
        page.evaluate(f"window.scrollTo(0, {down})")
        button = page.locator("#next").bounding_box()
        assert 0 <= button["y"] <= 844 - button["height"]
    page.locator("#points").tap(position={"x": 150, "y": 150})
    assert page.locator("#next").is_visible()


def test_paper_is_light_and_has_no_controls(open_page: Any) -> None:
    """Also where the screen is dark; afterwards it is dark again."""
    page = open_page(classifier()[0], color_scheme="dark")
    dark = corner(page)
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    assert sum(corner(page)[:3]) > sum(dark[:3]) + 100
    assert page.locator("#timeline").is_hidden()
    assert page.locator("#views").is_hidden()
    assert page.locator("#sentence").is_visible()
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    assert corner(page) == dark


@pytest.mark.parametrize("canvas", ["field", "tiles"])
def test_paper_shows_the_same_colours_as_the_screen(canvas: str, open_page: Any) -> None:
    """For a printer, pixels are copied; on the screen, pictures are enlarged where they stand."""
    page = open_page(classifier()[0], "#step=12", color_scheme="light")
    colours, apart = page.evaluate(f"""(() => {{
        const canvas = document.getElementById("{canvas}");
        const pixels = () =>
          canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
        const screen = pixels();
        window.dispatchEvent(new Event("beforeprint"));
        const paper = pixels();
        if (screen.length !== paper.length) return [0, 255];
        return [new Set(screen).size, screen.reduce((most, it, i) =>
          Math.max(most, Math.abs(it - paper[i])), 0)]; }})()""")
    assert colours > 50
    assert apart <= 2


def test_what_is_shown_is_exported_as_an_svg_of_its_own(open_page: Any) -> None:
    """XML with both pictures inside, numbers, colours without a style sheet, and the sentence."""
    page = open_page(classifier()[0], "#step=12&example=4")
    with page.expect_download() as download:
        page.locator("#export").click()
    assert download.value.suggested_filename == "epoch-12.svg"
    svg = ET.parse(download.value.path()).getroot()
    assert len(svg.findall(f".//{SVG}image")) == 2
    texts = ["".join(text.itertext()) for text in svg.iter(f"{SVG}text")]
    assert page.locator("#sentence").text_content() in texts
    assert set(page.locator("#cells .number").all_text_contents()) <= set(texts)
    assert {"rgb(11, 92, 173)", "rgb(179, 71, 0)"} <= {p.get("stroke") for p in svg.iter()}
    assert not [part for part in svg.iter() if part.get("class") or part.get("id")]


def test_an_example_runs_through_the_layers_only_where_motion_is_wanted(open_page: Any) -> None:
    """Its numbers appear layer by layer when it is chosen, and at once when snapshots move."""
    delays = """[...document.querySelectorAll("#cells .number")].map((text) => {
        const { animationName, animationDelay } = getComputedStyle(text);
        return animationName === "none" ? 0 : parseFloat(animationDelay) })"""
    moving = open_page(classifier()[0], reduced_motion="no-preference")
    moving.keyboard.press("e")
    assert moving.evaluate(delays) == pytest.approx([0, 0, 0.3, 0.3, 0.3, 0.6])
    assert moving.evaluate(
        """[...document.styleSheets[0].cssRules].flatMap((rule) => [...(rule.cssRules ?? [])])
        .filter((rule) => rule instanceof CSSKeyframesRule).map((rule) => rule.name)"""
    ) == ["arrive"]
    still = open_page(classifier()[0], reduced_motion="reduce")
    still.keyboard.press("e")
    assert still.evaluate(delays) == [0] * 6


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", ["classifier", "three classes", "curve", "four inputs"])
def test_axe_finds_no_accessibility_violation(
    name: str, scheme: str, open_page: Any, axe: Callable[[Any], Any]
) -> None:
    """At a snapshot, with an example, with a unit open, with help open; on a phone too."""
    training = classifier()[0] if name == "classifier" else others()[name]
    for size in ((1280, 720), (390, 844)):
        viewport = {"width": size[0], "height": size[1]}
        page = open_page(training, "#step=3", color_scheme=scheme, viewport=viewport)
        for prepare in (
            "0",
            "scalargrad.choose(2)",
            "document.getElementById('cell-4').dispatchEvent(new MouseEvent('click'))",
            "document.getElementById('unit').close(); document.getElementById('help').click()",
        ):
            page.evaluate(prepare)
            assert axe(page) == []


@pytest.mark.parametrize("hidden", ["display: none", "width: 0; height: 0", "height: 40px"])
@pytest.mark.parametrize("name", ["classifier", "curve", "four inputs"])
def test_a_frame_without_room_is_drawn_once_it_is_shown(
    name: str, hidden: str, open_blank: Any
) -> None:
    """A cell out of sight has no size, which is no error, and gets one though no event tells."""
    training = classifier()[0] if name == "classifier" else others()[name]
    page = open_blank(viewport={"width": 1100, "height": 800})
    page.add_init_script("addEventListener('resize', (it) => it.stopImmediatePropagation(), true)")
    frame = training._repr_mimebundle_()["text/html"]
    page.set_content(f"<style>iframe {{ {hidden} }}</style>{frame}")
    inside = page.frames[1]
    inside.locator("#cell-0").wait_for(state="attached")
    page.evaluate("document.querySelector('style').remove()")
    until(
        inside,
        """() => ["lines", "points", "losses"].every((id) => {
          const picture = document.getElementById(id);
          const { width, height } = picture.viewBox.baseVal;
          const { clientWidth, clientHeight } = picture.parentElement;
          return clientWidth > 300 && width === clientWidth && height === clientHeight;
        })""",
    )


def unpacked(page: Any) -> Any:
    """Return what the frame of a notebook's cell holds, once its script has run."""
    frame = page.frame_locator("iframe")
    frame.locator("#counter", has_text="epoch 0/30").wait_for()
    return frame


def test_the_frame_in_a_notebook_moves(open_blank: Any) -> None:
    """Cut off from the notebook as it is, its script works without complaint."""
    page = open_blank()
    page.set_content(classifier()[0]._repr_mimebundle_()["text/html"])
    frame = unpacked(page)
    frame.get_by_role("button", name="Last snapshot").click()
    frame.get_by_role("radio", name="gradients").check()
    assert frame.locator("#counter").text_content() == "epoch 30/30"


def test_firefox_shows_every_digit_of_a_size(open_in_firefox: Any, tmp_path: Path) -> None:
    """Its arrows, which are always there, lay over the 6 of 16 hidden units."""
    path = classifier()[0].save(tmp_path / "training.html")
    look = "field => getComputedStyle(field).appearance"
    assert open_in_firefox(path).locator("#hidden-0").evaluate(look) == "textfield"


def test_firefox_unpacks_the_frame_too(open_in_firefox: Any, tmp_path: Path) -> None:
    """A notebook's cell in Firefox, in light and dark: the page inside is whole."""
    path = tmp_path / "cell.html"
    path.write_text(classifier()[0]._repr_mimebundle_()["text/html"], encoding="utf-8")
    frame = unpacked(open_in_firefox(path))
    frame.get_by_role("button", name="Last snapshot").click()
    assert frame.locator("#counter").text_content() == "epoch 30/30"


def test_firefox_shows_and_moves_it_too(open_in_firefox: Any, tmp_path: Path) -> None:
    """The same numbers as Chromium, without complaint."""
    training, _ = classifier()
    page = open_in_firefox(training.save(tmp_path / "training.html"), "#step=12&example=4")
    page.keyboard.press("ArrowRight")
    page.get_by_role("radio", name="gradients").check()
    assert page.locator("#counter").text_content() == "epoch 13/30"
    losses = page.evaluate("scalargrad.numbers().losses")
    assert sum(losses) / 12 == pytest.approx(training.snapshots[13].loss, rel=1e-12)
    assert sum(corner(page)[:3]) < 3 * 255


LONG = (
    "the mean of the petal's length in hundredths of a millimetre, measured twice by two botanists"
)


CROSSED = """() => {
  const names = [...document.querySelectorAll('#cells .cell:not(.input) .name')].slice(0, 32);
  const boxes = names.map((name) => name.getBBox());
  const isOn = ({ x, y }) => boxes.some((box) => x > box.x && x < box.x + box.width
    && y > box.y && y < box.y + box.height);
  const crosses = (line) => Array.from({ length: 101 }, (_, i) => i / 100)
    .some((share) => isOn(line.getPointAtLength(share * line.getTotalLength())));
  const drawn = [...document.querySelectorAll('#lines path:not(#halo)')];
  return [boxes.length, drawn.filter(crosses).length];
}"""


def test_no_line_crosses_the_names_of_many_units(open_page: Any) -> None:
    """Sixteen below each other have no room for a name among their lines, which begin behind it."""
    model = MLP(2, [16, 16, 1], rng=0)
    page = open_page(watch(model, POINTS, LABELS, loss=mse_loss))
    assert page.evaluate(CROSSED) == [32, 0]


def test_names_are_cut_only_where_they_find_no_room(open_page: Any) -> None:
    """Twenty letters stand whole; a name that is cut is given on hover and in the legend."""
    names = ["sepal length (cm)", "b", "number_of_petals_seen", LONG]
    wide = [[0.1 * i, -0.2 * i, 0.3, 0.05 * i * i] for i in range(10)]
    model = MLP(4, [3, 1], rng=0)
    training = watch(model, wide, [i % 2 for i in range(10)], loss=mse_loss, feature_names=names)
    for size in ((1440, 900), (1280, 720), (390, 844)):
        page = open_page(training, viewport={"width": size[0], "height": size[1]})
        drawn = page.locator("#cells .name.before")
        lines = [text.locator("tspan").all_text_contents() for text in drawn.all()]
        written = ["".join(line).replace(" ", "") for line in lines]
        assert written[:3] == [name.replace(" ", "") for name in names[:3]]
        assert lines[3][-1].endswith("…")
        assert drawn.locator("title").all_text_contents() == [LONG]
        assert page.locator("#names-of").text_content().endswith(f"is {LONG}")
        left = page.locator("#cells").bounding_box()["x"]
        boxes = [text.bounding_box() for text in drawn.all()]
        assert min(box["x"] for box in boxes) >= left - 1
        ends = [box["y"] + box["height"] for box in boxes]
        assert all(above <= box["y"] + 4 for above, box in zip(ends, boxes[1:], strict=False))
