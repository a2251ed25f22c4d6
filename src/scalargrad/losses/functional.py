"""Loss functions for regression and classification, penalties on weights, and metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from scalargrad.checks.arguments import (
    check_choice,
    check_flag,
    check_integer,
    check_list,
    check_number,
    check_scalar,
    is_word,
)
from scalargrad.checks.numbers import as_float, is_real
from scalargrad.engine.recorder import is_traced, trace_as
from scalargrad.engine.tree import flatten, flatten_like
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.ops import (
    abs,
    argmax,
    dot,
    eq,
    exp,
    floor,
    ge,
    log,
    log_loss,
    logsumexp,
    lt,
    mean,
    ne,
    prod,
    relu,
    softplus,
    square,
    sum,
    take,
    where,
)
from scalargrad.system.short_repr import format_value

__all__ = [
    "accuracy",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "confusion_matrix",
    "cross_entropy",
    "error_rate",
    "hinge_loss",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "l1_penalty",
    "l2_penalty",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "smooth_l1_loss",
    "zero_one_loss",
]

Reduction: TypeAlias = Literal["mean", "sum", "none"]


def reduce_losses(losses: Sequence[Scalar], reduction: Reduction, name: str) -> Any:
    """Return the mean or the sum of losses, as one node, or a single loss itself.

    Examples
    --------
    >>> reduce_losses([1.0, 3.0], "mean", "an example")
    2.0
    """
    if check_reduction(reduction, name) == "none":
        raise OperandError(f"{name}: reduction is 'none'; use 'mean' or 'sum'")
    if not losses:
        raise OperandError(f"{name} of an empty input is undefined; give at least one number")
    if len(losses) == 1:
        return losses[0]
    return (mean if reduction == "mean" else sum)(losses)


def check_reduction(reduction: Any, name: str) -> str:
    """Return `reduction` if it is valid.

    Raises
    ------
    DomainError
        If it is not "mean", "sum" or "none".
    """
    return check_choice(reduction, f"{name}: reduction", ("mean", "sum", "none"))


def elementwise(
    loss: Callable[[Any, Any], Any],
    input: Any,
    target: Any,
    reduction: Reduction,
    name: str,
    *,
    weight: Any = None,
) -> Any:
    """Apply `loss` to every number of `input` and the corresponding number of `target`.

    A column and a flat list of the same length match: [[1.0], [2.0]] and [1.0, 2.0].
    """
    check_reduction(reduction, name)
    numbers, rebuild = flatten(input, f"the input of {name}")
    targets, _ = flatten(target, f"the target of {name}")
    shapes = describe_shape(input), describe_shape(target)
    if shapes[0] != shapes[1] and not _is_column_and_list(input, target):
        raise OperandError(
            f"{name}: the input is {shapes[0]}, the target {shapes[1]}; they must have the same "
            "shape"
        )
    if _has_names(input):
        targets = flatten_like(target, input, f"the target of {name}", "the input")
    numbers = [as_operand(x, f"{name}: a number of the input") for x in numbers]
    targets = [as_operand(t, f"{name}: a target") for t in targets]
    losses = [loss(x, t) for x, t in zip(numbers, targets, strict=True)]
    if weight is not None:
        pairs = zip(broadcast_weight(weight, input, f"{name}: weight"), losses, strict=True)
        losses = [x if is_real(w) and w == 1.0 else x * w for w, x in pairs]
    if reduction == "none":
        return rebuild(iter(losses))
    return reduce_losses(losses, reduction, name)


def as_operand(x: Any, where: str) -> Any:
    """Return a Value unchanged, and a real number of any type as a float.

    Examples
    --------
    >>> as_operand(3, "a target")
    3.0
    """
    return x if type(x) is float or isinstance(x, Value) else as_float(x, where)


def is_sequence(x: Any) -> bool:
    """Return True if `x` has a length; an array with 0 dimensions is a number and has none.

    Examples
    --------
    >>> is_sequence([1.0]), is_sequence(1.0)
    (True, False)
    """
    return hasattr(x, "__len__") and getattr(x, "ndim", 1) != 0


def _has_names(x: Any) -> bool:
    """Return True if there is a dict in `x`; targets are then matched by key."""
    return isinstance(x, dict) or (isinstance(x, list | tuple) and any(map(_has_names, x)))


def _is_column_and_list(input: Any, target: Any) -> bool:
    """Return True if one argument is a column and the other a flat list of the same length."""
    if not all(is_sequence(x) and not isinstance(x, dict) for x in (input, target)):
        return False
    n = len(input)
    return {describe_shape(input), describe_shape(target)} == {f"{n} numbers", f"{n} × 1 numbers"}


def broadcast_weight(weight: Any, input: Any, name: str) -> list[Any]:
    """Return a weight for every number of `input`, broadcast as in PyTorch.

    Parameters
    ----------
    weight : scalar, list of the shape of `input`, or list of the length of its rows
        The weight.
    input : nested lists of numbers
        The numbers to be weighted.
    name : str
        Name of the weight in messages.

    Raises
    ------
    OperandError
        If the weight has another shape.

    Examples
    --------
    >>> broadcast_weight([1.0, 2.0], [[0.0, 0.0], [0.0, 0.0]], "weight")
    [1.0, 2.0, 1.0, 2.0]
    """
    numbers, _ = flatten(input, "the input")
    entries, _ = flatten(weight, name)
    weights = [check_scalar(w, name, finite=False) for w in entries]
    if is_number(weight) or describe_shape(weight) == describe_shape(input):
        return weights * (len(numbers) if is_number(weight) else 1)
    row = f"{len(weights)} numbers"
    shapes = {describe_shape(part) for part in input} if is_sequence(input) else set()
    if describe_shape(weight) != row or shapes != {row}:
        raise OperandError(
            f"{name} is {describe_shape(weight)}, the input {describe_shape(input)}; give one "
            "number, one for each number of the input, or one for each column"
        )
    return weights * (len(numbers) // len(weights))


def describe_shape(tree: Any) -> str:
    """Return the shape of nested numbers as text, for comparisons and messages.

    Examples
    --------
    >>> describe_shape([[1.0, 2.0], [3.0, 4.0]]), describe_shape(1.0)
    ('2 × 2 numbers', 'one number')
    """
    if isinstance(tree, Value) or is_real(tree):
        return "one number"
    parts = [describe_shape(part) for part in (tree.values() if isinstance(tree, dict) else tree)]
    if not parts:
        return "empty"
    if len(set(parts)) > 1:
        return f"({', '.join(parts)})"
    return f"{len(parts)} numbers" if parts[0] == "one number" else f"{len(parts)} × {parts[0]}"


def is_number(target: Any) -> bool:
    """Return True if `target` is a single number; while a function is traced, it is a Value."""
    return is_real(target) or isinstance(target, Value)


def check_class(target: Any, classes: int, name: str) -> Any:
    """Return `target` as a class in 0 … classes - 1, or raise an error.

    While a function is traced, the target is a Value. It is then divided by 1 if it is a class,
    and by 0 if it is not: at a division by 0, compiled code falls back to an eager call, which
    raises the error.
    """
    is_value = isinstance(target, Value)
    if is_value and is_traced(target):
        return target / (ge(target, 0.0) * lt(target, classes) * eq(floor(target), target))
    if not is_number(target) or not eq(floor(target), target):
        number = target.data if is_value else target
        raise OperandError(
            f"{name}: a target is {format_value(number)}; a class must be a whole number"
        )
    if not ge(target, 0.0) * lt(target, classes):
        number = target.data if is_value else target
        raise DomainError(
            f"{name}: a target is class {number:.0f}; with {classes} scores, the classes are "
            f"0 … {classes - 1}"
        )
    return target if is_value else int(target)


def pair_examples(input: Any, target: Any, name: str) -> Iterator[tuple[list[Any], Any]]:
    """Return pairs of the scores and the target of each example in a batch."""
    scores = [check_list(x, f"{name}: an example", "scores") for x in input]
    targets = check_list(target, f"{name}: target", "targets")
    if len(scores) != len(targets):
        raise OperandError(
            f"{name}: {len(scores)} examples but {len(targets)} targets; give one target for each "
            "example"
        )
    lengths = sorted({len(x) for x in scores})
    if len(lengths) > 1:
        raise OperandError(
            f"{name}: examples have {lengths} scores; every example needs one score for each class"
        )
    if lengths == [0]:
        raise OperandError(f"{name}: the examples have no scores; give one for each class")
    pairs = zip(
        [[as_operand(x, f"{name}: a score") for x in row] for row in scores], targets, strict=True
    )
    return ((x, t[0] if len(x) > 1 and _is_single(t) else t) for x, t in pairs)


def _is_single(target: Any) -> bool:
    """Return True if a target is a list of one class, as in a column of classes."""
    return isinstance(target, list | tuple) and len(target) == 1


def is_batch(input: Any) -> bool:
    """Return True if `input` is a list of examples, not the scores of a single example."""
    try:
        first = None if isinstance(input, str | dict) else input[0]
    except (TypeError, IndexError, KeyError):
        first = None
    if first is None:
        raise OperandError(f"scores must be a list, not {format_value(input)}")
    return is_sequence(first)


# The losses ---------------------------------------------------------------------------------------


def mse_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Compute the squared error, (x - t)², averaged over all numbers by default.

    Parameters
    ----------
    input, target : scalars, or nested lists of the same shape
        Predictions and targets, in the same unit.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the numbers, squared.

    Raises
    ------
    OperandError
        If `input` and `target` differ in shape, or are empty. A column may match a flat list.

    Notes
    -----
    This is the definition of PyTorch and of UNC's lecture, without the ½ that cancels the 2 of the
    derivative. Toronto's ½(x - t)², and its mean 1/(2N) Σ (x - t)² over N examples, are half of it.
    For N vectors of length D, it is the mean over all N·D numbers, as in PyTorch; Hosseini's
    (1/N) Σ ‖e‖² divides the sum by N only. The empirical risk of a model is the mean of its losses.

    Examples
    --------
    >>> mse_loss([1.0, 2.0], [1.0, 4.0])
    2.0
    >>> mse_loss([1.0, 2.0], [1.0, 4.0], reduction="sum") / (2 * 2)  # Toronto, 1/(2N)
    1.0
    >>> vectors, targets = [[1.0, 2.0], [3.0, 5.0]], [[0.0, 0.0], [3.0, 4.0]]
    >>> mse_loss(vectors, targets)
    1.5
    >>> mse_loss(vectors, targets, reduction="sum") / len(vectors)  # Hosseini, (1/N) Σ ‖e‖²
    3.0
    """
    return elementwise(lambda x, t: square(x - t), input, target, reduction, "mse_loss")


