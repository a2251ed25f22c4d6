"""The built site needs no network, and its search finds the expected pages."""

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
    """Return a page of a browser without network, which records its requests."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(1000 * TIMEOUT)
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    yield page
    context.close()


def test_site_loads_no_script_style_or_picture_from_another_host(site: Path) -> None:
    """Pages load files of the site only; links may lead elsewhere."""
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
def test_site_pages_load_only_existing_files_without_network(
    site: Path, page: Any, name: str
) -> None:
    """A page opened from disk requests files of the site only, and finds all of them."""
    page.on("requestfailed", lambda request: pytest.fail(f"{request.url} failed"))
    page.goto((site / name).as_uri(), wait_until="load")
    assert page.title()
    assert {url.partition(":")[0] for url in page.asked} <= {"file", "data", "about", "blob"}


@pytest.fixture(scope="module")
def search(browser: Any) -> Iterator[Any]:
    """Return a page of a browser without network that is shared by the tests."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(1000 * TIMEOUT)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    yield page
    context.close()


#: Queries, and the page that comes first.
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
def test_site_search_ranks_the_expected_page_first(
    site: Path, search: Any, asked: str, found: str
) -> None:
    """A guide precedes a decision, and a name precedes text that contains it."""
    search.goto(f"{(site / 'search.html').as_uri()}?q={asked}")
    search.wait_for_selector("ul.search li")
    search.wait_for_function("document.querySelector('.search-summary').innerText")  # it is done
    assert found in search.locator("ul.search li a").first.get_attribute("href")


def test_site_first_page_has_a_live_step_page(site: Path, page: Any) -> None:
    """The embedded page moves by its own controls."""
    page.goto((site / "index.html").as_uri())
    frame = page.frame_locator("iframe.page")
    frame.locator("#counter", has_text="1/8").wait_for()  # its script has run
    frame.locator("#next").click()
    assert frame.locator("#counter").inner_text() == "2/8"
