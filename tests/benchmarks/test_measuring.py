"""Times are taken in turns; what is measured is what was meant. No time is asserted."""

from __future__ import annotations

import gc
import itertools
import os
from pathlib import Path

import pytest

from benchmarks.measuring import in_fresh_process, in_units, peak_bytes, pin, seconds, take_turns

ROOT = Path(__file__).parents[2]


def test_contestants_take_turns() -> None:
    """After a warm-up each, A and B alternate, and a turn repeats a short call."""
    order: list[str] = []
    runs = {"a": lambda: order.append("A"), "b": lambda: order.append("B")}
    ticks = (0.001 * i for i in itertools.count())
    medians = take_turns(runs, turns=4, least=0.0, clock=lambda: next(ticks))
    assert "".join(order) == "AAABBB" + "AB" * 4
    assert list(medians) == ["a", "b"]
    assert [*medians.values()] == pytest.approx([0.001, 0.001])


def test_a_slow_contestant_takes_three_turns() -> None:
    """A call of a second is not made forty times."""
    ticks = iter(range(1000))
    runs: list[int] = []
    take_turns({"slow": lambda: runs.append(0)}, turns=40, least=0.0, clock=lambda: next(ticks))
    assert len(runs) == 3 + 3


def test_a_run_of_many_steps_is_timed_by_the_step() -> None:
    """Ten steps in a call of a second take a tenth each."""

    class Many:
        steps = 10

        def __call__(self) -> None:
            now[0] += 1.0

    now = [0.0]
    assert take_turns({"a": Many()}, 3, clock=lambda: now[0]) == {"a": pytest.approx(0.1)}


def test_the_collector_is_spared_what_was_there_before() -> None:
    """During a turn everything older is frozen, and thawed after an error as well."""
    found: list[int] = []
    take_turns({"a": lambda: found.append(gc.get_freeze_count())}, turns=1, least=0.0)
    assert found[0] == 0 < found[-1]

    def failing() -> None:
        if gc.get_freeze_count():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take_turns({"a": failing}, turns=1, least=0.0)
    assert gc.get_freeze_count() == 0


def test_seconds_are_those_of_one_call() -> None:
    """By a clock that ticks at each call, four calls that last 4 take 1 each."""
    now = [0.0]

    def run() -> None:
        now[0] += 1.0

    assert seconds(run, calls=4, clock=lambda: now[0]) == 1.0


def test_peak_bytes_count_what_is_freed_again() -> None:
    """A megabyte that lives for a moment is a megabyte."""
    assert peak_bytes(lambda: len(bytearray(1_000_000))) == pytest.approx(1_000_000, rel=0.01)


def test_a_pinned_process_has_one_core_and_no_threads() -> None:
    """In a process of its own, so that the tests keep theirs."""
    program = (
        "import os; from benchmarks.measuring import pin; said = pin();"
        "print(len(os.sched_getaffinity(0)), os.environ['OMP_NUM_THREADS'], said)"
    )
    if not hasattr(os, "sched_getaffinity"):
        assert pin() == "not pinned to a core"
    else:
        said = in_fresh_process(program, {"PYTHONPATH": str(ROOT)})
        assert said.startswith("1 1 pinned to core ")


@pytest.mark.parametrize(
    ("duration", "written"),
    [(1.234e-6, "1.23 µs"), (9.996e-4, "1 ms"), (0.9996, "1 s"), (75.04, "75 s"), (0.0, "0 µs")],
)
def test_units(duration: float, written: str) -> None:
    """Three digits, and never a thousand of a unit."""
    assert in_units(duration) == written