def l1_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Compute the absolute error, |x - t|, averaged over all numbers by default.

    Parameters, result and errors are those of `mse_loss`; the result is in the unit of the numbers.

    Notes
    -----
    At the kink x = t, the derivative is 0 by convention. This is PyTorch's definition; a lecture's
    ½|x - t| is half of it.

    Examples
    --------
    >>> l1_loss([1.0, 2.0], [1.0, 4.0])
    1.0
    >>> l1_loss([1.0, 2.0], [1.0, 4.0]) / 2  # with the lecture's ½
    0.5
    """
    return elementwise(lambda x, t: abs(x - t), input, target, reduction, "l1_loss")


def huber_loss(input: Any, target: Any, reduction: Reduction = "mean", delta: float = 1.0) -> Any:
    """Compute Huber's loss: ½d² where d = |x - t| < delta, else delta · (d - ½ delta).

    Parameters
    ----------
    input, target : scalars, or nested lists of the same shape
        Predictions and targets, in the same unit.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each number.
    delta : float
        The error at which the parabola becomes a line, in the unit of the numbers; positive.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the numbers, squared.

    Raises
    ------
    OperandError
        If `input` and `target` differ in shape, or are empty. A column may match a flat list.
    DomainError
        If delta is not positive.

    Notes
    -----
    Unlike `mse_loss`, it has a factor ½: for small errors it is half the squared error, as in the
    lectures' ½(x - t)².

    References
    ----------
    Huber, 1964.

    Examples
    --------
    >>> huber_loss([0.0, 0.0], [1.0, 3.0], delta=2.0, reduction="none")
    [0.5, 4.0]
    """
    delta = check_scalar(delta, "huber_loss: delta")
    if not delta > 0.0:
        raise DomainError(f"huber_loss: delta is {delta}; it must be positive")

    def loss(x: Any, t: Any) -> Any:
        error = x - t
        distance = abs(error)
        line = delta * (distance - 0.5 * delta)
        return where(distance < delta, 0.5 * square(error), line)

    return elementwise(loss, input, target, reduction, "huber_loss")


def smooth_l1_loss(
    input: Any, target: Any, *, reduction: Reduction = "mean", beta: float = 1.0
) -> Any:
    """Compute the smooth L1 loss: ½d²/beta where d = |x - t| < beta, else d - ½ beta.

    This is `huber_loss` divided by beta; beta = 0 gives `l1_loss`.

    Parameters
    ----------
    input, target : scalars, or nested lists of the same shape
        Predictions and targets, in the same unit.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each number.
    beta : float
        The error at which the parabola becomes a line, in the unit of the numbers; not negative.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the numbers.

    Raises
    ------
    OperandError
        If `input` and `target` differ in shape, or are empty. A column may match a flat list.
    DomainError
        If beta is negative.

    References
    ----------
    Girshick, 2015, equation 3.

    Examples
    --------
    >>> smooth_l1_loss([0.0, 0.0], [1.0, 3.0], beta=2.0, reduction="none")
    [0.25, 2.0]
    """
    beta = check_scalar(beta, "smooth_l1_loss: beta")
    if not beta >= 0.0:
        raise DomainError(f"smooth_l1_loss: beta is {beta}; it cannot be negative")

    def loss(x: Any, t: Any) -> Any:
        error = x - t
        distance = abs(error)
        if beta == 0.0:
            return distance
        return where(distance < beta, square(error) * (0.5 / beta), distance - 0.5 * beta)

    return elementwise(loss, input, target, reduction, "smooth_l1_loss")


Weights = Sequence[float] | None
#: Default class whose examples are left out of the mean, as in PyTorch.
IGNORED = -100


def cross_entropy(
    input: Any,
    target: Any,
    weight: Weights = None,
    *,
    ignore_index: int = IGNORED,
    reduction: Reduction = "mean",
    label_smoothing: float = 0.0,
) -> Any:
    """Compute the cross-entropy of softmax(z), ln Σ e^zᵢ - z_t; large logits do not overflow.

    Parameters
    ----------
    input : list of C scalars, or a list of these for each of N examples
        Logits z.
    target : int, or list of N int; or probabilities of the shape of `input`
        The class, 0 … C - 1, or the probability of each class, for example one-hot.
    weight : sequence of C floats, optional
        Weight of each class; "mean" divides by the sum of the weights of the targets.
    ignore_index : int
        A class whose examples are left out of the loss and of the mean.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each example.
    label_smoothing : float
        Fraction, in [0, 1], of the target probability that is spread evenly over all classes.

    Returns
    -------
    scalar, or list of N scalars for "none"
        In nats.

    Raises
    ------
    OperandError
        If targets do not match the input, or are not classes.
    DomainError
        If a class is not in 0 … C - 1, or `label_smoothing` is not in [0, 1].

    Notes
    -----
    The gradient with respect to the logits is softmax(z) - target. For a class, the loss is two
    nodes. The lectures apply softmax first and write -Σ tᵢ ln yᵢ with one-hot t. That is the same
    number; computing it from the logits is accurate for large logits too.

    Examples
    --------
    >>> from scalargrad import Value
    >>> z = [Value(2.0), Value(1.0), Value(0.1)]
    >>> loss = cross_entropy(z, 0)
    >>> loss.backward()
    >>> round(loss.data, 12), [round(x.grad, 12) for x in z]
    (0.417030016278, [-0.340998861114, 0.242432970705, 0.098565890409])
    """
    label_smoothing = check_scalar(label_smoothing, "cross_entropy: label_smoothing", 0.0, 1.0)
    weight = _check_weights(weight, "cross_entropy")

    def loss(scores: list[Any], target: Any) -> tuple[Any, Any]:
        _check_class_count(weight, scores, "cross_entropy")
        if is_number(target):
            t = check_class(target, len(scores), "cross_entropy")
            class_weight = 1.0 if weight is None else take(weight, t)
            if is_real(label_smoothing) and label_smoothing == 0.0:
                nll = logsumexp(scores) - take(scores, t)
                return _scale_loss(nll, class_weight), class_weight
            target = [eq(t, i) for i in range(len(scores))]
        else:
            class_weight = 1.0
        probabilities = _smooth_labels(target, label_smoothing)
        return _soft_cross_entropy(scores, probabilities, weight), class_weight

    return _reduce_examples(
        loss, input, target, reduction=reduction, name="cross_entropy", ignore=ignore_index
    )


def _check_weights(weight: Any, name: str) -> list[Any] | None:
    """Return the weights of classes as a list, after checking that none is negative."""
    if weight is None:
        return None
    entries = check_list(weight, f"{name}: weight", "numbers, one for each class")
    return [check_scalar(w, f"{name}: weight[{i}]", 0.0) for i, w in enumerate(entries)]


def _check_class_count(weight: Sequence[Any] | None, scores: list[Any], name: str) -> None:
    if weight is not None and len(weight) != len(scores):
        raise OperandError(
            f"{name}: {len(weight)} weights for {len(scores)} classes; give one for each class"
        )


def _scale_loss(loss: Any, weight: Any) -> Any:
    return loss if is_real(weight) and weight == 1.0 else loss * weight


def _smooth_labels(probabilities: Any, label_smoothing: float) -> list[Any]:
    """Return (1 - s)·p + s/C for the probability p of each class and label smoothing s."""
    entries = check_list(probabilities, "cross_entropy: a target", "probabilities, or the class")
    targets = [as_operand(p, "cross_entropy: a probability") for p in entries]
    if is_real(label_smoothing) and label_smoothing == 0.0:
        return targets
    uniform = label_smoothing / len(targets)
    return [p * (1.0 - label_smoothing) + uniform for p in targets]


def _soft_cross_entropy(scores: list[Any], probabilities: list[Any], weight: Weights) -> Any:
    """Compute -Σ wᵢtᵢ ln softmax(z)ᵢ."""
    if len(probabilities) != len(scores):
        raise OperandError(
            f"cross_entropy: {len(scores)} logits but {len(probabilities)} probabilities; give one "
            "of each for each class"
        )
    factors = probabilities
    if weight is not None:
        factors = [t * w for t, w in zip(probabilities, weight, strict=True)]
    return _scale_loss(logsumexp(scores), sum(factors)) - dot(factors, scores)


def nll_loss(
    input: Any,
    target: Any,
    weight: Weights = None,
    *,
    ignore_index: int = IGNORED,
    reduction: Reduction = "mean",
) -> Any:
    """Compute the negative log-likelihood, -xₜ, from log-probabilities x.

    Parameters
    ----------
    input : list of C scalars, or a list of these for each of N examples
        Log-probabilities, as `log_softmax` gives them.
    target : int, or list of N int
        The class, 0 … C - 1.
    weight : sequence of C floats, optional
        Weight of each class; "mean" divides by the sum of the weights of the targets.
    ignore_index : int
        A class whose examples are left out of the loss and of the mean.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each example.

    Returns
    -------
    scalar, or list of N scalars for "none"
        In nats.

    Raises
    ------
    OperandError
        If targets do not match the input, or are not classes.
    DomainError
        If a class is not in 0 … C - 1.

    Examples
    --------
    >>> nll_loss([[-0.5, -1.0], [-2.0, -0.1]], [0, 1])
    0.3
    """
    weight = _check_weights(weight, "nll_loss")

    def loss(scores: list[Any], target: Any) -> tuple[Any, Any]:
        _check_class_count(weight, scores, "nll_loss")
        t = check_class(target, len(scores), "nll_loss")
        class_weight = 1.0 if weight is None else take(weight, t)
        return _scale_loss(-take(scores, t), class_weight), class_weight

    return _reduce_examples(
        loss, input, target, reduction=reduction, name="nll_loss", ignore=ignore_index
    )


def kl_div(
    input: Any,
    target: Any,
    *,
    reduction: Reduction | Literal["batchmean"] = "mean",
    log_target: bool = False,
) -> Any:
    """Compute the Kullback-Leibler divergence, p (ln p - x), from log-probabilities x.

    Parameters
    ----------
    input : list of C scalars, or nested lists of these
        Log-probabilities, as `log_softmax` gives them.
    target : scalar, or nested lists as in `input`
        Probabilities p, or their logarithms.
    reduction : {"mean", "sum", "none", "batchmean"}
        Return the mean over all numbers, the sum, one term for each number, or the sum divided by
        the number of examples, which is the divergence.
    log_target : bool
        The target is the logarithm of the probabilities.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If `input` and `target` differ in shape, or are empty. A column may match a flat list.
    DomainError
        If a probability is negative.

    References
    ----------
    Kullback and Leibler, On information and sufficiency, 1951.

    Examples
    --------
    >>> round(kl_div([[-0.5, -1.0]], [[0.75, 0.25]], reduction="batchmean"), 12)
    0.062664855381
    """
    is_batchmean = is_word(reduction, {"batchmean"})
    if is_batchmean and not is_sequence(input):
        raise OperandError(f"kl_div: batchmean takes a list of examples, not {format_value(input)}")
    has_logarithms = check_flag(log_target, "log_target")
    loss = (lambda x, t: exp(t) * (t - x)) if has_logarithms else _kl_term
    inner_reduction: Any = "sum" if is_batchmean else reduction
    total = elementwise(loss, input, target, inner_reduction, "kl_div")
    return total / len(input) if is_batchmean else total


def _kl_term(x: Any, t: Any) -> Any:
    return where(ne(t, 0.0), t * log(where(ne(t, 0.0), t, 1.0)), 0.0) - t * x


def _reduce_examples(
    loss: Any, input: Any, target: Any, *, reduction: Reduction, name: str, ignore: int | None
) -> Any:
    """Reduce the losses of examples; ``loss(scores, target)`` returns a loss and its weight."""
    check_reduction(reduction, name)
    ignore = None if ignore is None else check_integer(ignore, f"{name}: ignore_index")
    if not is_batch(input):
        only = _reduce_examples(
            loss, [input], [target], reduction=reduction, name=name, ignore=ignore
        )
        return only[0] if reduction == "none" else only
    pairs = [
        _loss_unless_ignored(ignore, loss, *example)
        for example in pair_examples(input, target, name)
    ]
    losses, weights = [x for x, _ in pairs], [weight for _, weight in pairs]
    if reduction == "none":
        return losses
    if reduction == "mean" and not all(isinstance(x, float) and x == 1.0 for x in weights):
        return _weighted_mean(reduce_losses(losses, "sum", name), sum(weights), name)
    return reduce_losses(losses, reduction, name)


def _loss_unless_ignored(
    ignore: int | None, loss: Any, scores: list[Any], t: Any
) -> tuple[Any, Any]:
    """Return the loss of an example and its weight in the mean; both are 0 for an ignored class."""
    if ignore is None or not is_number(t):
        pair: tuple[Any, Any] = loss(scores, t)
    elif is_traced(t):  # its class is not known
        is_ignored = eq(t, ignore)
        pair = loss(scores, where(is_ignored, 0.0, t))
        pair = where(is_ignored, 0.0, pair[0]), where(is_ignored, 0.0, pair[1])
    else:
        pair = (0.0, 0.0) if t == ignore else loss(scores, t)
    return pair


def _trace_weighted_mean(total: Any, weight: Any, name: str) -> Any:  # noqa: ARG001
    """Divide by the sum of weights; if it is 0, compiled code falls back to an eager call."""
    return total / weight


@trace_as(_trace_weighted_mean)
def _weighted_mean(total: Any, weight: Any, name: str) -> Any:
    """Divide a sum of losses by the sum of their weights, which must not be 0."""
    if weight == 0.0:
        raise DomainError(
            f"{name}: every example is ignored or has weight 0, so the mean is undefined"
        )
    return total / weight


def _other_classes(losses: list[Any], t: Any) -> list[Any]:
    """Return the losses of all classes except `t`; if `t` is a Value, its loss is set to 0."""
    if isinstance(t, Value):
        return [ne(t, i) * x for i, x in enumerate(losses)]
    return [x for i, x in enumerate(losses) if i != t]


def multi_margin_loss(
    input: Any,
    target: Any,
    p: int = 1,
    margin: float = 1.0,
    weight: Weights = None,
    *,
    reduction: Reduction = "mean",
) -> Any:
    """Compute the multi-class hinge loss, Σ_{i≠t} max(0, margin - x_t + xᵢ)^p / C.

    Parameters
    ----------
    input : list of C scalars, or a list of these for each of N examples
        Scores.
    target : int, or list of N int
        The class, 0 … C - 1.
    p : {1, 2}
        The exponent.
    margin : float
        Margin by which the score of the target class must exceed the others, in the unit of the
        scores.
    weight : sequence of C floats, optional
        Weight of each class; "mean" still divides by N.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each example.

    Returns
    -------
    scalar, or list of N scalars for "none"
        In the unit of the scores to the power p.

    Raises
    ------
    OperandError
        If targets do not match the input, or are not classes.
    DomainError
        If a class is not in 0 … C - 1, or p is neither 1 nor 2.

    Notes
    -----
    As in PyTorch, the sum is divided by the number of classes C. UCSB's Σ_{i≠t} max(0, 1 - x_t +
    xᵢ) is not divided, and is C times this loss.

    References
    ----------
    Crammer and Singer, 2001, who take the maximum; PyTorch's definition is a sum.

    Examples
    --------
    >>> multi_margin_loss([0.0, 0.5, 2.0, 1.0], 3)
    0.625
    >>> 4 * multi_margin_loss([0.0, 0.5, 2.0, 1.0], 3)  # UCSB, not divided by the 4 classes
    2.5
    """
    if not is_real(p) or p not in (1, 2):
        raise DomainError(f"multi_margin_loss: p is {format_value(p)}; use 1 or 2")
    margin = check_scalar(margin, "multi_margin_loss: margin")
    weight = _check_weights(weight, "multi_margin_loss")

    def loss(scores: list[Any], target: Any) -> tuple[Any, Any]:
        _check_class_count(weight, scores, "multi_margin_loss")
        t = check_class(target, len(scores), "multi_margin_loss")
        target_score = take(scores, t)
        violations = _other_classes([relu(margin - target_score + x) for x in scores], t)
        total = sum(violations if p == 1 else [square(x) for x in violations])
        factor = (1.0 if weight is None else take(weight, t)) / len(scores)
        return total * factor, 1.0

    return _reduce_examples(
        loss, input, target, reduction=reduction, name="multi_margin_loss", ignore=None
    )


def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, *, reduction: Reduction = "mean"
) -> Any:
    """Compute the binary cross-entropy of probabilities, -(t ln p + (1 - t) ln(1 - p)).

    Parameters
    ----------
    input : scalar, or nested lists of these
        Probabilities p of class 1.
    target : scalar, or nested lists as in `input`
        The class, 1 or 0, or the probability of class 1.
    weight : scalar or list, optional
        Weight of each number: one for all, one for each number, or one for each column. "mean"
        still divides by the number of numbers.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If `input` and `target` differ in shape, or are empty. A column may match a flat list.
    DomainError
        If a probability is not in [0, 1].

    Notes
    -----
    This is the lectures' -y ln p - (1 - y) ln(1 - p), averaged over the examples. As in PyTorch,
    logarithms are clamped to at least -100, where the lectures' loss would be ∞. If you have the
    logits, `binary_cross_entropy_with_logits` is more accurate.

    Examples
    --------
    >>> round(binary_cross_entropy([0.5, 1.0], [1.0, 1.0], reduction="sum"), 12)
    0.69314718056
    """
    name = "binary_cross_entropy"
    return elementwise(log_loss, input, target, reduction, name, weight=weight)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: Reduction = "mean",
    pos_weight: Any = None,
) -> Any:
    """Compute the binary cross-entropy of σ(z), (1 - t)z + ln(1 + e^-z), from logits z.

    Parameters
    ----------
    input : scalar, or nested lists of these
        Logits z, the log-odds of class 1.
    target : scalar, or nested lists as in `input`
        The class, 1 or 0, or the probability of class 1.
    weight : scalar or list, optional
        Weight of each number: one for all, one for each number, or one for each column. "mean"
        still divides by the number of numbers.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each number.
    pos_weight : scalar or list, optional
        Weight of class 1 relative to class 0: one for all, or one for each column.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If `input` and `target` differ in shape, or are empty. A column may match a flat list.

    Notes
    -----
    The derivative is σ(z) - t, and large |z| do not overflow. This is the loss of logistic
    regression: the lectures write it in terms of y = σ(z), here it is computed from z.

    Examples
    --------
    >>> binary_cross_entropy_with_logits([1e4, -1e4], [1.0, 1.0], reduction="none")
    [0.0, 10000.0]
    """
    name = "binary_cross_entropy_with_logits"
    has_weight = pos_weight is not None
    weights = iter(broadcast_weight(pos_weight, input, f"{name}: pos_weight") if has_weight else ())

    def loss(z: Any, t: Any) -> Any:
        linear, soft = (1.0 - t) * z, softplus(-z)
        return linear + (soft * (1.0 + (next(weights) - 1.0) * t) if has_weight else soft)

    return elementwise(loss, input, target, reduction, name, weight=weight)


def hinge_loss(
    input: Any, target: Any, *, margin: float = 1.0, reduction: Reduction = "mean"
) -> Any:
    """Compute the hinge (max-margin) loss of two classes, max(0, margin - y·f).

    Parameters
    ----------
    input : scalar, or nested lists of these
        Scores f.
    target : scalar, or nested lists as in `input`
        Classes y: -1 or 1.
    margin : float
        The loss is 0 where y·f ≥ margin; in the unit of the scores.
    reduction : {"mean", "sum", "none"}
        Return the mean, the sum, or one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the scores.

    Raises
    ------
    OperandError
        If `input` and `target` differ in shape, or are empty. A column may match a flat list.

    Notes
    -----
    At the kink y·f = margin, the derivative is 0 by convention. With margin 1 it equals UCSB's
    hinge loss.

    References
    ----------
    Cortes and Vapnik, 1995. PyTorch does not have this loss; scikit-learn calls it ``hinge_loss``.

    Examples
    --------
    >>> hinge_loss([0.5, -3.0], [1.0, -1.0], reduction="none")
    [0.5, 0.0]
    """
    least = check_scalar(margin, "hinge_loss: margin")
    return elementwise(lambda f, y: relu(least - y * f), input, target, reduction, "hinge_loss")


def l1_penalty(parameters: Iterable[Scalar]) -> Any:
    """Return the L1 penalty, Σ |w|; a multiple of it in a loss drives weights to exactly 0.

    Parameters
    ----------
    parameters : iterable of scalars
        Usually ``model.parameters()``.

    Returns
    -------
    scalar
        In the unit of the weights.

    References
    ----------
    Tibshirani, 1996 (the lasso).

    Examples
    --------
    >>> l1_penalty([1.0, -2.0])
    3.0
    """
    return sum([abs(w) for w in check_list(parameters, "parameters", "Parameters", ordered=False)])


def l2_penalty(parameters: Iterable[Scalar]) -> Any:
    """Return the L2 penalty, Σ w²; a multiple of it in a loss keeps weights small.

    Parameters
    ----------
    parameters : iterable of scalars
        Usually ``model.parameters()``.

    Returns
    -------
    scalar
        In the unit of the weights squared.

    Notes
    -----
    Toronto's R = ½ Σ w² is half of it. The penalty is one node. Adding λ Σ w² to the loss is
    equivalent to ``weight_decay=2 * λ`` of `optim.SGD`, which creates no node.

    References
    ----------
    Hoerl and Kennard, 1970 (ridge regression).

    Examples
    --------
    >>> l2_penalty([1.0, -2.0])
    5.0
    >>> l2_penalty([1.0, -2.0]) / 2  # Toronto's R
    2.5
    """
    weights = check_list(parameters, "parameters", "Parameters", ordered=False)
    return dot(weights, weights)


# Metrics of classifiers: plain numbers without gradients ------------------------------------------

#: Targets for single scores: class 1, and class 0 as 0 or -1.
_BINARY_TARGETS = (1.0, 0.0, -1.0)


def _as_number(x: Any, what: str) -> float:
    return x.data if isinstance(x, Value) else as_float(x, what)


def _check_score(x: Any, name: str) -> float:
    score = _as_number(x, f"{name}: a score")
    if score != score:
        raise NumericalError(
            f"{name}: a score is nan, so the class is undefined; call backward() on the score to "
            "find the operation that produced it"
        )
    return score


def _is_positive(t: Any, name: str) -> bool:
    """Return True if the target of a single score is class 1."""
    number = _as_number(t, f"{name}: a target")
    if number not in _BINARY_TARGETS:
        raise DomainError(
            f"{name}: a target is {format_value(t)}; for single scores, use 1 for class 1, and "
            "0 or -1 for the other class"
        )
    return number == 1.0


def _metric_examples(input: Any, target: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Yield the scores and the target of each example, single scores as lists of one."""
    rows = [x if is_sequence(x) else [x] for x in check_list(input, f"{name}: input", "scores")]
    targets = [
        t[0] if is_sequence(t) and len(t) == 1 else t
        for t in check_list(target, f"{name}: target", "classes")
    ]
    yield from pair_examples(rows, targets, name)


