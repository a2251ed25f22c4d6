"""Measure eager evaluation, with micrograd from PyPI in the same process.

    python -m pip install -e '.[all,bench]'
    python -m benchmarks.against_micrograd [--write docs/benchmarks.md] [--turns N]

Processor time is compared.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import scalargrad as sg
from benchmarks.comparing import Comparison, Items, Row, main
from benchmarks.measuring import Run, in_fresh_process, traced_bytes
from benchmarks.moons import problem as demo
from benchmarks.reporting import Finding, duration
from scalargrad import nn
from scalargrad.graph import topological_order

IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


def scalargrad() -> tuple[Any, Any]:
    """Return the class of numbers and that of networks."""
    return sg.Value, nn.MLP


def micrograd() -> tuple[Any, Any]:
    """Return those of micrograd as published."""
    import micrograd.engine
    import micrograd.nn

    return micrograd.engine.Value, micrograd.nn.MLP


US, THEM = "scalargrad", "micrograd"
BOTH = {US: scalargrad, THEM: micrograd}


def readme_expression(a: Any, b: Any, relu: Callable[[Any], Any]) -> Any:
    """Compute the expression of micrograd's README."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def readme(library: Callable[[], tuple[Any, Any]]) -> Run:
    """Return the README's expression forwards and backwards, after a look at its numbers."""
    value, _ = library()

    def run() -> tuple[float, ...]:
        a, b = value(-4.0), value(2.0)
        g = readme_expression(a, b, value.relu)
        g.backward()
        return g.data, a.grad, b.grad

    assert [f"{x:.4f}" for x in run()] == ["24.7041", "138.8338", "645.5773"]
    return run


def moons_step(library: Callable[[], tuple[Any, Any]]) -> Run:
    """Return a step of micrograd's two-moons demo on the whole batch, on a library's networks."""
    value, mlp = library()
    points, labels = demo.labelled_points()
    random.seed(demo.SEED)
    model = mlp(demo.WIDTHS[0], list(demo.WIDTHS[1:]))

    def total() -> Any:
        scores = [model(list(map(value, point))) for point in points]
        losses = [(1 + -y * s).relu() for y, s in zip(labels, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        return data_loss + demo.PENALTY * sum(p * p for p in model.parameters())

    return demo.on_values(total, model.parameters(), 0.01)


def mixed_graph(rounds: int) -> sg.Value:
    """Build a graph of eleven nodes a round: products, sums, a power, units, a dot, constants."""
    x, y = sg.Value(0.5, "x"), sg.Value(-0.25, "y")
    for _ in range(rounds):
        s = sg.tanh(x * y + 0.1)
        t = sg.sigmoid(x - 2.0 * y)
        x, y = sg.dot([s, t, x], [t, y, s], 0.05), sg.relu(s - t) + s**2
    return x + y


def bytes_per_node(copies: int = 500, rounds: int = 5000) -> Iterator[Finding]:
    """Measure the memory of a node, in the README expression and in a large mixed graph."""

    def whole(root: sg.Value) -> sg.Value:
        root.backward()
        return root

    def expressions() -> list[sg.Value]:
        numbers = [(sg.Value(-4.0), sg.Value(2.0)) for _ in range(copies)]
        return [whole(readme_expression(a, b, sg.relu)) for a, b in numbers]

    def large() -> list[sg.Value]:
        return [whole(mixed_graph(rounds))]

    for graph, build in [("README expression", expressions), ("large mixed graph", large)]:
        build()  # compiles what is compiled at first use
        roots, size, _ = traced_bytes(build)
        each = size / len(topological_order(*roots))
        what = f"Memory of a node, {graph} after backward"
        yield Finding(what, "at most 250 bytes", f"{each:.0f} bytes", each <= 250)


def long_chain(length: int = 1_000_000) -> Finding:
    """Build, back and free a chain of additions, and count what is left to the collector."""
    gc.collect()
    start = time.process_time()
    leaf = end = sg.Value(0.0)
    for _ in range(length):
        end = end + 1.0
    built = time.process_time()
    end.backward()
    backed = time.process_time()
    del end
    freed = time.process_time()
    left = gc.collect()
    times = [built - start, backed - built, freed - backed]
    return Finding(
        f"Chain of {length:,} nodes built, swept backward, freed",
        "no recursion, nothing left to collect",
        f"{' + '.join(f'{t:.2f}' for t in times)} s, {left} left",
        left == 0 and leaf.grad == 1.0,
    )


def backward(size: int) -> Comparison:
    """Compare backward over a mixed graph of so many rounds and over one ten times as large."""
    graphs = [mixed_graph(rounds) for rounds in (10 * size, size)]
    large, small = (f"{len(topological_order(graph)):,} nodes" for graph in graphs)
    makers = {large: lambda: graphs[0].backward, small: lambda: graphs[1].backward}
    return Comparison("Backward", makers, [Row(large, small, at_most=12)], time.process_time)


def comparisons() -> Items:
    """Yield what is measured, most interesting first."""
    for what, run, row in [
        ("README expression, forward + backward", readme, Row(US, THEM, at_most=0.5)),
        ("Moons step, MLP(2, [16, 16, 1]), 100 samples", moons_step, Row(US, THEM, at_least=40)),
    ]:
        makers = {name: partial(run, library) for name, library in BOTH.items()}
        yield Comparison(what, makers, [row], time.process_time)
    yield from bytes_per_node()
    yield long_chain()
    yield from map(backward, (200, 2000))
    took = median(float(in_fresh_process(IMPORT.format("scalargrad"))) for _ in range(21))
    yield duration("import scalargrad", took, 0.06)


if __name__ == "__main__":
    main("eager", comparisons, turns=21)
