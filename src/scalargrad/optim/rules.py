"""Update rules: pure functions that compute one optimizer step of one parameter.

A rule takes a parameter, its gradient and its state, and returns the new parameter and the new
state. It modifies nothing and never branches on the numbers. It therefore works on floats, on
NumPy arrays (all parameters of a group at once, with bit-identical results) and on Values, so
that an update can be differentiated, for example with respect to the learning rate. Options such
as `nesterov` are plain flags.
"""

from __future__ import annotations

from typing import Any

from scalargrad import ops

__all__ = [
    "adagrad",
    "adam",
    "rmsprop",
    "sgd",
    "sparse_adam",
]


def sgd(
    parameter: Any,
    grad: Any,
    velocity: Any,
    *,
    lr: Any,
    momentum: Any = 0.0,
    dampening: Any = 0.0,
    weight_decay: Any = 0.0,
    nesterov: bool = False,
) -> tuple[Any, Any]:
    """Take a step of gradient descent, optionally with momentum.

    Parameters
    ----------
    parameter, grad : scalar
        The parameter, and ∂loss/∂parameter with the sign of descent.
    velocity : scalar
        State; starts at 0. The first step takes dampening = 0, as in PyTorch.
    lr : scalar
        Learning rate, in parameter unit² / loss unit.
    momentum, dampening : scalar
        velocity ← momentum · velocity + (1 - dampening) · gradient.
    weight_decay : scalar
        λ of the penalty ½λw², whose gradient is added to `grad`.
    nesterov : bool
        Step along gradient + momentum · velocity.

    Returns
    -------
    parameter, velocity

    References
    ----------
    Polyak, 1964; Nesterov, 1983; Sutskever, Martens, Dahl and Hinton, 2013.

    Examples
    --------
    >>> sgd(1.0, 2.0, 0.0, lr=0.25)
    (0.5, 0.0)
    >>> sgd(1.0, 2.0, 4.0, lr=0.25, momentum=0.5)
    (0.0, 4.0)
    """
    gradient = grad + weight_decay * parameter if weight_decay else grad
    if not momentum:
        return parameter - lr * gradient, velocity
    velocity = momentum * velocity + (1.0 - dampening) * gradient
    direction = gradient + momentum * velocity if nesterov else velocity
    return parameter - lr * direction, velocity


def adam(
    parameter: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    max_exp_avg_sq: Any,
    *,
    lr: Any,
    betas: tuple[Any, Any],
    corrections: tuple[Any, Any],
    eps: Any,
    weight_decay: Any = 0.0,
    decoupled: bool = False,
    amsgrad: bool = False,
) -> tuple[Any, Any, Any, Any]:
    """Take a step of Adam: divide the mean of the gradient by the root of its mean square.

    Parameters
    ----------
    parameter, grad : scalar
        The parameter, and ∂loss/∂parameter with the sign of descent.
    exp_avg, exp_avg_sq, max_exp_avg_sq : scalar
        State: running means m and v of the gradient and its square, and the largest v so far;
        each starts at 0.
    lr : scalar
        Learning rate, in parameter unit.
    betas : two scalars
        Decay rates of the two running means.
    corrections : two scalars
        Bias corrections 1 - βᵗ at step t, because the means start at 0.
    eps : scalar
        Added to the root, in loss unit / parameter unit.
    weight_decay : scalar
        λ of the penalty ½λw², whose gradient is added to `grad`. If `decoupled`, w shrinks by
        lr · λ · w instead.
    decoupled : bool
        Decouple the weight decay from the gradient, as in AdamW.
    amsgrad : bool
        Use the largest v so far.

    Returns
    -------
    parameter, exp_avg, exp_avg_sq, max_exp_avg_sq

    References
    ----------
    Kingma and Ba, 2015; Loshchilov and Hutter, 2019 (AdamW); Reddi, Kale and Kumar, 2018
    (AMSGrad).

    Examples
    --------
    >>> options = {"betas": (0.5, 0.75), "corrections": (0.5, 0.25), "eps": 0.0}
    >>> adam(1.0, 2.0, 0.0, 0.0, 0.0, lr=0.5, **options)
    (0.5, 1.0, 1.0, 0.0)
    """
    if weight_decay and decoupled:
        parameter = parameter * (1.0 - lr * weight_decay)
    elif weight_decay:
        grad = grad + weight_decay * parameter
    exp_avg = betas[0] * exp_avg + (1.0 - betas[0]) * grad
    exp_avg_sq = betas[1] * exp_avg_sq + (1.0 - betas[1]) * grad * grad
    if amsgrad:
        max_exp_avg_sq = maximum(max_exp_avg_sq, exp_avg_sq)
    second = max_exp_avg_sq if amsgrad else exp_avg_sq
    root = sqrt(second) / sqrt(corrections[1]) + eps
    return parameter - lr / corrections[0] * exp_avg / root, exp_avg, exp_avg_sq, max_exp_avg_sq


