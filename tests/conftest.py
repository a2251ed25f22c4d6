"""Layers of the tests, settings they share, and Chromium and Firefox for those of pages."""

from __future__ import annotations

import base64
import gc
import importlib.metadata
import math
import os
import random
import re
import shutil
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any, Protocol

import pytest
import tests.surroundings  # noqa: F401 - before scalargrad is imported
from hypothesis import settings
from tests.patience import PATIENCE

settings.register_profile("ci", derandomize=True, max_examples=60, deadline=None)
settings.register_profile(
    "fresh", derandomize=False, database=None, deadline=None, max_examples=60, print_blob=True
)
# Where lines are counted, an example takes three times as long; fresh ones are tried elsewhere.
settings.register_profile("counted", derandomize=True, max_examples=15, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

OpenPage = Callable[..., Any]

#: After so many seconds no further test is begun; for a search that is limited by time.
SECONDS = float(os.environ.get("SECONDS_OF_TESTS", "inf"))
started: list[float] = []

#: What counts lines in the thread of tests, and in those that tests start.
counters: list[Any] = [None, None]

LAYERS = ("engine", "behaviour", "differential", "people", "wide")
#: Tests in these places are *engine* unless they say otherwise, all others *behaviour*.
ENGINE = (
    *(
        "src/",
        "tests/lectures/",
        "tests/losses/",
        "tests/ops/",
        "tests/codegen/",
        "tests/opdef/",
        "tests/transforms/",
    ),
    *("tests/test_autodiff.py", "tests/test_grad_mode.py", "tests/test_graph.py"),
    *("tests/test_numpy.py", "tests/test_sparse.py", "tests/test_tree.py", "tests/test_value.py"),
)

# Firefox lets Playwright override none of these.
AS_THE_PROFILE_SAYS = dict.fromkeys(
    ("color_scheme", "reduced_motion", "forced_colors", "contrast"), "null"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --rewrite, for tests/wording."""
    parser.addoption(
        "--rewrite", action="store_true", help="write the golden files of tests/wording"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its layer; mix those of a search that is limited by time.

    What opens a browser is *wide*, unless it is one of the few that say *people*.
    """
    for item in items:
        if not any(item.get_closest_marker(layer) for layer in LAYERS):
            in_browser = "playwright" in getattr(item, "fixturenames", ())
            place = "engine" if item.nodeid.startswith(ENGINE) else "behaviour"
            item.add_marker("wide" if in_browser else place)
    seed = config.getoption("--hypothesis-seed", default=None)
    if math.isfinite(SECONDS):
        random.Random(seed).shuffle(items)


def pytest_collection_finish() -> None:
    """Spare the collector the tests themselves: looking through them takes half a second."""
    gc.collect()
    gc.freeze()


@contextmanager
def traced(main: Any, threads: Any) -> Iterator[None]:
    """Let these count lines, in this thread and in those that are started; None counts none."""
    before = sys.gettrace(), threading.gettrace()
    sys.settrace(main)
    threading.settrace(threads)
    try:
        yield
    finally:
        sys.settrace(before[0])
        threading.settrace(before[1])


@pytest.hookimpl(wrapper=True)
def pytest_runtestloop() -> Iterator[None]:
    """Count no lines around tests: counted, what pytest itself does takes twice as long."""
    counters[:] = sys.gettrace(), threading.gettrace()
    with traced(None, None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Count the lines that tests run, but for those in browsers: counted, a test takes longer."""
    in_browser = "playwright" in getattr(item, "fixturenames", ())
    with traced(*((None, None) if in_browser else counters)):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin no test late."""
    started.append(time.monotonic())
    if started[-1] - started[0] > SECONDS:
        pytest.skip("the time is up")


@pytest.fixture
def no_bundled_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let graphviz-pure be not installed."""
    monkeypatch.setattr(importlib.metadata, "files", lambda _: None)


@pytest.fixture
def no_system_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no program to be found."""
    monkeypatch.setenv("PATH", "")


class Savable(Protocol):
    """What can be saved as a page: a walk, a training page."""

    def save(self, path: Path, /, **options: Any) -> Path:
        """Write the page and return where."""


#: Playwright and browsers go on from one file of tests to the next, and how to end them all.
running: dict[str, Any] = {}
to_end = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """End the browsers of a run that is broken off."""
    config.add_cleanup(to_end.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """End the browsers before a file that needs none: beside Playwright, asyncio cannot run."""
    yield
    if nextitem is None or (
        nextitem.path != item.path and "playwright" not in getattr(nextitem, "fixturenames", ())
    ):
        running.clear()
        to_end.close()


@pytest.fixture(scope="module")
def playwright() -> Any:
    """Start Playwright, once for files in a row: two of it cannot run side by side."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="pages are driven in browsers by playwright"
    )
    if "playwright" not in running:
        running["playwright"] = to_end.enter_context(sync_api.sync_playwright())
    return running["playwright"]


def installed(browser: str, *commands: str) -> str:
    """Return where a browser is; skip where there is none. A variable may say it: FIREFOX=…."""
    variable = os.environ.get(browser.upper())
    found = next(filter(None, [variable, *map(shutil.which, commands)]), None)
    if found is None:
        pytest.skip(f"the page is driven in {browser}, which is not installed here")
    return found


@pytest.fixture
def framed() -> Callable[[str], str]:
    """Return a function from what a notebook's cell shows to the page that its frame unpacks."""

    def unpacked(shown: str) -> str:
        frame = re.search(r'<iframe srcdoc="([^"]*)"', shown)
        assert frame is not None
        packed = re.search(r'atob\("([^"]*)"\)', unescape(frame[1]))
        assert packed is not None
        return zlib.decompress(base64.b64decode(packed[1])).decode()

    return unpacked


def kept(name: str, start: Callable[[], Any]) -> Any:
    """Return the browser of this name, which is started where it does not run."""
    if name not in running:
        running[name] = start()
        to_end.callback(running[name].close)
    return running[name]


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Any:
    """Start Chromium, once for files in a row; without windows, it opens pages twice as fast."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    path = installed("Chromium", "chromium-headless-shell", "chromium", "google-chrome")
    launch = playwright.chromium.launch
    return kept(
        "chromium", lambda: launch(executable_path=path, args=[*arguments, "--no-first-run"])
    )


def start_firefox(playwright: Any, dark: bool) -> Any:
    """Start the distribution's own Firefox, which is told by its profile what a system would say.

    It speaks WebDriver BiDi; a Playwright that needs newer commands than it knows is a reason to
    skip, because such a pair can open no page at all.
    """
    started = playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=installed("Firefox", "firefox", "firefox-esr"),
        firefox_user_prefs={
            "ui.prefersReducedMotion": 1,
            "layout.css.prefers-color-scheme.content-override": 0 if dark else 1,
        },
    )
    try:
        started.new_context(**AS_THE_PROFILE_SAYS).close()
    except Exception as error:
        started.close()
        if "unknown command" not in str(error):
            raise
        pytest.skip("this Playwright needs a newer Firefox; pip install -e '.[oracles]' pins it")
    return started


@pytest.fixture(scope="module")
def firefox(playwright: Any) -> Any:
    """Start Firefox on a system with a light theme, once for files in a row."""
    return kept("firefox", lambda: start_firefox(playwright, dark=False))


@pytest.fixture(scope="module")
def dark_firefox(playwright: Any) -> Any:
    """Start Firefox on a system with a dark theme, once for files in a row."""
    return kept("dark firefox", lambda: start_firefox(playwright, dark=True))


class Witness:
    """Opens files in a browser, and notes what they print, throw and ask for."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.requests: list[str] = []
        self.contexts: list[Any] = []

    def blank(self, browser: Any, **options: Any) -> Any:
        """Open a window of its own with nothing in it."""
        size = {"width": 1280, "height": 800}
        context = browser.new_context(**{"viewport": size, **options})
        context.set_default_timeout(1000 * PATIENCE)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        return page

    def open(self, browser: Any, path: Path, fragment: str = "", **options: Any) -> Any:
        """Open a file from disk in a window of its own."""
        page = self.blank(browser, **options)
        page.goto(path.as_uri() + fragment)
        return page

    def close(self) -> None:
        """Close the windows."""
        while self.contexts:
            self.contexts.pop().close()

    def testify(self) -> None:
        """Close the windows, which must have been quiet and asked for nothing but their file."""
        self.close()
        assert not self.complaints
        assert all(url.startswith(("file:", "blob:")) for url in self.requests)


@pytest.fixture
def witness() -> Iterator[Witness]:
    """Return an observer of pages, whose windows close when the test is over."""
    observer = Witness()
    yield observer
    observer.close()


@pytest.fixture
def open_page(browser: Any, witness: Witness, tmp_path: Path) -> Iterator[OpenPage]:
    """Return a function that saves a walk or a training page and opens it from disk in Chromium.

    When the test is over, the page must have printed nothing to the console, thrown
    nothing, and asked for nothing but its own file.
    """

    def opened(shown: Savable, fragment: str = "", limit: int | None = None, **options: Any) -> Any:
        larger = {} if limit is None else {"limit": limit}
        path = shown.save(tmp_path / f"page{len(witness.contexts)}.html", **larger)
        return witness.open(browser, path, fragment, **{"reduced_motion": "reduce", **options})

    yield opened
    witness.testify()


@pytest.fixture
def open_blank(browser: Any, witness: Witness) -> Iterator[OpenPage]:
    """Return a function that opens an empty window in Chromium, under the same conditions."""
    yield partial(witness.blank, browser)
    witness.testify()


@pytest.fixture
def open_in_firefox(firefox: Any, witness: Witness) -> Iterator[OpenPage]:
    """Return a function that opens any file in Firefox, under the same conditions."""

    def opened(path: Path, fragment: str = "", browser: Any = firefox, **options: Any) -> Any:
        return witness.open(browser, path, fragment, **{**AS_THE_PROFILE_SAYS, **options})

    yield opened
    witness.testify()


@pytest.fixture
def pythons_handler() -> Iterator[None]:
    """Set Python's own handler, which a process started in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
        # What passes is left in the page: handing it over takes three quarters of the time.
        return [
            (violation["id"], node["html"][:120], node["failureSummary"][:300])
            for violation in page.evaluate(
                "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)"
            )
            for node in violation["nodes"]
        ]

    return violations
