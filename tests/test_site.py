"""The site under docs/: its pages run, and it needs nothing but itself."""

from __future__ import annotations

import ast
import doctest
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE

DOCS = Path(__file__).parent.parent / "docs"
PAGES = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if "```python" in path.read_text(encoding="utf-8") and "_build" not in path.parts
]


def _case(page: Path) -> Any:
    """Return a page as a case, marked if it makes bitmaps."""
    bitmaps = page.stem in {"teaching"}
    return pytest.param(page, id=page.stem, marks=[pytest.mark.bitmaps] * bitmaps)


@pytest.mark.parametrize("page", [*map(_case, PAGES)])
def test_every_page_is_a_session_that_prints_what_it_shows(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python blocks of a page, typed in one after the other, give the output shown."""
    if page.stem in {"scipy", "sympy"}:
        pytest.importorskip(page.stem)
    if page.stem == "errors":
        pytest.importorskip("sympy")
    if page.stem == "export":
        pytest.importorskip("networkx")
        pytest.importorskip("sympy")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.M | re.S)
    typed = [block for block in blocks if block.startswith(">>>")]
    for block in set(blocks) - set(typed):
        ast.parse(block)
    namespace = {"__name__": "__main__"}
    session = doctest.DocTestParser().get_doctest(
        "\n".join(typed), namespace, page.stem, str(page), 0
    )
    failures: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(session, out=failures.append)
    assert not failures, "".join(failures)


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
    context.set_default_timeout(1000 * PATIENCE)
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


def test_search_works_from_disk(site: Path, page: Any) -> None:
    """Searching for a name finds its page of the reference, without a server."""
    page.goto((site / "search.html").as_uri() + "?q=value_and_grad")
    page.wait_for_selector("ul.search li")
    assert "reference/transforms" in page.inner_html("ul.search")


@pytest.fixture(scope="module")
def search(browser: Any) -> Iterator[Any]:
    """Return a page of a browser without network that is used again and again."""
    context = browser.new_context(offline=True)
    context.set_default_timeout(1000 * PATIENCE)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    yield page
    context.close()


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("micrograd", "guides/micrograd"),
        ("custom backward", "guides/operations"),
        ("answer key", "guides/teaching"),
        ("ode", "guides/scipy"),
        ("confidence interval", "guides/scipy"),
        ("pytree", "explained/compared"),
        ("thread safe", "guides/parallel"),
        ("hessian", "reference/transforms"),
        ("compile time", "guides/"),
        ("chain rule", "notebooks/01"),
        ("derivative of sigmoid", "notebooks/02"),
        ("moon", "notebooks/06"),
        ("sigmoid neuron", "notebooks/02"),
        ("fit a model to data", "guides/scipy"),
        ("curve_fit", "guides/scipy"),
        ("covariance", "guides/scipy"),
        ("uncertainty", "guides/scipy"),
        ("root finding", "guides/scipy"),
        ("greeks", "guides/likelihoods"),
        ("kalman", "guides/likelihoods"),
        ("garch", "guides/likelihoods"),
        ("finance", "guides/likelihoods"),
        ("microgpt", "guides/micrograd"),
        ("homework", "guides/teaching"),
        ("handout", "guides/teaching"),
        ("animation", "guides/teaching"),
        ("tutorial", "start/ten-minutes"),
        ("getting started", "start/ten-minutes"),
        ("licence", "start/install"),
        ("neural network", "guides/train"),
        ("minibatch", "guides/micrograd"),
        ("_children", "guides/micrograd"),
        ("monte carlo", "guides/fast"),
        ("slow", "guides/fast"),
        ("cuda", "explained/limits"),
        ("complex", "explained/limits"),
        ("cite", "sources"),
        ("transformer", "notebooks/11"),
        ("language model", "notebooks/11"),
        ("makemore", "notebooks/11"),
        ("linalg", "explained/limits"),
        ("linear system", "explained/limits"),
        ("save a model", "guides/train"),
    ],
)
def test_what_new_users_look_for_comes_first(
    site: Path, search: Any, asked: str, found: str
) -> None:
    """A guide rather than the reason for a decision, and a name before words that hold it."""
    search.goto(f"{(site / 'search.html').as_uri()}?q={asked}")
    search.wait_for_selector("ul.search li")
    search.wait_for_function("document.querySelector('.search-summary').innerText")  # it is done
    assert found in search.locator("ul.search li a").first.get_attribute("href")


@pytest.mark.parametrize("word", ["mode", "sigmoid"])
def test_words_that_were_searched_for_are_marked_without_complaint(
    site: Path, page: Any, word: str
) -> None:
    """In text and drawings; the titles of icons, such as "Light mode", are left alone."""
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{(site / 'reference/nn.html').as_uri()}?highlight={word}")
    page.wait_for_selector(".highlighted", state="attached")
    assert complaints == []


def test_the_first_page_has_a_live_step_page(site: Path, page: Any) -> None:
    """The page within the page moves with its own control."""
    page.goto((site / "index.html").as_uri())
    frame = page.frame_locator("iframe.page")
    frame.locator("#counter", has_text="1/8").wait_for()  # its script has run
    frame.locator("#next").click()
    assert frame.locator("#counter").inner_text() == "2/8"
