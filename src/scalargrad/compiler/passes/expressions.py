"""Expressions of table operations, and the steps that compute them, one node each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from scalargrad.codegen.code_printer import expand
from scalargrad.codegen.formulas import Expression
from scalargrad.compiler.passes.kinds import DETACH, Op, steps
from scalargrad.opdef.operation import Elementwise, Operation, Reduction
from scalargrad.opdef.symbol import Symbol


def subexpressions(*expressions: Expression) -> Iterator[Symbol]:
    """Yield each part of one or more expressions once, operands before results."""
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
def expression_of(op: Elementwise) -> tuple[tuple[Symbol, ...], Expression]:
    """Return the symbols of the operands of an operation, and its expression."""
    return op.operand_symbols, expand(op.value_expression, {})


@functools.lru_cache(maxsize=1024)
def unread_operands(op: Operation) -> frozenset[int]:
    """Return the operands, by place, that an operation's slopes read and its value does not."""
    if not op.composite or not isinstance(op, Elementwise):
        return frozenset()
    symbols, expression = expression_of(op)
    read = {*subexpressions(expression)}
    return frozenset(k for k, x in enumerate(symbols) if x not in read)


class PlanStep(NamedTuple):
    """One node to write. An int refers to an operand or, counting on, to an earlier step."""

    op: Op
    refs: tuple[int | float, ...]


#: The steps for several expressions, and the result of each: an int as in the steps, or a number.
Plans = tuple[tuple[PlanStep, ...], tuple[int | float, ...]]


def plans(expressions: Sequence[Expression], symbols: Sequence[Symbol]) -> Plans:
    """Return the steps that compute several expressions, and what refers to each of them."""
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
    """Return expressions whose operations are rewritten, given their rewritten operands."""
    found: dict[Symbol, Expression] = {}
    for part in subexpressions(*expressions):
        operands = tuple(found[x] if isinstance(x, Symbol) else x for x in part.operands)
        found[part] = part if part.op is None else rewrite(part.op, operands)
    return [found[x] if isinstance(x, Symbol) else x for x in expressions]


def expand_reduction(reduction: Reduction, operands: Sequence[Expression]) -> Expression:
    """Return a reduction of some operands in simpler operations."""
    declared = reduction.expression or reduction.function
    return opened(declared(operands))[0]


def with_constant_comparisons(expressions: Sequence[Expression]) -> list[Expression]:
    """Let comparisons in the shares of a gradient send nothing back, as their slopes are 0.

    Where an infinite signal would make that nan, its product with a share of 0 is nan, too.
    """

    def constant(op: Operation, operands: tuple[Expression, ...]) -> Expression:
        made = Symbol("", op, operands)
        return Symbol("", DETACH, (made,)) if steps(op) else made

    return _rewritten(expressions, constant)


class FixedArity(Elementwise):
    """A reduction of a fixed number of operands.

    Attributes
    ----------
    reduction : Reduction
        The operation of the table, whose value and partials these are.
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
    """Return a reduction of `arity` operands, always the same object."""
    return FixedArity(reduction, arity)
