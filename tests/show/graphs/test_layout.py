"""Turning DOT into pictures with whatever Graphviz there is."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from tests.patience import PATIENCE

from scalargrad.errors import LayoutError
from scalargrad.show.graphs import bare_graphviz, layout
from scalargrad.show.graphs.inks import FONTS
from scalargrad.show.graphs.layout import render, render_each

DOT = 'digraph { a -> b [label="é"] }'
needs_shebang = pytest.mark.skipif(os.name == "nt", reason="a script stands in for dot")


@pytest.fixture
def no_system_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no program to be found."""
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def no_bundled_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that pygraphviz is not installed."""
    monkeypatch.setattr(layout, "find_spec", lambda name: None)


@pytest.fixture
def system_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file that is found as the system's dot, to be filled by the test."""
    program = tmp_path / "dot"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    return program


@pytest.mark.usefixtures("no_system_dot")
def test_svg_without_system_graphviz() -> None:
    """The Graphviz in the pygraphviz wheel makes SVG that an XML parser reads."""
    root = ET.fromstring(render(DOT, "svg").decode())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "é" in "".join(root.itertext())


@pytest.mark.bitmaps
@pytest.mark.usefixtures("no_system_dot")
def test_png_has_twice_the_usual_resolution() -> None:
    """A PNG has 192 pixels for each inch, that is each 72 points, of the SVG."""
    png, svg = render(DOT, "png"), ET.fromstring(render(DOT, "svg").decode())
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    points = [float(svg.attrib[side].removesuffix("pt")) for side in ("width", "height")]
    assert [width, height] == pytest.approx([p * 192 / 72 for p in points], abs=3)


@pytest.mark.bitmaps
@pytest.mark.usefixtures("no_system_dot")
def test_pdf() -> None:
    """A PDF begins and ends as the format demands."""
    pdf = render(DOT, "pdf")
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")


@pytest.mark.bitmaps
@pytest.mark.usefixtures("no_system_dot")
def test_graphviz_prints_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    """Messages of Graphviz and its font library do not reach the terminal."""
    render(DOT, "png")
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("no_system_dot")
def test_working_folder_is_not_searched_for_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file pygraphviz.py that happens to lie in the working folder is not run."""
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('wrong module')")
    monkeypatch.chdir(tmp_path)
    assert b"<svg" in render(DOT, "svg")


@needs_shebang
@pytest.mark.usefixtures("no_bundled_dot")
def test_system_graphviz_is_asked_for_the_format(system_dot: Path) -> None:
    """The system's dot gets the format as an option and the graph as input."""
    system_dot.write_text('#!/bin/sh\necho "$@"\nexec cat\n')
    assert render(DOT, "png").decode() == f"-Tpng -Gdpi=192\n{DOT}"


@pytest.mark.bitmaps
@needs_shebang
def test_bundled_graphviz_goes_first(system_dot: Path) -> None:
    """The system's dot, which may be too old to keep ids, is not used beside the bundled one."""
    system_dot.write_text("#!/bin/sh\necho mine\n")
    assert b"<svg" in render(DOT, "svg")


