"""Soak test: does memory stay where it is? ``python -m fuzz.soak`` takes some minutes.

A jitted step a million times, a compiled function in ten thousand shapes of its arguments, ten
thousand eager graphs. The second half of each may need 1 % more memory than the process had after
the first half, no more.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import scalargrad as sg
from scalargrad import Value

#: How much a process may grow in the second half of a load, as a share of what it had.
MOST = 0.01
#: For so many shapes of its arguments a compiled function keeps programs.
SHAPES = 1_024


def steps(count: int) -> Iterator[None]:
    """Take steps of gradient descent, compiled, one call for each."""
    step = sg.jit(lambda w, x: w - 0.01 * sg.grad(lambda v: (v * x - 1.0) ** 2)(w))
    w = 0.5
    for k in range(count):
        w = step(w, 1.0 + k % 7)
        yield


def shapes(count: int) -> Iterator[None]:
    """Call a compiled function in more and more shapes, ten times each.

    As many programs are kept as a function may have, of the shapes called last. Both halves end
    with the same ones: else the memory would differ by what some shapes take more than others.
    """
    norm = sg.jit(lambda rows: sg.sqrt(sum(x * x for row in rows for x in row)))
    every = [(a, b, c, d) for a in range(1, 11) for b in range(1, 11)
             for c in range(1, 11) for d in range(1, 11)]  # fmt: skip
    random.Random(0).shuffle(every)
    half = count // 20
    kept = min(SHAPES, half // 2)
    last, others = every[:kept], every[kept:]
    first, second = others[: half - kept], others[half - kept : 2 * (half - kept)]
    for lengths in [*first, *last, *second, *last]:
        for k in range(10):
            rows = [[1.0 + k % 3] * length for length in lengths]
            assert abs(norm(rows) - (1.0 + k % 3) * sum(lengths) ** 0.5) < 1e-9
            yield


def graphs(count: int) -> Iterator[None]:
    """Build graphs of 600 nodes, sweep them and let them go."""
    for k in range(count):
        x = Value(0.5 + 1e-6 * k)
        y = x
        for _ in range(200):
            y = sg.sin(y) * x + y
        y.backward()
        yield


LOADS: dict[str, tuple[Callable[[int], Iterator[None]], int]] = {
    "steps": (steps, 1_000_000),
    "shapes": (shapes, 110_240),  # 10,000 shapes, of which 1,024 twice,
    "graphs": (graphs, 10_000),
}


def memory() -> int:
    """Return the bytes this process holds, after what is free has been given back (Linux)."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


def growth(load: Callable[[int], Iterator[None]], count: int, at: Callable[[], int]) -> float:
    """Return by which share what `at` measures grew in the second half of a load.

    Both times the load is under way, and has what it keeps: at its end that would be let go of.
    """
    found = [at() for k, _ in enumerate(load(count), 1) if k in {count // 2, count}]
    halfway, end = found
    return end / halfway - 1.0


def main() -> None:
    """Run the loads asked for, and fail where memory grew."""
    parser = argparse.ArgumentParser(prog="python -m fuzz.soak", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=LOADS, default=[*LOADS])
    parser.add_argument("--share", type=float, default=1.0, help="of the calls (default: all)")
    chosen = parser.parse_args()
    leaking = []
    for name in chosen.only:
        load, count = LOADS[name]
        calls = int(count * chosen.share / 20) * 20  # ten calls for each shape, in two halves
        grown = growth(load, calls, memory)
        print(f"{name}: {calls:,} calls, {memory() >> 20} MB, {grown:+.2%}")
        leaking += [name] * (grown > MOST)
    if leaking:
        sys.exit(f"memory grows: {', '.join(leaking)}")


if __name__ == "__main__":
    main()
