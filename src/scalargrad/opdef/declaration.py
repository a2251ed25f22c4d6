"""The definition of an operation, from which all its other forms are read or generated.

A definition is a function of floats or an expression of other operations, with one partial
derivative for each operand:

    @primitive(Binary, symbol="*", partials=lambda y, a, b: (b, a))
    def mul(a: float, b: float) -> float:
        return a * b

There are two routes from an expression to a node. For an operation of one or two operands, as in
``a * b``, ``x.tanh()`` or ``sin(x)``, a method is generated that creates the node inline: for the
operators and most frequent methods when the class Value is created, for others at first use. Every
other call, such as ``maximum(a, b)``, goes through `Operation.of`, the ``_apply`` method of the
first node among the operands, and `Operation.make_node`, which also runs generated code.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from scalargrad.checks.numbers import SMALL, as_float, defers, is_real
from scalargrad.errors import OperandError

if TYPE_CHECKING:
    from inspect import Signature


#: Precedences of the operators of a notation, the loosest first.
CONDITIONAL, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = 1, 2, 3, 4, 5, 6, 9


class Notation(NamedTuple):
    """A template such as ``"{0} + {1}"`` and how tightly it and its operands bind."""

    template: str
    precedence: int = ATOM
    operands: tuple[int, ...] = ()

    def demand(self, index: int) -> int:
        """Return the lowest precedence at which operand `index` needs no parentheses."""
        return self.operands[index] if self.operands else CONDITIONAL


def infix(sign: str, precedence: int) -> Notation:
    """Return the notation of a left-associative operator between two operands."""
    return Notation(f"{{0}} {sign} {{1}}", precedence, (precedence, precedence + 1))


def call(name: str, arity: int) -> Notation:
    """Return the notation of a function call with `arity` arguments."""
    return Notation(f"{name}({', '.join(f'{{{i}}}' for i in range(arity))})")


class Domain:
    """The domain of an operation, and where to test it.

    Parameters
    ----------
    *samples
        One interval (low, high) per operand, from which tests draw points; the last one
        is used for all further operands.
    valid
        Expression of the operands, true where the operation is defined. None means everywhere.
    gap
        Expression of the operands that is 0 at a kink or jump and near 0 beside one. At a 0 the
        partials are a convention. None means smooth everywhere.
    safe
        A number inside the domain, used in the remedy that an error message proposes.
    guard
        Index of the operand that the remedy guards.
    needs
        The requirement in words, if the text of `valid` would be hard to read.
    remedy
        Expression of the operands: the condition that the remedy tests; by default `valid`.
    each
        Condition on one operand, if the remedy guards every operand by the same condition.
    divides
        True if the operation divides by the guarded operand, so that 0 raises
        DivisionByZeroError, as Python raises ZeroDivisionError.
    """

    def __init__(
        self,
        *samples: tuple[float, float],
        valid: Callable[..., Any] | None = None,
        gap: Callable[..., Any] | None = None,
        safe: float = 1.0,
        guard: int = 0,
        needs: str = "",
        remedy: Callable[..., Any] | None = None,
        each: Callable[[Any], Any] | None = None,
        divides: bool = False,
    ) -> None:
        self.samples = samples or ((-3.0, 3.0),)
        self.valid = valid
        self.gap = gap
        self.safe = safe
        self.guard = guard
        self.needs = needs
        self.remedy = remedy
        self.each = each
        self.divides = divides

    def smooth(self, *operands: float) -> bool:
        """Return True if no kink or jump is so near that a difference quotient would cross it."""
        return self.gap is None or abs(self.gap(*operands)) > 0.1

    def interval(self, index: int) -> tuple[float, float]:
        """Return the interval from which tests draw operand `index`."""
        return self.samples[min(index, len(self.samples) - 1)]


REAL = Domain()


class CallSignature:
    """Descriptor for the attribute ``__signature__`` of operations, computed when it is read.

    The parameter names are those of the definition if its operands are positional, and those of
    the operation's ``__call__`` if that has options or takes any number of operands.
    """

    def __get__(self, op: Any, owner: type) -> Signature:
        if op is None:
            raise AttributeError(f"{owner.__name__} has a signature for each operation")
        import inspect  # slow, so not imported with the package

        _, *of_call = inspect.signature(type(op).__call__).parameters.values()
        of_definition = inspect.signature(op.function).parameters.values()
        is_positional = hasattr(op, "arity") and all(p.default is p.empty for p in of_call)
        parameters = of_definition if is_positional else of_call
        return inspect.Signature([p.replace(annotation=p.empty) for p in parameters])


R_co = TypeVar("R_co", covariant=True)

#: Registry of all operations, by name and in the order of their definitions, which fill it.
TABLE: dict[str, Operation] = {}


class Operand(Protocol[R_co]):
    """Protocol of operands that are not plain numbers: Values and Symbols."""

    def _apply(self, op: Any, operands: tuple[Any, ...], checked: bool = True, /) -> R_co: ...


class Operation:
    """An operation; calling it applies it.

    Attributes
    ----------
    name, symbol
        The name used in Python and in expressions, and the label in pictures.
    function
        The body of the definition. For a primitive, a total function of floats, which never
        raises and follows IEEE 754. For a composite, an expression of other operations.
    partials
        ``partials(result, *operands)``, one partial derivative per operand, as expressions.
    domain
        Where the operation is defined, and where tests sample it.
    pattern
        The effect of the operation on the upstream gradient, in a word or two.
    python, text, mathml, comparison
        The notation in each target; None means a function call.
    javascript
        Notation of a primitive in JavaScript, or the source of a function for it, which may call
        the functions of other operations by names such as ``_erf``. The default is the notation in
        Python, if there is one. A reduction that does not compare numbers needs none.
    c
        Notation of a primitive in C99, or the source of a function ``sg_name`` for it. The default
        is the notation in Python, if there is one, or the function of that name in <math.h>.
    expression
        A reduction as an expression of other operations, for compiled code, if its body compares
        numbers and so cannot be traced.
    """

    #: Slots of generated code; `functools.wraps` does not copy slots.
    __slots__ = ("__dict__", "_makers")

    lazy = False
    composite = False
    #: True if every result is 1 (true) or 0 (false).
    is_boolean = False
    #: True for a built-in operation of exactly one or two operands.
    is_unary_or_binary = False
    #: True for an operation of any number of operands.
    is_variadic = False

    domain: Domain = REAL
    pattern = ""
    python: Notation | None = None
    text: Notation | None = None
    mathml: Notation | None = None
    comparison: Notation | None = None
    javascript: Notation | str | None = None
    expression: Callable[..., Any] | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        partials: Callable[..., Any],
        *,
        name: str = "",
        symbol: str | None = None,
        **attributes: Any,
    ) -> None:
        functools.update_wrapper(self, function)  # type: ignore[arg-type]
        self.function, self.partials = function, partials
        self.name = name or function.__name__
        self.symbol = symbol or self.name
        vars(self).update(attributes)
        #: Generated functions that create nodes, by node class and operand kinds.
        self._makers: dict[Any, Callable[..., Any]] = {}
        self.javascript = self.javascript or self.python

    __signature__ = CallSignature()

    def __repr__(self) -> str:
        return f"<operation {self.name}{self.__signature__}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        if TABLE.get(self.name) is not self:
            raise OperandError(
                f"custom operation {self.name!r} cannot be pickled or copied: "
                "declare it again where it is needed"
            )
        return _operation_by_name, (self.name,)

    def of(self, *operands: Any, checked: bool = True) -> Any:
        """Apply the operation: floats give a float, and a node among the operands gives a node.

        With ``checked=False``, a point outside the domain gives the result of IEEE 754 instead of
        an error; derivatives are computed this way.
        """
        for operand in operands:
            if type(operand) is not float and hasattr(operand, "_apply"):
                return operand._apply(self, operands, checked)
        floats = self.of_floats if checked else self.of_floats_unchecked
        return floats(*[x if type(x) is float else self.as_operand(x) for x in operands])

    def as_operand(self, x: Any) -> float:
        """Return an operand that is not a node as a float, or raise OperandError."""
        if type(x) is float:
            return x
        if type(x) is int and -SMALL < x < SMALL:
            return float(x)
        return as_float(x, f"an operand of {self.name}")

    def of_floats(self, *operands: float) -> float:
        """Apply the operation to floats, and check its domain."""
        raise NotImplementedError

    def of_floats_unchecked(self, *operands: float) -> float:
        """Apply the operation to floats; outside its domain, the result follows IEEE 754."""
        return self.of_floats(*operands)

    def make_node(
        self, operands: tuple[Any, ...], node_class: type, checked: bool = True, leaf: bool = False
    ) -> Any:
        """Create the node of this operation from operands, of which at least one is a node.

        A `leaf` does not store its operands.
        """
        raise NotImplementedError

    def partial_nodes(self, node: Any) -> list[Any] | None:  # noqa: ARG002 - read by subclasses
        """Return the partials of a node of this operation; None if `trace_partials` gives them."""
        return None

    def trace_partials(self, arity: int) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
        """Return the symbols of the result and operands, and the partials as expressions."""
        raise NotImplementedError

    def check_domain(self, *operands: Any) -> None:
        """Raise DomainError outside the domain. Reductions are defined everywhere."""

    def coerce_other(self, x: Any) -> Any:
        """Return the other operand of a binary operator as a float, or NotImplemented."""
        if type(x) is int and -SMALL < x < SMALL:  # the most frequent case, without further checks
            return float(x)
        if not is_real(x) and defers(x):
            return NotImplemented
        return as_float(x, f"an operand of {self.symbol}")


def _operation_by_name(name: str) -> Operation:
    """Return an operation by name; a bound method of TABLE would pickle the whole registry."""
    return TABLE[name]
