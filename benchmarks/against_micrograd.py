"""Measure scalargrad, with micrograd from PyPI beside it in the same process.

    python -m pip install -e '.[all,bench]'
    python -m benchmarks.against_micrograd [--write docs/benchmarks.md] [--rounds N]

Contestants take turns, A B A B …, and medians of processor time are compared, so that a machine
that is busy for a while slows both down. The garbage collector is on, as it is for everyone. A
turn starts on a clean heap with one run that is not timed, so that the timed one, as in any
training loop, meets the garbage of its own predecessor and none of the other contestant's.
"""

from __future__ import annotations

import argparse
import functools
import gc
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import scalargrad as sg
from benchmarks.measuring import Clock, Run, in_fresh_process
from benchmarks.moons.problem import SEED, labelled_points
from benchmarks.reporting import Finding, as_markdown, gathered, replace_section
from scalargrad import nn
from scalargrad.graph import topological_order

#: Points in the plane and their labels, 1 or -1.
Labelled = tuple[list[list[float]], list[float]]


class Library(NamedTuple):
    """What a program needs of an autodiff library."""

    name: str
    value: Callable[[float], Any]
    mlp: Callable[[int, list[int]], Any]


def scalargrad_library() -> Library:
    """Return scalargrad."""
    return Library("scalargrad", sg.Value, nn.MLP)


def micrograd_library() -> Library:
    """Return micrograd as published."""
    import micrograd.engine
    import micrograd.nn

    return Library("micrograd", micrograd.engine.Value, micrograd.nn.MLP)


# Programs -------------------------------------------------------------------------------------


def readme_expression(value: Callable[[float], Any]) -> tuple[Any, Any, Any]:
    """Run the expression of micrograd's README forwards and backwards; return a, b and g."""
    a = value(-4.0)
    b = value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    return a, b, g


