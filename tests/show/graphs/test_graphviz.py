"""Which Graphviz draws, what is said where there is none, and how files of pictures are written."""

from __future__ import annotations

import json
import os
import struct
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.show.graphs.reading import corners, elements

from scalargrad import Value, draw
from scalargrad.errors import LayoutError, MissingPackageError
from scalargrad.show.graphs import Picture

needs_shebang = pytest.mark.skipif(os.name == "nt", reason="a script stands in for dot")


def picture() -> Picture:
    """Return a picture that has not been laid out yet."""
    return draw(Value(1.0, "é") + 1)


@pytest.fixture
def system_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of a file that is found as the system's dot, to be filled by the test."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


@pytest.fixture
def no_resvg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let resvg-py and fpdf2 be not installed."""
    for name in ("resvg_py", "fpdf"):
        monkeypatch.setitem(sys.modules, name, None)


#: Where a Graphviz puts a box and its wire.
PLACES = json.dumps(
    {
        "bb": "0,0,200,40",
        "objects": [{"name": "n0", "pos": "59,20"}, {"name": "n0-wire", "pos": "150,20"}],
        "edges": [{"id": "n0-out", "pos": "90,20 100,20 110,20 120,20"}],
    }
)


# Which Graphviz -------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_system_graphviz")
def test_boxes_are_as_wide_as_their_text() -> None:
    """Without a system's Graphviz or fonts: boxes have room for Arial's letters, of 14 points.

    The numbers are those of Adobe's AFM of Helvetica. A Chinese letter is as wide as it is high.
    """
    shown = draw([Value(1.0, "bias of the neuron"), Value(2.0, "权重矩阵与偏置")])
    found = elements(shown)
    helvetica = {"b": 556, "i": 222, "a": 556, "s": 500, " ": 278, "o": 556, "f": 278, "t": 278,
                 "h": 556, "e": 556, "n": 556, "u": 556, "r": 333}  # fmt: skip
    for box, text in (("n0", sum(helvetica[c] for c in "bias of the neuron")), ("n1", 6_500)):
        left, _, right, _ = corners(found[box])
        assert 4 < right - left - text * 14 / 1000 < 32
    assert found["graph0"].get("font-family") == "Helvetica,Arial,sans-serif"


@needs_shebang
@pytest.mark.usefixtures("no_bundled_graphviz")
def test_the_system_s_dot_is_asked_for_places(system_dot: Path) -> None:
    """It gets the DOT text as its input."""
    system_dot.write_text(f"#!/bin/sh\ncat > {system_dot}.given\necho '{PLACES[:-1]}\n}}'\n")
    shown = draw(Value(1.0, "é"))
    assert 'x="50.0"' in shown.svg()
    assert Path(f"{system_dot}.given").read_text(encoding="utf-8") == shown.dot


# Errors ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_system_graphviz", "no_bundled_graphviz")
def test_without_any_graphviz_text_formats_are_left(tmp_path: Path) -> None:
    """The error names a package to install, an existing file stays, and .dot and .mmd work."""
    old = tmp_path / "f.svg"
    old.write_text("old")
    with pytest.raises(LayoutError, match="graphviz-pure"):
        picture().save(old)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]
    assert picture().save(tmp_path / "f.dot").read_text(encoding="utf-8").startswith("digraph ")
    assert picture().save(tmp_path / "f.mmd").read_text(encoding="utf-8").startswith("flowchart")
    assert Value(1.0)._repr_svg_() is None  # a notebook then shows the text


@pytest.mark.usefixtures("no_resvg")
@pytest.mark.parametrize(("name", "remedy"), [("f.png", "resvg-py"), ("f.pdf", "fpdf2")])
def test_what_a_format_needs_is_named(name: str, remedy: str, tmp_path: Path) -> None:
    """PDF needs fpdf2, and PNG resvg."""
    with pytest.raises(MissingPackageError, match=remedy):
        picture().save(tmp_path / name)
    assert not list(tmp_path.iterdir())


@needs_shebang
@pytest.mark.usefixtures("no_bundled_graphviz")
@pytest.mark.parametrize(
    ("script", "noun"),
    [
        ("#!/bin/sh\necho first >&2; echo 'no plugin for svg' >&2; exit 1\n", "plugin"),
        ("#!/bin/sh\nexit 0\n", "neither"),
        ("#!/no/such/interpreter\n", "start"),
    ],
)
def test_the_error_has_the_last_words_of_graphviz(system_dot: Path, script: str, noun: str) -> None:
    """When every Graphviz fails, it says which and why."""
    system_dot.write_text(script)
    with pytest.raises(LayoutError, match=noun) as caught:
        picture().svg()
    assert str(system_dot) in str(caught.value)


def test_a_picture_of_too_many_dots_is_refused(tmp_path: Path) -> None:
    """Its memory would end the program: here 2 × 78 inches of 1,200 dots each."""
    roots = [Value(1.0).exp() for _ in range(100)]
    with pytest.raises(LayoutError, match="dpi"):
        draw(roots, dpi=1200).save(tmp_path / "f.png")


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


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("f.svg", b"<svg "),
        ("f.dot", b"digraph "),
        ("F.MMD", b"flowchart LR\n"),
        ("F.PNG", b"\x89PNG"),
    ],
)
def test_the_suffix_chooses_the_format(
    name: str, start: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each is written in full, under its name and no other, and nothing is printed."""
    path = picture().save(tmp_path / name)
    assert path.read_bytes().startswith(start)
    assert start[:1] == b"\x89" or "é" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")


def test_a_png_is_as_fine_as_is_asked_for(tmp_path: Path) -> None:
    """192 dots for each inch, that is each 72 points of the SVG, unless `dpi` says otherwise."""
    y = Value(1 / 3, "x") ** 2.0
    points = float(ET.fromstring(draw(y).svg()).attrib["width"].removesuffix("pt"))
    for dpi in (192, 96):
        written = draw(y, dpi=dpi).save(tmp_path / "y.png").read_bytes()
        assert struct.unpack(">I", written[16:20])[0] == pytest.approx(points * dpi / 72, abs=3)
