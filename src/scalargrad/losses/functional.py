"""Losses as functions, of regression and of classification; penalties on large weights; metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, TypeAlias

from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.grad_mode import active_modes, recorder
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
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import as_float, is_real
from scalargrad.table.validation import choice, flag, is_word, listed, number, scalar, whole
from scalargrad.tree import flatten, flatten_like
from scalargrad.value import Scalar, Value

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


def reduced(losses: Sequence[Scalar], reduction: Reduction, name: str) -> Any:
    """Return the mean or the sum of the losses, one node; of a single loss, itself.

    Examples
    --------
    >>> reduced([1.0, 3.0], "mean", "an example")
    2.0
    """
    if reduction_of(reduction, name) == "none":
        raise OperandError(f"{name}: reduction is 'none'; use 'mean' or 'sum'")
    if not losses:
        raise OperandError(f"{name} of no numbers is undefined: give at least one")
    if len(losses) == 1:
        return losses[0]
    return (mean if reduction == "mean" else sum)(losses)


def reduction_of(given: Any, name: str) -> str:
    """Return the reduction of losses.

    Raises
    ------
    DomainError
        If it is none of the three ways.
    """
    return choice(given, f"{name}: reduction", ("mean", "sum", "none"))


def elementwise(
    loss: Callable[[Any, Any], Any],
    input: Any,
    target: Any,
    reduction: Reduction,
    name: str,
    *,
    weight: Any = None,
) -> Any:
    """Apply `loss` to every number of `input` and the one of `target` in the same place.

    A column of numbers and a plain list of as many agree: [[1.0], [2.0]] and [1.0, 2.0].
    """
    way = reduction_of(reduction, name)
    numbers, rebuild = flatten(input, f"the input of {name}")
    wanted, _ = flatten(target, f"the target of {name}")
    if shape(input) != shape(target) and not _agree(input, target):
        raise OperandError(
            f"{name}: the input is {shape(input)}, the target {shape(target)}; give one target "
            "for each number, nested alike"
        )
    if _has_names(input):
        wanted = flatten_like(target, input, f"the target of {name}", "the input")
    numbers = [as_operand(x, f"{name}: a number of the input") for x in numbers]
    wanted = [as_operand(t, f"{name}: a target") for t in wanted]
    losses = [loss(x, t) for x, t in zip(numbers, wanted, strict=True)]
    if weight is not None:
        pairs = zip(spread(weight, input, f"{name}: weight"), losses, strict=True)
        losses = [x if is_real(w) and w == 1.0 else x * w for w, x in pairs]
    if way == "none":
        return rebuild(iter(losses))
    return reduced(losses, reduction, name)


def as_operand(x: Any, where: str) -> Any:
    """Return a Value as it is, and a real number of any type as a float.

    Examples
    --------
    >>> as_operand(3, "a target")
    3.0
    """
    return x if type(x) is float or isinstance(x, Value) else as_float(x, where)


def has_entries(x: Any) -> bool:
    """Return whether `x` holds several numbers; an array without axes is one, and has no length.

    Examples
    --------
    >>> has_entries([1.0]), has_entries(1.0)
    (True, False)
    """
    return hasattr(x, "__len__") and getattr(x, "ndim", 1) != 0


def _has_names(x: Any) -> bool:
    """Return whether numbers have names, to find those of the target by."""
    return isinstance(x, dict) or (isinstance(x, list | tuple) and any(map(_has_names, x)))


def _agree(input: Any, target: Any) -> bool:
    """Return whether one argument is a column and the other a flat list of as many numbers."""
    if not all(has_entries(x) and not isinstance(x, dict) for x in (input, target)):
        return False
    n = len(input)
    return {shape(input), shape(target)} == {f"{n} numbers", f"{n} × 1 numbers"}


def spread(weight: Any, input: Any, name: str) -> list[Any]:
    """Return a weight for every number of `input`, as PyTorch broadcasts it.

    Parameters
    ----------
    weight : scalar, list nested as `input`, or list as long as its rows
    input : nested lists of numbers
    name : str
        What the weight is called in messages.

    Raises
    ------
    OperandError
        If it has another length.

    Examples
    --------
    >>> spread([1.0, 2.0], [[0.0, 0.0], [0.0, 0.0]], "weight")
    [1.0, 2.0, 1.0, 2.0]
    """
    numbers, _ = flatten(input, "the input")
    found, _ = flatten(weight, name)
    weights = [scalar(w, name, finite=False) for w in found]
    if is_class(weight) or shape(weight) == shape(input):
        return weights * (len(numbers) if is_class(weight) else 1)
    row = f"{len(weights)} numbers"
    shapes = {shape(part) for part in input} if has_entries(input) else set()
    if shape(weight) != row or shapes != {row}:
        raise OperandError(
            f"{name} is {shape(weight)}, the input {shape(input)}; give one number, one for each "
            "of the input's, or one for each column"
        )
    return weights * (len(numbers) // len(weights))


def shape(tree: Any) -> str:
    """Describe how numbers are nested, for comparison and for messages.

    Examples
    --------
    >>> shape([[1.0, 2.0], [3.0, 4.0]]), shape(1.0)
    ('2 × 2 numbers', 'one number')
    """
    if isinstance(tree, Value) or is_real(tree):
        return "one number"
    parts = [shape(part) for part in (tree.values() if isinstance(tree, dict) else tree)]
    if not parts:
        return "empty"
    if len(set(parts)) > 1:
        return f"({', '.join(parts)})"
    return f"{len(parts)} numbers" if parts[0] == "one number" else f"{len(parts)} × {parts[0]}"


def is_class(target: Any) -> bool:
    """Return whether `target` is one number; it is a Value in a function being compiled."""
    return is_real(target) or isinstance(target, Value)


def class_index(target: Any, classes: int, name: str) -> Any:
    """Return `target` as a class in 0 … classes - 1, or say what is wrong with it.

    A Value, as every argument of a function being compiled is, stays one. There, one that names no
    class is divided by 0, so that the call is made eagerly and raises the error.
    """
    if recorder() is not None and isinstance(target, Value):
        return target / (ge(target, 0.0) * lt(target, classes) * eq(floor(target), target))
    if not is_class(target) or not eq(floor(target), target):
        given = target.data if isinstance(target, Value) else target
        raise OperandError(f"{name}: a target is {shown(given)}; classes are whole numbers")
    if not ge(target, 0.0) * lt(target, classes):
        given = target.data if isinstance(target, Value) else target
        raise DomainError(
            f"{name}: a target is class {given:.0f}; classes are counted from 0 to {classes - 1}, "
            "one for each score"
        )
    return target if isinstance(target, Value) else int(target)


def examples(input: Any, target: Any, name: str) -> Iterator[tuple[list[Any], Any]]:
    """Yield each example's scores with its target, from a batch."""
    scores = [listed(x, f"{name}: an example", "scores") for x in input]
    wanted = listed(target, f"{name}: target", "targets")
    if len(scores) != len(wanted):
        raise OperandError(
            f"{name}: {len(scores)} examples but {len(wanted)} targets; give one for each"
        )
    lengths = sorted({len(x) for x in scores})
    if len(lengths) > 1:
        raise OperandError(f"{name}: examples have {lengths} scores; give one for each class")
    if lengths == [0]:
        raise OperandError(f"{name}: the examples have no scores; give one for each class")
    pairs = zip(
        [[as_operand(x, f"{name}: a score") for x in row] for row in scores], wanted, strict=True
    )
    return ((x, t[0] if len(x) > 1 and _is_one(t) else t) for x, t in pairs)