def moons_step(library: Library, model: Any, moons: Labelled, rate: float) -> float:
    """Make one step of micrograd's two-moons demo on the whole batch; return the loss."""
    points, labels = moons
    inputs = [list(map(library.value, point)) for point in points]
    scores = list(map(model, inputs))
    losses = [(1 + -y * s).relu() for y, s in zip(labels, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    total = data_loss + 1e-4 * sum(p * p for p in model.parameters())
    model.zero_grad()
    total.backward()
    for parameter in model.parameters():
        parameter.data -= rate * parameter.grad
    return float(total.data)


def moons_model(library: Library) -> Any:
    """Return the untrained network of the two-moons demo."""
    random.seed(SEED)
    return library.mlp(2, [16, 16, 1])


def mixed_graph(rounds: int) -> sg.Value:
    """Build a graph of eleven nodes a round: products, sums, a power, units, a dot, constants."""
    x, y = sg.Value(0.5, "x"), sg.Value(-0.25, "y")
    for _ in range(rounds):
        s = sg.tanh(x * y + 0.1)
        t = sg.sigmoid(x - 2.0 * y)
        x, y = sg.dot([s, t, x], [t, y, s], 0.05), sg.relu(s - t) + s**2
    return x + y


def chain(length: int) -> tuple[sg.Value, sg.Value]:
    """Add 1 to a leaf again and again; return the leaf and the end."""
    leaf = end = sg.Value(0.0)
    for _ in range(length):
        end = end + 1.0
    return leaf, end


# Measuring ------------------------------------------------------------------------------------


def seconds(run: Run, clock: Clock) -> float:
    """Time the second of two runs that start on a heap without garbage."""
    gc.collect()
    run()
    start = clock()
    run()
    return clock() - start


def interleaved(
    first: Run, second: Run, rounds: int, clock: Clock = time.process_time
) -> tuple[float, float]:
    """Return the median times of `rounds` turns of each."""
    times = [(seconds(first, clock), seconds(second, clock)) for _ in range(rounds)]
    return median(a for a, _ in times), median(b for _, b in times)


def repeated(run: Run, times: int) -> Run:
    """Return a run that makes several."""

    def several() -> None:
        for _ in range(times):
            run()

    return several


def traced_bytes(build: Callable[[], object]) -> tuple[object, int]:
    """Return what `build` returns, and how many bytes it keeps alive."""
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        built = build()
        gc.collect()
        return built, tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()


# Findings -------------------------------------------------------------------------------------


def compare_readme(ours: Library, theirs: Library, rounds: int, times: int = 200) -> Finding:
    """Compare the README expression, forwards and backwards."""
    first, second = (functools.partial(readme_expression, x.value) for x in (ours, theirs))
    mine, other = interleaved(repeated(first, times), repeated(second, times), rounds)
    ratio = mine / other
    micros = 1e6 / times
    return Finding(
        "README expression, forward + backward",
        "≤ 0.5 of micrograd's time",
        f"{ratio:.2f} of micrograd's time ({mine * micros:.1f} against {other * micros:.1f} µs)",
        ratio <= 0.5,
    )


def compare_moons(ours: Library, theirs: Library, rounds: int, points: int = 100) -> Finding:
    """Compare a step of the two-moons demo, after checking that the losses are the same."""
    moons = labelled_points(points)
    mine_model, other_model = moons_model(ours), moons_model(theirs)

    def step(library: Library, model: Any) -> float:
        return moons_step(library, model, moons, rate=0.01)

    first = step(ours, mine_model), step(theirs, other_model)
    if abs(first[0] - first[1]) > 1e-9 * first[1]:
        raise AssertionError(f"the two programs differ: losses {first[0]} and {first[1]}")
    mine, other = interleaved(
        lambda: step(ours, mine_model), lambda: step(theirs, other_model), rounds
    )
    return Finding(
        f"Moons step, MLP(2, [16, 16, 1]), {points} samples",
        "≥ 40 × faster than micrograd",
        f"{other / mine:.0f} × faster ({mine * 1e3:.1f} against {other * 1e3:,.0f} ms)",
        other / mine >= 40.0,
    )


def bytes_per_node(copies: int = 500, rounds: int = 5000) -> Iterator[Finding]:
    """Measure the memory of a node, in the README expression and in a large mixed graph."""

    def expressions() -> list[sg.Value]:
        return [readme_expression(sg.Value)[2] for _ in range(copies)]

    def large() -> list[sg.Value]:
        root = mixed_graph(rounds)
        root.backward()
        return [root]

    for graph, build in [("README expression", expressions), ("large mixed graph", large)]:
        build()  # compiles what is compiled at first use
        roots, size = traced_bytes(build)
        assert isinstance(roots, list)
        each = size / len(topological_order(*roots))
        what = f"Memory of a node, {graph} after backward"
        yield Finding(what, "≤ 250 bytes", f"{each:.0f} bytes", each <= 250)


def long_chain(length: int = 1_000_000) -> Finding:
    """Build, back and free a chain, and count what is left to the garbage collector."""
    gc.collect()
    start = time.process_time()
    leaf, end = chain(length)
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


def linear_backward(rounds: int, size: int) -> Finding:
    """Compare backward over a mixed graph of `size` rounds and over one ten times as large."""
    small, large = mixed_graph(size), mixed_graph(10 * size)
    nodes = [len(topological_order(root)) for root in (small, large)]
    once, ten = interleaved(repeated(small.backward, 10), large.backward, rounds)
    ratio = 10 * ten / once
    return Finding(
        f"Backward over {nodes[1]:,} nodes against {nodes[0]:,}",
        "≤ 12 × for 10 × the nodes",
        f"{ratio:.1f} × ({ten * 1e3:.1f} against {once * 1e2:.1f} ms)",
        ratio <= 12.0,
    )


def import_time(rounds: int) -> Iterator[Finding]:
    """Measure importing scalargrad in fresh interpreters, in turns with bare ones."""
    program = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"
    inside: list[float] = []

    def importing() -> None:
        inside.append(float(in_fresh_process(program.format("scalargrad"))))

    def nothing() -> None:
        in_fresh_process(program.format("time"))

    whole, bare = interleaved(importing, nothing, rounds, time.perf_counter)
    took = median(inside) * 1e3
    yield Finding("import scalargrad", "< 60 ms", f"{took:.0f} ms", took < 60.0)
    yield Finding(
        "Process that imports scalargrad, above a bare one",
        "",
        f"{(whole - bare) * 1e3:.0f} ms ({whole * 1e3:.0f} against {bare * 1e3:.0f} ms)",
        None,
    )


def findings(rounds: int) -> Iterator[Finding]:
    """Measure everything, most interesting first."""
    ours, theirs = scalargrad_library(), micrograd_library()
    yield compare_readme(ours, theirs, 5 * rounds)
    yield compare_moons(ours, theirs, rounds)
    yield from bytes_per_node()
    yield long_chain()
    for size in (200, 2000):
        yield linear_backward(rounds, size)
    yield from import_time(3 * rounds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and, if asked, put it into its section of a file."""
    parser = argparse.ArgumentParser(description="Measure scalargrad beside micrograd.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into FILE too")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="turns per contestant")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds: at least one turn is needed")
    try:
        rows = gathered(findings(options.rounds))
    except ImportError as error:
        parser.error(f"{error}; python -m pip install -e '.[all,bench]' installs what is needed")
    if options.write is not None:
        replace_section(options.write, "eager", as_markdown(rows))


if __name__ == "__main__":
    main()
