"""Which Graphviz draws, what is said where there is none, and how files of pictures are written."""

from __future__ import annotations

import os
import struct
import sys
import xml.etree.ElementTree as ET
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.show.graphs.reading import SVG, corners, elements

from scalargrad import Value, draw
from scalargrad.errors import LayoutError, OperandError
from scalargrad.show.graphs import Picture

needs_shebang = pytest.mark.skipif(os.name == "nt", reason="a script stands in for dot")
on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere wheels bring all they need"
)


def picture() -> Picture:
    """Return a picture that has not been laid out yet."""
    return draw(Value(1.0, "é") + 1)


@pytest.fixture
def no_system_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave no program to be found."""
    monkeypatch.setenv("PATH", "")


@pytest.fixture
def no_bundled_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pygraphviz be not installed."""
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


@pytest.fixture
def system_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file that is found as the system's dot, to be filled by the test."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_system_dot: None) -> None:
    """Let pygraphviz fail as it does in a container without the libraries of X."""
    package = tmp_path / "packages" / "pygraphviz"
    package.mkdir(parents=True)
    said = "libX11.so.6: cannot open shared object file: No such file or directory"
    (package / "__init__.py").write_text(f"raise ImportError({said!r})")
    spec = find_spec("pygraphviz")
    assert spec is not None
    assert spec.origin is not None
    libraries = Path(spec.origin).parent.with_name("pygraphviz.libs")
    if libraries.exists():
        package.with_name("pygraphviz.libs").symlink_to(libraries)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))


# Which Graphviz -------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_system_dot")
def test_the_wheel_of_pygraphviz_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a system's Graphviz; and a file pygraphviz.py in the working folder is not run."""
    (tmp_path / "pygraphviz.py").write_text("raise SystemExit('wrong module')")
    monkeypatch.chdir(tmp_path)
    assert "é" in "".join(ET.fromstring(picture().svg()).itertext())


@needs_shebang
@pytest.mark.usefixtures("no_bundled_dot")
def test_the_system_s_dot_is_asked_for_the_format(system_dot: Path, tmp_path: Path) -> None:
    """It gets the format and the resolution as options and the DOT text as its input."""
    system_dot.write_text('#!/bin/sh\necho "$@"\nexec cat\n')
    shown = draw(Value(1.0, "é"), dpi=96)
    saved = shown.save(tmp_path / "f.png").read_text(encoding="utf-8")
    options, _, given = saved.partition("\n")
    assert options.split() == ["-Tpng", "-Gdpi=96"]
    assert given == shown.dot
    system_dot.write_text("#!/bin/sh\necho '<?xml?><!DOCTYPE svg><svg width=\"8pt\">mine</svg>'\n")
    assert shown.svg().startswith("<svg ")
    assert "mine" in shown.svg()


@needs_shebang
@pytest.mark.usefixtures("bare")
def test_the_system_s_dot_helps_out(system_dot: Path) -> None:
    """Where the Graphviz in pygraphviz fails, it draws."""
    system_dot.write_text("#!/bin/sh\necho '<svg>mine</svg>'\n")
    assert "mine" in picture().svg()


@on_linux
@pytest.mark.usefixtures("bare")
def test_without_fonts_boxes_are_as_wide_as_their_text() -> None:
    """In a bare container the sizes of text are those of Arial's advance widths, 13 points.

    The numbers are those of Adobe's AFM of Helvetica. The font in whose table they were found gives
    its name back, and a label of that name keeps it.
    """
    shown = draw([Value(1.0, "bias of the neuron"), Value(2.0, "Arial")])
    found = elements(shown)
    (left, _, right, _) = corners(found["n0"])
    helvetica = {"b": 556, "i": 222, "a": 556, "s": 500, " ": 278, "o": 556, "f": 278, "t": 278,
                 "h": 556, "e": 556, "n": 556, "u": 556, "r": 333}  # fmt: skip
    text = sum(helvetica[c] for c in "bias of the neuron") * 13 / 1000
    assert text < right - left < text + 20
    fonts = {text.get("font-family") for text in ET.fromstring(shown.svg()).iter(f"{SVG}text")}
    assert fonts == {"Helvetica,Arial,sans-serif"}
    assert [text.text for text in found["n1"].iter(f"{SVG}text")] == ["Arial"]
    node = Value(0.5, "x")
    for _ in range(40):
        node = node.sin()
    assert len(elements(draw(node))) > 160  # so long that it is laid out row by row


# Errors ---------------------------------------------------------------------------------------