def _is_one(target: Any) -> bool:
    """Return whether a target is an entry of a column of classes."""
    return isinstance(target, list | tuple) and len(target) == 1


def is_batch(input: Any) -> bool:
    """Return whether `input` holds lists of scores and not the scores of one example."""
    try:
        first = None if isinstance(input, str | dict) else input[0]
    except (TypeError, IndexError, KeyError):
        first = None
    if first is None:
        raise OperandError(f"scores are given as a list, not as {shown(input)}")
    return has_entries(first)


# The losses ---------------------------------------------------------------------------------------


def mse_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Compute the squared error, (x - t)², averaged over all numbers.

    Parameters
    ----------
    input, target : scalars, or equally nested lists of them
        Predictions and what they should be, in one unit.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit squared.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.

    Notes
    -----
    PyTorch's definition, as UNC's, without the ½ that cancels the 2 of the derivative: Toronto's
    ½(x - t)², and 1/(2N) Σ (x - t)² over N examples, are half of it. Of vectors, as in PyTorch,
    it is the mean over all N·D numbers; Hosseini's (1/N) Σ ‖e‖² divides the sum by N alone.
    The empirical risk of a model is the mean of its losses.

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
    """Compute the absolute error, |x - t|, averaged over all numbers.

    Parameters, result and errors as for `mse_loss`; the result is in the unit of the numbers.

    Notes
    -----
    Kink at x = t, where the slope is taken as 0. PyTorch's definition; where a lecture writes
    ½|x - t|, half of this is meant.

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
    input, target : scalars, or equally nested lists of them
        Predictions and what they should be, in one unit.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.
    delta : float
        Where the parabola turns into a line, in the unit of the numbers; positive.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit squared.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.
    DomainError
        If delta is not positive.

    Notes
    -----
    It has a ½ where `mse_loss` has none: for small errors Huber's loss is half the squared error,
    the lectures' ½(x - t)².

    References
    ----------
    Huber, 1964.

    Examples
    --------
    >>> huber_loss([0.0, 0.0], [1.0, 3.0], delta=2.0, reduction="none")
    [0.5, 4.0]
    """
    delta = scalar(delta, "huber_loss: delta")
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
    input, target : scalars, or equally nested lists of them
        Predictions and what they should be, in one unit.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.
    beta : float
        Where the parabola turns into a line, in the unit of the numbers; not negative.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the numbers.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.
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
    beta = scalar(beta, "smooth_l1_loss: beta")
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
#: The class whose examples are left out of the mean, unless another is given: PyTorch's.
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
    """Compute the cross-entropy of softmax(z), ln Σ e^zᵢ - z_t, stable for large logits.

    Parameters
    ----------
    input : list of C scalars, or a list of such for each of N examples
        Logits z.
    target : int, or list of N int; or probabilities nested as `input`
        The class, 0 … C - 1, or how probable each class is: one-hot or anything else.
    weight : sequence of C floats, optional
        How much each class counts; "mean" divides by the weights of the classes met.
    ignore_index : int
        A class that is left out of the loss and of the mean.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each example.
    label_smoothing : float
        Share in [0, 1] of the target that is spread evenly over all classes.

    Returns
    -------
    scalar, or list of N scalars for "none"
        In nats.

    Raises
    ------
    OperandError
        If targets do not match the input, or are not classes.
    DomainError
        If a class is not in 0 … C - 1, or label_smoothing not in [0, 1].

    Notes
    -----
    Its gradient with respect to the logits is softmax(z) - target. For one class index it
    makes two nodes. The lectures apply softmax first and write -Σ tᵢ ln yᵢ with one-hot t; that
    is the same number, here computed from the logits because it is exact for large ones too.

    Examples
    --------
    >>> from scalargrad import Value
    >>> z = [Value(2.0), Value(1.0), Value(0.1)]
    >>> loss = cross_entropy(z, 0)
    >>> loss.backward()
    >>> round(loss.data, 12), [round(x.grad, 12) for x in z]
    (0.417030016278, [-0.340998861114, 0.242432970705, 0.098565890409])
    """
    label_smoothing = scalar(label_smoothing, "cross_entropy: label_smoothing", 0.0, 1.0)
    weight = _weights(weight, "cross_entropy")

    def loss(scores: list[Any], wanted: Any) -> tuple[Any, Any]:
        _require_one_for_each(weight, scores, "cross_entropy")
        if is_class(wanted):
            t = class_index(wanted, len(scores), "cross_entropy")
            share = 1.0 if weight is None else take(weight, t)
            if is_real(label_smoothing) and label_smoothing == 0.0:
                return _weighted(logsumexp(scores) - take(scores, t), share), share
            wanted = [eq(t, i) for i in range(len(scores))]
        else:
            share = 1.0
        return _against(scores, _smooth(wanted, label_smoothing), weight), share

    return _over_examples(
        loss, input, target, reduction=reduction, name="cross_entropy", ignore=ignore_index
    )


