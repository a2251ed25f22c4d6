"""Threads, tasks and processes that work at the same time get what each would get alone."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import Value, losses, nn, optim

WORKERS = 8


def differentiate(k: int) -> Any:
    """Build a graph of a few hundred nodes, and sweep it."""
    x = Value(0.1 * (k + 1), "x")
    y = x
    for _ in range(100):
        y = sg.sin(y) + x * y
    y.backward()
    return y.data, x.grad


def second_derivative(k: int) -> Any:
    """Nest derivatives, which record inside one another."""
    return sg.grad(sg.grad(lambda x: sg.exp(x) * sg.sin(k * x)))(0.3)


def without_graph(k: int) -> Any:
    """Switch recording off and on again."""
    x = Value(float(k))
    with sg.no_grad():
        y = x * x
        with sg.enable_grad():
            z = x * x
    return len(y.parents), len(z.parents)


def compiled(k: int) -> Any:
    """Compile a function of its own, call it, and call it again."""
    weight = Value(0.5 + k)
    function = sg.jit(lambda x: sg.tanh(weight * x) * x)
    outputs = [function(0.1 * i) for i in range(5)]
    outputs[-1].backward()
    return [y.data for y in outputs], weight.grad


def learned(k: int, train: Any, **options: Any) -> tuple[Any, nn.Module]:
    """Train a small network of its own, with a seed of its own."""
    model = nn.MLP(2, [3, 1], rng=k)
    inputs = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    moving = optim.SGD(model.parameters(), lr=0.1)
    found = train(model, inputs, [1.0, 1.0, 0.0, 0.0], loss=losses.mse_loss, optimizer=moving,
                  epochs=3, seed=k, quiet=True, **options)  # fmt: skip
    return found, model


def trained(k: int) -> Any:
    """Train eagerly at first, and with compiled steps."""
    found = [learned(k, sg.train.fit, jit=jit) for jit in (None, True)]
    return [(history["loss"], [p.data for p in model.parameters()]) for history, model in found]


def saved(page: Any) -> str:
    """Write a page, and read what stands in the file."""
    with TemporaryDirectory() as folder:
        text: str = page.save(Path(folder) / "page.html").read_text(encoding="utf-8")
        return text


def page(k: int) -> Any:
    """Write a step page."""
    x, y = Value(-2.0 + k, "x"), Value(5.0, "y")
    return saved(sg.walk((x + y) * x))


def picture(k: int) -> Any:
    """Draw a graph after its backward pass."""
    x, y = Value(-2.0 + k, "x"), Value(5.0, "y")
    f = sg.tanh((x + y) * x)
    f.backward()
    return sg.draw(f).svg()


def training_page(k: int) -> Any:
    """Train under watch, and write the page of it."""
    return saved(learned(k, sg.watch)[0])


def test_threads_get_what_each_would_get_alone() -> None:
    """Eight at once, of one kind or of several, give the results of one after the other."""
    kinds: list[Callable[[int], Any]] = [
        *(differentiate, second_derivative, without_graph, compiled, trained),
        *(page, picture, training_page),
    ]
    by_kind = [(work, k) for work in kinds for k in range(4)]
    mixed = [(work, k) for k in range(4) for work in kinds]
    alone = {(work, k): work(k) for work, k in by_kind}
    with ThreadPoolExecutor(WORKERS) as pool:
        for calls in (by_kind, mixed):
            running = [pool.submit(work, k) for work, k in calls]
            assert [run.result() for run in running] == [alone[call] for call in calls]


def test_threads_share_one_compiled_function() -> None:
    """A compiled function called by eight threads from its first call on is right in all."""
    function = sg.jit(lambda x, y: sg.sin(x) * sg.exp(y))
    alone = [float(sg.sin(0.1 * k) * sg.exp(0.2)) for k in range(64)]
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(lambda k: function(0.1 * k, 0.2), range(64)))
    assert found == pytest.approx(alone, rel=1e-14)


@pytest.mark.parametrize(
    "method",
    [x if x == "fork" else pytest.param(x, marks=pytest.mark.wide)
     for x in multiprocessing.get_all_start_methods()],
)  # fmt: skip
def test_processes_get_what_this_one_gets(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under every start method, processes give the bits of this process."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        for work in (differentiate, compiled):
            assert list(pool.map(work, range(4))) == [work(k) for k in range(4)]
