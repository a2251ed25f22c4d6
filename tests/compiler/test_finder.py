"""Nests found in flat recordings: programs as people write them, and loops drawn at random."""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler import natural_programs as natural
from tests.compiler.natural_programs import Natural
from tests.compiler.nests import (
    Builder,
    Cell,
    Recording,
    Table,
    Tree,
    contract,
    expanded,
    find,
    gradient,
    interpret,
    recorded,
    simplify,
    to_equations,
)
from tests.compiler.random_nests import NO_NEST
from tests.compiler.random_recordings import Drawn, compare
from tests.seeds import seeds

import scalargrad as sg
from scalargrad.errors import TraceError

pytestmark = [pytest.mark.behaviour, pytest.mark.differential]


def point(program: Natural) -> list[float]:
    """Return numbers at which a program is defined."""
    numbers = [abs(x) + 0.1 for x in natural.draws(program.inputs, 3)]
    size = round(program.inputs**0.5)
    if size * size == program.inputs:  # a matrix to be factorised is mostly its diagonal
        numbers[:: size + 1] = [20.0] * size
    return numbers


def of(program: Natural) -> Recording:
    """Return the recording of a program."""
    return recorded(program.function, point(program))[0]


def tables(tree: Tree) -> int:
    """Return how many operands are read by tables."""
    return sum(isinstance(x, Table) for s in tree.statements for x in s.operands)


#: Programs found without tables, and their forms.
AFFINE: list[tuple[Callable[[], Natural], str]] = [
    (natural.moons, "30[6[2[2] 1] 6[1] 6[6[2] 1] 6[1] 6[2] 4] 30[1] 1 67[2] 2"),
    (natural.logistic, "400[10[2] 3] 1"),
    (natural.garch, "400[9]"),
    (natural.cholesky, "1 15[1+i[1 1+j[2]] 1] 16[2]"),
    (natural.mixture, "5[2] 1 100[5[14] 5[2] 2]"),
    (natural.convolution, "56[5[2] 3]"),
    (natural.convolution_of_image, "12[12[3[3[2]] 2]]"),
    (natural.heat, "40[28[5]] 2 28[2] 2"),
    (natural.matrices, "8[8[8[2] 2]]"),
    (natural.elimination, "11[11-i[1 11-i[2]]] 12[3]"),
]


def test_loops_are_found_as_they_are_written() -> None:
    """Each loop is one, with its extent and its statements; everything is read affinely."""
    for make, form in AFFINE:
        recording = of(make())
        tree = find(recording)
        assert tree is not None
        assert str(tree) == form
        assert not tables(tree)
        assert expanded(tree).equals(recording)


@pytest.mark.parametrize(
    ("make", "factor"),
    [
        (natural.runge_kutta, 1.7), (natural.lstm, 2.0), (natural.rnn, 2.0),
        (natural.attention, 3.5), (natural.fourier, 1.2), (natural.edit_distance, 1.5),
        (natural.ragged, 1.0),
        (lambda: natural.moons(total=natural.reduced), 1.0),
    ],
    ids=["runge_kutta", "lstm", "rnn", "attention", "fourier", "edit_distance",
         "ragged", "reductions"],
)  # fmt: skip
def test_programs_are_about_as_short_as_their_text(
    make: Callable[[], Natural], factor: float
) -> None:
    """Recurrences, triangles, ragged rows, cells changed in place are found, some by tables."""
    program = make()
    recording = of(program)
    tree = find(recording)
    assert tree is not None
    assert len(tree.statements) <= factor * program.operations
    assert expanded(tree).equals(recording)


@pytest.mark.parametrize("make", [natural.kalman, natural.bodies])
def test_what_would_need_tables_at_each_turn_is_loops_without_loops_in_them(
    make: Callable[[], Natural],
) -> None:
    """Steps are written out where that runs faster: no statement is in two loops."""
    recording = of(make())
    tree = find(recording)
    assert tree is not None
    assert {len(s.loops) for s in tree.statements} == {0, 1}
    assert len(tree.statements) < len(recording) / 6
    assert expanded(tree).equals(recording)


def test_three_spellings_of_a_sum_have_the_same_loops() -> None:
    """A sum by hand and Python's are one loop; a reduction adds after it has multiplied."""
    forms = [str(find(of(natural.matrices(8, x)))) for x in ("sum", "plain", "reduction")]
    assert forms == ["8[8[8[2] 2]]", "8[8[8[2] 2]]", "8[8[8[1] 8[1] 2]]"]


@pytest.mark.parametrize("seed", seeds(20, 4))
def test_random_loops_expand_to_their_recording(seed: int) -> None:
    """What is found is the recording, operand for operand; an operand changed makes another."""
    recording, _ = recorded(Drawn(seed), natural.draws(97, seed + 1))
    tree = find(recording)
    if tree is None:
        return
    assert expanded(tree).equals(recording)
    places = recording.places.copy()
    places[random.Random(seed).randrange(len(places))] += 1
    changed = dataclasses.replace(recording, places=places)
    assert not expanded(tree).equals(changed)
    again = find(changed)
    assert again is None or expanded(again).equals(changed)


