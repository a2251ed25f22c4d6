"""A walk as pictures for slides: one size, and nothing that is not known yet."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from scalargrad import Parameter, Value, draw, tanh
from scalargrad.errors import GraphTooLargeError, LayoutError
from scalargrad.show.steps import Walk, walk

from .graphs import lecture, regularised


def numbers(path: Path) -> set[str]:
    """Return the numbers that stand in a picture."""
    texts = re.findall(r"<text[^>]*>([^<]*)</text>", path.read_text(encoding="utf-8"))
    return {text for text in texts if re.fullmatch("[−\\d.]+", text)}


def test_each_step_shows_what_is_known_at_it(tmp_path: Path) -> None:
    """(x + y)z at (-2, 5, -4): the inputs, then q = 3, then f = -12, then the gradients."""
    files = lecture().export(tmp_path / "slides")
    assert [file.name for file in files] == [f"step-{i:02}.svg" for i in range(1, 9)]
    shown = [numbers(file) for file in files]
    assert shown[0] == {"−2", "5", "−4"}
    assert shown[1] == shown[0] | {"3"}
    assert shown[2] == shown[1] | {"−12"}
    assert shown[3] == shown[2] | {"1"}
    assert files[4].read_text(encoding="utf-8").count(">3<") == 2
    assert files[7].read_text(encoding="utf-8").count(">−4<") == 4
    assert "gradient of" not in files[0].read_text(encoding="utf-8")


def test_all_have_one_size(tmp_path: Path) -> None:
    """As slides need it, whatever stands out."""
    files = regularised().export(tmp_path)
    sizes = {
        re.search(r'viewBox="[^"]*"', file.read_text(encoding="utf-8"))[0]  # type: ignore[index]
        for file in files
    }
    assert len(files) == 25
    assert len(sizes) == 1


def recurrence() -> Walk:
    """Walk through twelve steps of tanh(wh + x)."""
    w, h = Parameter(0.5, "w"), Value(0.0, "h0")
    for t in range(12):
        h = tanh(w * h + Value(0.1 * t, f"x{t}"))
    return walk(h)


def test_slides_of_a_recurrence_are_in_rows(tmp_path: Path) -> None:
    """Of one size, which a screen can hold, with every gate of every step in its place."""
    files = recurrence()[::20].export(tmp_path)
    texts = [file.read_text(encoding="utf-8") for file in files]
    boxes = {found for text in texts for found in re.findall(r'viewBox="0.00 0.00 ([^"]+)"', text)}
    (size,) = boxes
    assert float(size.split()[0]) < 1300
    gates = [re.findall(r'<ellipse[^>]* cx="([^"]+)" cy="([^"]+)"', text) for text in texts]
    assert len(gates[0]) > 36
    assert all(found == gates[0] for found in gates)


def test_slides_say_the_product_and_name_what_it_is_about(tmp_path: Path) -> None:
    """Below each the formula of its step, on the wires its names, indices set lower in both."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    steps = walk((x + y) * z)
    files = steps.export(tmp_path)
    for step, file in zip(steps, files, strict=True):
        written = file.read_text(encoding="utf-8")
        texts = re.findall(r"<text[^>]*>(.*?)</text>", written)
        assert step.text() in "".join(texts)
    last = files[7].read_text(encoding="utf-8")
    assert len(re.findall(r'font-size="9.00"[^>]*>\d<', last)) == 6  # v₁, v₂, here and on the wires
    boxes = {re.search(r'viewBox="[^"]*"', f.read_text(encoding="utf-8"))[0] for f in files}  # type: ignore[index]
    assert len(boxes) == 1


def test_captions_wider_than_the_picture_leave_it_one_size(tmp_path: Path) -> None:
    """Of one gate with long names: its formula is three times as wide as the gate."""
    a, b = Value(0.123456, "a_rather_long_name"), Value(7.654321, "another_rather_long_name")
    root = a * b
    root.label = "product_of_both_of_them"
    files = walk(root).export(tmp_path)
    boxes = {re.search(r'viewBox="[^"]*"', f.read_text(encoding="utf-8"))[0] for f in files}  # type: ignore[index]
    assert len(boxes) == 1


