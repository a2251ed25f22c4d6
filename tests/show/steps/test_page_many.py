"""Gates of many operands, and number boxes of many digits."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Parameter, Value, dot
from scalargrad import sum as add_up
from scalargrad.show.steps import Walk, walk

COUNT = 9


def weighted() -> Walk:
    """Walk through Σ wᵢ·xᵢ with nine weights i/7 and nine inputs i - 4."""
    w = [Parameter(i / 7, f"w{i}") for i in range(COUNT)]
    x = [Value(i - 4.0, f"x{i}") for i in range(COUNT)]
    total = dot(w, x)
    total.label = "s"
    root = total * 2.0
    root.label = "f"
    return walk(root)


def test_gate_view_lists_every_wire_of_a_gate(open_page: Any) -> None:
    """Eighteen lines, last operand first, each with its product, under one sentence."""
    steps = weighted()
    page = open_page(steps)
    page.get_by_role("radio", name="gate").check()
    page.locator("#panel").focus()
    page.keyboard.press("End")
    lines = page.locator("#panel .many li").all_text_contents()
    assert len(lines) == 2 * COUNT
    assert lines[0].replace(" ", "") == "∂f∂x8=∂f∂s·∂s∂x8≈2·1.143=2.286"
    told = page.locator("#panel .sentence").text_content()
    assert told == "From s back along 18 wires: upstream ∂f/∂s = 2 times each local."
    assert told in page.locator("#announcement").text_content()


def test_in_the_graph_they_are_one_product(open_page: Any) -> None:
    """One chip for all, and a marked line for each."""
    page = open_page(weighted())
    page.get_by_role("radio", name="gate").check()
    page.locator("#panel").focus()
    page.keyboard.press("End")
    assert page.locator(".chip text").all_text_contents() == ["2", "×", "18 locals"]
    assert page.locator("#underlay .back").count() == 2 * COUNT


def test_a_shortened_formula_has_its_operands_listed(open_page: Any) -> None:
    """Forward, a sum of nine products leaves most of them out; the list has all eighteen."""
    page = open_page(weighted())
    page.keyboard.press("ArrowRight")
    assert "…" in page.locator("#panel .formula").text_content()
    assert "All 18 operands:" in page.locator("#panel").text_content()
    assert page.locator("#panel .operands > *").all_text_contents()[:3] == [
        "w0=0",
        "w1≈0.1429",
        "w2≈0.2857",
    ]


def test_twenty_results_of_gates_enter_a_sum_as_one_bundle(open_page: Any) -> None:
    """Each has its own wire as far as the box, and one line goes on."""
    steps = walk(add_up([Parameter(float(i), f"w{i}") * 2.0 for i in range(20)]))
    page = open_page(steps)
    assert page.locator("[id$='-into']").count() == 20
    page.evaluate(f"scalargrad.goTo({steps.scene.seed_at + 2})")
    assert page.locator(".chip text").all_text_contents() == ["1", "×", "1", "=", "1"]
    place = steps.scene.place[steps[steps.scene.seed_at + 1].parent]  # type: ignore[index]
    assert page.locator(f"#n{place}-gradient").text_content() == "1"


def test_a_number_box_is_short_until_it_is_used(open_page: Any) -> None:
    """Four digits at rest, every digit in use, and four again; the value stays exact."""
    x = Value(1 / 3, "x")
    page = open_page(walk(x * 3.0))
    box = page.get_by_role("spinbutton", name="x", exact=True)
    assert box.input_value() == "0.3333"
    box.focus()
    assert box.input_value() == repr(1 / 3)
    fits = box.evaluate("box => box.scrollWidth <= box.clientWidth")
    assert fits
    page.locator("#panel").focus()
    assert box.input_value() == "0.3333"
    assert page.evaluate("scalargrad.numbers().data") == [1 / 3, 1.0]


@pytest.mark.parametrize("typed", ["0.12345678901", "-1e-7", "123456789"])
def test_what_is_typed_in_a_box_is_what_is_computed_with(typed: str, open_page: Any) -> None:
    """Digits beyond the four shown count."""
    page = open_page(walk(Value(1.0, "x") * 3.0))
    box = page.get_by_role("spinbutton", name="x", exact=True)
    box.fill(typed)
    page.locator("#panel").focus()
    assert page.evaluate("scalargrad.numbers().data[0]") == float(typed)
    box.focus()
    assert float(box.input_value()) == float(typed)
