"""Kinds of operation: elementwise ones of fixed arity, and reductions of any number of operands.

`scalargrad.table.declaration` has what all share, and explains how a call becomes a node.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, overload

from scalargrad.errors import DivisionByZeroError, DomainError, OperandError
from scalargrad.grad_mode import switches
from scalargrad.system.cached_property import cached_property
from scalargrad.table.declaration import TABLE, Operand, Operation, R_co, call
from scalargrad.table.domain_message import another_operand, domain_message
from scalargrad.table.eager import (
    compile_floats,
    compile_nodes,
    compile_operator,
    compile_reduction,
    compile_reflected,
    make_reduction,
)
from scalargrad.table.numbers import as_floats
from scalargrad.table.symbol import Symbol
from scalargrad.table.validation import listed

#: All that a family of operations needs to declare its entries.
__all__ = [
    "Binary",
    "Elementwise",
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


class Elementwise(Operation):
    """An operation of fixed arity, traced with one symbol per operand."""

    __slots__ = ("_by_classes", "_methods", "_reflected")

    def __init__(self, function: Callable[..., Any], *partials: Any, **entry: Any) -> None:
        super().__init__(function, *partials, **entry)
        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        self.arity = len(parameters)
        self.operand_symbols = tuple(Symbol(name) for name in parameters)
        self.result_symbol = Symbol("y")
        #: The methods that make a node with operands, by the classes of these: nodes and floats.
        self._by_classes: dict[tuple[type, ...], Callable[..., Any]] = {}
        self._methods: dict[type, Callable[..., Any]] = {}
        self._reflected: dict[type, Callable[..., Any]] = {}

    def method(self, node: type, reflected: bool = False) -> Callable[..., Any]:
        """Return the operation as a method of nodes, or of the second of two, printed once."""
        known = self._reflected if reflected else self._methods
        if node not in known:
            known[node] = (compile_reflected if reflected else compile_operator)(self, node)
        return known[node]

    @cached_property
    def value_expression(self) -> Any:
        """The operation applied to its operand symbols; a composite one is expanded."""
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
        """The operation on floats, printed and compiled at first use."""
        return compile_floats(self)

    @cached_property
    def of_floats_unchecked(self) -> Callable[..., float]:
        """The same without the check of the domain."""
        return compile_floats(self, checked=False)

    def make_node(
        self, operands: tuple[Any, ...], node: type, checked: bool = True, leaf: bool = False
    ) -> Any:
        """Make the node with code printed once for each mixture of nodes and numbers."""
        given = operands
        if self.arity > 1:
            operands = tuple([x if isinstance(x, node) else self.operand(x) for x in operands])
            mask = tuple([isinstance(x, node) for x in operands])
        else:
            mask = (True,)
        maker = self._makers.get((node, mask, checked, leaf))
        if maker is None:
            maker = compile_nodes(self, mask, node, checked, leaf)
            self._makers[node, mask, checked, leaf] = maker
        if self.arity > 2 and checked and not leaf and [*map(id, given)] == [*map(id, operands)]:
            self._by_classes[tuple(map(type, given))] = maker
        return maker(*operands)

    def of_several(self, *operands: Any) -> Any:
        """Apply the operation as `of` does, at once where such operands have been met before."""
        made = None if switches else self._by_classes.get(tuple(map(type, operands)))
        return self.of(*operands) if made is None else made(*operands)

    def trace_partials(self, _arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return the trace made once; the arity is the operation's own."""
        return self.result_symbol, self.operand_symbols, self.partial_expressions

    def check_domain(self, *operands: Any) -> None:
        """Raise DomainError naming the operation, its operands and a remedy.

        Called only when the printed check failed; a NaN fails every check and is let pass.
        """
        data = [float(getattr(x, "data", x)) for x in operands]
        if any(x != x for x in data):
            return
        by_zero = self.domain.divides and data[self.domain.guard] == 0.0
        error = DivisionByZeroError if by_zero else DomainError
        raise error(domain_message(self, self.operand_symbols, operands, data))

    def surplus(self, given: int) -> OperandError:
        """Return the error for more operands than the operation has."""
        names = ", ".join(symbol.name for symbol in self.operand_symbols)
        return OperandError(
            f"{self.name} was given {given} operands: write {self.name}({names})"
            f"{another_operand(self)}"
        )


