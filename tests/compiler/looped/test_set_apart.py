"""Long statements that run once are compiled apart from loops, without optimization."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scalargrad import Value, disable_jit, exp, jit, sin, tanh, value_and_grad
from scalargrad.compiler.loops import loop_printer
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.loop_printer import printed
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.trace.record import record

pytest.importorskip("llvmlite")


def irregular(p: Any, count: int = 300, steps: int = 2000) -> Any:
    """Return what an irregular program makes of the end of a pendulum's swing."""
    x, v = p, 0.0
    for _ in range(steps):
        v = v - 0.01 * sin(x)
        x = x + 0.01 * v
    known = [x, v, p]
    draws = random.Random(1)
    for _ in range(count):
        a, b = draws.choice(known[-20:]), draws.choice(known[-20:])
        kind = draws.randrange(4)
        if kind == 0:
            known.append(a * b * 0.9)
        elif kind == 1:
            known.append(a + b * 0.1)
        else:
            known.append(tanh(a) - b if kind == 2 else exp(-a * a) + b * 0.5)
    return known[-1]


def parts(limit: int, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the texts of the program's gradient, where so many steps are not yet long."""
    monkeypatch.setattr(loop_printer, "_LONG", limit)
    leaf = Value(0.3)
    program = looped(record(lambda: value_and_grad(irregular)(leaf), [leaf])[0].program)
    assert isinstance(program, Looped)
    return printed(program).module.parts()


def test_no_digit_depends_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Value and gradient have the bits that optimized code gives them, and are the eager ones."""
    found = []
    for limit in (100_000, 40):
        assert len(parts(limit, monkeypatch)) == 1 + (limit == 40)
        found.append(jit(value_and_grad(irregular))(0.3))
    assert found[0] == found[1]
    with disable_jit():
        assert found[0] == pytest.approx(value_and_grad(irregular)(0.3), rel=1e-9)


def test_only_what_runs_once_is_set_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loops and the program itself are in the first part, which is compiled as before."""
    whole, rest = parts(40, monkeypatch)
    assert "define void @run(" in whole
    assert "define void @run(" not in rest
    assert " phi " in whole  # of the loops
    assert "define void @loop" in rest
    assert rest.count("\n") > whole.count("\n")
