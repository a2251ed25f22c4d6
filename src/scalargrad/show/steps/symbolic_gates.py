"""Gates as symbolic expressions: the results and local derivatives that steps display.

A `GateForm` is an operation over symbols, with its traced partial derivatives; gates that differ
only in their numbers share one. A `SymbolicGate` is one gate of a graph: a form, and the nodes
that its symbols stand for. At a point, conditions are decided and constant operands filled in,
and long sums are abbreviated::

    relu(x) at x = 3    partial where(x > 0, 1, 0)    displayed 1
    x³      at x = 2    partial 3·x^(3 - 1)           displayed 3·x²
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, reduce
from typing import TYPE_CHECKING, Any, TypeAlias

from scalargrad import ops
from scalargrad.codegen.formulas import Expression
from scalargrad.engine.value import Value
from scalargrad.opdef.declaration import SUM
from scalargrad.opdef.operation import Operation, Reduction
from scalargrad.opdef.symbol import Symbol, evaluate
from scalargrad.show.max_score import operands_for_display
from scalargrad.show.number_format import (
    evaluate_displayed,
    format_number,
    gate_relation,
    join_relations,
    relation,
    result_relation,
)
from scalargrad.system.cached_property import cached_property

if TYPE_CHECKING:
    from scalargrad.show.steps.walked_graph import WalkedGraph

#: The ellipsis in place of operands of a long sum or call.
ELLIPSIS = Symbol("…")

#: The number π.
PI = Symbol("π")

#: Symbols that are displayed by their own names.
FIXED = {symbol: symbol.name for symbol in (ELLIPSIS, PI)}
#: Maximum number of operands displayed of a sum or call.
_MAX_OPERANDS = 6

#: Neutral first and second operands of operations: the result is then the other operand.
_NEUTRAL_OPERANDS: dict[Operation, tuple[float | None, float | None]] = {
    ops.add: (0.0, 0.0),
    ops.sub: (None, 0.0),
    ops.mul: (1.0, 1.0),
    ops.div: (None, 1.0),
    ops.pow: (None, 1.0),
}


class UndecidedError(TypeError):
    """Raised with a condition whose outcome is unknown."""


def resolve(
    expression: Expression,
    known: Mapping[Symbol, float],
    outcomes: Mapping[str, float] | None = None,
) -> Expression:
    """Return an expression with known numbers filled in, simplified, and conditions decided.

    Only the chosen operand of a `where` is evaluated.

    Parameters
    ----------
    expression : Symbol or float
        The expression to resolve.
    known : mapping from Symbol to float
        Numbers that replace symbols.
    outcomes : mapping from str to float, optional
        Outcomes of conditions that the known numbers do not decide, by the conditions as text.

    Raises
    ------
    UndecidedError
        If a condition has no known outcome.
    """
    decided = outcomes or {}

    def decide(found: Expression) -> Expression:
        if not isinstance(found, Symbol):
            return found
        if repr(found) not in decided:
            raise UndecidedError(found)
        return decided[repr(found)]

    def apply(op: Operation, operands: Sequence[Expression]) -> Expression:
        applied = _apply_simplified(op, operands)
        return decide(applied) if op.comparison else applied

    result: Expression = evaluate(expression, {**known}, apply, decide)
    return result


@dataclass(frozen=True, slots=True)
class Conditional:
    """Two results, and the condition on the operands that selects one."""

    condition: Expression
    if_true: Any
    if_false: Any


def branch_on_conditions(
    resolver: Callable[[Mapping[str, float]], Any], outcomes: Mapping[str, float] | None = None
) -> Any:
    """Return the result of a resolver, or a `Conditional` if it depends on the operands.

    Parameters
    ----------
    resolver : callable
        Maps outcomes of conditions, as of `resolve`, to a result. It is called again with each
        outcome of a condition that it cannot decide.
    outcomes : mapping from str to float, optional
        The outcomes that are already decided.

    Examples
    --------
    >>> x = Symbol("x")
    >>> selected = ops.where(x > 0.0, 2 * x, 1.0)
    >>> found = branch_on_conditions(lambda outcomes: resolve(selected, {}, outcomes))
    >>> found.condition.op.name, found.if_true.op.name, found.if_false
    ('gt', 'mul', 1.0)
    """
    known = outcomes or {}
    try:
        return resolver(known)
    except UndecidedError as undecided:
        (condition,) = undecided.args
        branches = (
            branch_on_conditions(resolver, {**known, repr(condition): outcome})
            for outcome in (1.0, 0.0)
        )
        return Conditional(condition, *branches)


def _apply_simplified(op: Operation, operands: Sequence[Expression]) -> Expression:
    if not any(isinstance(x, Symbol) for x in operands):
        result: float = op.of(*operands, checked=False)
        return result
    for index, neutral in enumerate(_NEUTRAL_OPERANDS.get(op, ())):
        if not isinstance(operands[index], Symbol) and operands[index] == neutral:
            return operands[1 - index]
    return _apply(op, operands)


def _apply(op: Operation, operands: Sequence[Expression]) -> Symbol:
    return Symbol("", op, tuple(operands))


def abbreviate(expression: Expression) -> Expression:
    """Replace the middle operands of every long sum and call by an ellipsis."""
    found: Expression = evaluate(expression, {}, _abbreviate_operation, None)
    return found


def _abbreviate_operation(op: Operation, operands: Sequence[Expression]) -> Expression:
    if op is not ops.add:
        return _apply(op, _abbreviate_operands(operands))
    return reduce(
        lambda *both: _apply(op, both), _abbreviate_operands(summands(_apply(op, operands)))
    )


def _abbreviate_operands(operands: Sequence[Expression]) -> list[Expression]:
    if len(operands) <= _MAX_OPERANDS:
        return list(operands)
    return [*operands[: _MAX_OPERANDS - 2], ELLIPSIS, operands[-1]]


def summands(expression: Expression) -> list[Expression]:
    """Return the terms of a sum, first to last, or the expression itself if it is not a sum."""
    last_to_first: list[Expression] = []
    while isinstance(expression, Symbol) and expression.op is ops.add:
        last_to_first.append(expression.operands[1])
        expression = expression.operands[0]
    return [expression, *reversed(last_to_first)]


def inline_helper(partial: Expression) -> Expression:
    """Return a partial with a private helper operation replaced by its definition.

    Helpers whose names begin with _ exist only for accurate derivatives of their own.
    """
    if isinstance(partial, Symbol) and (op := partial.op) and op.composite and not op.text:
        inlined: Expression = op.function(*partial.operands) if op.name[0] == "_" else partial
        return inlined
    return partial


def is_plain_sum(expression: Expression) -> bool:
    """Return True if an expression only adds, subtracts or names its operands."""
    parts = summands(expression)
    if len(parts) == 1 and isinstance(expression, Symbol) and expression.op is not None:
        notation = expression.op.text or expression.op.python
        if notation is None or notation.precedence != SUM:
            return False
        parts = list(expression.operands)
    return not any(isinstance(part, Symbol) and part.op for part in parts)


def _first_value_operand(op: Operation) -> int | None:
    """Return the index of the first operand that is not a condition; None for a comparison."""
    return 1 if op.lazy else 0 if op.comparison is None else None


def named_symbols(expression: Expression) -> list[Symbol]:
    """Return the named symbols of an expression, in order of first occurrence."""
    return [x for x in _subexpressions(expression) if isinstance(x, Symbol) and x.op is None]


def constants_of(expression: Expression) -> list[float]:
    """Return the numbers in an expression."""
    return [x for x in _subexpressions(expression) if not isinstance(x, Symbol)]


def _subexpressions(
    expression: Expression, first: Callable[[Operation], int | None] = lambda _: 0
) -> Iterator[Expression]:
    """Yield an expression and its subexpressions; `first` is the first operand to visit."""
    seen: set[Symbol] = set()
    stack = [expression]
    while stack:
        found = stack.pop()
        if isinstance(found, Symbol):
            if found in seen:
                continue
            seen.add(found)
            start = 0 if found.op is None else first(found.op)
            stack += () if start is None else reversed(found.operands[start:])
        yield found


#: A local derivative, and the same without the saved result if it reads that. None for a number.
LocalDerivative: TypeAlias = tuple[Expression, Expression | None] | None


class GateForm:
    """An operation over symbols: the common form of gates that differ only in their numbers.

    Parameters
    ----------
    op : Operation
        The operation of the gates.
    arity : int
        The number of operands.
    constants : mapping from int to float
        The operands that are constants.

    Attributes
    ----------
    partials : tuple of Symbol or float
        The local derivatives, in the form of textbooks.
    """

    def __init__(self, op: Operation, arity: int, constants: Mapping[int, float]) -> None:
        self.op = op
        self.result, self.operands, partials = op.trace_partials(arity)
        self.partials = tuple(map(self._textbook_partial, range(arity), partials))
        self.constants = {self.operands[i]: x for i, x in constants.items()}
        self.expression = abbreviate(_definition(op, self.operands))
        self._derivatives: dict[int, Any] = {}

    def _textbook_partial(self, index: int, partial: Any) -> Any:
        if (self.op, index) not in TEXTBOOK_DERIVATIVES:
            return inline_helper(partial)
        return TEXTBOOK_DERIVATIVES[self.op, index](self.result, *self.operands)

    def equality_sign(self, expression: Expression) -> str:
        """Return ≈ if a number in the symbolic form of an expression is rounded, else =."""
        named = [self.constants[x] for x in named_symbols(expression) if x in self.constants]
        return relation(*constants_of(expression), *named)

    def derivative(self, index: int) -> Conditional | LocalDerivative:
        """Return the local derivative for an operand, with a `Conditional` for each condition."""
        if index not in self._derivatives:
            read = _subexpressions(self.partials[index], _first_value_operand)
            is_formula = any(isinstance(x, Symbol) and x.op is None for x in read)
            resolver = partial(self._resolve_derivative, index)
            self._derivatives[index] = branch_on_conditions(resolver) if is_formula else None
        return self._derivatives[index]  # type: ignore[no-any-return]

    def _resolve_derivative(self, index: int, outcomes: Mapping[str, float]) -> LocalDerivative:
        """Return a derivative such as 1 - y² and, if it reads the result, also 1 - tanh(x)²."""
        rule = resolve(self.partials[index], self.constants, outcomes)
        if not isinstance(rule, Symbol):
            return None
        if isinstance(self.op, Reduction) or self.result not in named_symbols(abbreviate(rule)):
            return rule, None
        saved = {self.result: Symbol("", self.op, self.operands)}
        full: Expression = evaluate(self.partials[index], saved, _apply, None)
        return rule, abbreviate(resolve(full, self.constants, outcomes))

    def pattern(self, index: int) -> str:
        """Return the name of the effect on a gradient that flows to an operand; may be empty."""
        partial = self.partials[index]
        if self.op.pattern == "distributor" and partial == -1.0:
            return "sign flip"  # to what is subtracted
        if self.op.pattern == "swap multiplier" and not isinstance(partial, Symbol):
            return "distributor"  # to a neuron's bias
        return "gradient router" if self.op.pattern == "router" else self.op.pattern


class SymbolicGate:
    """One gate of a graph: its form, and the nodes and numbers that its symbols stand for.

    Parameters
    ----------
    node : Value
        The result of the gate.
    form : GateForm
        The operation over symbols.
    graph : WalkedGraph
        The numbers and names of the nodes.

    Attributes
    ----------
    bindings : dict from Symbol to Value or float
        The node or constant that each symbol stands for.
    numbers : dict from Symbol to float
        The number of each symbol.
    operand_numbers : list of float
        The numbers of the operands, in order.
    names, number_texts : dict from Symbol to str
        The name and the formatted number of each symbol.
    """

    def __init__(self, node: Value, form: GateForm, graph: WalkedGraph) -> None:
        self.node, self.form, self._graph = node, form, graph
        self.bindings: dict[Symbol, Value | float] = {form.result: node}
        self.bindings.update(zip(form.operands, operands_for_display(node), strict=True))
        self.numbers: dict[Symbol, float] = {
            s: graph.data[x] if isinstance(x, Value) else x for s, x in self.bindings.items()
        }
        _, *self.operand_numbers = self.numbers.values()

    @cached_property
    def names(self) -> dict[Symbol, str]:
        """The name of each symbol, or the number of a constant."""
        return FIXED | {symbol: self._graph.operand_text(x) for symbol, x in self.bindings.items()}

    @cached_property
    def number_texts(self) -> dict[Symbol, str]:
        """The formatted number of each symbol."""
        return FIXED | {symbol: format_number(x) for symbol, x in self.numbers.items()}

    def partial(self, index: int) -> Expression:
        """Return the local derivative for operand `index`, simplified and abbreviated."""
        return abbreviate(self.derivative(index)[0])

    def derivative(self, index: int) -> tuple[Expression, Expression | None]:
        """Return the local derivative with all operands, and the same without the saved result.

        The second is None if the derivative does not read the result.
        """
        found, local = self.form.derivative(index), self.node.local_grads[index]
        while isinstance(found, Conditional):
            if_true = resolve(found.condition, self.numbers)
            found = found.if_true if if_true else found.if_false
        assert local is not None
        return (local, None) if found is None else found

    @cached_property
    def relation(self) -> str:
        """The equality_sign between what the gate computes, in numbers, and its result."""
        return gate_relation(self.form.op, self.operand_numbers, self.numbers[self.form.result])

    def derivative_relations(self, index: int) -> tuple[str, str]:
        """Return the signs before the local derivative in numbers, and before its value.

        The first is ≈ also if the derivative reads a rounded result, such as tanh(40) ≈ 1.
        """
        (rule, _), local = self.derivative(index), self.node.local_grads[index]
        assert local is not None
        numbers = {x: self.numbers[x] for x in named_symbols(rule) if x in self.numbers}
        filled_in = relation(*constants_of(rule), *numbers.values())
        saved = self.relation if self.form.result in numbers else "="
        return join_relations(filled_in, saved), result_relation(
            lambda: evaluate_displayed(rule, numbers), local
        )


def _normal_density(x: Symbol) -> Symbol:
    """Return the density of the standard normal distribution."""
    return ops.exp(-(x**2) / 2) / ops.sqrt(2 * PI)


def _gelu_tanh_derivative(_: Symbol, x: Symbol) -> Symbol:
    """Return the derivative of x · σ(u), the tanh form of gelu."""
    gate = ops.sigmoid(2 * ops.sqrt(2 / PI) * (x + 0.044715 * x**3))
    return gate + x * gate * (1 - gate) * (2 * ops.sqrt(2 / PI)) * (1 + 0.134145 * x**2)


#: Partial derivatives in the form of textbooks, by operation and operand index, as functions of the
#: result and the operands. The operations define theirs to avoid overflow and cancellation, and to
#: propagate nan; displayed formulas need not.
TEXTBOOK_DERIVATIVES: dict[tuple[Operation, int], Callable[..., Any]] = {
    (ops.abs, 0): lambda _, x: ops.where(x > 0, 1.0, ops.where(x < 0, -1.0, 0.0)),
    (ops.reciprocal, 0): lambda _, x: -1.0 / x**2,
    (ops.div, 1): lambda _, a, b: -a / b**2,
    (ops.sigmoid, 0): lambda y, _: y * (1 - y),
    (ops.tanh, 0): lambda y, _: 1 - y**2,
    (ops.tan, 0): lambda y, _: 1 + y**2,
    (ops.asin, 0): lambda _, x: 1 / ops.sqrt(1 - x**2),
    (ops.acos, 0): lambda _, x: -1.0 / ops.sqrt(1 - x**2),
    (ops.atan, 0): lambda _, x: 1 / (1 + x**2),
    (ops.asinh, 0): lambda _, x: 1 / ops.sqrt(x**2 + 1),
    (ops.acosh, 0): lambda _, x: 1 / ops.sqrt(x**2 - 1),
    (ops.atanh, 0): lambda _, x: 1 / (1 - x**2),
    (ops.erf, 0): lambda _, x: 2 / ops.sqrt(PI) * ops.exp(-(x**2)),
    (ops.erfc, 0): lambda _, x: -2.0 / ops.sqrt(PI) * ops.exp(-(x**2)),
    (ops.erfinv, 0): lambda y, _: ops.sqrt(PI) / 2 * ops.exp(y**2),
    (ops.ndtr, 0): lambda _, x: _normal_density(x),
    (ops.log_ndtr, 0): lambda _, x: _normal_density(x) / ops.ndtr(x),
    (ops.gelu, 0): lambda _, x: ops.ndtr(x) + x * _normal_density(x),
    (ops.gelu_tanh, 0): _gelu_tanh_derivative,
    (ops.cbrt, 0): lambda y, _: 1 / (3 * y**2),
    (ops.atan2, 0): lambda _, y, x: x / (x**2 + y**2),
    (ops.atan2, 1): lambda _, y, x: -y / (x**2 + y**2),
}


def _definition(op: Operation, operands: tuple[Symbol, ...]) -> Expression:
    """Return an operation as an expression; a reduction by its definition, if symbols allow it."""
    if isinstance(op, Reduction):
        try:
            return resolve(op.function(operands), {})
        except TypeError:  # the definition compares operands, which symbols do not allow
            pass
    return Symbol("", op, operands)
