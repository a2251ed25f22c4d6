"""draw, and the Picture it returns."""

from __future__ import annotations

import math
import os
import re
import stat
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from scalargrad import Parameter, Value, ops
from scalargrad.errors import GraphTooLargeError, LayoutError, OperandError
from scalargrad.show.graphs import draw, picture


def chain(length: int) -> Value:
    """Return the last of `length` nodes, each computed from the one before."""
    node = Value(1.0, "x")
    for _ in range(length - 1):
        node = node.tanh()
    return node


def forbid_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every call of Graphviz fail."""

    def render(dot: str, kind: str) -> bytes:
        raise LayoutError("no layout today")

    monkeypatch.setattr(picture, "render", render)


# What can be drawn ----------------------------------------------------------------------------


def test_several_roots_share_their_nodes() -> None:
    """Two roots over one leaf are drawn together, the leaf once."""
    x = Value(2.0, "x")
    text = draw([x + 1, x * 3]).dot
    assert text.count("shape=box") == 1
    assert text.count("shape=ellipse") == 2


@pytest.mark.parametrize("root", [3.0, None, [], [1.0], "x", [Value(1.0), 2.0]])
def test_only_values_can_be_drawn(root: Any) -> None:
    """Numbers and empty lists are refused with a message that shows them."""
    with pytest.raises(OperandError, match="draw needs a Value or several") as caught:
        draw(root)
    assert repr(root)[:60] in str(caught.value)


def test_a_function_is_to_be_called_before_it_is_drawn() -> None:
    """The message says how, and that works."""
    double: Any = lambda x: x * 2.0  # noqa: E731
    with pytest.raises(OperandError, match=r"as in draw\(f\(Value\(2\.0\)\)\)"):
        draw(double)
    assert draw(double(Value(2.0))).dot


def test_unknown_direction_is_refused() -> None:
    """The message lists the directions there are."""
    with pytest.raises(LayoutError, match="'sideways': use 'LR' or 'TB'"):
        draw(Value(1.0), direction="sideways")


def test_same_graph_gives_same_text() -> None:
    """Two graphs built alike have the same DOT and Mermaid, character for character."""

    def build() -> Value:
        w, x = Parameter(0.5, "w"), Value(2.0, "x")
        return ops.sigmoid(w * x) + w * w

    assert draw(build()).dot == draw(build()).dot
    assert draw(build()).mermaid == draw(build()).mermaid


def test_numbers_are_those_at_the_time_of_drawing() -> None:
    """A gradient computed after drawing does not appear in the picture."""
    x = Value(3.0, "x")
    y = x * x
    before = draw(y)
    y.backward()
    assert "grad 6" not in before.mermaid
    assert "grad 6" in draw(y).mermaid


@pytest.mark.parametrize(
    ("data", "shown"),
    [(1 / 3, "0.3333"), (-0.0, "0"), (1e-7, "1e−7"), (math.inf, "inf"), (math.nan, "nan")],
)
def test_numbers_have_four_significant_digits(data: float, shown: str) -> None:
    """Values are rounded to four digits; what is not finite is named."""
    assert f'["{shown}"]' in draw(Value(data)).mermaid


def test_gradient_set_to_none_counts_as_zero() -> None:
    """Programs that reset gradients PyTorch's way can be drawn."""
    x = Value(1.0)
    y = x * 2.0
    y.backward()
    x.grad = None
    assert "grad 0" in draw(y).mermaid


# The limit ------------------------------------------------------------------------------------


@pytest.mark.uncounted
def test_large_graph_is_folded() -> None:
    """Over the limit a graph is drawn as parts that together have all its nodes."""
    picture = draw(chain(20_000))
    assert re.search(r"20,?000 nodes, \d+ folded parts", repr(picture))
    sizes = re.findall(r">([\d,]+) nodes</FONT>", picture.dot)
    assert sum(int(size.replace(",", "")) for size in sizes) == 20_000


def test_limit_is_the_most_that_is_drawn_whole() -> None:
    """A graph as large as the limit is drawn as it is, one node more is folded."""
    assert "folded" not in repr(draw(chain(12), limit=12))
    assert "folded" in repr(draw(chain(12), limit=11))


