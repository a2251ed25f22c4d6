"""Moves through a step page: every step in each view, Play, notations, links, announcements."""

from __future__ import annotations

import re
from typing import Any

import pytest

from scalargrad import Parameter, Value, dot, exp, square, tanh
from scalargrad import sum as add_up
from scalargrad.show.steps import Step, Walk, walk

from .conftest import Read
from .graphs import (
    labelled,
    lecture,
    network,
    neuron,
    recurrence,
    regularised,
    routing,
    shown,
    so_far,
)

HOSTILE = "</script><img src=x onerror=\"document.title='pwned'\"><!--{{walk}}"


@pytest.mark.parametrize(
    "make", [neuron, regularised, routing, lambda: network(folded=False), lambda: recurrence(3)]
)
def test_page_shows_only_the_numbers_known_at_each_step(make: Any, read: Read) -> None:
    """Values appear with their gates, gradients with their last terms."""
    steps = make()
    names = {step.node: step.place for step in steps if step.phase == "forward"}
    page = read(steps)
    known: dict[str, str] = {}
    last: dict[str, Step] = {}
    for position, step in enumerate(steps, 1):
        assert page.at == f"{position}/{len(steps)}"
        if step.phase == "forward" and step.node is not None:
            known[step.place] = shown(step.node.data)
        if step.parent is not None:
            last[step.place.split(" → ")[1]] = step
            upstream, _, local, _, contribution = page.chip.removesuffix(" stops here").split()
            assert (upstream, contribution) == (shown(step.upstream), shown(step.contribution))
            assert local.strip("()") == shown(step.local)
            assert ("stops" in page.chip) == (step.local == 0)
        for name, (value, gradient) in page.nodes.items():
            if name in names.values():
                assert value[2:] == known.get(name, ""), name
            seeded = name == names[steps.graph.root] and position > steps.graph.seed_at
            received = so_far(last[name]) if name in last else ""
            assert gradient == ("1" if seeded else received)
        page.press("ArrowRight")


def test_page_gate_view_shows_the_wires_of_a_gate_together(read: Read) -> None:
    """(x + y)z has six stops; for a gate with eighteen operands every wire is a line."""
    page = read(lecture())
    page.view("gate")
    page.press("End")
    assert page.at == "6/6"
    assert page.panel.get_by_text("From q back to").count() == 2
    w = [Parameter(i / 7, f"w{i}") for i in range(9)]
    total = labelled(dot(w, [Value(i - 4.0, f"x{i}") for i in range(9)]), "s")
    page = read(walk(labelled(total * 2.0, "f")))
    page.press("ArrowRight")
    assert "All 18 operands" in page.says
    assert "w1≈0.1429" in page.says
    page.view("gate")
    page.press("End")
    assert page.panel.get_by_role("listitem").count() == 18
    assert page.chip == "2 × 18 locals"
    assert "From s back along 18 wires" in page.told


def test_page_plays_and_pauses_by_space_only(read: Read) -> None:
    """Play does not announce steps, and stops at the end."""
    page = read(lecture())
    clock = page.page.clock
    clock.install(time=0)
    clock.pause_at(60)
    page.page.reload()
    clock.run_for(10_000)
    assert page.at == "1/8"
    page.press("Space")
    clock.run_for(3_300)
    assert page.at == "3/8"
    assert page.told == ""
    page.press("Space")
    clock.run_for(10_000)
    assert page.at == "3/8"
    page.button("Play").click()
    clock.run_for(30_000)
    assert page.at == "8/8"
    assert page.button("Play").count() == 1


def test_page_key_n_changes_the_notation(read: Read) -> None:
    """∂f/∂q, q̄ and, as q enters a unit, δ_q; other graphs have two notations."""
    q = labelled(Value(2.0, "x") + Value(3.0, "y"), "q")
    page = read(walk(labelled(square(tanh(q)), "f")))
    page.go(8)
    said = []
    for _ in range(4):
        said.append(re.search("upstream (.*) times", page.says)[1])  # type: ignore[index]
        page.press("n")
    assert said == ["∂f/∂q", "q̄", "δq", "∂f/∂q"]
    assert read(lecture()).page.get_by_role("radio", name="delta").count() == 0


def test_page_link_restores_step_view_notation_and_inputs(read: Read) -> None:
    """The fragment restores the state that it was created from."""
    page = read(lecture())
    page.set(x=1.5)
    page.go(6)
    page.press("n")
    page.tool("Link to this step")
    link = page.page.get_by_role("textbox", name="Link to this step").input_value()
    again = read(lecture(), "#" + link.partition("#")[2])
    assert again.at == "6/8"
    assert again.box("x").input_value() == "1.5"
    assert again.page.get_by_role("radio", name="x bar").is_checked()
    assert again.nodes == page.nodes
    assert again.nodes["f"][0] == "= −26"


@pytest.mark.parametrize("fragment", ["#step=-3&view=no&n0=abc&n99=1", "#%E0%A4%A", "#step=999"])
def test_page_ignores_invalid_parts_of_a_link(fragment: str, read: Read) -> None:
    """The page opens at its first or last step."""
    page = read(lecture(), fragment)
    assert page.at in {"1/8", "8/8"}
    assert page.box("x").input_value() == "-2"


@pytest.mark.parametrize("limit", [300, 5])
def test_page_escapes_labels_everywhere(limit: int, read: Read) -> None:
    """Markup in a label runs nothing and loads nothing."""
    w = [Parameter(0.5, HOSTILE), Parameter(1.0, "w1")]
    tops = [labelled(tanh(labelled(w[0] * 2.0 + w[1] * k, HOSTILE)), HOSTILE) for k in (3.0, 4.0)]
    steps = walk(labelled(add_up(tops), HOSTILE))
    page = read(steps, limit=limit)
    for view in ("wire", "layer"):
        page.view(view)
        for _ in steps:
            page.press("ArrowRight")
        page.press("Home", "n")
    page.page.evaluate("for (let i = 0; i < scalargrad.drawings; i += 1) scalargrad.open(i)")
    assert page.page.locator("img").count() == 0
    assert page.page.title().startswith("Backpropagation through </script>")


def overflow() -> Walk:
    """Walk through 2·exp(x) at 800."""
    return walk(labelled(labelled(exp(Value(800.0, "x")), "v") * 2.0, "f"))


def test_page_marks_and_explains_the_first_number_that_is_not_finite(read: Read) -> None:
    """By a sign at its gate and a sentence, from its step on; valid inputs remove both."""
    page = read(overflow())
    sign = page.graph.get_by_text("!", exact=True)
    assert sign.count() == 0
    for _ in range(4):
        page.press("ArrowRight")
        assert sign.count() == 1
        assert "irst value that is not finite: v = exp(x)" in page.says
    assert page.nodes["v"][0] == "≈ inf"
    page.set(x=1.0)
    assert sign.count() == 0
    page.set(x=800.0)
    assert sign.count() == 1
