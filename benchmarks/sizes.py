"""Sizes: what grows how far, for docs/explained/limits.md.

Processor time and memory of graphs, recordings and pages of several sizes, each measured in a
process of its own. Run, in a minute or two, with

    python -m benchmarks.sizes
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measuring import pack_anew

#: What is measured at which sizes.
SIZES = {
    "graph": (10_000, 100_000, 1_000_000),
    "record": (10_000, 100_000, 1_000_000),
    "vmap": (10_000, 100_000),
    "page": (10, 100, 1_000, 10_000),
}
HEADS = {
    "graph": ("nodes", "built", "swept", "bytes a node"),
    "record": ("operations in a loop", "first call", "every other", "bytes an operation"),
    "vmap": ("examples under vmap", "first call", "every other", "bytes an example"),
    "page": ("nodes on a step page", "written", "", "bytes of the file"),
}


def timed(f: Callable[[], Any]) -> tuple[float, Any]:
    """Return the processor time that a call takes, and its result."""
    start = time.process_time()
    result = f()
    return time.process_time() - start, result


def peak() -> int:
    """Return the most bytes that this process has held."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def chain(count: int, x: Any) -> Any:
    """Return the end of a chain of so many operations of several kinds."""
    from scalargrad import tanh

    y = x
    for k in range(count // 3):
        y = tanh(y * x + 0.001 * k)
    return y


def graph(count: int) -> tuple[float, float, float]:
    """Build an eager graph and go through it backwards."""
    from scalargrad import Value

    before = peak()
    built, end = timed(lambda: chain(count, Value(0.5)))
    held = peak() - before
    swept, _ = timed(end.backward)
    return built, swept, held / count


def record(count: int) -> tuple[float, float, float]:
    """Compile value and gradient of a loop, and call it again."""
    from scalargrad import jit, value_and_grad

    @jit
    def step(w: Any) -> Any:
        return value_and_grad(
            lambda w: sum((w * (0.001 * k) - 1.0) ** 2 for k in range(count // 4))
        )(w)

    return called(step, 0.5, count)


def vmap(count: int) -> tuple[float, float, float]:
    """Compile value and gradient of a sum over examples, and call it again."""
    import numpy as np

    from scalargrad import jit, tanh, value_and_grad
    from scalargrad import vmap as mapped

    examples = np.linspace(-1.0, 1.0, count)

    @jit
    def step(w: Any) -> Any:
        return value_and_grad(lambda w: sum(mapped(lambda x: tanh(w * x) ** 2)(examples)))(w)

    return called(step, 0.5, count)


def called(step: Callable[[float], Any], x: float, count: int) -> tuple[float, float, float]:
    """Call a compiled function first and again; return both times, and bytes for each number."""
    from scalargrad import jit

    jit(lambda x: x * x)(1.0)  # loads what compiling needs
    pack_anew()
    before = peak()
    first, _ = timed(lambda: step(x))
    held = peak() - before
    again = min(timed(lambda: step(x + 0.1))[0] for _ in range(5))
    return first, again, held / count


def page(count: int) -> tuple[float, float, float]:
    """Write the step page of a graph."""
    from scalargrad import Value, walk

    end = chain(count, Value(0.5, "x"))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        written, _ = timed(lambda: walk(end).save(path))
        return written, 0.0, float(path.stat().st_size)


def shown(seconds: float) -> str:
    """Return a time in units that a reader can place."""
    if not seconds:
        return ""
    for unit, scale in (("s", 1.0), ("ms", 1e3)):
        if seconds * scale >= 1:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def main() -> None:
    """Print a table for each kind, in Markdown."""
    for kind, sizes in SIZES.items():
        print(f"| {' | '.join(HEADS[kind])} |\n|---|---|---|---|")
        for size in sizes:
            command = [sys.executable, "-m", "benchmarks.sizes", kind, str(size)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            first, second, held = map(float, done.stdout.split())
            print(f"| {size:,} | {shown(first)} | {shown(second)} | {held:,.0f} |", flush=True)
        print()


if __name__ == "__main__":
    if len(sys.argv) > 1:
        measured = {"graph": graph, "record": record, "vmap": vmap, "page": page}[sys.argv[1]]
        print(*measured(int(sys.argv[2])))
    else:
        main()
