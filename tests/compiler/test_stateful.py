"""Programs whose state stays in their memory from run to run."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from scalargrad import Value, exp, vmap
from scalargrad.compiler.stateful import StatefulProgram, reordered
from scalargrad.compiler.trace.record import record


def program_of(function: Any, count: int) -> Any:
    """Return the program of a function of so many numbers, recorded at 0.5."""
    fresh = [Value(0.5) for _ in range(count)]
    return record(lambda: function(*fresh), fresh)[0].program


@pytest.mark.usefixtures("backend")
def test_the_state_moves_on_with_each_run_and_nothing_else_does() -> None:
    """Ten steps of (a, b) → (b, a + bx) from (0, 1), with x given anew, equal a Python loop."""

    def step(x: Value, a: Value, b: Value, scale: Value) -> list[Value]:
        return [b, a + b * x, scale * b]

    stateful = StatefulProgram(program_of(step, 4), given=1, carried=2)
    stateful.kept[:] = 0.0, 1.0, 10.0
    a, b = 0.0, 1.0
    for x in range(10):
        stateful.given[:] = x
        assert stateful.run()
        assert stateful.results.tolist() == [10.0 * b]
        assert stateful.state.tolist() == [a, b]
        stateful.advance()
        a, b = b, a + b * x
        assert stateful.state.tolist() == [a, b]
    assert stateful.kept[2] == 10.0


@pytest.mark.usefixtures("backend")
def test_a_run_that_leaves_the_finite_numbers_says_so() -> None:
    """The state stays, so that the step can be taken in another way."""
    stateful = StatefulProgram(program_of(lambda x, a: [a + exp(x)], 2), given=1, carried=1)
    stateful.kept[:] = 2.0
    stateful.given[:] = 1000.0
    assert not stateful.run()
    assert stateful.state.tolist() == [2.0]
    stateful.given[:] = 1.0
    assert stateful.run()
    stateful.advance()
    assert stateful.state[0] == pytest.approx(2.0 + math.e, rel=1e-15)


@pytest.mark.usefixtures("backend")
def test_a_program_run_block_by_block_keeps_its_state_too() -> None:
    """Descent on 3,000 examples, recorded as lanes, equals NumPy's."""
    chance = np.random.default_rng(3)
    data = chance.normal(size=3000)

    def step(*numbers: Value) -> list[Value]:
        *examples, w = numbers
        errors = vmap(lambda x: (w * x - 1.0) * x)(examples)
        return [w - sum(errors) / 3000.0]

    stateful = StatefulProgram(program_of(step, 3001), given=3000, carried=1)
    stateful.given[:] = data
    stateful.kept[:] = w = 0.0
    for _ in range(5):
        assert stateful.run()
        stateful.advance()
        w -= float(np.mean((w * data - 1.0) * data))
    assert stateful.state[0] == pytest.approx(w, rel=1e-12)


def test_inputs_and_outputs_are_put_in_another_order() -> None:
    """A - 2b - 3c with inputs given as c, a, b, and its outputs reversed."""
    program = program_of(lambda a, b, c: [a - 2.0 * b - 3.0 * c, a * c], 3)
    changed = reordered(program, [2, 0, 1], program.outputs[::-1])
    stateful = StatefulProgram(changed, given=3, carried=0)
    stateful.given[:] = 5.0, 1.0, 10.0
    assert stateful.run()
    assert stateful.results.tolist() == [5.0, 1.0 - 20.0 - 15.0]