def _weights(given: Any, name: str) -> list[Any] | None:
    """Return the weights of classes as numbers that are not negative."""
    if given is None:
        return None
    found = listed(given, f"{name}: weight", "numbers, one for each class")
    return [scalar(w, f"{name}: weight[{i}]", 0.0) for i, w in enumerate(found)]


def _require_one_for_each(weight: Sequence[Any] | None, scores: list[Any], name: str) -> None:
    if weight is not None and len(weight) != len(scores):
        raise OperandError(
            f"{name}: {len(weight)} weights for {len(scores)} classes; give one for each class"
        )


def _weighted(loss: Any, share: Any) -> Any:
    return loss if is_real(share) and share == 1.0 else loss * share


def _smooth(probabilities: Any, label_smoothing: float) -> list[Any]:
    given = listed(probabilities, "cross_entropy: a target", "probabilities, or the class")
    wanted = [as_operand(p, "cross_entropy: a probability") for p in given]
    if is_real(label_smoothing) and label_smoothing == 0.0:
        return wanted
    spread = label_smoothing / len(wanted)
    return [p * (1.0 - label_smoothing) + spread for p in wanted]


def _against(scores: list[Any], probabilities: list[Any], weight: Weights) -> Any:
    """Compute -Σ wᵢtᵢ ln softmax(z)ᵢ."""
    if len(probabilities) != len(scores):
        raise OperandError(
            f"cross_entropy: {len(scores)} logits but {len(probabilities)} probabilities; give one "
            "for each class"
        )
    factors = probabilities
    if weight is not None:
        factors = [t * w for t, w in zip(probabilities, weight, strict=True)]
    return _weighted(logsumexp(scores), sum(factors)) - dot(factors, scores)


