"""Compilation can be switched off, for a block or a process, and then nothing is recorded."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from scalargrad import Value, disable_jit, jit
from scalargrad.compiler import jit_mode
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.errors import TraceError
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD
from scalargrad.train import fit


@pytest.fixture
def reread() -> Iterator[None]:
    """Let the environment variable be read anew, in the test and after it."""
    jit_mode.chosen.cache_clear()
    yield
    jit_mode.chosen.cache_clear()


def test_a_disabled_function_runs_as_written() -> None:
    """It may read .data, which recording refuses, and returns the graph of all it computed."""

    @jit
    def cube(x: Value) -> Value:
        return x * x * Value(x.data)

    with disable_jit():
        y = cube(Value(2.0))
    assert y.data == 8.0
    assert y.op is not None
    assert y.op.symbol == "*"
    with pytest.raises(TraceError, match="data"):
        cube(Value(2.0))


def test_what_was_recorded_is_used_again_afterwards() -> None:
    """A block without compilation runs the function as it is and forgets no program."""
    square = jit(lambda x: x * x)
    square(2.0)
    (recorded,) = programs_of(square)
    with disable_jit():
        assert square(3.0) == 9.0
    assert square(4.0) == 16.0
    (path,) = programs_of(square)
    assert path is recorded


def test_blocks_nest_and_end_with_errors() -> None:
    """An inner block may compile again, and an error leaves the state as it was before."""
    with disable_jit():
        with disable_jit(disable=False):
            assert not jit_mode.is_jit_disabled()
        assert jit_mode.is_jit_disabled()
    with pytest.raises(ZeroDivisionError), disable_jit():
        raise ZeroDivisionError
    assert not jit_mode.is_jit_disabled()


def test_other_threads_go_on_compiling() -> None:
    """A block is a matter of its own thread."""
    seen: list[bool] = []
    with disable_jit():
        thread = threading.Thread(target=lambda: seen.append(jit_mode.is_jit_disabled()))
        thread.start()
        thread.join()
    assert seen == [False]


def test_fit_takes_its_steps_eagerly() -> None:
    """Even if asked for programs: a loss that reads .data trains, as it cannot where recorded."""

    def loss(predictions: list[list[Value]], targets: list[float]) -> Any:
        assert predictions[0][0].data == predictions[0][0].data
        return mse_loss([p[0] for p in predictions], targets)

    def losses() -> list[float]:
        model = Linear(1, 1, rng=0)
        optimizer = SGD(model.parameters(), lr=0.1)
        data = [[1.0], [2.0]], [2.0, 4.0]
        history = fit(model, *data, loss=loss, optimizer=optimizer, epochs=3, jit=True, quiet=True)
        return list(history["loss"])

    with disable_jit():
        found = losses()
    assert found[-1] < found[0]
    with pytest.raises(TraceError):
        losses()


def test_the_environment_switches_a_process_off() -> None:
    """With SCALARGRAD_JIT=off a compiled function runs at every call."""
    pytest.importorskip("numpy", reason="jit needs NumPy")
    program = "from scalargrad import jit; f = jit(lambda x: (print('ran'), x)[1]); f(1.0); f(2.0)"
    environment = {**os.environ, "SCALARGRAD_JIT": "off"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.split() == ["ran", "ran"]


def test_a_block_may_compile_where_the_environment_does_not(
    monkeypatch: pytest.MonkeyPatch, reread: None
) -> None:
    """What is said nearest counts."""
    monkeypatch.setenv("SCALARGRAD_JIT", "off")
    assert jit_mode.is_jit_disabled()
    with disable_jit(disable=False):
        assert not jit_mode.is_jit_disabled()


def test_an_unknown_setting_is_an_error(monkeypatch: pytest.MonkeyPatch, reread: None) -> None:
    """It names the settings there are."""
    monkeypatch.setenv("SCALARGRAD_JIT", "of")
    with pytest.raises(TraceError, match=r"SCALARGRAD_JIT=of: set it to numpy.* or to off"):
        jit_mode.is_jit_disabled()
