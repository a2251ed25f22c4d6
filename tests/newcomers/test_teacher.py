"""What a teacher prepares the evening before a lecture, by the site alone."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest

from scalargrad import Value, draw, parse, walk
from scalargrad.cli.main import main
from scalargrad.nn import MLP


def example() -> Value:
    """Return (x + y)·z with every node named."""
    return parse("q = x + y; f = q * z", x=-2.0, y=5.0, z=-4.0)


def test_a_formula_on_the_command_line_becomes_a_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page holds the names of the formula."""
    page = tmp_path / "loss.html"
    formula = "L = 0.5 * (sigmoid(w*x + b) - t)**2"
    inputs = ["w=0.5", "x=2", "b=-0.25", "t=1"]
    monkeypatch.setattr(sys, "argv", ["scalargrad", "step", formula, *inputs, "-o", str(page)])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert "Backpropagation through L" in page.read_text(encoding="utf-8")


def test_the_page_offers_what_a_lecture_needs(tmp_path: Path) -> None:
    """Prediction, presentation and a worksheet, without anything from the network."""
    page = walk(example()).save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(words in page for words in ("Predict", "Presentation mode", "Print a worksheet"))
    assert "default-src 'none'" in page


def test_a_slide_is_built_up_with_a_picture_for_each_step(tmp_path: Path) -> None:
    """Four wires on the way back are four pictures, in the lecture's order z, q, y, x."""
    f = example()
    backward = [step for step in walk(f) if step.phase == "backward"]
    receivers = [step.parent for step in backward if step.parent is not None]
    files = [
        draw(f, highlight=[receiver]).save(tmp_path / f"step-{i}.svg")
        for i, receiver in enumerate(receivers)
    ]
    assert [receiver.label for receiver in receivers] == ["z", "q", "y", "x"]
    assert len({file.read_bytes() for file in files}) == 4


@pytest.mark.bitmaps
def test_a_picture_is_sharp_enough_for_print(tmp_path: Path) -> None:
    """At 600 dpi a PNG has about three times the width that it has at 192."""
    f = example()

    def width(dpi: int) -> int:
        png = draw(f, dpi=dpi).save(tmp_path / f"{dpi}.png").read_bytes()
        (found,) = struct.unpack(">I", png[16:20])
        return int(found)

    assert width(600) / width(192) == pytest.approx(600 / 192, rel=0.02)


def test_a_network_is_shown_layer_by_layer(tmp_path: Path) -> None:
    """`walk(loss, model=model)` gives a page that has the view by layers."""
    model = MLP(2, [2, 1], activation="tanh", rng=0)
    loss = (model([0.5, -1.0]) - 1.0) ** 2
    page = walk(loss, model=model).save(tmp_path / "network.html").read_text(encoding="utf-8")
    assert 'value="layer"' in page


@pytest.mark.bitmaps
def test_slides_are_written_by_one_call(tmp_path: Path) -> None:
    """Three steps forwards, the seed and four wires back are eight pictures of one size."""
    files = walk(example()).export(tmp_path / "slides", format="png")
    assert len(files) == 8
    assert len({file.read_bytes()[16:24] for file in files}) == 1  # width and height


def test_every_group_of_students_gets_a_sheet_of_its_own(tmp_path: Path) -> None:
    """The menu of the page offers variants, and questions for Moodle."""
    page = walk(example()).save(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Variant" in page
    assert "Save as Moodle XML" in page
