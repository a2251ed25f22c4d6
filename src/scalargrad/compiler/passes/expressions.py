"""Write expressions of table operations into a program, in sums of products.

A `Plan` lists the nodes to write for an expression. It is made once per operation and number of
operands.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.compiler.passes.kinds import PRODUCTS, Op
from scalargrad.compiler.passes.partial import Partial, expression_of, subexpressions
from scalargrad.compiler.passes.writer import Writer
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise, Operation, Reduction
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol

ADD, SUB, NEG, MUL, IDENTITY = (TABLE[name] for name in ("add", "sub", "neg", "mul", "identity"))
LINEAR = {ADD, SUB, NEG, MUL, IDENTITY}


class PlanStep(NamedTuple):
    """One node to write. An int refers to an operand or, counting on, to an earlier step."""

    op: Op
    refs: tuple[int | float, ...]


Plan = tuple[PlanStep, ...]


def terms_of(expression: Symbol) -> list[tuple[Expression, Expression]]:
    """Return a sum as a list of products (a, b), with nested sums expanded."""
    terms: list[tuple[Expression, Expression]] = []
    stack: list[tuple[Expression, float]] = [(expression, 1.0)]
    while stack:
        part, sign = stack.pop()
        op = part.op if isinstance(part, Symbol) else None
        if op is ADD or op is SUB:
            a, b = part.operands  # type: ignore[union-attr]
            stack += [(b, -sign if op is SUB else sign), (a, sign)]
        elif op is NEG:
            stack.append((part.operands[0], -sign))  # type: ignore[union-attr]
        elif op is IDENTITY:
            stack.append((part.operands[0], sign))  # type: ignore[union-attr]
        elif op is MUL and (sign == 1.0 or part is not expression):
            terms.append(_signed(part, sign))  # type: ignore[arg-type]
        else:
            terms.append((part, sign))
    return terms


def _signed(product: Symbol, sign: float) -> tuple[Expression, Expression]:
    a, b = product.operands
    if sign == 1.0:
        return a, b
    if not isinstance(a, Symbol):
        return b, -a
    return (a, -b) if not isinstance(b, Symbol) else (product, sign)


def plan(expression: Expression, symbols: Sequence[Symbol]) -> Plan:
    """Return the steps that compute `expression` from nodes for its `symbols`."""
    where: dict[Symbol, int] = {symbol: i for i, symbol in enumerate(symbols)}
    needed = _needed(expression, where)
    steps: list[PlanStep] = []

    def ref(x: Expression) -> int | float:
        return where[x] if isinstance(x, Symbol) else float(x)

    for part in subexpressions(expression):
        if part in needed and part.op in LINEAR:
            steps.append(PlanStep(PRODUCTS, tuple(ref(x) for pair in terms_of(part) for x in pair)))
        elif part in needed and part.op is not None:
            steps.append(PlanStep(part.op, tuple(ref(x) for x in part.operands)))
        else:
            continue
        where[part] = len(symbols) + len(steps) - 1
    if not steps or ref(expression) != len(symbols) + len(steps) - 1:
        steps.append(PlanStep(PRODUCTS, (ref(expression), 1.0)))
    return tuple(steps)


def _needed(expression: Expression, known: dict[Symbol, int]) -> set[Symbol]:
    """Return the parts that need nodes of their own: all but sums and products within sums."""
    needed: set[Symbol] = set()
    stack = [expression]
    while stack:
        part = stack.pop()
        if isinstance(part, Symbol) and part not in known and part not in needed:
            needed.add(part)
            if part.op in LINEAR:
                stack += [x for pair in terms_of(part) for x in pair]
            else:
                stack += part.operands
    return needed


@functools.cache
def plan_of(op: Operation, arity: int) -> Plan | None:
    """Return the plan of an operation that is a sum of products (``square``, ``dot``, ``mean``).

    None for any other, which becomes a node of its own.
    """
    if isinstance(op, Reduction):
        if op.expression is not None:
            return None
        symbols = tuple(Symbol(f"x{i}") for i in range(arity))
        return plan(op.function(symbols), symbols)
    assert isinstance(op, Elementwise)
    symbols, expression = expression_of(op)
    parts = list(subexpressions(expression))
    if all(part.op is None or part.op in LINEAR for part in parts):
        return plan(expression, symbols)
    return None


@functools.cache
def lowered_plan(op: Reduction, arity: int) -> Plan:
    """Return the plan of a reduction such as ``maximum``, in operations with few operands."""
    assert op.expression is not None
    symbols = tuple(Symbol(f"x{i}") for i in range(arity))
    return plan(opened(op.expression(symbols)), symbols)


def opened(expression: Expression) -> Expression:
    """Replace the reductions inside an expression by their own expressions."""
    found: dict[Symbol, Expression] = {}
    for part in subexpressions(expression):
        operands = tuple(found[x] if isinstance(x, Symbol) else x for x in part.operands)
        if isinstance(part.op, Reduction):
            declared = part.op.expression or part.op.function
            found[part] = opened(declared(operands))
        elif part.op is None:
            found[part] = part
        else:
            found[part] = Symbol("", part.op, operands)
    return found[expression] if isinstance(expression, Symbol) else expression


@functools.cache
def partial_plan(op: Operation | Partial, arity: int, index: int) -> Plan:
    """Return the plan of a partial, over the nodes (result, *operands)."""
    if isinstance(op, Partial):
        return plan(_derivative(op, index), (Symbol("result"), *op.symbols))
    result, operands, partials = op.trace_partials(arity)
    return plan(opened(partials[index]), (result, *operands))


def _derivative(op: Partial, index: int) -> Expression:
    """Differentiate a partial's expression with respect to one of its symbols."""
    parts = list(subexpressions(op.declared))
    signals: dict[Expression, Expression] = {op.declared: 1.0}
    for part in reversed(parts):
        if part.op is None or part not in signals:
            continue
        result, operands, partials = part.op.trace_partials(len(part.operands))
        bindings = dict(zip((result, *operands), (part, *part.operands), strict=True))
        for operand, local in zip(part.operands, partials, strict=True):
            local = substitute(local, bindings)
            if isinstance(operand, Symbol) and not (isinstance(local, float) and local == 0.0):
                flow = TABLE["mul"].of(signals[part], local)
                known = signals.get(operand)
                signals[operand] = flow if known is None else TABLE["add"].of(known, flow)
    return signals.get(op.symbols[index], 0.0)


