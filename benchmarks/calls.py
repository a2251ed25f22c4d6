"""What a call costs beside its program: arguments of all kinds, programs for shapes that change.

    python -m pip install -e '.[all,bench,oracles]'
    python -m benchmarks.calls [--write docs/benchmarks.md] [--turns N]

Each comparison runs in one process, pinned to one core, contenders in turns; medians are compared.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.measuring import Run, in_units, median_of, pack_anew, pin, take_turns
from benchmarks.programs import gpt_step
from benchmarks.reporting import Finding, as_markdown, gathered, replace_section
from scalargrad import nn

RNG = np.random.default_rng(0)


def ratio(what: str, times: dict[str, float], ours: str, theirs: str, limit: float) -> Finding:
    """Compare two times with a limit for their ratio."""
    found = times[ours] / times[theirs]
    return Finding(
        f"{what}: {ours}, against {theirs}",
        f"at most {limit:g} × its time",
        f"{found:.2f} × its time ({in_units(times[ours])} against {in_units(times[theirs])})",
        found <= limit,
    )


def model_of_eight(turns: int, least: float) -> Iterator[Finding]:
    """Call a compiled module on eight floats."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    model = nn.MLP(8, [16, 1], rng=0)
    compiled, xs = sg.jit(model), RNG.normal(size=8).tolist()
    layers = [
        (
            jnp.array([[w.data for w in neuron.w] for neuron in layer.neurons]),
            jnp.array([neuron.b.data for neuron in layer.neurons]),
        )
        for layer in model.layers
    ]

    def network(layers: Any, x: Any) -> Any:
        (w, b), (v, c) = layers
        return v @ jax.nn.relu(w @ x + b) + c

    theirs = jax.jit(network)
    assert math.isclose(_first(compiled(xs)).data, float(theirs(layers, jnp.array(xs))[0]))
    runs: dict[str, Run] = {
        "scalargrad": lambda: compiled(xs),
        "JAX": lambda: theirs(layers, jnp.array(xs)).block_until_ready(),
    }
    times = take_turns(runs, turns, least)
    yield ratio("jit(model) on a list of eight floats", times, "scalargrad", "JAX", 1.3)


def _first(x: Any) -> Any:
    return x[0] if isinstance(x, list) else x


def nested_lists(turns: int, least: float) -> Iterator[Finding]:
    """Hand 5,000 × 10 floats over as lists of lists."""
    rows = RNG.normal(size=(5_000, 10)).tolist()
    compiled = sg.jit(lambda w, rows: sum(sg.vmap(lambda row: sg.dot(w, row))(rows)))
    w = [0.1] * 10
    arrays = np.array(rows)
    runs: dict[str, Run] = {
        "as lists": lambda: compiled(w, rows),
        "np.array of the lists": lambda: np.array(rows),
        "as an array": lambda: compiled(w, arrays),
    }
    times = take_turns(runs, turns, least)
    yield ratio("5,000 × 10 floats handed over", times, "as lists", "np.array of the lists", 3)
    yield Finding("The same: as an array", "", in_units(times["as an array"]), None)


def lengths_in_turn(turns: int, least: float) -> Iterator[Finding]:
    """Call with lists of a hundred lengths one after the other."""

    def loss(p: Any, xs: Any) -> Any:
        total = 0.0
        for x in xs:
            total = total + (p[0] * x + p[1] - sg.tanh(x * p[0])) ** 2
        return total

    lists = [RNG.normal(size=n).tolist() for n in range(1, 101)]
    eager, compiled, p = sg.value_and_grad(loss), sg.jit(sg.value_and_grad(loss)), [0.5, 0.1]
    pack_anew()
    start = time.perf_counter()
    for xs in lists:
        compiled(p, xs)
    first = time.perf_counter() - start
    runs: dict[str, Run] = {
        "compiled": lambda: [compiled(p, xs) for xs in lists],
        "eager": lambda: [eager(p, xs) for xs in lists],
    }
    times = take_turns(runs, turns, least)
    yield ratio("A hundred lengths of list in turn", times, "compiled", "eager", 0.5)
    yield Finding("The same: the first time of each", "", in_units(first), None)


