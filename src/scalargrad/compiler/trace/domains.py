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
from scalargrad.compiler.passes.program import BATCH, UNBATCH, Op, total_of
from scalargrad.compiler.trace.trace import Trace
from scalargrad.ops import TABLE, add, div, eq, mul, sub
from scalargrad.table.operation import Elementwise, Operation
from scalargrad.table.symbol import Symbol

_BAD = (math.inf, -math.inf, math.nan)
#: Numbers on both sides of every limit that the table has.
_POINTS = (-math.inf, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, math.inf)
#: So many operands of a reduction are tried, of which all are alike.
_ENDS = 3
#: Of so many operands at most, each is tried beside the constants among the others.
_FEW = 64
#: What is found out about operations is kept for so many kinds of constants beside them.
_MANY = 10_000

#: Operations to which all finite numbers of a sign, but 0, are alike.
_BY_SIGN = {add, sub, mul, div}

Constants = tuple[float | None, ...]


def unseen(trace: Trace, outputs: Iterable[int]) -> list[int]:
    """Write what counts, at each run, numbers that eager evaluation would have refused.

    Parameters
    ----------
    trace : Trace
        Finished.
    outputs : iterable of int
        The results.

    Returns
    -------
    list of int
        For each node that could leave its domain, or has to be finite, where results could be
        finite nevertheless: the node that counts in how many lanes it does.
    """
    shown = None
    if trace.finite or any(map(_is_limited, {*trace.ops})):
        shown = _shown(trace, outputs)
    if shown is None:
        return []
    limited = [x for x, op in enumerate(trace.ops) if _is_limited(op)]
    found = [_violations(trace, x) for x in limited if _is_unseen(trace, x, shown)]
    infinite = dict.fromkeys(x for x in trace.finite if x not in shown)
    return found + [_infinite(trace, x) for x in infinite]


def _is_unseen(trace: Trace, node: int, shown: set[int]) -> bool:
    op: Any = trace.ops[node]
    constants = _constants(trace, node)
    return _may_fail(op, constants) and not (node in shown and _gives_itself_away(op, constants))


def _violations(trace: Trace, node: int) -> int:
    """Write the node that counts in how many lanes a node is outside its domain."""
    op: Any = trace.ops[node]
    where: dict[Any, int] = dict(zip(op.operand_symbols, trace.args[node], strict=True))
    once = -1
    for part in violation(op):
        parts: tuple[Any, ...] = part.operands
        refs = [where[x] if x in where else trace.constant(float(x)) for x in parts]
        once = where[part] = trace.write(part.op, tuple(refs))  # type: ignore[arg-type]
    return _over_lanes(trace, once, node)


def _infinite(trace: Trace, node: int) -> int:
    """Write the node that counts in how many lanes a node is not finite."""
    finite = trace.is_finite(node)
    return _over_lanes(trace, trace.write(eq, (finite, trace.constant(0.0))), node)


def _over_lanes(trace: Trace, once: int, node: int) -> int:
    lanes = trace.lanes.size(node)
    return once if lanes == 1 else trace.write(total_of(lanes), (once, once))


@functools.cache
def _is_limited(op: Op) -> bool:
    return isinstance(op, Elementwise) and op.valid_expression is not None


def _constants(trace: Trace, node: int) -> Constants:
    """Return the operands that are numbers, None for each of the others.

    Of numbers that are only added, multiplied or divided, none but the sign matters: a program
    may hold as many of them as it has data.
    """
    constants = tuple([trace.constants.get(x) for x in trace.args[node]])
    return tuple(map(_sign, constants)) if trace.ops[node] in _BY_SIGN else constants


def _sign(x: float | None) -> float | None:
    return math.copysign(1.0, x) if x and math.isfinite(x) else x


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


def _shown(trace: Trace, outputs: Iterable[int]) -> set[int]:
    """Return the nodes that, where they are not finite, leave a result that is not."""
    shown = set(outputs)
    unbatched: Counter[int] = Counter()
    for node in range(len(trace.ops) - 1, -1, -1):
        op, args = trace.ops[node], trace.args[node]
        if node not in shown:
            continue
        if op is UNBATCH:
            unbatched[args[0]] += 1
            if unbatched[args[0]] == trace.lanes.size(args[0]):
                shown.add(args[0])
        elif op is BATCH:
            shown.update(args)
        elif not isinstance(op, Operation):
            continue
        elif _passes_all(op, len(args)):
            shown.update(args)
        elif len(args) <= _FEW:  # beyond, a check too many is better than a long search
            constants = _constants(trace, node)
            shown.update(x for i, x in enumerate(args) if _passes(op, i, constants))
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
