"""The two-moons step from plain scalar code, beside C by hand, JAX, PyTorch and micrograd.

Forward, backward and update of MLP(2, [16, 16, 1]), 337 parameters, on 100 points, float64, one
thread. All contenders run in one process in turns; the medians of the turns are shown. Run with

    taskset -c 1 python benchmarks/jit_moons.py [relu|tanh|sigmoid]

Peers that are not installed are left out.
"""

from __future__ import annotations

import ctypes
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")

import scalargrad as sg

ACTIVATION = sys.argv[1] if len(sys.argv) > 1 else "relu"
TURNS, CALLS, RATE = 40, 20, 1e-9
LAYERS = ((2, 16), (16, 16), (16, 1))
Contender = Callable[[], Any]


def moons() -> tuple[list[list[float]], list[float]]:
    """Return the points and labels of the demo."""
    from sklearn.datasets import make_moons

    points, labels = make_moons(n_samples=100, noise=0.1, random_state=1337)
    return points.tolist(), [2.0 * y - 1.0 for y in labels.tolist()]


POINTS, LABELS = moons()


def network(parameters: list[Any], x: list[Any]) -> Any:
    """Compute the score of one point, number by number."""
    remaining = iter(parameters)
    for depth, (_, nout) in enumerate(LAYERS):
        outputs = []
        for _ in range(nout):
            s = sum(next(remaining) * xi for xi in x) + next(remaining)
            outputs.append(getattr(s, ACTIVATION)() if depth < 2 else s)
        x = outputs
    return x[0]


def loss(parameters: list[Any]) -> Any:
    """Return the max-margin loss with L2 regularisation."""
    margins = [
        (1 + -y * network(parameters, x)).relu() for x, y in zip(POINTS, LABELS, strict=True)
    ]
    return sum(margins) * (1.0 / len(margins)) + 1e-4 * sum(p * p for p in parameters)


def step(parameters: list[Any], rate: Any) -> Any:
    """Return the loss and the parameters after one step of gradient descent."""
    value, gradient = sg.value_and_grad(loss)(parameters)
    return value, [p - rate * g for p, g in zip(parameters, gradient, strict=True)]


def initial() -> list[float]:
    """Return the parameters of the demo's network."""
    random.seed(1337)
    return [p.data for p in sg.nn.MLP(2, [16, 16, 1]).parameters()]


def resident() -> Contender:
    """Return the compiled step with its parameters resident in the program's memory."""
    compiled = sg.jit(step)
    started = time.perf_counter()
    compiled(initial(), RATE)
    print(f"record and compile the step: {time.perf_counter() - started:.2f} s")
    ((path,),) = compiled._paths.values()
    runner = path.function.values
    (machine, _), outputs = runner._idle[-1], runner.packed.outputs
    updated = machine.memory[outputs.start + 1 : outputs.stop]

    def run() -> float:
        machine.run()
        machine.memory[:337] = updated
        return float(machine.memory[outputs.start])

    return run


def decorated() -> Contender:
    """Return micrograd's own loop with a decorator on the loss, parameters as Values."""
    parameters = [sg.Parameter(x) for x in initial()]
    compiled = sg.jit(lambda: loss(parameters))

    def run() -> float:
        value = compiled()
        for p in parameters:
            p.grad = 0.0
        value.backward()
        for p in parameters:
            p.data -= RATE * p.grad
        return float(value.data)

    return run


def by_hand_in_c() -> Contender:
    """Return the step written in C."""
    forward = {"relu": "((s) > 0.0 ? (s) : 0.0)", "tanh": "tanh(s)"}
    slope = {"relu": "((y) > 0.0 ? 1.0 : 0.0)", "tanh": "(1.0 - (y) * (y))"}
    forward["sigmoid"], slope["sigmoid"] = "(1.0 / (1.0 + exp(-(s))))", "((y) * (1.0 - (y)))"
    library = Path(tempfile.mkdtemp()) / "moons.so"
    source = Path(__file__).parent / "moons" / "by_hand.c"
    options = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    macros = [f"-DACTIVATE(s)={forward[ACTIVATION]}", f"-DSLOPE(y)={slope[ACTIVATION]}"]
    subprocess.run(["gcc", *options, *macros, source, "-o", library, "-lm"], check=True)
    function = ctypes.CDLL(str(library)).step
    function.restype = ctypes.c_double
    function.argtypes = [ctypes.c_void_p] * 3 + [ctypes.c_double]
    arrays = [np.array(initial()), np.array(POINTS).T.copy(), np.array(LABELS)]
    addresses = [a.ctypes.data for a in arrays]
    return lambda: (function(*addresses, RATE), arrays)[0]