def _predictions(input: Any, target: Any, threshold: float, name: str) -> Iterator[tuple[int, int]]:
    """Yield (true class, predicted class) for each example."""
    limit = check_number(threshold, f"{name}: threshold", finite=False)
    for scores, t in _metric_examples(input, target, name):
        numbers = [_check_score(x, name) for x in scores]
        if len(numbers) == 1:
            yield int(_is_positive(t, name)), int(numbers[0] > limit)
        elif is_real(t):
            yield check_class(t, len(numbers), name), argmax(numbers)
        else:
            raise OperandError(f"{name}: a target is {format_value(t)}; give the class as a number")


def _trace_errors(input: Any, target: Any, threshold: float, name: str) -> list[Any]:
    """Return 1 for each wrong prediction and 0 for each right one, as traced operations.

    The result is divided by 0 if a target is not a class or a score is nan. At a division by 0,
    compiled code falls back to an eager call, which raises the error.
    """
    limit = check_number(threshold, f"{name}: threshold", finite=False)
    errors = []
    for scores, t in _metric_examples(input, target, name):
        if len(scores) == 1:
            one_hot = [t == x for x in _BINARY_TARGETS]
            wrong = one_hot[0] != (scores[0] > limit)
        else:
            one_hot = [t == float(k) for k in range(len(scores))]
            wrong = ne(argmax(scores), t)
        errors.append(wrong / (sum(one_hot) * prod([x == x for x in scores])))
    return errors


