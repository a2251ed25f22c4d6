"""Examples of several shapes, taken one by one: each shape is a program of its own."""

from __future__ import annotations

import math
import random
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from scalargrad.errors import NumericalError, TraceError
from scalargrad.nn import Dropout, Embedding, Linear, Module
from scalargrad.optim import SGD, Adagrad, Adam, SparseAdam
from scalargrad.train import fit
from scalargrad.train.data_rows import Shapes

from .alike import Made, assert_alike

_chance = random.Random(2)
WORDS = [[_chance.randrange(4) for _ in range(n)] for n in (1, 3, 2, 3, 3, 2, 3)]
SCORES = [math.sin(len(word) + sum(word)) for word in WORDS]


class Bag(Module):
    """A linear layer over the vectors of a word, weighted by position, added up."""

    def __init__(self, p: float = 0.0) -> None:
        self.table, self.position = Embedding(4, 2, rng=3), Embedding(3, 1, rng=5)
        self.drop, self.out = Dropout(p, rng=6), Linear(2, 1, rng=4)

    def forward(self, word: list[int]) -> Any:
        """Score a word."""
        vectors = [
            [x * self.position(i)[0] for x in self.table(token)] for i, token in enumerate(word)
        ]
        (score,) = self.out(self.drop([sum(column) for column in zip(*vectors, strict=True)]))
        return score


def square(predictions: list[Any], targets: list[float]) -> Any:
    """Return the squared error of a batch."""
    return sum((p - y) ** 2 for p, y in zip(predictions, targets, strict=True))


ADAM, SPARSE_ADAM = partial(Adam, lr=0.05), partial(SparseAdam, lr=0.05)


def trained(jit: bool | None, optimizer: Any = ADAM, p: Any = 0.0, **options: Any) -> Made:
    """Train on words of three lengths, one by one in an order that is drawn."""
    model = Bag(p)
    moving = optimizer(model.parameters())
    history = fit(
        model, WORDS, SCORES, optimizer=moving, jit=jit,
        **{"loss": square, "batch_size": 1, "epochs": 9, "quiet": True, **options},
    )  # fmt: skip
    parameters = model.parameters()
    return history, [p.data for p in parameters], moving.state_dict(), [p.grad for p in parameters]


@pytest.mark.parametrize("optimizer", [ADAM, partial(Adagrad, lr=0.1)], ids=["Adam", "Adagrad"])
def test_words_of_any_length_train_as_eagerly(optimizer: Any, steps: list[int]) -> None:
    """Every step is a program, and parameters, losses and norms of gradients equal eager ones.

    Position 2 has no gradient after a word of two: Adam's moments move it all the same.
    """
    found = trained(True, optimizer, gradient_tolerance=0.0)
    expected = trained(False, optimizer, gradient_tolerance=0.0)
    assert len(steps) == 9 * len(WORDS)
    for a, b in zip(found[0].rows, expected[0].rows, strict=True):
        assert a == pytest.approx(b, rel=1e-10)
    assert found[1] == pytest.approx(expected[1], rel=1e-10)
    assert found[3] == pytest.approx(expected[3], rel=1e-10, abs=1e-12)


@pytest.mark.usefixtures("early")
def test_rows_that_are_not_looked_up_stay_where_they_are(steps: list[int]) -> None:
    """SparseAdam moves by its moments whatever has a gradient, be it 0, and so is left eager."""
    assert trained(None, SPARSE_ADAM) == trained(False, SPARSE_ADAM)
    assert steps == []
    with pytest.raises(TraceError, match="SparseAdam moves a parameter that is looked up"):
        trained(True, SPARSE_ADAM)


def test_gradients_of_what_is_not_trained_add_up_over_words(steps: list[int]) -> None:
    """Also those of a position that the last word, of two tokens, does not have."""

    def outputs(parameters: list[Any]) -> SGD:
        return SGD(parameters[-3:], lr=0.1)

    found, expected = trained(True, outputs, seed=5), trained(False, outputs, seed=5)
    assert len(steps) == 9 * len(WORDS)
    assert found[3] == pytest.approx(expected[3], rel=1e-10)
    assert all(expected[3])


@pytest.mark.parametrize("jit", [True, False])
def test_rows_that_nothing_looks_up_or_trains_are_untouched(jit: bool) -> None:
    """A program has a gradient for every row, 0 here; another optimiser would visit the row."""
    model = Bag()
    fit(model, [[0, 1]], [0.5], loss=square, optimizer=SGD(model.out.parameters(), lr=0.1),
        epochs=3, jit=jit, quiet=True)  # fmt: skip
    assert model.table.weight.touched.keys() == {*model.table.weight[0], *model.table.weight[1]}


