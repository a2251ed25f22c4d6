"""The gradient of a batch, and the predictions of many examples, as functions for `jit`.

Both take arrays: the numbers of all parameters, and the examples, one per row. While they are
recorded, the model's parameters stand for those numbers. If they are called eagerly instead, they
return None, and the caller takes an eager step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from scalargrad.autodiff import gradients
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.trace.batching import is_scalar
from scalargrad.compiler.trace.trace import Trace, current_trace
from scalargrad.compiler.vmap import vmap
from scalargrad.errors import TraceError
from scalargrad.nn import Module
from scalargrad.train.data_rows import rebuilt_rows
from scalargrad.train.objective import Objective
from scalargrad.value import Value


class Found(NamedTuple):
    """The result of a compiled gradient: loss, gradient and predictions of a batch.

    Attributes
    ----------
    grads : float64
        The gradients of the parameters reached.
    reached, looked_up : integers
        The parameters that a gradient reaches, and those that are entries of a lookup table.
    predictions : array or list
        One for each example.
    """

    loss: Any
    grads: Any
    reached: Any
    looked_up: Any
    predictions: Any

    @property
    def is_regular(self) -> bool:
        """Whether the predictions are numbers, or lists of as many numbers each."""
        return isinstance(self.predictions, np.ndarray)

    def listed(self) -> list[Any]:
        """Return the predictions as a list: of floats, of lists of floats, or of what they were."""
        found: list[Any] = self.predictions.tolist() if self.is_regular else self.predictions
        return found


Gradient = Jitted[[Any, Any, Any], Found | Literal[False] | None]
Forward = Callable[[Any, Any], Any]


def gradient_of(
    objective: Objective, leaves: Sequence[Value], example: tuple[Any, Any], *, together: bool
) -> Gradient:
    """Return the compiled gradient of a batch.

    Parameters
    ----------
    leaves : sequence of Value
        The Values to differentiate with respect to.
    example : (input, target)
        An example, for the structure of all.
    together : bool
        Whether to record the model once for all examples, or once for each.

    Returns
    -------
    callable
        Takes the numbers of the leaves; a batch, with one row per example; and None, or 1 for each
        row that counts and 0 for those that fill the batch up. Returns False if filling up is
        wrong, as predictions have different lengths; None if the step must be taken eagerly.
    """
    called = objective.called
    parameters = _Unfollowed(leaves)

    def step(numbers: Any, cells: Any, used: Any) -> Found | Literal[False] | None:
        trace = current_trace()
        if trace is None:
            return None
        nodes = trace.substitute(parameters.content, numbers)
        batch = rebuilt_rows(example, cells)
        inputs = [x for x, _ in batch]
        model = called[0]
        predictions = vmap(model)(inputs) if together else [model(x) for x in inputs]
        arranged = _arranged(predictions)
        if used is not None and not isinstance(arranged, np.ndarray):
            return False  # of predictions of different lengths, the mean is not one over examples
        loss = objective.value(predictions, [y for _, y in batch], used)
        grads = gradients(loss, parameters.content, allow_nonfinite=True)
        _require_known(trace)
        reached = [i for i, x in enumerate(grads) if isinstance(x, Value)]
        return Found(
            loss,
            _array([grads[i] for i in reached]),
            np.array(reached, dtype=np.intp),
            np.array(trace.looked_up(nodes), dtype=np.intp),
            arranged,
        )

    step.__qualname__ = "step of fit"
    return Jitted(step, strict=True)


def agree(computed: float, expected: float) -> bool:
    """Return whether what a program computes is what eager evaluation does, up to rounding."""
    return math.isclose(computed, expected, rel_tol=1e-6, abs_tol=1e-9)


def forward_of(model: Module, leaves: Sequence[Value], example: Any) -> Forward:
    """Return a compiled model: from numbers and inputs, one row for each, to predictions."""
    parameters = _Unfollowed(leaves)

    def evaluation(numbers: Any, cells: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return None
        trace.substitute(parameters.content, numbers)
        predictions = vmap(model)(rebuilt_rows(example, cells))
        _require_known(trace)
        return _arranged(predictions)

    evaluation.__qualname__ = "evaluation of fit"
    return Jitted(evaluation, strict=True)


class _Unfollowed:
    """Wraps a constant object, which the guards need not search for changes."""

    __slots__ = ("content",)

    def __init__(self, content: Sequence[Value]) -> None:
        self.content = tuple(content)

    def __reduce__(self) -> Any:
        return _Unfollowed, (self.content,)


def _require_known(trace: Trace) -> None:
    """Raise TraceError if the recording reads a Value that is not a parameter of the model."""
    if trace.outside:
        name = trace.outside[0][0].label or "a Value"
        raise TraceError(
            f"the step reads {name}, which neither the model nor the optimiser has: make it a "
            "Parameter of the model, or a plain number"
        )


def _arranged(predictions: list[Any]) -> Any:
    """Return predictions as an array, if they are all numbers, or lists of as many numbers."""
    if all(map(is_scalar, predictions)):
        return _array(predictions)
    first = predictions[0]
    if all(isinstance(p, list | tuple) and len(p) == len(first) for p in predictions):
        flat = [x for p in predictions for x in p]
        if all(map(is_scalar, flat)):
            return _array(flat).reshape(len(predictions), -1)
    return predictions


def _array(items: Sequence[Any]) -> Any:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found
