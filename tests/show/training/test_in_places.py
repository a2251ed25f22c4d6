"""A training page on screens and phones, in notebooks and in Firefox."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.show.training.helpers import at, classifier, numbers, others
from tests.timeouts import TIMEOUT
from tests.visibility import DISPLAY_SETTINGS, find_hidden_controls


def corner(page: Any) -> list[int]:
    """Return the colour in the first pixel of the plane's picture."""
    found: list[int] = page.evaluate(
        """(() => { const edge = document.querySelector("#points .edge");
        return [...document.getElementById("field").getContext("2d")
        .getImageData(+edge.getAttribute("x") + 2, +edge.getAttribute("y") + 2, 1, 1).data] })()"""
    )
    return found


# Screens --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "scheme"), [("classifier", "dark"), ("three classes", "light"), ("curve", "dark")]
)
def test_training_page_has_no_accessibility_violation_by_axe(
    name: str, scheme: str, open_page: Any, axe: Callable[[Any], Any]
) -> None:
    """At a snapshot, with an example, with a unit open, with help open, and on a phone."""
    training = classifier()[0] if name == "classifier" else others()[name]
    for size in ((1280, 720), (390, 844)):
        viewport = {"width": size[0], "height": size[1]}
        page = open_page(training, "#step=3", color_scheme=scheme, viewport=viewport)
        for prepare in (
            "0",
            "scalargrad.choose(2)",
            "document.getElementById('unit-4').dispatchEvent(new MouseEvent('click'))",
            "document.getElementById('unit-details').close()",
            "document.getElementById('help').click()",
        ):
            page.evaluate(prepare)
            assert axe(page) == []


@pytest.mark.parametrize("look", DISPLAY_SETTINGS, ids=str)
@pytest.mark.parametrize("name", ["classifier", "three classes"])
def test_training_page_controls_are_visible(
    name: str, look: dict[str, Any], open_page: Any
) -> None:
    """Also units and examples; the page is no wider than its window."""
    training = classifier()[0] if name == "classifier" else others()[name]
    page = open_page(training, "#step=3", **look)
    assert find_hidden_controls(page, 25) == []


# Notebooks ------------------------------------------------------------------------------------


def loaded_frame(page: Any, counter: str = "epoch 0/30") -> Any:
    """Return the frame in the output of a notebook cell, once its script has run."""
    frame = page.frame_locator("iframe")
    frame.locator("#counter", has_text=counter).wait_for()
    return frame


def test_training_page_frame_in_a_notebook_moves_and_trains(open_blank: Any) -> None:
    """In its sandbox the script runs, the form can be submitted, and the help closes."""
    page = open_blank()
    page.set_content(classifier()[0]._repr_mimebundle_()["text/html"])
    frame = loaded_frame(page)
    frame.get_by_role("button", name="Last snapshot").click()
    frame.get_by_role("radio", name="gradients").check()
    assert frame.locator("#counter").text_content() == "epoch 30/30"
    frame.locator("#help").click()
    frame.get_by_role("button", name="Close").click()
    frame.locator("#help-text").wait_for(state="hidden")
    frame.locator("#train").click()
    frame.locator("#recording").wait_for()
    frame.locator("#counter", has_text="epoch 30/30").wait_for()
    assert frame.locator("#settings-note").text_content().startswith("Trained in this page")


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("classifier", "display: none"),
        ("curve", "width: 0; height: 0"),
        ("four inputs", "height: 40px"),
    ],
)
def test_training_page_frame_is_drawn_when_it_becomes_visible(
    name: str, hidden: str, open_blank: Any
) -> None:
    """A hidden cell has no size; it gets one without a resize event."""
    training = classifier()[0] if name == "classifier" else others()[name]
    page = open_blank(viewport={"width": 1100, "height": 800})
    page.add_init_script("addEventListener('resize', (it) => it.stopImmediatePropagation(), true)")
    frame = training._repr_mimebundle_()["text/html"]
    page.set_content(f"<style>iframe {{ {hidden} }}</style>{frame}")
    inside = page.frames[1]
    inside.locator("#unit-0").wait_for(state="attached")
    page.evaluate("document.querySelector('style').remove()")
    end = time.monotonic() + TIMEOUT
    while not inside.evaluate(
        """["lines", "points", "losses"].every((id) => {
          const picture = document.getElementById(id), { width, height } = picture.viewBox.baseVal;
          const { clientWidth, clientHeight } = picture.parentElement;
          return clientWidth > 300 && width === clientWidth && height === clientHeight; })"""
    ):
        assert time.monotonic() < end
        page.wait_for_timeout(50)


# Firefox --------------------------------------------------------------------------------------


def test_training_page_works_in_firefox(open_in_firefox: Any, tmp_path: Path) -> None:
    """The numbers equal those of Chromium; all digits of a layer size are visible."""
    training, _ = classifier()
    page = open_in_firefox(training.save(tmp_path / "training.html"), "#step=12&example=4")
    page.keyboard.press("ArrowRight")
    page.get_by_role("radio", name="gradients").check()
    assert at(page) == "epoch 13/30"
    losses = numbers(page)["losses"]
    assert sum(losses) / 12 == pytest.approx(training.snapshots[13].loss, rel=1e-12)
    assert sum(corner(page)[:3]) < 3 * 255
    look = "field => getComputedStyle(field).appearance"  # its arrows would cover the 6 of 16
    assert page.locator("#hidden-0").evaluate(look) == "textfield"