@pytest.mark.usefixtures("early")
def test_a_refused_step_draws_its_numbers_once(steps: list[int]) -> None:
    """The program of SparseAdam's step ran, drew its mask and was refused: it draws as if never."""
    assert_alike(trained(None, SPARSE_ADAM, p=0.5), trained(False, SPARSE_ADAM, p=0.5))
    assert not steps


@pytest.mark.parametrize("jit", [True, False])
def test_none_for_the_gradient_of_rows_is_cleared(jit: bool) -> None:
    """A row that no word of the next epochs looks up had None: a TypeError, or no step."""

    def clear(model: Module, history: Any) -> None:
        for parameter in model.parameters():
            parameter.grad = None

    options: dict[str, Any] = {"gradient_tolerance": 0.0, "callbacks": [clear]}
    found, expected = trained(jit, **options), trained(False, gradient_tolerance=0.0)
    for a, b in zip(found[0].rows, expected[0].rows, strict=True):
        assert a == pytest.approx(b, rel=1e-10)
    assert found[1] == pytest.approx(expected[1], rel=1e-10)


@pytest.mark.usefixtures("early")
def test_each_length_has_its_own_warm_up(steps: list[int]) -> None:
    """Four words of each length are learned eagerly, all others of that length by its program."""
    found = trained(None)
    assert len(steps) == 9 * len(WORDS) - 3 * 4
    assert_alike(found, trained(False))


@pytest.mark.usefixtures("early")
def test_the_rarest_lengths_stay_eager(steps: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs are bounded in number: with room for one, it serves the four words of three."""
    monkeypatch.setattr("scalargrad.train.compiled.SHAPES", 1)
    found = trained(None)
    assert len(steps) == 9 * 4 - 4
    assert_alike(found, trained(False))


@pytest.mark.usefixtures("early")
@pytest.mark.parametrize("torn", [1, 3, 6])
def test_a_resumed_run_on_words_equals_one_never_stopped(
    torn: int, tmp_path: Path, steps: list[int]
) -> None:
    """To the last bit, whichever lengths had become programs before."""
    expected = trained(None, checkpoint=tmp_path / "whole.json")
    taken = len(steps)
    trained(None, epochs=torn, checkpoint=tmp_path / "parts.json")
    assert trained(None, checkpoint=tmp_path / "parts.json", resume=True) == expected
    assert len(steps) == 2 * taken > 0


@pytest.mark.usefixtures("early")
def test_batches_of_unlike_words_are_eager(tmp_path: Path, steps: list[int]) -> None:
    """A program for each mixture of lengths would hardly be met twice; jit=True says so."""
    options = {"batch_size": 2, "checkpoint": tmp_path / "run.json"}
    trained(None, epochs=4, **options)
    found = trained(None, resume=True, **options)
    assert steps == []
    assert found[1] == trained(False, batch_size=2)[1]
    with pytest.raises(TraceError, match="or train with batch_size=1"):
        trained(True, batch_size=2)


def test_a_run_begun_eagerly_cannot_resume_as_programs_on_unlike_words(tmp_path: Path) -> None:
    """The error is that of a run begun as programs."""
    options = {"batch_size": 2, "checkpoint": tmp_path / "run.json"}
    trained(False, epochs=2, **options)
    with pytest.raises(TraceError, match="not all nested alike"):
        trained(True, resume=True, **options)


def test_batches_are_counted_by_shape() -> None:
    """Seven alike in threes are two full batches and one of one; apart, each shape counts."""
    assert Shapes([1.0] * 7, 3).batches() == {(0, 3): 2, (0, 1): 1}
    assert Shapes([[1.0], [1.0, 2.0], [2.0, 1.0]], 1).batches() == {(0, 1): 2, (1, 1): 1}


@pytest.mark.parametrize("jit", [True, False])
def test_an_update_that_overflows_raises_and_leaves_the_numbers(jit: bool) -> None:
    """Gradients are finite, and a rate of 1e308 is too large for them: nothing has moved."""
    model = Bag()
    before = [p.data for p in model.parameters()]
    moving = SGD(model.parameters(), lr=1e308)
    with pytest.raises(NumericalError):
        fit(model, WORDS, [1e4 * y for y in SCORES], optimizer=moving, jit=jit,
            loss=square, batch_size=1, epochs=1, quiet=True)  # fmt: skip
    assert [p.data for p in model.parameters()] == before
