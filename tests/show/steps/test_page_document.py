"""The page as a document: one file, a strict policy, atomic, offered in notebooks and the shell."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scalargrad import Parameter, Value
from scalargrad.cli.main import app
from scalargrad.errors import GraphError, GraphTooLargeError, LayoutError
from scalargrad.show.steps import Walk, walk
from scalargrad.show.steps.page import page

from .stepping import until

HOSTILE = "</script><img src=x onerror=alert(1)><!--"


@pytest.fixture
def lecture() -> Walk:
    """Return the walk through (x + y)z."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    return walk((x + y) * z)


def part(document: str, name: str) -> str:
    """Return the content of the only element of that kind that the policy names by its hash."""
    found = re.findall(rf"<{name}(?: type=\"module\")?>(.*?)</{name}>", document, re.DOTALL)
    assert len(found) == 1
    content: str = found[0]
    return content


def test_policy_allows_the_page_s_own_script_and_style_and_nothing_else(lecture: Walk) -> None:
    """Both by hash; everything else, the network included, is forbidden by default."""
    document = page(lecture)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', document)
    assert policy is not None
    digests = {
        name: base64.b64encode(hashlib.sha256(part(document, name).encode()).digest()).decode()
        for name in ("script", "style")
    }
    assert policy[1] == (
        f"default-src 'none'; script-src 'sha256-{digests['script']}'; "
        f"style-src 'sha256-{digests['style']}'; base-uri 'none'; form-action 'none'"
    )


def test_page_names_no_other_file(lecture: Walk) -> None:
    """No address but the names of namespaces, no import, no inline handler."""
    document = page(lecture)
    addresses = set(re.findall(r"https?://[^\s\"'<)]+", document))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"<link|@import|\bsrc=|\bimport\b.*from|\son\w+=\"", document)


def test_labels_cannot_end_the_script_they_stand_in() -> None:
    """In JSON a less-than sign is written as an escape, which means the same."""
    document = page(walk(Parameter(1.0, HOSTILE) * 2.0))
    assert "<img" not in document
    data = re.search(r'<script type="application/json" id="walk">(.*?)</script>', document)
    assert data is not None
    assert json.loads(data[1])["nodes"][0]["full"] == HOSTILE


def test_pages_of_the_same_walk_are_the_same(lecture: Walk) -> None:
    """So that they can stand under version control."""
    assert page(lecture) == page(lecture)


def test_title_is_the_reader_s_choice(lecture: Walk) -> None:
    """It is text, not markup."""
    assert "<h1>a &lt; b</h1>" in page(lecture, "a < b")


def test_steps_can_be_read_without_javascript(lecture: Walk) -> None:
    """The page holds them as a table for that case."""
    inside = re.search(r"<noscript>(.*?)</noscript>", page(lecture), re.DOTALL)
    assert inside is not None
    assert inside[1].count("<tr>") == 9


