"""Remarks of a step hold: what a nudge does, sums, names.

How they read is in tests/wording/steps.txt.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scalargrad as sg
from scalargrad import Value
from scalargrad.show.steps import Step, Walk, walk

from .graphs import labelled

Function = Callable[[Value], Value]


def last(root: Value) -> Step:
    """Return the last step of a walk: the wire to the first operand of the first gate."""
    return walk(labelled(root, "f"))[-1]


def noted(steps: Walk, word: str) -> dict[str, str]:
    """Return the remarks with that word in them, by the places of their steps."""
    found = {step.place: [note for note in step.notes() if word in note] for step in steps}
    return {place: notes[0] for place, notes in found.items() if notes}


# Nudges -----------------------------------------------------------------------------------------


def test_a_nudge_is_a_hundredth_of_the_size_of_its_input() -> None:
    """What is foretold is the gradient times that."""
    cases: list[tuple[Function, float, str, str]] = [
        (lambda x: x * 2.0, 3.0, "+0.01", "+0.02"),
        (lambda x: x * x, 0.0, "+0.01", "0"),
        (lambda x: x * 2.0, 1.67e-27, "+1e−29", "+2e−29"),
        (lambda x: x * 0.5, 1.7e308, "+1e306", "+5e305"),
    ]
    for make, x, nudge, change in cases:
        said = f"nudge x by {nudge}: the gradient predicts that f changes by {change}"
        assert last(make(Value(x, "x"))).notes()[-1] == said


@pytest.mark.parametrize(
    "root", [Value(0.0, "x") ** 0.5, sg.exp(Value(800.0, "x")) + Value(1.0, "b")]
)
def test_nothing_is_foretold_where_nothing_can_be(root: Value) -> None:
    """An infinite slope; an infinite output."""
    assert noted(walk(root), "nudge") == {}


@pytest.mark.parametrize(
    ("make", "x", "kink"),
    [
        (abs, 0.0, "|x| has a kink or jump at x = 0: it has no derivative there, 0 is taken"),
        (sg.relu, 0.0, "ReLU has a kink or jump at x = 0: it has no derivative there, 0 is taken"),
        (lambda x: sg.maximum(x, 2.0), 2.0, "at x = 2: it has no derivative there, 0.5 is taken"),
        (lambda x: sg.clip(x, -1.0, 1.0), -1.0, "at x = −1: it has no derivative there, 1 is"),
        (sg.floor, 3.0, "at x = 3: it has no derivative there, and 0 is used by convention"),
        (lambda x: sg.leaky_relu(x, 0.5), 0.0, "no derivative there, and 0.5 is used by convention"),
        (lambda x: sg.where(sg.gt(x, 0.0), x, -x), 0.0, ">0 has a kink or jump at x = 0"),
    ],
)
def test_a_kink_is_called_one_and_nothing_is_foretold(make: Function, x: float, kink: str) -> None:
    """By the limits of its difference quotients each has two slopes there, or none; beside, one."""
    said = last(make(Value(x, "x"))).notes()
    assert any(kink in note for note in said)
    assert not any("predicts" in note for note in said)
    beside = last(make(Value(x + 0.25, "x"))).notes()
    assert not any("kink" in note for note in beside)
    assert "predicts" in beside[-1]


def test_a_kink_further_on_lets_nothing_be_foretold_of_its_inputs_alone() -> None:
    """|x − y| at x = y: neither of x nor of y; of z, which is added, there is a prediction."""
    x, y, z = (Value(1.0, name) for name in "xyz")
    steps = [step for step in walk(abs(x - y) * 2.0 + z) if step.phase == "backward"]
    said = {step.place.split(" → ")[-1]: step.notes()[-1] for step in steps}
    assert said["x"] == "no prediction for a nudge of x: |x| has a kink or jump here"
    assert said["y"] == "no prediction for a nudge of y: |x| has a kink or jump here"
    assert "predicts" in said["z"]


@pytest.mark.parametrize("make", [sg.elu, lambda x: sg.leaky_relu(x, 1.0), sg.softplus])
def test_no_kink_is_found_where_both_sides_have_one_slope(make: Function) -> None:
    """At 0, with a scale of 1: 1, 1 and one half."""
    said = last(make(Value(0.0, "x"))).notes()
    assert not any("kink" in note for note in said)


# Patterns and sums ------------------------------------------------------------------------------


# Names ------------------------------------------------------------------------------------------

names = st.lists(st.text("ab_.[]0, ", min_size=1, max_size=30), min_size=2, max_size=12)


@settings(max_examples=40)
@given(names)
def test_names_that_differ_stay_apart_in_a_picture(labels: list[str]) -> None:
    """Each box has its label as it was given."""
    given_names = list(dict.fromkeys(label.strip() for label in labels if label.strip()))
    drawn = sg.draw(sg.sum([Value(1.0, label) for label in given_names] + [1.0])).mermaid
    decoded = html.unescape(re.sub(r"#(\d+);", r"&#\1;", drawn))
    boxes = re.findall(r'^ +n\d+\["(.*?)"\]:::input$', decoded, re.M)
    assert boxes == given_names
