"""Write expressions of table operations into a program, in sums of products.

A `Plan` lists the nodes to write for an expression. It is made once per operation and number of
operands.
"""

from __future__ import annotations

import functools
from collections.abc import Container, Sequence
from typing import Any, NamedTuple

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
#: The steps for several expressions, and for each an int as in the steps, or a number.
Plans = tuple[Plan, tuple[int | float, ...]]


def terms_of(expression: Symbol) -> list[tuple[Expression, Expression]]:
    """Return a sum as a list of products (a, b).

    Its brackets stay: b + c is one term of a + (b + c), and of -(b + c).
    """
    terms: list[tuple[Expression, Expression]] = []
    stack: list[tuple[Expression, float]] = [(expression, 1.0)]
    while stack:
        part, sign = stack.pop()
        op = part.op if isinstance(part, Symbol) else None
        if (op is ADD or op is SUB) and sign == 1.0 and not terms:
            a, b = part.operands  # type: ignore[union-attr]
            stack += [(b, -1.0 if op is SUB else 1.0), (a, 1.0)]
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
    steps, (found,) = plans((expression,), symbols)
    if not steps or found != len(symbols) + len(steps) - 1:
        steps = (*steps, PlanStep(PRODUCTS, (found, 1.0)))
    return steps


def plans(
    expressions: Sequence[Expression],
    symbols: Sequence[Symbol],
    summed: Container[Op | None] = LINEAR,
) -> Plans:
    """Return the steps that compute several expressions, and what refers to each of them.

    Operations in `summed` become sums of products; of none, each operation is a step.
    """
    where: dict[Symbol, int] = {symbol: i for i, symbol in enumerate(symbols)}
    needed = _needed(expressions, where, summed)
    steps: list[PlanStep] = []

    def ref(x: Expression) -> int | float:
        return where[x] if isinstance(x, Symbol) else float(x)

    for part in subexpressions(*expressions):
        if part in needed and part.op in summed:
            steps.append(PlanStep(PRODUCTS, tuple(ref(x) for pair in terms_of(part) for x in pair)))
        elif part in needed and part.op is not None:
            steps.append(PlanStep(part.op, tuple(ref(x) for x in part.operands)))
        else:
            continue
        where[part] = len(symbols) + len(steps) - 1
    return tuple(steps), tuple(map(ref, expressions))


def _needed(
    expressions: Sequence[Expression], known: dict[Symbol, int], summed: Container[Op | None]
) -> set[Symbol]:
    """Return the parts that need nodes of their own: all but sums and products within sums."""
    needed: set[Symbol] = set()
    stack = [*expressions]
    while stack:
        part = stack.pop()
        if isinstance(part, Symbol) and part not in known and part not in needed:
            needed.add(part)
            if part.op in summed:
                stack += [x for pair in terms_of(part) for x in pair]
            else:
                stack += part.operands
    return needed


@functools.cache
def plan_of(op: Operation, arity: int) -> Plan | None:
    """Return the plan of an operation that is a sum of products (``square``, ``dot``, ``mean``).

    None for any other, and for one with a rule of its own, which becomes a node of its own.
    """
    if isinstance(op, Reduction):
        if op.expression is not None:
            return None
        symbols = tuple(Symbol(f"x{i}") for i in range(arity))
        return plan(op.function(symbols), symbols)
    assert isinstance(op, Elementwise)
    if op.has_own_rule:
        return None
    symbols, expression = expression_of(op)
    parts = list(subexpressions(expression))
    if all(part.op is None or part.op in LINEAR for part in parts):
        return plan(expression, symbols)
    return None


def opened(*expressions: Expression) -> list[Expression]:
    """Replace the reductions inside expressions by their own expressions."""
    found: dict[Symbol, Expression] = {}
    for part in subexpressions(*expressions):
        operands = tuple(found[x] if isinstance(x, Symbol) else x for x in part.operands)
        if isinstance(part.op, Reduction):
            found[part] = written_out(part.op, operands)
        elif part.op is None:
            found[part] = part
        else:
            found[part] = Symbol("", part.op, operands)
    return [found[x] if isinstance(x, Symbol) else x for x in expressions]


def written_out(reduction: Reduction, operands: Sequence[Expression]) -> Expression:
    """Return a reduction of some operands in simpler operations."""
    declared = reduction.expression or reduction.function
    return opened(declared(operands))[0]


@functools.cache
def derivative_plan(op: Partial, index: int) -> Plan:
    """Return the plan of the derivative of a partial, over the nodes (result, *operands)."""
    return plan(_derivative(op, index), (Symbol("result"), *op.symbols))


@functools.cache
def partial_plans(op: Operation, arity: int) -> Plans:
    """Return the plans of all partials of an operation, over the nodes (result, *operands).

    Of thousands of operands each partial may depend on all, so that what they share counts.
    """
    result, operands, partials = op.trace_partials(arity)
    return plans(opened(*partials), (result, *operands))


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
    for step in steps:
        known.append(_written(writer, step, known))
    return known[-1]


def follow_some(
    writer: Writer, steps: Plan, wanted: Sequence[int | float], nodes: Sequence[int]
) -> list[int]:
    """Write as much of a plan as is needed for what some refs refer to, and return the nodes."""
    used, first = {*wanted}, len(nodes)
    for k in reversed(range(len(steps))):
        if first + k in used:
            used.update(x for x in steps[k].refs if isinstance(x, int))
    known = list(nodes)
    for k, step in enumerate(steps):
        known.append(_written(writer, step, known) if first + k in used else -1)
    return [_node(writer, x, known) for x in wanted]


def _written(writer: Writer, step: PlanStep, known: Sequence[int]) -> int:
    """Write the node of a step."""
    found = [_node(writer, x, known) for x in step.refs]
    return writer.products(found) if step.op is PRODUCTS else apply(writer, step.op, found)


def _node(writer: Writer, ref: int | float, known: Sequence[int]) -> int:
    return known[ref] if isinstance(ref, int) else number_node(writer, ref)


def number_node(writer: Writer, number: float) -> int:
    """Return the node of a number that occurs in an expression of the table."""
    return writer.one if number == 1.0 else writer.constant(number)


def apply(writer: Writer, op: Op, nodes: Sequence[int]) -> int:
    """Write an operation over nodes, by its plan if it has one."""
    opened = plan_of(op, len(nodes)) if isinstance(op, Operation) else None
    if opened is not None:
        return follow(writer, opened, nodes)
    return writer.node(op, tuple(nodes))


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
            lambda *operands: written_out(reduction, operands),
            lambda result, *operands: reduction.partials(result, operands),
            name=reduction.name,
        )
        self.reduction = reduction
        self.arity = arity
        self.result_symbol, self.operand_symbols, _ = reduction.trace_partials(arity)

    def __reduce__(self) -> tuple[Any, ...]:
        return fixed_arity, (self.reduction, self.arity)


@functools.cache
def fixed_arity(reduction: Reduction, arity: int) -> FixedArity:
    """Return a reduction of `arity` operands, always the same object."""
    return FixedArity(reduction, arity)


#: Of a chain of these, each of an operand and the one before, the largest operand is the result,
#: and equal ones share the gradient: a maximum of many operands.
LARGER = FixedArity(TABLE["maximum"], 2)  # type: ignore[arg-type]
