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
    """What is foretold is the gradient times that, at a kink too."""
    cases: list[tuple[Function, float, str, str]] = [
        (lambda x: x * 2.0, 3.0, "+0.01", "+0.02"),
        (lambda x: x * x, 0.0, "+0.01", "0"),
        (lambda x: x * 2.0, 1.67e-27, "+1e−29", "+2e−29"),
        (lambda x: x * 0.5, 1.7e308, "+1e306", "+5e305"),
        (sg.relu, 0.0, "+0.01", "0"),
    ]
    for make, x, nudge, change in cases:
        said = f"nudge x by {nudge}: the gradient foretells that f changes by {change}"
        assert last(make(Value(x, "x"))).notes()[-1] == said


@pytest.mark.parametrize(
    "root", [Value(0.0, "x") ** 0.5, sg.exp(Value(800.0, "x")) + Value(1.0, "b")]
)
def test_nothing_is_foretold_where_nothing_can_be(root: Value) -> None:
    """An infinite slope; an infinite output."""
    assert noted(walk(root), "nudge") == {}


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
