"""The gates of a graph as expressions: what they compute, and their partials at this point.

The partials are the traced ones of the table of operations. At a point, a condition in them
is a fact, and a constant operand a number: the slope of ReLU at 3 is 1, that of x³ is 3·x².
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, TypeAlias

from scalargrad import ops
from scalargrad.show.decimal_results import decimal_result, decimal_value
from scalargrad.show.number_format import decimal, loosest, relation, result_relation
from scalargrad.show.steps.resolver import (
    PI,
    Fork,
    Resolver,
    is_formula,
    named_symbols,
    numbers_in,
    replaced,
    shorten,
    variants,
)
from scalargrad.system.cached_property import cached_property
from scalargrad.table.operation import Operation, Reduction
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import TABLE, Symbol
from scalargrad.value import Value

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
        The local derivatives as they were traced, or as textbooks write them if they do not read
        the result.
    """

    def __init__(self, op: Operation, arity: int, constants: Mapping[int, float]) -> None:
        self.op = op
        self.result, self.operands, partials = op.trace_partials(arity)
        self.partials = tuple(map(self._as_printed, range(arity), partials))
        self.constants = {self.operands[i]: x for i, x in constants.items()}
        self.expression = shorten(_declared(op, self.operands))
        self._derivatives: dict[int, Any] = {}

    def _as_printed(self, index: int, partial: Any) -> Any:
        if self.op in SAVED:
            return SAVED[self.op](self.result)
        if (self.op, index) not in TEXTBOOK or self.result in named_symbols(partial):
            return partial
        return TEXTBOOK[self.op, index](*self.operands)

    def derivative(self, index: int) -> Fork | Derivative:
        """Return the local derivative for an operand, a fork for each condition that it asks."""
        if index not in self._derivatives:
            is_read = is_formula(self.partials[index])
            found = variants(self.constants, partial(self._resolved, index)) if is_read else None
            self._derivatives[index] = found
        return self._derivatives[index]  # type: ignore[no-any-return]

    def _resolved(self, index: int, resolver: Resolver) -> Derivative:
        rule = resolver.resolve(self.partials[index])
        if not isinstance(rule, Symbol):
            return None
        textbook = self._textbook(index) if self.result in named_symbols(shorten(rule)) else None
        return rule, None if textbook is None else shorten(resolver.resolve(textbook))

    def _textbook(self, index: int) -> Expression | None:
        """Return the derivative without the saved result, as textbooks have it: -1/x² for -y/x."""
        if isinstance(self.op, Reduction):
            return None
        if (self.op, index) in TEXTBOOK:
            written: Expression = TEXTBOOK[self.op, index](*self.operands)
            return written
        return replaced(self.partials[index], self.result, Symbol("", self.op, self.operands))

    def pattern(self, index: int) -> str:
        """Return what the gate does to a gradient on its way to an operand; may be empty."""
        if self.op.pattern == "swap multiplier" and not isinstance(self.partials[index], Symbol):
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
    data : mapping from Value to float
        The numbers of the nodes.

    Attributes
    ----------
    stand_ins : dict from Symbol to Value or float
        The node or the constant that each symbol stands for.
    numbers : dict from Symbol to float
        The number of each.
    """

    def __init__(self, node: Value, form: GateForm, data: Mapping[Value, float]) -> None:
        self.node, self.form = node, form
        self.stand_ins: dict[Symbol, Value | float] = {form.result: node}
        self.stand_ins.update(zip(form.operands, node.parents, strict=True))
        self.numbers: dict[Symbol, float] = {
            s: data[x] if isinstance(x, Value) else x for s, x in self.stand_ins.items()
        }

    def _at(self, index: int) -> Derivative:
        """Return the local derivative at this point."""
        found = self.form.derivative(index)
        while isinstance(found, Fork):
            holds = Resolver(self.numbers).resolve(found.condition)
            found = found.holds if holds else found.fails
        return found

    def partial(self, index: int) -> Expression:
        """Return the local derivative for operand `index`, simplified at this point."""
        return shorten(self.derivative(index))

    def derivative(self, index: int) -> Expression:
        """Return the same with all operands of a long sum or call."""
        found, local = self._at(index), self.node.local_grads[index]
        assert local is not None
        return local if found is None else found[0]

    def textbook(self, index: int) -> Expression | None:
        """Return it without the saved result, as textbooks have it; None if it is not in it."""
        found = self._at(index)
        return None if found is None else found[1]

    def reads(self, index: int) -> list[Value]:
        """Return the nodes that the local derivative reads as it is written at this point."""
        found = map(self.stand_ins.get, named_symbols(self.derivative(index)))
        return list(dict.fromkeys(x for x in found if isinstance(x, Value)))

    @property
    def operand_numbers(self) -> list[float]:
        """The numbers of the operands, in order."""
        return [*self.numbers.values()][1:]

    @cached_property
    def relation(self) -> str:
        """The sign between what the gate computes, in numbers, and its result."""
        result, *operands = self.numbers.values()
        if TABLE.get(self.form.op.name) is not self.form.op:  # a user's own, not known any further
            return relation(*operands, result)
        return result_relation(decimal_result(self.form.op, list(map(decimal, operands))), result)

    def relations(self, index: int) -> tuple[str, str]:
        """Return the signs before the local derivative in numbers, and before what they give.

        The first is ≈ also where it reads a result that is about what is shown, as of tanh(40).
        """
        rule, local = self.derivative(index), self.node.local_grads[index]
        assert local is not None
        numbers = {x: self.numbers[x] for x in named_symbols(rule) if x in self.numbers}
        shown = relation(*numbers_in(rule), *numbers.values())
        saved = self.relation if self.form.result in numbers else "="
        return loosest(shown, saved), result_relation(decimal_value(rule, numbers), local)


def _bell(x: Symbol) -> Symbol:
    """Return the density of the normal distribution."""
    return ops.exp(-(x**2) / 2) / ops.sqrt(2 * PI)


def _gelu_tanh_slope(x: Symbol) -> Symbol:
    """Return the slope of x · σ(u)."""
    gate = ops.sigmoid(2 * ops.sqrt(2 / PI) * (x + 0.044715 * x**3))
    return gate + x * gate * (1 - gate) * (2 * ops.sqrt(2 / PI)) * (1 + 0.134145 * x**2)


#: Derivatives as textbooks write them, where writing out the result in the table's is not enough.
#: The table's avoid overflow and cancellation, and pass nan on; a formula to be read need not.
TEXTBOOK: dict[tuple[Operation, int], Callable[..., Any]] = {
    (ops.abs, 0): lambda x: ops.where(x > 0, 1.0, ops.where(x < 0, -1.0, 0.0)),
    (ops.reciprocal, 0): lambda x: -1.0 / x**2,
    (ops.div, 1): lambda a, b: -a / b**2,
    (ops.tanh, 0): lambda x: 1 - ops.tanh(x) ** 2,
    (ops.tan, 0): lambda x: 1 / ops.cos(x) ** 2,
    (ops.asin, 0): lambda x: 1 / ops.sqrt(1 - x**2),
    (ops.acos, 0): lambda x: -1.0 / ops.sqrt(1 - x**2),
    (ops.atan, 0): lambda x: 1 / (1 + x**2),
    (ops.asinh, 0): lambda x: 1 / ops.sqrt(x**2 + 1),
    (ops.acosh, 0): lambda x: 1 / ops.sqrt(x**2 - 1),
    (ops.atanh, 0): lambda x: 1 / (1 - x**2),
    (ops.erf, 0): lambda x: 2 / ops.sqrt(PI) * ops.exp(-(x**2)),
    (ops.erfc, 0): lambda x: -2.0 / ops.sqrt(PI) * ops.exp(-(x**2)),
    (ops.erfinv, 0): lambda x: ops.sqrt(PI) / 2 * ops.exp(ops.erfinv(x) ** 2),
    (ops.ndtr, 0): _bell,
    (ops.log_ndtr, 0): lambda x: _bell(x) / ops.ndtr(x),
    (ops.gelu, 0): lambda x: ops.ndtr(x) + x * _bell(x),
    (ops.gelu_tanh, 0): _gelu_tanh_slope,
    (ops.cbrt, 0): lambda x: 1 / (3 * ops.cbrt(x) ** 2),
    (ops.atan2, 0): lambda y, x: x / (x**2 + y**2),
    (ops.atan2, 1): lambda y, x: -y / (x**2 + y**2),
}


#: Derivatives by the saved result, as lectures have them; the table's keep more digits.
SAVED: dict[Operation, Callable[[Symbol], Any]] = {
    ops.sigmoid: lambda y: y * (1 - y),
    ops.tanh: lambda y: 1 - y * y,
    ops.erfinv: lambda y: ops.sqrt(PI) / 2 * ops.exp(y * y),
}


def _declared(op: Operation, operands: tuple[Symbol, ...]) -> Expression:
    if isinstance(op, Reduction):
        try:
            return Resolver({}).resolve(op.function(operands))
        except TypeError:  # its declaration compares operands, which symbols cannot
            pass
    return Symbol("", op, operands)
