"""Fixtures that open step pages, and a `Reader` that uses a page like a person."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import FIREFOX_CONTEXT_OPTIONS, OpenPage, PageObserver

from scalargrad.show.steps import Walk

_NODE = re.compile(
    r", (?:gate|parameter|input): (.*?)(?: ([=≈] \S+)|, not computed yet)(?:, gradient (.*))?$"
)


class Reader:
    """The user of a step page, who sees texts and roles, not elements."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.panel = page.get_by_role("region", name="This step")
        self.graph = page.get_by_role("region", name="Graph", exact=True)

    @property
    def at(self) -> str:
        """The position on the page: 3/8."""
        said = self.page.get_by_role("slider", name="Step", exact=True)
        found = re.match(r"step (\d+) of (\d+)", said.get_attribute("aria-valuetext"))
        assert found is not None
        assert self.page.get_by_text(f"{found[1]}/{found[2]}", exact=True).count() == 1
        return f"{found[1]}/{found[2]}"

    @property
    def told(self) -> str:
        """The last announcement to screen readers."""
        text: str = self.page.locator("[aria-live]").text_content()
        return text

    @property
    def says(self) -> str:
        """The text of the panel, without spaces in formulas."""
        text: str = self.panel.text_content()
        return text.replace("\N{NO-BREAK SPACE}", " ")

    @property
    def nodes(self) -> dict[str, tuple[str, str]]:
        """The value and the gradient of each node in the drawing, if known at the step."""
        labels = self.graph.locator("[role=button]").evaluate_all(
            "shapes => shapes.map(shape => shape.getAttribute('aria-label') ?? '')"
        )
        found = filter(None, map(_NODE.search, labels))
        return {match[1]: (match[2] or "", match[3] or "") for match in found}

    @property
    def drawn(self) -> list[str]:
        """All visible texts in the drawing."""
        texts: list[str] = self.graph.locator("text").evaluate_all(
            """all => all.filter(text => text.checkVisibility({ visibilityProperty: true }))
            .map(text => text.textContent)"""
        )
        return texts

    @property
    def chip(self) -> str:
        """The product on the active wire."""
        return " ".join(self.page.locator(".chip text").all_text_contents())

    def press(self, *keys: str) -> None:
        """Press keys in a row."""
        for key in keys:
            self.page.keyboard.press(key)

    def go(self, step: int) -> None:
        """Go to a step of the walk, from 1."""
        self.page.evaluate(f"scalargrad.goTo({step})")

    def set(self, **inputs: float) -> None:
        """Set inputs by name."""
        self.page.evaluate("inputs => scalargrad.setInputs(inputs)", inputs)

    def box(self, name: str) -> Any:
        """Return the number box of an input."""
        return self.page.get_by_role("spinbutton", name=name, exact=True)

    def write(self, name: str, text: str) -> None:
        """Write in the number box of an input."""
        self.box(name).click()
        self.press("Control+a")
        self.page.keyboard.type(text)

    def button(self, name: str) -> Any:
        """Return a button."""
        return self.page.get_by_role("button", name=name, exact=True)

    def view(self, name: str) -> None:
        """Select a view, and move the focus back to the panel."""
        self.page.get_by_role("radio", name=name).check(force=True)
        self.panel.focus()

    def tool(self, name: str) -> None:
        """Press a button under More."""
        if self.page.get_by_role("region", name="More").is_hidden():
            self.button("More ▾").click()
        self.button(name).click()

    def dialog(self) -> str:
        """Return the text of the open dialog."""
        text: str = self.page.get_by_role("dialog").text_content()
        return text


Read = Callable[..., Reader]


@pytest.fixture
def read(open_page: OpenPage) -> Read:
    """Return a function that saves a walk and opens it in Chromium."""
    return lambda *walk, **options: Reader(open_page(*walk, **options))


@pytest.fixture
def read_in_firefox(open_in_firefox: OpenPage, tmp_path: Path) -> Read:
    """Return a function that saves a walk and opens it in Firefox."""
    return lambda steps: Reader(open_in_firefox(steps.save(tmp_path / "page.html")))


@pytest.fixture(
    params=[
        pytest.param("browser", marks=pytest.mark.people, id="Chromium"),
        pytest.param("firefox", marks=pytest.mark.wide, id="Firefox"),
    ]
)
def read_anywhere(
    request: pytest.FixtureRequest, observer: PageObserver, tmp_path: Path
) -> Iterator[Read]:
    """Return a function that saves a walk and opens it, in each browser."""
    engine = request.getfixturevalue(request.param)
    usual = FIREFOX_CONTEXT_OPTIONS if request.param == "firefox" else {"reduced_motion": "reduce"}

    def opened(steps: Walk, fragment: str = "", **options: Any) -> Reader:
        path = steps.save(tmp_path / "page.html")
        return Reader(observer.open(engine, path, fragment, **{**usual, **options}))

    yield opened
    observer.check_quiet()