def matrices() -> list[tuple[Any, Any]]:
    """Return the parameters as weight matrices and biases."""
    numbers, found = np.array(initial()), []
    for nin, nout in LAYERS:
        block, numbers = numbers[: nout * (nin + 1)].reshape(nout, -1), numbers[nout * (nin + 1) :]
        found.append((block[:, :-1].copy(), block[:, -1].copy()))
    return found


def jax_by_hand() -> Contender:
    """Return the vectorised step, compiled by JAX."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    activate = getattr(jax.nn, ACTIVATION)
    xs, ys = jnp.array(POINTS), jnp.array(LABELS)

    def vectorised(layers: Any) -> Any:
        h = xs
        for depth, (w, b) in enumerate(layers):
            h = h @ w.T + b
            h = activate(h) if depth < 2 else h
        penalty = sum((w * w).sum() + (b * b).sum() for w, b in layers)
        return jnp.maximum(1 - ys * h[:, 0], 0).mean() + 1e-4 * penalty

    def step(layers: Any) -> Any:
        value, gradient = jax.value_and_grad(vectorised)(layers)
        return value, jax.tree.map(lambda p, g: p - RATE * g, layers, gradient)

    stepped = jax.jit(step)

    state = [None, [(jnp.array(w), jnp.array(b)) for w, b in matrices()]]

    def run() -> float:
        state[:] = stepped(state[1])
        return float(state[0].block_until_ready())  # type: ignore[union-attr]

    return run


def pytorch_by_hand() -> Contender:
    """Return the vectorised step in PyTorch."""
    import torch

    torch.set_num_threads(1)
    xs = torch.tensor(POINTS, dtype=torch.float64)
    ys = torch.tensor(LABELS, dtype=torch.float64)
    layers = [tuple(torch.tensor(x, requires_grad=True) for x in pair) for pair in matrices()]
    tensors = [x for pair in layers for x in pair]
    activate = getattr(torch, ACTIVATION)

    def run() -> float:
        h = xs
        for depth, (w, b) in enumerate(layers):
            h = h @ w.T + b
            h = activate(h) if depth < 2 else h
        value = (1 - ys * h[:, 0]).relu().mean() + 1e-4 * sum((x * x).sum() for x in tensors)
        for x in tensors:
            x.grad = None
        value.backward()
        with torch.no_grad():
            for x in tensors:
                x -= RATE * x.grad
        return float(value.detach())

    return run


def micrograd() -> Contender:
    """Return the step on micrograd's Values, as published."""
    from micrograd.engine import Value

    parameters = [Value(x) for x in initial()]

    def run() -> float:
        value = loss(parameters)
        for p in parameters:
            p.grad = 0
        value.backward()
        for p in parameters:
            p.data -= RATE * p.grad
        return float(value.data)

    return run


def timed(run: Contender, calls: int) -> float:
    """Return microseconds a call."""
    started = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - started) / calls * 1e6


def main() -> None:
    """Run all contenders in turns and print medians and ratios."""
    builders = [resident, decorated, by_hand_in_c, jax_by_hand, pytorch_by_hand]
    contenders: dict[str, Contender] = {}
    for build in builders:
        try:
            contenders[build.__name__] = build()
        except (ImportError, OSError) as error:
            print(f"{build.__name__} is left out: {error}")
    values = {name: run() for name, run in contenders.items()}
    assert all(math.isclose(v, values["resident"], rel_tol=1e-6) for v in values.values()), values
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(TURNS):
        for name, run in contenders.items():
            times[name].append(timed(run, CALLS))
    medians = {name: statistics.median(found) for name, found in times.items()}
    if ACTIVATION == "relu":
        try:
            medians["micrograd"] = timed(micrograd(), 1)
        except ImportError as error:
            print(f"micrograd is left out: {error}")
    for name, microseconds in medians.items():
        ratio = microseconds / medians["resident"]
        print(f"{name:16} {microseconds:12.1f} µs a step   {ratio:10.2f} × resident")


if __name__ == "__main__":
    main()
