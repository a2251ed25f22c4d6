"""Nests found in flat recordings: programs as people write them, and loops drawn at random."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

import pytest
from tests.compiler import random_recordings
from tests.compiler.nests import Instructions, Table, Tree, computes, recorded, trees
from tests.compiler.random_recordings import Drawn
from tests.compiler.search import NOT_COMPARED
from tests.random_seeds import seed_parameters

import scalargrad as sg
from benchmarks.replay.corpus import gpt
from benchmarks.replay.corpus import nests as natural
from benchmarks.replay.corpus.nests import Natural, point

pytestmark = [pytest.mark.behaviour, pytest.mark.differential]


def of(program: Natural) -> Instructions:
    """Return the recording of a program."""
    return recorded(program.function, point(program))[0]


def found(recording: Instructions) -> Tree:
    """Return the tree of a recording, which stands for it."""
    tree = next(trees(recording), None)
    assert tree is not None
    assert computes(tree, recording)
    return tree


#: Programs found without tables, and their forms.
AFFINE: list[tuple[Callable[[], Natural], str]] = [
    (natural.moons, "30[6[2[2] 1] 6[1] 6[6[2] 1] 6[1] 6[2] 4] 30[1] 1 67[2] 2"),
    (natural.logistic, "400[10[2] 3] 1"),
    (natural.garch, "400[9]"),
    (natural.cholesky, "15[1 1+i[1 1+j[2]]] 1 16[2]"),
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
        tree = found(of(make()))
        assert str(tree) == form
        assert not any(isinstance(x, Table) for s in tree.statements for x in s.operands)


@pytest.mark.parametrize(
    ("make", "factor"),
    [
        (natural.runge_kutta, 1.7), (natural.lstm, 2.0), (natural.rnn, 2.0),
        (natural.attention, 3.5), (natural.fourier, 1.8), (natural.edit_distance, 1.5),
        (natural.ragged, 1.0), (lambda: natural.moons(total=natural.reduced), 1.0),
        (natural.leverage, 2.5), (natural.levered_states, 2.0), (natural.regimes, 1.7),
        (natural.gaps, 2.0), (natural.signs, 4.0),
    ],
    ids=["runge_kutta", "lstm", "rnn", "attention", "fourier", "edit_distance", "ragged",
         "reductions", "leverage", "levered_states", "regimes", "gaps", "signs"],
)  # fmt: skip
def test_programs_are_about_as_short_as_their_text(
    make: Callable[[], Natural], factor: float
) -> None:
    """Recurrences, triangles, ragged rows, cells changed in place are found, some by tables.

    Each way that an `if` on data chose stands in the loop once, however often it is taken.
    """
    program = make()
    assert len(found(of(program)).statements) <= factor * program.operations


@pytest.mark.parametrize(("positions", "layers"), [(16, 1), (6, 3)])
def test_a_gpt_is_one_loop_over_positions(positions: int, layers: int) -> None:
    """The first has sums of one term, the 16th as many as features: how others grow says so."""
    tokens = [*range(positions)]
    weights = natural.draws(4192 + (layers - 1) * gpt.OF_LAYER, 0)
    tree = found(recorded(lambda p: gpt.loss(p, tokens, tokens, sg, layers), weights)[0])
    assert str(tree).startswith(f"{positions}[")
    assert len(tree.statements) <= 50


@pytest.mark.parametrize("seed", seed_parameters(6, 2))
def test_random_loops_stand_for_their_recording(seed: int) -> None:
    """What is found is the recording, operand for operand; an operand changed makes another."""
    recording, _ = recorded(Drawn(seed), natural.draws(97, seed + 1))
    tree = next(trees(recording), None)
    if tree is None:
        return
    assert computes(tree, recording)
    places = recording.places.copy()
    places[random.Random(seed).randrange(len(places))] += 1
    changed = dataclasses.replace(recording, places=places)
    assert not computes(tree, changed)
    again = next(trees(changed), None)
    assert again is None or computes(again, changed)


@pytest.mark.native
@pytest.mark.parametrize("seed", [0, 1, 1171, 5000201, 25310721, 26300322, 93520025])
def test_random_loops_run_as_nests_have_the_gradient_of_values(seed: int) -> None:
    """What is recorded flat, found again and compiled agrees with Values, or is no nest."""
    assert random_recordings.compare(seed) in {"", NOT_COMPARED}