def test_what_cannot_be_folded_is_refused_before_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where even the folded graph is too large, the message has the count and the remedy."""
    forbid_layout(monkeypatch)
    with pytest.raises(GraphTooLargeError, match=r"\d nodes and \d lines to draw.*pass limit=\d"):
        draw(chain(12), limit=2)


def test_boxed_constants_count() -> None:
    """A gate of many constants has few nodes and would still fill a picture."""
    operands: list[Value | float] = [Value(1.0), *[2.0] * 1000]
    total: Value = ops.sum(operands)
    with pytest.raises(GraphTooLargeError, match="1,002 nodes and 1,001 lines"):
        draw(total)


def test_lines_count() -> None:
    """Two nodes joined by thousands of lines are too much as well, and the remedy is right."""
    x = Value(1.0)
    tangled: Value = ops.sum([x] * 41)
    with pytest.raises(GraphTooLargeError, match=r"2 nodes and 41 lines.*limit=11"):
        draw(tangled, limit=10)
    assert draw(tangled, limit=11).dot


# Saving ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("f.svg", b"<svg "),
        pytest.param("f.png", b"\x89PNG", marks=pytest.mark.bitmaps),
        pytest.param("f.pdf", b"%PDF-", marks=pytest.mark.bitmaps),
        ("f.dot", b"digraph "),
        ("f.mmd", b"flowchart LR\n"),
        pytest.param("F.PNG", b"\x89PNG", marks=pytest.mark.bitmaps),
    ],
)
def test_suffix_chooses_the_format(name: str, start: bytes, tmp_path: Path) -> None:
    """Each format is written in full, under its name and no other."""
    path = draw(Value(1.0, "é") + 1).save(tmp_path / name)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_saved_svg_is_utf8(tmp_path: Path) -> None:
    """An XML parser reads a saved SVG and finds a label that is not ASCII."""
    path = draw(Value(1.0, "ünï 漢")).save(tmp_path / "f.svg")
    assert "ünï 漢" in "".join(ET.parse(path).getroot().itertext())


@pytest.mark.parametrize("name", ["f.gif", "f", ".svg"])
def test_unknown_suffix_is_refused(name: str, tmp_path: Path) -> None:
    """The message lists the suffixes there are, and no file appears."""
    with pytest.raises(LayoutError, match=r"\.svg, \.png, \.pdf, \.dot, \.mmd"):
        draw(Value(1.0)).save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_failed_layout_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If Graphviz fails, an existing picture stays and nothing new appears."""
    old = tmp_path / "f.svg"
    old.write_text("old")
    forbid_layout(monkeypatch)
    with pytest.raises(LayoutError):
        draw(Value(1.0)).save(old)
    assert old.read_text() == "old"
    assert list(tmp_path.iterdir()) == [old]


def test_failed_writing_leaves_nothing(tmp_path: Path) -> None:
    """If the file cannot take its name, the unfinished one is removed."""
    (tmp_path / "f.dot").mkdir()
    with pytest.raises(OSError, match=r"f\.dot"):
        draw(Value(1.0)).save(tmp_path / "f.dot")
    assert [path.name for path in tmp_path.iterdir()] == ["f.dot"]


def test_missing_folder_is_named(tmp_path: Path) -> None:
    """The message says which folder to create."""
    with pytest.raises(FileNotFoundError, match=r"create the folder .*pictures"):
        draw(Value(1.0)).save(tmp_path / "pictures" / "f.dot")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no permission bits")
def test_saved_file_has_ordinary_permissions(tmp_path: Path) -> None:
    """A picture can be read by whom any other file written here can be read."""
    ordinary = tmp_path / "ordinary"
    ordinary.touch()
    saved = draw(Value(1.0)).save(tmp_path / "f.dot")
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(ordinary.stat().st_mode)


# Notebooks ------------------------------------------------------------------------------------


def test_notebook_shows_the_picture() -> None:
    """IPython finds the SVG of a Picture at the end of a cell."""
    formatters = pytest.importorskip("IPython.core.formatters")
    drawn = draw(Value(1.0, "x"))
    assert formatters.SVGFormatter()(drawn) == drawn.svg()


def test_importing_scalargrad_loads_no_graphviz() -> None:
    """The packages pictures need are loaded by the first picture, not by the import."""
    program = "import scalargrad, sys; print({'graphviz', 'pygraphviz'} & set(sys.modules))"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert run.stdout.strip() == b"set()"