def nll_loss(
    input: Any,
    target: Any,
    weight: Weights = None,
    *,
    ignore_index: int = IGNORED,
    reduction: Reduction = "mean",
) -> Any:
    """Compute the negative log-likelihood, -xₜ, of log-probabilities x.

    Parameters
    ----------
    input : list of C scalars, or a list of such for each of N examples
        Log-probabilities, as `log_softmax` gives them.
    target : int, or list of N int
        The class, 0 … C - 1.
    weight : sequence of C floats, optional
        How much each class counts; "mean" divides by the weights of the classes met.
    ignore_index : int
        A class that is left out of the loss and of the mean.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each example.

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
    weight = _weights(weight, "nll_loss")

    def loss(scores: list[Any], wanted: Any) -> tuple[Any, Any]:
        _require_one_for_each(weight, scores, "nll_loss")
        t = class_index(wanted, len(scores), "nll_loss")
        share = 1.0 if weight is None else take(weight, t)
        return _weighted(-take(scores, t), share), share

    return _over_examples(
        loss, input, target, reduction=reduction, name="nll_loss", ignore=ignore_index
    )


def kl_div(
    input: Any,
    target: Any,
    *,
    reduction: Reduction | Literal["batchmean"] = "mean",
    log_target: bool = False,
) -> Any:
    """Compute the Kullback-Leibler divergence, p (ln p - x) for log-probabilities x and a target p.

    Parameters
    ----------
    input : list of C scalars, or nested lists of them
        Log-probabilities, as `log_softmax` gives them.
    target : as `input`
        Probabilities p, or their logarithms.
    reduction : {"mean", "sum", "none", "batchmean"}
        Average over all numbers, add up, return one term for each number; or divide the sum by
        the number of examples, which is the divergence.
    log_target : bool
        Whether the target holds logarithms.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.
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
    of_examples = is_word(reduction, {"batchmean"})
    if of_examples and not has_entries(input):
        raise OperandError(f"kl_div: batchmean takes a list of examples, not {shown(input)}")
    has_logarithms = flag(log_target, "log_target")
    loss = (lambda x, t: exp(t) * (t - x)) if has_logarithms else _from_probabilities
    way: Any = "sum" if of_examples else reduction
    total = elementwise(loss, input, target, way, "kl_div")
    return total / len(input) if of_examples else total


def _from_probabilities(x: Any, t: Any) -> Any:
    return where(ne(t, 0.0), t * log(where(ne(t, 0.0), t, 1.0)), 0.0) - t * x


def _over_examples(
    loss: Any, input: Any, target: Any, *, reduction: Reduction, name: str, ignore: int | None
) -> Any:
    """Reduce ``loss(scores, target)``, a loss and its weight in the mean, over the examples."""
    reduction_of(reduction, name)
    ignore = None if ignore is None else whole(ignore, f"{name}: ignore_index")
    if not is_batch(input):
        only = _over_examples(
            loss, [input], [target], reduction=reduction, name=name, ignore=ignore
        )
        return only[0] if reduction == "none" else only
    found = [_unless(ignore, loss, *example) for example in examples(input, target, name)]
    losses, shares = [x for x, _ in found], [share for _, share in found]
    if reduction == "none":
        return losses
    if reduction == "mean" and not all(isinstance(x, float) and x == 1.0 for x in shares):
        return _divided(reduced(losses, "sum", name), sum(shares), name)
    return reduced(losses, reduction, name)


