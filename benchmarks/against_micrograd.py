"""Measure eager evaluation, with micrograd from PyPI in the same process.

    python -m pip install -e '.[all,bench]'
    python -m benchmarks.against_micrograd [--write docs/benchmarks.md] [--repeats N]

Processor time is compared.
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any

import scalargrad as sg
from benchmarks.comparing import Comparison, Items, Row, main
from benchmarks.measuring import Run, measure_memory, run_in_new_process
from benchmarks.moons import problem as demo
from benchmarks.replay.corpus.headlines import readme_expression
from benchmarks.reporting import Finding, duration
from scalargrad.graph import topological_order

IMPORT = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


#: The module that defines Value; in both libraries, networks are in a module `nn`.
ENGINES = {"scalargrad": "scalargrad", "micrograd": "micrograd.engine"}


def readme(library: str) -> Run:
    """Return a run of the README's expression, forward and backward, after checking its numbers."""
    value = import_module(ENGINES[library]).Value

    def run() -> tuple[float, ...]:
        a, b = value(-4.0), value(2.0)
        g = readme_expression(a, b, value.relu)
        g.backward()
        return g.data, a.grad, b.grad

    assert [f"{x:.4f}" for x in run()] == ["24.7041", "138.8338", "645.5773"]
    return run


def moons_step(library: str) -> Run:
    """Return a step of micrograd's two-moons demo on the whole batch, with a library's networks."""
    value, mlp = import_module(ENGINES[library]).Value, import_module(f"{library}.nn").MLP
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
    """Build a graph of eleven nodes per round: products, sums, a power, units, a dot, constants."""
    x, y = sg.Value(0.5, "x"), sg.Value(-0.25, "y")
    for _ in range(rounds):
        s = sg.tanh(x * y + 0.1)
        t = sg.sigmoid(x - 2.0 * y)
        x, y = sg.dot([s, t, x], [t, y, s], 0.05), sg.relu(s - t) + s**2
    return x + y


def bytes_per_node(copies: int = 500, rounds: int = 5000) -> Iterator[Finding]:
    """Measure the memory of a node, in the README expression and in a large mixed graph."""

    def expressions() -> list[sg.Value]:
        numbers = [(sg.Value(-4.0), sg.Value(2.0)) for _ in range(copies)]
        return [readme_expression(a, b, sg.relu) for a, b in numbers]

    def build_and_differentiate(build: Callable[[], list[sg.Value]]) -> list[sg.Value]:
        roots = build()
        for root in roots:
            root.backward()
        return roots

    graphs = {"README expression": expressions, "large mixed graph": lambda: [mixed_graph(rounds)]}
    for graph, build in graphs.items():
        build_and_differentiate(build)  # compiles the functions that are compiled at first use
        roots, size, _ = measure_memory(partial(build_and_differentiate, build))
        each = size / len(topological_order(*roots))
        what = f"Memory of a node, {graph} after backward"
        yield Finding(what, "at most 250 bytes", f"{each:.0f} bytes", each <= 250)


def long_chain(length: int = 1_000_000) -> Finding:
    """Build a chain of additions, run backward and free it; count what the collector finds."""
    gc.collect()
    start = time.process_time()
    leaf = end = sg.Value(0.0)
    for _ in range(length):
        end = end + 1.0
    built = time.process_time()
    end.backward()
    differentiated = time.process_time()
    del end
    freed = time.process_time()
    left = gc.collect()
    seconds = (built - start, differentiated - built, freed - differentiated)
    measured = f"{' + '.join(f'{x:.2f}' for x in seconds)} s, {left} left"
    what, goal = (
        f"Chain of {length:,} nodes built, swept backward, freed",
        "nothing left to collect",
    )
    return Finding(what, f"no recursion, {goal}", measured, left == 0 and leaf.grad == 1.0)


def backward(size: int) -> Comparison:
    """Compare backward over a mixed graph with backward over one that is ten times as large."""
    graphs = [mixed_graph(rounds) for rounds in (10 * size, size)]
    large, small = (f"{len(topological_order(graph)):,} nodes" for graph in graphs)
    makers = {large: lambda: graphs[0].backward, small: lambda: graphs[1].backward}
    return Comparison("Backward", makers, [Row(large, small, at_most=12)], time.process_time)


def comparisons() -> Items:
    """Yield the comparisons, the most interesting first."""
    us, them = ENGINES
    for what, run, row in [
        ("README expression, forward + backward", readme, Row(us, them, at_most=0.5)),
        ("Moons step, MLP(2, [16, 16, 1]), 100 samples", moons_step, Row(us, them, at_least=40)),
    ]:
        makers = {name: partial(run, name) for name in ENGINES}
        yield Comparison(what, makers, [row], time.process_time)
    yield from bytes_per_node()
    yield long_chain()
    yield from map(backward, (200, 2000))
    took = median(float(run_in_new_process(IMPORT.format("scalargrad"))) for _ in range(21))
    yield duration("import scalargrad", took, 0.06)


if __name__ == "__main__":
    main("eager", comparisons, repeats=21)
