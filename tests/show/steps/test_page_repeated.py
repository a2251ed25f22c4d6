"""What is read all along a chain: its name stands again beside each later gate that reads it."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import Parameter, Value, tanh
from scalargrad import sum as add_up
from scalargrad.nn import Linear, Module
from scalargrad.show.number_format import number
from scalargrad.show.steps import Walk, walk


def recurrence(links: int) -> Walk:
    """Walk through h ← tanh(w·h), so many times over."""
    state, w = Value(0.4, "h0"), Parameter(0.9, "w")
    for _ in range(links):
        state = tanh(w * state)
    state.label = "h"
    return walk(state)


def side_by_side() -> Walk:
    """Walk through the sum of 12 tanh(wᵢ·x), all of which read x at one depth."""
    x = Value(0.5, "x")
    units = [tanh(Parameter(0.1 * i, f"w{i}") * x) for i in range(12)]
    total: Value = add_up(units)
    total.label = "f"
    return walk(total)


def shown(x: float | None) -> str:
    """Write a number as the graph does, with a true minus sign."""
    assert x is not None
    return number(x).replace("-", "−")


def again(page: Any) -> int:
    """Count the boxes that name something once more."""
    found: int = page.locator("#graph .again").count()
    return found


@pytest.mark.parametrize("limit", [100, 20])
def test_every_place_has_its_own_contribution(limit: int, open_page: Any) -> None:
    """Below each repeated w stands that wire's contribution, and that of the first in a pill."""
    steps = recurrence(24)
    page = open_page(steps, limit=limit)
    wires = [s for s in steps if s.parent is not None and steps.scene.names[s.parent] == "w"]
    met = 0
    for step in wires:
        page.evaluate("index => window.scalargrad.goTo(index)", step.index + 1)
        assert step.node is not None
        wire = f"n{steps.scene.place[step.node]}-w{step.operand}"
        text = page.locator(f"#{wire}-gradient, #{wire}-tap text")
        if text.count():
            met += 1
            assert text.text_content() == shown(step.contribution)
    assert met == 24 if limit == 100 else met > 12


def test_the_total_stands_where_the_name_is_first(open_page: Any) -> None:
    """One box is w itself: its wire has the value, the sum and a dot that says it branches."""
    steps = recurrence(24)
    page = open_page(steps)
    page.keyboard.press("End")
    w = next(i for i, node in enumerate(steps.scene.order) if steps.scene.names[node] == "w")
    total = sum(steps.scene.terms[steps.scene.order[w]])
    assert page.locator(f"#n{w}-gradient").text_content() == shown(total)
    assert page.locator(f"#n{w}-fan").count() == 1
    assert again(page) == 23


def test_the_first_name_stands_beside_the_first_gate(open_page: Any) -> None:
    """Alone, with a wire that leads nowhere, it stood below the last row, where the page opened."""
    page = open_page(recurrence(24))
    first, gate = (page.locator(f"#graph {id}").bounding_box() for id in ("#n1", "#n2"))
    assert page.locator("#graph .gate").first.get_attribute("id") == "n2"
    assert first["x"] < gate["x"] < first["x"] + 300
    assert abs(first["y"] - gate["y"]) < 100
    frame = page.locator("#viewport").bounding_box()
    assert frame["y"] <= first["y"] < gate["y"] + gate["height"] <= frame["y"] + frame["height"]


def test_the_saved_value_is_ringed_beside_the_gate(open_page: Any) -> None:
    """∂(w·h)/∂h = w: the ring is around the w that this gate reads, not around the first one."""
    steps = recurrence(24)
    page = open_page(steps)
    step = next(s for s in steps if s.parent is not None and s.operand == 1)
    page.evaluate("index => window.scalargrad.goTo(index)", step.index + 1)
    assert step.node is not None
    own = page.locator(f"#n{steps.scene.place[step.node]}-w0-value").bounding_box()
    ring = page.locator("#overlay .ring").bounding_box()
    assert ring["x"] < own["x"] + own["width"] / 2 < ring["x"] + ring["width"]
    assert ring["y"] < own["y"] + own["height"] / 2 < ring["y"] + ring["height"]


def test_copies_that_lie_far_apart_are_named_too(open_page: Any) -> None:
    """With copy gates, the copies of w along a chain come from its name beside each gate."""
    steps = recurrence(24)
    page = open_page(steps)
    page.locator("#more").click()
    page.locator("#copies").check()
    page.keyboard.press("End")
    assert again(page) == 23
    assert page.locator("#graph .copies").count() == 1
    step = next(s for s in steps if s.parent is not None and steps.scene.names[s.parent] == "w")
    assert step.node is not None
    text = page.locator(f"#n{steps.scene.place[step.node]}-w0-gradient")
    assert text.text_content() == shown(step.contribution)


class Cell(Module):
    """One step of a recurrent network, h ← tanh(V h)."""

    def __init__(self) -> None:
        self.v = Linear(3, 3, bias=False, rng=1)

    def forward(self, h: list[Value]) -> list[Value]:
        """Compute it."""
        return [tanh(x) for x in self.v(h)]


class Recurrent(Module):
    """Twelve steps of a cell."""

    def __init__(self) -> None:
        self.cell = Cell()

    def forward(self, h: list[Value]) -> list[Value]:
        """Compute it."""
        for _ in range(12):
            h = self.cell(h)
        return h


def test_the_weights_of_a_cell_are_named_beside_each_of_its_steps(open_page: Any) -> None:
    """Eleven boxes for the bundle of nine weights, which stands beside the first step itself."""
    model = Recurrent()
    total = add_up(model([Value(0.1 * i, f"x{i}") for i in range(3)]))
    page = open_page(walk(total, model=model), limit=20)
    page.locator("#follow").click()
    page.evaluate(
        """scalargrad.open(JSON.parse(document.getElementById("walk").textContent)
        .drawings.findIndex(drawing => drawing.title === "Recurrent"))"""
    )
    names = page.locator("#graph .again").all_text_contents()
    assert len(names) == 11
    assert len(set(names)) == 1
    counted = page.locator("#graph [id$='-b0-gradient']")
    assert set(counted.all_text_contents()) == {""}
    page.keyboard.press("End")
    assert counted.all_text_contents() == ["9 terms"] * 11


@pytest.mark.parametrize("make", [lambda: recurrence(8), side_by_side])
def test_a_dot_serves_readers_that_are_few_or_side_by_side(make: Any, open_page: Any) -> None:
    """A short recurrence and a layer's input branch at a dot."""
    page = open_page(make())
    assert again(page) == 0
    assert page.locator("#graph .fan").count() >= 1
