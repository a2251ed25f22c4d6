"""The verifier and the passes of the loop compiler, on small and on random programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler import random_passes
from tests.compiler.nests import (
    Builder,
    Program,
    ScheduledLoop,
    VerificationError,
    plan,
    schedule,
    tiled,
    verify,
    verify_layout,
)
from tests.compiler.scheduled import LayoutError, ScheduledInterpreter, ScheduleError
from tests.compiler.search import NOT_COMPARED
from tests.random_seeds import seed_parameters

from scalargrad import where

pytestmark = pytest.mark.differential


def element_set_twice(b: Builder) -> None:
    """Set s[0] in a statement and in a loop."""
    s = b.temp("s", 4)
    s[0] = 1.0
    with b.loop(4) as i:
        s[i] = 2.0


def element_set_at_two_iterations(b: Builder) -> None:
    """Set s[0] … s[5], most of them twice."""
    s = b.temp("s", 6)
    with b.loop(4) as i, b.loop(3) as j:
        s[i + j] = 1.0


def element_set_and_accumulated(b: Builder) -> None:
    """Set s[2], and add to all elements."""
    s = b.temp("s", 4)
    s[2] = 1.0
    with b.loop(4) as i:
        b.add(s[i], 1.0)


def element_accumulated_by_two_statements(b: Builder) -> None:
    """Add to s[] in two statements, whose order nothing says."""
    s = b.temp("s")
    b.add(s[()], 1.0)
    b.add(s[()], 2.0)


def variable_of_no_loop(b: Builder) -> None:
    """Use an induction variable outside of its loop."""
    s, i = b.temp("s", 4), b.var(4)
    s[i] = 1.0


def index_beyond_a_dimension(b: Builder) -> None:
    """Read x[4] of 4."""
    x, y = b.input("x", 4), b.output("y", 4)
    with b.loop(4) as i:
        y[i] = x[i + 1] * 2.0


def index_below_a_triangle(b: Builder) -> None:
    """Read x[-1] at j = i."""
    x, y = b.input("x", 4), b.output("y", 4)
    with b.loop(4) as i, b.loop(i + 1) as j:
        b.add(y[i], x[i - j - 1])


def index_beyond_a_ragged_row(b: Builder) -> None:
    """Read x[1, 3] of three columns."""
    x, y, n = b.input("x", 3, 3), b.output("y", 3), b.const("n", [3, 4, 1])
    with b.loop(3) as i, b.loop(b.var(n[i])) as j:
        b.add(y[i], x[i, j])


def index_of_a_table_beyond(b: Builder) -> None:
    """Read x[3] of 3, as the table says."""
    x, y, t = b.input("x", 3), b.output("y", 3), b.const("t", [0, 3, 1])
    with b.loop(3) as i:
        y[i] = x[t[i]] * 2.0


def element_that_nobody_writes(b: Builder) -> None:
    """Read s[0], though a recurrence starts at s[1]."""
    s, y = b.temp("s", 4), b.output("y")
    with b.loop(3) as i:
        s[i + 1] = s[i] * 2.0
    y[()] = s[3] * 1.0


def element_beyond_a_large_nest(b: Builder) -> None:
    """Read x[-1] at the first of a million iterations, of which a sample is enumerated."""
    x, y = b.input("x", 1000), b.output("y", 1000, 1000)
    with b.loop(1000) as i, b.loop(1000) as j:
        y[i, j] = x[i - 1] * 2.0


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (element_set_twice, r"s\[i\] = 2.0 writes s\[0\], which s\[0\] = 1.0 writes"),
        (element_set_at_two_iterations, r"sets s\[\d\] twice"),
        (element_set_and_accumulated, r"\+= 1.0 writes s\[2\], which s\[2\] = 1.0 writes"),
        (element_accumulated_by_two_statements, r"\+= 2.0 writes s\[\], which s\[\] \+= 1.0"),
        (variable_of_no_loop, "uses i, which no enclosing loop binds"),
        (index_beyond_a_dimension, r"x\[i\+1\] at i\+1 = 4 of 4, i = 3"),
        (index_below_a_triangle, r"= -1 of 4"),
        (index_beyond_a_ragged_row, r"= 3 of 3, i = 1, i1 = 3"),
        (index_of_a_table_beyond, r"= 3 of 3, i = 1"),
        (element_that_nobody_writes, r"reads s\[0\]: never set"),
        (element_beyond_a_large_nest, r"= -1 of 1000"),
    ],
)  # fmt: skip
def test_verify_names_the_statement_the_array_and_the_element(
    write: Callable[[Builder], None], message: str
) -> None:
    """For each rule of the loop IR, violated by one statement."""
    b = Builder()
    write(b)
    with pytest.raises(VerificationError, match=message):
        verify(b.program())


def test_verify_accepts_valid_programs_that_resemble_faults() -> None:
    """An empty first sum, a selection of an unwritten element, a large nest."""
    b = Builder()
    s, big, y, c = b.temp("s", 5), b.temp("big", 1000, 1000), b.output("y", 5), b.temp("c", 5)
    first = b.const("first", [1.0, 0.0, 0.0, 0.0, 0.0])
    with b.loop(5) as i, b.loop(b.var(i)) as j:
        b.add(s[i], big[i, j] * y[i])
    for k in (0, 1):  # every second column
        with b.loop(1000) as i, b.loop(500) as j:
            big[i, 2 * j + k] = 1.0
    with b.loop(4) as i:
        y[i + 1] = where(first[i], 0.5, y[i]) + s[i]
        c[i + 1] = where(first[i], 0.5, c[i])
    verify(b.program())


def make_network() -> Program:
    """Return a recurrence with an inner sum, which is read when it is complete."""
    b = Builder()
    w, h, sums = b.input("w", 12, 12), b.output("h", 6, 12), b.temp("sums", 5, 12)
    with b.loop(12) as i:
        h[0, i] = 0.5
    with b.loop(5) as t, b.loop(12) as i:
        with b.loop(12) as k:
            b.add(sums[t, i], w[i, k] * h[t, k])
        h[t + 1, i] = sums[t, i] * 0.25
    return b.program()


def run(program: Program, body: Any, layout: Any = None) -> Any:
    """Return the output of scheduled loops whose inputs are ones."""
    inputs = {a: np.ones(a.shape) for a in program.arrays if a.kind == "in"}
    found = ScheduledInterpreter(program, body, layout, inputs).run()
    return next(x for a, x in found.items() if a.kind == "out")


def test_schedule_and_plan_of_a_network_match_a_closed_form() -> None:
    """Each state is three times the one before: a sum of twelve equal numbers, times a quarter."""
    program = make_network()
    body, fastest = tiled(schedule(program))
    found = run(program, body, plan(program, body, fastest))
    assert found[:, 0] == pytest.approx([0.5 * 3.0**t for t in range(6)])


@pytest.mark.parametrize("change", [{"down": True}, {"lanes": True}], ids=["reversed", "vector"])
def test_scheduled_interpreter_reports_a_read_before_the_write(change: Any) -> None:
    """The loop over t runs backward, or its iterations are lanes of a vector."""
    program = make_network()
    body = schedule(program)
    (loop,) = (x for x in body if isinstance(x, ScheduledLoop) and x.kind == "sequential")
    vars(loop).update(change)
    with pytest.raises(ScheduleError, match=r"reads h\[\d, 0\], 1 writes early"):
        run(program, body)


def test_scheduled_interpreter_reports_a_missing_and_a_repeated_statement() -> None:
    """The program says how many writes each element gets."""
    program = make_network()
    body = schedule(program)
    with pytest.raises(ScheduleError, match=r"lacks|early"):
        run(program, body[1:])
    with pytest.raises(ScheduleError, match="once more than is due"):
        run(program, [*body, body[0]])


#: A change of a layout, given its arrays w and h, and the message of the verifier.
WRONG_LAYOUTS: dict[str, tuple[Callable[[Any, Any, Any], Any], str]] = {
    "one address": (lambda x, w, h: {"offsets": {**x.offsets, h: x.offsets[w]}}, "overlaps"),
    "strides": (lambda x, w, h: {"strides": {**x.strides, h: (11, 1)}}, "share addresses"),
    "size": (lambda x, w, h: {"cells": max(x.offsets.values())}, "memory at"),
}


@pytest.mark.parametrize("name", WRONG_LAYOUTS)
def test_verify_layout_reports_arrays_that_overlap_in_memory(name: str) -> None:
    """Two arrays at one address, strides that share addresses, an array beyond the end."""
    change, message = WRONG_LAYOUTS[name]
    program = make_network()
    body, fastest = tiled(schedule(program))
    layout = plan(program, body, fastest)
    verify_layout(body, layout)
    w, h = (a for a in program.arrays if a.kind in {"in", "out"})
    wrong = layout_with(layout, **change(layout, w, h))
    with pytest.raises(VerificationError, match=message):
        verify_layout(body, wrong)
    if name == "one address":
        with pytest.raises(LayoutError, match="which holds"):
            run(program, body, wrong)


def layout_with(layout: Any, **changes: Any) -> Any:
    """Return a copy of a layout with some attributes changed."""
    return type(layout)(**{**vars(layout), **changes})


@pytest.mark.parametrize(
    "seed", [*seed_parameters(20, 5), pytest.param(49, marks=pytest.mark.wide)]
)
def test_passes_keep_the_outputs_of_random_programs(seed: int) -> None:
    """Each pass is verified; outputs before and after are equal; no element is read early."""
    assert random_passes.compare(seed) in {"", NOT_COMPARED}
