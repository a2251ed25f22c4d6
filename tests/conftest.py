"""Settings shared by all tests, and Chromium for those of the pages."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, max_examples=60, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

OpenPage = Callable[..., Any]


class Savable(Protocol):
    """What can be saved as a page: a walk, a film."""

    def save(self, path: Path, /) -> Path:
        """Write the page and return where."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Start Chromium once for a file of tests: two of them cannot run side by side."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="the page is driven in Chromium by playwright"
    )
    chromium = (
        os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    )
    if chromium is None:
        pytest.skip("the page is driven in Chromium, which is not installed here")
    with sync_api.sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        started = playwright.chromium.launch(
            executable_path=chromium, args=[*arguments, "--no-first-run"]
        )
        yield started
        started.close()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[OpenPage]:
    """Return a function that saves a walk or a film and opens it from disk.

    When the test is over, the page must have printed nothing to the console, thrown
    nothing, and asked for nothing but its own file.
    """
    complaints: list[str] = []
    requests: list[str] = []
    contexts: list[Any] = []

    def opened(shown: Savable, fragment: str = "", **options: Any) -> Any:
        path = shown.save(tmp_path / f"page{len(contexts)}.html")
        settings = {"viewport": {"width": 1280, "height": 800}, "reduced_motion": "reduce"}
        context = browser.new_context(**{**settings, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(path.as_uri() + fragment)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints
    assert all(url.startswith(("file:", "blob:")) for url in requests)


@pytest.fixture
def axe() -> Callable[[Any], list[tuple[str, str, str]]]:
    """Return a function that lists what axe-core finds wrong with a page as it is shown."""
    source = os.environ.get("AXE_CORE")
    if not source:
        pytest.skip("needs axe-core: npm pack axe-core, and its axe.min.js as AXE_CORE")
    script = Path(source).read_text(encoding="utf-8")

    def violations(page: Any) -> list[tuple[str, str, str]]:
        if not page.evaluate("typeof axe === 'object'"):
            page.evaluate(script)
        return [
            (violation["id"], node["html"][:120], node["failureSummary"][:300])
            for violation in page.evaluate("axe.run()")["violations"]
            for node in violation["nodes"]
        ]

    return violations
