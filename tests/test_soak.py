"""Memory: results leave nothing behind, and the state of the collector is restored."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.garbage_collection import gc_disabled

from scalargrad import TraceError, Value, grad, jit, sin, tanh, value_and_grad, vmap
from scalargrad.losses import mse_loss
from scalargrad.nn import Linear
from scalargrad.optim import SGD
from scalargrad.train import fit

Load = Callable[[int], Iterator[None]]


def steps(count: int) -> Iterator[None]:
    """Take steps of compiled gradient descent, one call for each."""
    step = jit(lambda w, x: w - 0.01 * grad(lambda v: (v * x - 1.0) ** 2)(w))
    w = 0.5
    for k in range(count):
        w = step(w, 1.0 + k % 7)
        yield


def graphs(count: int) -> Iterator[None]:
    """Build graphs of 600 nodes, differentiate them and drop them."""
    for k in range(count):
        x = Value(0.5 + 1e-6 * k)
        y = x
        for _ in range(200):
            y = sin(y) * x + y
        y.backward()
        yield


def relative_growth(load: Load, count: int, at: Callable[[], int]) -> float:
    """Return the relative growth of a measure in the second half of a load.

    Both measurements are during the load, because its end frees what it keeps.
    """
    found = [at() for k, _ in enumerate(load(count), 1) if k in {count // 2, count}]
    halfway, end = found
    return end / halfway - 1.0


@pytest.mark.parametrize(("load", "calls"), [(steps, 4_000), (graphs, 40)])
def test_jit_and_backward_do_not_accumulate_objects(load: Load, calls: int) -> None:
    """The second half of a load leaves no more objects than the first."""

    def objects() -> int:
        gc.collect()
        return len(gc.get_objects())

    assert relative_growth(load, calls, objects) < 0.01


def count_package_objects() -> int:
    """Return the number of objects of the package's classes."""
    made = [str(type(x).__module__) for x in gc.get_objects()]
    return sum(module.startswith("scalargrad") for module in made)


@pytest.mark.parametrize("calls", [1, 20])
def test_jit_function_is_freed_with_its_programs(calls: int) -> None:
    """Reference counting frees its programs and the objects of their compilation."""

    def step(w: list[Any], xs: Any) -> Any:
        each = vmap(lambda x: tanh(sum(a * b for a, b in zip(w, x, strict=True))) + x[0])
        loss, slopes = value_and_grad(lambda w: sum(each(xs)) * w[0])(w)
        return loss, [a - 0.1 * b for a, b in zip(w, slopes, strict=True)]

    def run() -> None:
        compiled = jit(step)
        for _ in range(calls):
            compiled([0.1, 0.2, 0.3], [[1.0, 2.0, 3.0], [0.5, 0.1, 0.2]])

    run()  # compiles code that all programs share
    with gc_disabled():
        collector_is_on = count_package_objects()
        run()
        assert count_package_objects() == collector_is_on


@pytest.fixture(params=[True, False])
def collector_is_on(request: pytest.FixtureRequest) -> Iterator[bool]:
    """Enable or disable the collector, and restore its state afterwards."""
    found = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if found else gc.disable)()


def test_jit_and_fit_pause_the_collector_and_restore_its_state(collector_is_on: bool) -> None:
    """Compilation and training steps restore it, also after an error."""
    during: list[bool] = []

    @jit
    def square(x: Value) -> Value:
        if gc.isenabled():
            raise ValueError("the collector is on")
        return x * x

    def loss(predictions: Any, targets: Any) -> Any:
        during.append(gc.isenabled())
        if len(during) > 4:
            raise ValueError("enough")
        return mse_loss(predictions, targets)

    assert square(Value(3.0)).data == 9.0
    assert gc.isenabled() is collector_is_on
    with pytest.raises(TraceError):
        jit(lambda x: x.data)(Value(3.0))
    assert gc.isenabled() is collector_is_on
    model = Linear(1, 1, rng=0)
    with pytest.raises(ValueError, match="enough"):
        fit(model, [[1.0]], [[2.0]], loss=loss, optimizer=SGD(model.parameters()), quiet=True)
    assert gc.isenabled() is collector_is_on
    assert not any(during[1:])  # after the trial
