"""jit with check=True: each call is repeated eagerly, and a difference is an error."""

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


def test_jit_check_returns_the_results_of_an_unchecked_call() -> None:
    """Values, gradients, containers and numbers drawn."""
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


def test_jit_check_raises_an_error_for_a_stale_number() -> None:
    """A number that ctypes reads from memory is not captured state that jit compares."""
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


def test_jit_check_tolerates_cancellation_in_a_gradient() -> None:
    """At an optimum, the tolerance depends on the size of the terms, not of the sum."""
    data = [5.0 + (k * 7919 % 1000) / 500 for k in range(1000)]
    slope = jit(grad(lambda p: sum((x - p) ** 2 for x in data)), check=True)
    many = jit(lambda p: 1e12 * sum((x - p) ** 2 for x in data), check=True)
    for k in range(20):
        p = sum(data) / 1000 * (1 + k * 2.0**-52)
        assert abs(slope(p)) < 1e-9
        assert many(Value(p)).data == pytest.approx(333.333e12)


def test_jit_check_accepts_calls_that_run_eagerly() -> None:
    """Also with Values made under no_grad."""

    def stairs(x: Value) -> Value:
        steps = sum(1.0 for k in range(8) if x > k)
        with no_grad():
            y = x + steps
        return y + x

    compiled = jit(stairs, check=True)
    with pytest.warns(JitWarning, match="branches"):
        found = [compiled(Value(k + 0.5)).data for k in range(8)]
    assert found == [3.0 * k + 2.0 for k in range(8)]


def test_jit_check_raises_the_domain_error_of_eager_code() -> None:
    """Both calls raise it."""
    with pytest.raises(DomainError, match="log"):
        jit(log, check=True)(-1.0)


def test_scalargrad_jit_check_checks_a_whole_process(tmp_path: Path) -> None:
    """The environment variable needs no change of the code."""
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
