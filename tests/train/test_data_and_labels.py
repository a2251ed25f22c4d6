"""Data from other packages, limits on gradients, and labels that do not suit the loss."""

from __future__ import annotations

import warnings
from functools import partial
from typing import Any

import numpy as np
import pytest

from scalargrad.errors import OperandError, TrainingWarning
from scalargrad.losses import (
    BCELoss,
    BCEWithLogitsLoss,
    HingeLoss,
    accuracy,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    error_rate,
    hinge_loss,
    mse_loss,
)
from scalargrad.nn import MLP, Linear, Module, Sequential, Sigmoid
from scalargrad.optim import SGD, Adam
from scalargrad.train import History, fit

from .helpers import INPUTS, TARGETS, linear


def trained(X: Any, y: Any, model: Module | None = None, **options: Any) -> list[float]:  # noqa: N803
    """Return the weights after three epochs of all examples at once."""
    model = model or linear()
    options = {"loss": mse_loss, "optimizer": SGD(model.parameters(), lr=0.1), **options}
    fit(model, X, y, epochs=3, batch_size=None, quiet=True, **options)
    return [p.data for p in model.parameters()]


EXPECTED = trained(INPUTS, [[y] for y in TARGETS])


@pytest.mark.parametrize("jit", [False, True])
def test_a_column_of_targets_is_as_good_as_a_list(jit: bool) -> None:
    """Whether the model returns a number or a list of one."""
    column, unit = [[y] for y in TARGETS], MLP(2, [1], rng=0)
    assert trained(INPUTS, TARGETS, jit=jit) == pytest.approx(EXPECTED, rel=1e-12)
    plain = trained(INPUTS, TARGETS, unit, jit=jit)
    assert trained(INPUTS, column, MLP(2, [1], rng=0), jit=jit) == plain


@pytest.mark.parametrize("jit", [False, True])
def test_frames_and_series_of_pandas(jit: bool) -> None:
    """A DataFrame is its rows; targets are a Series, a column or one column of a frame."""
    pandas = pytest.importorskip("pandas", reason="pandas is what is given")
    frame = pandas.DataFrame(INPUTS, columns=["a", "b"])
    frame["y"] = TARGETS
    x = frame[["a", "b"]]
    for y in (frame["y"], frame[["y"]], frame["y"].to_numpy(), frame["y"].to_list()):
        assert trained(x, y, jit=jit) == pytest.approx(EXPECTED, rel=1e-12)
    rows = [row for _, row in x.iterrows()]
    assert trained(rows, frame["y"], jit=jit) == pytest.approx(EXPECTED, rel=1e-12)
    held_out = (x, frame["y"])
    again = trained(x, frame["y"], validation_data=held_out, jit=jit)
    assert again == pytest.approx(EXPECTED, rel=1e-12)


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize("kind", [np.uint8, np.int8, np.int16])
def test_small_integers_in_lists_do_not_overflow(kind: Any, jit: bool) -> None:
    """Pixels and labels taken out of arrays one by one are as good as Python's integers."""

    class Centred(Linear):
        def forward(self, x: Any) -> Any:
            return super().forward([(v - 100) * 300 / 30000 for v in x])

    def loss(predictions: list[Any], targets: list[Any]) -> Any:
        found = [(p[0] - 300 * t / 30000) ** 2 for p, t in zip(predictions, targets, strict=True)]
        return sum(found) / len(found)

    pixels, labels = [[0, 120], [7, 101], [90, 3]], [120, 101, 2]
    options: dict[str, Any] = {"loss": loss, "jit": jit}
    expected = trained(pixels, labels, Centred(2, 1, rng=0), **options)
    given = [*np.array(pixels, kind)], [*np.array(labels, kind)]
    assert trained(*given, Centred(2, 1, rng=0), **options) == expected


def test_tensors_of_pytorch() -> None:
    """As a whole, as rows, and as a column that requires gradients."""
    torch = pytest.importorskip("torch", reason="PyTorch is what is given")
    x = torch.tensor(INPUTS, dtype=torch.float64)
    y = torch.tensor(TARGETS, dtype=torch.float64, requires_grad=True)
    for targets in (y, y.reshape(-1, 1), list(y)):
        assert trained(x, targets) == pytest.approx(EXPECTED, rel=1e-12)
        assert trained(list(x), targets) == pytest.approx(EXPECTED, rel=1e-12)


@pytest.mark.parametrize("given", [None, 3, "rows", b"rows", {"a": 1.0}, {1.0, 2.0}])
def test_what_are_no_examples_is_refused(given: Any) -> None:
    """In one line that says which of the two it is."""
    with pytest.raises(OperandError, match=r"^X of the training data is [^\n]*give a list"):
        trained(given, TARGETS)
    with pytest.raises(OperandError, match=r"^y of the training data is [^\n]*give a list"):
        trained(INPUTS, given)
    with pytest.raises(OperandError, match=r"^y of the validation data is"):
        trained(INPUTS, TARGETS, validation_data=(INPUTS, given))


def after_one_step(**options: Any) -> tuple[list[float], History]:
    """Take one step from 0, at rate 1, whose gradient is (2, -4) for targets -1 and 2."""
    model = Linear(2, 1, bias=False, rng=0)
    for parameter in model.parameters():
        parameter.data = 0.0
    optimizer = SGD(model.parameters(), lr=1.0)
    xs, ys = [[1.0, 0.0], [0.0, 1.0]], [-1.0, 2.0]
    history = fit(
        model,
        xs,
        ys,
        loss=partial(mse_loss, reduction="sum"),
        optimizer=optimizer,
        epochs=1,
        quiet=True,
        **options,
    )
    return [p.data for p in model.parameters()], history


