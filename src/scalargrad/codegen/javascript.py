"""JavaScript generated from the definitions of operations.

`javascript_functions` generates the code with which a page evaluates a graph at other inputs. A
page runs it as one expression::

    const functions = {{ the generated code }};
    const y = functions["mul/2"].value([3, -4]);            // -12
    const locals = functions["mul/2"].partials(y, [3, -4]); // [-4, 3]
    functions["log/1"].valid([-1]);                         // false: Python raises DomainError

The code follows IEEE 754, as Python's floats do, including infinities, NaNs and the sign of zero,
and throws no exception. Results agree with Python's to 1e-12, most of them to the last bit: the
exponential function of a browser may round differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite, isnan
from typing import TypeAlias

from scalargrad.codegen.code_printer import CodePrinter
from scalargrad.codegen.formulas import Expression, Fragment
from scalargrad.opdef.declaration import ATOM, SIGN, Notation, Operation, call
from scalargrad.opdef.symbol import TABLE, Symbol


def available(op: Operation) -> bool:
    """Return True if `op` has JavaScript code: all built-in operations have, custom ones have not.

    Examples
    --------
    >>> from scalargrad import ops
    >>> available(ops.sigmoid)
    True
    """
    return TABLE.get(op.name) is op


def function_key(op: Operation, arity: int) -> str:
    """Return the key of `op` with `arity` operands in the object of `javascript_functions`.

    Examples
    --------
    >>> from scalargrad import ops
    >>> function_key(ops.dot, 5)
    'dot/5'
    """
    return f"{op.name}/{arity}"


def javascript_functions(uses: Iterable[tuple[Operation, int]]) -> str:
    """Return the operations of a graph as one JavaScript expression, whose value is an object.

    Parameters
    ----------
    uses : iterable of (Operation, int)
        Each operation with its number of operands; pairs may be repeated. Operations that are not
        `available` are left out, so that the object does not have their keys.

    Returns
    -------
    str
        An expression whose value maps each `function_key` to an object of three functions;
        `a` is the array of the operands' numbers, constants included:
        ``value(a)``, the result;
        ``partials(y, a)``, the array of the local gradients, one for each operand, where
        `y` is the result;
        ``valid(a)``, true if the operands are in the domain (a NaN is).
        The text does not depend on the order of `uses`. It contains no ``<`` followed by a
        letter, slash or exclamation mark, so that it can be put into a script element.

    Examples
    --------
    >>> from scalargrad import ops
    >>> print(javascript_functions([(ops.mul, 2)]))
    (() => {
    return {
    "mul/2": {
    value: ([a0, a1]) => a0 * a1,
    partials: (y, [a0, a1]) => [a1, a0],
    valid: () => true,
    },
    };
    })()
    """
    return _object(uses, _entry)


def javascript_lanes(uses: Iterable[tuple[Operation, int]]) -> str:
    """Return operations on arrays of numbers as one JavaScript expression.

    Parameters
    ----------
    uses : iterable of (Operation, int)
        As for `javascript_functions`.

    Returns
    -------
    str
        An expression whose value maps each `function_key` to an object of two functions. Their
        arguments are arrays of floats of the same length, and arrays of such arrays, with one
        lane for each index:
        ``forward(y, a)`` writes the results for the operands `a` into `y`;
        ``backward(g, y, a, s)`` adds to each array of `s` the upstream gradient `g` times the
        local gradient of that operand.

    Examples
    --------
    >>> from scalargrad import ops
    >>> print(javascript_lanes([(ops.mul, 2)]))
    (() => {
    return {
    "mul/2": {
    forward(y, [a0, a1]) {
    for (let i = 0; i < y.length; i += 1) {
    y[i] = a0[i] * a1[i];
    }
    },
    backward(g, y, [a0, a1], [s0, s1]) {
    for (let i = 0; i < y.length; i += 1) {
    s0[i] += g[i] * (a1[i]);
    s1[i] += g[i] * (a0[i]);
    }
    },
    },
    };
    })()
    """
    return _object(uses, _lanes)


class JavaScriptPrinter(CodePrinter):
    """Generate JavaScript; `functions` has the sources of functions that it calls, by name."""

    assignment = "const {name} = {code};"
    choice = "({test} ? {chosen} : {other})"

    def __init__(self, names: dict[Symbol, str], functions: dict[str, str]) -> None:
        super().__init__(names)
        self.functions = functions

    def number(self, value: float) -> Fragment:
        """Return the JavaScript code of a number, exactly."""
        if isnan(value):
            return "NaN", ATOM
        code = repr(float(value)) if isfinite(value) else f"{value}".replace("inf", "Infinity")
        return code, SIGN if code.startswith("-") else ATOM

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return the notation of an operation, or a call of its JavaScript function."""
        if isinstance(op.javascript, Notation):
            return op.javascript
        self._need(op)
        return call(f"_{op.name}", arity)

    def _need(self, op: Operation) -> None:
        assert isinstance(op.javascript, str), f"{op.name} has no javascript= in its definition"
        if f"_{op.name}" not in self.functions:
            self.functions[f"_{op.name}"] = op.javascript
            for other in _CALLS.findall(op.javascript):
                self._need(TABLE[other])


