"""Remarks of a step: nudges and kinks. Their full texts are in tests/wording/steps.txt."""

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
    """Return the remarks with a word, by the places of their steps."""
    found = {step.place: [note for note in step.notes() if word in note] for step in steps}
    return {place: notes[0] for place, notes in found.items() if notes}


# Nudges -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "x", "nudge", "change"),
    [
        (lambda x: x * 2.0, 3.0, "+0.01", "+0.02"),
        (lambda x: x * x, 0.0, "+0.01", "0"),
        (lambda x: x * 2.0, 1.67e-27, "+1e−29", "+2e−29"),
        (lambda x: x * 0.5, 1.7e308, "+1e306", "+5e305"),
    ],
)
def test_notes_nudge_is_a_hundredth_of_the_size_of_the_input(
    make: Function, x: float, nudge: str, change: str
) -> None:
    """The predicted change is the gradient times the nudge."""
    note = f"nudge x by {nudge}: the gradient predicts that f changes by {change}"
    assert last(make(Value(x, "x"))).notes()[-1] == note


@pytest.mark.parametrize(
    "root", [Value(0.0, "x") ** 0.5, sg.exp(Value(800.0, "x")) + Value(1.0, "b")]
)
def test_notes_have_no_nudge_if_a_number_is_infinite(root: Value) -> None:
    """An infinite derivative; an infinite output."""
    assert noted(walk(root), "nudge") == {}


@pytest.mark.parametrize(
    ("make", "x", "kink"),
    [
        (abs, 0.0, "|x| has a kink or jump at x = 0: it has no derivative there, and 0 is"),
        (sg.relu, 0.0, "ReLU has a kink or jump at x = 0: it has no derivative there, and 0 is"),
        (lambda x: sg.maximum(x, 2.0), 2.0, "at x = 2: it has no derivative there, and 0.5 is"),
        (lambda x: sg.clip(x, -1.0, 1.0), -1.0, "at x = −1: it has no derivative there, and 1 is"),
        (sg.floor, 3.0, "at x = 3: it has no derivative there, and 0 is used by convention"),
        (
            lambda x: sg.leaky_relu(x, 0.5),
            0.0,
            "no derivative there, and 0.5 is used by convention",
        ),
        (lambda x: sg.where(sg.gt(x, 0.0), x, -x), 0.0, ">0 has a kink or jump at x = 0"),
    ],
)
def test_notes_name_a_kink_and_predict_nothing(make: Function, x: float, kink: str) -> None:
    """The difference quotients have two limits there, or none; nearby they have one."""
    said = last(make(Value(x, "x"))).notes()
    assert any(kink in note for note in said)
    assert not any("predicts" in note for note in said)
    beside = last(make(Value(x + 0.25, "x"))).notes()
    assert not any("kink" in note for note in beside)
    assert "predicts" in beside[-1]


def test_notes_predict_nothing_for_the_inputs_of_a_later_kink() -> None:
    """|x − y| at x = y: no prediction for x and y, but one for z, which is added."""
    x, y, z = (Value(1.0, name) for name in "xyz")
    steps = [step for step in walk(abs(x - y) * 2.0 + z) if step.phase == "backward"]
    said = {step.place.split(" → ")[-1]: step.notes()[-1] for step in steps}
    assert said["x"] == "no prediction for a nudge of x: |x| has a kink or jump here"
    assert said["y"] == "no prediction for a nudge of y: |x| has a kink or jump here"
    assert "predicts" in said["z"]


@pytest.mark.parametrize("make", [sg.elu, lambda x: sg.leaky_relu(x, 1.0), sg.softplus])
def test_notes_have_no_kink_if_both_slopes_agree(make: Function) -> None:
    """At 0, with a scale of 1: 1, 1 and one half."""
    said = last(make(Value(0.0, "x"))).notes()
    assert not any("kink" in note for note in said)


# Names ------------------------------------------------------------------------------------------

names = st.lists(st.text("ab_.[]0, ", min_size=1, max_size=30), min_size=2, max_size=12)


@settings(max_examples=40)
@given(names)
def test_draw_keeps_different_labels_different(labels: list[str]) -> None:
    """Each box has its own label."""
    given_names = list(dict.fromkeys(label.strip() for label in labels if label.strip()))
    drawn = sg.draw(sg.sum([Value(1.0, label) for label in given_names] + [1.0])).mermaid
    decoded = html.unescape(re.sub(r"#(\d+);", r"&#\1;", drawn))
    boxes = re.findall(r'^ +n\d+\["(.*?)"\]:::input$', decoded, re.M)
    assert boxes == given_names
