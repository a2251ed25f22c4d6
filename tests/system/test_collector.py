"""The garbage collector, out of the way while graphs and programs are built."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from tests.garbage import collector_off

from scalargrad import Value, jit, tanh, value_and_grad, vmap
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


def of_the_compiler() -> int:
    """Return how many objects of the compiler's classes there are."""
    made = [str(type(x).__module__) for x in gc.get_objects()]
    return sum(module.startswith("scalargrad.compiler") for module in made)


@pytest.mark.parametrize("taken", [1, 20])
def test_a_compiled_function_is_freed_with_all_it_took(taken: int) -> None:
    """No search for cycles is needed, neither for its programs nor for what compiled them."""
    pytest.importorskip("numpy")

    def step(w: list[Any], xs: Any) -> Any:
        each = vmap(lambda x: tanh(sum(a * b for a, b in zip(w, x, strict=True))) + x[0])
        loss, slopes = value_and_grad(lambda w: sum(each(xs)) * w[0])(w)
        return loss, [a - 0.1 * b for a, b in zip(w, slopes, strict=True)]

    def run() -> None:
        compiled = jit(step)
        for _ in range(taken):
            compiled([0.1, 0.2, 0.3], [[1.0, 2.0, 3.0], [0.5, 0.1, 0.2]])

    run()  # compiles what all programs share
    with collector_off():
        before = of_the_compiler()
        run()
        assert of_the_compiler() == before
