"""Every loss has PyTorch's values and gradients, extreme inputs included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import Value, losses
from scalargrad.tree import flatten

torch = pytest.importorskip("torch", reason="PyTorch is the oracle")

HUGE = [1e4, -1e4, 0.0, 3.0, -0.5, 30.0]
LOGITS = [[2.0, 1.0, 0.1], [1e4, -1e4, 0.0], [-1e4, 1e4, 1e4], [0.0, 0.0, 0.0]]
CLASSES = [0, 1, 2, 1]
SOFT = [[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.25, 0.75], [1 / 3, 1 / 3, 1 / 3]]
WEIGHTS = [0.5, 2.0, 1.25]
LOG_P = [[-0.5, -1.0, -3.0], [-1e4, -0.1, -2.0], [-2.0, -0.2, 0.0], [-1.0, -1.1, -1.2]]

CASES: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("mse_loss", HUGE, [0.0, 1e4, 0.0, 1.0, 2.0, -3.0], {}),
    ("mse_loss", [[1.0, 2.0], [3.0, 4.0]], [[0.0, 1.0], [-1.0, 7.0]], {}),
    ("l1_loss", HUGE, [0.0, 1e4, 0.0, 1.0, 2.0, -3.0], {}),
    ("huber_loss", HUGE, [0.0, 1e4, 0.0, 2.0, -0.25, 29.5], {}),
    ("huber_loss", HUGE, [0.0, 1e4, 0.0, 2.0, -0.25, 29.5], {"delta": 0.3}),
    ("smooth_l1_loss", HUGE, [0.0, 1e4, 0.0, 2.0, -0.25, 29.5], {}),
    ("smooth_l1_loss", HUGE, [0.0, 1e4, 0.0, 2.0, -0.25, 29.5], {"beta": 2.5}),
    ("smooth_l1_loss", HUGE, [0.0, 1e4, 0.0, 2.0, -0.25, 29.5], {"beta": 0.0}),
    ("binary_cross_entropy", [0.2, 0.9, 0.5, 0.01], [0.0, 1.0, 0.3, 1.0], {}),
    ("binary_cross_entropy", [0.0, 1.0, 1e-13, 1 - 1e-14], [0.0, 1.0, 0.0, 1.0], {}),
    ("binary_cross_entropy_with_logits", HUGE, [1.0, 0.0, 1.0, 0.0, 0.3, 1.0], {}),
    ("binary_cross_entropy_with_logits", HUGE, [0.0, 1.0, 0.5, 1.0, 1.0, 0.0], {}),
    ("cross_entropy", LOGITS, CLASSES, {}),
    ("cross_entropy", LOGITS, SOFT, {}),
    ("cross_entropy", LOGITS, CLASSES, {"label_smoothing": 0.1}),
    ("cross_entropy", LOGITS, SOFT, {"label_smoothing": 0.3}),
    ("cross_entropy", LOGITS, CLASSES, {"ignore_index": 1}),
    ("cross_entropy", LOGITS[0], 2, {}),
    ("cross_entropy", LOGITS[0], SOFT[0], {}),
    ("nll_loss", LOG_P, CLASSES, {}),
    ("nll_loss", LOG_P, CLASSES, {"ignore_index": 2}),
    ("nll_loss", LOG_P[0], 1, {}),
    ("multi_margin_loss", LOGITS, CLASSES, {}),
    ("multi_margin_loss", LOG_P, CLASSES, {"p": 2, "margin": 0.7}),
    ("multi_margin_loss", LOG_P[0], 1, {}),
]

WEIGHTED: list[tuple[str, Any, Any, dict[str, Any]]] = [
    ("cross_entropy", LOGITS, CLASSES, {}),
    ("cross_entropy", LOGITS, SOFT, {}),
    ("cross_entropy", LOGITS, CLASSES, {"label_smoothing": 0.1}),
    ("cross_entropy", LOGITS, CLASSES, {"ignore_index": 1}),
    ("cross_entropy", LOGITS[0], 2, {}),
    ("nll_loss", LOG_P, CLASSES, {}),
    ("multi_margin_loss", LOG_P, CLASSES, {}),
    ("multi_margin_loss", LOG_P, CLASSES, {"p": 2}),
]

REDUCTIONS = ("mean", "sum", "none")


def tensor(numbers: Any) -> Any:
    """Make a tensor of classes or of 64-bit floats."""
    whole = isinstance(flatten(numbers, "numbers")[0][0], int)
    return torch.tensor(numbers, dtype=torch.int64 if whole else torch.float64)


def assert_equal(ours: Any, theirs: Any) -> None:
    """Hold numbers against a tensor at 1e-10."""
    flat = [x.data if isinstance(x, Value) else x for x in flatten(ours, "ours")[0]]
    assert flat == pytest.approx(theirs.detach().ravel().tolist(), rel=1e-10, abs=1e-10)


def compare(ours: Callable[..., Any], theirs: Callable[..., Any], input: Any, target: Any) -> None:
    """Hold values, and gradients with respect to the input, of two losses against each other."""
    numbers, rebuild = flatten(input, "the input")
    leaves = [Value(x) for x in numbers]
    found = ours(rebuild(iter(leaves)), target)
    oracle = tensor(input).requires_grad_()
    expected = theirs(oracle, tensor(target))
    assert_equal(found, expected)
    for loss in flatten(found, "losses")[0]:
        if isinstance(loss, Value):  # an ignored example costs a plain 0
            loss.backward()
    expected.sum().backward()
    assert_equal([leaf.grad for leaf in leaves], oracle.grad)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "input", "target", "options"), CASES)
def test_losses_equal_pytorchs(
    name: str, input: Any, target: Any, options: dict[str, Any], reduction: str
) -> None:
    """Values and gradients are PyTorch's, for each reduction."""
    ours, theirs = getattr(losses, name), getattr(torch.nn.functional, name)
    compare(
        lambda x, t: ours(x, t, reduction=reduction, **options),
        lambda x, t: theirs(x, t, reduction=reduction, **options),
        input,
        target,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(("name", "input", "target", "options"), WEIGHTED)
def test_class_weights_equal_pytorchs(
    name: str, input: Any, target: Any, options: dict[str, Any], reduction: str
) -> None:
    """Class weights count in the sum and in the mean as they do in PyTorch."""
    ours, theirs = getattr(losses, name), getattr(torch.nn.functional, name)
    compare(
        lambda x, t: ours(x, t, reduction=reduction, weight=WEIGHTS, **options),
        lambda x, t: theirs(x, t, reduction=reduction, weight=tensor(WEIGHTS), **options),
        input,
        target,
    )


def test_the_weight_of_positives_equals_pytorchs() -> None:
    """pos_weight multiplies the cost of a missed yes."""
    functional = torch.nn.functional
    compare(
        lambda x, t: losses.binary_cross_entropy_with_logits(x, t, pos_weight=2.5),
        lambda x, t: functional.binary_cross_entropy_with_logits(x, t, pos_weight=tensor([2.5])),
        HUGE,
        [1.0, 0.0, 1.0, 0.0, 0.3, 1.0],
    )


LOGIT_ROWS = [[0.5, -2.0, 1e4], [3.0, 0.0, -1e4]]
YES_ROWS = [[1.0, 0.3, 0.0], [0.0, 1.0, 1.0]]
BINARY_WEIGHTS = [[0.5, 2.0, 1.25], [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], 0.75]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", BINARY_WEIGHTS)
@pytest.mark.parametrize("pos_weight", [None, [2.0, 0.5, 7.0]])
def test_weights_of_columns_and_of_numbers_equal_pytorchs(
    reduction: str, weight: Any, pos_weight: Any
) -> None:
    """One for all, one for each column, one for each number; and of a yes in each column."""
    more = None if pos_weight is None else tensor(pos_weight)
    options: dict[str, Any] = {"reduction": reduction, "pos_weight": pos_weight}
    compare(
        losses.BCEWithLogitsLoss(weight, **options),
        torch.nn.BCEWithLogitsLoss(tensor(weight), reduction=reduction, pos_weight=more),
        LOGIT_ROWS,
        YES_ROWS,
    )
    compare(
        losses.BCELoss(weight, reduction=reduction),  # type: ignore[arg-type]
        torch.nn.BCELoss(tensor(weight), reduction=reduction),
        [[0.2, 0.9, 0.5], [0.1, 0.3, 0.7]],
        YES_ROWS,
    )


def test_the_hinge_loss_equals_its_definition_in_pytorch() -> None:
    """max(0, 1 - yf), kink and extreme scores included."""
    compare(
        losses.hinge_loss,
        lambda x, t: torch.relu(1.0 - t * x).mean(),
        [1.0, -1.0, 1e4, -1e4, 0.3],
        [1.0, -1.0, -1.0, -1.0, 1.0],
    )


def test_probabilities_as_targets_receive_pytorchs_gradient() -> None:
    """The target of a cross-entropy may be computed too, as in distillation."""
    probabilities = [Value(p) for p in SOFT[0]]
    losses.cross_entropy(LOGITS[0], probabilities).backward()
    oracle = tensor(SOFT[0]).requires_grad_()
    torch.nn.functional.cross_entropy(tensor(LOGITS[0]), oracle).backward()
    assert_equal([p.grad for p in probabilities], oracle.grad)


@pytest.mark.parametrize(
    ("name", "input", "target"),
    [
        ("MSELoss", [1.0, 2.0], [0.5, 4.0]),
        ("L1Loss", [1.0, 2.0], [0.5, 4.0]),
        ("HuberLoss", [1.0, 2.0], [0.5, 4.0]),
        ("SmoothL1Loss", [1.0, 2.0], [0.5, 4.0]),
        ("BCELoss", [0.2, 0.9], [0.0, 1.0]),
        ("BCEWithLogitsLoss", [0.2, 0.9], [0.0, 1.0]),
        ("CrossEntropyLoss", LOGITS, CLASSES),
        ("NLLLoss", LOG_P, CLASSES),
        ("MultiMarginLoss", LOGITS, CLASSES),
    ],
)
def test_class_forms_default_as_pytorchs_do(name: str, input: Any, target: Any) -> None:
    """Each class without options is PyTorch's class of the same name."""
    compare(getattr(losses, name)(), getattr(torch.nn, name)(), input, target)
