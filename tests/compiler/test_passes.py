"""The verifier, and the compiler's passes one by one, on small programs and on random ones."""

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
    ("write", "named"),
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
    write: Callable[[Builder], None], named: str
) -> None:
    """Each rule of the loop IR, broken by one statement."""
    b = Builder()
    write(b)
    with pytest.raises(VerificationError, match=named):
        verify(b.program())


def test_verify_accepts_what_looks_like_a_fault() -> None:
    """A triangle whose first sum has no terms, a choice of an unwritten element, a large nest."""
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


def a_network() -> Program:
    """Return a recurrence with a sum inside, whose terms are read once it is complete."""
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
    """Return the outputs of scheduled loops."""
    given = {a: np.ones(a.shape) for a in program.arrays if a.kind == "in"}
    found = ScheduledInterpreter(program, body, layout, given).run()
    return next(x for a, x in found.items() if a.kind == "out")


def test_scheduled_loops_have_the_numbers_of_a_closed_form() -> None:
    """Each state is three times the one before: twelve ones, times a quarter."""
    program = a_network()
    body, fastest = tiled(schedule(program))
    found = run(program, body, plan(program, body, fastest))
    assert found[:, 0] == pytest.approx([0.5 * 3.0**t for t in range(6)])


def test_a_recurrence_in_the_wrong_direction_reads_too_early() -> None:
    """The loop over t runs down, or the lanes of a vector run t at once."""
    program = a_network()
    for change in ({"down": True}, {"lanes": True}):
        body = schedule(program)
        (loop,) = (x for x in body if isinstance(x, ScheduledLoop) and x.kind == "sequential")
        vars(loop).update(change)
        with pytest.raises(ScheduleError, match=r"reads h\[\d, 0\], 1 writes early"):
            run(program, body)


def test_a_statement_that_is_missing_or_runs_twice_is_reported() -> None:
    """The equations say how many writes are due."""
    program = a_network()
    body = schedule(program)
    with pytest.raises(ScheduleError, match=r"lacks|early"):
        run(program, body[1:])
    with pytest.raises(ScheduleError, match="once more than is due"):
        run(program, [*body, body[0]])


def test_arrays_that_overlap_in_memory_are_reported() -> None:
    """Two arrays at one address, an array beyond the end, and strides that share elements."""
    program = a_network()
    body, fastest = tiled(schedule(program))
    layout = plan(program, body, fastest)
    verify_layout(body, layout)
    w, h = (a for a in program.arrays if a.kind in {"in", "out"})
    moved = layout_with(layout, offsets={**layout.offsets, h: layout.offsets[w]})
    narrow = layout_with(layout, strides={**layout.strides, h: (11, 1)})
    short = layout_with(layout, cells=max(layout.offsets.values()))
    for wrong, named in ((moved, "overlaps"), (narrow, "share addresses"), (short, "memory at")):
        with pytest.raises(VerificationError, match=named):
            verify_layout(body, wrong)
    with pytest.raises(LayoutError, match="which holds"):
        run(program, body, moved)


def layout_with(layout: Any, **changes: Any) -> Any:
    """Return a layout with something changed."""
    return type(layout)(**{**vars(layout), **changes})


@pytest.mark.parametrize(
    "seed", [*seed_parameters(20, 5), pytest.param(49, marks=pytest.mark.wide)]
)
def test_passes_keep_the_outputs_of_random_programs(seed: int) -> None:
    """Every pass is verified; outputs are the same before and after; loops read nothing early."""
    assert random_passes.compare(seed) in {"", NOT_COMPARED}