class Unary(Elementwise):
    """An operation of one operand."""

    few = True

    @overload
    def __call__(self, x: float, /) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], /) -> R_co: ...
    def __call__(self, x: Any, /, *more: Any) -> Any:
        """Apply the operation to a number or node."""
        if more:
            raise self.surplus(1 + len(more))
        if type(x) is float:
            return self.of_floats(x)
        node = getattr(x, "_node", None)
        if node is None:
            return self.of(x)
        return (self._methods.get(node) or self.method(node))(x)


class Binary(Elementwise):
    """An operation of two operands."""

    few = True

    @overload
    def __call__(self, x: float, y: float, /) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], y: Operand[R_co] | float, /) -> R_co: ...
    @overload
    def __call__(self, x: float, y: Operand[R_co], /) -> R_co: ...
    def __call__(self, x: Any, y: Any, /, *more: Any) -> Any:
        """Apply the operation to two numbers or nodes."""
        if more:
            raise self.surplus(2 + len(more))
        if type(x) is float is type(y):
            return self.of_floats(x, y)
        if (node := getattr(x, "_node", None)) is not None:
            made = (self._methods.get(node) or self.method(node))(x, y)
        elif (node := getattr(y, "_node", None)) is not None:
            made = (self._reflected.get(node) or self.method(node, reflected=True))(y, x)
        else:
            made = NotImplemented
        return self.of(x, y) if made is NotImplemented else made


class Reduction(Operation):
    """An operation of any number of operands, with one partial for each.

    Its declaration takes the operands as one sequence, of floats, symbols or nodes alike.
    """

    def of(self, *operands: Any, checked: bool = True) -> Any:
        """Apply the operation, at once if all operands are plain numbers."""
        if (floats := as_floats(operands)) is not None:
            return self.function(floats)
        return super().of(*operands, checked=checked)

    def of_floats(self, *operands: float) -> float:
        """Run the declaration; a reduction is defined everywhere."""
        result: float = self.function(operands)
        return result

    def make_node(
        self, operands: tuple[Any, ...], node: type, _checked: bool = True, leaf: bool = False
    ) -> Any:
        """Make the node with code printed once for each number of operands."""
        if leaf:
            return make_reduction(self, node, operands, leaf)
        key = (node, len(operands))
        maker = self._makers.get(key)
        if maker is None:
            otherwise = functools.partial(self._among_floats, key)
            maker = self._makers[key] = compile_reduction(self, len(operands), node, otherwise)
        return maker(operands)

    def _among_floats(self, key: tuple[type, int], operands: tuple[Any, ...]) -> Any:
        """Make a node over floats as well, and all further ones by the code that takes both."""
        node, arity = key
        maker = self._makers[key] = compile_reduction(self, arity, node)
        return maker(operands)

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Trace the partials of that many operands."""
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
            raise self.misused()
        if type(values) is list and (floats := as_floats(values)) is not None:
            return self.function(floats)
        return self.of(*listed(values, f"what {self.name} is given", "numbers"))

    def misused(self) -> OperandError:
        """Return the error for numbers given one by one."""
        return OperandError(
            f"{self.name} takes one list or other iterable of numbers: {self.name}([a, b])"
        )


def primitive(kind: type[O], **entry: Any) -> Callable[[Callable[..., Any]], O]:
    """Declare a table entry whose body is a total function of floats."""

    def declare(function: Callable[..., Any]) -> O:
        op = kind(function, **entry)
        TABLE[op.name] = op
        return op

    return declare


def elementary(numpy: str = "", **entry: Any) -> Callable[[Callable[..., Any]], Unary]:
    """Declare a function of one number that JavaScript's Math and NumPy have, by its name.

    Parameters
    ----------
    numpy : str
        Its name in NumPy, where that is another.
    **entry
        The parts of `Operation`.
    """

    def declare(function: Callable[..., Any]) -> Unary:
        name = function.__name__
        lane = f"np.{numpy or name}({{0}})"
        return primitive(Unary, javascript=call(f"Math.{name}", 1), lane=lane, **entry)(function)

    return declare


def composite(kind: type[O], **entry: Any) -> Callable[[Callable[..., Any]], O]:
    """Declare a table entry whose body is an expression of other operations."""
    return primitive(kind, composite=True, **entry)
