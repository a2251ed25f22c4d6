"""The compiler's passes on random programs: verified, and interpreted before and after each.

``python -m tests.compiler.random_passes --from 0 --count 500`` compares 500 seeds and prints the
pass after which something differs. A seed draws a nest (`random_nests`), loops that are recorded
and found again (`random_recordings`), examples of `vmap` (`random_examples`) or many examples in
blocks. The verifier checks every program, outputs are the same before and after every pass, and the
scheduled loops read nothing too early and compute what their equations compute.

Passes that may change the last digits are compared to rounding: how much rounding matters is
measured by another interpretation, in which each result is changed by an ulp or so.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
from tests.compiler import random_examples, random_nests, random_recordings
from tests.compiler.interpreter import by_table, interpret
from tests.compiler.nests import (
    COMPUTED,
    GIVEN,
    LAYOUT_OBSERVERS,
    OBSERVERS,
    Array,
    Body,
    Builder,
    Instructions,
    LoweringError,
    Operation,
    Plan,
    Program,
    VerificationError,
    checked,
    checked_layout,
    contract,
    gradient,
    in_blocks,
    operation_of,
    plan,
    recorded,
    schedule,
    simplify,
    statements,
    tiled,
    to_equations,
    trees,
    with_directions,
    with_room_for_empty_sums,
    with_saved_exponentials,
    without_output_copies,
)
from tests.compiler.scheduled import LayoutError, ScheduledInterpreter, ScheduleError
from tests.compiler.search import NOT_COMPARED, main

import scalargrad as sg
from benchmarks.replay.corpus import nests as natural
from scalargrad import TraceError
from scalargrad.errors import NumericalError

#: Maximum number of iterations of all statements of a program that is interpreted.
MAX_ITERATIONS = 12_000
#: The passes that may change the last digits of results.
ROUNDING = {"contract", "with_saved_exponentials", "in_blocks", "with_directions"}
EPSILON = sys.float_info.epsilon


class PassError(AssertionError):
    """A difference before and after a pass; the message begins with the name of the pass."""


class Comparison:
    """Interprets programs before and after each pass, at random inputs."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.inputs: dict[str, Any] = {}
        self.known: dict[int, tuple[Program, dict[Array, Any] | None]] = {}
        self.limit, self.count = MAX_ITERATIONS, 0

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Compare every pass that runs here."""
        OBSERVERS.append(self.compare)
        LAYOUT_OBSERVERS.append(self.compare_schedule)
        try:
            yield
        finally:
            OBSERVERS.remove(self.compare)
            LAYOUT_OBSERVERS.remove(self.compare_schedule)

    def is_small(self, program: Program) -> bool:
        """Return True if a program is interpreted: it is small, and its tables are constants."""
        count = 0
        for step, around in statements(program.body):
            vias = [v.extent.via for v in around if v.extent.via]
            if any(x.array.data is None for x in (*step.tables(), *vias)):
                return False
            count += math.prod(max(v.extent.bounds()[1], 0) for v in around)
        return count <= self.limit

    def given(self, program: Program) -> dict[Array, Any]:
        """Return the numbers of inputs, the same for all programs."""
        found = {}
        for array in program.arrays:
            if array.kind == "in":
                rng = np.random.default_rng(self.seed)
                numbers = rng.uniform(-1.0, 1.0, array.shape)
                found[array] = self.inputs.setdefault(array.name, numbers)
        return found

    def outputs(self, program: Program) -> dict[Array, Any] | None:
        """Return the numbers of the arrays of a program; None if it is not interpreted."""
        if id(program) not in self.known:
            found = interpret(program, self.given(program)) if self.is_small(program) else None
            self.known[id(program)] = program, found  # so that its id stays
        return self.known[id(program)][1]

    def compare(self, name: str, before: Program | None, after: Program) -> None:
        """Compare the outputs of a program before a pass and after it."""
        if before is None or not self.is_small(before) or not self.is_small(after):
            return
        try:
            expected, found = self.outputs(before), self.outputs(after)
        except (LoweringError, TraceError) as error:
            raise PassError(f"{name}: {error}") from error
        assert expected is not None
        assert found is not None
        kept = {a for a in after.arrays if a.kind == "out"}
        for array in before.arrays:
            if array not in kept:
                continue
            self.count += 1
            x, y = expected[array], found[array]
            if name in ROUNDING:
                wrong = not _is_close(y, x, partial(self.moved, before, array))
            else:
                wrong = not np.array_equal(x, y, equal_nan=True)
            if wrong:
                raise PassError(f"{name}: {array} is {y} for {x}")

    def moved(self, program: Program, array: Array) -> Any:
        """Return how much the elements of an array change by another rounding of all results."""
        noise = random.Random(self.seed)

        def apply(op: Operation, *operands: float) -> float:
            return by_table(op, *operands) * noise.choice([1.0 - EPSILON, 1.0 + EPSILON])

        other = interpret(program, self.given(program), apply)[array]
        expected = self.outputs(program)
        assert expected is not None
        return np.abs(other - expected[array])

    def compare_schedule(self, program: Program, body: Body, layout: Plan) -> None:
        """Run scheduled loops, without their layout and with it, and compare with the equations."""
        if not self.is_small(program):
            return
        expected = self.outputs(program)
        assert expected is not None
        for name, places in (("schedule", None), ("plan", layout)):
            try:
                found = ScheduledInterpreter(program, body, places, self.given(program)).run()
            except (LoweringError, ScheduleError, TraceError) as error:
                where = "plan" if isinstance(error, LayoutError) else name
                raise PassError(f"{where}: {error}") from error
            for array in program.arrays:
                if array.kind == "out" and not np.array_equal(
                    found[array], expected[array], equal_nan=True
                ):
                    raise PassError(f"{name}: {array} is {found[array]} for {expected[array]}")
            self.count += 1


def _is_close(found: Any, expected: Any, moved: Callable[[], Any]) -> bool:
    if np.array_equal(np.isfinite(found), np.isfinite(expected)) is False:
        return not np.isfinite(expected).all()  # an overflow may be rounded away
    fine = np.isfinite(expected)
    scale = np.abs(expected[fine]).max(initial=1.0)
    errors = np.abs(found - expected)[fine]
    if (errors <= 1e-11 * scale).all():
        return True
    return bool((errors <= 1e3 * np.nan_to_num(moved()[fine], nan=np.inf).max(initial=0.0)).all())


# Nests ------------------------------------------------------------------------------------------


def nests(seed: int, comparison: Comparison) -> str:
    """Run every pass on a random nest with its gradient."""
    case = random_nests.Case(seed)
    comparison.inputs["p"] = np.array(case.point)
    checked("builder", None, case.plain)
    program = checked("gradient", case.plain, case.written)
    expected = case.eager()
    found = comparison.outputs(program)
    if found is not None and not random_nests.is_close(case.outputs(found), expected):
        return f"gradient: {case.outputs(found)} for {expected}"
    for rewrite in REWRITES:
        program = checked(rewrite.__name__, program, rewrite(program))
    _schedule(program)
    return ""


REWRITES: Sequence[Callable[[Program], Program]] = (
    simplify, contract, without_output_copies, with_saved_exponentials, with_room_for_empty_sums,
)  # fmt: skip


def _schedule(program: Program) -> None:
    try:
        ordered, _ = with_directions(program)
    except (LoweringError, TraceError) as error:
        raise PassError(f"schedule: {error}") from error
    checked("with_directions", program, ordered)
    for lanes in (True, False):
        body, fastest = tiled(schedule(ordered), lanes=lanes)
        checked_layout(ordered, body, plan(ordered, body, fastest))


# Recordings -------------------------------------------------------------------------------------


def recordings(seed: int, comparison: Comparison) -> str:
    """Find the loops of a recording, and compile it with its gradient."""
    program = random_recordings.Drawn(seed, in_place=seed % 2 == 0)
    numbers = [0.1 * x for x in natural.draws(400 - 303 * program.in_place, seed + 1)]
    recording, node = recorded(program, numbers)
    every = _evaluate(recording, numbers)
    try:
        with sg.disable_jit():
            value = float(program(numbers))
    except NumericalError:
        return NOT_COMPARED
    if math.isfinite(value) and not math.isclose(value, every[node], rel_tol=1e-9, abs_tol=1e-9):
        return f"unfold: {every[node]} for {value}"
    found = found_loops(recording, numbers, every, comparison)
    return found or _compiled(random_recordings.compare(seed))


def found_loops(
    recording: Instructions,
    numbers: Sequence[float],
    every: Sequence[float],
    comparison: Comparison,
) -> str:
    """Compare the equations of a tree of loops with the nodes of its recording."""
    tree = next(trees(recording), None)
    nodes = [len(recording) - 1 - k for k in range(0, len(recording), 7)][::-1]
    if tree is None:
        return ""
    for around in (True, False):
        b = Builder()
        given = b.array("p", (len(numbers),), "in")
        try:
            written = to_equations(tree, b, [given], nodes, around=around)
        except (LoweringError, TraceError):
            continue
        program = checked("to_equations", None, b.program())
        if not comparison.is_small(program):
            continue
        try:
            arrays = interpret(program, {given: numbers})
        except (LoweringError, TraceError) as error:
            return f"to_equations: {error}"
        for chosen, column in written:
            for k, at in zip(chosen.tolist(), column.at.tolist(), strict=True):
                x, y = float(arrays[column.array][tuple(at)]), every[nodes[k]]
                if not (x == y or math.isclose(x, y, rel_tol=1e-7, abs_tol=1e-9) or y != y):
                    return f"to_equations: node {nodes[k]} is {x} for {y}"
    return ""


def _evaluate(recording: Instructions, numbers: Sequence[float]) -> list[float]:
    """Return the number of each node of a recording."""
    found: list[float] = []
    constants = recording.places.view(np.float64).tolist()
    columns = (recording.kinds, recording.places, recording.first)
    kinds, places, first = (x.tolist() for x in columns)
    for node, code in enumerate(recording.codes.tolist()):
        operands = [
            found[places[k]] if kinds[k] == COMPUTED
            else numbers[places[k]] if kinds[k] == GIVEN else constants[k]
            for k in range(first[node], first[node + 1])
        ]  # fmt: skip
        found.append(by_table(operation_of(recording.table[code]), *operands))
    return found


# Examples ---------------------------------------------------------------------------------------


def examples(seed: int, _: Comparison) -> str:
    """Compile a random program of examples."""
    return _compiled(random_examples.difference(seed))


def _compiled(difference: str) -> str:
    return f"compiled: {difference}" if difference not in {"", NOT_COMPARED} else difference


def blocks(seed: int, comparison: Comparison) -> str:
    """Run passes on a sum over many examples, and on its gradient, in blocks."""
    rng = random.Random(seed)
    b = Builder()
    count, unary = 10_000, rng.choice(random_nests.UNARY)
    p, y = b.input("p", 3), b.output("value")
    x = b.const("x", np.random.default_rng(seed).normal(size=count))
    examples = b.var(count, "e")
    with b.loop(examples):
        b.add(y[()], unary(x[examples] * p[rng.randrange(3)]) * p[1])
    program, _ = (
        gradient(b.program(), y.array, [p.array]) if rng.random() < 0.3 else (b.program(), 0)
    )
    program = contract(simplify(program))
    comparison.limit = 20 * count
    program = checked("in_blocks", program, in_blocks(program, [examples]))
    _schedule(program)
    return ""


KINDS: Sequence[Callable[[int, Comparison], str]] = (nests, recordings, nests, recordings, examples)


def compare(seed: int) -> str:
    """Return the first pass that changes a result, and the difference; '' if there is none."""
    kind = blocks if seed % 50 == 49 else KINDS[seed % len(KINDS)]
    comparison = Comparison(seed)
    try:
        with comparison.observing():
            return kind(seed, comparison)
    except (PassError, VerificationError) as error:
        return f"{error}"


if __name__ == "__main__":
    sys.exit(main(compare, "random_passes"))
