"""Each notebook asks, answers, asserts, and is committed with light outputs.

That they run from top to bottom is tested by running them; and once more without compilation
those that compile or train. IPython runs them without a Jupyter kernel around it, but for one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from scalargrad import disable_jit

FOLDER = Path(__file__).parent.parent / "notebooks"
PATHS = sorted(FOLDER.glob("*.ipynb"))


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def path(request: pytest.FixtureRequest) -> Path:
    """Return a notebook's path."""
    chosen: Path = request.param
    return chosen


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    """Return the cells of one kind, "code" or "markdown"."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def text(path: Path, kind: str) -> str:
    """Return all that is written in the cells of one kind."""
    return "\n".join("".join(cell["source"]) for cell in cells(path, kind))


def test_there_are_sixteen() -> None:
    """They are numbered in the order of the course."""
    assert [int(path.name[:2]) for path in PATHS] == list(range(1, 17))


def test_a_notebook_runs_from_top_to_bottom(path: Path) -> None:
    """Each in a process of its own: what it asserts holds, and what it shows can be shown."""
    pytest.importorskip("IPython")
    pytest.importorskip("matplotlib_inline")
    program = [sys.executable, str(Path(__file__).with_name("run_notebook.py")), str(path)]
    done = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_jupyter_kernel_runs_the_first() -> None:
    """Its messages bring a picture and a page, and no cell fails."""
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    shown: set[str] = set()

    def hear(message: dict[str, Any]) -> None:
        shown.update(message["content"].get("data", ()))

    kernel, client = manager.start_new_kernel(cwd=FOLDER)
    try:
        for cell in cells(PATHS[0], "code"):
            reply = client.execute_interactive("".join(cell["source"]), output_hook=hear)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert {"image/svg+xml", "text/html"} <= shown


def test_a_notebook_opens_with_a_question_to_predict(path: Path) -> None:
    """Its title carries its number, and the question comes before anything else."""
    title, question, *_ = text(path, "markdown").split("\n\n")
    assert title.startswith(f"# {int(path.name[:2])} · ")
    assert question.startswith("**Predict before you run")
    assert "?" in question


def test_a_notebook_says_what_lectures_say_and_answers_its_question(path: Path) -> None:
    """The answer has a heading or a bold word of its own, and numbers are asserted."""
    told = text(path, "markdown")
    assert "answer" in told.split("\n\n", 2)[2].lower()
    assert "lecture" in told
    assert text(path, "code").count("assert ") >= 3


def test_a_notebook_is_committed_with_its_outputs(path: Path) -> None:
    """Every cell was run in order, without errors, and a plot or table is there to see."""
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert outputs
    assert {output["output_type"] for output in outputs} <= {
        "stream",
        "display_data",
        "execute_result",
    }
    assert not [x for x in outputs if x.get("name") == "stderr"]


def test_a_notebook_is_light(path: Path) -> None:
    """Less than 420 kB, outputs and a live page included."""
    assert path.stat().st_size < 420_000


def shown(path: Path, kind: str) -> list[str]:
    """Return what cells show, of one MIME type."""
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    return ["".join(x["data"][kind]) for x in outputs if kind in x.get("data", {})]


def test_a_notebook_holds_a_live_page_and_a_picture(
    path: Path, framed: Callable[[str], str]
) -> None:
    """A step or training page, which GitHub cuts, and before it an SVG or PNG, which it shows."""
    pages = [html for html in shown(path, "text/html") if "<iframe" in html]
    assert pages
    for html in pages:
        assert "Content-Security-Policy" in framed(html)
        assert re.search(r"<table.*</table>", re.sub("<iframe.*?</iframe>", "", html), re.DOTALL)
    kinds: set[str] = set()
    for cell in cells(path, "code"):
        found = [output.get("data", {}) for output in cell["outputs"]]
        if any("<iframe" in "".join(data.get("text/html", "")) for data in found):
            break
        kinds.update(*found)
    assert kinds & {"image/svg+xml", "image/png"}


def bundles(path: Path) -> list[dict[str, str]]:
    """Return what the outputs of a notebook offer, by MIME type."""
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    return [{k: "".join(v) for k, v in x["data"].items()} for x in outputs if "data" in x]


def test_where_html_and_svg_are_not_trusted_something_is_left(path: Path) -> None:
    """VS Code and JupyterLab then take the safest they are offered: a PNG, a formula, a text."""
    for offered in bundles(path):
        if {"text/html", "image/svg+xml"} & offered.keys():
            safe = [offered.get(kind) for kind in ("image/png", "text/latex", "text/plain")]
            assert any(safe)
            assert " object at 0x" not in offered.get("text/plain", "")


@pytest.fixture
def purified(browser: Any) -> Iterator[Callable[[str], list[Any]]]:
    """Return a function that sets HTML into a page as DOMPurify leaves it, and looks at that."""
    source = os.environ.get("DOMPURIFY")
    if not source:
        pytest.skip("needs DOMPurify: npm pack dompurify, and its dist/purify.min.js as DOMPURIFY")
    page = browser.new_page()
    page.evaluate(Path(source).read_text(encoding="utf-8"))

    def looked_at(html: str) -> list[Any]:
        page.evaluate("html => { document.body.innerHTML = DOMPurify.sanitize(html); }", html)
        page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
        found: list[Any] = page.evaluate("""() => {
          const all = (what) => [...document.querySelectorAll(what)];
          const text = document.body.innerText;
          return [all('iframe, script').length, all('tr').length,
            all('td math').every((it) => it.getBoundingClientRect().height > 8),
            /[{}]|atob|srcdoc/.test(text)];
        }""")
        return found

    yield looked_at
    page.close()


def test_a_sanitiser_leaves_the_table(path: Path, purified: Callable[[str], list[Any]]) -> None:
    """DOMPurify takes the frame whole, without pieces of its script, and keeps the formulas."""
    pages = [html for html in shown(path, "text/html") if "<iframe" in html]
    assert pages
    for html in pages:
        frames, rows, are_drawn, has_pieces = purified(html)
        assert frames == 0
        assert rows > 5
        assert are_drawn
        assert not has_pieces


def test_no_walk_is_printed(path: Path) -> None:
    """JupyterLab breaks printed lines in the middle of words; tables keep formulas whole."""
    assert "print(walk(" not in text(path, "code")
    for html in shown(path, "text/html"):
        for cell in re.findall(r"<td[^>]*>\s*<math", html):
            assert "nowrap" in cell


def test_notebook_5_has_its_matrices_in_latex() -> None:
    """The error signals of two layers, as matrices, equal those of the sweep to four digits."""
    latex = "".join(shown(PATHS[4], "text/latex"))
    for name in (r"\bar W_2", r"\bar h", r"\bar z", r"\bar W_1"):
        assert name in latex
    assert latex.count(r"\begin{pmatrix}") == latex.count(r"\end{pmatrix}") >= 10


def compiles(path: Path) -> bool:
    """Return whether a notebook uses jit, or fit, which compiles by itself."""
    return re.search(r"\bjit\b|\bfit\(", text(path, "code")) is not None


#: Trained on batches of examples of different lengths, which stay eager with or without a compiler.
RAGGED = {"09_sentiment", "11_character_level_gpt"}
#: Up to a minute without a compiler. Their models are trained both ways on less data, the first in
#: tests/train, the second in tests/experiments.
LONG = {"07_digits", "10_wide_and_deep"}
COMPILING = [path for path in PATHS if compiles(path) and path.stem not in RAGGED | LONG]


@pytest.mark.long
@pytest.mark.parametrize("path", COMPILING, ids=lambda path: path.stem)
def test_assertions_hold_without_compilation(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a compiled notebook asserts of its numbers, eager evaluation fulfils as well."""
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot as plt

    monkeypatch.chdir(FOLDER)
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        with disable_jit():
            for number, cell in enumerate(cells(path, "code"), 1):
                code = compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec")
                exec(code, names)
    finally:
        plt.close("all")


def test_training_notebooks_compile() -> None:
    """So that running them with and without compilation are two different things."""
    assert [path.name[:2] for path in COMPILING] == ["03", "04", "06", "08", "14", "16"]
