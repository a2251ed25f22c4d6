"""A trial before training: whether model, loss and metrics can take the examples.

What would stop training only where it meets the odd example, or after the first epoch, is found
before the first step, when nothing is lost. PyTorch Lightning calls this a sanity check.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from scalargrad.errors import DomainError, OperandError, ScalargradError
from scalargrad.grad_mode import no_grad
from scalargrad.graph import topological_order
from scalargrad.nn import Module
from scalargrad.system.short_repr import shown
from scalargrad.train.examples import PLAIN, Examples, is_flat, numbers_in, plain
from scalargrad.train.objective import Objective, is_own, name_of
from scalargrad.value import Value


def try_out(
    objective: Objective, given: Examples, held_out: Examples | None, *, split: bool
) -> int:
    """Raise OperandError or DomainError if model, loss or metrics cannot take the examples.

    The model is called with the first example of each structure and with those that hold the
    least and the greatest number; its predictions stand for those of the other examples. A loss
    that is not scalargrad's own, which might count its calls, is called with held-out ones only.

    Parameters
    ----------
    given : Examples
        To train on, and with `split` also to be held out.
    held_out : Examples or None
        Those held out.

    Returns
    -------
    int
        The number of operands on the way to the first prediction.
    """
    with objective.undisturbed():
        operands = _try(objective, given, "the training data", loss=split or is_own(objective.loss))
        if held_out is not None and not split:
            _try(objective, held_out, "the validation data", loss=True)
    return operands


def _try(objective: Objective, data: Examples, what: str, *, loss: bool) -> int:
    found = _predictions(objective.model, data, what)
    if found is None:
        return 0
    with no_grad():
        _try_functions(objective, found, data, what, loss=loss)
    outputs = found[0] if isinstance(found[0], list | tuple) else found[:1]
    nodes = [topological_order(x) for x in outputs if isinstance(x, Value)]
    return sum(len(node.parents) for part in nodes for node in part)


def _try_functions(
    objective: Objective, predictions: list[Any], data: Examples, what: str, *, loss: bool
) -> None:
    if loss:
        _try_loss(objective, predictions, data, what)
    numbers = [plain(x) for x in predictions]
    for name, metric in objective.metrics.items():
        try:
            objective.measure(name, numbers, data.targets)
        except ScalargradError as error:
            raise _refusal(name_of(metric), what, error) from error
        except (ArithmeticError, ValueError):
            continue  # such as a correlation, which may be undefined for the predictions made here
        except Exception as error:
            raise _refusal(name_of(metric), what, error) from error


def _predictions(model: Module, data: Examples, what: str) -> list[Any] | None:
    """Return a prediction for each example; None if numbers that training changes forbid it."""
    try:
        representatives = _representatives(data.inputs)
    except RecursionError:
        raise OperandError(f"X of {what} is nested too deep, or holds itself") from None
    found: dict[int, Any] = {}
    for i in dict.fromkeys(representatives):
        try:
            before = _content(data.inputs[i])
            found[i] = model(data.inputs[i])
            if _content(data.inputs[i]) != before:
                raise OperandError(
                    "it changes its input, so that each epoch would find another: let it change a "
                    "copy, as in x = [*x]"
                )
        except ArithmeticError:
            _require_finite(data, what)
            return None
        except Exception as error:
            where = f"X of {what} at {i}, {shown(data.inputs[i])}"
            raise _refusal("the model", where, error) from error
    return [found[i] for i in representatives]


def _try_loss(objective: Objective, predictions: list[Any], data: Examples, what: str) -> None:
    try:
        found = objective.held_out_loss(predictions, data.targets)
    except ArithmeticError:
        found = math.nan
    except Exception as error:
        raise _refusal(name_of(objective.loss), what, error) from error
    if not math.isfinite(found):
        _require_finite(data, what)


def _refusal(name: str, what: str, error: Exception) -> ScalargradError:
    text = " ".join(str(error).split())
    if not isinstance(error, ScalargradError):
        text = f"{type(error).__name__}: {text}"
    kind = DomainError if isinstance(error, DomainError) else OperandError
    return kind(f"{name} cannot take {what}: {text}")


def _require_finite(data: Examples, what: str) -> None:
    """Raise OperandError if a number is not finite, which is why a loss is not."""
    for name, column in zip("Xy", data, strict=True):
        for i, x in enumerate(column):
            if odd := next((n for n in numbers_in(x) if not _are_finite([n])), None):
                raise OperandError(
                    f"{name} of {what} has {shown(odd)} at {i}, and the loss is not finite there: "
                    "leave such examples out, or fill them in"
                )


# Which examples are tried ---------------------------------------------------------------------


def _representatives(inputs: Sequence[Any]) -> list[int]:
    """Return for each input the index of the one that stands for it.

    >>> _representatives([[1.0, 2.0], [3.0, 4.0], [5.0], [2.0, 3.0], [9.0, 3.0], [0.0, 1.0]])
    [0, 0, 2, 0, 4, 5]

    Besides the first of each structure, the example with the greatest number and that with the
    least stand for themselves, as does the first that holds an infinity or a nan.
    """
    first: dict[Any, int] = {}
    found = [first.setdefault(_outline(x), i) for i, x in enumerate(inputs)]
    numbered = {i: numbers for i, x in enumerate(inputs) if (numbers := numbers_in(x))}
    if numbered:
        least = min(numbered, key=lambda i: min(numbered[i]))
        greatest = max(numbered, key=lambda i: max(numbered[i]))
        odd = (i for i, numbers in numbered.items() if not _are_finite(numbers))
        for i in (least, greatest, next(odd, least)):
            found[i] = i
    return found


def _are_finite(numbers: Iterable[float]) -> bool:
    try:
        return all(map(math.isfinite, numbers))
    except OverflowError:  # an integer beyond all floats
        return False


def _outline(x: Any) -> Any:
    """Return what two inputs of one structure share."""
    if type(x) in {list, tuple}:
        return len(x) if is_flat(x) else (type(x), *map(_outline, x))
    return float if type(x) in PLAIN else type(x)


def _content(x: Any) -> Any:
    """Return something that differs once a list, a dict or an array has changed."""
    if hasattr(x, "tobytes"):
        return x.tobytes()
    return repr(x) if type(x) in {list, dict} else None
