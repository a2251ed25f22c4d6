"""Names and numbers on the page: true indices everywhere, and nothing too long for its place."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Parameter, Value, square
from scalargrad.show.steps import Walk, walk

from .graphs import labelled

LONG = "the_learning_rate_of_the_very_first_layer"

LOWERED = """() => {
  const found = [...document.querySelectorAll('#graph tspan.below')].map((index) => {
    const letter = index.previousElementSibling;
    return [letter.textContent + index.textContent,
      index.getStartPositionOfChar(0).y - letter.getStartPositionOfChar(0).y];
  });
  return Object.fromEntries(found);
}"""


def tiny() -> Walk:
    """Walk through products of 1.2345e-300 with a number whose name has 40 letters."""
    a, b, c = Value(1.2345e-300, "a"), Parameter(-3.0, LONG), Value(2.0, "L_reg")
    total = labelled(a * b * c + c, "L_total")
    return walk(labelled(total * total, "y_1,0"))


def test_an_index_stands_lower_in_boxes_and_on_wires(open_page: Any) -> None:
    """L_reg and v1 as L and v with an index, and the number behind on the line again."""
    page = open_page(tiny())
    page.evaluate("scalargrad.goTo(6)")
    lowered = page.evaluate(LOWERED)
    assert set(lowered) >= {"Lreg", "Ltotal", "v1", "y1,0"}
    assert all(drop > 2 for drop in lowered.values())
    assert "y_1,0" not in page.locator("#panel").text_content()
    assert "y1,0" in page.locator("#panel .formula").text_content()


def test_the_number_behind_a_lowered_index_stands_on_its_line(open_page: Any) -> None:
    """Where a name stands beside its number, both have one base line."""
    page = open_page(walk((Value(-2.0, "x") + Value(5.0, "y")) * Value(-4.0, "z")))
    page.evaluate("scalargrad.goTo(4)")
    ends = page.evaluate(
        """() => [...document.querySelectorAll('#graph .wire text')]
          .filter((text) => text.querySelector('.name:not(.above) .below'))
          .map((text) => text.getEndPositionOfChar(text.getNumberOfChars() - 1).y
            - text.y.baseVal[0].value)"""
    )
    assert ends
    assert all(abs(y) < 0.5 for y in ends)


@pytest.mark.parametrize("place", [".sentence", ".phase", ".note.sum", "h1", ".field .gradient"])
def test_the_page_s_own_text_has_indices(open_page: Any, place: str) -> None:
    """Sentences, headings, remarks and inputs write y₁,₀ as formulas do."""
    page = open_page(tiny())
    page.evaluate("scalargrad.goTo(7)")
    first = page.locator(f"{place} sub").first
    assert first.evaluate("(sub) => sub.parentElement.textContent") == "y1,0"


def test_formulas_lower_an_index_without_a_font_made_for_them(open_page: Any) -> None:
    """By a tenth of the letter's size at least, whatever fonts there are."""
    page = open_page(tiny())
    page.evaluate("scalargrad.goTo(3)")
    drops = page.evaluate(
        """() => [...document.querySelectorAll('#panel msub')]
          .map(({ children: [letter, index] }) => {
            const [upper, lower] = [letter, index].map((one) => one.getBoundingClientRect().bottom);
            return (lower - upper) / parseFloat(getComputedStyle(letter).fontSize);
          })"""
    )
    assert drops
    assert min(drops) > 0.1


def test_a_long_name_has_an_alias_that_the_page_explains(open_page: Any) -> None:
    """The same in box, formula, sentence and input; its list of short names has the whole."""
    page = open_page(tiny())
    assert page.locator(".aliases").inner_text().split("\n")[-2:] == ["tlrotv", LONG]
    assert page.locator("#graph .parameter text").text_content() == "tlrotv"
    assert page.locator(".chip-name.parameter").text_content() == "tlrotv"
    page.evaluate("scalargrad.goTo(2)")
    assert "from a and tlrotv" in page.locator("#panel .sentence").text_content()
    assert LONG in page.locator(".field input[type=range]").nth(2).get_attribute("aria-label")


