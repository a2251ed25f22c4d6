"""Emit operations as LLVM IR.

A primitive is a single instruction, a function of this package, or a call of the C library.
A composite operation is emitted as its expression, and a custom operation as a call of Python:

    sqrt(x)      %v1 = call double @llvm.sqrt.f64(double %v0)
    square(x)    %v1 = fmul double %v0, %v0
    my_sin(x)    %v1 = call double @callback0.my_sin(double %v0)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from scalargrad.codegen.formulas import Expression
from scalargrad.compiler.backend.callbacks import callback_of
from scalargrad.compiler.backend.llvm import elementary
from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.nests.saved_exponentials import UNITS
from scalargrad.compiler.passes.expressions import expression_of, subexpressions
from scalargrad.opdef.operation import Binary, FixedArityOperation, Unary
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops import TABLE
from scalargrad.ops.custom import Custom


def _divided(e: Emitter, x: str, y: str) -> tuple[str, str, str]:
    """Return fmod(x, y) of C, whether it is not 0, and whether its sign differs from y's."""
    rest = e.body.assign(f"frem {e.type} {x}, {y}")
    some = e.compare("une", rest, 0.0)
    differ = _both(e, "xor", e.compare("olt", rest, 0.0), e.compare("olt", y, 0.0))
    return rest, some, _both(e, "and", some, differ)


def _both(e: Emitter, instruction: str, x: str, y: str) -> str:
    return e.body.assign(f"{instruction} {e.flag} {x}, {y}")


def floor_divide(e: Emitter, x: str, y: str) -> str:
    """Return ⌊x/y⌋; x·(±∞) where y is zero."""
    rest, _, opposite = _divided(e, x, y)
    quotient = e.div(e.sub(x, rest), y)
    quotient = e.select(opposite, e.sub(quotient, 1.0), quotient)
    whole = e.intrinsic("floor", quotient)
    off = e.compare("ogt", e.sub(quotient, whole), 0.5)
    whole = e.select(off, e.add(whole, 1.0), whole)
    none = e.compare("oeq", quotient, 0.0)
    found = e.select(none, e.intrinsic("copysign", 0.0, e.div(x, y)), whole)
    infinite = e.mul(x, e.intrinsic("copysign", math.inf, y))
    return e.select(e.compare("oeq", y, 0.0), infinite, found)


def remainder(e: Emitter, x: str, y: str) -> str:
    """Return x - y·⌊x/y⌋ with the sign of y; nan where y is zero."""
    rest, some, opposite = _divided(e, x, y)
    found = e.select(opposite, e.add(rest, y), rest)
    return e.select(some, found, e.intrinsic("copysign", 0.0, y))


def _unit(exponential: Unary, of: Binary, e: Emitter, *operands: str) -> str:
    """Return an activation, such as tanh, computed from the exponential of its last operand.

    The digits are those of the form in which the exponential is saved for the derivative.
    """
    return apply(e, of, operands[0], apply(e, exponential, operands[-1]))


def apply(e: Emitter, op: FixedArityOperation, *operands: Operand) -> str:
    """Emit an operation and return the register of its result.

    Examples
    --------
    >>> from scalargrad.compiler.backend.llvm.ir_module import IRModule
    >>> module = IRModule()
    >>> body = module.function("run", "ptr %m")
    >>> lanes = Emitter(body, 8)
    >>> lanes.store(apply(lanes, TABLE["sqrt"], lanes.load("%m")), "%m")
    >>> print(module.text())  # doctest: +ELLIPSIS
    declare <8 x double> @llvm.sqrt.v8f64(<8 x double>)
    define void @run(ptr %m) nounwind {
    entry:
      %v0 = load <8 x double>, ptr %m, align 8
      %v1 = call <8 x double> @llvm.sqrt.v8f64(...)
    ...
    """
    if (op.name in DESCRIBED or op.name in _PLAIN) and TABLE.get(op.name) is op:
        return _primitive(e, op.name, list(operands))
    symbols, expression = expression_of(op)
    return compute(e, expression, dict(zip(symbols, operands, strict=True)))


