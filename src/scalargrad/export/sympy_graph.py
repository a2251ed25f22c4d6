"""Graphs as expressions of SymPy, which simplifies and differentiates them in symbols.

The way back is SymPy's own: ``lambdify(x, expression, modules=[scalargrad, "math"])``.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.call import require_no_call
from scalargrad.errors import GraphError
from scalargrad.graph import topological_order
from scalargrad.names import names
from scalargrad.ops import TABLE
from scalargrad.system.packages import needed
from scalargrad.table.operation import Elementwise, Operation, Reduction
from scalargrad.table.symbol import Symbol
from scalargrad.value import Value

if TYPE_CHECKING:
    import sympy

#: Operations that have the same name in SymPy.
_SAME = frozenset(
    """
    exp log sqrt erf erfc sign floor sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh
    atanh
    """.split()  # noqa: SIM905 - read more easily
)


_COMPARISONS = ("eq", "ge", "gt", "le", "lt", "ne")


def _comparison(sp: Any, name: str) -> Callable[..., Any]:
    return lambda a, b: _truth(sp, getattr(sp, name.title())(a, b))


def _written_out(sp: Any) -> dict[str, Callable[..., Any]]:
    """Return the operations to write as expressions, or by another name in SymPy."""
    return {
        **{name: getattr(operator, name) for name in ("abs", "add", "mul", "neg", "pow", "sub")},
        "div": operator.truediv,
        "floor_divide": operator.floordiv,
        "identity": operator.pos,
        "remainder": operator.mod,
        "cbrt": lambda x: sp.sign(x) * sp.Abs(x) ** sp.Rational(1, 3),
        "exp2": lambda x: 2**x,
        "expm1": lambda x: sp.exp(x) - 1,
        "log1p": lambda x: sp.log(1 + x),
        "log2": lambda x: sp.log(x, 2),
        "log10": lambda x: sp.log(x, 10),
        "hypot": lambda a, b: sp.sqrt(a**2 + b**2),
        "sum": sp.Add,
        "ceil": sp.ceiling,
        "maximum": sp.Max,
        "minimum": sp.Min,
        **{name: _comparison(sp, name) for name in _COMPARISONS},
        "logsumexp": lambda *xs: sp.log(sp.Add(*map(sp.exp, xs))),
        "where": lambda c, a, b: sp.Piecewise((a, _holds(sp, c)), (b, True)),
        "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
        "softplus": lambda x: sp.log(1 + sp.exp(x)),
        "relu": lambda x: sp.Max(x, 0),
        "logical_and": lambda a, b: _truth(sp, sp.And(_holds(sp, a), _holds(sp, b))),
        "logical_or": lambda a, b: _truth(sp, sp.Or(_holds(sp, a), _holds(sp, b))),
        "logical_not": lambda a: _truth(sp, sp.Not(_holds(sp, a))),
    }


def to_sympy(root: Value) -> sympy.Expr:
    """Return the expression that a graph computes, its leaves as symbols.

    Parameters
    ----------
    root : Value

    Returns
    -------
    sympy.Expr
        A leaf is a real symbol of its label; without one, of the name it has in pictures and
        steps. Whole constants are integers, others floats of SymPy's.

    Raises
    ------
    MissingPackageError
        If SymPy is not installed.
    GraphError
        If an operation has no counterpart: `rint`, custom ones, compiled functions.

    Examples
    --------
    >>> from scalargrad import exp
    >>> x = Value(0.5, "x")
    >>> to_sympy(x**2 * exp(-x)).diff()  # doctest: +SKIP
    -x**2*exp(-x) + 2*x*exp(-x)
    """
    with needed("to_sympy needs"):
        import sympy
    writer = _SympyWriter(sympy)
    order = topological_order(root)
    require_no_call(order)
    named = names(order)
    found: dict[Value, Any] = {}
    for node in order:
        if node.op is None:
            found[node] = sympy.Symbol(named[node], real=True)
            continue
        operands = [found[x] if isinstance(x, Value) else writer.number(x) for x in node.parents]
        found[node] = writer.apply(node.op, operands)
    return found[root]


class _SympyWriter:
    """Writes operations as expressions of SymPy."""

    def __init__(self, sp: Any) -> None:
        self.sp = sp
        self.written_out = _written_out(sp)

    def number(self, x: float) -> Any:
        """Return a constant."""
        return self.sp.Integer(int(x)) if x == x // 1 and abs(x) < 2**53 else self.sp.Float(x)

    def apply(self, op: Operation, operands: Sequence[Any]) -> Any:
        """Return an operation of expressions."""
        known = TABLE.get(op.name) is op
        if known and op.name in self.written_out:
            return self.written_out[op.name](*operands)
        if known and op.name in _SAME:
            return getattr(self.sp, op.name)(*operands)
        if isinstance(op, Elementwise) and op.composite:
            return self.expression(op.function(*op.operand_symbols), op.operand_symbols, operands)
        if isinstance(op, Reduction):
            symbols = tuple(Symbol(f"x{k}") for k in range(len(operands)))
            return self.expression(op.function(symbols), symbols, operands)
        raise GraphError(
            f"{op.name} has no counterpart in SymPy: write it as an expression of other operations"
        )

    def expression(self, x: Any, symbols: Sequence[Symbol], operands: Sequence[Any]) -> Any:
        """Return an expression of the table over expressions of SymPy's."""
        if not isinstance(x, Symbol):
            return self.number(x)
        if x.op is None:
            return operands[symbols.index(x)]
        return self.apply(x.op, [self.expression(y, symbols, operands) for y in x.operands])


def _truth(sp: Any, condition: Any) -> Any:
    """Return 1 where a condition holds, else 0."""
    return sp.Piecewise((1, condition), (0, True))


def _holds(sp: Any, x: Any) -> Any:
    """Return the condition that a number is not 0; of a comparison's result, the comparison."""
    if isinstance(x, sp.Piecewise) and x.args[-1] == (0, True) and x.args[0][0] == 1:
        return x.args[0][1]
    return sp.Ne(x, 0)
