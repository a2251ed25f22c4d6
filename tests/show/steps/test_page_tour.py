"""Every control of the page on each of the worked graphs, by mouse and by keyboard alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Value, square
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .graphs import labelled, lecture, neuron, regularised, routing


def network() -> Walk:
    """Walk through a small network and its loss, whose modules may be folds."""
    model = MLP(2, [3, 1], activation="tanh", rng=1)
    error = model([Value(1.0, "x1"), Value(-2.0, "x2")]) - 1.0
    return walk(labelled(square(error), "loss"), model=model)


#: Each graph, the most nodes to draw at once, an input to move, and where to.
GRAPHS: list[tuple[Callable[[], Walk], int, str, float]] = [
    (lecture, 300, "z", 0.5),
    (neuron, 300, "w0", -1.5),
    (regularised, 300, "w", 1.25),
    (routing, 300, "x", 12.0),
    (network, 300, "x1", 0.5),
    (network, 10, "x1", 0.5),
]
on_every_graph = pytest.mark.parametrize(("make", "limit", "name", "value"), GRAPHS)


def moved(steps: Walk, name: str, value: float) -> Walk:
    """Return the walk at another input, every node computed anew by Python."""
    scene = steps.scene
    made: dict[Value, Value] = {}
    for node in scene.order:
        if node.op is None:
            made[node] = Value(value if scene.names[node] == name else scene.data[node])
        else:
            made[node] = node.op.of(*(made[x] if isinstance(x, Value) else x for x in node.parents))
    return walk(made[steps.root])


@on_every_graph
def test_every_control_works(
    make: Callable[[], Walk], limit: int, name: str, value: float, open_page: Any
) -> None:
    """Nothing complains, and the numbers after an input moved are those of Python."""
    steps = make()
    page = open_page(steps, limit=limit)
    for view in ("gate", "layer", "wire"):
        switch = page.locator(f"[name=view][value={view}]")
        if switch.count():
            switch.check()
            for move in ("last", "previous", "next", "first"):
                page.locator(f"#{move}").click()
    for notation in ("bar", "delta", "partial"):
        switch = page.locator(f"[name=notation][value={notation}]")
        if switch.count():  # δ where there are sums that enter units
            switch.check()
    page.locator("#predict").click()
    page.evaluate(f"scalargrad.goTo({steps.scene.seed_at + 2})")
    page.get_by_role("button", name="Show").click()
    page.locator("#predict").click()
    for zoom in ("in", "out", "fit"):
        page.locator(f"#zoom-{zoom}").click()
    page.locator("#help").click()
    page.keyboard.press("Escape")
    page.locator("#more").click()
    for select, option in (("speed", "700"), ("theme", "dark"), ("theme", "")):
        page.locator(f"#{select}").select_option(option)
    page.locator("#lecture").check()
    if page.locator("#copies-label").is_visible():
        page.locator("#copies").click()
    page.locator("#check-input").select_option(label=name)
    page.locator("#check").click()
    assert "they agree" in page.locator("#check-result").text_content()
    page.locator("#rate").fill("0.001")
    page.locator("#descend").click()
    assert "1 step: " in page.locator("#descent-result").text_content()
    page.evaluate("window.print = () => {}")
    for button in ("print-steps", "worksheet", "link", "present", "leave", "play", "play"):
        page.locator(f"#{button}").click()
    page.locator("#reset").click()
    page.evaluate("change => scalargrad.setInputs(change)", {name: value})
    again = moved(steps, name, value)
    found = page.evaluate("scalargrad.numbers()")
    assert found["data"] == pytest.approx([*again.scene.data.values()], rel=1e-12)
    assert found["gradients"] == pytest.approx(
        [1.0 if x is again.root else sum(again.scene.terms[x]) for x in again.scene.order],
        rel=1e-12,
        abs=1e-15,
    )


@on_every_graph
def test_every_step_can_be_reached_and_explained_by_keyboard(
    make: Callable[[], Walk], limit: int, name: str, value: float, open_page: Any
) -> None:
    """Arrows move, N and P and ? answer, every node that can be seen can be opened."""
    steps = make()
    page = open_page(steps, limit=limit)
    for position in range(2, len(steps) + 1):
        page.keyboard.press("ArrowRight")
        told = page.locator("#announcement").text_content()
        assert told.startswith(f"Step {position} of {len(steps)}.")
        assert len(told) > 30
    for shape in page.locator("#graph .node:not(.exit)").all():
        label = shape.get_attribute("aria-label")
        assert label
        before = page.locator("#path").text_content()
        shape.focus()
        page.keyboard.press("Enter")
        if page.locator("#node-sum").is_visible():
            page.keyboard.press("Escape")
        else:
            assert page.locator("#path").text_content() != before
            page.keyboard.press("u")
            break
    page.locator("#panel").focus()
    for key in ("n", "p", "p", "Home", "Shift+ArrowRight", "Space", "Space", "?"):
        page.keyboard.press(key)
    assert page.locator("#help-text").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("make", "limit"), [(network, 300), (network, 10), (regularised, 300)])
def test_axe_finds_nothing_in_layers_folds_and_copies(
    make: Callable[[], Walk],
    limit: int,
    scheme: str,
    open_page: Any,
    axe: Callable[[Any], Any],
) -> None:
    """In each view and drawing, with dialogs and lists open, at two widths."""
    page = open_page(make(), limit=limit, color_scheme=scheme)
    page.evaluate("window.click = () => new MouseEvent('click', {bubbles: true})")
    for prepare in (
        "document.querySelector('[value=layer]')?.click()",
        "scalargrad.goTo(999)",
        "document.getElementById('more').click()",
        "document.getElementById('copies').click()",
        "document.querySelector('[value=gate]').click()",
        "document.querySelector('#graph .bundle, #graph .leaf').dispatchEvent(click())",
    ):
        page.evaluate(prepare)
        assert axe(page) == []