CLIPPED: list[tuple[dict[str, float], list[float]]] = [
    ({}, [-2.0, 4.0]),
    ({"clip_grad_norm": 100.0}, [-2.0, 4.0]),
    ({"clip_grad_norm": 1.0}, [-2.0 / 20.0**0.5, 4.0 / 20.0**0.5]),
    ({"clip_grad_value": 3.0}, [-2.0, 3.0]),
    ({"clip_grad_value": 1.0}, [-1.0, 1.0]),
    ({"clip_grad_value": 3.0, "clip_grad_norm": 1.0}, [-2.0 / 13.0**0.5, 3.0 / 13.0**0.5]),
    ({"clip_grad_norm": 0.0}, [0.0, 0.0]),
]


@pytest.mark.parametrize("jit", [False, True])
@pytest.mark.parametrize(("limits", "expected"), CLIPPED)
def test_a_step_is_as_long_as_the_limits_allow(
    limits: dict[str, float], expected: list[float], jit: bool
) -> None:
    """In closed form, eagerly and compiled; the norm recorded is that of the step."""
    found, history = after_one_step(jit=jit, gradient_tolerance=0.0, **limits)
    assert found == pytest.approx(expected, rel=2e-6)
    assert history["gradient_norm"][0] == pytest.approx(float(np.linalg.norm(expected)), rel=2e-6)


@pytest.mark.parametrize("limits", [{"clip_grad_norm": 0.3}, {"clip_grad_value": 0.2}])
def test_programs_clip_as_eager_steps_do(limits: dict[str, float]) -> None:
    """Over epochs of Adam in batches, with parameters that the optimiser does not train."""
    found = []
    for jit in (False, True):
        model = Sequential(Linear(2, 3, rng=1), Sigmoid(), Linear(3, 1, rng=2))
        optimizer = Adam(model[2].parameters(), lr=0.1)
        options: dict[str, Any] = {"batch_size": 4, "jit": jit, "quiet": True, **limits}
        fit(model, INPUTS, TARGETS, loss=mse_loss, optimizer=optimizer, epochs=5, **options)
        found.append([p.data for p in model.parameters()])
        free = [p.data for p in Sequential(Linear(2, 3, rng=1)).parameters()]
        assert found[-1][: len(free)] == free
    assert found[1] == pytest.approx(found[0], rel=1e-9)


@pytest.mark.parametrize("limit", [-1.0, "1", None])
def test_limits_are_numbers(limit: Any) -> None:
    """None is no limit."""
    if limit is None:
        assert after_one_step(clip_grad_norm=None)[0] == [-2.0, 4.0]
        return
    for name in ("clip_grad_norm", "clip_grad_value"):
        with pytest.raises((OperandError, ValueError), match=f"{name} is"):
            after_one_step(**{name: limit})


def classifier() -> Module:
    """Return a network with one probability."""
    return Sequential(Linear(2, 1, rng=0), Sigmoid())


ODD: list[tuple[Any, list[Any], str]] = [
    (binary_cross_entropy_with_logits, [1, 2, 1, 2, 1, 2], "a target is 2: give y - 1"),
    (binary_cross_entropy_with_logits, [1, -1, 1, -1, 1, 1], r"a target is -1: give .*\(y \+ 1\)"),
    (BCEWithLogitsLoss(), [[1], [2], [1], [2], [1], [2]], "takes 1 for yes and 0 for no"),
    (partial(hinge_loss, margin=2.0), [0, 1, 0, 1, 0, 1], "hinge loss takes 1 and -1, and a tar"),
    (HingeLoss(), [1, -1, 1, 2, 1, 1], r"a target is 2: give 2 \* y - 1"),
]


@pytest.mark.parametrize(("loss", "labels", "message"), ODD)
def test_labels_that_do_not_suit_the_loss_are_warned_of(
    loss: Any, labels: list[Any], message: str
) -> None:
    """The warning says which it takes, one that is none, and what to give."""
    with pytest.warns(TrainingWarning, match=message):
        trained(INPUTS, labels, loss=loss)


def test_probabilities_are_refused_where_targets_are_none() -> None:
    """Targets of 2 make no cross-entropy of probabilities; the warning comes first."""
    model = classifier()
    with pytest.warns(TrainingWarning, match="a target is 2"):
        trained(INPUTS, [0, 1, 2, 0, 1, 0], model, loss=BCELoss())


@pytest.mark.parametrize("metric", [accuracy, error_rate])
def test_a_count_of_probabilities_is_warned_of(metric: Any) -> None:
    """Every probability is above 0; a threshold makes it right."""
    labels = [0, 1, 0, 1, 0, 1]
    with pytest.warns(TrainingWarning, match="threshold=0.5"):
        trained(INPUTS, labels, classifier(), loss=binary_cross_entropy, metrics=[metric])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        half = partial(metric, threshold=0.5)
        trained(INPUTS, labels, classifier(), loss=BCELoss(), metrics=[half])
        trained(INPUTS, labels, loss=BCEWithLogitsLoss(), metrics=[metric])
        trained(INPUTS, [1, -1, 1, -1, 1, 1], loss=hinge_loss)
        trained(INPUTS, [0.0, 0.5, 1.0, 0.25, 1, 0], loss=binary_cross_entropy_with_logits)
