"""The playground of the site: step pages of formulas and programs in a browser."""

from __future__ import annotations

import math
import os
import re
import runpy
import threading
from collections.abc import Callable, Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from tests.conftest import FIREFOX_CONTEXT_OPTIONS
from tests.timeouts import TIMEOUT
from tests.visibility import DISPLAY_SETTINGS, find_hidden_controls

from scalargrad import parse, walk
from scalargrad.puzzles import PUZZLES

pytestmark = pytest.mark.wide

LOSS = "y = sigmoid(w*x + b); L = 0.5*(y - t)^2"
ADDRESS = f"#f={quote(LOSS)}&w=0.5&x=2&b=-0.25&t=1"


class Server(ThreadingHTTPServer):
    """A web server that can stop answering."""

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), self.answer)
        self.folder, self.is_cut, self.asked = folder, False, 0
        self.root = f"http://127.0.0.1:{self.server_port}"

    def answer(self, *arguments: Any) -> Any:
        """Answer a request, unless `is_cut` is set."""
        self.asked += 1
        if not self.is_cut:
            Quiet(*arguments, directory=str(self.folder))


class Quiet(SimpleHTTPRequestHandler):
    """A request handler that logs nothing."""

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class Playground:
    """The playground as its user sees it."""

    def __init__(self, page: Any, server: Server) -> None:
        self.page, self.server = page, server

    def box(self, name: str) -> Any:
        """Return a text box."""
        return self.page.get_by_role("textbox", name=name, exact=True)

    def button(self, name: str) -> Any:
        """Return a button."""
        return self.page.get_by_role("button", name=name, exact=True)

    def look_away(self) -> None:
        """Mark the current frame, to recognize the next one."""
        self.page.evaluate("document.querySelector('iframe').isOld = true")

    def write(self, formula: str, inputs: str = "") -> None:
        """Type a formula and inputs, and step through it."""
        self.page.get_by_role("radio", name="Formula").check(force=True)
        self.box("Formula").fill(formula)
        self.box("Inputs").fill(inputs)
        self.look_away()
        self.button("Step through").click()

    def visit(self, fragment: str) -> None:
        """Follow a link to an exercise of this page."""
        self.look_away()
        self.page.evaluate("fragment => { location.hash = fragment; }", fragment)

    def said(self, word: str) -> str:
        """Return the error, once it has this word."""
        alert = self.page.get_by_role("alert").filter(has_text=word)
        alert.wait_for()
        text: str = alert.inner_text()
        return text

    def graph(self) -> Any:
        """Return the step page, once it is there."""
        frame = self.page.frame_locator("iframe")
        frame.locator("#counter", has_text="/").wait_for()  # its script has run
        return frame

    @property
    def verdict(self) -> Any:
        """Return the verdict on a puzzle."""
        return self.page.locator("#verdict")

    def numbers(self, isnt: str = "isOld") -> dict[str, tuple[float, float]]:
        """Return value and gradient of each input, as a new step page shows them at its end."""
        self.page.wait_for_function(f"!document.querySelector('iframe').{isnt}")
        frame = self.graph()
        frame.locator("#panel").press("End")
        found = {}
        for field in frame.locator(".field").all():
            name = field.locator("input[type=number]").get_attribute("aria-label")
            value = float(field.locator("input[type=number]").input_value())
            shown = field.locator(".gradient").inner_text()
            found[name] = (value, float(shown.split()[-1].replace("−", "-")))
        return found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """Serve the built site."""
    site = Path(os.environ.get("SITE", "nowhere"))
    if not (site / "playground" / "python.zip").exists():
        pytest.skip("SITE names no site built with PYODIDE and GRAPHVIZ_WASM")
    server = Server(site)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module", params=["browser", "firefox"], ids=["Chromium", "Firefox"])
def playground(request: pytest.FixtureRequest, server: Server) -> Iterator[Playground]:
    """Open the playground by an address, once in each browser."""
    browser = request.getfixturevalue(request.param)
    usual = {} if request.param == "browser" else FIREFOX_CONTEXT_OPTIONS
    context = browser.new_context(viewport={"width": 1440, "height": 900}, **usual)
    context.set_default_timeout(1000 * TIMEOUT)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(f"{server.root}/playground/{ADDRESS}")
    opened = Playground(page, server)
    opened.graph()
    yield opened
    assert all(url.startswith((server.root, "about:", "blob:", "data:")) for url in asked)
    context.close()


def slopes(w: float, x: float, b: float, t: float) -> dict[str, tuple[float, float]]:
    """Return the inputs of the loss with its derivatives, by the chain rule on paper."""
    y = 1 / (1 + math.exp(-(w * x + b)))
    z = (y - t) * y * (1 - y)
    return {"w": (w, z * x), "x": (x, z * w), "b": (b, z), "t": (t, t - y)}


