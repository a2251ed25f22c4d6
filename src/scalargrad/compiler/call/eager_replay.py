"""Repeat a call eagerly if its compiled gradient is not finite.

A program adds in another order and merges equal nodes. For finite numbers that is the same up to
rounding, but not for inf and nan: 0·inf + inf is nan, and (0 + 1)·inf is not. Eager evaluation
decides what such a gradient is, and names the node at which it went wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import is_
from typing import Any

from scalargrad.autodiff import detect_anomaly, error_signals, gradient_graphs
from scalargrad.compiler.call.outline import placed
from scalargrad.compiler.generators import Draw
from scalargrad.compiler.jit_mode import disable_jit
from scalargrad.compiler.runner import Inputs
from scalargrad.errors import NumericalError, ScalargradError
from scalargrad.grad_mode import enable_grad
from scalargrad.graph import describe, first_nonfinite, topological_order
from scalargrad.transforms.draws import made_by
from scalargrad.value import Value

#: What chooses the program of a call: everything about its arguments but their numbers.
Key = tuple[Hashable, ...]
#: One call: the compiled function (a Jitted), its arguments, the key of its program, the numbers of
#: its arguments, and the Values that objects among them hold. A tuple, since every call makes one.
Call = tuple[Any, tuple[Any, ...], dict[str, Any], Key, list[Any], list[Any]]


def replayed(path: Any, call: Call, inputs: Inputs) -> dict[int, Any] | None:
    """Repeat a call that took a path eagerly, and return its results by index.

    Parameters
    ----------
    path : Specialization
        Its file imports this one.

    Returns
    -------
    dict from int to Value or float, or None
        None if the call cannot be repeated: an argument, its contents, or something that the
        function closes over has changed by now, or the result has another structure.
    """
    found = _again(path, call, inputs)
    if found is not None:
        call[0].note_not_finite(path, call, inputs)
    return found


def cause(path: Any, call: Call, inputs: Inputs) -> str:
    """Return where a call met the first number that is not finite, as the end of a sentence.

    It is repeated eagerly; "" if it cannot be, or if that meets no such number.
    """
    found = _again(path, call, inputs) or {}
    try:
        with detect_anomaly():
            nodes = [x for x in found.values() if isinstance(x, Value)]
            bad = next(filter(None, map(first_nonfinite, nodes)), None)
            if bad is not None:
                return f": the first is {describe(bad)}"
            error_signals(topological_order(*nodes), dict.fromkeys(nodes, 1.0))
    except NumericalError as error:
        return f": {error}"
    return ""


def _again(path: Any, call: Call, inputs: Inputs) -> dict[int, Any] | None:
    """Repeat a call eagerly; return its results by index, None if it cannot be repeated."""
    compiled, args, kwargs, *_ = call
    if not path.surroundings.unchanged():
        return None
    leaves = _leaves_now(call)
    if leaves is None:
        return None
    numbers = [float(x) for x in inputs]
    now, drawn = path.numbers(leaves, numbers)
    if list(map(float.hex, now)) != list(map(float.hex, numbers)):
        return None
    with enable_grad(), _repeated(path.draws, drawn):
        return placed(path.outline, compiled.__wrapped__(*args, **kwargs))


def _leaves_now(call: Call) -> list[Any] | None:
    """Return the leaves of the arguments now; None if their key or their Values have changed."""
    compiled, args, kwargs, key, then, objects = call
    try:
        key_now, now, given = compiled.signature(args, kwargs)
    except ScalargradError:
        return None
    pairs = zip(now, then, strict=False)
    same = all(x is y for x, y in pairs if isinstance(x, Value) or isinstance(y, Value))
    are_given = len(given) == len(objects) and all(map(is_, given, objects))
    return now if same and are_given and key_now == key else None


@contextmanager
def _repeated(draws: Sequence[Draw], drawn: Sequence[float]) -> Iterator[None]:
    """Within the ``with`` block, `drawn` returns the numbers that the call drew.

    Generators do not advance, except those that the function makes itself.
    """
    sources = {id(draw.source) for draw in draws}
    left = iter(drawn)

    def again(method: Any, *args: Any, **kwargs: Any) -> Any:
        if id(method.__self__) in sources:
            return next(left)
        with made_by(None):
            return method(*args, **kwargs)

    with disable_jit(), made_by(again):
        yield


def pulled_back(
    results: Mapping[int, Any],
    signals: Mapping[int, Any],
    operands: Sequence[Value],
    *,
    as_graph: bool = False,
) -> list[Any]:
    """Send signals to results back to the operands; `as_graph`, as Values."""
    seeds: dict[Value, Any] = {}
    for k, signal in signals.items():
        if isinstance(y := results.get(k), Value):
            seeds[y] = seeds[y] + signal if y in seeds else signal
    between = topological_order(*seeds, until=[x for x in operands if x not in seeds])
    if not as_graph:
        found: dict[Value, Any] = error_signals(between, seeds)
    else:
        with enable_grad():
            found = gradient_graphs(between, seeds)
    return [found.get(x, 0.0) for x in operands]