def random_graph(count: int) -> Recording:
    """Return the recording of operations on operands drawn among all before them."""
    rng = np.random.default_rng(1)

    def run(p: list[Any]) -> Any:
        found = [*p]
        for kind, share, other in rng.random((count, 3)).tolist():
            x, y = found[int(share * len(found))], found[int(other * len(found))]
            found.append(x + y if kind < 0.3 else x * y if kind < 0.6 else sg.sin(x))
        return sum(found)

    return recorded(run, [0.1] * 20)[0]


def test_irregular_graphs_are_given_up_in_linear_time() -> None:
    """Four times the nodes take about four times as long; microseconds a node."""
    taken = []
    for recording in [random_graph(6000), random_graph(24000)]:
        best = min(_timed(recording) for _ in range(2))
        taken.append(best / len(recording))
    assert taken[1] < 3 * taken[0]


def _timed(recording: Recording) -> float:
    start = time.process_time()
    find(recording)
    return time.process_time() - start


def compare_equations(function: Callable[[Any], Any], numbers: list[float]) -> bool:
    """Compare the equations of a function with Values; return whether there are any."""
    recording, node = recorded(function, numbers)
    tree = find(recording)
    for around in (True, False) if tree else ():
        b = Builder()
        inputs = b.array("p", (len(numbers),), "in")
        results = tree and to_equations(tree, b, [inputs], [node], around=around)
        if not results:
            continue
        loss = b.output("loss")
        loss[()] = Cell(results[0])
        program, slopes = gradient(b.program(), loss[()].access, [inputs])
        try:
            found = interpret(contract(simplify(program)), {inputs: numbers})
        except TraceError:  # cells around results that wait for each other
            continue
        value, expected = sg.value_and_grad(function)(numbers)
        assert found[loss.array] == pytest.approx(value, rel=1e-12)
        assert found[slopes[inputs]] == pytest.approx(expected, rel=1e-10, abs=1e-12)
        return True
    return False


@pytest.mark.parametrize(
    "make",
    [
        lambda: natural.moons(6, 3), lambda: natural.logistic(8, 4), lambda: natural.garch(12),
        lambda: natural.runge_kutta(6), lambda: natural.cholesky(6),
        lambda: natural.mixture(6, 4), lambda: natural.convolution(12, 4),
        lambda: natural.convolution_of_image(7, 3), lambda: natural.heat(8, 6),
        lambda: natural.matrices(4, "reduction"), lambda: natural.elimination(6),
        lambda: natural.attention(6, 4),
    ],
    ids=["moons", "logistic", "garch", "runge_kutta", "cholesky", "mixture", "convolution",
         "convolution_of_image", "heat", "matrices", "elimination", "attention"],
)  # fmt: skip
def test_equations_have_the_value_and_gradient_of_values(make: Callable[[], Natural]) -> None:
    """Sums, recurrences, stencils and triangles in which all is affine agree with Values."""
    program = make()
    assert compare_equations(program.function, point(program))


@pytest.mark.parametrize("seed", seeds(20, 3))
def test_equations_of_random_loops_are_right_or_refused(seed: int) -> None:
    """What needs tables or ragged rows is refused; the rest agrees with Values."""
    compare_equations(Drawn(seed, in_place=False), [0.1 * x for x in natural.draws(400, seed + 1)])


@pytest.mark.native
@pytest.mark.parametrize("seed", [*seeds(12, 2), 1171])
def test_random_loops_run_as_nests_have_the_gradient_of_values(seed: int) -> None:
    """What is recorded flat, found again and compiled agrees with Values, or is no nest."""
    assert compare(seed) in {"", NO_NEST}


@pytest.mark.native
@pytest.mark.parametrize("make", [natural.heat, natural.lstm])
def test_jit_runs_what_repeats_as_loops(make: Callable[[], Natural]) -> None:
    """Values and gradients are the eager ones; explain shows equations; overflow is an error."""
    made = make()
    given = [0.1 * abs(x) + 0.1 for x in natural.draws(made.inputs)]
    compiled = sg.jit(sg.value_and_grad(made.function))
    value, slopes = sg.value_and_grad(made.function)(given)
    scale = max(map(abs, slopes))
    found = compiled(given)
    assert found[0] == pytest.approx(value, rel=1e-12)
    assert found[1] == pytest.approx(slopes, rel=1e-9, abs=1e-12 * scale)
    if make is natural.heat:
        assert "for i" in compiled.explain(given)
        with pytest.raises(sg.NumericalError):
            compiled([x * 1e200 for x in given])


def test_chains_of_additions_are_sums() -> None:
    """Of a product of matrices, each entry is added up; no cell holds a part of it."""
    program = natural.matrices(4)
    recording, node = recorded(program.function, point(program))
    tree = find(recording)
    assert tree is not None
    b = Builder()
    assert to_equations(tree, b, [b.array("p", (program.inputs,), "in")], [node]) is not None
    assert str(b.program()).count("+=") == 2
    assert all(array.shape != (4, 4, 4) for array in b.arrays if array.name == "add")
