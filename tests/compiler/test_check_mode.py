"""Check mode: each call is made eagerly as well, and what differs is an error that says where."""

from __future__ import annotations

import ctypes
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scalargrad import DomainError, JitWarning, TraceError, Value, drawn, grad, jit, log, no_grad


def test_a_sound_function_gives_what_it_gives_without_the_check() -> None:
    """Values, gradients, containers and numbers drawn are those of an unchecked call."""
    first, second = random.Random(1), random.Random(1)

    def step(rng: random.Random, w: Value, x: float) -> dict[str, Any]:
        return {"y": w * w * x + drawn(rng.gauss, 0.0, 1.0), "x": [x]}

    w = Value(3.0, "w")
    checked, plain = jit(step, check=True), jit(step)
    for x in (1.0, 2.0, 3.0):
        a, b = checked(first, w, x), plain(second, w, x)
        assert (a["y"].data, a["x"]) == (b["y"].data, b["x"])
    a["y"].backward()
    assert w.grad == 18.0


def test_a_number_that_a_program_froze_is_an_error() -> None:
    """What ctypes reads from memory is nothing that jit compares."""
    cell = ctypes.c_double(2.0)
    address = ctypes.addressof(cell)

    def scaled(x: float) -> float:
        return x * from_memory(address)

    compiled = jit(scaled, check=True)
    assert compiled(1.0) == 2.0
    cell.value = 5.0
    with pytest.raises(TraceError, match=r"5\.0"):
        compiled(1.0)


def from_memory(address: int) -> float:
    """Read a number from memory."""
    return float(ctypes.cast(address, ctypes.POINTER(ctypes.c_double))[0])


def test_a_slope_near_0_at_an_optimum_is_no_difference() -> None:
    """The terms of a gradient cancel there; by how much they may differ depends on their size."""
    data = [5.0 + (k * 7919 % 1000) / 500 for k in range(1000)]
    slope = jit(grad(lambda p: sum((x - p) ** 2 for x in data)), check=True)
    many = jit(lambda p: 1e12 * sum((x - p) ** 2 for x in data), check=True)
    for k in range(20):
        p = sum(data) / 1000 * (1 + k * 2.0**-52)
        assert abs(slope(p)) < 1e-9
        assert many(Value(p)).data == pytest.approx(333.333e12)


def test_a_call_that_is_made_eagerly_is_no_difference() -> None:
    """Values made inside without a gradient are its own, whichever way it takes."""

    def stairs(x: Value) -> Value:
        steps = sum(1.0 for k in range(8) if x > k)
        with no_grad():
            y = x + steps
        return y + x

    compiled = jit(stairs, check=True)
    with pytest.warns(JitWarning, match="branches"):
        found = [compiled(Value(k + 0.5)).data for k in range(8)]
    assert found == [3.0 * k + 2.0 for k in range(8)]


def test_an_error_of_eager_code_is_that_of_the_call() -> None:
    """Outside a domain the two agree."""
    with pytest.raises(DomainError, match="log"):
        jit(log, check=True)(-1.0)


def test_a_whole_process_is_checked_by_a_variable(tmp_path: Path) -> None:
    """SCALARGRAD_JIT=check needs no change of the code."""
    script = tmp_path / "script.py"
    script.write_text(
        "import ctypes\n"
        "from scalargrad import jit\n"
        "cell = ctypes.c_double(2.0)\n"
        "at = ctypes.addressof(cell)\n"
        "read = lambda at: ctypes.cast(at, ctypes.POINTER(ctypes.c_double))[0]\n"
        "f = jit(lambda x: x * read(at))\n"
        "print(f(1.0))\n"
        "cell.value = 5.0\n"
        "print(f(1.0))\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, str(script)],
        env={**os.environ, "SCALARGRAD_JIT": "check"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["2.0"]
    assert "TraceError" in done.stderr
