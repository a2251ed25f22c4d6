"""Losses have the values, gradients and errors of their definitions, with every option."""

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
    # smoothing by s: (1 - s) times the surprise of the class plus s times the mean of both
    (lambda: cross_entropy(Z, 0), SURPRISE[0]),
    (lambda: cross_entropy(Z, 0, label_smoothing=0.5), 0.5 * SURPRISE[0] + 0.25 * sum(SURPRISE)),
    (lambda: cross_entropy(Z, 1, label_smoothing=1.0), 0.5 * sum(SURPRISE)),
    (lambda: cross_entropy(Z, [0.25, 0.75], label_smoothing=0.2),
     0.8 * (0.25 * SURPRISE[0] + 0.75 * SURPRISE[1]) + 0.1 * sum(SURPRISE)),
    # a weighted mean is divided by the sum of the weights of the targets
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
    # ignored examples do not count in the mean
    (lambda: cross_entropy([Z, Z, Z], [0, 1, -100]), sum(SURPRISE) / 2),
    (lambda: cross_entropy([Z, Z], [1, 0], [3.0, 5.0], ignore_index=0), SURPRISE[1]),
    # with a single class, a list of one number is its probability
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


@pytest.mark.parametrize(("loss", "expected"), CLOSED)
def test_losses_in_closed_form(loss: Callable[[], Any], expected: float) -> None:
    """Expected values are by hand, from the definitions."""
    result = loss()
    assert float(getattr(result, "data", result)) == pytest.approx(expected, rel=1e-14)


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


@pytest.mark.parametrize(("module", "function", "options", "x", "t"), MODULES)
def test_loss_modules_pass_every_option(
    module: Callable[..., Any], function: Callable[..., Any], options: Any, x: Any, t: Any
) -> None:
    """By position as in PyTorch, and by name; each option changes the value."""
    *args, kwargs = options
    expected = function(x, t, *args, **kwargs)
    assert module(*args, **kwargs)(x, t) == expected
    assert module()(x, t) == function(x, t)
    assert module()(x, t) != expected
    for name in kwargs:
        rest = {key: option for key, option in kwargs.items() if key != name}
        assert module(*args, **rest)(x, t) == function(x, t, *args, **rest) != expected


def test_binary_cross_entropy_with_logits_gradient_of_pos_weight() -> None:
    """∂loss/∂pos_weight of one positive example is its surprise, also compiled."""

    def loss(more: Any) -> Any:
        return binary_cross_entropy_with_logits([Value(LN3)], [1.0], pos_weight=more)

    assert grad(loss)(2.0) == pytest.approx(LN4 - LN3)
    assert jit(grad(loss))(2.0) == pytest.approx(LN4 - LN3)


def test_losses_accept_a_column_and_a_flat_list() -> None:
    """In losses of numbers and in losses of classes."""
    assert mse_loss([[1.0], [2.0]], [1.0, 4.0]) == 2.0
    assert mse_loss([1.0, 2.0], [[1.0], [4.0]]) == 2.0
    assert mse_loss([[1.0], [2.0]], [1.0, 4.0], reduction="none") == [[0.0], [4.0]]
    assert cross_entropy([Z, Z], [[0], [1]]) == cross_entropy([Z, Z], [0, 1])
    assert nll_loss([Z, Z], [[0], [1]]) == nll_loss([Z, Z], [0, 1])


@pytest.mark.parametrize(
    ("z", "t", "loss", "slope"),
    [(1e4, 1.0, 0.0, 0.0), (-1e4, 1.0, 1e4, -1.0), (1e4, 0.0, 1e4, 1.0), (-1e4, 0.0, 0.0, 0.0)],
)
def test_binary_cross_entropy_with_logits_at_extreme_logits(
    z: float, t: float, loss: float, slope: float
) -> None:
    """The derivative is σ(z) - t even for very large logits."""
    logit = Value(z)
    found = binary_cross_entropy_with_logits(logit, t)
    found.backward()
    assert (found.data, logit.grad) == (loss, slope)


def test_huber_loss_and_smooth_l1_loss_second_derivatives() -> None:
    """1 where the error is less than delta, also at error 0; 0 elsewhere."""
    huber: Any = grad(grad(lambda x: losses.huber_loss(x, 0.3, delta=0.5)))
    smooth: Any = grad(grad(lambda x: losses.smooth_l1_loss(x, 0.3, beta=0.5)))
    for x, curvature in ((0.3, 1.0), (0.2, 1.0), (5.0, 0.0)):
        assert [huber(x), smooth(x)] == [curvature, 2.0 * curvature]
        assert [jit(huber)(x), jit(smooth)(x)] == [curvature, 2.0 * curvature]


def test_reduction_none_keeps_the_shape() -> None:
    """The result has the shape of the input; the loss of an ignored example is 0."""
    x, t = [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]
    assert mse_loss(x, t, reduction="none") == [[1.0, 4.0], [9.0, 16.0]]
    assert losses.hinge_loss([0.5, 2.0, -1.0], [1, 1, 1], reduction="none") == [0.5, 0.0, 2.0]
    assert nll_loss([[1.0, 2.0], [5.0, -5.0]], [1, -100], reduction="none") == [-2.0, 0.0]


def test_l1_penalty_and_l2_penalty_gradients() -> None:
    """Sign(w) for L1 and 2w for L2, as in lasso and ridge regression."""
    weights = [Value(3.0), Value(-0.5), Value(0.0)]
    l1, l2 = losses.l1_penalty(weights), losses.l2_penalty(weights)
    assert (l1.data, l2.data) == (3.5, 9.25)
    assert sg.gradients(l1, weights) == [1.0, -1.0, 0.0]
    assert sg.gradients(l2, weights) == [6.0, -1.0, 0.0]


def test_losses_convert_numbers_to_floats() -> None:
    """Single-precision numbers are subtracted in double precision."""
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


def test_losses_match_dicts_by_key() -> None:
    """In any order; matched by order, this loss would be 1."""
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
def test_losses_of_classes_compiled_equal_eager(loss: Any) -> None:
    """The classes are arguments of the compiled function, also under vmap."""
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
def test_ignore_index_compiled_equals_eager(loss: Any) -> None:
    """The mean is over the examples whose class is not -100, which differ from call to call."""
    compiled = jit(loss)
    for classes in ([0, -100, 2, 1], [-100, -100, 1, 0], [0, 1, 2, 1]):
        assert compiled(SCORES, classes) == pytest.approx(loss(SCORES, classes), rel=1e-13)
    with pytest.raises(sg.ScalargradError, match="ignored"):
        compiled(SCORES, [-100] * 4)


@pytest.mark.parametrize("wrong", [3.0, -1.0, 0.5])
def test_cross_entropy_compiled_refuses_a_class_out_of_range(wrong: float) -> None:
    """A compiled call raises the same error as an eager one."""
    for run in (jit(cross_entropy), jit(vmap(cross_entropy))):
        run(np.array(SCORES), np.array([0.0, 1.0, 2.0, 1.0]))
        with pytest.raises(sg.ScalargradError, match="target"):
            run(np.array(SCORES), np.array([0.0, 1.0, 2.0, wrong]))
