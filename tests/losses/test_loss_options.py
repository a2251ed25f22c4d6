"""Every option of every loss has its value in closed form, in functions and in modules."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import DomainError, OperandError, Value, grad, losses
from scalargrad.compiler.decorator import jit
from scalargrad.losses import (
    accuracy,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    confusion_matrix,
    cross_entropy,
    error_rate,
    hinge_loss,
    huber_loss,
    l1_loss,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
    zero_one_loss,
)

LN2, LN3 = math.log(2.0), math.log(3.0)

#: Two logits 0 and ln 3 have the probabilities 1/4 and 3/4.
Z = [0.0, LN3]
LN4 = 2.0 * LN2
SURPRISE = [LN4, LN4 - LN3]

CLOSED: list[tuple[Callable[[], Any], float]] = [
    # smoothing by s: (1 - s) times the surprise of the class, and s times the mean of both
    (lambda: cross_entropy(Z, 0), SURPRISE[0]),
    (lambda: cross_entropy(Z, 0, label_smoothing=0.5), 0.5 * SURPRISE[0] + 0.25 * sum(SURPRISE)),
    (lambda: cross_entropy(Z, 1, label_smoothing=1.0), 0.5 * sum(SURPRISE)),
    (
        lambda: cross_entropy(Z, [0.25, 0.75], label_smoothing=0.2),
        0.8 * (0.25 * SURPRISE[0] + 0.75 * SURPRISE[1]) + 0.1 * sum(SURPRISE),
    ),
    # a weighted mean is divided by the weights of the classes met
    (lambda: cross_entropy([Z, Z], [0, 1], [3.0, 5.0]), (3 * SURPRISE[0] + 5 * SURPRISE[1]) / 8),
    (lambda: cross_entropy([Z, Z], [0, 0], [3.0, 5.0]), SURPRISE[0]),
    (
        lambda: cross_entropy([Z, Z], [0, 1], [3.0, 5.0], reduction="sum"),
        3 * SURPRISE[0] + 5 * SURPRISE[1],
    ),
    (lambda: cross_entropy(Z, 1, [3.0, 5.0], reduction="none"), 5 * SURPRISE[1]),
    (
        lambda: cross_entropy([Z, Z], [0, 1], [3.0, 5.0], label_smoothing=0.5),
        # each example: Σ wᵢ qᵢ surpriseᵢ, and the mean is still divided by 3 + 5
        (3 * 0.75 * SURPRISE[0] + 5 * 0.25 * SURPRISE[1]) / 8
        + (3 * 0.25 * SURPRISE[0] + 5 * 0.75 * SURPRISE[1]) / 8,
    ),
    (
        lambda: cross_entropy([Z, Z], [[0.5, 0.5], [1.0, 0.0]], [3.0, 5.0]),
        # probabilities: the mean is over the examples
        ((3 * 0.5 * SURPRISE[0] + 5 * 0.5 * SURPRISE[1]) + 3 * SURPRISE[0]) / 2,
    ),
    # ignored examples count in no mean
    (lambda: cross_entropy([Z, Z, Z], [0, 1, -100]), sum(SURPRISE) / 2),
    (lambda: cross_entropy([Z, Z, Z], [0, 1, 1], ignore_index=1), SURPRISE[0]),
    (lambda: cross_entropy([Z, Z], [1, 0], [3.0, 5.0], ignore_index=0), SURPRISE[1]),
    # of a single class, a list of one number is its probability
    (lambda: cross_entropy([[2.0], [3.0]], [[1.0], [1.0]]), 0.0),
    (lambda: nll_loss([[-1.0, -2.0], [-3.0, -4.0]], [0, 1], [3.0, 5.0]), (3 * 1 + 5 * 4) / 8),
    (lambda: nll_loss([[-1.0, -2.0], [-3.0, -4.0]], [0, 1], ignore_index=0), 4.0),
    (lambda: nll_loss([[-1.0, -2.0], [-3.0, -4.0]], [0, 1], reduction="sum"), 5.0),
    # Σ over the other classes of max(0, margin - x_t + x_i)^p / C
    (lambda: multi_margin_loss([1.0, 2.0, 0.5], 0), (2.0 + 0.5) / 3),
    (lambda: multi_margin_loss([1.0, 2.0, 0.5], 0, 2), (4.0 + 0.25) / 3),
    (lambda: multi_margin_loss([1.0, 2.0, 0.5], 0, 1, 0.25), 1.25 / 3),
    (lambda: multi_margin_loss([1.0, 2.0, 0.5], 0, 1, 1.0, [4.0, 1.0, 1.0]), 4.0 * 2.5 / 3),
    (
        lambda: multi_margin_loss([[1.0, 2.0], [2.0, 1.0]], [0, 0], weight=[4.0, 9.0]),
        4.0 * 2.0 / 2 / 2,
    ),
    # -w (p t ln σ + (1 - t) ln(1 - σ)); σ(ln 3) = 3/4
    (lambda: binary_cross_entropy([0.25, 0.75], [1.0, 0.0], 3.0), 3 * LN4),
    (lambda: binary_cross_entropy([0.25, 0.5], [1.0, 0.0], [3.0, 5.0]), (3 * LN4 + 5 * LN2) / 2),
    (
        lambda: binary_cross_entropy([0.25, 0.5], [1.0, 0.0], [3.0, 5.0], reduction="sum"),
        3 * LN4 + 5 * LN2,
    ),
    (lambda: binary_cross_entropy_with_logits([LN3], [1.0]), LN4 - LN3),
    (lambda: binary_cross_entropy_with_logits([LN3], [0.0]), LN4),
    (lambda: binary_cross_entropy_with_logits([LN3], [1.0], pos_weight=4.0), 4 * (LN4 - LN3)),
    (lambda: binary_cross_entropy_with_logits([LN3], [0.0], pos_weight=4.0), LN4),
    (
        lambda: binary_cross_entropy_with_logits([LN3], [0.5], [2.0], pos_weight=4.0),
        2 * (0.5 * LN4 + 4 * 0.5 * (LN4 - LN3)),
    ),
    (
        lambda: binary_cross_entropy_with_logits(
            [[LN3, 0.0], [0.0, LN3]], [[1.0, 1.0], [0.0, 1.0]], pos_weight=[4.0, 10.0]
        ),
        (4 * (LN4 - LN3) + 10 * LN2 + LN2 + 10 * (LN4 - LN3)) / 4,
    ),
    (
        lambda: binary_cross_entropy_with_logits(
            [[LN3, 0.0], [0.0, LN3]], [[1.0, 1.0], [0.0, 1.0]], [[1.0, 2.0], [3.0, 4.0]]
        ),
        ((LN4 - LN3) + 2 * LN2 + 3 * LN2 + 4 * (LN4 - LN3)) / 4,
    ),
    (lambda: hinge_loss([0.5, -3.0], [1.0, 1.0]), (0.5 + 4.0) / 2),
    (lambda: hinge_loss([0.5, -3.0], [1.0, 1.0], margin=2.0), (1.5 + 5.0) / 2),
    (lambda: hinge_loss([0.5, -3.0], [1.0, -1.0], reduction="sum"), 0.5),
    (lambda: huber_loss([1.0, 3.0], [0.0, 0.0], "sum", 2.0), 0.5 + 2.0 * (3.0 - 1.0)),
    (lambda: huber_loss([1.0, 3.0], [0.0, 0.0]), (0.5 + 2.5) / 2),
    (lambda: smooth_l1_loss([1.0, 3.0], [0.0, 0.0], beta=2.0, reduction="sum"), 0.25 + 2.0),
    (lambda: smooth_l1_loss([1.0, 3.0], [0.0, 0.0], beta=0.0), 2.0),
    (lambda: l1_loss([1.0, -3.0], [0.0, 0.0], reduction="sum"), 4.0),
    (lambda: mse_loss([1.0, -3.0], [0.0, 0.0], reduction="sum"), 10.0),
]


@pytest.mark.parametrize(("loss", "expected"), CLOSED)
def test_values_in_closed_form(loss: Callable[[], Any], expected: float) -> None:
    """By hand, from the definition."""
    found = loss()
    assert float(getattr(found, "data", found)) == pytest.approx(expected, rel=1e-14)


LOG_P = [[-0.5, -1.0], [-2.0, -0.25]]
Z2, C2 = [[0.0, LN3], [1.0, -1.0]], [0, 1]
P2, T2 = [[0.25, 0.5], [0.75, 0.125]], [[1.0, 0.0], [0.5, 1.0]]

MODULES: list[tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...], Any, Any]] = [
    (losses.MSELoss, mse_loss, ({"reduction": "sum"},), P2, T2),
    (losses.L1Loss, l1_loss, ({"reduction": "sum"},), P2, T2),
    (losses.HuberLoss, huber_loss, ("sum", 0.3, {}), P2, T2),
    (losses.SmoothL1Loss, smooth_l1_loss, ({"beta": 0.3, "reduction": "sum"},), P2, T2),
    (losses.BCELoss, binary_cross_entropy, ([2.0, 3.0], {"reduction": "sum"}), P2, T2),
    (
        losses.BCEWithLogitsLoss,
        binary_cross_entropy_with_logits,
        ([2.0, 3.0], {"reduction": "sum", "pos_weight": [1.5, 0.5]}),
        Z2,
        T2,
    ),
    (losses.HingeLoss, hinge_loss, ({"margin": 0.5, "reduction": "sum"},), Z2, T2),
    (
        losses.CrossEntropyLoss,
        cross_entropy,
        ([2.0, 3.0], {"ignore_index": 0, "reduction": "sum", "label_smoothing": 0.25}),
        Z2,
        C2,
    ),
    (losses.NLLLoss, nll_loss, ([2.0, 3.0], {"ignore_index": 0, "reduction": "sum"}), LOG_P, C2),
    (losses.MultiMarginLoss, multi_margin_loss, (2, 0.5, [2.0, 3.0], {"reduction": "sum"}), Z2, C2),
]


@pytest.mark.parametrize(("module", "function", "options", "x", "t"), MODULES)
def test_a_module_passes_every_option_on(
    module: Any, function: Any, options: tuple[Any, ...], x: Any, t: Any
) -> None:
    """By position as PyTorch takes them, and by name; each option changes the value."""
    *given, named = options
    expected = function(x, t, *given, **named)
    assert module(*given, **named)(x, t) == expected
    assert module()(x, t) == function(x, t)
    assert module()(x, t) != expected
    for name in named:
        rest = {key: option for key, option in named.items() if key != name}
        assert module(*given, **rest)(x, t) == function(x, t, *given, **rest) != expected


def test_weights_can_be_differentiated() -> None:
    """∂loss/∂pos_weight of one positive example is its surprise, compiled as well."""

    def loss(more: Any) -> Any:
        return binary_cross_entropy_with_logits([Value(LN3)], [1.0], pos_weight=more)

    assert grad(loss)(2.0) == pytest.approx(LN4 - LN3)
    assert jit(grad(loss))(2.0) == pytest.approx(LN4 - LN3)


def test_a_column_agrees_with_a_plain_list() -> None:
    """In losses of numbers, in those of classes and in metrics."""
    assert mse_loss([[1.0], [2.0]], [1.0, 4.0]) == 2.0
    assert mse_loss([1.0, 2.0], [[1.0], [4.0]]) == 2.0
    assert mse_loss([[1.0], [2.0]], [1.0, 4.0], reduction="none") == [[0.0], [4.0]]
    assert cross_entropy([Z, Z], [[0], [1]]) == cross_entropy([Z, Z], [0, 1])
    assert nll_loss([Z, Z], [[0], [1]]) == nll_loss([Z, Z], [0, 1])
    assert accuracy([[0.5], [-0.5]], [[1], [1]]) == 0.5
    assert accuracy([Z, Z], [[0], [1]]) == 0.5


REFUSED: list[tuple[Callable[[], Any], str]] = [
    (lambda: cross_entropy([Z, [1.0]], [0, 0]), r"examples have \[1, 2\] scores"),
    (lambda: nll_loss([Z, [1.0, 2.0, 3.0]], [0, 0]), r"examples have \[2, 3\] scores"),
    (lambda: multi_margin_loss([Z, []], [0, 0]), r"examples have \[0, 2\] scores"),
    (lambda: accuracy([Z, [1.0]], [0, 0]), r"examples have \[1, 2\] scores"),
    (lambda: cross_entropy(Z, 0, [1.0]), "1 weights for 2 classes"),
    (lambda: cross_entropy([Z], [[0.5, 0.5]], [1.0, 2.0, 3.0]), "3 weights for 2 classes"),
    (lambda: nll_loss(Z, 0, [1.0, 2.0, 3.0]), "3 weights for 2 classes"),
    (lambda: multi_margin_loss(Z, 0, weight=[1.0]), "1 weights for 2 classes"),
    (lambda: cross_entropy(Z, 0, 2.0), "weight is 2.0; give a list"),  # type: ignore[arg-type]
    (lambda: cross_entropy(Z, 0, [1.0, "x"]), r"weight\[1\] is 'x'"),  # type: ignore[list-item]
    (lambda: cross_entropy(Z, 0, [1.0, -1.0]), r"weight\[1\] is -1"),
    (lambda: cross_entropy(Z, 0, ignore_index=0.5), "ignore_index is 0.5"),  # type: ignore[arg-type]
    (lambda: cross_entropy(Z, 0, label_smoothing="x"), "label_smoothing is 'x'"),  # type: ignore[arg-type]
    (lambda: cross_entropy(Z, 0, reduction="average"), "reduction is 'average'"),  # type: ignore[arg-type]
    (lambda: cross_entropy(Z, 0, reduction=["mean"]), "reduction is"),  # type: ignore[arg-type]
    (lambda: cross_entropy("scores", 0), "scores are given as a list, not as 'scores'"),
    (lambda: cross_entropy({0: Z}, [0]), "scores are given as a list"),
    (lambda: cross_entropy([Z, 3.0], [0, 0]), "an example is 3.0"),
    (lambda: cross_entropy([Z], 0), "target is 0; give a list"),
    (lambda: mse_loss([1.0], [1.0], reduction=None), "reduction is None"),  # type: ignore[arg-type]
    (lambda: huber_loss([1.0], [1.0], delta="x"), "delta is 'x'"),  # type: ignore[arg-type]
    (lambda: huber_loss([1.0], [1.0], delta=math.nan), "delta is nan"),
    (lambda: smooth_l1_loss([1.0], [1.0], beta=None), "beta is None"),  # type: ignore[arg-type]
    (lambda: hinge_loss([1.0], [1.0], margin="x"), "margin is 'x'"),  # type: ignore[arg-type]
    (lambda: multi_margin_loss(Z, 0, margin=None), "margin is None"),  # type: ignore[arg-type]
    (lambda: multi_margin_loss(Z, 0, p="x"), "p is 'x'"),  # type: ignore[arg-type]
    (lambda: binary_cross_entropy([0.5], [1.0], [1.0, 2.0]), "weight is 2 numbers, the input 1"),
    (lambda: binary_cross_entropy([0.5], [1.0], "x"), "weight is 'x'"),
    (
        lambda: binary_cross_entropy_with_logits(P2, T2, pos_weight=[1.0, 2.0, 3.0]),
        "pos_weight is 3 numbers, the input 2 × 2 numbers",
    ),
    (lambda: accuracy([0.5], [1], threshold="x"), "threshold is 'x'"),  # type: ignore[arg-type]
    (lambda: accuracy(None, [1]), "input is None"),
    (lambda: accuracy([0.5], None), "target is None"),
    (lambda: accuracy(["a"], [1]), "an example is 'a'"),
    (lambda: accuracy([0.5], ["a"]), "a target is 'a'"),
    (lambda: zero_one_loss([0.5], [1], reduction="x"), "reduction is 'x'"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("call", "message"), REFUSED)
def test_what_does_not_fit_is_refused_in_a_line(call: Callable[[], Any], message: str) -> None:
    """Options, weights of another length and ragged scores."""
    with pytest.raises((OperandError, DomainError), match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_what_contains_itself_is_refused() -> None:
    """A list in itself has no numbers to be counted."""
    x: list[Any] = [1.0]
    x.append(x)
    with pytest.raises(OperandError, match="input of mse_loss contains itself"):
        mse_loss(x, x)


THRESHOLDS = [(0.0, 0.75), (0.5, 0.5), (0.1, 1.0), (0.9, 0.25), (math.inf, 0.25), (-math.inf, 0.75)]


@pytest.mark.parametrize(("threshold", "right"), THRESHOLDS)
def test_a_score_is_class_1_beyond_the_threshold(threshold: float, right: float) -> None:
    """A score on the threshold is not beyond it; every metric takes it."""
    scores, classes = [0.9, 0.1, 0.5, 0.25], [1, 0, 1, 1]
    assert accuracy(scores, classes, threshold=threshold) == right
    assert error_rate(scores, classes, threshold=threshold) == 1.0 - right
    assert zero_one_loss(scores, classes, threshold=threshold, reduction="sum") == 4 * (1 - right)
    (a, _), (_, d) = confusion_matrix(scores, classes, threshold=threshold)
    assert (a + d) / 4 == right


def test_numbers_of_numpys_count_as_numbers() -> None:
    """Options from an array leave results floats."""
    one: Any = np.float32(1.0)
    found = [
        huber_loss([1.0, 3.0], [0.0, 0.0], delta=one),
        hinge_loss([0.5], [1.0], margin=one),
        cross_entropy(Z, np.int64(0), [one, one], label_smoothing=one * 0),
        binary_cross_entropy_with_logits([0.3], [1.0], pos_weight=np.array([1.0])),
    ]
    assert all(type(x) is float for x in found)


@pytest.mark.parametrize(("input", "target"), [(1.0, [2.0]), ([1.0], 2.0)])
def test_a_number_and_a_list_of_one_do_not_agree(input: Any, target: Any) -> None:
    """A list of predictions needs a list of targets."""
    with pytest.raises(OperandError, match="nested alike"):
        mse_loss(input, target)