def test_save_writes_a_whole_file_and_returns_its_path(lecture: Walk, tmp_path: Path) -> None:
    """Nothing else is left in the folder."""
    path = lecture.save(tmp_path / "walk.html")
    assert path.read_text(encoding="utf-8") == page(lecture)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_an_existing_page_as_it_was(
    lecture: Walk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk in the middle of writing costs nothing."""
    path = lecture.save(tmp_path / "walk.html")
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        lecture.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_save_refuses_what_it_cannot_write(lecture: Walk, tmp_path: Path) -> None:
    """A name that is not a page's, a folder that is not there, a walk without steps."""
    with pytest.raises(LayoutError, match=r"'walk.pdf'.*end it in .html"):
        lecture.save(tmp_path / "walk.pdf")
    with pytest.raises(FileNotFoundError, match="create the folder"):
        lecture.save(tmp_path / "missing" / "walk.html")
    with pytest.raises(GraphError, match="needs steps to show"):
        lecture[:0].save(tmp_path / "walk.html")


def test_a_graph_above_the_limit_is_drawn_by_its_folds(tmp_path: Path) -> None:
    """The limit is on what is drawn at once; the page has every node either way."""
    y: Value = Parameter(1.0, "w")
    for _ in range(100):
        y = y * 2.0
    whole, folded = (
        page_data(walk(y).save(tmp_path / "walk.html", limit=limit)) for limit in (101, 100)
    )
    assert len(whole["drawings"]) == 1 < len(folded["drawings"])
    assert len(whole["nodes"]) == len(folded["nodes"]) == 101


def test_a_graph_beyond_any_page_is_refused_before_it_is_laid_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its count and a way out, and with nothing written."""
    monkeypatch.setattr("scalargrad.show.steps.page.document.drawings", None)
    y: Value = Parameter(1.0, "w")
    for _ in range(10_000):
        y = y * 1.0
    with pytest.raises(GraphTooLargeError, match=r"10,001 nodes.*at most 10,000.*further down"):
        walk(y).save(tmp_path / "walk.html")
    assert list(tmp_path.iterdir()) == []


def page_data(path: Path) -> Any:
    """Return what a saved page knows of its walk."""
    found = re.search(r'id="walk">(.*?)</script>', path.read_text(encoding="utf-8"))
    assert found is not None
    return json.loads(found[1])


def test_notebook_shows_the_page_in_a_frame_and_the_table_beneath(
    lecture: Walk, framed: Callable[[str], str]
) -> None:
    """Where frames are cut, as on GitHub, the table is left; a console shows text."""
    bundle = lecture._repr_mimebundle_()
    assert bundle["text/plain"] == str(lecture)
    assert framed(bundle["text/html"]) == page(lecture)
    assert 'sandbox="allow-scripts' in bundle["text/html"]
    assert lecture._repr_html_() in bundle["text/html"]


def test_notebook_falls_back_to_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no Graphviz to draw with, the steps are still shown."""
    monkeypatch.setattr("scalargrad.show.graphs.layout.shutil.which", lambda _: None)
    monkeypatch.setattr("scalargrad.show.graphs.layout.find_spec", lambda _: None)
    steps = walk(Parameter(1.0, "w") * 2.0)
    assert steps._repr_mimebundle_()["text/html"] == steps._repr_html_()


def test_a_large_walk_is_a_table_in_a_notebook() -> None:
    """Its page would make the notebook megabytes larger each time the cell is run."""
    y: Value = Parameter(1.0, "w")
    for _ in range(1_000):
        y = y * 1.0
    assert walk(y)._repr_mimebundle_()["text/html"] == walk(y)._repr_html_()


def test_pages_of_a_folded_walk_are_the_same_in_another_process(tmp_path: Path) -> None:
    """Nothing in them depends on the order of a set, which differs from process to process."""
    program = (
        "import sys; from scalargrad.nn import MLP; from scalargrad.show.steps import walk\n"
        "model = MLP(3, [12, 12, 1], rng=0)\n"
        "walk(model([1.0, 2.0, 3.0]), model=model).save(sys.argv[1], limit=10)"
    )
    written = []
    for seed in ("1", "2"):
        path = tmp_path / f"{seed}.html"
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", program, str(path)], env=environment, check=True)
        written.append(path.read_bytes())
    assert written[0] == written[1]


def test_command_writes_a_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option -o of `scalargrad step` writes a page and says where."""
    monkeypatch.chdir(tmp_path)
    arguments = ["step", "q = x + y; f = q * z", "x=-2", "y=5", "z=-4", "-o", "walk.html"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0
    assert result.output.strip() == f"wrote {tmp_path / 'walk.html'}"
    assert "Backpropagation through f" in (tmp_path / "walk.html").read_text(encoding="utf-8")


def unpacked(page: Any) -> Any:
    """Return what the frame of a notebook's cell holds, once its script has run."""
    frame = page.frame_locator("iframe")
    frame.locator("#counter", has_text="1/8").wait_for()
    return frame


def test_the_frame_in_a_notebook_moves(lecture: Walk, open_blank: Any) -> None:
    """Cut off from the notebook as it is, its script and its links work without complaint."""
    page = open_blank()
    page.set_content(lecture._repr_mimebundle_()["text/html"])
    frame = unpacked(page)
    frame.get_by_role("button", name="Last step").click()
    assert frame.locator("#counter").text_content() == "8/8"
    frame.locator("#more").click()
    frame.locator("#link").click()
    assert frame.locator("#link-text").input_value() == "#step=8&view=wire&notation=partial"


def test_answers_are_checked_and_the_help_closes_in_the_frame_in_a_notebook(
    lecture: Walk, open_blank: Any
) -> None:
    """Both are forms, which a frame that is cut off may not send unless it is told that it may."""
    page = open_blank()
    page.set_content(lecture._repr_mimebundle_()["text/html"])
    frame = unpacked(page)
    frame.locator("#help").click()
    frame.get_by_role("button", name="Close").click()
    frame.locator("#help-text").wait_for(state="hidden")
    frame.locator("#predict").click()
    for _ in range(4):
        frame.locator("#next").click()
    frame.locator("#answer").fill("7")
    frame.get_by_role("button", name="Check").click()
    frame.locator(".question .wrong").wait_for()
    frame.locator("#answer").fill("3")
    frame.locator("#answer").press("Enter")
    frame.locator(".right").first.wait_for()


#: What VS Code allows the outputs of a notebook, as its notebook view declares it; the frame
#: inherits it.
VS_CODE = (
    "default-src 'none'; script-src 'unsafe-inline' 'unsafe-eval'; style-src 'unsafe-inline'; "
    "img-src https: http: data:; font-src https:; connect-src https:; child-src https: data:"
)


def test_the_frame_moves_under_the_policy_of_vs_code(lecture: Walk, open_blank: Any) -> None:
    """Set into its view as VS Code does, by innerHTML, which runs no script outside of a frame."""
    page = open_blank()
    policy = f'<meta http-equiv="Content-Security-Policy" content="{VS_CODE}">'
    page.set_content(f"<html><head>{policy}</head><body></body></html>")
    shown = lecture._repr_mimebundle_()["text/html"]
    page.evaluate("html => { document.body.innerHTML = html; }", shown)
    frame = unpacked(page)
    frame.get_by_role("button", name="Last step").click()
    assert frame.locator("#counter").text_content() == "8/8"


def test_what_github_leaves_of_a_cell_is_the_table(lecture: Walk) -> None:
    """Without frames, scripts, styles and handlers, every step is there to read."""
    shown = lecture._repr_mimebundle_()["text/html"]
    left = re.sub(r"<(iframe|script|style)\b.*?</\1>", "", shown, flags=re.DOTALL)
    left = re.sub(r'\s(style|class|on\w+)="[^"]*"', "", left)
    assert "srcdoc" not in left
    assert "atob" not in left
    rows = re.findall(r"<tr\b.*?</tr>", left, re.DOTALL)
    assert len(rows) >= len(lecture)
    assert "swap multiplier" in left


def test_a_frame_shown_late_is_fitted_though_no_event_tells(lecture: Walk, open_blank: Any) -> None:
    """Notebooks lay out what is out of sight when it is scrolled to, and no resize reaches it."""
    page = open_blank(viewport={"width": 1100, "height": 800})
    page.add_init_script("addEventListener('resize', (it) => it.stopImmediatePropagation(), true)")
    frame = lecture._repr_mimebundle_()["text/html"]
    page.set_content(f"<style>iframe {{ display: none }}</style>{frame}")
    inside = page.frames[1]
    until(inside, "() => document.getElementById('counter').textContent === '1/8'")
    page.evaluate("document.querySelector('style').remove()")
    until(
        inside,
        """() => {
          const [drawing, place] = ["graph", "viewport"].map((id) => document.getElementById(id));
          const across = drawing.getAttribute("width") / place.clientWidth;
          const down = drawing.getAttribute("height") / place.clientHeight;
          return 0.97 < Math.max(across, down) && Math.max(across, down) <= 1;
        }""",
    )
