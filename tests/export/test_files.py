"""Exported files other than C and object code, and errors."""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, StateError, TraceError, Value, jit
from scalargrad.export import load


@sg.custom_op(partials=lambda y, x: (1.0,))
def custom_identity(x: float) -> float:
    """Return x: a custom operation, which cannot be exported."""
    return x


def test_export_header_lists_inputs_and_outputs(tmp_path: Path) -> None:
    """The header has the names of arguments and results in order, with their indices."""

    def f(w: Any, *points: Any, scale: Any) -> Any:
        a, b = points
        return {"loss": w["a"] * a[0] * scale, "rest": (b[1][0], 3.0, "note")}

    arguments: Any = {"a": Value(1.0), "b": 2.0}, (3.0, 4.0), np.eye(2)
    _, header = jit(f).export(tmp_path / "layout.c", *arguments, scale=np.float64(2.0))
    text = header.read_text()
    for line in (
        "in, 9 numbers:",
        "0: w['a']",
        "1: w['b']",
        "2 to 3: points[0][0] to points[0][1]",
        "4 to 7: points[1][0][0] to points[1][1][1]",
        "8: scale",
        "out, 6 numbers:",
        "0: result['loss']",
        "1 to 2: result['rest'][0] to result['rest'][1]",
        "3: d(result['loss'])/d(w['a'])",
    ):
        assert f" *   {line}\n" in text or f" * {line}\n" in text, line
    assert "#define LAYOUT_INPUTS 9\n#define LAYOUT_OUTPUTS 6\n" in text


def pendulum(steps: int) -> Callable[..., Any]:
    """Return the distance of a pendulum from an angle, by semi-implicit Euler steps."""

    def misfit(k: Any, c: Any) -> Any:
        x, v, total = 1.0, 0.0, 0.0
        for _ in range(steps):
            v = v - 0.05 * (k * sg.sin(x) + c * v)
            x = x + 0.05 * v
            total = total + sg.log((x - 0.3) ** 2 + 1.0)
        return total

    return misfit


def sum_with_lookups(w: list[Any], table: list[Any], points: Any, classes: Any) -> Any:
    """Return a sum over examples with lookups, plus some of the results."""

    def one(x: Any, k: Any) -> Any:
        return sg.softplus(sg.dot(w, x)) * sg.take(table, k) + sg.take([x[0], x[1]], k >= 2)

    each = sg.vmap(one)(points, classes)
    return sum(each) + sg.take(table, classes[3]) * sg.logsumexp([each[0], each[7]]) ** 2.5


def irregular(xs: list[Any]) -> Any:
    """Return the result of hundreds of operations in random order."""
    draw, known = random.Random(5), list(xs)
    for _ in range(600):
        x, y = draw.choice(known), draw.choice(known)
        known.append(draw.choice([sg.tanh(x) + y, sg.maximum(x, y), sg.sin(x) / (1.0 + y * y)]))
    return known[-1]


#: Programs with arguments, and the maximum number of lines of C and of bytes of object code.
SIZES: dict[str, tuple[Callable[..., Any], tuple[Any, ...], int, int]] = {
    "loop": (pendulum(2000), (Value(1.3), Value(0.1)), 650, 40_000),
    "lanes": (
        sum_with_lookups,
        ([Value(0.1)] * 3, [Value(1.0)] * 4, np.ones((40, 3)), [k % 4 for k in range(40)]),
        1200,
        100_000,
    ),
    "sums": (lambda xs: sum(x * x for x in xs) + sg.dot(xs, xs), (np.ones(500),), 400, 40_000),
    "irregular": (irregular, ([Value(0.3), Value(-0.4), Value(0.9)],), 8000, 300_000),
}


@pytest.mark.parametrize("name", SIZES)
def test_export_size_does_not_depend_on_trip_counts(tmp_path: Path, name: str) -> None:
    """Recurrences, examples and sums are loops; irregular programs are straight-line code."""
    function, arguments, lines, size = SIZES[name]
    source, header = jit(function).export(tmp_path / f"{name}.c", *arguments)
    text = source.read_text()
    assert f"void {name}(" in text
    assert f"void {name}(" in header.read_text()
    assert text.count("\n") < lines
    code, header = jit(function).export(tmp_path / f"{name}.o", *arguments)
    assert code.stat().st_size < size
    assert ("static memory" in header.read_text()) is (name in {"loop", "lanes"})
    if name == "sums":  # every constant of a captured list is written
        table = [k + 1 / 3 for k in range(500)]
        source, _ = jit(lambda xs: sg.dot(xs, table)).export(tmp_path / "known.c", *arguments)
        assert {*map(repr, table)} <= {*re.split("[^0-9.]+", source.read_text())}


