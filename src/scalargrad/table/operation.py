"""What an operation is: one declaration from which everything else is read or printed."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar, overload

from scalargrad.errors import DomainError, OperandError
from scalargrad.table.domain import REAL, Domain
from scalargrad.table.eager import Mask, compile_floats, compile_nodes, compile_reduction
from scalargrad.table.notation import Notation
from scalargrad.table.numbers import as_float, defers, is_real
from scalargrad.table.remedy import domain_message
from scalargrad.table.symbol import TABLE, Symbol

R_co = TypeVar("R_co", covariant=True)
O = TypeVar("O", bound="Operation")  # noqa: E741 - an operation


class Operand(Protocol[R_co]):
    """What is not a float and yet can be computed with: a Value, a Symbol."""

    def _apply(self, op: Any, operands: tuple[Any, ...], checked: bool = True, /) -> R_co: ...


class Operation:
    """One operation of the table; calling it computes it.

    Attributes
    ----------
    name, symbol
        The name used in Python and in expressions, and the label in pictures.
    function
        The declaration. Primitive: floats to float, total (it never raises and follows IEEE
        754). Composite: an expression of other operations.
    partials
        ``partials(result, *operands)``, one partial derivative per operand, as expressions.
    domain
        Where the operation is defined, and where tests sample it.
    pattern
        What the operation does to a gradient on its way back, in a word or two.
    python, text, mathml, comparison
        How it is written in each target; None means as a function call.
    javascript
        How a primitive is written in JavaScript, or the source of a function for it, which
        may call other operations' functions by a name such as ``_erf``; by default as in
        Python, if it has a notation there. A reduction that compares nothing needs none.
    lane
        How NumPy writes it on arrays, where `python` does not say it already.
    expression
        A reduction as an expression of other operations, for compiled code, where its
        declaration compares numbers and so cannot be traced.
    """

    lazy = False
    composite = False
    #: Whether every result says true (1) or false (0).
    truth = False

    def __init__(
        self,
        function: Callable[..., Any],
        partials: Callable[..., Any],
        *,
        symbol: str | None = None,
        domain: Domain = REAL,
        pattern: str = "",
        python: Notation | None = None,
        text: Notation | None = None,
        mathml: Notation | None = None,
        comparison: Notation | None = None,
        javascript: Notation | str | None = None,
        lane: str | None = None,
        expression: Callable[..., Any] | None = None,
        name: str | None = None,
    ) -> None:
        functools.update_wrapper(self, function)  # type: ignore[arg-type]
        self.function = function
        self.partials = partials
        self.name = name or function.__name__
        self.symbol = symbol or self.name
        self.domain = domain
        self.pattern = pattern
        self.python = python
        self.text = text
        self.mathml = mathml
        self.comparison = comparison
        self.javascript = javascript or python
        self.lane = lane
        self.expression = expression

    def __repr__(self) -> str:
        return f"<operation {self.name}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        if TABLE.get(self.name) is not self:
            raise OperandError(
                f"custom operation {self.name!r} cannot be pickled or copied: "
                "declare it again where it is needed"
            )
        return _named, (self.name,)

    def of(self, *operands: Any, checked: bool = True) -> Any:
        """Apply the operation to its operands: floats give a float, a node makes a node.

        With ``checked=False`` a point outside the domain gives what IEEE 754 gives, not an
        error; derivatives are computed so.
        """
        for operand in operands:
            if hasattr(operand, "_apply"):
                return operand._apply(self, operands, checked)
        floats = self.of_floats if checked else self.of_floats_unchecked
        return floats(*(self.operand(x) for x in operands))

    def operand(self, x: Any) -> float:
        """Return the operand `x`, which is not a node, as a float, or raise OperandError."""
        return x if x.__class__ is float else as_float(x, f"an operand of {self.name}")

    def of_floats(self, *operands: float) -> float:
        """Apply the operation to floats, checking its domain."""
        raise NotImplementedError

    def of_floats_unchecked(self, *operands: float) -> float:
        """Apply the operation to floats, outside its domain as IEEE 754 has it."""
        return self.of_floats(*operands)

    def make_node(self, operands: tuple[Any, ...], node: type, checked: bool = True) -> Any:
        """Make this operation's node, of class `node`, over operands of which one is a node."""
        raise NotImplementedError

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return the symbols of the result and operands, and the partials as expressions."""
        raise NotImplementedError

    def check_domain(self, *operands: Any) -> None:
        """Raise DomainError naming the operation, its operands and a remedy.

        Called only when the printed check failed; a NaN fails every check and is let pass.
        """
        data = [float(getattr(x, "data", x)) for x in operands]
        if any(x != x for x in data):
            return
        raise DomainError(domain_message(self, self._operand_symbols(), operands, data))

    def _operand_symbols(self) -> tuple[Symbol, ...]:
        raise NotImplementedError

    def number_beside(self, x: Any) -> Any:
        """Return the operand `x` of a binary operator as a float, or NotImplemented."""
        if not is_real(x) and defers(x):
            return NotImplemented
        return as_float(x, f"an operand of {self.symbol}")


def _named(name: str) -> Operation:
    """Return an operation of the table; TABLE's own method would pickle the whole table."""
    return TABLE[name]


