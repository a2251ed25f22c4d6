"""The gates of a graph as expressions: what they compute, and their partials at this point.

The partials are the traced ones of the table of operations. At a point, a condition in them
is a fact, and a constant operand a number: the slope of ReLU at 3 is 1, that of x³ is 3·x².
Known numbers are filled in and conditions decided; long sums are shortened.
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
from scalargrad.show.number_format import (
    gate_relation,
    loosest,
    number,
    relation,
    result_relation,
    value_as_shown,
)
from scalargrad.system.cached_property import cached_property

if TYPE_CHECKING:
    from scalargrad.show.steps.scene import Scene

#: What stands for the operands of a long sum or call that are not shown.
ELLIPSIS = Symbol("…")

#: The number, as formulas write it.
PI = Symbol("π")

#: Symbols that stand for themselves, with their names.
FIXED = {symbol: symbol.name for symbol in (ELLIPSIS, PI)}
_LONGEST = 6

#: An operand of an operation which, being this number, leaves the other one as the result.
_NEUTRAL: dict[Operation, tuple[float | None, float | None]] = {
    ops.add: (0.0, 0.0),
    ops.sub: (None, 0.0),
    ops.mul: (1.0, 1.0),
    ops.div: (None, 1.0),
    ops.pow: (None, 1.0),
}


class UndecidedError(TypeError):
    """Raised with a condition whose outcome is not known."""


def resolved(
    expression: Expression,
    known: Mapping[Symbol, float],
    answers: Mapping[str, float] | None = None,
) -> Expression:
    """Return an expression with known numbers filled in, parts computed and conditions decided.

    Of a choice only what is chosen is looked at.

    Parameters
    ----------
    expression : Symbol or float
        What is rewritten.
    known : mapping from Symbol to float
        Symbols to be replaced by their numbers.
    answers : mapping from str to float, optional
        Outcomes of conditions that these do not decide, as the conditions are printed. Without one
        it raises UndecidedError.
    """
    outcomes = answers or {}

    def fact(found: Expression) -> Expression:
        if not isinstance(found, Symbol):
            return found
        if repr(found) not in outcomes:
            raise UndecidedError(found)
        return outcomes[repr(found)]

    def computed(op: Operation, operands: Sequence[Expression]) -> Expression:
        made = _compute(op, operands)
        return fact(made) if op.comparison else made

    result: Expression = evaluate(expression, {**known}, computed, fact)
    return result


@dataclass(frozen=True, slots=True)
class Fork:
    """A choice between two results, by a condition on the operands."""

    condition: Expression
    holds: Any
    fails: Any


def variants(
    made: Callable[[Mapping[str, float]], Any], answers: Mapping[str, float] | None = None
) -> Any:
    """Return what is made or, where that depends on the operands, a `Fork`.

    Parameters
    ----------
    made : function of answers, as `resolved` takes them
        Called once for each outcome of the conditions that it meets.
    answers : mapping from str to float, optional
        Their outcomes so far.

    Examples
    --------
    >>> x = Symbol("x")
    >>> chosen = ops.where(x > 0.0, 2 * x, 1.0)
    >>> fork = variants(lambda answers: resolved(chosen, {}, answers))
    >>> fork.condition.op.name, fork.holds.op.name, fork.fails
    ('gt', 'mul', 1.0)
    """
    known = answers or {}
    try:
        return made(known)
    except UndecidedError as undecided:
        (condition,) = undecided.args
        ways = (variants(made, {**known, repr(condition): outcome}) for outcome in (1.0, 0.0))
        return Fork(condition, *ways)


def _compute(op: Operation, operands: Sequence[Expression]) -> Expression:
    if not any(isinstance(x, Symbol) for x in operands):
        result: float = op.of(*operands, checked=False)
        return result
    for index, neutral in enumerate(_NEUTRAL.get(op, ())):
        if not isinstance(operands[index], Symbol) and operands[index] == neutral:
            return operands[1 - index]
    return _gate(op, operands)


def _gate(op: Operation, operands: Sequence[Expression]) -> Symbol:
    return Symbol("", op, tuple(operands))


def shorten(expression: Expression) -> Expression:
    """Replace the middle of every long sum and call by an ellipsis."""
    found: Expression = evaluate(expression, {}, _shortened, None)
    return found


def _shortened(op: Operation, operands: Sequence[Expression]) -> Expression:
    if op is not ops.add:
        return _gate(op, _leave_out(operands))
    return reduce(lambda *both: _gate(op, both), _leave_out(terms(_gate(op, operands))))


def _leave_out(operands: Sequence[Expression]) -> list[Expression]:
    if len(operands) <= _LONGEST:
        return list(operands)
    return [*operands[: _LONGEST - 2], ELLIPSIS, operands[-1]]


def terms(expression: Expression) -> list[Expression]:
    """Return what a sum adds up, first to last; anything else is its own only term."""
    last_to_first: list[Expression] = []
    while isinstance(expression, Symbol) and expression.op is ops.add:
        last_to_first.append(expression.operands[1])
        expression = expression.operands[0]
    return [expression, *reversed(last_to_first)]


def written_out(partial: Expression) -> Expression:
    """Return a partial without an operation that is there for its own slopes alone."""
    if isinstance(partial, Symbol) and (op := partial.op) and op.composite and not op.text:
        written: Expression = op.function(*partial.operands) if op.name[0] == "_" else partial
        return written
    return partial


def is_plain_sum(expression: Expression) -> bool:
    """Return whether `expression` adds, subtracts or merely names operands as they are."""
    parts = terms(expression)
    if len(parts) == 1 and isinstance(expression, Symbol) and expression.op is not None:
        notation = expression.op.text or expression.op.python
        if notation is None or notation.precedence != SUM:
            return False
        parts = list(expression.operands)
    return not any(isinstance(part, Symbol) and part.op for part in parts)


def _all_but_conditions(op: Operation) -> int | None:
    """Return the first operand that is read other than to decide what an expression is."""
    return 1 if op.lazy else 0 if op.comparison is None else None


def named_symbols(expression: Expression) -> list[Symbol]:
    """Return the named symbols of an expression, in the order they are first met."""
    return [x for x in _parts(expression) if isinstance(x, Symbol) and x.op is None]


def numbers_in(expression: Expression) -> list[float]:
    """Return the numbers that stand in an expression."""
    return [x for x in _parts(expression) if not isinstance(x, Symbol)]


def _parts(
    expression: Expression, first: Callable[[Operation], int | None] = lambda _: 0
) -> Iterator[Expression]:
    """Yield an expression and all its parts, of operations from the first that counts."""
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


#: A local derivative, with the result and, if that is in it, without; None where it is a number.
Derivative: TypeAlias = tuple[Expression, Expression | None] | None


class GateForm:
    """An operation over symbols: what is alike in gates that differ in their numbers alone.

    Parameters
    ----------
    op : Operation
        What the gates compute.
    arity : int
        The number of operands.
    constants : mapping from int to float
        Those operands that are numbers for good.

    Attributes
    ----------
    partials : tuple of Symbol or float
        The local derivatives as textbooks write them.
    """

    def __init__(self, op: Operation, arity: int, constants: Mapping[int, float]) -> None:
        self.op = op
        self.result, self.operands, partials = op.trace_partials(arity)
        self.partials = tuple(map(self._as_printed, range(arity), partials))
        self.constants = {self.operands[i]: x for i, x in constants.items()}
        self.expression = shorten(_declared(op, self.operands))
        self._derivatives: dict[int, Any] = {}

    def _as_printed(self, index: int, partial: Any) -> Any:
        if (self.op, index) not in TEXTBOOK:
            return written_out(partial)
        return TEXTBOOK[self.op, index](self.result, *self.operands)

    def sign(self, expression: Expression) -> str:
        """Return ≈ if a number that stands in an expression also in symbols is rounded, else =."""
        named = [self.constants[x] for x in named_symbols(expression) if x in self.constants]
        return relation(*numbers_in(expression), *named)

    def derivative(self, index: int) -> Fork | Derivative:
        """Return the local derivative for an operand, a fork for each condition that it asks."""
        if index not in self._derivatives:
            read = _parts(self.partials[index], _all_but_conditions)
            is_formula = any(isinstance(x, Symbol) and x.op is None for x in read)
            made = partial(self._resolved, index)
            self._derivatives[index] = variants(made) if is_formula else None
        return self._derivatives[index]  # type: ignore[no-any-return]

    def _resolved(self, index: int, answers: Mapping[str, float]) -> Derivative:
        """Return a derivative and, if it reads the saved result, as 1 - y², also 1 - tanh(x)²."""
        rule = resolved(self.partials[index], self.constants, answers)
        if not isinstance(rule, Symbol):
            return None
        if isinstance(self.op, Reduction) or self.result not in named_symbols(shorten(rule)):
            return rule, None
        saved = {self.result: Symbol("", self.op, self.operands)}
        full: Expression = evaluate(self.partials[index], saved, _gate, None)
        return rule, shorten(resolved(full, self.constants, answers))

    def pattern(self, index: int) -> str:
        """Return what the gate does to a gradient on its way to an operand; may be empty."""
        partial = self.partials[index]
        if self.op.pattern == "distributor" and partial == -1.0:
            return "sign flip"  # to what is subtracted
        if self.op.pattern == "swap multiplier" and not isinstance(partial, Symbol):
            return "distributor"  # to a neuron's bias
        return "gradient router" if self.op.pattern == "router" else self.op.pattern


class SymbolicGate:
    """One gate of a graph: its form, and what the symbols stand for.

    Parameters
    ----------
    node : Value
        A node that an operation made.
    form : GateForm
        Its operation over symbols.
    scene : Scene
        The numbers and names of the nodes.

    Attributes
    ----------
    stand_ins : dict from Symbol to Value or float
        The node or the constant that each symbol stands for.
    numbers : dict from Symbol to float
        The number of each.
    operand_numbers : list of float
        Those of the operands, in order.
    words, shown : dict from Symbol to str
        What each is called, and its number as it is shown.
    """

    def __init__(self, node: Value, form: GateForm, scene: Scene) -> None:
        self.node, self.form, self._scene = node, form, scene
        self.stand_ins: dict[Symbol, Value | float] = {form.result: node}
        self.stand_ins.update(zip(form.operands, node.parents, strict=True))
        self.numbers: dict[Symbol, float] = {
            s: scene.data[x] if isinstance(x, Value) else x for s, x in self.stand_ins.items()
        }
        _, *self.operand_numbers = self.numbers.values()

    @cached_property
    def words(self) -> dict[Symbol, str]:
        """The name of each symbol; of a constant, its number."""
        return FIXED | {symbol: self._scene.word(x) for symbol, x in self.stand_ins.items()}

    @cached_property
    def shown(self) -> dict[Symbol, str]:
        """The number of each symbol as it is shown."""
        return FIXED | {symbol: number(x) for symbol, x in self.numbers.items()}

    def partial(self, index: int) -> Expression:
        """Return the local derivative for operand `index`, simplified at this point."""
        return shorten(self.derivative(index)[0])

    def derivative(self, index: int) -> tuple[Expression, Expression | None]:
        """Return the same with all operands of a long sum or call, and without the saved result.

        None for the latter where the result is not in it.
        """
        found, local = self.form.derivative(index), self.node.local_grads[index]
        while isinstance(found, Fork):
            holds = resolved(found.condition, self.numbers)
            found = found.holds if holds else found.fails
        assert local is not None
        return (local, None) if found is None else found

    @cached_property
    def relation(self) -> str:
        """The sign between what the gate computes, in numbers, and its result."""
        return gate_relation(self.form.op, self.operand_numbers, self.numbers[self.form.result])

    def relations(self, index: int) -> tuple[str, str]:
        """Return the signs before the local derivative in numbers, and before what they give.

        The first is ≈ also where it reads a result that is about what is shown, as of tanh(40).
        """
        (rule, _), local = self.derivative(index), self.node.local_grads[index]
        assert local is not None
        numbers = {x: self.numbers[x] for x in named_symbols(rule) if x in self.numbers}
        shown = relation(*numbers_in(rule), *numbers.values())
        saved = self.relation if self.form.result in numbers else "="
        return loosest(shown, saved), result_relation(lambda: value_as_shown(rule, numbers), local)


def _bell(x: Symbol) -> Symbol:
    """Return the density of the normal distribution."""
    return ops.exp(-(x**2) / 2) / ops.sqrt(2 * PI)


def _gelu_tanh_slope(_: Symbol, x: Symbol) -> Symbol:
    """Return the slope of x · σ(u)."""
    gate = ops.sigmoid(2 * ops.sqrt(2 / PI) * (x + 0.044715 * x**3))
    return gate + x * gate * (1 - gate) * (2 * ops.sqrt(2 / PI)) * (1 + 0.134145 * x**2)


#: Derivatives of the result and the operands as textbooks write them, where the table does not.
#: Its own avoid overflow and cancellation, and pass nan on; a formula to be read need not.
TEXTBOOK: dict[tuple[Operation, int], Callable[..., Any]] = {
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
    (ops.ndtr, 0): lambda _, x: _bell(x),
    (ops.log_ndtr, 0): lambda _, x: _bell(x) / ops.ndtr(x),
    (ops.gelu, 0): lambda _, x: ops.ndtr(x) + x * _bell(x),
    (ops.gelu_tanh, 0): _gelu_tanh_slope,
    (ops.cbrt, 0): lambda y, _: 1 / (3 * y**2),
    (ops.atan2, 0): lambda _, y, x: x / (x**2 + y**2),
    (ops.atan2, 1): lambda _, y, x: -y / (x**2 + y**2),
}


def _declared(op: Operation, operands: tuple[Symbol, ...]) -> Expression:
    """Return what an operation computes: a reduction by its declaration, if symbols allow it."""
    if isinstance(op, Reduction):
        try:
            return resolved(op.function(operands), {})
        except TypeError:  # its declaration compares operands, which symbols cannot
            pass
    return Symbol("", op, operands)
