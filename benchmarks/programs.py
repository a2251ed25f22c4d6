"""What compiling costs, and other programs than the moons step: a GPT, an expression, NumPy's."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import scalargrad as sg
from benchmarks import gpt
from benchmarks.measuring import (
    Run,
    in_fresh_process,
    in_units,
    median_of,
    pack_anew,
    peak_bytes,
    take_turns,
)
from benchmarks.moons import by_scalargrad
from benchmarks.moons.problem import Problem, moons
from benchmarks.reporting import Finding
from scalargrad.experiments import GPT, Alphabet
from scalargrad.experiments.names import plain_names

NAME = "lesotho"

#: Run in a process of its own: what it takes from `import` to the first compiled result.
FIRST_RESULT = """
import time
start = time.perf_counter()
from scalargrad import jit, tanh, value_and_grad
f = jit(value_and_grad(lambda x, y: tanh(x * y) + x / y))
f(0.5, 2.0)
print(time.perf_counter() - start)
"""


#: Run in a process of its own: what the first call of a GPT's loss and gradient takes.
GPT_CALL = """
import time
from benchmarks.programs import gpt_step
from scalargrad import jit
step, parameters = gpt_step()
start = time.perf_counter()
jit(step)(parameters)
print(time.perf_counter() - start)
"""


#: Run in a process of its own: what a step of two moons takes on NumPy.
WITHOUT_LLVMLITE = """
from statistics import median
from benchmarks.measuring import seconds
from benchmarks.moons import by_scalargrad
from benchmarks.moons.problem import moons
run = by_scalargrad.scanned(moons(count={points}))
run()
print(median(seconds(run) for _ in range(9)) / run.steps)
"""


def readme_expression(a: Any, b: Any) -> Any:
    """Compute the expression of micrograd's README."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + sg.relu(b + a)
    d += 3 * d + sg.relu(b - a)
    e = c - d
    f = e**2
    return f / 2.0 + 10.0 / f


def gpt_loss(parameters: Any) -> Callable[[], Any]:
    """Return the loss of one name as a function that closes over the parameters."""
    (tokens,), (targets,) = Alphabet(plain_names()).examples([NAME])
    return lambda: gpt.loss(parameters, tokens, targets)


def gpt_step() -> tuple[Any, list[float]]:
    """Return a function that computes loss and gradient for one name, and its argument."""
    model = GPT(len(Alphabet(plain_names())), rng=0)
    objective = sg.value_and_grad(lambda parameters: gpt_loss(parameters)())
    return objective, [p.data for p in model.parameters()]


def until_first_result(function: Callable[..., Any], *arguments: Any) -> float:
    """Return the seconds that recording, compiling and running a function takes."""

    def run() -> None:
        pack_anew()
        sg.jit(function)(*arguments)

    run()  # compiles what the program needs
    return median_of(run, 5)


def findings(points: int, turns: int, least: float, micrograd: float) -> Iterator[Finding]:
    """Measure everything; `micrograd` is what a moons step takes it, in seconds."""
    yield from _moons(moons(count=points), micrograd)
    yield from _gpt(turns, least)
    yield from _expression(turns, least)
    yield from _processes(1 if turns == 1 else 5)


def _moons(problem: Problem, micrograd: float) -> Iterator[Finding]:
    step = by_scalargrad.step_of(problem)
    loss = by_scalargrad.loss_of(problem, [sg.Parameter(x) for x in problem.parameters])
    nodes = _recorded(loss)
    what = f"Record, compile and run loss and gradient of the moons, {nodes:,} nodes"
    yield _at_most(what, until_first_result(loss), 0.15)
    nodes = _recorded(step, problem.parameters, problem.rate)
    what = f"The same of the whole step as one function, {nodes:,} nodes"
    took = until_first_result(step, problem.parameters, problem.rate)
    yield Finding(what, "", in_units(took), None)
    scanned = by_scalargrad.scanned(problem)
    scanned()
    held = peak_bytes(scanned)
    points = len(problem.points)
    alone = float(
        in_fresh_process(WITHOUT_LLVMLITE.format(points=points), {"SCALARGRAD_JIT": "numpy"})
    )
    yield Finding(
        "Moons step without llvmlite, against micrograd",
        "at least 200 × faster",
        f"{micrograd / alone:,.0f} × faster ({in_units(alone)} against {in_units(micrograd)})",
        micrograd / alone >= 200,
    )
    yield Finding(
        "Memory of the moons step while it runs",
        "at most 2 MB",
        f"{held / 1e6:.2f} MB",
        held <= 2e6,
    )


def _gpt(turns: int, least: float) -> Iterator[Finding]:
    step, parameters = gpt_step()
    loss = gpt_loss([sg.Parameter(x) for x in parameters])
    what = f"Record, compile and run loss and gradient of a GPT, {_recorded(loss):,} nodes"
    yield _at_most(what, until_first_result(loss), 0.3)
    what = f"The same by value_and_grad of floats, {_recorded(step, parameters):,} nodes"
    yield Finding(what, "", in_units(until_first_result(step, parameters)), None)
    compiled = sg.jit(step)

    def descended(parameters: Any) -> Any:
        value, gradient = step(parameters)
        return [p - 1e-9 * g for p, g in zip(parameters, gradient, strict=True)], value

    runs: dict[str, Run] = {
        "scan": by_scalargrad.Scanned(descended, parameters),
        "call": lambda: compiled(parameters),
    }
    times = take_turns(runs, turns, least)
    what = f"GPT, loss and gradient for “{NAME}”"
    yield _at_most(f"{what}, and the update, by scan", times["scan"], 80e-6)
    yield Finding(f"{what}, called with a list of floats", "", in_units(times["call"]), None)


def _recorded(step: Any, *arguments: Any) -> int:
    """Return how many nodes a step is recorded as."""
    return int(sg.jit(step).explain(*arguments).split()[1])


def _expression(turns: int, least: float) -> Iterator[Finding]:
    compiled, a, b = sg.jit(readme_expression), sg.Value(-4.0), sg.Value(2.0)
    both = sg.jit(sg.value_and_grad(readme_expression, argnums=(0, 1)))
    calls = {"Values": lambda: compiled(a, b), "both": lambda: both(-4.0, 2.0)}
    times = take_turns(calls, turns, least)
    yield _at_most("A call of the README expression on two Values", times["Values"], 3e-6)
    yield Finding("The same on floats, value and both slopes", "", in_units(times["both"]), None)


def _processes(times: int) -> Iterator[Finding]:
    with tempfile.TemporaryDirectory() as cache:
        first = float(in_fresh_process(FIRST_RESULT, {"XDG_CACHE_HOME": cache}))
        gpts = [float(in_fresh_process(GPT_CALL, {"XDG_CACHE_HOME": cache})) for _ in range(2)]
    yield _at_most("First process ever, import to first result", first, 1.0)
    in_fresh_process(FIRST_RESULT)
    took = median_of(lambda: in_fresh_process(FIRST_RESULT), times)
    yield _at_most("Second process, from its start to its end", took, 0.3)
    measured = " and ".join(map(in_units, gpts))
    yield Finding("GPT by value_and_grad of floats: first and second process", "", measured, None)


def _at_most(what: str, took: float, limit: float) -> Finding:
    return Finding(what, f"at most {in_units(limit)}", in_units(took), took <= limit)
