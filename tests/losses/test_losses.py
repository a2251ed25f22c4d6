"""Losses against closed forms and the lectures' numbers, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scalargrad import (
    DomainError,
    OperandError,
    Value,
    grad,
    gradcheck,
    gradients,
    jit,
    losses,
    sigmoid,
    softmax,
)
from scalargrad.graph import topological_order

finite = st.floats(-50.0, 50.0)


def test_the_lectures_softmax_example() -> None:
    """Logits (2, 1, 0.1) of class 0 cost 0.41703, with gradient p - y."""
    logits = [Value(2.0), Value(1.0), Value(0.1)]
    loss = losses.cross_entropy(logits, 0)
    loss.backward()
    assert loss.data == pytest.approx(0.41703001627783354, rel=1e-12)
    expected = [-0.3409988611140321, 0.2424329707047139, 0.0985658904093182]
    assert [z.grad for z in logits] == pytest.approx(expected, rel=1e-12)


@given(st.lists(finite, min_size=2, max_size=6), st.data())
def test_the_gradient_of_cross_entropy_is_p_minus_y(scores: list[float], data: Any) -> None:
    """For every class the gradient is the probability, less 1 for the right one."""
    t = data.draw(st.integers(0, len(scores) - 1))
    logits = [Value(z) for z in scores]
    found = gradients(losses.cross_entropy(logits, t), logits)
    expected = [p - (i == t) for i, p in enumerate(softmax(scores))]
    assert found == pytest.approx(expected, abs=1e-14)


def test_a_one_hot_target_is_the_class_it_marks() -> None:
    """Index and one-hot targets cost the same."""
    scores = [[0.5, -1.0, 2.0], [3.0, 0.0, -2.0]]
    one_hot = [[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]]
    index = losses.cross_entropy(scores, [2, 1])
    assert losses.cross_entropy(scores, one_hot) == pytest.approx(index, rel=1e-15)


def test_an_untrained_classifier_costs_the_logarithm_of_its_classes() -> None:
    """Ten equal logits cost ln 10."""
    assert losses.cross_entropy([0.0] * 10, 3) == pytest.approx(math.log(10.0), rel=1e-15)


@given(finite, st.floats(0.0, 1.0))
def test_cross_entropy_from_logits_equals_that_of_the_probability(z: float, t: float) -> None:
    """Both forms agree where the sigmoid does not round to 0 or 1."""
    z = z / 5.0
    p = 1.0 / (1.0 + math.exp(-z))
    direct = -(t * math.log(p) + (1.0 - t) * math.log1p(-p))
    assert losses.binary_cross_entropy(p, t) == pytest.approx(direct, rel=1e-12, abs=1e-15)
    stable = losses.binary_cross_entropy_with_logits(z, t)
    assert stable == pytest.approx(direct, rel=1e-10, abs=1e-12)


@pytest.mark.parametrize(("z", "t", "loss", "slope"), [
    (1e4, 1.0, 0.0, 0.0),
    (-1e4, 1.0, 1e4, -1.0),
    (1e4, 0.0, 1e4, 1.0),
    (-1e4, 0.0, 0.0, 0.0),
])  # fmt: skip
def test_extreme_logits_neither_overflow_nor_lose_their_slope(
    z: float, t: float, loss: float, slope: float
) -> None:
    """σ(z) - t is the slope, however large the logit."""
    logit = Value(z)
    found = losses.binary_cross_entropy_with_logits(logit, t)
    found.backward()
    assert (found.data, logit.grad) == (loss, slope)


def test_the_squared_error_of_the_field_is_twice_the_lectures() -> None:
    """Toronto's example: L = ½(y - t)² = 0.05146 is half of the MSE."""
    y = 0.679178699175393
    assert losses.mse_loss([y], [1.0]) / 2.0 == pytest.approx(0.0514631535313965, rel=1e-12)


