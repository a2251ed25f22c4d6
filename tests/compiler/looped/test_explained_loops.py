"""What explain shows of programs that run as loops."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scalargrad import Value, jit, sin, tanh

pytest.importorskip("llvmlite")


def test_loops_are_explained_as_loops(tmp_path: Path) -> None:
    """A recurrence is named with its iterations, forwards and backwards; its code has the loop."""
    data = [0.01 * k for k in range(150)]

    def smoothed(a: Any) -> Any:
        state, total = 0.0, 0.0
        for x in data:
            state = a * state + x
            total = total + state * state
        return total

    found = jit(smoothed).explain(Value(0.5))
    forward, both = found.programs
    assert [bar.name for bar in forward.bars].count("recurrence") == 1
    assert [bar.name for bar in both.bars].count("recurrence") == 2
    assert {bar.lanes for bar in both.bars if bar.name == "recurrence"} == {149}
    assert "recurrence, 149 iterations" in found
    assert "icmp ult i64" in found.code
    drawn = found.save(tmp_path / "loops.svg").read_text()
    assert "iterations" in drawn
    assert drawn.count("recurrence") >= 2


def test_very_many_loops_are_timed_in_stretches() -> None:
    """A chain of a hundred and twenty loops of different lengths: no bar for each of them."""

    def f(x: Any) -> Any:
        for count in range(60, 180):
            for _ in range(count):
                x = sin(x) if count % 2 else tanh(x) * 1.5
        return x

    found = jit(f).explain(0.3)
    (timed,) = found.programs
    assert timed.instructions > 100
    assert 50 <= len(timed.bars) <= 100
    assert timed.seconds > 0.0
