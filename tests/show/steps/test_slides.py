"""Slides of a walk: pictures of one size, with only the numbers known at each step."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from scalargrad import Value
from scalargrad.errors import GraphTooLargeError, LayoutError
from scalargrad.show.steps import walk

from .graphs import labelled, lecture, recurrence, regularised

SVG = "{http://www.w3.org/2000/svg}"


def pictures(files: list[Path]) -> list[ET.Element]:
    """Return the pictures."""
    return [ET.fromstring(file.read_text(encoding="utf-8")) for file in files]


def texts(picture: ET.Element) -> list[str]:
    """Return the texts in a picture."""
    return ["".join(text.itertext()) for text in picture.iter(f"{SVG}text")]


def numbers(picture: ET.Element) -> list[str]:
    """Return the texts in a picture that are numbers."""
    found = (piece.text or "" for piece in picture.iter(f"{SVG}tspan"))
    return [text for text in found if re.fullmatch(r"−?[\d.]+", text)]


def test_export_shows_only_the_numbers_known_at_each_step(tmp_path: Path) -> None:
    """(x + y)z at (-2, 5, -4): the inputs, then q = 3, then f = -12, then the gradients."""
    files = lecture().export(folder=tmp_path / "slides")
    assert [file.name for file in files] == [f"step-{i:02}.svg" for i in range(1, 9)]
    shown = [sorted(numbers(picture)) for picture in pictures(files)]
    assert shown[0] == sorted(["−2", "5", "−4"])
    assert shown[1] == sorted([*shown[0], "3"])
    assert shown[2] == sorted([*shown[1], "−12"])
    assert shown[3] == sorted([*shown[2], "1"])
    assert shown[7] == sorted([*shown[3], "3", "−4", "−4", "−4"])
    assert "gradient of" not in files[0].read_text(encoding="utf-8")


def test_export_highlights_the_active_shapes(tmp_path: Path) -> None:
    """The inputs, the root at the seed, and the path of a contribution from f to z."""
    lit = [
        {
            group.get("id", "")
            for group in picture.iter(f"{SVG}g")
            if {"#FFE2A0", "#F2A900"} & {x.get(ink) for x in group for ink in ("fill", "stroke")}
        }
        for picture in pictures(lecture().export(tmp_path))
    ]
    assert {id for id in lit[0] if "-" not in id} == {"n0", "n1", "n3"}
    assert lit[3] == {"n4", "n4-out", "n4-wire"}
    assert lit[4] == {"n4", "n4-w1", "n3-wire", "n3-out"}


@pytest.mark.parametrize(
    "steps",
    [
        regularised(),
        recurrence(12),
        walk(labelled(Value(0.12, "a_rather_long_name") * Value(7.65, "another_rather_long"), "f")),
    ],
)
def test_export_slides_are_16_to_9_with_the_formula_of_the_step(steps: Any, tmp_path: Path) -> None:
    """With a wide formula, and with a long chain in rows."""
    drawn = pictures(steps.export(tmp_path))
    (size,) = {picture.get("viewBox") for picture in drawn}
    left, _, width, height = map(float, str(size).split())
    assert width / height == pytest.approx(16 / 9, rel=1e-3)
    _, *boxes = (x.attrib for x in drawn[0].iter(f"{SVG}rect"))
    ends = [float(x["x"]) + k * float(x["width"]) for x in boxes for k in (0, 1)]
    assert (min(ends) + max(ends)) / 2 == pytest.approx(left + width / 2, abs=0.12 * width)
    gates = [[(e.get("x"), e.get("y")) for e in x.iter(f"{SVG}rect")][1:] for x in drawn]
    assert all(found == gates[0] != [] for found in gates)
    for step, picture in zip(steps, drawn, strict=True):
        both = (unicodedata.normalize("NFKC", x) for x in ("".join(texts(picture)), step.text()))
        written, said = (re.sub(r"[ _]", "", x) for x in both)  # v1 for v₁
        assert said in written


def test_export_html_prints_one_page_for_each_slide(tmp_path: Path, open_blank: Any) -> None:
    """Chromium prints eight sections, as in reveal.js; the policy forbids the network."""
    (file,) = lecture().export(tmp_path, format="html", dark=True)
    assert "default-src 'none'" in file.read_text(encoding="utf-8")
    page = open_blank()
    page.goto(file.as_uri())
    assert page.locator("body > section > svg").count() == 8
    assert len(re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))) == 8


def test_export_pdf_has_a_page_for_each_step(tmp_path: Path) -> None:
    """Pages have 960 by 540 points and embedded fonts."""
    pytest.importorskip("fpdf")
    (file,) = lecture().export(tmp_path, format="pdf")
    written = file.read_bytes()
    assert file.name == "slides.pdf"
    assert len(re.findall(rb"/Type\s*/Page\b", written)) == 8
    assert written.count(b"[0 0 960.00 540.00]") >= 1
    assert b"/FontFile2" in written


@pytest.mark.parametrize("kind", ["gif", "webp"])
def test_export_animations_show_each_step_and_repeat(kind: Any, tmp_path: Path) -> None:
    """As read by Pillow; the last frame lasts longer."""
    image = pytest.importorskip("PIL.Image")
    (file,) = lecture()[4:].export(tmp_path, format=kind, dpi=48)
    with image.open(file) as shown:
        assert (shown.n_frames, shown.size, shown.info["loop"]) == (4, (640, 360), 0)
        stays = []
        for k in range(4):
            shown.seek(k)
            shown.load()
            stays.append(shown.info["duration"])
    assert stays[3] > stays[0]


def test_export_refuses_unknown_formats_and_large_graphs(tmp_path: Path) -> None:
    """The error names the format or the number of nodes."""
    with pytest.raises(LayoutError, match="mp4"):
        lecture().export(tmp_path, format="mp4")  # type: ignore[arg-type]
    x = Value(1.0)
    for _ in range(300):
        x = x + 1.0
    with pytest.raises(GraphTooLargeError, match="301"):
        walk(x).export(tmp_path)
