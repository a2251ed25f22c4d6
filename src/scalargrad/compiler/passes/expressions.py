"""Expand operations into nodes: the expression of an operation, and one plan step for each node.

An expression is a graph of Symbols, as the definition of an operation contains it. `plans` lists
the nodes that compute several expressions; a common subexpression is computed once. The plan of
leaky ReLU: 0 refers to the operand x, 1 to x > 0, 2 to 0.01·x, and 3 to the result.

>>> from scalargrad.ops import TABLE
>>> symbols, expression = expression_of(TABLE["leaky_relu"])
>>> steps, results = plans([expression], symbols)
>>> [(step.op.name, step.refs) for step in steps], results
([('gt', (0, 0.0)), ('mul', (1, 0)), ('where', (2, 0, 3))], (4,))
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from scalargrad.codegen.code_printer import expand
from scalargrad.codegen.formulas import Expression
from scalargrad.compiler.passes.kinds import DETACH, Op, steps
from scalargrad.opdef.operation import FixedArityOperation, Operation, Reduction
from scalargrad.opdef.symbol import Symbol


def subexpressions(*expressions: Expression) -> Iterator[Symbol]:
    """Yield each subexpression of one or more expressions once, operands before results."""
    seen: set[Symbol] = set()
    stack: list[tuple[Expression, bool]] = [(x, False) for x in reversed(expressions)]
    while stack:
        part, ready = stack.pop()
        if not isinstance(part, Symbol) or (part in seen and not ready):
            continue
        if ready:
            yield part
            continue
        seen.add(part)
        stack.append((part, True))
        stack += [(x, False) for x in reversed(part.operands)]


@functools.lru_cache(maxsize=1024)
def expression_of(op: FixedArityOperation) -> tuple[tuple[Symbol, ...], Expression]:
    """Return the symbols of the operands of an operation, and its expression."""
    expression = expand(op.value_expression, {})
    if any(isinstance(x.op, Reduction) for x in subexpressions(expression)):  # of a custom_vjp
        expression = opened(expression)[0]
    return op.operand_symbols, expression


@functools.lru_cache(maxsize=1024)
def unread_operands(op: Operation) -> frozenset[int]:
    """Return the positions of operands that only the local derivatives of an operation read."""
    if not op.composite or not isinstance(op, FixedArityOperation):
        return frozenset()
    symbols, expression = expression_of(op)
    read = {*subexpressions(expression)}
    return frozenset(k for k, x in enumerate(symbols) if x not in read)


class PlanStep(NamedTuple):
    """One node to add.

    An int in `refs` is the index of an operand or, after the last operand, of an earlier step; a
    float is a constant.
    """

    op: Op
    refs: tuple[int | float, ...]


#: The steps for several expressions, and a reference to the result of each: an int or a constant.
Plans = tuple[tuple[PlanStep, ...], tuple[int | float, ...]]


def plans(expressions: Sequence[Expression], symbols: Sequence[Symbol]) -> Plans:
    """Return the steps that compute several expressions, and a reference to each result."""
    where: dict[Symbol, int] = {symbol: i for i, symbol in enumerate(symbols)}
    steps: list[PlanStep] = []

    def ref(x: Expression) -> int | float:
        return where[x] if isinstance(x, Symbol) else float(x)

    for part in subexpressions(*expressions):
        if part not in where:
            assert part.op is not None, f"unbound symbol {part.name}"
            steps.append(PlanStep(part.op, tuple(ref(x) for x in part.operands)))
            where[part] = len(symbols) + len(steps) - 1
    return tuple(steps), tuple(map(ref, expressions))


def opened(*expressions: Expression) -> list[Expression]:
    """Replace the reductions inside expressions by their own expressions."""

    def opened_part(op: Operation, operands: tuple[Expression, ...]) -> Expression:
        if isinstance(op, Reduction):
            return expand_reduction(op, operands)
        return Symbol("", op, operands)

    return _rewritten(expressions, opened_part)


def _rewritten(
    expressions: Sequence[Expression],
    rewrite: Callable[[Operation, tuple[Expression, ...]], Expression],
) -> list[Expression]:
    """Rebuild expressions bottom-up; `rewrite` maps an operation and its new operands."""
    found: dict[Symbol, Expression] = {}
    for part in subexpressions(*expressions):
        operands = tuple(found[x] if isinstance(x, Symbol) else x for x in part.operands)
        found[part] = part if part.op is None else rewrite(part.op, operands)
    return [found[x] if isinstance(x, Symbol) else x for x in expressions]


def expand_reduction(reduction: Reduction, operands: Sequence[Expression]) -> Expression:
    """Return the expression of a reduction of these operands, without reductions in it."""
    declared = reduction.expression or reduction.function
    return opened(declared(operands))[0]


def with_constant_comparisons(expressions: Sequence[Expression]) -> list[Expression]:
    """Detach comparisons in partial derivatives that divide a gradient among tied operands.

    Their derivative is 0. An infinite adjoint times this 0 would be nan, but then its product with
    a partial derivative of 0 is nan as well, so that no result changes.
    """

    def constant(op: Operation, operands: tuple[Expression, ...]) -> Expression:
        made = Symbol("", op, operands)
        return Symbol("", DETACH, (made,)) if steps(op) else made

    return _rewritten(expressions, constant)


class FixedArity(FixedArityOperation):
    """A reduction as an operation of fixed arity.

    Attributes
    ----------
    reduction : Reduction
        The variadic operation; values and partial derivatives are the same.
    """

    composite = True

    def __init__(self, reduction: Reduction, arity: int) -> None:
        super().__init__(
            lambda *operands: expand_reduction(reduction, operands),
            lambda result, *operands: opened(*reduction.partials(result, operands)),
            name=reduction.name,
        )
        self.reduction = reduction
        self.arity = arity
        self.result_symbol, self.operand_symbols, _ = reduction.trace_partials(arity)


@functools.cache
def fixed_arity(reduction: Reduction, arity: int) -> FixedArity:
    """Return the cached `FixedArity` of a reduction for `arity` operands."""
    return FixedArity(reduction, arity)