@trace_as(_trace_errors)
def _errors(input: Any, target: Any, threshold: float, name: str) -> list[Any]:
    """Return 1 for each wrong prediction and 0 for each right one."""
    return [float(t != y) for t, y in _predictions(input, target, threshold, name)]


def zero_one_loss(
    input: Any, target: Any, *, threshold: float = 0.0, reduction: Reduction = "mean"
) -> Any:
    """Compute the zero-one loss: 1 for a wrong prediction, 0 for a right one.

    Parameters
    ----------
    input : list of N examples
        For each example, either C scores, of which the largest (the first of equal ones) is the
        predicted class, or one score, which predicts class 1 if it exceeds `threshold`.
    target : list of N numbers
        Classes 0 … C - 1; with single scores, 1 for class 1, and 0 or -1 for the other class.
    threshold : float
        Use 0 for logits and margins, 0.5 for probabilities.
    reduction : {"mean", "sum", "none"}
        Return the error rate, the number of errors, or one number for each example.

    Returns
    -------
    float, or list of float for "none"
        Dimensionless. It has no gradient, because it is piecewise constant.

    Raises
    ------
    OperandError
        If the input is empty, or the number of targets differs.
    DomainError
        If a class is not in 0 … C - 1, or with single scores not 1, 0 or -1.
    NumericalError
        If a score is nan.

    Examples
    --------
    >>> zero_one_loss([2.5, -1.0, 0.3, -0.2], [1, -1, -1, -1])
    0.25
    """
    check_reduction(reduction, "zero_one_loss")
    wrong = _errors(input, target, threshold, "zero_one_loss")
    return wrong if reduction == "none" else reduce_losses(wrong, reduction, "zero_one_loss")