class Elementwise(Operation):
    """An operation of fixed arity, traced with one symbol per operand."""

    def __init__(
        self, function: Callable[..., Any], partials: Callable[..., Any], **entry: Any
    ) -> None:
        super().__init__(function, partials, **entry)
        parameters = function.__code__.co_varnames[: function.__code__.co_argcount]
        self.arity = len(parameters)
        self.operand_symbols = tuple(Symbol(name) for name in parameters)
        self.result_symbol = Symbol("y")
        self._makers: dict[tuple[type, Mask, bool], Callable[..., Any]] = {}

    @functools.cached_property
    def value_expression(self) -> Any:
        """The operation applied to its operand symbols; expanded where it is composite."""
        return Symbol("", self, self.operand_symbols)

    @functools.cached_property
    def partial_expressions(self) -> tuple[Any, ...]:
        """One expression per operand, of the result symbol and the operand symbols."""
        return tuple(self.partials(self.result_symbol, *self.operand_symbols))

    @functools.cached_property
    def valid_expression(self) -> Any:
        """The domain's condition as an expression, or None."""
        valid = self.domain.valid
        return None if valid is None else valid(*self.operand_symbols)

    @functools.cached_property
    def of_floats(self) -> Callable[..., float]:
        """The operation on floats, printed and compiled at first use."""
        return compile_floats(self)

    @functools.cached_property
    def of_floats_unchecked(self) -> Callable[..., float]:
        """The same without the check of the domain."""
        return compile_floats(self, checked=False)

    def make_node(self, operands: tuple[Any, ...], node: type, checked: bool = True) -> Any:
        """Make the node with code printed once for each mixture of nodes and numbers."""
        if self.arity > 1:
            operands = tuple([x if isinstance(x, node) else self.operand(x) for x in operands])
            mask = tuple([isinstance(x, node) for x in operands])
        else:
            mask = (True,)
        maker = self._makers.get((node, mask, checked))
        if maker is None:
            maker = compile_nodes(self, mask, node, checked)
            self._makers[node, mask, checked] = maker
        return maker(*operands)

    def trace_partials(self, _arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Return the trace made once; the arity is the operation's own."""
        return self.result_symbol, self.operand_symbols, self.partial_expressions

    def _operand_symbols(self) -> tuple[Symbol, ...]:
        return self.operand_symbols


class Unary(Elementwise):
    """An operation of one operand."""

    @overload
    def __call__(self, x: float, /) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], /) -> R_co: ...
    def __call__(self, x: Any, /) -> Any:
        """Apply the operation to a number or node."""
        if x.__class__ is float:
            return self.of_floats(x)
        apply = getattr(x, "_apply", None)
        return self.of(x) if apply is None else apply(self, (x,))


class Binary(Elementwise):
    """An operation of two operands."""

    @overload
    def __call__(self, x: float, y: float, /) -> float: ...
    @overload
    def __call__(self, x: Operand[R_co], y: Operand[R_co] | float, /) -> R_co: ...
    @overload
    def __call__(self, x: float, y: Operand[R_co], /) -> R_co: ...
    def __call__(self, x: Any, y: Any, /) -> Any:
        """Apply the operation to two numbers or nodes."""
        return self.of(x, y)


class Reduction(Operation):
    """An operation of any number of operands, with one partial for each.

    Its declaration takes the operands as one sequence, of floats, symbols or nodes alike.
    """

    def __init__(
        self, function: Callable[..., Any], partials: Callable[..., Any], **entry: Any
    ) -> None:
        super().__init__(function, partials, **entry)
        self._makers: dict[tuple[type, int], Callable[..., Any]] = {}

    def terms(self, arity: int) -> int:
        """Return of how many terms a result of that many operands consists."""
        return arity

    def of_floats(self, *operands: float) -> float:
        """Run the declaration; a reduction is defined everywhere."""
        result: float = self.function(operands)
        return result

    def make_node(self, operands: tuple[Any, ...], node: type, _checked: bool = True) -> Any:
        """Make the node with code printed once for each number of operands."""
        key = (node, len(operands))
        maker = self._makers.get(key)
        if maker is None:
            maker = self._makers[key] = compile_reduction(self, len(operands), node)
        return maker(operands)

    def trace_partials(self, arity: int) -> tuple[Symbol, tuple[Symbol, ...], tuple[Any, ...]]:
        """Trace the partials of that many operands."""
        result, operands = Symbol("y"), tuple(Symbol(f"x{i}") for i in range(arity))
        return result, operands, tuple(self.partials(result, operands))


class Fold(Reduction):
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
        return self.of(*values)

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


def composite(kind: type[O], **entry: Any) -> Callable[[Callable[..., Any]], O]:
    """Declare a table entry whose body is an expression of other operations."""

    def declare(function: Callable[..., Any]) -> O:
        op = primitive(kind, **entry)(function)
        op.composite = True
        return op

    return declare