def compute(e: Emitter, expression: Expression, numbers: dict[Any, Operand]) -> str:
    """Emit an expression and return the register of its result; `numbers` has its symbols."""
    tests: dict[Expression, str] = {}  # the truth values of comparisons

    def number(x: Symbol | float) -> Operand:
        if not isinstance(x, Symbol):
            return float(x)
        if x not in numbers:
            numbers[x] = e.select(tests[x], 1.0, 0.0)
        return numbers[x]

    for part in subexpressions(expression):
        if part in numbers:
            continue
        assert part.op is not None, f"unbound symbol {part.name}"
        name, (first, *rest) = part.op.name, part.operands
        if isinstance(part.op, Custom):
            numbers[part] = e.library(callback_of(part.op).name, *map(number, part.operands))
        elif name in _CONDITIONS:
            tests[part] = e.compare(_CONDITIONS[name], *map(number, part.operands))
        elif name == "where":  # a number is true unless it is 0
            test = tests.get(first) or e.compare("une", number(first), 0.0)
            numbers[part] = e.select(test, *map(number, rest))
        else:
            numbers[part] = _primitive(e, name, [*map(number, part.operands)])
    return e.number(number(expression))


def _primitive(e: Emitter, name: str, operands: list[Operand]) -> str:
    plain = _PLAIN.get(name)
    if plain is not None:
        return plain(e, *operands)
    described = DESCRIBED.get(name)
    if described is None:
        return e.library(name, *operands)
    if e.inline:
        return described(e, *map(e.number, operands))
    return e.shared(name, described, operands)


def _intrinsic(name: str) -> Callable[..., str]:
    return lambda e, x: e.intrinsic(name, x)


_PLAIN: dict[str, Callable[..., str]] = {
    "add": Emitter.add,
    "sub": Emitter.sub,
    "mul": Emitter.mul,
    "div": Emitter.div,
    "neg": lambda e, x: e.neg(e.number(x)),
    "identity": lambda e, x: e.number(x),
    "abs": _intrinsic("fabs"),
    "sqrt": _intrinsic("sqrt"),
    "floor": _intrinsic("floor"),
    "ceil": _intrinsic("ceil"),
    "rint": _intrinsic("rint"),
}

#: LLVM's conditions by the name of the comparison; all but the last are false for nan.
_CONDITIONS = {"lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge", "eq": "oeq", "ne": "une"}

#: Functions that emit the operations defined in this package.
DESCRIBED: dict[str, Callable[..., str]] = {
    "exp": elementary.exp,
    "expm1": elementary.expm1,
    "log": elementary.log,
    "log1p": elementary.log1p,
    "erf": elementary.erf,
    "sin": elementary.sin,
    "cos": elementary.cos,
    "floor_divide": floor_divide,
    "remainder": remainder,
}

DESCRIBED |= {op.name: functools.partial(_unit, *how) for op, how in UNITS.items()}

#: Operations that call the C library's function of the same name, once for each lane.
LIBRARY = {
    *("exp2", "log2", "log10", "erfc", "pow", "tan", "asin", "acos", "atan", "atan2", "hypot"),
    *("sinh", "cosh", "asinh", "acosh", "atanh", "cbrt"),
}


def has_llvm_form(op: FixedArityOperation) -> bool:
    """Return True if an operation is computed by instructions and functions of C.

    Custom operations are not; machine code calls them in Python.
    """
    known = _PLAIN.keys() | _CONDITIONS.keys() | DESCRIBED.keys() | LIBRARY | {"where"}
    return all(x.name in known and TABLE.get(x.name) is x for x in _parts(op))


def is_long(op: FixedArityOperation) -> bool:
    """Return True if an operation takes many instructions and registers."""
    return any(x.name in DESCRIBED for x in _parts(op))


@functools.lru_cache(maxsize=1024)
def _parts(op: FixedArityOperation) -> set[Any]:
    """Return the operations in the expression of an operation."""
    return {x.op for x in subexpressions(expression_of(op)[1]) if x.op is not None}
