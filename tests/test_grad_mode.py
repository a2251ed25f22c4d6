"""no_grad and enable_grad: per thread and task, nested, as decorators, with exceptions."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from tests.timeouts import TIMEOUT

import scalargrad as sg
from scalargrad import OperandError, Value, enable_grad, exp, is_grad_enabled, jit, no_grad, ops


def is_recorded() -> bool:
    """Return True if an operation keeps its operands, and check that is_grad_enabled agrees."""
    recorded = bool((Value(2.0) * 3.0).parents)
    assert recorded == is_grad_enabled()
    return recorded


@pytest.fixture(autouse=True)
def _grad_mode_is_restored() -> Iterator[None]:
    """Check that gradients are enabled again after each test."""
    yield
    assert is_recorded()


def test_no_grad_makes_leaves() -> None:
    """In the block every operation gives a leaf with the right data."""
    x, y = Value(2.0), Value(3.0)
    with no_grad():
        made = [
            x * y, x + 1.0, 1.0 - x, -x, abs(x), x.exp(), exp(x), sg.gelu(x), x**2, 2**x,
            ops.sum([x, y]), ops.dot([x], [y], 1.0), ops.maximum(x, 5.0), ops.clip(x, 0.0, 1.0),
            sg.where(ops.gt(x, 1.0), x + 0.0, y),
        ]  # fmt: skip
    assert all(
        (node.op, node.parents, node.local_grads, type(node)) == (None, (), (), Value)
        for node in made
    )
    assert made[0].data == 6.0
    with no_grad():
        assert x == 2.0
        assert x != y


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_no_grad_and_enable_grad_pass_exceptions_on(error: type[BaseException]) -> None:
    """An exception ends the block and is not swallowed."""
    for switch in (no_grad, enable_grad):
        with pytest.raises(error), switch():
            raise error
        assert is_recorded()


def test_no_grad_and_enable_grad_as_decorators() -> None:
    """The mode applies while the function runs, recursion and errors included."""

    @enable_grad()
    def slope(x: float) -> Any:
        v = Value(x)
        return sg.gradients(v * v, v)

    with no_grad():
        assert slope(3.0) == 6.0
        assert not is_recorded()

    @no_grad()
    def countdown(n: int) -> list[bool]:
        """Return the grad mode at each depth."""
        if n < 0:
            raise ValueError("below zero")
        return [is_recorded(), *(countdown(n - 1) if n else [])]

    assert countdown(3) == [False] * 4
    with pytest.raises(ValueError, match="below zero"):
        countdown(-1)
    assert (countdown.__name__, countdown.__doc__) == (
        "countdown",
        "Return the grad mode at each depth.",
    )
    assert is_recorded()


@pytest.mark.parametrize("switch", [no_grad, enable_grad, sg.detect_anomaly])
def test_no_grad_refuses_to_decorate_generators_and_coroutines(switch: Any) -> None:
    """Their bodies run after the call has returned, when the mode no longer applies."""

    def generator() -> Iterator[int]:
        yield 1

    async def coroutine() -> None:
        pass

    async def stream() -> AsyncIterator[int]:
        yield 1

    for function in (generator, coroutine, stream):
        with pytest.raises(OperandError, match=switch.__name__):
            switch()(function)


def test_no_grad_applies_to_its_own_thread_only() -> None:
    """Another thread keeps its graph at the same time."""
    inside, finished = threading.Event(), threading.Event()
    seen: dict[str, bool] = {}

    def quiet() -> None:
        with no_grad():
            inside.set()
            finished.wait(TIMEOUT)
            seen["quiet"] = is_recorded()

    thread = threading.Thread(target=quiet)
    thread.start()
    assert inside.wait(TIMEOUT)
    seen["main"] = is_recorded()
    finished.set()
    thread.join(TIMEOUT)
    assert seen == {"main": True, "quiet": False}


def test_no_grad_applies_to_its_own_task_only() -> None:
    """A task that waits inside no_grad does not change the mode of another."""

    async def quiet(pause: asyncio.Event, resume: asyncio.Event) -> bool:
        with no_grad():
            pause.set()
            await resume.wait()
            return is_recorded()

    async def loud(pause: asyncio.Event, resume: asyncio.Event) -> bool:
        await pause.wait()
        recorded = is_recorded()
        resume.set()
        return recorded

    async def both() -> tuple[bool, bool]:
        pause, resume = asyncio.Event(), asyncio.Event()
        first, second = await asyncio.gather(quiet(pause, resume), loud(pause, resume))
        return first, second

    assert asyncio.run(both()) == (False, True)


def test_is_grad_enabled_in_a_jit_function_is_an_error() -> None:
    """A compiled function does not know the grad mode of its future calls."""

    def scale(x: Any, known: bool | None = None) -> Any:
        return x * (2.0 if (is_grad_enabled() if known is None else known) else 3.0)

    @no_grad()
    def plain(x: Any) -> Any:
        return scale(x)

    with pytest.raises(sg.TraceError, match="is_grad_enabled"):
        jit(scale)(1.0)
    compiled = jit(scale)
    for mode in (enable_grad, no_grad, enable_grad):
        with mode():
            assert compiled(1.0, is_grad_enabled()) == scale(1.0)
    assert jit(plain)(1.0) == plain(1.0) == 3.0