_Entry: TypeAlias = Callable[[Operation, int, dict[str, str]], str]


def _object(uses: Iterable[tuple[Operation, int]], entry: _Entry) -> str:
    """Return an object with one entry for each operation, after the functions that they call."""
    needed: dict[str, str] = {}
    operations = {function_key(op, arity): (op, arity) for op, arity in uses if available(op)}
    entries = [entry(*operations[key], needed) for key in sorted(operations)]
    functions = [f"const {name} = {needed[name]};" for name in sorted(needed)]
    return "\n".join(["(() => {", *functions, "return {", *entries, "};", "})()"])


_CALLS = re.compile(r"\b_(\w+)\(")


def _entry(op: Operation, arity: int, needed: dict[str, str]) -> str:
    """Return the three functions of `op`; the functions that they call are added to `needed`."""
    result, operands, partials = op.trace_partials(arity)
    names = {symbol: f"a{i}" for i, symbol in enumerate(operands)}
    parameter = f"[{', '.join(names.values())}]"

    lines, [value] = JavaScriptPrinter(names, needed).statements([_value(op, operands)])
    value_code = _arrow(f"({parameter})", lines, value)
    lines, slopes = JavaScriptPrinter({**names, result: "y"}, needed).statements(partials)
    partials_code = _arrow(f"(y, {parameter})", lines, f"[{', '.join(slopes)}]")

    valid_code = "() => true"
    if op.domain.valid is not None:
        printer = JavaScriptPrinter(names, needed)
        condition = printer.condition(op.domain.valid(*operands))
        unknown = " || ".join(f"{name} !== {name}" for name in names.values())
        valid_code = _arrow(f"({parameter})", printer.take_lines(), f"{unknown} || {condition}")

    functions = (f"value: {value_code},", f"partials: {partials_code},", f"valid: {valid_code},")
    return "\n".join([f'"{function_key(op, arity)}": {{', *functions, "},"])


def _lanes(op: Operation, arity: int, needed: dict[str, str]) -> str:
    """Return the two loops of `op`; the functions that they call are added to `needed`."""
    result, operands, partials = op.trace_partials(arity)
    names = {symbol: f"a{i}[i]" for i, symbol in enumerate(operands)}
    inputs = f"[{', '.join([f'a{i}' for i in range(arity)])}]"
    adjoints = f"[{', '.join([f's{i}' for i in range(arity)])}]"

    loops = []
    for value in _split_sum(_value(op, operands), result):
        lines, [code] = JavaScriptPrinter({**names, result: "y[i]"}, needed).statements([value])
        loops.append([*lines, f"y[i] = {code};"])
    forward = _method(f"forward(y, {inputs})", *loops)

    lines, slopes = JavaScriptPrinter({**names, result: "y[i]"}, needed).statements(partials)
    updates = [f"s{i}[i] += g[i] * ({slope});" for i, slope in enumerate(slopes)]
    backward = _method(f"backward(g, y, {inputs}, {adjoints})", [*lines, *updates])
    return "\n".join([f'"{function_key(op, arity)}": {{', forward, backward, "},"])


#: Maximum number of terms in one loop. A loop over more arrays than the processor has registers
#: takes several times as long.
_MAX_TERMS = 4


def _split_sum(value: Expression, result: Symbol) -> list[Expression]:
    """Split a long sum into short ones; all except the first add to the result so far."""
    terms: list[Expression] = []
    rest = value
    while isinstance(rest, Symbol) and rest.op is TABLE["add"]:
        rest, term = rest.operands
        terms.insert(0, term)
    n = _MAX_TERMS
    heads = [rest, *[result] * ((len(terms) - 1) // n)]
    return [sum(terms[k * n : (k + 1) * n], head) for k, head in enumerate(heads)]


def _method(head: str, *loops: Sequence[str]) -> str:
    """Return a method that runs the statements of each loop once for each lane."""
    each = ["\n".join(["for (let i = 0; i < y.length; i += 1) {", *lines, "}"]) for lines in loops]
    return "\n".join([f"{head} {{", *each, "},"])


def _value(op: Operation, operands: Sequence[Symbol]) -> Expression:
    """Return the operation applied to its operands; a reduction is expanded if possible."""
    if op.is_variadic and op.javascript is None:
        expression: Expression = op.function(operands)
        return expression
    return Symbol("", op, tuple(operands))


def _arrow(parameters: str, lines: Sequence[str], result: str) -> str:
    """Return an arrow function; without lines before the result, it is one expression."""
    if not lines:
        return f"{parameters} => {result}"
    return "\n".join([f"{parameters} => {{", *lines, f"return {result};", "}"])