def _unless(ignore: int | None, loss: Any, scores: list[Any], t: Any) -> tuple[Any, Any]:
    """Return an example's loss and its weight in the mean, both 0 if its class is ignored."""
    if ignore is None or not is_class(t):
        found: tuple[Any, Any] = loss(scores, t)
    elif recorder() is not None and isinstance(t, Value):  # any class, of any example of vmap
        is_ignored = eq(t, ignore)
        found = loss(scores, where(is_ignored, 0.0, t))
        found = where(is_ignored, 0.0, found[0]), where(is_ignored, 0.0, found[1])
    else:
        found = (0.0, 0.0) if t == ignore else loss(scores, t)
    return found


def _divided(total: Any, share: Any, name: str) -> Any:
    """Divide by the sum of weights; a compiled call in which that is 0 is made eagerly."""
    if recorder() is None and share == 0.0:
        raise DomainError(f"{name}: every example is ignored or has weight 0; there is no mean")
    return total / share


def _rivals(losses: list[Any], t: Any) -> list[Any]:
    """Return the losses of all classes but `t`; if `t` is a Value, with a 0 in its place."""
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
    input : list of C scalars, or a list of such for each of N examples
        Scores.
    target : int, or list of N int
        The class, 0 … C - 1.
    p : {1, 2}
        Power.
    margin : float
        By how much the right class must lead, in the unit of the scores.
    weight : sequence of C floats, optional
        How much each class counts; "mean" still divides by N.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each example.

    Returns
    -------
    scalar, or list of N scalars for "none"
        In the unit of the scores, to the power p.

    Raises
    ------
    OperandError
        If targets do not match the input, or are not classes.
    DomainError
        If a class is not in 0 … C - 1, or p is neither 1 nor 2.

    Notes
    -----
    PyTorch divides by the number of classes C; UCSB's Σ_{i≠t} max(0, 1 - x_t + xᵢ) does not, and
    is C times this.

    References
    ----------
    Crammer and Singer, 2001; PyTorch's definition, a sum instead of their maximum.

    Examples
    --------
    >>> multi_margin_loss([0.0, 0.5, 2.0, 1.0], 3)
    0.625
    >>> 4 * multi_margin_loss([0.0, 0.5, 2.0, 1.0], 3)  # UCSB, not divided by the 4 classes
    2.5
    """
    if not is_real(p) or p not in (1, 2):
        raise DomainError(f"multi_margin_loss: p is {shown(p)}; use 1 or 2")
    margin = scalar(margin, "multi_margin_loss: margin")
    weight = _weights(weight, "multi_margin_loss")

    def loss(scores: list[Any], wanted: Any) -> tuple[Any, Any]:
        _require_one_for_each(weight, scores, "multi_margin_loss")
        t = class_index(wanted, len(scores), "multi_margin_loss")
        own = take(scores, t)
        over = _rivals([relu(margin - own + x) for x in scores], t)
        total = sum(over if p == 1 else [square(x) for x in over])
        share = (1.0 if weight is None else take(weight, t)) / len(scores)
        return total * share, 1.0

    return _over_examples(
        loss, input, target, reduction=reduction, name="multi_margin_loss", ignore=None
    )


def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, *, reduction: Reduction = "mean"
) -> Any:
    """Compute the cross-entropy of probabilities, -(t ln p + (1 - t) ln(1 - p)).

    Parameters
    ----------
    input : scalar, or nested lists of them
        Probabilities p that the answer is yes.
    target : as `input`
        1 for yes, 0 for no; anything between is a probability.
    weight : scalar or list, optional
        How much each number counts: one for all, one for each, or one for each column. "mean"
        still divides by how many there are.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.
    DomainError
        If a probability is not in [0, 1].

    Notes
    -----
    The lectures' -y ln p - (1 - y) ln(1 - p), their mean over the examples. As in PyTorch, a
    logarithm counts as -100 at least; the lectures' is ∞ there. From scores before the sigmoid,
    `binary_cross_entropy_with_logits` is more exact.

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
    """Compute the cross-entropy of σ(z): (1 - t)z + ln(1 + e^-z), stable for large |z|.

    Parameters
    ----------
    input : scalar, or nested lists of them
        Logits z, the logarithms of the odds that the answer is yes.
    target : as `input`
        1 for yes, 0 for no; anything between is a probability.
    weight : scalar or list, optional
        How much each number counts: one for all, one for each, or one for each column. "mean"
        still divides by how many there are.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.
    pos_weight : scalar or list, optional
        How much more a yes counts than a no: one for all, or one for each column.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.

    Notes
    -----
    Its slope is σ(z) - t. This is the loss of logistic regression: what the lectures write of
    y = σ(z), computed from z.

    Examples
    --------
    >>> binary_cross_entropy_with_logits([1e4, -1e4], [1.0, 1.0], reduction="none")
    [0.0, 10000.0]
    """
    name = "binary_cross_entropy_with_logits"
    given = None if pos_weight is None else spread(pos_weight, input, f"{name}: pos_weight")
    more = iter(given or ())

    def loss(z: Any, t: Any) -> Any:
        linear, soft = (1.0 - t) * z, softplus(-z)
        return linear + (soft if given is None else soft * (1.0 + (next(more) - 1.0) * t))

    return elementwise(loss, input, target, reduction, name, weight=weight)


