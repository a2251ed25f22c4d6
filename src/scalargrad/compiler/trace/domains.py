"""Guard domains: notice the inputs for which eager evaluation would raise DomainError.

Outside its domain, an operation of a program gives an infinity or nan. If that reaches a result,
the call is repeated eagerly, which raises the error. But a tanh, a maximum or a condition may make
the number finite again on the way, or no result may depend on it. The operations for which this
cannot be ruled out are checked at each run, all by one guard.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Flags, Floats, Integers
from scalargrad.compiler.passes.expressions import subexpressions
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    CONSTANT,
    DETACH,
    DIRECTION,
    LOSS,
    TANGENT,
    UNBATCH,
    Op,
    Total,
)
from scalargrad.compiler.passes.nodes import (
    Columns,
    Nodes,
    alike,
    drop,
    numbers_of,
    starts,
    stretches,
)
from scalargrad.compiler.trace.trace import Trace
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops import TABLE, add, div, eq, identity, mul, ne, pow

#: The constant operands of a node; None in place of the others.
Constants = tuple[float | None, ...]

#: Operations defined wherever their first operand is positive, and those of no negative result.
_OF_POSITIVE = {TABLE["log"], TABLE["sqrt"], pow}
_NOT_NEGATIVE = {TABLE[name] for name in ("exp", "square", "abs", "sqrt", "sigmoid", "relu")}
_OF_DERIVATIVES = {LOSS, ADJOINT, DIRECTION, TANGENT}
#: Sums in sums, and formulas, are followed so deep.
_NESTED = 3
_BAD = (math.inf, -math.inf, math.nan)
#: Numbers on both sides of every limit of a domain in the table.
_POINTS = (-math.inf, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.0**54, math.inf)
#: How many operands of a reduction are tried: weights and inputs come in pairs, with a bias or not.
_SEVERAL = (8, 9)
#: The size of the caches of answers about operations and their constant operands.
_MANY = 10_000


def write_domain_checks(trace: Trace, nodes: Nodes, outputs: Sequence[int]) -> list[int]:
    """Write nodes that count, at each run, the numbers that eager evaluation would refuse.

    Parameters
    ----------
    trace : Trace
        Finished.
    nodes : Nodes
        What it has written.
    outputs : sequence of int
        The results.

    Returns
    -------
    list of int
        The counting nodes, one for each number of lanes: they count nodes that leave their domain,
        or are not finite though they must be, while results may remain finite.
    """
    if not (trace.finite or any(x in {ADJOINT, TANGENT} or _is_limited(x) for x in nodes.table)):
        return []
    numbers = numbers_of(trace.columns.constants, len(nodes))
    ask = functools.partial(asked_once, trace.columns)
    limited = np.flatnonzero(nodes.where(_is_limited))
    limited = limited[np.array(ask(limited, _may_fail), np.bool_)]
    limited = limited[~_are_positive(nodes, numbers, limited)]
    told = np.array(ask(limited, _gives_itself_away), np.bool_)
    readers = [*outputs, *trace.guards, *limited.tolist()]
    computed = trace.finite + _gradients_read(trace, nodes, readers)
    results = {*outputs, *copied(trace, outputs, DETACH, identity)}  # as beside a gradient
    finite = [x for x in dict.fromkeys(computed) if x not in results]
    if finite or told.any():
        shown = _shown(nodes, ask, outputs, trace.lanes.size)
        told &= shown[limited]
        finite = [x for x in finite if not shown[x]]
    found = _distinct(trace, limited[~told].tolist())
    sums: dict[int, int] = {}  # each example adds up its own, as a recurrence does
    asked = [(x, _violation) for x in found] + [(x, _infinite) for x in finite]
    is_step = marked(trace.steps, len(nodes))  # of these the sum begins
    asked.sort(key=lambda x: (not is_step[x[0]], is_step[x[0]] and x[0]))
    for n, x in [write(trace, node) for node, write in asked]:
        sums[n] = trace.write(add, (sums[n], x)) if n in sums else x
    return [x if n == 1 else trace.write(Total(n), (x, x)) for n, x in sums.items()]


def copied(trace: Trace, nodes: Iterable[int], *by: Op) -> list[int]:
    """Return what nodes are copies of by some operations; others as they are."""
    found = []
    for x in nodes:
        while trace.ops[x] in by:
            (x,) = trace.columns.args(x)
        found.append(x)
    return found


def marked(ranges: Iterable[range], count: int) -> Flags:
    """Return which of so many nodes are in some ranges."""
    found = np.zeros(count, np.bool_)
    for x in ranges:
        found[x.start : x.stop] = True
    return found


def _are_positive(nodes: Nodes, numbers: Floats, chosen: Integers) -> Flags:
    """Return which of some nodes need a positive number, and have one, as 1 / (1 + exp(-x)) has.

    It is a constant, or a sum of numbers that are not negative, one of them positive. A root may be
    of 0, as a distance is.
    """
    place = nodes.where(lambda op: op is div) + 0  # of the operand that the domain is of
    known = nodes.where(lambda op: op is div or op in _OF_POSITIVE)[chosen]
    needed = np.where(known, nodes.operands[nodes.first[chosen] + place[chosen]], 0)
    is_constant = nodes.where(lambda op: op is CONSTANT)
    positive = is_constant & (numbers > 0.0)
    least = positive | nodes.where(lambda op: op in _NOT_NEGATIVE) | is_constant & (numbers == 0.0)
    products, left, right = _pairs(nodes, mul)
    least[products] = left == right
    powers, _, right = _pairs(nodes, pow)
    half = numbers[right] / 2.0
    least[powers] = is_constant[right] & (half == np.floor(half))  # which takes infinity, too
    sums, left, right = _pairs(nodes, add)
    for _ in range(_NESTED):
        above = least[left] & least[right]
        least[sums] = above
        positive[sums] = above & (positive[left] | positive[right])
    are_roots = nodes.where(lambda op: op is TABLE["sqrt"])[chosen]
    found: Flags = known & np.where(are_roots, least[needed], positive[needed])
    return found


def _pairs(nodes: Nodes, op: Op) -> tuple[Integers, Integers, Integers]:
    """Return the nodes of an operation, and their two operands."""
    found = np.flatnonzero(nodes.where(lambda x: x is op))
    return found, nodes.operands[nodes.first[found]], nodes.operands[nodes.first[found] + 1]


def _gradients_read(trace: Trace, nodes: Nodes, readers: Sequence[int]) -> list[int]:
    """Return the gradients outside vmap that other numbers, needed by `readers`, are computed from.

    One that is nan is an error in eager code. Where that sends no signal, as to another example, a
    program sends 0, and 0 · inf is nan, by which a comparison comes out otherwise.
    """
    needed = nodes.needed(readers) & ~nodes.where(lambda op: op in _OF_DERIVATIVES)
    read = np.zeros(len(nodes), np.bool_)
    read[nodes.operands[needed[nodes.users()]]] = True
    found = np.flatnonzero(read & nodes.where(lambda op: op is ADJOINT))
    tangents: list[int] = np.flatnonzero(read & nodes.where(lambda op: op is TANGENT)).tolist()
    swept = nodes.operands[nodes.first[found] + 1]
    first, which = alike(swept)
    outside = [trace.lanes.size(x) == 1 for x in swept[first].tolist()]
    kept: list[int] = found[np.array(outside, np.bool_)[which]].tolist()
    return kept + tangents


def _distinct(trace: Trace, chosen: Sequence[int]) -> Sequence[int]:
    """Return some nodes, one of those whose domains are of equal formulas of the same numbers.

    A kernel written as exp(-d / (2 * r * r)) divides by one number at each pair of points.
    """
    known: dict[tuple[int, int], Any] = {}

    def domain(x: int) -> Any:
        op: Any = trace.ops[x]
        read = [y for y, used in zip(trace.columns.args(x), _limits(op), strict=True) if used]
        return op, *(_formula(trace, y, _NESTED, known) for y in read)

    return [*{domain(x): x for x in reversed(chosen)}.values()][::-1]


def _formula(trace: Trace, node: int, depth: int, known: dict[tuple[int, int], Any]) -> Any:
    """Return how a node is computed in so many steps at most, for comparison with others."""
    op: Any = trace.ops[node]
    if op is CONSTANT:
        return trace.columns.constants[node]
    if not depth or not isinstance(op, FixedArityOperation):
        return op, node
    if (node, depth) not in known:
        parts = (_formula(trace, x, depth - 1, known) for x in trace.columns.args(node))
        known[node, depth] = op, *parts
    return known[node, depth]


def _violation(trace: Trace, node: int) -> tuple[int, int]:
    """Write a node that is 1 where a node is outside its domain; return (lanes, node)."""
    op: Any = trace.ops[node]
    where: dict[Any, int] = dict(zip(op.operand_symbols, trace.columns.args(node), strict=True))
    constants = trace.columns.constants
    once, lanes = -1, 1  # one number may be outside for all examples: it has no lanes
    for part in violation(op):
        parts: tuple[Any, ...] = part.operands
        refs = [where[x] if x in where else trace.constant(float(x)) for x in parts]
        lanes = max(lanes, *map(trace.lanes.size, refs))
        op = part.op
        if all(x in constants for x in refs):
            once = trace.constant(op.of_floats_unchecked(*(constants[x] for x in refs)))
        else:
            once = trace.write(op, tuple(refs))
        where[part] = once
    return lanes, once


def _infinite(trace: Trace, node: int) -> tuple[int, int]:
    """Write a node that is 1 where a node is not finite; return (lanes, node)."""
    size = trace.write(TABLE["abs"], (node,))
    finite = trace.write(TABLE["lt"], (size, trace.constant(math.inf)))
    return trace.lanes.size(node), trace.write(eq, (finite, trace.constant(0.0)))


def _is_limited(op: Op) -> bool:
    """Return True if an operation has a domain: there are operands that it is not defined for."""
    return isinstance(op, FixedArityOperation) and op.valid_expression is not None


@functools.lru_cache(maxsize=_MANY)
def _may_fail(op: FixedArityOperation, constants: Constants) -> bool:
    """Return whether operands other than these constants could lie outside the domain."""
    valid: Any = op.domain.valid
    if not any(x is None and used for x, used in zip(constants, _limits(op), strict=True)):
        return not valid(*[1.0 if x is None else x for x in constants])
    return not _is_own(op) or not all(valid(*point) for point in _points(constants))


@functools.lru_cache(maxsize=1024)
def _limits(op: FixedArityOperation) -> tuple[bool, ...]:
    """Return, for each operand, whether the domain depends on it."""
    used = set(subexpressions(op.valid_expression))
    return tuple([symbol in used for symbol in op.operand_symbols])


def _points(constants: Constants) -> Iterable[tuple[float, ...]]:
    return itertools.product(*[_POINTS if x is None else (x,) for x in constants])


def _is_own(op: Operation) -> bool:
    """Return whether an operation is in the table: it follows IEEE 754 and has known limits."""
    return op is DETACH or TABLE.get(op.name) is op


@functools.lru_cache(maxsize=_MANY)
def _gives_itself_away(op: FixedArityOperation, constants: Constants) -> bool:
    """Return whether an operation with these constants is never finite outside its domain."""
    valid: Any = op.domain.valid
    outside = [x for x in _points(constants) if not valid(*x)]
    return _is_own(op) and not any(math.isfinite(op.of_floats_unchecked(*x)) for x in outside)


def _shown(
    nodes: Nodes, ask: Callable[..., Any], outputs: Iterable[int], size: Callable[[int], int]
) -> Flags:
    """Return the nodes that make some result non-finite whenever they are not finite.

    There is a path from such a node to a result along which a non-finite number stays non-finite.
    Nodes without one are removed until none is left; a batched node needs one for every lane.
    """
    propagates = _propagates(nodes, ask)
    first = starts(propagates.astype(np.int64))[nodes.first]
    operands = nodes.operands[propagates]
    taken = np.flatnonzero(nodes.where(lambda op: op is UNBATCH))
    of = nodes.operands[nodes.first[taken]]
    whole = [x for x, times in Counter(of.tolist()).items() if times == size(x)]
    while True:
        ways = np.bincount(operands, minlength=len(nodes))
        ways += np.bincount(np.fromiter(outputs, np.int64), minlength=len(nodes))
        ways[whole] += 1
        drop(np.flatnonzero(ways == 0), first, operands, ways)
        left = [x for x in whole if (ways[taken[of == x]] > 0).all()]
        if left == whole:
            return ways > 0
        whole = left


def _propagates(nodes: Nodes, ask: Callable[..., Any]) -> Flags:
    """Return, for each operand, whether it makes its user non-finite whenever it is not finite."""
    always = nodes.where(_passes_all)
    found = np.repeat(always, np.diff(nodes.first))
    some = np.flatnonzero(nodes.where(lambda op: isinstance(op, FixedArityOperation)) & ~always)
    places = stretches(nodes.first[some], np.diff(nodes.first)[some])
    found[places] = [*itertools.chain.from_iterable(ask(some, _passing))]
    return found


@functools.lru_cache(maxsize=_MANY)
def _passing(op: Operation, constants: Constants) -> list[bool]:
    """Return, for each operand, whether the result is never finite where it is not."""
    found = []
    for place in range(len(constants)):
        rows = ([other if x is None else x for x in constants] for other in _POINTS)
        tried = ((*row[:place], bad, *row[place + 1 :]) for row in rows for bad in _BAD)
        results = itertools.starmap(op.of_floats_unchecked, tried)
        found.append(_is_own(op) and not any(map(math.isfinite, results)))
    return found


def _passes_all(op: Op) -> bool:
    """Return whether every non-finite operand makes the node non-finite."""
    return _operation_passes_all(op) if isinstance(op, Operation) else op is BATCH


@functools.lru_cache(maxsize=1024)
def _operation_passes_all(op: Operation) -> bool:
    arities = [op.arity] if isinstance(op, FixedArityOperation) else _SEVERAL
    return all(all(_passing(op, (None,) * n)) for n in arities)


@functools.lru_cache(maxsize=1024)
def violation(op: FixedArityOperation) -> list[Symbol]:
    """Return an expression that is 1 outside the domain of an operation, else 0.

    It is returned as its parts, operands first. Where an operand is nan, it is 0, as eager
    evaluation lets nan pass.
    """
    valid: Any = op.valid_expression
    if valid.op is ne:
        found, known = eq.of(*valid.operands), valid.operands  # nan equals nothing
    else:
        found, known = eq.of(valid, 0.0), ()
    for symbol in op.operand_symbols:
        if not any(symbol is x for x in known):
            found = mul.of(found, eq.of(symbol, symbol))
    return [part for part in subexpressions(found) if part not in op.operand_symbols]


def asked_once(
    columns: Columns, chosen: Integers, question: Callable[[Any, Constants], Any]
) -> list[Any]:
    """Return the answer to a question about each chosen node.

    It depends on the operation and on the constants among the operands; in quotients on
    their signs alone, as there may be as many constants as data.
    """
    number = columns.constants.get

    def answer(x: int) -> Any:
        op, constants = columns.ops[x], tuple([number(y) for y in columns.args(x)])
        if op is div:
            constants = tuple(
                [math.copysign(1.0, y) if y and math.isfinite(y) else y for y in constants]
            )
        return question(op, constants)

    return [*map(answer, chosen.tolist())]
