"""What `draw` shows of numbers: which, how many digits, on which paper, and what is not finite."""

from __future__ import annotations

import math
import re
import struct
from pathlib import Path

import pytest

from scalargrad import Value, draw, exp, sqrt
from scalargrad.errors import LayoutError


def square_of_a_third() -> Value:
    """Return x² at 1/3."""
    return Value(1 / 3, "x") ** 2.0


def test_before_backward_there_are_no_gradients() -> None:
    """A gradient that nobody computed is absent, not 0."""
    y = square_of_a_third()
    before = draw(y)
    assert "grad" not in before.mermaid
    assert "gradient of" not in before.dot
    y.backward()
    assert draw(y).mermaid.count("grad ") == 2
    assert "gradient of x: 0.6666666666666666" in draw(y).dot


def test_gradients_of_an_earlier_graph_are_absent() -> None:
    """A parameter keeps the gradient of the loss before; the new loss has had no backward."""
    w = Value(3.0, "w")
    (w * w).backward()
    after = w * 2.0
    assert "grad" not in draw(after).mermaid
    assert draw(after, color="gradient").dot.count("#e4e4e4") > 2
    assert "#5fa8ec" not in draw(after, color="gradient").dot
    after.backward()
    assert draw(after).mermaid.count("grad 8") == 1


def test_gradients_can_be_left_out() -> None:
    """For a picture of the forward pass alone."""
    y = square_of_a_third()
    y.backward()
    assert "grad" not in draw(y, gradients=False).mermaid


@pytest.mark.parametrize(("digits", "shown"), [(2, "0.33"), (4, "0.3333"), (6, "0.333333")])
def test_numbers_have_as_many_digits_as_are_asked_for(digits: int, shown: str) -> None:
    """1/3 rounded."""
    assert f'["{shown}"]' in draw(square_of_a_third(), digits=digits).mermaid


@pytest.mark.bitmaps
def test_a_png_is_as_fine_as_is_asked_for(tmp_path: Path) -> None:
    """At half the dots per inch it has half the width, which a PNG says in its bytes 16 to 20."""
    y = square_of_a_third()
    widths = []
    for dpi in (192, 96):
        written = draw(y, dpi=dpi).save(tmp_path / "y.png").read_bytes()
        widths.append(struct.unpack(">I", written[16:20])[0])
    assert widths[0] == pytest.approx(2 * widths[1], abs=3)


@pytest.mark.parametrize(("option", "value"), [("digits", 0), ("digits", 18), ("dpi", 2)])
def test_what_cannot_be_is_refused(option: str, value: int) -> None:
    """With the range in the message."""
    with pytest.raises(LayoutError, match=f"{option} is {value}: give"):
        draw(square_of_a_third(), **{option: value})  # type: ignore[arg-type]


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb, as WCAG 2 defines it."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_on_dark_paper_every_text_is_light() -> None:
    """Each ink has a contrast of at least 5.5 on the paper."""
    y = square_of_a_third() * 2.0 + 1.0
    y.backward()
    dark = draw(y, dark=True).dot
    (paper,) = re.findall(r'bgcolor="(#\w+)"', dark)
    inks = set(re.findall(r'(?:fontcolor|FONT COLOR)="(#\w+)"', dark))
    assert len(inks) >= 3
    for ink in inks:
        ratio = (luminance(ink) + 0.05) / (luminance(paper) + 0.05)
        assert ratio >= 5.5


def test_the_first_value_that_is_not_finite_is_marked() -> None:
    """By an octagon in red, and by its name below the picture: exp(800) overflows."""
    picture = draw(exp(Value(800.0, "x")) * 2.0)
    assert "First value that is not finite: exp(x=800) = inf" in picture.dot
    assert re.findall(r"n(\d) \[.*doubleoctagon", picture.dot) == ["1"]
    assert "style n1 color:#a3161f" in picture.mermaid
    assert "n1" in picture.svg()


def test_the_first_gradient_that_is_not_finite_is_marked() -> None:
    """The slope of √x at 0 is infinite."""
    x = Value(0.0, "x")
    y = sqrt(x)
    y.backward()
    assert math.isinf(x.grad)
    assert "First gradient that is not finite: inf at x = 0" in draw(y).dot
    assert "not finite" not in draw(y, gradients=False).dot