def close(found: dict[str, tuple[float, float]], to: dict[str, tuple[float, float]]) -> bool:
    """Return True if numbers agree to four digits."""
    return found.keys() == to.keys() and all(
        found[name] == pytest.approx(to[name], rel=1e-3) for name in to
    )


def test_playground_runs_a_formula_in_the_address_at_once(playground: Playground) -> None:
    """No click is needed; a plus sign may be encoded or not."""
    playground.visit(ADDRESS)
    assert close(playground.numbers(), slopes(0.5, 2.0, -0.25, 1.0))
    playground.visit("#f=x+y*2&x=3&y=4")
    assert playground.numbers() == {"x": (3.0, 1.0), "y": (4.0, 2.0)}


def test_playground_page_equals_walk_save(playground: Playground, tmp_path: Path) -> None:
    """Byte for byte, including the positions by another build of Graphviz."""
    playground.visit("#f=q=x+y;f=q*z&x=-2&y=5&z=-4")
    assert playground.numbers() == {"x": (-2.0, -4.0), "y": (5.0, -4.0), "z": (-4.0, 3.0)}
    saved = walk(parse("q=x+y;f=q*z", x=-2, y=5, z=-4)).save(tmp_path / "page.html")
    made = playground.page.locator("iframe").get_attribute("srcdoc")
    assert made == saved.read_text(encoding="utf-8")


def test_playground_writes_a_typed_formula_to_the_address(
    playground: Playground,
) -> None:
    """Inputs may be separated by spaces or commas."""
    playground.write(LOSS.replace("L", "E"), "w = 2, x = -1, b=0.5 t=0")
    assert close(playground.numbers(), slopes(2.0, -1.0, 0.5, 0.0))
    assert "w=2&x=-1&b=0.5&t=0" in playground.page.url
    assert quote(LOSS.replace("L", "E"), safe="()*") in playground.page.url


def test_playground_program_in_the_address_waits_for_a_click(playground: Playground) -> None:
    """The program counts its runs."""
    program = """
import builtins
from scalargrad import Value
builtins.ran = getattr(builtins, "ran", 0) + 1
print("runs:", builtins.ran)
p = (x := Value(3.0, "x")) * x * x * x
"""
    playground.visit(f"#py={quote(program)}")
    playground.page.get_by_role("status").filter(has_text="read it").wait_for()
    assert playground.box("Python").input_value() == program
    assert playground.page.get_by_label("Printed").is_hidden()
    playground.button("Run").click()
    assert playground.numbers() == {"x": (3.0, 108.0)}
    assert playground.page.get_by_label("Printed").inner_text().split() == ["runs:", "1"]


@pytest.mark.parametrize(
    ("answer", "word"), [("..., ...", "not yet"), ("1 / b, -a / b**2", "right")]
)
def test_playground_puzzle_gets_a_verdict_and_a_graph(
    answer: str, word: str, playground: Playground
) -> None:
    """The initial program gets a hint, the solution the verdict that it is right."""
    playground.visit("#puzzle=2")
    playground.page.get_by_role("status").filter(has_text="read it").wait_for()
    program = playground.box("Python").input_value()
    assert program == PUZZLES[1].program
    playground.look_away()
    playground.box("Python").fill(program.replace("..., ...", answer))
    playground.button("Run").click()
    assert playground.numbers().keys() == {"a", "b"}
    assert word in playground.verdict.inner_text()


@pytest.mark.parametrize(("answer", "has_tick"), [("...", False), ("1 - tanh(x) ** 2", True)])
def test_playground_marks_a_solved_puzzle_with_a_green_tick(
    answer: str, has_tick: bool, playground: Playground
) -> None:
    """A wrong answer has no tick."""
    program = PUZZLES[0].program.replace("return ...", f"return {answer}")
    playground.visit(f"#py={quote(program)}")
    playground.look_away()
    playground.button("Run").click()
    playground.numbers()
    sign, colour = playground.verdict.evaluate(
        "it => [getComputedStyle(it, '::before').content, getComputedStyle(it).color]"
    )
    assert ("✓" in sign) is has_tick
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    assert (green > red and green > blue) is has_tick


def test_playground_page_refers_to_the_program_for_another_branch(playground: Playground) -> None:
    """The playground has no walk to run again; pages saved elsewhere say so."""
    program = "from scalargrad import Value\nx = Value(3.0, 'x')\ny = 2*x if x > 0 else 5*x"
    playground.visit(f"#py={quote(program)}")
    playground.button("Run").click()
    assert playground.numbers() == {"x": (3.0, 2.0)}
    frame = playground.graph()
    frame.get_by_role("spinbutton", name="x", exact=True).click()
    playground.page.keyboard.press("Control+a")
    playground.page.keyboard.type("-1")
    banner = frame.locator("#branch", has_text="other branch").inner_text()
    assert banner.endswith("Change the number in the program and press Run.")


