"""Losses have the values of their definitions, options, gradients and refusals included."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, Value, grad, jit, losses, value_and_grad, vmap
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss, nll_loss

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
    (lambda: cross_entropy(Z, [0.25, 0.75], label_smoothing=0.2),
     0.8 * (0.25 * SURPRISE[0] + 0.75 * SURPRISE[1]) + 0.1 * sum(SURPRISE)),
    # a weighted mean is divided by the weights of the classes met
    (lambda: cross_entropy([Z, Z], [0, 1], [3.0, 5.0]), (3 * SURPRISE[0] + 5 * SURPRISE[1]) / 8),
    (lambda: cross_entropy([Z, Z], [0, 1], [3.0, 5.0], reduction="sum"),
     3 * SURPRISE[0] + 5 * SURPRISE[1]),
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
    (lambda: cross_entropy([Z, Z], [1, 0], [3.0, 5.0], ignore_index=0), SURPRISE[1]),
    # of a single class, a list of one number is its probability
    (lambda: cross_entropy([[2.0], [3.0]], [[1.0], [1.0]]), 0.0),
    (lambda: nll_loss([[-1.0, -2.0], [-3.0, -4.0]], [0, 1], [3.0, 5.0]), (3 * 1 + 5 * 4) / 8),
    (lambda: nll_loss([[-1.0, -2.0], [-3.0, -4.0]], [0, 1], ignore_index=0), 4.0),
    # Σ over the other classes of max(0, margin - x_t + x_i)^p / C
    (lambda: losses.multi_margin_loss([1.0, 2.0, 0.5], 0), (2.0 + 0.5) / 3),
    (lambda: losses.multi_margin_loss([1.0, 2.0, 0.5], 0, 2), (4.0 + 0.25) / 3),
    (lambda: losses.multi_margin_loss([1.0, 2.0, 0.5], 0, 1, 0.25), 1.25 / 3),
    (lambda: losses.multi_margin_loss([1.0, 2.0, 0.5], 0, 1, 1.0, [4.0, 1.0, 1.0]), 4.0 * 2.5 / 3),
    (lambda: losses.multi_margin_loss([[1.0, 2.0], [2.0, 1.0]], [0, 0], weight=[4.0, 9.0]),
     4.0 * 2.0 / 2 / 2),
    # -w (p t ln σ + (1 - t) ln(1 - σ)); σ(ln 3) = 3/4
    (lambda: losses.binary_cross_entropy([0.25, 0.75], [1.0, 0.0], 3.0), 3 * LN4),
    (lambda: losses.binary_cross_entropy([0.25, 0.5], [1.0, 0.0], [3.0, 5.0]),
     (3 * LN4 + 5 * LN2) / 2),
    (lambda: binary_cross_entropy_with_logits([LN3], [1.0]), LN4 - LN3),
    (lambda: binary_cross_entropy_with_logits([LN3], [1.0], pos_weight=4.0), 4 * (LN4 - LN3)),
    (lambda: binary_cross_entropy_with_logits([LN3], [0.0], pos_weight=4.0), LN4),
    (lambda: binary_cross_entropy_with_logits([LN3], [0.5], [2.0], pos_weight=4.0),
     2 * (0.5 * LN4 + 4 * 0.5 * (LN4 - LN3))),
    (lambda: binary_cross_entropy_with_logits(
        [[LN3, 0.0], [0.0, LN3]], [[1.0, 1.0], [0.0, 1.0]], pos_weight=[4.0, 10.0]),
     (4 * (LN4 - LN3) + 10 * LN2 + LN2 + 10 * (LN4 - LN3)) / 4),
    (lambda: binary_cross_entropy_with_logits(
        [[LN3, 0.0], [0.0, LN3]], [[1.0, 1.0], [0.0, 1.0]], [[1.0, 2.0], [3.0, 4.0]]),
     ((LN4 - LN3) + 2 * LN2 + 3 * LN2 + 4 * (LN4 - LN3)) / 4),
    (lambda: losses.hinge_loss([0.5, -3.0], [1.0, 1.0], margin=2.0), (1.5 + 5.0) / 2),
    (lambda: losses.hinge_loss([0.5, -3.0], [1.0, -1.0], reduction="sum"), 0.5),
    (lambda: losses.huber_loss([1.0, 3.0], [0.0, 0.0], "sum", 2.0), 0.5 + 2.0 * (3.0 - 1.0)),
    (lambda: losses.huber_loss([1.0, 3.0], [0.0, 0.0]), (0.5 + 2.5) / 2),
    (lambda: losses.smooth_l1_loss([1.0, 3.0], [0.0, 0.0], beta=2.0, reduction="sum"), 0.25 + 2.0),
    (lambda: losses.smooth_l1_loss([1.0, 3.0], [0.0, 0.0], beta=0.0), 2.0),
    (lambda: losses.kl_div([-LN2, -LN2], [-LN4, LN3 - LN4], log_target=True, reduction="sum"),
     0.75 * LN3 - LN2),
]  # fmt: skip


def test_values_in_closed_form() -> None:
    """By hand, from the definition."""
    for loss, expected in CLOSED:
        found = loss()
        assert float(getattr(found, "data", found)) == pytest.approx(expected, rel=1e-14)


LOG_P = [[-0.5, -1.0], [-2.0, -0.25]]
Z2, C2 = [[0.0, LN3], [1.0, -1.0]], [0, 1]
P2, T2 = [[0.25, 0.5], [0.75, 0.125]], [[1.0, 0.0], [0.5, 1.0]]

MODULES: list[tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...], Any, Any]] = [
    (losses.MSELoss, mse_loss, ({"reduction": "sum"},), P2, T2),
    (losses.L1Loss, losses.l1_loss, ({"reduction": "sum"},), P2, T2),
    (losses.HuberLoss, losses.huber_loss, ("sum", 0.3, {}), P2, T2),
    (losses.SmoothL1Loss, losses.smooth_l1_loss, ({"beta": 0.3, "reduction": "sum"},), P2, T2),
    (losses.BCELoss, losses.binary_cross_entropy, ([2.0, 3.0], {"reduction": "sum"}), P2, T2),
    (losses.BCEWithLogitsLoss, binary_cross_entropy_with_logits,
     ([2.0, 3.0], {"reduction": "sum", "pos_weight": [1.5, 0.5]}), Z2, T2),
    (losses.HingeLoss, losses.hinge_loss, ({"margin": 0.5, "reduction": "sum"},), Z2, T2),
    (losses.CrossEntropyLoss, cross_entropy,
     ([2.0, 3.0], {"ignore_index": 0, "reduction": "sum", "label_smoothing": 0.25}), Z2, C2),
    (losses.NLLLoss, nll_loss, ([2.0, 3.0], {"ignore_index": 0, "reduction": "sum"}), LOG_P, C2),
    (losses.MultiMarginLoss, losses.multi_margin_loss,
     (2, 0.5, [2.0, 3.0], {"reduction": "sum"}), Z2, C2),
]  # fmt: skip


def test_a_module_passes_every_option_on() -> None:
    """By position as PyTorch takes them, and by name; each option changes the value."""
    for module, function, options, x, t in MODULES:
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
    """In losses of numbers and in those of classes."""
    assert mse_loss([[1.0], [2.0]], [1.0, 4.0]) == 2.0
    assert mse_loss([1.0, 2.0], [[1.0], [4.0]]) == 2.0
    assert mse_loss([[1.0], [2.0]], [1.0, 4.0], reduction="none") == [[0.0], [4.0]]
    assert cross_entropy([Z, Z], [[0], [1]]) == cross_entropy([Z, Z], [0, 1])
    assert nll_loss([Z, Z], [[0], [1]]) == nll_loss([Z, Z], [0, 1])


@pytest.mark.parametrize(
    ("z", "t", "loss", "slope"),
    [(1e4, 1.0, 0.0, 0.0), (-1e4, 1.0, 1e4, -1.0), (1e4, 0.0, 1e4, 1.0), (-1e4, 0.0, 0.0, 0.0)],
)
def test_extreme_logits_neither_overflow_nor_lose_their_slope(
    z: float, t: float, loss: float, slope: float
) -> None:
    """σ(z) - t is the slope, however large the logit."""
    logit = Value(z)
    found = binary_cross_entropy_with_logits(logit, t)
    found.backward()
    assert (found.data, logit.grad) == (loss, slope)


def test_hubers_loss_is_curved_where_the_prediction_is_right() -> None:
    """The curvature is 1 as long as the error is less than delta, at no error too; beyond, 0."""
    huber: Any = grad(grad(lambda x: losses.huber_loss(x, 0.3, delta=0.5)))
    smooth: Any = grad(grad(lambda x: losses.smooth_l1_loss(x, 0.3, beta=0.5)))
    for x, curvature in ((0.3, 1.0), (0.2, 1.0), (5.0, 0.0)):
        assert [huber(x), smooth(x)] == [curvature, 2.0 * curvature]
        assert [jit(huber)(x), jit(smooth)(x)] == [curvature, 2.0 * curvature]


def test_reduction_none_keeps_the_nesting() -> None:
    """'none' keeps the nesting of what was given; an ignored example then costs 0."""
    x, t = [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]
    assert mse_loss(x, t, reduction="none") == [[1.0, 4.0], [9.0, 16.0]]
    assert losses.hinge_loss([0.5, 2.0, -1.0], [1, 1, 1], reduction="none") == [0.5, 0.0, 2.0]
    assert nll_loss([[1.0, 2.0], [5.0, -5.0]], [1, -100], reduction="none") == [-2.0, 0.0]


def test_penalties_have_the_gradients_of_lasso_and_ridge() -> None:
    """Sign(w) for L1, 2w for L2, each a plain sum over the weights."""
    weights = [Value(3.0), Value(-0.5), Value(0.0)]
    l1, l2 = losses.l1_penalty(weights), losses.l2_penalty(weights)
    assert (l1.data, l2.data) == (3.5, 9.25)
    assert sg.gradients(l1, weights) == [1.0, -1.0, 0.0]
    assert sg.gradients(l2, weights) == [6.0, -1.0, 0.0]


def test_numbers_of_any_type_are_floats_to_a_loss() -> None:
    """A difference of single-precision numbers would be rounded to one: 0.1f - 0.3f is not."""
    a, b = np.float32(0.1), np.float32(0.3)
    one: Any = np.float32(1.0)
    found: list[Any] = [
        losses.l1_loss([a], [b]),
        mse_loss([a], [b]),
        losses.multi_margin_loss([a, b], 0),
        losses.huber_loss([1.0, 3.0], [0.0, 0.0], delta=one),
        cross_entropy(Z, np.int64(0), [one, one], label_smoothing=one * 0),
        binary_cross_entropy_with_logits([0.3], [1.0], pos_weight=np.array([1.0])),
        mse_loss(np.array(2.0), np.array(0.0)),
    ]
    assert {type(x) for x in found} == {float}
    gap = float(b) - float(a)
    assert found[:3] == [gap, gap**2, ((1.0 - float(a)) + float(b)) / 2]
    assert found[-1] == 4.0


def test_numbers_with_names_meet_the_target_of_their_name() -> None:
    """In whatever order a dict holds them: in that order, this loss would be 1."""
    assert mse_loss({"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}) == 0.0
    assert losses.l1_loss([{"a": 1.0, "b": 2.0}], [{"b": 3.0, "a": 1.0}]) == 0.5
    with pytest.raises(OperandError, match="each"):
        mse_loss({"a": 1.0}, {"b": 1.0})


SCORES = [[0.2, -1.0, 0.5], [1.5, 0.3, -0.2], [-0.4, 0.1, 0.9], [0.0, 2.0, 1.0]]
OF_CLASSES: dict[str, Any] = {
    "weighted": partial(cross_entropy, weight=[1.0, 2.0, 0.5]),
    "smoothed": partial(cross_entropy, label_smoothing=0.2, ignore_index=2),
    "nll": partial(nll_loss, ignore_index=0),
    "margin": partial(losses.multi_margin_loss, weight=[0.5, 1.0, 2.0]),
    "squared margin": partial(losses.multi_margin_loss, p=2),
}


@pytest.mark.parametrize("loss", OF_CLASSES.values(), ids=OF_CLASSES.keys())
def test_classes_may_be_arguments_of_a_compiled_function(loss: Any) -> None:
    """One program serves all classes, one example recorded all examples of vmap: as eagerly."""
    compiled, total = jit(value_and_grad(loss)), partial(loss, reduction="sum")
    each = jit(vmap(value_and_grad(total), in_axes=(0, 0)))
    for classes in ([0, 1, 2, 1], [2, 2, 1, 0]):
        value, gradient = value_and_grad(loss)(SCORES, classes)
        found, slopes = compiled(SCORES, classes)
        assert found == pytest.approx(value, rel=1e-13)
        assert np.array(slopes) == pytest.approx(np.array(gradient), rel=1e-12, abs=1e-15)
        found, slopes = each(np.array(SCORES), np.array(classes))
        eager = [value_and_grad(total)(z, t) for z, t in zip(SCORES, classes, strict=True)]
        assert found == pytest.approx([loss for loss, _ in eager], rel=1e-13)
        assert slopes == pytest.approx(np.array([x for _, x in eager]), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_examples_without_a_class_are_left_out_compiled_too(loss: Any) -> None:
    """The mean is over the examples that are not of class -100, whichever these are."""
    compiled = jit(loss)
    for classes in ([0, -100, 2, 1], [-100, -100, 1, 0], [0, 1, 2, 1]):
        assert compiled(SCORES, classes) == pytest.approx(loss(SCORES, classes), rel=1e-13)
    with pytest.raises(sg.ScalargradError, match="ignored"):
        compiled(SCORES, [-100] * 4)


@pytest.mark.parametrize("wrong", [3.0, -1.0, 0.5])
def test_a_class_out_of_range_is_an_error_compiled_too(wrong: float) -> None:
    """An argument that names no class raises what it raises eagerly."""
    for run in (jit(cross_entropy), jit(vmap(cross_entropy))):
        run(np.array(SCORES), np.array([0.0, 1.0, 2.0, 1.0]))
        with pytest.raises(sg.ScalargradError, match="target"):
            run(np.array(SCORES), np.array([0.0, 1.0, 2.0, wrong]))
