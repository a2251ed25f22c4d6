"""Pictures with different Graphviz programs, errors without one, and files of pictures."""

from __future__ import annotations

import json
import os
import struct
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from tests.show.graphs.parsing import corners, elements

from scalargrad import Value, draw
from scalargrad.errors import LayoutError, MissingPackageError
from scalargrad.show.graphs import Picture

needs_shebang = pytest.mark.skipif(os.name == "nt", reason="a shell script replaces dot")


def picture() -> Picture:
    """Return a picture without a layout yet."""
    return draw(Value(1.0, "é") + 1)


@pytest.fixture
def system_dot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of an empty program that is the dot of the system; the test writes it."""
    program = tmp_path / "bin" / "dot"
    program.parent.mkdir()
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
    return program


@pytest.fixture
def no_resvg(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate that resvg-py and fpdf2 are not installed."""
    for name in ("resvg_py", "fpdf"):
        monkeypatch.setitem(sys.modules, name, None)


#: Output of Graphviz: the positions of a box and its wire.
POSITIONS = json.dumps(
    {
        "bb": "0,0,200,40",
        "objects": [{"name": "n0", "pos": "59,20"}, {"name": "n0-wire", "pos": "150,20"}],
        "edges": [{"id": "n0-out", "pos": "90,20 100,20 110,20 120,20"}],
    }
)


# Which Graphviz -------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_system_graphviz")
def test_draw_boxes_fit_the_width_of_their_text() -> None:
    """Without Graphviz or fonts of the system, boxes have room for Arial at 14 points.

    The widths are from Adobe's AFM of Helvetica. A Chinese character is as wide as it is high.
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
def test_svg_uses_the_dot_program_of_the_system(system_dot: Path) -> None:
    """Its input is the DOT text of the picture."""
    system_dot.write_text(f"#!/bin/sh\ncat > {system_dot}.given\necho '{POSITIONS[:-1]}\n}}'\n")
    shown = draw(Value(1.0, "é"))
    assert 'x="50.0"' in shown.svg()
    assert Path(f"{system_dot}.given").read_text(encoding="utf-8") == shown.dot


# Errors ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_system_graphviz", "no_bundled_graphviz")
def test_save_without_graphviz_writes_dot_and_mermaid(tmp_path: Path) -> None:
    """The error names a package to install, and an existing file is not changed."""
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
def test_save_names_the_missing_package(name: str, remedy: str, tmp_path: Path) -> None:
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
def test_svg_error_quotes_the_last_line_of_graphviz(
    system_dot: Path, script: str, noun: str
) -> None:
    """The error names the program and the reason."""
    system_dot.write_text(script)
    with pytest.raises(LayoutError, match=noun) as caught:
        picture().svg()
    assert str(system_dot) in str(caught.value)


def test_save_of_a_png_with_too_many_pixels_is_an_error(tmp_path: Path) -> None:
    """100 rows at 1,200 dots per inch would exhaust the memory."""
    roots = [Value(1.0).exp() for _ in range(100)]
    with pytest.raises(LayoutError, match="dpi"):
        draw(roots, dpi=1200).save(tmp_path / "f.png")


def test_repr_svg_of_a_value_is_a_small_picture() -> None:
    """Subgraphs are collapsed; a graph that would take noticeable time has no picture."""
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
def test_save_chooses_the_format_by_the_suffix(
    name: str, start: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The file is complete, no other file is created, and nothing is printed."""
    path = picture().save(tmp_path / name)
    assert path.read_bytes().startswith(start)
    assert start[:1] == b"\x89" or "é" in path.read_text(encoding="utf-8")
    assert list(tmp_path.iterdir()) == [path]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("options", "dpi"), [({}, 192), ({"dpi": 96}, 96)])
def test_draw_dpi_sets_the_pixels_of_a_png(
    options: dict[str, int], dpi: int, tmp_path: Path
) -> None:
    """An inch is 72 points of the SVG."""
    y = Value(1 / 3, "x") ** 2.0
    points = float(ET.fromstring(draw(y).svg()).attrib["width"].removesuffix("pt"))
    content = draw(y, **options).save(tmp_path / "y.png").read_bytes()  # type: ignore[arg-type]
    assert struct.unpack(">I", content[16:20])[0] == pytest.approx(points * dpi / 72, abs=3)