@pytest.mark.parametrize("name", ["a-b.c", "double.c", "exp.c", "1st.c", ".c", "main.c", "f.rs"])
def test_export_refuses_names_that_are_not_valid_in_c(tmp_path: Path, name: str) -> None:
    """Keywords of C, names of its library, and suffixes of other languages."""
    with pytest.raises(OperandError):
        jit(lambda x: x).export(tmp_path / name, 1.0)
    assert not list(tmp_path.iterdir())


class Holder:
    """An object with a number, as a result that is not a number."""

    def __init__(self, x: Any) -> None:
        self.x = x


@pytest.mark.parametrize("kind", [".c", ".o"])
def test_export_refuses_random_numbers_custom_operations_and_objects(
    tmp_path: Path, kind: str
) -> None:
    """No file is written."""
    rng = random.Random(0)
    for function in (lambda x: x * sg.drawn(rng.random), custom_identity, Holder):
        with pytest.raises(TraceError):
            jit(function).export(tmp_path / f"f{kind}", Value(1.0))
    assert not list(tmp_path.iterdir())


def test_export_of_machine_code_needs_a_c_compiler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names the compiler, and the format that needs none."""
    monkeypatch.setattr(shutil, "which", lambda _: None)
    f = jit(lambda x, y: sg.tanh(x) * y)
    for kind in (".so", ".o"):
        with pytest.raises(OperandError, match=r"gcc.*\.c file"):
            f.export(tmp_path / f"f{kind}", 1.0, 2.0)
    assert not list(tmp_path.iterdir())


@pytest.mark.wide
def test_load_of_an_exported_library_gives_the_bits_of_jit(tmp_path: Path) -> None:
    """SIMD lanes, lookups, constants and a branch; other branches and damage are errors."""

    def f(w: list[Any], table: list[float]) -> Any:
        rows = sg.vmap(lambda x, k: sg.tanh(sg.dot(w, [x, 1.0])) * sg.take(table, k))(
            [0.1 * k for k in range(6)], [k % 3 for k in range(6)]
        )
        total = sum(rows) + sg.logsumexp([w[0], 2.0]) ** 1.5
        return total if w[1] > -2.0 else -total

    numbers: tuple[list[float], list[float]] = ([0.5, -1.0], [1.0, 2.0, 3.0])
    path, _ = jit(f).export(tmp_path / "f.so", *numbers)
    loaded = load(path)
    assert loaded([*numbers[0], *numbers[1]])[0] == jit(f)(*numbers)
    assert len(loaded.inputs) == 5
    assert "f: 5 numbers" in repr(loaded)
    with pytest.raises(TraceError, match="branch"):
        loaded([0.5, -3.0, *numbers[1]])
    with pytest.raises(OperandError, match="takes"):
        loaded([0.5])
    (tmp_path / "g.so").write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(StateError, match=r"g\.so"):
        load(tmp_path / "g.so")


@pytest.mark.wide
def test_scipy_calls_an_exported_function(tmp_path: Path) -> None:
    """SciPy integrates it without calling Python; the integral is known."""
    scipy = pytest.importorskip("scipy", reason="SciPy is not installed")
    integrate = pytest.importorskip("scipy.integrate")
    path, _ = jit(lambda x, a: sg.exp(-a * x) * x).export(tmp_path / "decay.so", 0.5, 2.0)
    integrand = scipy.LowLevelCallable(load(path).first)
    found, _ = integrate.quad(integrand, 0.0, 40.0, args=(2.0,))
    assert found == pytest.approx(0.25, rel=1e-12)


WITHOUT = """import sys
from scalargrad import jit
sys.modules["llvmlite"] = None
jit(lambda x: sum([x] * 2000) * x).export("f{}", 1.0)
"""


def test_export_works_without_llvmlite(tmp_path: Path) -> None:
    """Machine code is compiled from C."""
    for kind in (".c", ".so"):
        subprocess.run(
            [sys.executable, "-c", WITHOUT.format(kind)],
            check=True,
            cwd=tmp_path,
        )
    assert load(tmp_path / "f.so")([3.0]) == [18_000.0]