def sparse_adam(
    parameter: Any,
    grad: Any,
    exp_avg: Any,
    exp_avg_sq: Any,
    *,
    lr: Any,
    betas: tuple[Any, Any],
    corrections: tuple[Any, Any],
    eps: Any,
) -> tuple[Any, Any, Any]:
    """Take a step of Adam that adds `eps` to the uncorrected root, as PyTorch's SparseAdam does.

    Parameters and state are those of `adam`.

    Examples
    --------
    >>> sparse_adam(1.0, 2.0, 0.0, 0.0, lr=0.5, betas=(0.5, 0.75), corrections=(0.5, 0.25), eps=0.0)
    (0.5, 1.0, 1.0)
    """
    exp_avg = exp_avg + (grad - exp_avg) * (1.0 - betas[0])
    exp_avg_sq = exp_avg_sq + (grad * grad - exp_avg_sq) * (1.0 - betas[1])
    size = lr * sqrt(corrections[1]) / corrections[0]
    return parameter - size * exp_avg / (sqrt(exp_avg_sq) + eps), exp_avg, exp_avg_sq


def rmsprop(
    parameter: Any,
    grad: Any,
    square_avg: Any,
    grad_avg: Any,
    velocity: Any,
    *,
    lr: Any,
    alpha: Any,
    eps: Any,
    weight_decay: Any = 0.0,
    momentum: Any = 0.0,
    centered: bool = False,
) -> tuple[Any, Any, Any, Any]:
    """Take a step of RMSprop: divide the gradient by the root of its running mean square.

    Parameters
    ----------
    parameter, grad : scalar
        The parameter, and ∂loss/∂parameter with the sign of descent.
    square_avg, grad_avg, velocity : scalar
        State: running means of the squared gradient and of the gradient, and the decaying sum
        of steps; each starts at 0.
    lr : scalar
        Learning rate, in parameter unit.
    alpha : scalar
        Decay rate of the running means.
    eps : scalar
        Added to the root, in loss unit / parameter unit.
    weight_decay, momentum : scalar
        As for `sgd`.
    centered : bool
        Use the variance of the gradient instead of its mean square.

    Returns
    -------
    parameter, square_avg, grad_avg, velocity

    References
    ----------
    Hinton, 2012, lecture 6e; Graves, 2013 (centered).

    Examples
    --------
    >>> rmsprop(1.0, 2.0, 0.0, 0.0, 0.0, lr=0.25, alpha=0.75, eps=0.0)
    (0.5, 1.0, 0.0, 0.0)
    """
    if weight_decay:
        grad = grad + weight_decay * parameter
    square_avg = alpha * square_avg + (1.0 - alpha) * grad * grad
    variance = square_avg
    if centered:
        grad_avg = grad_avg + (grad - grad_avg) * (1.0 - alpha)
        variance = maximum(square_avg - grad_avg * grad_avg, 0.0)  # rounding may make it negative
    step = grad / (sqrt(variance) + eps)
    if momentum:
        velocity = momentum * velocity + step
        step = velocity
    return parameter - lr * step, square_avg, grad_avg, velocity


def adagrad(
    parameter: Any, grad: Any, total: Any, *, lr: Any, eps: Any, weight_decay: Any = 0.0
) -> tuple[Any, Any]:
    """Take a step of Adagrad: divide the gradient by the root of the sum of its squares so far.

    Parameters
    ----------
    parameter, grad : scalar
        The parameter, and ∂loss/∂parameter with the sign of descent.
    total : scalar
        State: the sum of squared gradients.
    lr : scalar
        Learning rate, in parameter unit.
    eps : scalar
        Added to the root, in loss unit / parameter unit.
    weight_decay : scalar
        As for `sgd`.

    Returns
    -------
    parameter, total

    References
    ----------
    Duchi, Hazan and Singer, 2011.

    Examples
    --------
    >>> adagrad(1.0, 2.0, 0.0, lr=0.5, eps=0.0)
    (0.5, 4.0)
    """
    if weight_decay:
        grad = grad + weight_decay * parameter
    total = total + grad * grad
    return parameter - lr * grad / (sqrt(total) + eps), total


# The operations that rules need, for numbers, Values and NumPy arrays -----------------------------


def sqrt(x: Any) -> Any:
    """Return √x, elementwise for an array."""
    return _numpy().sqrt(x) if _is_array(x) else ops.sqrt(x)


def maximum(x: Any, y: Any) -> Any:
    """Return the larger of x and y, elementwise for arrays."""
    return _numpy().maximum(x, y) if _is_array(x) else ops.maximum(x, y)


def _is_array(x: Any) -> bool:
    return bool(getattr(x, "ndim", 0))


def _numpy() -> Any:
    import numpy as np

    return np