@on_linux
@pytest.mark.usefixtures("bare")
def test_a_bitmap_needs_the_libraries_that_are_missing(tmp_path: Path) -> None:
    """The error of a PNG names them and how to get them."""
    with pytest.raises(LayoutError, match="libX11") as caught:
        picture().save(tmp_path / "f.png")
    assert "apt install" in str(caught.value)
    assert not (tmp_path / "f.png").exists()


@pytest.mark.usefixtures("no_system_dot", "no_bundled_dot")
def test_without_any_graphviz_text_formats_are_left(tmp_path: Path) -> None:
    """The error names a package to install, an existing file stays, and .dot and .mmd work."""
    old = tmp_path / "f.svg"
    old.write_text("old")
    with pytest.raises(LayoutError, match="pygraphviz"):
        picture().save(old)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]
    assert picture().save(tmp_path / "f.dot").read_text(encoding="utf-8").startswith("digraph ")
    assert picture().save(tmp_path / "f.mmd").read_text(encoding="utf-8").startswith("flowchart")
    assert Value(1.0)._repr_svg_() is None  # a notebook then shows the text


@needs_shebang
@pytest.mark.usefixtures("no_bundled_dot")
@pytest.mark.parametrize(
    ("script", "noun"),
    [
        ("#!/bin/sh\necho first >&2; echo 'no plugin for svg' >&2; exit 1\n", "plugin"),
        ("#!/bin/sh\nexit 0\n", "neither"),
        ("#!/no/such/interpreter\n", "start"),
        ("#!/bin/sh\necho 'libXrender.so.1: cannot open shared object file' >&2; exit 1\n", "apt"),
    ],
)
def test_the_error_has_the_last_words_of_graphviz(system_dot: Path, script: str, noun: str) -> None:
    """When every Graphviz fails, it says which and why; to install it is no remedy then."""
    system_dot.write_text(script)
    with pytest.raises(LayoutError, match=noun) as caught:
        picture().svg()
    assert str(system_dot) in str(caught.value)


def test_a_notebook_shows_the_graph_of_a_value() -> None:
    """As a picture folded to a small size, and as text where that would take noticeable time."""
    y = Value(0.5, "x")
    for _ in range(200):
        y = y.sin()
    svg = y._repr_svg_()
    assert svg is not None
    assert svg.startswith("<svg ")
    assert "201 nodes" in svg
    assert svg.count('class="node"') < 200
    for _ in range(60_000):
        y = -y
    assert y._repr_svg_() is None


# Files ----------------------------------------------------------------------------------------

bitmaps = pytest.mark.bitmaps


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("f.svg", b"<svg "),
        ("f.dot", b"digraph "),
        ("F.MMD", b"flowchart LR\n"),
        pytest.param("f.png", b"\x89PNG", marks=bitmaps),
        pytest.param("F.PDF", b"%PDF-", marks=bitmaps),
    ],
)
def test_the_suffix_chooses_the_format(
    name: str, start: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each is written in full, under its name and no other, and nothing is printed."""
    path = picture().save(tmp_path / name)
    assert path.read_bytes().startswith(start)
    assert start[:1] in b"%\x89" or "é" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")


@pytest.mark.bitmaps
def test_a_png_is_as_fine_as_is_asked_for(tmp_path: Path) -> None:
    """192 dots for each inch, that is each 72 points of the SVG, unless `dpi` says otherwise."""
    y = Value(1 / 3, "x") ** 2.0
    points = float(ET.fromstring(draw(y).svg()).attrib["width"].removesuffix("pt"))
    for dpi in (192, 96):
        written = draw(y, dpi=dpi).save(tmp_path / "y.png").read_bytes()
        assert struct.unpack(">I", written[16:20])[0] == pytest.approx(points * dpi / 72, abs=3)


@pytest.mark.parametrize("name", ["f.gif", "f", ".svg"])
def test_an_unknown_suffix_is_refused(name: str, tmp_path: Path) -> None:
    """The error lists those there are, and no file appears."""
    with pytest.raises(LayoutError, match=r"\.svg"):
        picture().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    """If a file cannot take its name, the unfinished one is removed; a missing folder is named."""
    (tmp_path / "f.dot").mkdir()
    with pytest.raises(OSError, match=r"f\.dot"):
        picture().save(tmp_path / "f.dot")
    assert [path.name for path in tmp_path.iterdir()] == ["f.dot"]
    with pytest.raises(FileNotFoundError, match="pictures"):
        picture().save(tmp_path / "pictures" / "f.dot")
    no_path: Any = 3
    with pytest.raises(OperandError, match="path"):
        picture().save(no_path)