@needs_shebang
def test_system_graphviz_helps_out(system_dot: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the bundled Graphviz fails, the system's dot draws."""
    monkeypatch.setattr(layout, "BUNDLED", "raise SystemExit('no such library')")
    system_dot.write_text("#!/bin/sh\necho mine\n")
    assert render(DOT, "svg") == b"mine\n"


@pytest.fixture
def no_fonts(no_system_dot: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pygraphviz fail as it does in a container without the libraries of X."""
    missing = "libX11.so.6: cannot open shared object file: No such file or directory"
    for script in ("BUNDLED", "BUNDLED_EACH"):
        monkeypatch.setattr(layout, script, f"raise SystemExit({missing!r})")


_LABELLED = """digraph { node [shape=box fontname="Helvetica,Arial,sans-serif" fontsize=13]
    a [label="bias of the neuron"]; b [label="∂L/∂w₁ · é"]; a -> b }"""


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the wheels bring all they need")
def test_without_fonts_boxes_are_as_wide_as_their_text() -> None:
    """In a bare container, layout and SVG take the sizes of text from Graphviz's own tables.

    The widths are those of Arial's advance widths (Adobe's AFM of Helvetica), 13 points.
    """
    root = ET.fromstring(render(_LABELLED, "svg").decode())
    texts = {x.text: x.attrib["font-family"] for x in root.iter() if x.tag.endswith("}text")}
    assert texts == {"bias of the neuron": FONTS, "∂L/∂w₁ · é": FONTS}
    placed = json.loads(render_each([_LABELLED, DOT], "json0")[0])
    width = 72 * float(placed["objects"][0]["width"])
    helvetica = {"b": 556, "i": 222, "a": 556, "s": 500, " ": 278, "o": 556, "f": 278, "t": 278,
                 "h": 556, "e": 556, "n": 556, "u": 556, "r": 333}  # fmt: skip
    text = sum(helvetica[c] for c in "bias of the neuron") * 13 / 1000
    assert text < width < text + 20


@pytest.mark.usefixtures("no_fonts")
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the wheels bring all they need")
def test_without_fonts_a_node_may_be_called_arial() -> None:
    """The font whose table is taken gives its name back, and no label does."""
    dot = _LABELLED.replace("bias of the neuron", "Arial")
    placed = json.loads(render_each([dot, DOT], "json0")[0])
    assert [node["label"] for node in placed["objects"]] == ["Arial", "∂L/∂w₁ · é"]


@pytest.mark.usefixtures("no_fonts")
def test_a_bitmap_needs_the_libraries_that_are_missing() -> None:
    """The error of a PNG names them and how to get them."""
    with pytest.raises(LayoutError, match=r"libX11.*apt install libglib2.0-0"):
        render(DOT, "png")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the wheels bring all they need")
def test_what_is_no_graph_is_refused_without_fonts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """The program ends with a message; and without pygraphviz, with another."""
    command = [sys.executable, bare_graphviz.__file__, "nosuch", FONTS]
    run = subprocess.run(command, input=DOT.encode(), capture_output=True, check=False)
    assert run.returncode
    assert b"nosuch could not be written" in run.stderr
    assert "<svg" in bare_graphviz.drawn(DOT, "svg", FONTS)
    with pytest.raises(SystemExit, match="could not be laid out"):
        bare_graphviz.drawn("digraph {", "svg", FONTS)
    monkeypatch.setattr(bare_graphviz, "find_spec", lambda name: None)
    bare_graphviz.libraries.cache_clear()
    with pytest.raises(SystemExit, match="brings no libgvc"):
        bare_graphviz.drawn(DOT, "svg", FONTS)


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux whether a pipe is full")
@pytest.mark.parametrize(
    "command",
    [
        [*layout.PYTHON, "-c", layout.BUNDLED, "svg"],
        [*layout.PYTHON, "-c", layout.BUNDLED_EACH, "svg"],
        [*layout.BARE, "svg", FONTS],
    ],
    ids=["one", "each", "bare"],
)
def test_a_picture_is_whole_though_who_writes_it_was_stopped(command: list[str]) -> None:
    """Stopped over a full pipe, as by Ctrl-Z, with PYTHONUNBUFFERED set, as in containers."""
    import fcntl
    import termios

    tried = [*layout.PYTHON, "-c", "import pygraphviz"]
    if FONTS not in command and subprocess.run(tried, capture_output=True, check=False).returncode:
        pytest.skip("the Graphviz in pygraphviz needs libraries that this machine lacks")
    words = "x" * 2_000
    dot = f"digraph {{ {' '.join(f'n{i} [tooltip={words}]' for i in range(100))} }}"
    given = json.dumps([dot]) if layout.BUNDLED_EACH in command else dot
    unbuffered = {**os.environ, "PYTHONUNBUFFERED": "1"}
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=unbuffered, **pipes) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        run.stdin.write(given.encode())
        run.stdin.close()
        waiting = bytes(4)
        deadline = time.monotonic() + PATIENCE
        while int.from_bytes(waiting, sys.byteorder) < 32_768:  # a pipe is full at 65,536 bytes
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.05)
            waiting = fcntl.ioctl(run.stdout, termios.FIONREAD, waiting)
        run.send_signal(signal.SIGSTOP)
        os.waitpid(run.pid, os.WUNTRACED)
        run.send_signal(signal.SIGCONT)
        drawn = run.stdout.read().decode()
    assert run.returncode == 0
    assert drawn.count(words) == 100
    assert "</svg>" in drawn


@pytest.mark.usefixtures("no_system_dot", "no_bundled_dot")
def test_without_any_graphviz_the_error_says_what_to_install() -> None:
    """With no Graphviz at all, the message names a package and what works without it."""
    with pytest.raises(LayoutError, match=r"no Graphviz was found.*pip install pygraphviz.*\.mmd"):
        render(DOT, "svg")


@needs_shebang
@pytest.mark.usefixtures("no_bundled_dot")
@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("#!/bin/sh\necho first >&2; echo 'no plugin for svg' >&2; exit 1\n", "no plugin for svg"),
        ("#!/bin/sh\nexit 0\n", "neither a picture nor a reason"),
        ("#!/no/such/interpreter\n", "did not start"),
    ],
)
def test_error_has_the_last_words_of_graphviz(system_dot: Path, script: str, words: str) -> None:
    """When every Graphviz fails, the message says which and why."""
    system_dot.write_text(script)
    with pytest.raises(LayoutError, match=words) as caught:
        render(DOT, "svg")
    assert str(system_dot) in str(caught.value)


@pytest.mark.usefixtures("no_system_dot")
def test_broken_dot_text_is_refused() -> None:
    """Text that is not DOT is an error that quotes the parser, not an empty picture."""
    with pytest.raises(LayoutError, match="the Graphviz in pygraphviz failed"):
        render("digraph {", "svg")


@needs_shebang
@pytest.mark.usefixtures("no_bundled_dot")
def test_a_missing_library_of_the_system_is_not_a_missing_graphviz(system_dot: Path) -> None:
    """Where it is installed, to install it is no remedy."""
    said = "libXrender.so.1: cannot open shared object file: No such file or directory"
    system_dot.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 127\n")
    with pytest.raises(LayoutError, match=r"libXrender.*apt install libglib2\.0-0") as caught:
        render(DOT, "svg")
    assert "pip install" not in str(caught.value)
