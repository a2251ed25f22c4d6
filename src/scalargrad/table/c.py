"""C99 printed from the table: the same operations in a file without Python.

An operation that the C library has under the same name is a call of that; where its C differs, the
table says so by ``c=``. Numbers follow IEEE 754; no operation ends the program.
"""

from __future__ import annotations

from math import isfinite, isnan

from scalargrad.errors import TraceError
from scalargrad.table.code import CodePrinter
from scalargrad.table.notation import ATOM, SIGN, Notation, call
from scalargrad.table.operation import Operation
from scalargrad.table.printing import Fragment
from scalargrad.table.symbol import TABLE, Symbol

#: What <math.h> of C99 has for doubles. Its ``remainder`` is not Python's.
LIBM = frozenset(
    """
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1
    fabs fdim floor fma fmax fmin fmod hypot lgamma log log10 log1p log2 nearbyint pow rint
    round sin sinh sqrt tan tanh tgamma trunc
    """.split()  # noqa: SIM905 - read more easily
)


class CPrinter(CodePrinter):
    """Print C; `functions` are the sources of those that the code calls, by name."""

    assignment = "const double {name} = {code};"
    choice = "({test} ? {chosen} : {other})"

    def __init__(self, names: dict[Symbol, str], functions: dict[str, str]) -> None:
        super().__init__(names)
        self.functions = functions

    def number(self, value: float) -> Fragment:
        """Write `value` exactly, as C."""
        return number_code(value), SIGN if str(value).startswith("-") else ATOM

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return what the entry says, or a call of the library's function of that name.

        Raises
        ------
        TraceError
            If it is not an operation of the table.
        """
        if isinstance(op.c, Notation):
            return op.c
        if isinstance(op.c, str):
            self.functions[f"sg_{op.name}"] = op.c
            return call(f"sg_{op.name}", arity)
        if op.python is not None:
            return op.python
        if TABLE.get(op.name) is not op or op.name not in LIBM:
            raise TraceError(
                f"{op.name} cannot be written in C, which knows the operations of scalargrad "
                "alone: write it as an expression of them"
            )
        return call(op.name, arity)


def number_code(value: float) -> str:
    """Write `value` exactly, as C.

    Examples
    --------
    >>> number_code(0.1), number_code(float("-inf"))
    ('0.1', '-INFINITY')
    """
    if isfinite(value):
        return repr(float(value))
    return "NAN" if isnan(value) else f"{value}".replace("inf", "INFINITY")