@given(finite, finite, st.floats(0.1, 5.0))
def test_hubers_loss_is_a_parabola_that_goes_on_as_its_tangent(
    x: float, t: float, delta: float
) -> None:
    """Inside delta it is ½d²; outside, its slope stays at ±delta."""
    prediction = Value(x)
    loss = losses.huber_loss(prediction, t, delta=delta)
    d = abs(x - t)
    assert loss.data == pytest.approx(d * d / 2 if d < delta else delta * d - delta**2 / 2)
    slope = max(-delta, min(delta, x - t))
    assert gradients(loss, prediction) == pytest.approx(slope, abs=1e-12)
    smooth = losses.smooth_l1_loss(x, t, beta=delta)
    assert smooth == pytest.approx(loss.data / delta, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("x", [0.3, 0.2, 0.4, 5.0])
def test_hubers_loss_is_curved_where_the_prediction_is_right(x: float) -> None:
    """The curvature is 1 as long as the error is less than delta, at no error too; beyond, 0."""
    curvature = 1.0 if abs(x - 0.3) < 0.5 else 0.0
    huber: Any = grad(grad(lambda x: losses.huber_loss(x, 0.3, delta=0.5)))
    smooth: Any = grad(grad(lambda x: losses.smooth_l1_loss(x, 0.3, beta=0.5)))
    for around in (lambda f: f, jit):
        assert [around(huber)(x), around(smooth)(x)] == [curvature, 2.0 * curvature]


def test_hinge_losses_by_hand() -> None:
    """Two classes by the lecture's max(0, 1 - yf); many by the lead of the right one."""
    assert losses.hinge_loss([0.5, 2.0, -1.0], [1, 1, 1], reduction="none") == [0.5, 0.0, 2.0]
    assert losses.multi_margin_loss([3.0, 2.5, 0.0], 0) == pytest.approx(0.5 / 3.0)
    assert losses.multi_margin_loss([3.0, 2.5, 0.0], 0, p=2) == pytest.approx(0.25 / 3.0)


SMOOTH: list[Callable[..., Any]] = [
    lambda x: losses.mse_loss(x, [0.3, -0.2, 0.9]),
    lambda x: losses.huber_loss(x, [0.3, -5.0, 0.9], delta=0.8),
    lambda x: losses.smooth_l1_loss(x, [0.3, -5.0, 0.9], beta=0.8),
    lambda x: losses.binary_cross_entropy_with_logits(x, [0.3, 1.0, 0.0], pos_weight=1.5),
    lambda x: losses.binary_cross_entropy(x, [0.3, 1.0, 0.0]),
    lambda x: losses.cross_entropy(x, [0.3, 0.1, 0.6], weight=[1.0, 2.0, 3.0]),
    lambda x: losses.cross_entropy([x, x[::-1]], [2, 0], label_smoothing=0.2),
    lambda x: losses.nll_loss([x, x[::-1]], [2, 0], weight=[1.0, 2.0, 3.0]),
    lambda x: losses.multi_margin_loss(x, 1, p=2),
]


@pytest.mark.parametrize("loss", SMOOTH)
def test_gradients_agree_with_central_differences(loss: Callable[..., Any]) -> None:
    """Each loss passes the check every lecture names."""
    assert gradcheck(loss, [0.7, 0.2, 0.4])


def test_reductions_are_the_mean_the_sum_and_every_loss() -> None:
    """'none' keeps the nesting of what was given."""
    x, t = [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]
    assert losses.mse_loss(x, t, reduction="none") == [[1.0, 4.0], [9.0, 16.0]]
    assert losses.mse_loss(x, t, reduction="sum") == 30.0
    assert losses.mse_loss(x, t) == 7.5


def test_a_single_loss_is_not_averaged_again() -> None:
    """The mean over one example makes no node of its own."""
    z = [Value(1.0), Value(2.0)]
    nodes = [n for n in topological_order(losses.cross_entropy([z], [0])) if n.parents]
    assert len(nodes) == 2


def test_an_ignored_example_costs_nothing_and_does_not_count() -> None:
    """The mean is over the other examples; PyTorch's -100 is ignored by default."""
    scores = [[1.0, 2.0], [5.0, -5.0]]
    only = losses.cross_entropy(scores[0], 1)
    assert losses.cross_entropy(scores, [1, -100]) == pytest.approx(only)
    assert losses.nll_loss(scores, [1, -100], reduction="none") == [-2.0, 0.0]


REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: losses.mse_loss([1.0], [1.0, 2.0]), OperandError, "input is 1 numbers, the target 2"),
    (lambda: losses.mse_loss([[1.0, 2.0]], [1.0, 2.0]), OperandError, "1 × 2 numbers"),
    (lambda: losses.mse_loss([[1.0], [2.0]], [1.0, 2.0, 3.0]), OperandError, "2 × 1 numbers"),
    (lambda: losses.mse_loss([[1.0], 2.0], [1.0, 2.0]), OperandError, "1 numbers, one number"),
    (lambda: losses.mse_loss([], []), OperandError, "give at least one"),
    (lambda: losses.mse_loss([1.0], [1.0], reduction="avg"), OperandError, "'avg'"),  # type: ignore[arg-type]
    (lambda: losses.huber_loss(1.0, 0.0, delta=0.0), DomainError, "delta is 0.0"),
    (lambda: losses.smooth_l1_loss(1.0, 0.0, beta=-1.0), DomainError, "beta is -1.0"),
    (lambda: losses.binary_cross_entropy([1.5], [1.0]), DomainError, "probability"),
    (lambda: losses.cross_entropy([1.0, 2.0], 2), DomainError, "class 2; .* from 0 to 1,"),
    (lambda: losses.cross_entropy([1.0, 2.0], -1), DomainError, "class -1"),
    (lambda: losses.cross_entropy([1.0, 2.0], 0.5), OperandError, "whole numbers"),
    (lambda: losses.nll_loss([-1.0, -2.0], [0.5, 0.5]), OperandError, "whole numbers"),
    (lambda: losses.cross_entropy([1.0, 2.0], [0.2, 0.3, 0.5]), OperandError, "2 logits but 3"),
    (lambda: losses.cross_entropy([[1.0, 2.0]], [0, 1]), OperandError, "1 examples but 2"),
    (lambda: losses.cross_entropy(1.0, 0), OperandError, "given as a list"),
    (lambda: losses.cross_entropy([1.0], 0, label_smoothing=2.0), DomainError, "from 0 to 1"),
    (lambda: losses.cross_entropy([[1.0]], [0], ignore_index=0), DomainError, "every example"),
    (lambda: losses.multi_margin_loss([1.0, 2.0], 0, p=3), DomainError, "p is 3"),
    (lambda: losses.hinge_loss([10**400], [1.0]), OperandError, "too large for a float"),
    (lambda: losses.nll_loss([[None, 1.0]], [0]), OperandError, "a score is None"),
    (lambda: losses.cross_entropy([[], []], [0, 0]), OperandError, "have no scores"),
    (lambda: losses.cross_entropy([1.0, 2.0], object()), OperandError, "or the class"),
]


