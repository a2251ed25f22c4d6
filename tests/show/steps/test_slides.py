"""A walk as pictures for slides: one size, and nothing that is not known yet."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scalargrad import Value
from scalargrad.errors import GraphTooLargeError, LayoutError
from scalargrad.show.steps import walk

from .graphs import labelled, lecture, neuron, recurrence, regularised

SVG = "{http://www.w3.org/2000/svg}"


def pictures(files: list[Path]) -> list[ET.Element]:
    """Return the pictures."""
    return [ET.fromstring(file.read_text(encoding="utf-8")) for file in files]


def texts(picture: ET.Element) -> list[str]:
    """Return the words and numbers that stand in a picture."""
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


def numbers(picture: ET.Element) -> list[str]:
    """Return the numbers that stand in a picture alone."""
    return [text for text in texts(picture) if re.fullmatch(r"−?[\d.]+", text)]


def test_each_step_shows_what_is_known_at_it(tmp_path: Path) -> None:
    """(x + y)z at (-2, 5, -4): the inputs, then q = 3, then f = -12, then the gradients."""
    files = lecture().export(tmp_path / "slides")
    assert [file.name for file in files] == [f"step-{i:02}.svg" for i in range(1, 9)]
    shown = [sorted(numbers(picture)) for picture in pictures(files)]
    assert shown[0] == sorted(["−2", "5", "−4"])
    assert shown[1] == sorted([*shown[0], "3"])
    assert shown[2] == sorted([*shown[1], "−12"])
    assert shown[3] == sorted([*shown[2], "1"])
    assert shown[7] == sorted([*shown[3], "3", "−4", "−4", "−4"])
    assert "gradient of" not in files[0].read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "steps",
    [
        regularised(),
        recurrence(12)[::20],
        walk(labelled(Value(0.12, "a_rather_long_name") * Value(7.65, "another_rather_long"), "f")),
    ],
)
def test_all_have_one_size_and_place_and_the_formula_of_their_step(
    steps: Any, tmp_path: Path
) -> None:
    """As slides need it, however wide a formula or long a chain, which goes on in rows."""
    drawn = pictures(steps.export(tmp_path))
    assert len(drawn) == len(steps)
    (size,) = {picture.get("viewBox") for picture in drawn}
    assert float(str(size).split()[2]) < 1700
    gates = [[(e.get("cx"), e.get("cy")) for e in x.iter(f"{SVG}ellipse")] for x in drawn]
    assert gates[0]
    assert all(found == gates[0] for found in gates)
    for step, picture in zip(steps, drawn, strict=True):
        written, said = (re.sub(r"[ _]", "", x) for x in ("".join(texts(picture)), step.text()))
        assert said in written


def leftward(picture: ET.Element) -> int:
    """Count the arrowheads whose tip is left of their middle."""
    count = 0
    for polygon in picture.iter(f"{SVG}polygon"):
        corners = {tuple(map(float, p.split(","))) for p in str(polygon.get("points")).split()}
        if len(corners) == 3:
            middle = tuple(sum(along) / 3 for along in zip(*corners, strict=True))
            tip = max(corners, key=lambda corner: math.dist(corner, middle))
            count += tip[0] < middle[0]
    return count


@pytest.mark.parametrize("make", [lecture, neuron])
def test_the_arrow_of_a_gradient_points_backwards(make: Any, tmp_path: Path) -> None:
    """One head to the left for the wire of the step; forwards all point to the right."""
    steps = make()
    for step, picture in zip(steps, pictures(steps.export(tmp_path)), strict=True):
        assert leftward(picture) == (step.phase == "backward"), step.place


def test_slides_in_one_file_need_nothing_else(tmp_path: Path) -> None:
    """A picture for each step, in a document whose policy allows no request."""
    (file,) = lecture().export(tmp_path, format="html", dark=True)
    text = file.read_text(encoding="utf-8")
    assert file.name == "slides.html"
    assert "default-src 'none'" in text
    assert text.count("<svg") == 8


def test_slides_in_one_file_print_as_one_page_each(tmp_path: Path, open_blank: Any) -> None:
    """Chromium makes eight pages of eight steps."""
    page = open_blank()
    page.goto(lecture().export(tmp_path, format="html")[0].as_uri())
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 8


def test_part_of_a_walk_as_png_on_dark_paper(tmp_path: Path) -> None:
    """Named by their place in the whole walk; a PNG's width is its bytes 16 to 20."""
    files = lecture()[4:6].export(tmp_path, format="png", dpi=96, dark=True)
    assert [file.name for file in files] == ["step-05.png", "step-06.png"]
    assert len({struct.unpack(">I", file.read_bytes()[16:20]) for file in files}) == 1


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    """Another format, and a graph that no slide can hold; of no steps nothing is written."""
    with pytest.raises(LayoutError, match="gif"):
        lecture().export(tmp_path, format="gif")  # type: ignore[arg-type]
    x = Value(1.0)
    for _ in range(300):
        x = x + 1.0
    with pytest.raises(GraphTooLargeError, match="301"):
        walk(x).export(tmp_path)
    assert lecture()[:0].export(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()
