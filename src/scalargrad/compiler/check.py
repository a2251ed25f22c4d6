"""Check mode: a call is made eagerly, too, and the two must agree: ``jit(f, check=True)(x)``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

from scalargrad.autodiff import gradients
from scalargrad.compiler.call.output import Result
from scalargrad.compiler.generators import Generators
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.guards.surroundings import walked
from scalargrad.compiler.jit_mode import disable_jit, jit_mode
from scalargrad.errors import TraceError
from scalargrad.graph import topological_order
from scalargrad.table.numbers import is_real
from scalargrad.tree import children, flatten
from scalargrad.value import Value

#: How far a number may differ: relative to itself, and to the largest number on the way to it.
RELATIVE, OF_LARGEST = 1e-9, 1e-12

Differ = Callable[[str], None]


def checked(compiled: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the result of a compiled call that an eager call has confirmed.

    Generators are set back between the two. Gradients of each
    result by the Values it depends on are compared as well.

    Parameters
    ----------
    compiled : Jitted
    args, kwargs
        The arguments of the call.

    Raises
    ------
    TraceError
        If a number, a gradient or the form of the result differs, or only one of the two is an
        error; the message says where.
    """
    roots = compiled.__wrapped__, args, kwargs
    generators = Generators(walked(roots, NamesRead(), closed=(Value,)).kept)
    with jit_mode("program"):
        found = compiled(*args, **kwargs)
    generators.rewind()

    def differ(what: str, cause: Exception | None = None) -> NoReturn:
        raise TraceError(
            f"{compiled!r} {what}: it reads something that jit does not compare, or changes it; "
            "pass that as an argument, or call the function without jit"
        ) from cause

    def confirm(args: Sequence[Any], kwargs: dict[str, Any]) -> None:
        try:
            with disable_jit():
                expected = compiled.__wrapped__(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - whichever it is, the program raised none
            differ(f"returned a result where eager code raises {type(error).__name__}", error)
        for where, x, y in _pairs(found, expected, "its result", differ):
            _compare(where, x, y, differ)

    try:
        confirm(args, kwargs)
    except TraceError as refusal:
        try:  # with Values for numbers: from what a slope near 0 was computed, they know
            leaves, rebuild = flatten([args, kwargs], "the arguments")
            confirm(*rebuild(Value(x) if isinstance(x, float) else x for x in leaves))
        except Exception:  # noqa: BLE001 - it need not take Values
            raise refusal from refusal.__cause__
    return found


def _compare(where: str, found: Any, expected: Any, differ: Differ) -> None:
    """Compare a number or Value of a result, and its gradients."""
    x, y = (float(v.data) if isinstance(v, Value) else float(v) for v in (found, expected))
    nodes = topological_order(expected) if isinstance(expected, Value) else []
    largest = max((abs(node.data) for node in nodes), default=abs(y))
    if not _agree(x, y, largest):
        differ(f"computes {x!r} for {where}, and eager code {y!r}")
    if not (isinstance(found, Value) and isinstance(expected, Value)) or found is expected:
        return
    known, compiled = {*nodes}, isinstance(found, Result)  # another has nodes of its own on the way
    parents = [x for x in found.parents if isinstance(x, Value)]
    by = [x for x in parents if x in known or (compiled and x.op is None)]
    if not all(math.isfinite(parent.data) for parent in by):
        return  # a slope there is 0 or nan by what it is multiplied with on the way
    ours = gradients(found, by, allow_nonfinite=True)
    theirs = gradients(expected, by, allow_nonfinite=True)
    steepest = max(map(abs, theirs), default=0.0)
    for parent, dx, dy in zip(by, ours, theirs, strict=True):
        is_near = _agree(dx, dy, steepest * RELATIVE / OF_LARGEST)
        if not (is_near or _agree(dx, dy, _magnitudes(nodes)[parent])):
            name = parent.label or "a Value"
            differ(f"computes the gradient {dx!r} of {where} by {name}, and eager code {dy!r}")


def _magnitudes(nodes: Sequence[Value]) -> dict[Value, float]:
    """Return, for each node, the sum of the magnitudes of which a gradient by it is the sum.

    That is over all ways from the last node to it.
    """
    found = dict.fromkeys(nodes, 0.0) | {nodes[-1]: 1.0}
    for node in reversed(nodes):
        for x, local in zip(node.parents, node.local_grads, strict=True):
            if isinstance(x, Value) and local is not None:
                found[x] = found.get(x, 0.0) + found[node] * abs(local)
    return found


def _agree(x: float, y: float, largest: float) -> bool:
    limit = OF_LARGEST * largest if math.isfinite(largest) else 0.0
    are_nan = math.isnan(x) and math.isnan(y)
    return are_nan or math.isclose(x, y, rel_tol=RELATIVE, abs_tol=limit)


def _pairs(x: Any, y: Any, where: str, differ: Differ) -> Iterator[tuple[str, Any, Any]]:
    """Yield the numbers of two results side by side, with where they stand."""
    if isinstance(x, Value) or is_real(x):
        if not (isinstance(y, Value) or is_real(y)):
            differ(f"returns a number as {where}, and eager code a {type(y).__name__}")
        yield where, x, y
        return
    a, b = dict(children(x) or ()), dict(children(y) or ())
    if type(x) is not type(y) or a.keys() != b.keys():
        differ(f"returns another {type(y).__name__} as {where} than eager code")
    for key, part in a.items():
        yield from _pairs(part, b[key], f"{where}[{key!r}]", differ)