def hinge_loss(
    input: Any, target: Any, *, margin: float = 1.0, reduction: Reduction = "mean"
) -> Any:
    """Compute the hinge (max-margin) loss of two classes, max(0, margin - y·f).

    Parameters
    ----------
    input : scalar, or nested lists of them
        Scores f.
    target : as `input`
        Classes y: -1 or 1.
    margin : float
        How far beyond 0 a score must lie to cost nothing, in the unit of the scores.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the scores.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.

    Notes
    -----
    Kink at y·f = margin, where the slope is taken as 0. With margin 1 it is UCSB's hinge loss,
    number for number.

    References
    ----------
    Cortes and Vapnik, 1995. PyTorch has no name for it; scikit-learn's is this one.

    Examples
    --------
    >>> hinge_loss([0.5, -3.0], [1.0, -1.0], reduction="none")
    [0.5, 0.0]
    """
    least = scalar(margin, "hinge_loss: margin")
    return elementwise(lambda f, y: relu(least - y * f), input, target, reduction, "hinge_loss")


def l1_penalty(parameters: Iterable[Scalar]) -> Any:
    """Add up absolute values, Σ |w|; a multiple of it in a loss drives weights to exactly 0.

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
    return sum([abs(w) for w in listed(parameters, "parameters", "Parameters", ordered=False)])


def l2_penalty(parameters: Iterable[Scalar]) -> Any:
    """Add up squares, Σ w²; a multiple of it in a loss keeps weights small.

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
    Without the ½ of Toronto's R = ½ Σ w², which is half of it. One node; adding λ Σ w² to the
    loss is what ``weight_decay=2 * λ`` does in `optim.SGD`, which makes no node at all.

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
    weights = listed(parameters, "parameters", "Parameters", ordered=False)
    return dot(weights, weights)


# Metrics: plain numbers that measure a classifier; no gradient flows through them -----------------

#: The targets beside a single score: class 1, and the other in either convention.
_OF_TWO = (1.0, 0.0, -1.0)


def _number(x: Any, what: str) -> float:
    return x.data if isinstance(x, Value) else as_float(x, what)


def _score(x: Any, name: str) -> float:
    found = _number(x, f"{name}: a score")
    if found != found:
        raise NumericalError(
            f"{name}: a score is nan, which names no class; backward() from it says where it arose"
        )
    return found


def _is_positive(t: Any, name: str) -> bool:
    """Return whether the target beside a single score is class 1."""
    found = _number(t, f"{name}: a target")
    if found not in _OF_TWO:
        raise DomainError(
            f"{name}: a target is {shown(t)}; beside a single score, give 1 for class 1, and 0 or "
            "-1 for the other"
        )
    return found == 1.0


