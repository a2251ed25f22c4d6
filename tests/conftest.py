"""Layers of the tests, shared settings, and Chromium and Firefox for tests of pages."""

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
import tests.environment  # noqa: F401 - before scalargrad is imported
from hypothesis import settings
from tests.timeouts import TIMEOUT

settings.register_profile("ci", derandomize=True, max_examples=60, deadline=None)
settings.register_profile(
    "fresh", derandomize=False, database=None, deadline=None, max_examples=60, print_blob=True
)
# With coverage an example takes three times as long.
settings.register_profile("counted", derandomize=True, max_examples=15, deadline=None)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

OpenPage = Callable[..., Any]

#: Seconds after which no further test starts, for a search that is limited by time.
SECONDS = float(os.environ.get("SECONDS_OF_TESTS", "inf"))
started: list[float] = []

#: The trace functions of coverage in the main thread, and in threads that tests start.
counters: list[Any] = [None, None]

LAYERS = ("engine", "behaviour", "differential", "people", "wide")
#: Unmarked tests in these files are *engine*, all others *behaviour*.
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

# Playwright cannot override these in Firefox.
FIREFOX_CONTEXT_OPTIONS = dict.fromkeys(
    ("color_scheme", "reduced_motion", "forced_colors", "contrast"), "null"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --rewrite, for tests/wording."""
    parser.addoption(
        "--rewrite", action="store_true", help="write the golden files of tests/wording"
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark each test with its layer; shuffle the tests of a search that is limited by time.

    A test that opens a browser is *wide*, unless it is marked *people*.
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
    """Exclude the tests from garbage collection, which would take half a second each time."""
    gc.collect()
    gc.freeze()


@contextmanager
def trace_with(main: Any, threads: Any) -> Iterator[None]:
    """Set the trace functions of this thread and of new threads; None disables tracing."""
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
    """Disable coverage between tests; with it, pytest's own code takes twice as long."""
    counters[:] = sys.gettrace(), threading.gettrace()
    with trace_with(None, None):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Enable coverage in tests, except in those that open a browser."""
    in_browser = "playwright" in getattr(item, "fixturenames", ())
    with trace_with(*((None, None) if in_browser else counters)):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip tests after the time limit."""
    started.append(time.monotonic())
    if started[-1] - started[0] > SECONDS:
        pytest.skip("the time is up")


@pytest.fixture
def no_bundled_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a missing graphviz-pure."""
    monkeypatch.setattr(importlib.metadata, "files", lambda _: None)


@pytest.fixture
def no_system_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a system without Graphviz."""
    monkeypatch.setenv("PATH", "")


class Savable(Protocol):
    """An object that can be saved as a page: a walk or a training page."""

    def save(self, path: Path, /, **options: Any) -> Path:
        """Write the page and return its path."""


#: Playwright and browsers that are shared by consecutive files, and the stack that closes them.
running: dict[str, Any] = {}
browser_stack = ExitStack()


def pytest_configure(config: pytest.Config) -> None:
    """Close the browsers at the end of an interrupted run."""
    config.add_cleanup(browser_stack.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Close the browsers before a file that needs none: asyncio cannot run next to Playwright."""
    yield
    if nextitem is None or (
        nextitem.path != item.path and "playwright" not in getattr(nextitem, "fixturenames", ())
    ):
        running.clear()
        browser_stack.close()


@pytest.fixture(scope="module")
def playwright() -> Any:
    """Start Playwright, once for consecutive files; two instances cannot run side by side."""
    sync_api = pytest.importorskip(
        "playwright.sync_api", reason="pages are driven in browsers by playwright"
    )
    if "playwright" not in running:
        running["playwright"] = browser_stack.enter_context(sync_api.sync_playwright())
    return running["playwright"]


def find_browser(browser: str, *commands: str) -> str:
    """Return the path of a browser, or skip the test; a variable may give it, as FIREFOX=…."""
    variable = os.environ.get(browser.upper())
    found = next(filter(None, [variable, *map(shutil.which, commands)]), None)
    if found is None:
        pytest.skip(f"the page is driven in {browser}, which is not installed here")
    return found


@pytest.fixture
def unpack_frame() -> Callable[[str], str]:
    """Return a function that unpacks the page from the HTML that a notebook cell shows."""

    def unpack(shown: str) -> str:
        frame = re.search(r'<iframe srcdoc="([^"]*)"', shown)
        assert frame is not None
        packed = re.search(r'atob\("([^"]*)"\)', unescape(frame[1]))
        assert packed is not None
        return zlib.decompress(base64.b64decode(packed[1])).decode()

    return unpack


def shared_browser(name: str, start: Callable[[], Any]) -> Any:
    """Return the running browser of this name, after starting it if necessary."""
    if name not in running:
        running[name] = start()
        browser_stack.callback(running[name].close)
    return running[name]


@pytest.fixture(scope="module")
def browser(playwright: Any) -> Any:
    """Start Chromium, once for consecutive files; headless, it opens pages twice as fast."""
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    path = find_browser("Chromium", "chromium-headless-shell", "chromium", "google-chrome")
    launch = playwright.chromium.launch
    return shared_browser(
        "chromium", lambda: launch(executable_path=path, args=[*arguments, "--no-first-run"])
    )


def start_firefox(playwright: Any, dark: bool) -> Any:
    """Start the system's Firefox with a profile that sets theme and motion.

    It speaks WebDriver BiDi; with a Playwright that needs newer commands, the test is skipped,
    because such a pair cannot open a page.
    """
    started = playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=find_browser("Firefox", "firefox", "firefox-esr"),
        firefox_user_prefs={
            "ui.prefersReducedMotion": 1,
            "layout.css.prefers-color-scheme.content-override": 0 if dark else 1,
        },
    )
    try:
        started.new_context(**FIREFOX_CONTEXT_OPTIONS).close()
    except Exception as error:
        started.close()
        if "unknown command" not in str(error):
            raise
        pytest.skip("this Playwright needs a newer Firefox; pip install -e '.[oracles]' pins it")
    return started


@pytest.fixture(scope="module")
def firefox(playwright: Any) -> Any:
    """Start Firefox on a system with a light theme, once for consecutive files."""
    return shared_browser("firefox", lambda: start_firefox(playwright, dark=False))


@pytest.fixture(scope="module")
def dark_firefox(playwright: Any) -> Any:
    """Start Firefox on a system with a dark theme, once for consecutive files."""
    return shared_browser("dark firefox", lambda: start_firefox(playwright, dark=True))


class PageObserver:
    """Open files in a browser, and record their console messages, errors and requests."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.contexts: list[Any] = []

    def blank(self, browser: Any, **options: Any) -> Any:
        """Open an empty window."""
        size = {"width": 1280, "height": 800}
        context = browser.new_context(**{"viewport": size, **options})
        context.set_default_timeout(1000 * TIMEOUT)
        self.contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: self.messages.append(message.text))
        page.on("pageerror", lambda error: self.messages.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        return page

    def open(self, browser: Any, path: Path, fragment: str = "", **options: Any) -> Any:
        """Open a file from disk in a new window."""
        page = self.blank(browser, **options)
        page.goto(path.as_uri() + fragment)
        return page

    def close(self) -> None:
        """Close the windows."""
        while self.contexts:
            self.contexts.pop().close()

    def check_quiet(self) -> None:
        """Close the windows; there must be no message, and no request for another file."""
        self.close()
        assert not self.messages
        assert all(url.startswith(("file:", "blob:")) for url in self.requests)


@pytest.fixture
def observer() -> Iterator[PageObserver]:
    """Return an observer of pages, whose windows close at the end of the test."""
    observer = PageObserver()
    yield observer
    observer.close()


@pytest.fixture
def open_page(browser: Any, observer: PageObserver, tmp_path: Path) -> Iterator[OpenPage]:
    """Return a function that saves a walk or a training page and opens it from disk in Chromium.

    At the end of the test, the page must not have printed to the console, raised an error or
    requested another file.
    """

    def open_saved(
        shown: Savable, fragment: str = "", limit: int | None = None, **options: Any
    ) -> Any:
        larger = {} if limit is None else {"limit": limit}
        path = shown.save(tmp_path / f"page{len(observer.contexts)}.html", **larger)
        return observer.open(browser, path, fragment, **{"reduced_motion": "reduce", **options})

    yield open_saved
    observer.check_quiet()


@pytest.fixture
def open_blank(browser: Any, observer: PageObserver) -> Iterator[OpenPage]:
    """Return a function that opens an empty window in Chromium, under the same conditions."""
    yield partial(observer.blank, browser)
    observer.check_quiet()


@pytest.fixture
def open_in_firefox(firefox: Any, observer: PageObserver) -> Iterator[OpenPage]:
    """Return a function that opens any file in Firefox, under the same conditions."""

    def open_path(path: Path, fragment: str = "", browser: Any = firefox, **options: Any) -> Any:
        return observer.open(browser, path, fragment, **{**FIREFOX_CONTEXT_OPTIONS, **options})

    yield open_path
    observer.check_quiet()


@pytest.fixture
def default_sigint_handler() -> Iterator[None]:
    """Set Python's own SIGINT handler, which a process started in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def axe() -> Callable[[Any], list[tuple[str, str, str]]]:
    """Return a function that lists the accessibility violations that axe-core finds in a page."""
    source = os.environ.get("AXE_CORE")
    if not source:
        pytest.skip("needs axe-core: npm pack axe-core, and its axe.min.js as AXE_CORE")
    script = Path(source).read_text(encoding="utf-8")

    def violations(page: Any) -> list[tuple[str, str, str]]:
        if not page.evaluate("typeof axe === 'object'"):
            page.evaluate(script)
        # Passed rules are not transferred, which would take three quarters of the time.
        return [
            (violation["id"], node["html"][:120], node["failureSummary"][:300])
            for violation in page.evaluate(
                "axe.run({ resultTypes: ['violations'] }).then((found) => found.violations)"
            )
            for node in violation["nodes"]
        ]

    return violations
