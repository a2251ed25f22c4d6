"""The garbage collector, out of the way while graphs and programs are built."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from scalargrad import Value, jit
from scalargrad.errors import TraceError
from scalargrad.system.collector import collector_paused


@pytest.fixture(params=[True, False])
def before(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Switch the collector on or off, and back afterwards."""
    found = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if found else gc.disable)()


def test_a_block_that_fails_leaves_the_collector_as_it_was(before: bool) -> None:
    """An error on the way out does not keep cycles from being found ever after."""
    with pytest.raises(ValueError, match="invalid literal"), collector_paused():
        int("not a number")
    assert gc.isenabled() is before


def test_a_block_within_a_block_does_not_end_the_pause() -> None:
    """Compiling pauses in each pass, also inside a step of training that pauses for all."""
    with collector_paused():
        with collector_paused():
            pass
        assert not gc.isenabled()


def test_compiling_rests_the_collector_and_leaves_it_as_it_was(before: bool) -> None:
    """While a function is recorded no cycles are looked for; afterwards, as before the call."""
    during: list[bool] = []

    @jit
    def square(x: Value) -> Value:
        during.append(gc.isenabled())
        return x * x

    assert square(Value(3.0)).data == 9.0
    assert during == [False]
    assert gc.isenabled() is before


def test_a_function_that_cannot_be_compiled_leaves_the_collector_as_it_was(before: bool) -> None:
    """A recording that is refused ends the pause too."""
    with pytest.raises(TraceError):
        jit(lambda x: x.data)(Value(3.0))
    assert gc.isenabled() is before
