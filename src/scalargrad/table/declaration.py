"""The declaration of an operation: everything else is read or printed from it.

There are two routes from an expression to a node. An operation of one or two operands, ``a * b``,
``x.tanh()`` or ``sin(x)``, is a method printed from the declaration with the node's construction
inline: the operators and most frequent methods of Value when the class is made, others at first
use. Every other call, as ``maximum(a, b)``, goes through `Operation.of`, the first operand's
``_apply`` and `Operation.make_node`, which runs a function printed in the same way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeVar

from scalargrad.errors import OperandError
from scalargrad.table.numbers import SMALL, as_float, defers, is_real

if TYPE_CHECKING:
    from inspect import Signature


#: The precedence of the operators of a notation, the loosest first.
CONDITIONAL, COMPARISON, SUM, PRODUCT, SIGN, POWER, ATOM = 1, 2, 3, 4, 5, 6, 9


class Notation(NamedTuple):
    """A template such as ``"{0} + {1}"`` and how tightly it and its operands bind."""

    template: str
    precedence: int = ATOM
    operands: tuple[int, ...] = ()

    def demand(self, index: int) -> int:
        """Return the precedence operand `index` must have to stand without parentheses."""
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
        serves all further operands.
    valid
        Expression of the operands, true where the operation is defined. None: everywhere.
    gap
        Expression of the operands that is 0 at a kink or jump and near 0 beside one. At a 0 the
        partials are a convention. None: smooth everywhere.
    safe
        A number inside the domain, used in the remedy an error message proposes.
    guard
        Index of the operand the remedy guards.
    needs
        What is needed, in words, where the printed `valid` would be hard to read.
    remedy
        Expression of the operands, the condition the remedy tests; by default `valid`.
    each
        Condition on one operand, where the remedy guards each alike.
    divides
        Whether the operation divides by the operand that the remedy guards, so that a 0 there is
        what Python calls a ZeroDivisionError.
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
        """Return the interval that tests draw operand `index` from."""
        return self.samples[min(index, len(self.samples) - 1)]


REAL = Domain()


class CallSignature:
    """The attribute ``__signature__`` of operations, which is worked out when it is asked for.

    Names come from the declaration, where that takes its operands one by one, and from the
    operation's own call, where that has options or takes any number.
    """

    def __get__(self, op: Any, owner: type) -> Signature:
        if op is None:
            raise AttributeError(f"{owner.__name__} has a signature for each operation")
        import inspect  # costs every import of the package too much

        _, *called = inspect.signature(type(op).__call__).parameters.values()
        declared = inspect.signature(op.function).parameters.values()
        one_by_one = hasattr(op, "arity") and all(p.default is p.empty for p in called)
        chosen = declared if one_by_one else called
        return inspect.Signature([p.replace(annotation=p.empty) for p in chosen])


R_co = TypeVar("R_co", covariant=True)

#: Every operation by name, in order of declaration. Filled by the declarations themselves.
TABLE: dict[str, Operation] = {}


class Operand(Protocol[R_co]):
    """An operand that is no float and yet can be computed with: a Value, a Symbol."""

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
    c
        How a primitive is written in C99, or the source of a function ``sg_name`` for it; by
        default as in Python, if it has a notation there, or by its name, if <math.h> knows it.
    lane
        How NumPy writes it on arrays, where `python` does not say it already.
    expression
        A reduction as an expression of other operations, for compiled code, where its
        declaration compares numbers and so cannot be traced.
    """

    #: Slots of code that is printed when first needed; `functools.wraps` copies no slots.
    __slots__ = ("__dict__", "_makers")

    lazy = False
    composite = False
    #: True if every result says true (1) or false (0).
    truth = False
    #: True if it has one operand or two.
    few = False

    domain: Domain = REAL
    pattern = ""
    python: Notation | None = None
    text: Notation | None = None
    mathml: Notation | None = None
    comparison: Notation | None = None
    javascript: Notation | str | None = None
    lane: str | None = None
    expression: Callable[..., Any] | None = None

    def __init__(
        self,
        function: Callable[..., Any],
        partials: Callable[..., Any],
        *,
        name: str = "",
        symbol: str | None = None,
        **entry: Any,
    ) -> None:
        functools.update_wrapper(self, function)  # type: ignore[arg-type]
        self.function, self.partials = function, partials
        self.name = name or function.__name__
        self.symbol = symbol or self.name
        vars(self).update(entry)
        #: The functions that make nodes, by the class of these and what else they depend on.
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
        return _named, (self.name,)

    def of(self, *operands: Any, checked: bool = True) -> Any:
        """Apply the operation to its operands: floats give a float, a node makes a node.

        With ``checked=False`` a point outside the domain gives what IEEE 754 gives, not an
        error; derivatives are computed so.
        """
        for operand in operands:
            if type(operand) is not float and hasattr(operand, "_apply"):
                return operand._apply(self, operands, checked)
        floats = self.of_floats if checked else self.of_floats_unchecked
        return floats(*[x if type(x) is float else self.operand(x) for x in operands])

    def operand(self, x: Any) -> float:
        """Return the operand `x`, which is not a node, as a float, or raise OperandError."""
        if type(x) is float:
            return x
        if type(x) is int and -SMALL < x < SMALL:
            return float(x)
        return as_float(x, f"an operand of {self.name}")

    def of_floats(self, *operands: float) -> float:
        """Apply the operation to floats, checking its domain."""
        raise NotImplementedError

    def of_floats_unchecked(self, *operands: float) -> float:
        """Apply the operation to floats, outside its domain as IEEE 754 has it."""
        return self.of_floats(*operands)

    def make_node(
        self, operands: tuple[Any, ...], node: type, checked: bool = True, leaf: bool = False
    ) -> Any:
        """Make this operation's node, of class `node`, over operands of which one is a node.

        As a `leaf` it keeps no operands.
        """
        raise NotImplementedError

    def partial_nodes(self, node: Any) -> list[Any] | None:  # noqa: ARG002 - others look
        """Return the partials of a node of this operation; None if the traces give them."""
        return None

    def trace_partials(self, arity: int) -> tuple[Any, tuple[Any, ...], tuple[Any, ...]]:
        """Return the symbols of the result and operands, and the partials as expressions."""
        raise NotImplementedError

    def check_domain(self, *operands: Any) -> None:
        """Raise DomainError outside the domain; reductions are defined everywhere."""

    def number_beside(self, x: Any) -> Any:
        """Return the operand `x` of a binary operator as a float, or NotImplemented."""
        if type(x) is int and -SMALL < x < SMALL:  # most are, and need no check
            return float(x)
        if not is_real(x) and defers(x):
            return NotImplemented
        return as_float(x, f"an operand of {self.symbol}")


def _named(name: str) -> Operation:
    """Return an operation of the table; TABLE's own method would pickle the whole table."""
    return TABLE[name]
