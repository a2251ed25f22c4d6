"""The built site under docs/ needs nothing but itself, and its search finds what users look for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.timeouts import TIMEOUT

pytestmark = pytest.mark.wide


@pytest.fixture(scope="module")
def site() -> Path:
    """Return the folder of the built site."""
    if "SITE" not in os.environ:
        pytest.skip("SITE names no built site: python -m sphinx -W -b html docs docs/_build")
    return Path(os.environ["SITE"]).resolve()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    """Return a page of a browser without network, which notes what it asks for."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(1000 * TIMEOUT)
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    yield page
    context.close()


def test_no_page_names_a_script_style_or_picture_of_another_host(site: Path) -> None:
    """What a page loads lies beside it; only links lead elsewhere."""
    loads = re.compile(r"<(?:script|img|iframe|source)\b[^>]*\bsrc=\"(https?:)?//[^\"]+")
    styles = re.compile(r"<link\b(?![^>]*rel=\"(?:canonical|author)\")[^>]*href=\"(https?:)?//")
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert not loads.search(text), path
        assert not styles.search(text), path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(https?:)?//", path.read_text("utf-8")), path


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "start/ten-minutes.html",
        "reference/operations/activations.html",
        "notebooks/06_two_moons.html",
        "gallery/index.html",
    ],
)
def test_pages_ask_only_for_files_with_the_network_off(site: Path, page: Any, name: str) -> None:
    """Opened from disk without network, a page asks for files beside it and finds each."""
    page.on("requestfailed", lambda request: pytest.fail(f"{request.url} failed"))
    page.goto((site / name).as_uri(), wait_until="load")
    assert page.title()
    assert {url.partition(":")[0] for url in page.asked} <= {"file", "data", "about", "blob"}


@pytest.fixture(scope="module")
def search(browser: Any) -> Iterator[Any]:
    """Return a page of a browser without network that is used again and again."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(1000 * TIMEOUT)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    yield page
    context.close()


#: What is asked, and which page comes first.
SOUGHT = {
    "micrograd": "guides/micrograd",
    "custom backward": "guides/operations",
    "confidence interval": "guides/fitting",
    "pytree": "explained/compared",
    "hessian": "reference/transforms",
    "compile time": "guides/",
    "chain rule": "notebooks/01",
    "getting started": "start/ten-minutes",
    "neural network": "guides/train",
    "cite": "sources",
    "language model": "notebooks/11",
    "value_and_grad": "reference/transforms",
}


@pytest.mark.parametrize(("asked", "found"), SOUGHT.items())
def test_what_new_users_look_for_comes_first(
    site: Path, search: Any, asked: str, found: str
) -> None:
    """A guide rather than the reason for a decision, and a name before words that hold it."""
    search.goto(f"{(site / 'search.html').as_uri()}?q={asked}")
    search.wait_for_selector("ul.search li")
    search.wait_for_function("document.querySelector('.search-summary').innerText")  # it is done
    assert found in search.locator("ul.search li a").first.get_attribute("href")


def test_the_first_page_has_a_live_step_page(site: Path, page: Any) -> None:
    """The page within the page moves with its own control."""
    page.goto((site / "index.html").as_uri())
    frame = page.frame_locator("iframe.page")
    frame.locator("#counter", has_text="1/8").wait_for()  # its script has run
    frame.locator("#next").click()
    assert frame.locator("#counter").inner_text() == "2/8"
