"""The loop finder: loop trees of natural programs and of random loops, from flat traces."""

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


def trace_program(program: Natural) -> Instructions:
    """Return the trace of a program."""
    return recorded(program.function, point(program))[0]


def find_tree(recording: Instructions) -> Tree:
    """Return the loop tree of a trace, after checking that it expands to the trace."""
    tree = next(trees(recording), None)
    assert tree is not None
    assert computes(tree, recording)
    return tree


#: Programs whose accesses are all affine, and their loop trees.
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


@pytest.mark.parametrize(("make", "form"), AFFINE, ids=[make.__name__ for make, _ in AFFINE])
def test_finder_returns_the_loops_of_the_source_with_affine_accesses(
    make: Callable[[], Natural], form: str
) -> None:
    """Each loop of the source is one loop, with its trip count and statements."""
    tree = find_tree(trace_program(make()))
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
def test_finder_returns_about_as_many_statements_as_the_source(
    make: Callable[[], Natural], factor: float
) -> None:
    """Recurrences, triangles, ragged rows and mutation; each branch of a condition appears once."""
    program = make()
    assert len(find_tree(trace_program(program)).statements) <= factor * program.operations


@pytest.mark.parametrize(("positions", "layers"), [(16, 1), (6, 3)])
def test_finder_returns_one_loop_over_the_positions_of_a_gpt(positions: int, layers: int) -> None:
    """The attention sums of position k have k terms, that is one at the first position."""
    tokens = [*range(positions)]
    weights = natural.draws(4192 + (layers - 1) * gpt.OF_LAYER, 0)
    tree = find_tree(recorded(lambda p: gpt.loss(p, tokens, tokens, sg, layers), weights)[0])
    assert str(tree).startswith(f"{positions}[")
    assert len(tree.statements) <= 50


@pytest.mark.parametrize("seed", seed_parameters(6, 2))
def test_finder_returns_a_tree_that_expands_to_the_trace_of_random_loops(seed: int) -> None:
    """Operand for operand; the tree does not match a trace with another operand."""
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


@pytest.mark.parametrize("seed", [0, 1, 1171, 5000201, 25310721, 26300322, 93520025])
def test_jit_of_random_loops_has_the_gradients_of_eager_code(seed: int) -> None:
    """Or the loops cannot be compiled as a nest."""
    assert random_recordings.compare(seed) in {"", NOT_COMPARED}
