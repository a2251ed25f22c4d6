"""Repeat a call eagerly where its compiled gradient is not finite.

A program adds up in another order and writes equal nodes once, which is the same to rounding as
long as numbers are finite, but not for inf and nan: 0·inf + inf is nan and (0 + 1)·inf is not.
Eager evaluation says what such a gradient is, and at which node it went wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from scalargrad.autodiff import error_signals, gradient_graphs
from scalargrad.compiler.call.results import placed
from scalargrad.compiler.guards.closed_over import ClosedOver
from scalargrad.compiler.jit_mode import disable_jit
from scalargrad.compiler.runner import Inputs
from scalargrad.grad_mode import enable_grad
from scalargrad.graph import topological_order
from scalargrad.transforms.draws import Draw, made_by
from scalargrad.value import Scalar, Value


class Repeatable(Protocol):
    """What is asked of a path to make one of its calls again."""

    outline: Any
    surroundings: ClosedOver | None

    @property
    def draws(self) -> Sequence[Draw]:
        """The draws of the recording, in their order."""

    def numbers(
        self, leaves: list[Any], module_values: list[Value], inputs: list[float]
    ) -> tuple[list[float], list[float]]:
        """Return the inputs that the call takes now, and what of `inputs` was drawn for it."""


#: A function with the arguments it is called with.
Made = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]
#: One call of a compiled function, with all that is needed to repeat it: its path, the call as it
#: was made, its leaves and the Values its objects hold. A tuple, as every call makes one.
Call = tuple[Repeatable, Made, list[Any], list[Value]]


def graph(call: Call, index: int, inputs: Inputs) -> Value | None:
    """Evaluate a call eagerly and return one of its results.

    Returns
    -------
    Value or None
        None if a number the call was made with is another by now, or what the function closes
        over, or if it does not return what it did.
    """
    path, (function, args, kwargs), leaves, module_values = call
    if path.surroundings is None or not path.surroundings.holds():
        return None
    numbers = [float(x) for x in inputs]
    now, drawn = path.numbers(leaves, module_values, numbers)
    if list(map(float.hex, now)) != list(map(float.hex, numbers)):
        return None
    with enable_grad(), _repeated(call, drawn):
        found = placed(path.outline, function(*args, **kwargs))
    node = found.get(index)
    return node if isinstance(node, Value) else None


@contextmanager
def _repeated(call: Call, drawn: Sequence[float]) -> Iterator[None]:
    """Replay the numbers a call drew, so that no generator advances but those made meanwhile."""
    path = call[0]
    sources = {id(draw.source) for draw in path.draws}
    left = iter(drawn)

    def again(draw: Draw) -> Any:
        if id(draw.source) in sources:
            return next(left)
        with made_by(None):
            return draw()

    if not sources:
        yield
        return
    with disable_jit(), made_by(again):
        yield


def gradient(node: Value, parents: Sequence[Value]) -> list[float]:
    """Return ∂node/∂parent for each parent."""
    signals = error_signals(_between(node, parents), {node: 1.0})
    return [signals.get(x, 0.0) for x in parents]


def gradient_nodes(node: Value, parents: Sequence[Value]) -> list[Scalar]:
    """Return the same as Values that can be differentiated again."""
    signals = gradient_graphs(_between(node, parents), {node: 1.0})
    return [signals.get(x, 0.0) for x in parents]


def _between(node: Value, parents: Sequence[Value]) -> list[Value]:
    return topological_order(node, until=[x for x in parents if x is not node])
