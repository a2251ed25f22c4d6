"""The digits of what loops compute depend on how often they are made, and on nothing else."""

from __future__ import annotations

import random
from functools import partial
from typing import Any

import pytest
from tests.compiler.looped.reference import outputs

from scalargrad import Value, jit, log, tanh, value_and_grad
from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.backend.numpy_runner import NumpyExecutable
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.loop_executable import LoopExecutable, Printed
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.packing.pack import pack
from scalargrad.compiler.passes.differentiate import differentiate
from scalargrad.compiler.passes.lower import lower
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.passes.sum_of_products import sum_of_products
from scalargrad.compiler.trace.record import record

if has_llvm():
    from scalargrad.compiler.backend.llvm.native import NativeExecutable

pytestmark = [
    pytest.mark.skipif(not has_llvm(), reason="loops are machine code"),
    pytest.mark.usefixtures("small_loops"),
]

_DRAWS = random.Random(5)
DATA = [_DRAWS.gauss(0.0, 1.0) for _ in range(203)]
P = [0.3, -0.2, 1.1]


def sums(p: Any, count: int) -> Any:
    """Return sums of one term an iteration, of two and of differences, over lanes."""
    first, second, third = p[0] * 1.0, 0.0, p[1] * 1.0
    for x in DATA[:count]:
        y = p[0] * x + p[1]
        first = first + y * y
        second = second + y * p[2] + x / (y * y + 1.0)
        third = third - y / 3.0
    return first * second + third


def states(p: Any, count: int) -> list[Any]:
    """Return what a recurrence has computed after each step."""
    s, found = p[1], []
    for x in DATA[:count]:
        s = p[0] * s + x * p[2] - s * s / 8.0
        found.append(s / (1.0 + s * s))
    return found


def programs(f: Any) -> tuple[Looped | Program | None, Looped | Program | None]:
    """Return the loops of a function of the parameters, without its gradient and with it."""
    found = []
    for derived in (f, value_and_grad(f)):
        leaves = [Value(x) for x in P]
        recording, _ = record(partial(derived, leaves), leaves)
        found.append(looped(recording.program))
    return found[0], found[1]


def run(program: Looped) -> list[float]:
    """Return what machine code computes."""
    executable = LoopExecutable(Printed(program))
    executable.memory[: program.inputs] = P
    executable.run()
    found: list[float] = executable.memory[program.outputs].tolist()
    return found


@pytest.mark.alike
@pytest.mark.parametrize("count", [*range(5, 75), 99, 127, 128, 129, 163, *range(196, 201)])
def test_sums_have_the_order_that_the_number_of_their_terms_chooses(count: int) -> None:
    """Machine code and exact steps agree to the bit; so do values with a gradient and without."""
    alone, along = programs(lambda p: sums(p, count))
    assert isinstance(alone, Looped)
    assert isinstance(along, Looped)
    (value,) = run(alone)
    found = run(along)
    assert [value] == outputs(alone, P)
    assert found == outputs(along, P)
    assert found[0] == value


def test_a_step_has_the_same_digits_however_many_follow() -> None:
    """What a recurrence computes, and what lanes make of it, is the same for all counts."""
    longest = jit(lambda p: states(p, 200))(P)
    for count in (9, 12, 17, 40, 63, 64, 65, 100, 129, 199):
        assert jit(lambda p, count=count: states(p, count))(P) == longest[:count], count


def test_lanes_have_the_same_digits_however_many_there_are() -> None:
    """Few examples and up to 200 of them: the same values and gradients."""

    def example(p: Any, x: Any) -> list[Any]:
        value, gradient = value_and_grad(lambda p: tanh(p[0] * x + p[1]) * p[2])(p)
        return [value, *gradient]

    longest = jit(lambda p: [example(p, x) for x in DATA[:200]])(P)
    for count in (7, 8, 9, 31, 64, 65, 130, 199):
        found = jit(lambda p, count=count: [example(p, x) for x in DATA[:count]])(P)
        assert found == longest[:count], count


def likelihood(p: Any, count: int) -> Any:
    """Return a sum of logarithms and quotients over a recurrence."""
    variance, total = p[1] * p[1] + 0.1, 0.0
    for x in DATA[:count]:
        variance = 0.05 + abs(p[0]) * 0.2 * x * x + 0.6 * variance
        total = total + log(variance) + x * x / variance
    return total


def cells(p: Any, count: int) -> Any:
    """Return the state of a recurrent unit."""
    state = p[1]
    for x in DATA[:count]:
        state = tanh(p[0] * state + x * p[2])
    return state


@pytest.mark.parametrize("count", [40, 64, 65, 200])
@pytest.mark.parametrize("f", [sums, likelihood, cells])
def test_loops_packed_code_and_numpy_agree_to_some_last_digits(f: Any, count: int) -> None:
    """Each adds in an order of its own, and NumPy rounds products before it adds them."""
    for derived in (f, lambda p, n: value_and_grad(lambda p: f(p, n))(p)):
        leaves = [Value(x) for x in P]
        recording, _ = record(partial(derived, leaves, count), leaves)
        loops = looped(recording.program)
        assert isinstance(loops, Looped)
        flat = differentiate(sum_of_products(recording.program))
        packed = pack(lower(flat))
        found = [run(loops)]
        for executable in (NativeExecutable(packed), NumpyExecutable(packed)):
            executable.memory[: packed.inputs] = P
            executable.run()
            found.append(executable.memory[packed.outputs].tolist())
        assert found[0] == pytest.approx(found[2], rel=1e-13)
        assert found[1] == pytest.approx(found[2], rel=1e-13)