def unused_parameter(turns: int, least: float) -> Iterator[Finding]:
    """Have one parameter among 4,000 that the loss does not read."""
    p, xs = RNG.normal(size=4_000), RNG.normal(size=4_000).tolist()

    def loss(p: Any) -> Any:
        return sum((a * x - 1.0) ** 2 for a, x in zip(p, xs, strict=False))

    all_used = sg.jit(sg.value_and_grad(lambda p: loss(p) + p[3_999] ** 2))
    one_unused = sg.jit(sg.value_and_grad(lambda p: loss(list(p)[:3_999])))
    runs: dict[str, Run] = {
        "one without gradient": lambda: one_unused(p),
        "all with": lambda: all_used(p),
    }
    times = take_turns(runs, turns, least)
    yield ratio("4,000 parameters in an array", times, "one without gradient", "all with", 1.3)


def loss_outside(turns: int, least: float) -> Iterator[Finding]:
    """Take 300 outputs out of a compiled function, and the sum of their squares outside.

    As one `dot`, the loss is one node; by Python's ``sum``, it is 900.
    """
    weights = [sg.Parameter(x) for x in RNG.normal(size=20).tolist()]
    rows = RNG.normal(size=(300, 20)).tolist()

    def outputs(w: Any) -> Any:
        return [sg.tanh(sum(a * x for a, x in zip(w, row, strict=True))) for row in rows]

    inside = sg.jit(outputs)
    whole = sg.jit(lambda w: sum(y * y for y in outputs(w)))

    def by_dot() -> None:
        found = inside(weights)
        sg.dot(found, found).backward()

    def by_sum() -> None:
        sum(y * y for y in inside(weights)).backward()

    runs: dict[str, Run] = {
        "`dot` outside": by_dot,
        "Python's `sum` outside": by_sum,
        "the whole compiled": lambda: whole(weights).backward(),
    }
    times = take_turns(runs, turns, least)
    for outside in ("`dot` outside", "Python's `sum` outside"):
        yield ratio("300 outputs", times, outside, "the whole compiled", 12)


def gpt_in_arrays(turns: int, least: float) -> Iterator[Finding]:
    """Call loss and gradient of the GPT with its parameters in an array."""
    step, parameters = gpt_step()
    compiled, given = sg.jit(step), np.array(parameters)
    times = take_turns({"array": lambda: compiled(given)}, turns, least)
    yield Finding(
        "GPT, loss and gradient for a name of seven letters, called with an array",
        "at most 80 µs",
        in_units(times["array"]),
        times["array"] <= 80e-6,
    )


def long_plain_loop() -> Iterator[Finding]:
    """Record, compile and run a logistic regression over 10,000 × 20 numbers in plain loops."""
    xs, ys = RNG.normal(size=(10_000, 20)).tolist(), RNG.choice([-1.0, 1.0], 10_000).tolist()

    def loss(w: Any) -> Any:
        total = 0.0
        for x, y in zip(xs, ys, strict=True):
            score = 0.0
            for a, b in zip(w, x, strict=True):
                score = score + a * b
            total = total + sg.softplus(-y * score)
        return total

    took = median_of(lambda: sg.jit(sg.value_and_grad(loss))([0.0] * 20), 3)
    what = "Logistic regression of 10,000 × 20 in plain loops: record, compile and run"
    yield Finding(what, "at most 1 s", in_units(took), took <= 1.0)


COMPARISONS: tuple[Callable[[int, float], Iterator[Finding]], ...] = (
    model_of_eight,
    nested_lists,
    lengths_in_turn,
    unused_parameter,
    loss_outside,
    gpt_in_arrays,
)


def findings(turns: int, least: float) -> Iterator[Finding]:
    """Measure everything."""
    for comparison in COMPARISONS:
        yield from comparison(turns, least)
    yield from long_plain_loop()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print the table and, if asked, put it into its section of a file."""
    parser = argparse.ArgumentParser(description="Measure what calls of compiled functions cost.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table there too")
    parser.add_argument("--turns", type=int, default=31, metavar="N", help="per contender")
    options = parser.parse_args(arguments)
    how = pin()
    rows = gathered(findings(options.turns, 0.02 if options.turns > 1 else 0.0))
    if options.write is not None:
        replace_section(options.write, "calls", as_markdown(rows, how))


if __name__ == "__main__":
    main()