@pytest.mark.parametrize(("call", "error", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(
    call: Callable[[], Any], error: type[Exception], message: str
) -> None:
    """The error says which loss, what it was given and what it needs."""
    with pytest.raises(error, match=message):
        call()


def test_a_loss_object_shows_and_keeps_its_options() -> None:
    """Printing tells what a call will do."""
    loss = losses.HuberLoss(delta=2.0, reduction="sum")
    assert repr(loss) == "HuberLoss(reduction='sum', delta=2.0)"
    assert loss([0.0, 0.0], [1.0, 3.0]) == losses.huber_loss(
        [0.0, 0.0], [1.0, 3.0], delta=2.0, reduction="sum"
    )


def test_penalties_have_the_gradients_of_lasso_and_ridge() -> None:
    """Sign(w) for L1, 2w for L2, each a plain sum over the weights."""
    weights = [Value(3.0), Value(-0.5), Value(0.0)]
    l1, l2 = losses.l1_penalty(weights), losses.l2_penalty(weights)
    assert (l1.data, l2.data) == (3.5, 9.25)
    assert gradients(l1, weights) == [1.0, -1.0, 0.0]
    assert gradients(l2, weights) == [6.0, -1.0, 0.0]


def test_torontos_regularised_loss() -> None:
    """L + λR with R = ½w² is half the L2 penalty: w̄ = -0.0898 at λ = 0.1."""
    w, b = Value(0.5), Value(-0.25)
    y = sigmoid(w * 2.0 + b)
    loss = 0.5 * losses.mse_loss([y], [1.0]) + 0.1 * 0.5 * losses.l2_penalty([w])
    assert loss.data == pytest.approx(0.0639631535313965, rel=1e-12)
    assert gradients(loss, w) == pytest.approx(-0.08981071068366962, rel=1e-12)


def test_a_smooth_loss_without_its_parabola_is_the_absolute_error() -> None:
    """Beta = 0 leaves |x - t|."""
    x, t = [1.0, -2.0], [0.5, 2.0]
    assert losses.smooth_l1_loss(x, t, beta=0.0) == losses.l1_loss(x, t) == 2.25


def test_numbers_of_any_type_are_floats_to_a_loss() -> None:
    """A difference of single-precision numbers would be rounded to one: 0.1f - 0.3f is not."""
    numpy = pytest.importorskip("numpy", reason="arrays are optional")
    a, b = numpy.float32(0.1), numpy.float32(0.3)
    for loss, expected in (
        (losses.l1_loss, float(b) - float(a)),
        (losses.mse_loss, (float(b) - float(a)) ** 2),
        (losses.multi_margin_loss, None),
    ):
        found = loss([a, b], 0) if expected is None else loss([a], [b])
        assert type(found) is float
        assert found == (((1.0 - float(a)) + float(b)) / 2 if expected is None else expected)


def test_numbers_with_names_meet_the_target_of_their_name() -> None:
    """In whatever order a dict holds them: in that order, this loss would be 1."""
    assert losses.mse_loss({"a": 1.0, "b": 2.0}, {"b": 2.0, "a": 1.0}) == 0.0
    assert losses.l1_loss([{"a": 1.0, "b": 2.0}], [{"b": 3.0, "a": 1.0}]) == 0.5
    with pytest.raises(OperandError, match="give one number for each"):
        losses.mse_loss({"a": 1.0}, {"b": 1.0})