@pytest.mark.parametrize("look", DISPLAY_SETTINGS, ids=str)
@pytest.mark.parametrize("fragment", [ADDRESS, "#puzzle=3", f"#py={quote('1/0')}"])
def test_playground_controls_are_visible(
    fragment: str, look: dict[str, Any], browser: Any, server: Server
) -> None:
    """With a formula, a puzzle and an error; the page is no wider than its window."""
    context = browser.new_context(reduced_motion="reduce", **look)
    context.set_default_timeout(1000 * TIMEOUT)
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.goto(f"{server.root}/playground/{fragment}")
    if fragment == ADDRESS:
        page.frame_locator("iframe").locator("#counter", has_text="/").wait_for()
    else:
        page.get_by_role("status").filter(has_text="read it").wait_for()
        page.get_by_role("button", name="Run", exact=True).click()
        page.locator("#error, #verdict").get_by_text(re.compile("line 1|Hint")).wait_for()
    assert find_hidden_controls(page, 7) == []
    assert complaints == []  # not even about a missing icon
    context.close()


@pytest.mark.parametrize(
    ("formula", "inputs", "word"),
    [("f = (x", "x=1", "closed"), ("f = log(x)", "x=-2", "undefined"), ("x*2", "x=1 2", "number")],
)
def test_playground_error_keeps_the_text_and_the_last_graph(
    playground: Playground, formula: str, inputs: str, word: str
) -> None:
    """The formula, the inputs and the previous graph remain."""
    playground.write("g = x*x", "x=3")
    assert playground.numbers() == {"x": (3.0, 6.0)}
    playground.write(formula, inputs)
    assert word in playground.said(word)
    assert playground.box("Formula").input_value() == formula
    assert playground.box("Inputs").input_value() == inputs
    assert playground.numbers(isnt="hidden") == {"x": (3.0, 6.0)}


@pytest.mark.parametrize(
    ("program", "word"),
    [
        ("a = 1\nb = a / 0\n", "line 2"),
        ("a = (1\n", "line 1"),
        ("a = 1", "Value"),
        ("import sys\nsys.exit()", "SystemExit"),
    ],
)
def test_playground_error_of_a_program_names_its_line(
    playground: Playground, program: str, word: str
) -> None:
    """Also if the program exits, or its last line is not a Value."""
    playground.visit(f"#py={quote(program)}")
    playground.button("Run").click()
    assert word in playground.said(word)
    assert playground.box("Python").input_value() == program


def test_playground_works_without_network_after_loading(playground: Playground) -> None:
    """After loading, the page sends no requests."""
    playground.visit(ADDRESS)
    assert close(playground.numbers(), slopes(0.5, 2.0, -0.25, 1.0))
    asked, playground.server.is_cut = playground.server.asked, True
    playground.write("h = sin(x)*y", "x=0 y=3")
    assert playground.numbers() == {"x": (0.0, 3.0), "y": (3.0, 0.0)}
    assert playground.server.asked == asked
    playground.server.is_cut = False


def test_playground_draws_other_random_numbers_at_each_visit(playground: Playground) -> None:
    """The memory snapshot of Python is the same at each visit, but random numbers are not."""
    drawn = set()
    for _ in range(2):
        playground.page.reload()
        playground.visit("#py=import random, scalargrad; 2*scalargrad.Value(random.random())")
        playground.button("Run").click()
        drawn |= {*playground.numbers().values()}
    assert len(drawn) == 2


def test_playground_stops_an_infinite_loop(playground: Playground) -> None:
    """Python is loaded again, and the program is still there."""
    playground.visit(f"#py={quote('while True: pass')}")
    playground.button("Run").click()
    playground.button("Stop").click()
    playground.page.get_by_role("status").filter(has_text="read it").wait_for()
    assert playground.box("Python").input_value() == "while True: pass"
    playground.write("k = x^3", "x=2")
    assert playground.numbers() == {"x": (2.0, 12.0)}


def test_playground_without_pyodide_names_it(
    browser: Any, axe: Callable[[Any], Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page is accessible, and names the missing package."""
    pytest.importorskip("sphinx")
    docs = Path(__file__).parents[1] / "docs"
    monkeypatch.delenv("PYODIDE", raising=False)
    extension = runpy.run_path(str(docs / "_ext/playground.py"))
    extension["build_playground"](SimpleNamespace(srcdir=docs, outdir=tmp_path), None)
    server = Server(tmp_path)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = browser.new_page()
    page.goto(f"{server.root}/playground/")
    assert "Pyodide" in page.get_by_role("alert").inner_text()
    page.locator("iframe").evaluate("frame => frame.remove()")  # axe-core would write to it
    assert axe(page) == []
    page.close()
    server.shutdown()
    server.server_close()
