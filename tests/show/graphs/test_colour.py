"""draw(…, color=…): tints by value or gradient, and the legend."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from scalargrad import Parameter, Value
from scalargrad.errors import LayoutError
from scalargrad.show.graphs import draw
from scalargrad.show.graphs.scale import Scale, scale_of

SVG = "{http://www.w3.org/2000/svg}"


def lecture() -> Value:
    """Return f = (x + y)z, nodes 0 to 4 with values -2, 5, 3, -4, -12, after backward."""
    x, y, z = Value(-2.0, "x"), Parameter(5.0, "y"), Value(-4.0, "z")
    f = (x + y) * z
    f.backward()
    return f


def fills(picture_svg: str) -> dict[str, str]:
    """Return the fill of every box and gate."""
    found: dict[str, str] = {}
    for group in ET.fromstring(picture_svg).iter(f"{SVG}g"):
        for shape in (f"{SVG}polygon", f"{SVG}ellipse"):
            element = group.find(shape)
            if group.get("class") == "node" and element is not None:
                found.setdefault(group.attrib["id"], element.attrib["fill"])
    return found


def luminance(colour: str) -> float:
    """Return the relative luminance of #rrggbb, by the formula of WCAG 2."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return sum(w * c for w, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_values_give_the_colours() -> None:
    """-12, the largest, is the end of the scale, -2 is a sixth of the way, 5 is blue."""
    scale = Scale("value", 12.0)
    found = fills(draw(lecture(), color="value").svg())
    expected = {f"n{i}": scale.colour(x) for i, x in enumerate((-2.0, 5.0, 3.0, -4.0, -12.0))}
    assert {id: found[id] for id in expected} == expected


def test_gradients_give_the_colours() -> None:
    """x, y and q receive -4, z receives 3, and f has the gradient 1."""
    scale = Scale("gradient", 4.0)
    found = fills(draw(lecture(), color="gradient").svg())
    expected = {f"n{i}": scale.colour(x) for i, x in enumerate((-4.0, -4.0, -4.0, 3.0, 1.0))}
    assert {id: found[id] for id in expected} == expected


def test_legend_has_both_ends_and_zero() -> None:
    """The words below the picture are the quantity, -12, 0 and 12, in that order."""
    root = ET.fromstring(draw(lecture(), color="value").svg())
    graph = root.find(f"{SVG}g")
    assert graph is not None
    words = [e.text.strip() for e in graph.findall(f"{SVG}text") if e.text and e.text.strip()]
    assert words == ["value", "−12", "0", "12"]


def test_no_colour_is_the_ordinary_picture() -> None:
    """By default there is neither legend nor tint."""
    f = lecture()
    assert draw(f).dot == draw(f, color=None).dot
    assert "label=<<TABLE" not in draw(f).dot.splitlines()[1]


def test_scale_is_symmetric_about_zero() -> None:
    """Reading from the middle outwards, orange and blue grow alike; grey is in the middle."""
    swatches = Scale("value", 3.0).swatches()
    assert len(swatches) == len(set(swatches)) == 9
    assert swatches[4] == "#e4e4e4"
    reds = [int(colour[1:3], 16) - int(colour[5:7], 16) for colour in swatches]
    assert reds == sorted(reds, reverse=True)


@pytest.mark.parametrize("x", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_ink_is_readable_on_every_colour(x: float) -> None:
    """The contrast of #222222 with any tint is at least 5.5, by WCAG's formula."""
    ratio = (luminance(Scale("value", 1.0).colour(x)) + 0.05) / (luminance("#222222") + 0.05)
    assert ratio >= 5.5


@pytest.mark.parametrize("color", ["value", "gradient"])
def test_light_text_is_readable_on_every_colour_of_dark_paper(color: Any) -> None:
    """5.5 : 1 at least, by the contrast of WCAG 2; the zero of the legend included."""
    picture = draw(lecture(), color=color, dark=True)
    assert ",color:#fff" in picture.mermaid
    assert ",color:#222" not in picture.mermaid.partition("style")[2]
    root = ET.fromstring(picture.svg())
    texts = {text.attrib["fill"].lower() for text in root.iter(f"{SVG}text")} - {"none"}
    assert "#e9edf2" in texts
    paint = [
        *fills(ET.tostring(root, encoding="unicode")).values(),
        *Scale(color, 12.0, True).swatches(),
    ]
    ink = luminance("#e9edf2")
    filled = [luminance(colour) for colour in paint if colour.startswith("#")]
    assert len(filled) >= 14
    assert min((ink + 0.05) / (paper + 0.05) for paper in filled) >= 5.5


def test_what_is_not_finite_has_a_colour() -> None:
    """Infinity takes the end of the scale of the finite ones, nan the colour of zero."""
    scale = scale_of("value", [2.0, math.inf, math.nan])
    assert scale == Scale("value", 2.0)
    assert scale.colour(-math.inf) == scale.colour(-2.0)
    assert scale.colour(math.nan) == scale.colour(0.0)


def test_a_graph_of_zeros_has_one_swatch() -> None:
    """Before backward every gradient is 0: grey, and the legend has no other number."""
    x = Value(2.0, "x")
    picture = draw(x * 3, color="gradient")
    assert set(fills(picture.svg()).values()) == {"#e4e4e4"}
    assert Scale("gradient", 0.0).swatches() == ["#e4e4e4"]
    assert Scale("gradient", 0.0).colour(math.inf) == "#5fa8ec"


@pytest.mark.parametrize("color", ["grad", "", 3])
def test_unknown_quantity_is_refused(color: Any) -> None:
    """The message lists what can be shown."""
    with pytest.raises(LayoutError, match="use 'value', 'gradient', or None"):
        draw(Value(1.0), color=color)


def test_constants_stay_grey_and_inputs_dashed() -> None:
    """A tint changes the fill alone; the highlight on top of it is still bold."""
    f = lecture()
    text = draw(f, color="value", highlight=f).dot
    assert text.count('"dashed,filled"') == 2
    root = next(line for line in text.splitlines() if line.startswith("\tn4 "))
    assert "penwidth=3" in root
    assert "#f09737" in root


def test_mermaid_has_the_tints() -> None:
    """Mermaid fills the gate of f with the colour of -12."""
    assert "style n4 fill:#f09737,color:#222\n" in draw(lecture(), color="value").mermaid