@pytest.mark.parametrize("make", [lecture, recurrence])
def test_the_arrow_of_a_gradient_points_backwards(make: Callable[[], Walk], tmp_path: Path) -> None:
    """Left of where the line begins; forwards it stands at the gate, right of it."""
    steps = make()
    back = [step for step in steps if step.phase == "backward"]
    files = dict(zip([step.index for step in steps], steps.export(tmp_path), strict=True))
    for step in back[:8]:
        assert step.node is not None
        id = f"n{steps.scene.order.index(step.node)}-w{step.operand}"
        line = re.search(
            rf'<g id="{id}" class="edge">.*?</g>', unescape(files[step.index].read_text()), re.S
        )
        assert line is not None
        starts = [float(x) for x in re.findall(r'd="M([-\d.]+)', line[0])]
        ends = [float(x) for x in re.findall(r'[ C]([-\d.]+),[-\d.]+"', line[0])]
        heads = [
            float(x)
            for points in re.findall(r'<polygon[^>]*points="([^"]*)"', line[0])
            for x in re.findall(r"([-\d.]+),", points)
        ]
        middle = (min(starts) + max(ends)) / 2
        assert heads
        assert sum(heads) / len(heads) < middle


def test_slides_in_one_file_print_as_one_page_each(tmp_path: Path, open_blank: Any) -> None:
    """Chromium makes eight pages of eight steps, and the file asks for nothing else."""
    (file,) = lecture().export(tmp_path, format="html")
    assert file.name == "slides.html"
    text = file.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    assert text.count("<svg") == 8
    page = open_blank()
    page.goto(file.as_uri())
    printed = page.pdf(prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) == 8


@pytest.mark.bitmaps
def test_part_of_a_walk_as_png_on_dark_paper(tmp_path: Path) -> None:
    """Named by their place in the whole walk; a PNG's width is its bytes 16 to 20."""
    files = lecture()[4:6].export(tmp_path, format="png", dpi=96, dark=True)
    assert [file.name for file in files] == ["step-05.png", "step-06.png"]
    assert len({struct.unpack(">I", file.read_bytes()[16:20]) for file in files}) == 1


def test_what_cannot_be_exported_is_refused(tmp_path: Path) -> None:
    """Another format, and a graph that no slide can hold; of no steps nothing is written."""
    with pytest.raises(LayoutError, match="use 'svg', 'png' or 'html'"):
        lecture().export(tmp_path, format="gif")  # type: ignore[arg-type]
    x = Value(1.0)
    for _ in range(300):
        x = x + 1.0
    with pytest.raises(GraphTooLargeError, match="301 nodes"):
        walk(x).export(tmp_path)
    assert lecture()[:0].export(tmp_path / "none") == []
    assert not (tmp_path / "none").exists()


def test_names_in_pictures_stand_before_an_equals_sign_only_if_the_number_is_exact(
    tmp_path: Path,
) -> None:
    """1/3 has more digits than any float, and tanh(40) is not 1; a sixteenth has four digits."""
    third, one = Value(1.0, "x") / 3.0, tanh(Value(40.0, "y"))
    sixteenth = Value(1.0, "z") / 16.0
    third.label, one.label, sixteenth.label = "t", "h", "e"
    f = third * 0.0 + one
    for digits in (4, 17):
        for node, sign in ((third, "≈"), (one, "≈"), (sixteenth, "=")):
            picture = draw(node, digits=digits)
            assert f">{node.label} {sign} " in picture.svg().replace("&#160;", " ")
            assert f'"{node.label} {sign} ' in picture.mermaid
        *_, last = walk(f).export(tmp_path / str(digits), digits=digits)
        assert ">h ≈ " in last.read_text("utf-8").replace("&#160;", " ")
