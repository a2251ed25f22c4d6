"""Threads, tasks and processes that run at the same time get the results of a single one."""

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
    """Differentiate a graph of a few hundred nodes."""
    x = Value(0.1 * (k + 1), "x")
    y = x
    for _ in range(100):
        y = sg.sin(y) + x * y
    y.backward()
    return y.data, x.grad


def second_derivative(k: int) -> Any:
    """Return a second derivative, which nests graphs."""
    return sg.grad(sg.grad(lambda x: sg.exp(x) * sg.sin(k * x)))(0.3)


def without_graph(k: int) -> Any:
    """Switch gradients off and on again."""
    x = Value(float(k))
    with sg.no_grad():
        y = x * x
        with sg.enable_grad():
            z = x * x
    return len(y.parents), len(z.parents)


def compile_and_call(k: int) -> Any:
    """Compile a function, and call it several times."""
    weight = Value(0.5 + k)
    function = sg.jit(lambda x: sg.tanh(weight * x) * x)
    outputs = [function(0.1 * i) for i in range(5)]
    outputs[-1].backward()
    return [y.data for y in outputs], weight.grad


def train_model(k: int, train: Any, **options: Any) -> tuple[Any, nn.Module]:
    """Train a small network with its own seed."""
    model = nn.MLP(2, [3, 1], rng=k)
    inputs = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    moving = optim.SGD(model.parameters(), lr=0.1)
    found = train(model, inputs, [1.0, 1.0, 0.0, 0.0], loss=losses.mse_loss, optimizer=moving,
                  epochs=3, seed=k, quiet=True, **options)  # fmt: skip
    return found, model


def train_eager_and_compiled(k: int) -> Any:
    """Train twice, with automatic compilation and with compiled steps."""
    found = [train_model(k, sg.train.fit, jit=jit) for jit in (None, True)]
    return [(history["loss"], [p.data for p in model.parameters()]) for history, model in found]


def save_page(page: Any) -> str:
    """Write a page, and return the text of the file."""
    with TemporaryDirectory() as folder:
        text: str = page.save(Path(folder) / "page.html").read_text(encoding="utf-8")
        return text


def step_page(k: int) -> Any:
    """Write a step page."""
    x, y = Value(-2.0 + k, "x"), Value(5.0, "y")
    return save_page(sg.walk((x + y) * x))


def picture(k: int) -> Any:
    """Draw a graph after its backward pass."""
    x, y = Value(-2.0 + k, "x"), Value(5.0, "y")
    f = sg.tanh((x + y) * x)
    f.backward()
    return sg.draw(f).svg()


def training_page(k: int) -> Any:
    """Train with watch, and return the text of the page."""
    return save_page(train_model(k, sg.watch)[0])


def test_threads_give_the_results_of_a_single_thread() -> None:
    """Eight at once, of one kind or of several, give the results of sequential calls."""
    kinds: list[Callable[[int], Any]] = [
        *(
            differentiate,
            second_derivative,
            without_graph,
            compile_and_call,
            train_eager_and_compiled,
        ),
        *(step_page, picture, training_page),
    ]
    by_kind = [(work, k) for work in kinds for k in range(4)]
    mixed = [(work, k) for k in range(4) for work in kinds]
    alone = {(work, k): work(k) for work, k in by_kind}
    with ThreadPoolExecutor(WORKERS) as pool:
        for calls in (by_kind, mixed):
            running = [pool.submit(work, k) for work, k in calls]
            assert [run.result() for run in running] == [alone[call] for call in calls]


def test_jit_function_shared_by_threads_gives_right_results() -> None:
    """Eight threads call a compiled function from its first call on."""
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
def test_processes_give_the_bits_of_this_process(
    method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes agree with this one under every start method."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
    context = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        for work in (differentiate, compile_and_call):
            assert list(pool.map(work, range(4))) == [work(k) for k in range(4)]
