"""Notebooks: each runs, and is committed with light outputs.

They run from top to bottom, and one of them without compilation too. IPython runs them without a
Jupyter kernel, except for the first.
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
#: Notebooks that every run of the tests runs, because they take a second or two.
SHORT = {"01_chain_rule", "05_backprop_in_two_layers"}
every = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    """Return the cells of one kind, "code" or "markdown"."""
    content = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def text(path: Path, kind: str) -> str:
    """Return the source of all cells of one kind."""
    return "\n".join("".join(cell["source"]) for cell in cells(path, kind))


def bundles(path: Path) -> list[dict[str, str]]:
    """Return the outputs of a notebook as dictionaries by MIME type."""
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    return [{k: "".join(v) for k, v in x["data"].items()} for x in outputs if "data" in x]


def outputs_of_type(path: Path, kind: str) -> list[str]:
    """Return the outputs of one MIME type."""
    return [bundle[kind] for bundle in bundles(path) if kind in bundle]


def case(path: Path) -> Any:
    """Return a notebook as a test parameter, wide unless it is short."""
    return pytest.param(path, id=path.stem, marks=[pytest.mark.wide] * (path.stem not in SHORT))


@pytest.mark.parametrize("path", list(map(case, PATHS)))
def test_notebook_runs_from_top_to_bottom(path: Path) -> None:
    """Each runs in its own process: its assertions are true, and its outputs can be displayed."""
    program = [sys.executable, str(Path(__file__).with_name("run_notebook.py")), str(path)]
    done = subprocess.run(program, capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.wide
def test_notebook_1_runs_in_a_jupyter_kernel() -> None:
    """The messages of the kernel contain a picture and a page, and no cell fails."""
    manager = pytest.importorskip("jupyter_client.manager")
    pytest.importorskip("ipykernel")
    mime_types: set[str] = set()

    def record(message: dict[str, Any]) -> None:
        mime_types.update(message["content"].get("data", ()))

    kernel, client = manager.start_new_kernel(cwd=FOLDER)
    try:
        for cell in cells(PATHS[0], "code"):
            reply = client.execute_interactive("".join(cell["source"]), output_hook=record)
            assert reply["content"]["status"] == "ok", reply["content"]
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
    assert {"image/svg+xml", "text/html"} <= mime_types


@pytest.mark.wide
def test_notebook_3_runs_with_disable_jit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The assertions of a compiled notebook are true in eager evaluation."""
    pytest.importorskip("matplotlib").use("agg")
    from matplotlib import pyplot as plt

    path = FOLDER / "03_neurons_perceptrons_xor.ipynb"
    assert re.search(r"\bjit\b|\bfit\(", text(path, "code"))
    monkeypatch.chdir(FOLDER)
    names: dict[str, Any] = {"__name__": "__main__"}
    try:
        with disable_jit():
            for number, cell in enumerate(cells(path, "code"), 1):
                code = compile("".join(cell["source"]), f"{path.name}, cell {number}", "exec")
                exec(code, names)
    finally:
        plt.close("all")


@every
def test_notebook_is_committed_with_light_outputs(
    path: Path, unpack_frame: Callable[[str], str]
) -> None:
    """Cells were run in order; a picture that GitHub displays precedes the first live page."""
    assert path.stat().st_size < 420_000
    code = cells(path, "code")
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    kinds = {output["output_type"] for output in outputs}
    assert kinds <= {"stream", "display_data", "execute_result"}
    assert not [x for x in outputs if x.get("name") == "stderr"]
    found = bundles(path)
    first = next(k for k, x in enumerate(found) if "<iframe" in x.get("text/html", ""))
    assert {kind for x in found[:first] for kind in x} & {"image/svg+xml", "image/png"}
    for html in outputs_of_type(path, "text/html"):
        if "<iframe" in html:
            assert "Content-Security-Policy" in unpack_frame(html)
            rest = re.sub("<iframe.*?</iframe>", "", html)
            assert re.search(r"<table.*</table>", rest, re.DOTALL)
        for cell in re.findall(r"<td[^>]*>\s*<math", html):
            assert "nowrap" in cell


@every
def test_notebook_outputs_have_a_safe_representation(path: Path) -> None:
    """VS Code and JupyterLab show a PNG, a formula or a text if they do not trust HTML and SVG."""
    for bundle in bundles(path):
        if {"text/html", "image/svg+xml"} & bundle.keys():
            safe = [bundle.get(kind) for kind in ("image/png", "text/latex", "text/plain")]
            assert any(safe)
            assert " object at 0x" not in bundle.get("text/plain", "")


def test_notebook_5_has_its_matrices_in_latex() -> None:
    """The error signals of two layers, as matrices."""
    latex = "".join(outputs_of_type(PATHS[4], "text/latex"))
    for name in (r"\bar W_2", r"\bar h", r"\bar z", r"\bar W_1"):
        assert name in latex
    assert latex.count(r"\begin{pmatrix}") == latex.count(r"\end{pmatrix}") >= 10


@pytest.fixture
def sanitized(browser: Any) -> Iterator[Callable[[str], list[Any]]]:
    """Return a function that inserts HTML cleaned by DOMPurify into a page, and inspects it."""
    source = os.environ.get("DOMPURIFY")
    if not source:
        pytest.skip("needs DOMPurify: npm pack dompurify, and its dist/purify.min.js as DOMPURIFY")
    page = browser.new_page()
    page.evaluate(Path(source).read_text(encoding="utf-8"))

    def inspect_html(html: str) -> list[Any]:
        page.evaluate("html => { document.body.innerHTML = DOMPurify.sanitize(html); }", html)
        page.evaluate("document.querySelectorAll('details').forEach((it) => { it.open = true; })")
        found: list[Any] = page.evaluate("""() => {
          const all = (selector) => [...document.querySelectorAll(selector)];
          const text = document.body.innerText;
          return [all('iframe, script').length, all('tr').length,
            all('td math').every((it) => it.getBoundingClientRect().height > 8),
            /[{}]|atob|srcdoc/.test(text)];
        }""")
        return found

    yield inspect_html
    page.close()


@pytest.mark.wide
@every
def test_notebook_pages_keep_their_tables_after_dompurify(
    path: Path, sanitized: Callable[[str], list[Any]]
) -> None:
    """DOMPurify removes the frame without leaving pieces of its script, and keeps the formulas."""
    pages = [html for html in outputs_of_type(path, "text/html") if "<iframe" in html]
    assert pages
    for html in pages:
        frames, rows, are_drawn, has_pieces = sanitized(html)
        assert frames == 0
        assert rows > 5
        assert are_drawn
        assert not has_pieces