def test_no_number_is_longer_than_its_wire_or_its_box(open_page: Any) -> None:
    """−1.235e−300 fits on wires, in taps and in the boxes of inputs, at every step."""
    steps = tiny()
    page = open_page(steps)
    for position in range(1, len(steps) + 1):
        page.evaluate(f"scalargrad.goTo({position})")
        assert not page.evaluate(
            """() => [...document.querySelectorAll('#graph .wire')].flatMap((wire) => {
              const room = wire.querySelector('path').getTotalLength();
              return [...wire.querySelectorAll('text')]
                .filter((text) => text.getBBox().width > room + 1).map((text) => text.textContent);
            })"""
        )
    assert not page.evaluate(
        """() => [...document.querySelectorAll('.field input:not([type=range])')]
          .filter((box) => box.scrollWidth > box.clientWidth).map((box) => box.value)"""
    )


@pytest.mark.parametrize("width", [1366, 1200, 390])
def test_no_name_of_an_input_is_broken(width: int, open_page: Any) -> None:
    """Each stands in one line, beside its slider, however narrow the window is."""
    names = ["minuscule", "huge", "principal_in_euros", "w0"]
    total = sum((Parameter(1.0, name) * 2.0 for name in names), Value(0.0, "start"))
    page = open_page(walk(total), viewport={"width": width, "height": 720})
    if width < 700:
        page.locator("#drawer").click()
    places = page.evaluate(
        """() => [...document.querySelectorAll('.field')].map((field) => {
          const [name, slider] = field.children;
          const [own, beside] = [name, slider].map((part) => part.getBoundingClientRect());
          return [name.textContent, own.height, beside.width, beside.left - own.right];
        })"""
    )
    assert {name for name, *_ in places} == {*names, "start"}
    for _, height, slider, gap in places:
        assert height < 30
        assert slider >= 30
        assert gap > 0


def test_a_list_of_short_names_has_each_beside_what_it_stands_for(open_page: Any) -> None:
    """Nothing of it is covered or cut off."""
    names = [f"the_{word}_of_a_rather_long_name" for word in ("first", "second", "third")]
    total = sum((Parameter(1.0, name) for name in names), Value(0.0, "start"))
    page = open_page(walk(total), viewport={"width": 1000, "height": 720})
    boxes = page.evaluate(
        """() => [...document.querySelectorAll('.aliases dl > div')].map((entry) => {
          const { left, right, top, bottom } = entry.getBoundingClientRect();
          return [left, right, top, bottom, entry.scrollWidth - entry.clientWidth];
        })"""
    )
    assert len(boxes) == 3
    assert all(cut <= 0 for *_, cut in boxes)
    for i, (left, right, top, bottom, _) in enumerate(boxes):
        for other_left, other_right, other_top, other_bottom, _ in boxes[i + 1 :]:
            apart = right <= other_left or other_right <= left
            assert apart or bottom <= other_top or other_bottom <= top


def test_words_within_a_formula_and_squares_have_indices_too(open_page: Any) -> None:
    """In `by v2:` and in v1²."""
    x = Parameter(2.0, "x")
    page = open_page(walk(square(x * 3.0) + x * 5.0))
    assert "v1" in page.locator(".expression sub").first.evaluate("(s) => s.parentNode.textContent")
    squared = page.evaluate(
        """() => [...document.querySelectorAll('.expression sub')]
          .map((index) => index.parentNode.nextSibling?.textContent[0])"""
    )
    assert "²" in squared
    page.evaluate("scalargrad.goTo(9)")
    words = page.locator("#panel mpadded.words").first
    assert words.text_content().split() == ["by", "v3:"]
    assert words.bounding_box()["height"] < 40  # in one line


def test_a_number_that_grows_under_a_slider_still_fits(open_page: Any) -> None:
    """The layout stays, and the number is set smaller."""
    x = Parameter(2.0, "x")
    page = open_page(walk(labelled(labelled(x * 3.0, "y") * x, "f")))
    page.evaluate("scalargrad.goTo(9)")
    page.evaluate("scalargrad.setInputs({ x: -1.2345e-150 })")
    widths = page.evaluate(
        """() => [...document.querySelectorAll('#graph .wire')].map((wire) =>
          [wire.querySelector('path').getTotalLength(),
            ...[...wire.querySelectorAll('text')].map((text) => text.getBBox().width)])"""
    )
    assert all(max(texts) <= room + 1 for room, *texts in widths)
