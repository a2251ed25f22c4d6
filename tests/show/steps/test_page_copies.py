"""Copy gates: fan-out drawn as a gate that copies forward and adds backward."""

from __future__ import annotations

from typing import Any

from scalargrad import Value
from scalargrad.show.number_format import number
from scalargrad.show.steps import walk

from .graphs import regularised


def shown(x: float) -> str:
    """Write a number as the graph does, with a true minus sign."""
    return number(x).replace("-", "−")


def switch(page: Any) -> None:
    """Draw copy gates, or no longer."""
    if page.locator("#tools").is_hidden():
        page.locator("#more").click()
    page.locator("#copies").click()


def test_each_copy_has_the_value_and_its_own_term(open_page: Any) -> None:
    """Forward both copies carry w; backward each carries what its gate sends, and w their sum."""
    steps = regularised()
    scene = steps.scene
    page = open_page(steps)
    switch(page)
    page.locator("#panel").focus()
    page.keyboard.press("End")
    w = next(leaf for leaf in scene.inputs if leaf.label == "w")
    own = f"n{scene.place[w]}"
    assert page.locator(f"#{own}-fan").text_content() == "copy"
    terms = [step for step in steps if step.parent is w]
    assert len(terms) == 2
    for step in terms:
        assert step.node is not None
        copy = f"n{scene.place[step.node]}-w{step.operand}"
        assert page.locator(f"#{copy}-value").text_content() == shown(w.data)
        assert page.locator(f"#{copy}-gradient").text_content() == shown(step.contribution or 0.0)
    assert page.locator(f"#{own}-gradient").text_content() == shown(sum(scene.terms[w]))


def test_the_sum_is_complete_when_both_copies_have_answered(open_page: Any) -> None:
    """After the first term: Σ 1/2, and the other copy still blank."""
    steps = regularised()
    page = open_page(steps)
    switch(page)
    w = next(leaf for leaf in steps.scene.inputs if leaf.label == "w")
    first, second = (step for step in steps if step.parent is w)
    page.evaluate(f"scalargrad.goTo({first.index + 1})")
    assert page.locator(f"#n{steps.scene.place[w]}-gradient").text_content() == "Σ 1/2"
    assert second.node is not None
    later = f"#n{steps.scene.place[second.node]}-w{second.operand}-gradient"
    assert page.locator(later).text_content() == ""


def test_the_arrow_ends_at_the_copy_gate(open_page: Any) -> None:
    """The way back runs along the copy's wire, not on to w, which waits for the sum."""
    steps = regularised()
    page = open_page(steps)
    switch(page)
    w = next(leaf for leaf in steps.scene.inputs if leaf.label == "w")
    step = next(step for step in steps if step.parent is w)
    page.evaluate(f"scalargrad.goTo({step.index + 1})")
    way, gate, leaf = (
        page.locator(selector).evaluate(
            "shape => { const b = shape.getBBox(); return [b.x, b.width] }"
        )
        for selector in (
            "#underlay .back",
            f"#n{steps.scene.place[w]}-fan",
            f"#n{steps.scene.place[w]}",
        )
    )
    assert gate[0] <= way[0] <= gate[0] + gate[1] + 4
    assert way[0] > leaf[0] + leaf[1]


def test_a_copy_gate_opens_the_sum_it_stands_for(open_page: Any) -> None:
    """Enter on it shows both terms of w's gradient."""
    steps = regularised()
    page = open_page(steps)
    switch(page)
    page.evaluate(f"scalargrad.goTo({len(steps)})")
    page.locator(".copies").focus()
    page.keyboard.press("Enter")
    assert page.locator("#node-sum h2").text_content() == "w"
    assert page.locator("#node-sum li").count() == 2


def test_both_drawings_stay_as_they_are(open_page: Any) -> None:
    """Back and forth, each shape is where it was, and the numbers go along."""
    page = open_page(regularised())
    places = "[...document.querySelectorAll('#graph .node rect')].map(r => r.getBBox().x)"
    page.keyboard.press("End")
    junctions = page.evaluate(places)
    switch(page)
    page.evaluate("scalargrad.setInputs({x: 3})")
    copies = page.evaluate(places)
    switch(page)
    assert page.evaluate(places) == junctions
    assert page.locator(".tap:not(.empty)").count() == 2
    switch(page)
    assert page.evaluate(places) == copies != junctions


def test_without_fan_out_there_is_nothing_to_copy(open_page: Any) -> None:
    """The switch is not offered."""
    page = open_page(walk(Value(2.0, "x") * Value(3.0, "y")))
    page.locator("#more").click()
    assert page.locator("#copies-label").is_hidden()
