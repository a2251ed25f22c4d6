"""Kinds of operation: of fixed arity, and reductions of any number of operands.

`scalargrad.opdef.declaration` defines their base class, and explains how a call creates a node.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from scalargrad.checks.arguments import check_list
from scalargrad.checks.numbers import as_floats
from scalargrad.codegen.eager import (
    compile_floats,
    compile_nodes,
    compile_operator,
    compile_reduction,
    compile_reflected,
    make_reduction,
)
from scalargrad.engine.recorder import active_modes
from scalargrad.errors import DivisionByZeroError, DomainError, OperandError
from scalargrad.opdef.declaration import TABLE, Operand, Operation, R_co, call
from scalargrad.opdef.domain_message import another_operand, domain_message
from scalargrad.opdef.symbol import Symbol
from scalargrad.system.cached_property import cached_property

#: The names that the modules of `scalargrad.ops` need to define operations.
__all__ = [
    "Binary",
    "FixedArityOperation",
    "ListReduction",
    "Operand",
    "Operation",
    "R_co",
    "Reduction",
    "Unary",
    "composite",
    "elementary",
    "primitive",
]

O = TypeVar("O", bound=Operation)  # noqa: E741 - an operation


class FixedArityOperation(Operation):
    """An operation of fixed arity, traced with one symbol per operand."""

    __slots__ = ("_by_classes", "_methods", "_reflected")

    def __init__(self, function: Callable[..., Any], *partials: Any, **attributes: Any) -> None:
        super().__init__(function, *partials, **attributes)
        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        self.arity = len(parameters)
        self.operand_symbols = tuple(Symbol(name) for name in parameters)
        self.result_symbol = Symbol("y")
        #: Generated functions that create a node, by the types of their operands.
        self._by_classes: dict[tuple[type, ...], Callable[..., Any]] = {}
        self._methods: dict[type, Callable[..., Any]] = {}
        self._reflected: dict[type, Callable[..., Any]] = {}

    def method(self, node_class: type, reflected: bool = False) -> Callable[..., Any]:
        """Return the operation as a method of a class of nodes, or as a reflected method.

        The code is generated at the first call.
        """
        cache = self._reflected if reflected else self._methods
        if node_class not in cache:
            generate = compile_reflected if reflected else compile_operator
            cache[node_class] = generate(self, node_class)
        return cache[node_class]

    @cached_property
    def value_expression(self) -> Any:
        """The operation applied to its operand symbols."""
        return Symbol("", self, self.operand_symbols)

    @cached_property
    def partial_expressions(self) -> tuple[Any, ...]:
        """One expression per operand, of the result symbol and the operand symbols."""
        return tuple(self.partials(self.result_symbol, *self.operand_symbols))

    @cached_property
    def valid_expression(self) -> Any:
        """The domain's condition as an expression, or None."""
        valid = self.domain.valid
        return None if valid is None else valid(*self.operand_symbols)

    @cached_property
    def of_floats(self) -> Callable[..., float]:
        """The operation as a function of floats, generated at first use."""
        return compile_floats(self)

    @cached_property
    def of_floats_unchecked(self) -> Callable[..., float]:
        """The operation as a function of floats, without the check of its domain."""
        return compile_floats(self, checked=False)

    def make_node(
        self, operands: tuple[Any, ...], node_class: type, checked: bool = True, leaf: bool = False
    ) -> Any:
        """Create the node by code that is generated once for each mixture of nodes and numbers."""
        originals = operands
        if self.arity > 1:
            operands = tuple(
                [x if isinstance(x, node_class) else self.as_operand(x) for x in operands]
            )
            mask = tuple([isinstance(x, node_class) for x in operands])
        else:
            mask = (True,)
        maker = self._makers.get((node_class, mask, checked, leaf))
        if maker is None:
            maker = compile_nodes(self, mask, node_class, checked, leaf)
            self._makers[node_class, mask, checked, leaf] = maker
        is_converted = [*map(id, originals)] != [*map(id, operands)]
        if self.arity > 2 and checked and not leaf and not is_converted:
            self._by_classes[tuple(map(type, operands))] = maker
        return maker(*operands)

    def apply_cached(self, *operands: Any) -> Any:
        """Apply the operation like `of`, by generated code found by the types of the operands."""
        maker = None if active_modes else self._by_classes.get(tuple(map(type, operands)))
        return self.of(*operands) if maker is None else maker(*operands)

    def trace_partials(self, _arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return the cached trace; the arity is fixed."""
        return self.result_symbol, self.operand_symbols, self.partial_expressions

    def check_domain(self, *operands: Any) -> None:
        """Raise DomainError with the operation, its operands and a remedy.

        Called only when the generated check has failed. A NaN fails every check, and is allowed.
        """
        data = [float(getattr(x, "data", x)) for x in operands]
        if any(x != x for x in data):
            return
        by_zero = self.domain.divides and data[self.domain.guard] == 0.0
        error = DivisionByZeroError if by_zero else DomainError
        raise error(domain_message(self, self.operand_symbols, operands, data))

    def arity_error(self, count: int) -> OperandError:
        """Return the error for a call with too many operands."""
        names = ", ".join(symbol.name for symbol in self.operand_symbols)
        return OperandError(
            f"{self.name} was given {count} operands: write {self.name}({names})"
            f"{another_operand(self)}"
        )


class Unary(FixedArityOperation):
    """An operation of one operand."""

    is_unary_or_binary = True

    @overload
    def __call__(self, x: float, /) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], /) -> R_co: ...
    def __call__(self, x: Any, /, *more: Any) -> Any:
        """Apply the operation to a number or node."""
        if more:
            raise self.arity_error(1 + len(more))
        if type(x) is float:
            return self.of_floats(x)
        node_class = getattr(x, "_node", None)
        if node_class is None:
            return self.of(x)
        return (self._methods.get(node_class) or self.method(node_class))(x)


class Binary(FixedArityOperation):
    """An operation of two operands."""

    is_unary_or_binary = True

    @overload
    def __call__(self, x: float, y: float, /) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], y: Operand[R_co] | float, /) -> R_co: ...
    @overload
    def __call__(self, x: float, y: Operand[R_co], /) -> R_co: ...
    def __call__(self, x: Any, y: Any, /, *more: Any) -> Any:
        """Apply the operation to two numbers or nodes."""
        if more:
            raise self.arity_error(2 + len(more))
        if type(x) is float is type(y):
            return self.of_floats(x, y)
        if (cls := getattr(x, "_node", None)) is not None:
            node = (self._methods.get(cls) or self.method(cls))(x, y)
        elif (cls := getattr(y, "_node", None)) is not None:
            node = (self._reflected.get(cls) or self.method(cls, reflected=True))(y, x)
        else:
            node = NotImplemented
        return self.of(x, y) if node is NotImplemented else node


class Reduction(Operation):
    """An operation of any number of operands, with one partial for each.

    Its definition takes the operands as one sequence, of floats, symbols or nodes.
    """

    is_variadic = True

    def of(self, *operands: Any, checked: bool = True) -> Any:
        """Apply the operation; if all operands are plain numbers, without a search for nodes."""
        if (floats := as_floats(operands)) is not None:
            return self.function(floats)
        return super().of(*operands, checked=checked)

    def of_floats(self, *operands: float) -> float:
        """Apply the definition; a reduction is defined everywhere."""
        result: float = self.function(operands)
        return result

    def make_node(
        self, operands: tuple[Any, ...], node_class: type, _checked: bool = True, leaf: bool = False
    ) -> Any:
        """Create the node by code that is generated once for each number of operands."""
        if leaf:
            return make_reduction(self, node_class, operands, leaf)
        key = (node_class, len(operands))
        maker = self._makers.get(key)
        if maker is None:
            fallback = functools.partial(self._make_mixed_node, key)
            maker = compile_reduction(self, len(operands), node_class, fallback)
            self._makers[key] = maker
        return maker(operands)

    def _make_mixed_node(self, key: tuple[type, int], operands: tuple[Any, ...]) -> Any:
        """Create a node from nodes and floats, by code that replaces the code for nodes alone."""
        node_class, arity = key
        maker = self._makers[key] = compile_reduction(self, arity, node_class)
        return maker(operands)

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return the partials for `arity` operands, traced with new symbols."""
        result, operands = Symbol("y"), tuple(Symbol(f"x{i}") for i in range(arity))
        return result, operands, tuple(self.partials(result, operands))


class ListReduction(Reduction):
    """A reduction called with one iterable of operands, as in ``sum(values)``."""

    @overload
    def __call__(self, values: Iterable[float], /) -> float: ...
    @overload
    def __call__(self, values: Iterable[Operand[R_co] | float], /) -> R_co: ...
    @overload  # a list display of nodes and numbers, whose type mypy cannot infer
    def __call__(self, values: Iterable[Operand[Any] | float], /) -> Any: ...
    def __call__(self, values: Any, /, *more: Any) -> Any:
        """Apply the operation to all the numbers and nodes of an iterable."""
        if more:
            raise self.usage_error()
        if type(values) is list and (floats := as_floats(values)) is not None:
            return self.function(floats)
        operands = check_list(values, f"the argument of {self.name}", "numbers", ordered=False)
        return self.of(*operands)

    def usage_error(self) -> OperandError:
        """Return the error for numbers passed as separate arguments."""
        return OperandError(
            f"{self.name} takes one list or other iterable of numbers: {self.name}([a, b])"
        )


def primitive(kind: type[O], **attributes: Any) -> Callable[[Callable[..., Any]], O]:
    """Define an operation whose body is a total function of floats."""

    def declare(function: Callable[..., Any]) -> O:
        op = kind(function, **attributes)
        TABLE[op.name] = op
        return op

    return declare


def elementary(**attributes: Any) -> Callable[[Callable[..., Any]], Unary]:
    """Define a primitive of one operand that JavaScript's Math has, too.

    Parameters
    ----------
    **attributes
        The attributes of `Operation`.
    """

    def declare(function: Callable[..., Any]) -> Unary:
        javascript = call(f"Math.{function.__name__}", 1)
        return primitive(Unary, javascript=javascript, **attributes)(function)

    return declare


def composite(kind: type[O], **attributes: Any) -> Callable[[Callable[..., Any]], O]:
    """Define an operation whose body is an expression of other operations."""
    return primitive(kind, composite=True, **attributes)