def _examples(input: Any, target: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Yield the scores and the target of each example."""
    given = listed(input, f"{name}: input", "scores")
    rows = [x if has_entries(x) else [x] for x in given]
    wanted = [
        t[0] if has_entries(t) and len(t) == 1 else t
        for t in listed(target, f"{name}: target", "classes")
    ]
    yield from examples(rows, wanted, name)


def _verdicts(input: Any, target: Any, threshold: float, name: str) -> Iterator[tuple[int, int]]:
    """Yield (true class, predicted class) for each example."""
    limit = number(threshold, f"{name}: threshold", finite=False)
    for scores, t in _examples(input, target, name):
        numbers = [_score(x, name) for x in scores]
        if len(numbers) == 1:
            yield int(_is_positive(t, name)), int(numbers[0] > limit)
        elif is_real(t):
            yield class_index(t, len(numbers), name), argmax(numbers)
        else:
            raise OperandError(f"{name}: a target is {shown(t)}; give the number of the class")


def _recorded_errors(input: Any, target: Any, threshold: float, name: str) -> Iterator[Any]:
    """Yield 1 or 0 for each example, as operations that a compiled function repeats.

    A class that is none, or a score, makes a divisor 0, so that the call is made eagerly.
    """
    limit = number(threshold, f"{name}: threshold", finite=False)
    for scores, t in _examples(input, target, name):
        if len(scores) == 1:
            named = [t == x for x in _OF_TWO]
            wrong = named[0] != (scores[0] > limit)
        else:
            named = [t == float(k) for k in range(len(scores))]
            wrong = ne(argmax(scores), t)
        yield wrong / (sum(named) * prod([x == x for x in scores]))


def zero_one_loss(
    input: Any, target: Any, *, threshold: float = 0.0, reduction: Reduction = "mean"
) -> Any:
    """Count classification errors: 1 for a wrong prediction, 0 for a right one.

    Parameters
    ----------
    input : list of N examples
        For each, C scores, of which the largest (the first of equals) names the class; or one
        score, which means class 1 where it exceeds `threshold`.
    target : list of N numbers
        Classes 0 … C - 1; with single scores, 1 for class 1, and 0 or -1 for the other.
    threshold : float
        0 for logits and margins, 0.5 for probabilities.
    reduction : {"mean", "sum", "none"}
        Error rate, number of errors, or one number for each example.

    Returns
    -------
    float, or list of float for "none"
        Dimensionless. Without gradient: it is constant wherever it is smooth.

    Raises
    ------
    OperandError
        If there are no examples, or not one target for each.
    DomainError
        If a class is not in 0 … C - 1, or beside a single score not 1, 0 or -1.
    NumericalError
        If a score is nan.

    Examples
    --------
    >>> zero_one_loss([2.5, -1.0, 0.3, -0.2], [1, -1, -1, -1])
    0.25
    """
    reduction_of(reduction, "zero_one_loss")
    wrong: list[Any]
    if active_modes and recorder() is not None:
        wrong = [*_recorded_errors(input, target, threshold, "zero_one_loss")]
    else:
        wrong = [float(t != y) for t, y in _verdicts(input, target, threshold, "zero_one_loss")]
    return wrong if reduction == "none" else reduced(wrong, reduction, "zero_one_loss")


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
    """Return the fraction of right predictions; parameters as for `zero_one_loss`.

    Examples
    --------
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    wrong = zero_one_loss(input, target, threshold=threshold, reduction="none")
    hits: float = reduced([1.0 - x for x in wrong], "mean", "accuracy")
    return hits


def confusion_matrix(input: Any, target: Any, *, threshold: float = 0.0) -> list[list[int]]:
    """Count the predictions of each class, by true class; parameters as for `zero_one_loss`.

    Returns
    -------
    list of C lists of C int
        Row: true class. Column: predicted class. C = 2 for single scores.

    Raises
    ------
    OperandError
        If there are no examples, or not one target for each.

    Examples
    --------
    >>> confusion_matrix([2.5, -1.0, 0.3], [1, 0, 0])
    [[1, 1], [0, 1]]
    """
    verdicts = list(_verdicts(input, target, threshold, "confusion_matrix"))
    if not verdicts:
        raise OperandError("confusion_matrix of no examples: give at least one")
    first = next(iter(input))
    classes = max(2, len(first) if has_entries(first) else 2)
    counts = [[0] * classes for _ in range(classes)]
    for true, predicted in verdicts:
        counts[true][predicted] += 1
    return counts
