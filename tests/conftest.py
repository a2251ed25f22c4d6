"""Settings shared by all tests, and Chromium for those of the step page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from scalargrad.steps import Walk
from scalargrad.steps.page import LIMIT

settings.register_profile("ci", derandomize=True, max_examples=60, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

OpenPage = Callable[..., Any]


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
    """Return a function that saves a walk and opens it from disk.

    When the test is over, the page must have printed nothing to the console, thrown
    nothing, and asked for nothing but its own file.
    """
    complaints: list[str] = []
    requests: list[str] = []
    contexts: list[Any] = []

    def opened(steps: Walk, fragment: str = "", limit: int = LIMIT, **options: Any) -> Any:
        path = steps.save(tmp_path / f"walk{len(contexts)}.html", limit=limit)
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
