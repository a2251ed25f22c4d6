"""Losses have the values and gradients of PyTorch, also for extreme inputs."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.inner import flatten

from scalargrad import Value, losses

pytestmark = pytest.mark.wide

HUGE = [1e4, -1e4, 0.0, 3.0, -0.5, 30.0]
NEAR = [0.0, 1e4, 0.0, 2.0, -0.25, 29.5]
YES = [1.0, 0.0, 0.5, 0.0, 0.3, 1.0]
LOGITS = [[2.0, 1.0, 0.1], [1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 0.0, 0.0]]
CLASSES = [0, 1, 2, 1]
SOFT = [[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.25, 0.75], [1 / 3, 1 / 3, 1 / 3]]
WEIGHTS = {"weight": [0.5, 2.0, 1.25]}
LOG_P = [[-0.5, -1.0, -3.0], [-1e4, -0.1, -2.0], [-2.0, -0.2, 0.0], [-1.0, -1.1, -1.2]]
PAIRS = ([[0.2, 0.9, 0.5], [0.1, 0.3, 0.7]], [[1.0, 0.3, 0.0], [0.0, 1.0, 1.0]])
OF_NUMBERS = {"weight": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}

CASES: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("mse_loss", HUGE, NEAR, {}),
    ("mse_loss", [[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [-1.0, 7.0]], {}),
    ("l1_loss", HUGE, NEAR, {}),
    ("huber_loss", HUGE, NEAR, {}),
    ("huber_loss", HUGE, NEAR, {"delta": 0.3}),
    ("smooth_l1_loss", HUGE, NEAR, {"beta": 2.5}),
    ("smooth_l1_loss", HUGE, NEAR, {"beta": 0.0}),
    ("binary_cross_entropy", [0.2, 0.9, 0.5, 0.01], [0.0, 1.0, 0.3, 1.0], {}),
    ("binary_cross_entropy", [0.0, 1.0, 1e-13, 1 - 1e-14], [0.0, 1.0, 0.0, 1.0], {}),
    ("binary_cross_entropy", *PAIRS, WEIGHTS),
    ("binary_cross_entropy_with_logits", HUGE, YES, {}),
    ("binary_cross_entropy_with_logits", HUGE, YES, {"pos_weight": [2.5] * len(HUGE)}),
    ("binary_cross_entropy_with_logits", *PAIRS, OF_NUMBERS),
    ("binary_cross_entropy_with_logits", *PAIRS, {**WEIGHTS, "pos_weight": [2.0, 0.5, 7.0]}),
    ("cross_entropy", LOGITS, CLASSES, {}),
    ("cross_entropy", LOGITS, SOFT, {}),
    ("cross_entropy", LOGITS, CLASSES, {"label_smoothing": 0.1}),
    ("cross_entropy", LOGITS, SOFT, {"label_smoothing": 0.3, **WEIGHTS}),
    ("cross_entropy", LOGITS, CLASSES, {"ignore_index": 1, **WEIGHTS}),
    ("cross_entropy", LOGITS, CLASSES, {"label_smoothing": 0.1, **WEIGHTS}),
    ("cross_entropy", LOGITS[0], 2, WEIGHTS),
    ("cross_entropy", LOGITS[0], SOFT[0], {}),
    ("nll_loss", LOG_P, CLASSES, WEIGHTS),
    ("nll_loss", LOG_P, CLASSES, {"ignore_index": 2}),
    ("nll_loss", LOG_P[0], 1, {}),
    ("kl_div", LOG_P, SOFT, {}),
    ("kl_div", LOG_P, [[-1.0, -2.0, -0.5]] * 4, {"log_target": True}),
    ("multi_margin_loss", LOGITS, CLASSES, {}),
    ("multi_margin_loss", LOG_P, CLASSES, {"p": 2, "margin": 0.7, **WEIGHTS}),
    ("multi_margin_loss", LOG_P[0], 1, {}),
]


def torch() -> Any:
    """Return PyTorch."""
    return pytest.importorskip("torch", reason="PyTorch is the oracle")


def tensor(numbers: Any) -> Any:
    """Return a tensor of classes or of 64-bit floats."""
    whole = isinstance(flatten(numbers, "numbers")[0][0], int)
    return torch().tensor(numbers, dtype=torch().int64 if whole else torch().float64)


def assert_equal(ours: Any, theirs: Any) -> None:
    """Assert that numbers equal a tensor within 1e-10."""
    flat = [x.data if isinstance(x, Value) else x for x in flatten(ours, "ours")[0]]
    assert flat == pytest.approx(theirs.detach().ravel().tolist(), rel=1e-10, abs=1e-10)


def compare(ours: Callable[..., Any], theirs: Callable[..., Any], input: Any, target: Any) -> None:
    """Assert that two losses have the same values and gradients of the input."""
    numbers, rebuild = flatten(input, "the input")
    leaves = [Value(x) for x in numbers]
    found = ours(rebuild(iter(leaves)), target)
    oracle = tensor(input).requires_grad_()
    expected = theirs(oracle, tensor(target))
    assert_equal(found, expected)
    for loss in flatten(found, "losses")[0]:
        if isinstance(loss, Value):  # the loss of an ignored example is a plain 0
            loss.backward()
    expected.sum().backward()
    assert_equal([leaf.grad for leaf in leaves], oracle.grad)


@pytest.mark.filterwarnings("ignore:reduction. 'mean' divides")
@pytest.mark.parametrize(("name", "input", "target", "options"), CASES)
def test_losses_equal_pytorch(name: str, input: Any, target: Any, options: dict[str, Any]) -> None:
    """Values and gradients, for each reduction and weight."""
    theirs = {k: tensor(x) if "weight" in k else x for k, x in options.items()}
    of = torch().nn.functional
    for reduction in ("mean", "sum", "none"):
        ours = partial(getattr(losses, name), reduction=reduction, **options)
        compare(ours, partial(getattr(of, name), reduction=reduction, **theirs), input, target)


def test_kl_div_batchmean_and_target_gradient_equal_pytorch() -> None:
    """With reduction="batchmean"; a target may be a computed Value."""
    of: dict[str, Any] = {"reduction": "batchmean"}
    compare(losses.KLDivLoss(**of), torch().nn.KLDivLoss(**of), LOG_P, SOFT)
    targets = [Value(p) for p in SOFT[0]]
    losses.kl_div(LOG_P[0], targets).backward()
    oracle = tensor(SOFT[0]).requires_grad_()
    torch().nn.functional.kl_div(tensor(LOG_P[0]), oracle, reduction="sum").div(3.0).backward()
    assert_equal([p.grad for p in targets], oracle.grad)


def test_hinge_loss_equals_its_definition_in_pytorch() -> None:
    """max(0, 1 - yf), also at the kink and for extreme scores."""
    compare(
        losses.hinge_loss,
        lambda x, t: torch().relu(1.0 - t * x).mean(),
        [1.0, -1.0, 1e4, -1e4, 0.3],
        [1.0, -1.0, -1.0, -1.0, 1.0],
    )


def test_cross_entropy_gradient_of_target_probabilities_equals_pytorch() -> None:
    """The target may be a computed Value, as in distillation."""
    probabilities = [Value(p) for p in SOFT[0]]
    losses.cross_entropy(LOGITS[0], probabilities).backward()
    oracle = tensor(SOFT[0]).requires_grad_()
    torch().nn.functional.cross_entropy(tensor(LOGITS[0]), oracle).backward()
    assert_equal([p.grad for p in probabilities], oracle.grad)