def error_rate(input: Any, target: Any, *, threshold: float = 0.0) -> float:
    """Return the fraction of wrong predictions; see `zero_one_loss`.

    Examples
    --------
    >>> error_rate([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    rate: float = zero_one_loss(input, target, threshold=threshold)
    return rate


def accuracy(input: Any, target: Any, *, threshold: float = 0.0) -> float:
    """Return the fraction of right predictions; parameters are those of `zero_one_loss`.

    Examples
    --------
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    wrong = zero_one_loss(input, target, threshold=threshold, reduction="none")
    hits: float = reduce_losses([1.0 - x for x in wrong], "mean", "accuracy")
    return hits


def confusion_matrix(input: Any, target: Any, *, threshold: float = 0.0) -> list[list[int]]:
    """Count examples by true and predicted class; parameters are those of `zero_one_loss`.

    Returns
    -------
    list of C lists of C int
        Rows are true classes, columns predicted classes. C = 2 for single scores.

    Raises
    ------
    OperandError
        If the input is empty, or the number of targets differs.

    Examples
    --------
    >>> confusion_matrix([2.5, -1.0, 0.3], [1, 0, 0])
    [[1, 1], [0, 1]]
    """
    pairs = list(_predictions(input, target, threshold, "confusion_matrix"))
    if not pairs:
        raise OperandError("confusion_matrix of an empty input; give at least one example")
    first = next(iter(input))
    classes = max(2, len(first) if is_sequence(first) else 2)
    counts = [[0] * classes for _ in range(classes)]
    for true, predicted in pairs:
        counts[true][predicted] += 1
    return counts
