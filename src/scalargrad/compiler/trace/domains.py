"""Domains: what eager evaluation refuses, found by a program that would go on.

Outside its domain an operation gives an infinity or nan. A result that is not finite is evaluated
eagerly, which raises the error; but on the way to the results a tanh, a maximum or a condition may
make such a number finite again, or no result may depend on it. Operations of which this cannot be
excluded are checked at each run, all by one guard.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Iterable
from typing import Any

from scalargrad.compiler.passes.lanes import subexpressions
from scalargrad.compiler.trace.stacking import PICK_NODE
from scalargrad.compiler.trace.trace import Trace
from scalargrad.ops import TABLE, eq, mul
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.table.symbol import Symbol
from scalargrad.value import Value

_BAD = (math.inf, -math.inf, math.nan)
#: Numbers on both sides of every limit that the table has.
_POINTS = (-math.inf, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, math.inf)
#: So many operands of a reduction are tried, of which all are alike.
_ENDS = 3
#: Of so many operands at most, each is tried beside the constants among the others.
_FEW = 64
#: What is found out about operations is kept for so many kinds of constants beside them.
_MANY = 10_000

Constants = tuple[float | None, ...]


def unseen(trace: Trace, outputs: Iterable[Value]) -> list[Value]:
    """Return the nodes that could leave their domain in a later run with finite results.

    Parameters
    ----------
    trace : Trace
        Finished.
    outputs : iterable of Value
        The results.
    """
    limited = {op for op in {node.op for node in trace.nodes} if op is not None and _is_limited(op)}
    if not limited:
        return []
    shown = _shown(trace, outputs)
    found: list[Any] = [node for node in trace.nodes if node.op in limited]
    return [
        node
        for node in found
        if _may_fail(node.op, _constants(node))
        and not (node in shown and _gives_itself_away(node.op, _constants(node)))
        and not _is_outside(node)
    ]


def _is_outside(node: Any) -> bool:
    """Return whether a node is outside its domain already: part of a derivative, not checked."""
    operands = [*map(_number, node.parents)]
    return not node.op.domain.valid(*operands) and not any(map(math.isnan, operands))


def _is_limited(op: Operation) -> bool:
    return isinstance(op, Elementwise) and op.valid_expression is not None


def _number(x: Any) -> float:
    number: float = x._data if isinstance(x, Value) else x
    return number


def _constants(node: Value) -> Constants:
    """Return the operands that are numbers, None for each of the others."""
    return tuple([None if isinstance(x, Value) else x for x in node.parents])


@functools.lru_cache(maxsize=_MANY)
def _may_fail(op: Elementwise, constants: Constants) -> bool:
    """Return whether some operands beside these constants lie outside the domain."""
    valid: Any = op.domain.valid
    if not any(x is None and used for x, used in zip(constants, _limits(op), strict=True)):
        return not valid(*[1.0 if x is None else x for x in constants])
    return not _is_own(op) or not all(valid(*point) for point in _points(constants))


@functools.cache
def _limits(op: Elementwise) -> tuple[bool, ...]:
    """Return on which operands it depends whether a point is in the domain."""
    used = set(subexpressions(op.valid_expression))
    return tuple([symbol in used for symbol in op.operand_symbols])


def _points(constants: Constants) -> Iterable[tuple[float, ...]]:
    return itertools.product(*[_POINTS if x is None else (x,) for x in constants])


def _is_own(op: Operation) -> bool:
    """Return whether an operation is in the table: it keeps to IEEE 754, and to known limits."""
    return TABLE.get(op.name) is op


@functools.lru_cache(maxsize=_MANY)
def _gives_itself_away(op: Elementwise, constants: Constants) -> bool:
    """Return whether an operation beside these constants is never finite outside its domain."""
    valid: Any = op.domain.valid
    outside = [x for x in _points(constants) if not valid(*x)]
    return _is_own(op) and not any(math.isfinite(op.of_floats_unchecked(*x)) for x in outside)


def _shown(trace: Trace, outputs: Iterable[Value]) -> set[Any]:
    """Return the nodes that, where they are not finite, leave a result that is not."""
    shown: set[Any] = set(outputs)
    picked: Counter[Value] = Counter()
    for node in reversed(trace.nodes):
        if node not in shown or node.op is None:
            continue
        if node.op is PICK_NODE:
            lanes: Any = node.parents[0]
            picked[lanes] += 1
            if picked[lanes] == trace.size(lanes):
                shown.add(lanes)
        elif _passes_all(node.op, len(node.parents)):
            shown.update(node.parents)
        elif len(node.parents) <= _FEW:  # beyond, a check too many is better than a long search
            constants = _constants(node)
            found = [x for x in enumerate(node.parents) if x[1].__class__ is not float]
            shown.update(x for i, x in found if _passes(node.op, i, constants))
    return shown


@functools.cache
def _passes_all(op: Operation, arity: int) -> bool:
    """Return whether no operand that is not finite gives a finite result."""
    places = {*range(min(arity, _ENDS)), *range(max(0, arity - _ENDS), arity)}
    return all(_passes(op, i, (None,) * arity) for i in places)


@functools.lru_cache(maxsize=_MANY)
def _passes(op: Operation, place: int, constants: Constants) -> bool:
    """Return whether an operand that is not finite never gives a finite result."""
    if not _is_own(op):
        return False
    for bad, other in itertools.product(_BAD, _POINTS):
        operands = [other if x is None else x for x in constants]
        operands[place] = bad
        if math.isfinite(op.of_floats_unchecked(*operands)):
            return False
    return True


@functools.cache
def violation(op: Elementwise) -> list[Symbol]:
    """Return, operands first, the parts of an expression: 1 outside the domain, else 0.

    It is 0 where an operand is nan, which eager evaluation lets pass.
    """
    found = eq.of(op.valid_expression, 0.0)
    for symbol in op.operand_symbols:
        found = mul.of(found, eq.of(symbol, symbol))
    return [part for part in subexpressions(found) if part not in op.operand_symbols]
