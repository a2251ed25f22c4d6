"""Measure scalar code compiled by `jit`, and C, JAX, PyTorch, CasADi and micrograd.

    python -m pip install -e '.[all,bench,oracles]'
    python -m benchmarks.compiled [--write docs/benchmarks.md] [--repeats N]

After the moons step of all contestants: the cost of compiling, and a GPT.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.comparing import Comparison, Items, Maker, Row, main
from benchmarks.measuring import Run, compiled_call, measure_memory, run_in_new_process, seconds
from benchmarks.moons import by_c, by_casadi, by_jax, by_micrograd, by_pytorch, by_scalargrad
from benchmarks.moons.problem import Problem, moons
from benchmarks.replay.corpus import gpt
from benchmarks.replay.corpus.headlines import readme_expression
from benchmarks.reporting import Finding, duration
from examples.experiments import GPT, Alphabet
from examples.experiments.gpt import plain_names

NAME = "lesotho"

# The contestants of the moons step, by their names in the table.
OURS = "scalargrad, the whole step by scan"
PASSED = "scalargrad, the whole step by scan, data as arguments"
ARRAYS = "scalargrad, the whole step called with NumPy arrays"
CALLED = "scalargrad, the whole step called with lists of floats"
DECORATED = "scalargrad, one decorator on the user's loop"
C = "C by hand"
JAX = "JAX jit, vectorised by hand"
JAX_SCAN = "JAX lax.scan, vectorised by hand"
PYTORCH = "PyTorch, vectorised by hand"
JAX_SCALAR = "JAX jit, the same scalar code"
CASADI = "CasADi SX, the same scalar code"
MICROGRAD = "micrograd, the same scalar code"

PEERS: dict[str, Callable[[Problem], Run]] = {
    OURS: by_scalargrad.step_by_scan,
    PASSED: by_scalargrad.step_by_scan_with_data,
    ARRAYS: partial(by_scalargrad.step_by_calls, kind=np.array),
    CALLED: by_scalargrad.step_by_calls,
    DECORATED: by_scalargrad.step_with_compiled_loss,
    C: by_c.c_step,
    JAX: by_jax.vectorised_step,
    JAX_SCAN: by_jax.step_by_scan,
    PYTORCH: by_pytorch.vectorised_step,
    JAX_SCALAR: by_jax.scalar_step,
    CASADI: by_casadi.scalar_step,
    MICROGRAD: by_micrograd.micrograd_step,
}

_VECTORISED = [Row(OURS, C, at_most=1), Row(OURS, JAX_SCAN, at_least=1.8)]
#: The comparisons by hidden units and number of points. On more than ten points, XLA takes minutes
#: and gigabytes for the scalar code.
STEPS = {
    ("relu", 100): [
        Row(OURS, C, at_most=1.3),
        Row(OURS, JAX_SCAN, at_least=1.8),
        Row(OURS, JAX, at_least=2.5),
        Row(ARRAYS, C, at_most=2.2),
        Row(ARRAYS, JAX, at_least=4),
        Row(ARRAYS, PYTORCH, at_least=25),
        Row(OURS, PYTORCH, at_least=20),
        Row(OURS, CASADI, at_least=25),
        Row(OURS, MICROGRAD, at_least=100_000),
        Row(DECORATED, PYTORCH, at_most=0.45),
        Row(OURS, PASSED, at_most=1.3),
        Row(CALLED),
        Row(JAX),
    ],
    ("tanh", 100): _VECTORISED,
    ("sigmoid", 100): _VECTORISED,
    ("relu", 10): [
        Row(OURS, JAX_SCALAR, at_least=25),
        Row(OURS, JAX_SCALAR, at_least=15, first=True),
    ],
}

#: Run in a new process: the time from `import` to the first compiled result.
FIRST_RESULT = """
import time
start = time.perf_counter()
from scalargrad import jit, tanh, value_and_grad
f = jit(value_and_grad(lambda x, y: tanh(x * y) + x / y))
f(0.5, 2.0)
print(time.perf_counter() - start)
"""


def moons_step(units: str, points: int, rows: list[Row]) -> Comparison:
    """Compare the moons step of all contestants that the rows name."""
    problem = moons(units, points)
    taking_part = {name for row in rows for name in row[:2]}
    makers = {x: partial(PEERS[x], problem) for x in PEERS if x in taking_part}
    few = f", {points} points" if points < 100 else ""
    return Comparison(f"Moons step, {units}{few}", makers, rows)


def count_nodes(function: Any, *arguments: Any) -> str:
    """Return the number of recorded nodes of a function as text."""
    return f"{sg.jit(function).explain(*arguments).split()[1]} nodes"


def compiling_moons() -> Items:
    """Record, compile and run the moons, and measure the memory of the step."""
    problem = moons()
    parameters = [sg.Parameter(x) for x in problem.parameters]
    loss, step = by_scalargrad.loss_of(problem, parameters), by_scalargrad.step_of(problem)
    of_loss = f"loss and gradient, {count_nodes(loss)}"
    of_step = f"the whole step, {count_nodes(step, problem.parameters)}"
    makers: dict[str, Maker] = {
        of_loss: lambda: sg.jit(loss),
        of_step: partial(by_scalargrad.step_by_calls, problem),
    }
    rows = [Row(of_loss, at_most=0.15, first=True), Row(of_step, first=True)]
    yield Comparison("Moons", makers, rows)
    run = by_scalargrad.step_by_scan(problem)
    run()
    _, _, peak = measure_memory(run)
    what = "Memory of the moons step while it runs"
    yield Finding(what, "at most 2 MB", f"{peak / 1e6:.2f} MB", peak <= 2e6)


def gpt_of_scalars() -> Comparison:
    """Compute loss and gradient of microgpt for one name, with five kinds of call."""
    inputs, targets = Alphabet(plain_names()).examples([NAME])
    own = GPT(gpt.CHARACTERS, rng=0).parameters()
    parameters = [p.data for p in own]

    def loss(parameters: Any) -> Any:
        return gpt.loss(parameters, inputs[0], targets[0], sg)

    step, descent = sg.value_and_grad(loss), by_scalargrad.descent(loss, 1e-14)

    def call_step(numbers: Any) -> Run:
        compiled = sg.jit(step)
        return lambda: compiled(numbers)[0]

    scan, of_array = "with the update, by scan", "an array"
    of_own = f"Parameters that it reads, {count_nodes(lambda: loss(own))}"
    of_list = f"a list of floats, {count_nodes(step, parameters)}"
    makers: dict[str, Maker] = {
        scan: lambda: by_scalargrad.ScanSteps(descent, parameters),
        of_list: lambda: call_step(parameters),
        of_array: lambda: call_step(np.array(parameters)),
        of_own: lambda: sg.jit(lambda: loss(own)),
    }
    firsts = [Row(of_own, at_most=0.3, first=True), Row(of_list, first=True)]
    rows = [*firsts, Row(scan, at_most=80e-6), Row(of_list), Row(of_array, at_most=80e-6)]
    return Comparison(f"GPT, loss and gradient for “{NAME}”", makers, rows)


def expression() -> Comparison:
    """Call the README's expression."""
    function = partial(readme_expression, relu=sg.relu)
    values, floats = "on two Values", "on floats, value and both slopes"
    makers: dict[str, Maker] = {
        values: lambda: compiled_call(function, sg.Value(-4.0), sg.Value(2.0)),
        floats: lambda: compiled_call(sg.value_and_grad(function, argnums=(0, 1)), -4.0, 2.0),
    }
    rows = [Row(values, at_most=3e-6), Row(floats)]
    return Comparison("A call of the README expression", makers, rows, tolerance=None)


def processes() -> Iterator[Finding]:
    """Measure new processes from their start."""
    with tempfile.TemporaryDirectory() as cache:
        first = float(run_in_new_process(FIRST_RESULT, {"XDG_CACHE_HOME": cache}))
    yield duration("First process ever, import to first result", first, 1.0)
    run_in_new_process(FIRST_RESULT)
    took = median(seconds(partial(run_in_new_process, FIRST_RESULT)) for _ in range(5))
    yield duration("Second process, from its start to its end", took, 0.3)


def comparisons() -> Items:
    """Yield the comparisons of compiled code."""
    yield from (moons_step(*which, rows) for which, rows in STEPS.items())
    yield from compiling_moons()
    yield gpt_of_scalars()
    yield expression()
    yield from processes()


if __name__ == "__main__":
    main("compiled", comparisons, repeats=40)