def substitute(expression: Expression, bindings: dict[Symbol, Expression]) -> Expression:
    """Replace symbols by expressions."""
    done = dict(bindings)
    for part in subexpressions(expression):
        if part not in done:
            operands = tuple(done[x] if isinstance(x, Symbol) else x for x in part.operands)
            done[part] = Symbol("", part.op, operands)
    return done[expression] if isinstance(expression, Symbol) else expression


def follow(writer: Writer, steps: Plan, nodes: Sequence[int]) -> int:
    """Write the nodes of a plan and return the last one."""
    known = list(nodes)
    for op, refs in steps:
        found = [known[x] if x.__class__ is int else number_node(writer, x) for x in refs]
        known.append(writer.products(found) if op is PRODUCTS else apply(writer, op, found))
    return known[-1]


def number_node(writer: Writer, number: float) -> int:
    """Return the node of a number that occurs in an expression of the table."""
    return writer.one if number == 1.0 else writer.constant(number)


def apply(writer: Writer, op: Op, nodes: Sequence[int]) -> int:
    """Write an operation over nodes, by its plan if it has one."""
    opened = plan_of(op, len(nodes)) if isinstance(op, Operation) else None
    if opened is not None:
        return follow(writer, opened, nodes)
    return writer.node(op, tuple(nodes))
