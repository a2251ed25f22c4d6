"""JavaScript printed from the table, so that no operation is written twice.

`javascript_functions` prints what a page needs to replay a graph with other inputs. A page
runs it as one expression::

    const functions = {{ the printed text }};
    const y = functions["mul/2"].value([3, -4]);            // -12
    const locals = functions["mul/2"].partials(y, [3, -4]); // [-4, 3]
    functions["log/1"].valid([-1]);                         // false: Python raises DomainError

Numbers follow IEEE 754 as Python's do, infinities, NaNs and the sign of zero included; nothing
is thrown. They agree with Python's to 1e-12 (most of them to the last bit), because the
browser's exponential and Python's need not round alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from math import isfinite, isnan
from typing import TypeAlias

from scalargrad.table.code import CodePrinter
from scalargrad.table.declaration import ATOM, SIGN, Notation, call
from scalargrad.table.operation import Elementwise, Operation, Reduction
from scalargrad.table.printing import Expression, Fragment
from scalargrad.table.symbol import TABLE, Symbol


def available(op: Operation) -> bool:
    """Return whether JavaScript can be printed for `op`: for all of the table, no custom one.

    Examples
    --------
    >>> from scalargrad import ops
    >>> available(ops.sigmoid)
    True
    """
    return TABLE.get(op.name) is op


def function_key(op: Operation, arity: int) -> str:
    """Return the key under which `javascript_functions` keeps `op` of `arity` operands.

    Examples
    --------
    >>> from scalargrad import ops
    >>> function_key(ops.dot, 5)
    'dot/5'
    """
    return f"{op.name}/{arity}"


def javascript_functions(uses: Iterable[tuple[Operation, int]]) -> str:
    """Print the operations a graph uses as one JavaScript expression, an object.

    Parameters
    ----------
    uses : iterable of (Operation, int)
        Each operation with its number of operands, repetitions allowed. Those that are not
        `available` are left out, so that their keys are missing from the object.

    Returns
    -------
    str
        An expression whose value maps each `function_key` to an object of three functions;
        `a` is the array of the operands' numbers, constants included:
        ``value(a)``, the result;
        ``partials(y, a)``, the array of the local derivatives, one for each operand, where
        `y` is the result;
        ``valid(a)``, whether the operands lie inside the domain (a NaN lies inside).
        The text is the same for the same uses in any order, and holds no ``<`` followed by a
        letter, slash or exclamation mark, so that it can stand in a script element.

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
    """Print operations on arrays of numbers, as one JavaScript expression.

    Parameters
    ----------
    uses : iterable of (Operation, int)
        As for `javascript_functions`.

    Returns
    -------
    str
        An expression whose value maps each `function_key` to an object of two functions. All
        they are given are arrays of floats of one length, a lane for each place:
        ``forward(y, a)`` writes into `y` what the arrays of operands `a` give;
        ``backward(g, y, a, s)`` adds to each array of `s` the gradient `g` times the local
        derivative by that operand.

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
    """Print JavaScript; `functions` are the sources of those that the code calls, by name."""

    assignment = "const {name} = {code};"
    choice = "({test} ? {chosen} : {other})"

    def __init__(self, names: dict[Symbol, str], functions: dict[str, str]) -> None:
        super().__init__(names)
        self.functions = functions

    def number(self, value: float) -> Fragment:
        """Write `value` exactly, as JavaScript."""
        if isnan(value):
            return "NaN", ATOM
        written = repr(float(value)) if isfinite(value) else f"{value}".replace("inf", "Infinity")
        return written, SIGN if written.startswith("-") else ATOM

    def notation(self, op: Operation, arity: int) -> Notation:
        """Return the entry's notation, or that of a call of the function that it gives."""
        if isinstance(op.javascript, Notation):
            return op.javascript
        self._need(op)
        return call(f"_{op.name}", arity)

    def _need(self, op: Operation) -> None:
        assert isinstance(op.javascript, str), f"{op.name} has no javascript= in the table"
        if f"_{op.name}" not in self.functions:
            self.functions[f"_{op.name}"] = op.javascript
            for other in _CALLED.findall(op.javascript):
                self._need(TABLE[other])


_Entry: TypeAlias = Callable[[Operation, int, dict[str, str]], str]


def _object(uses: Iterable[tuple[Operation, int]], entry: _Entry) -> str:
    """Print one entry for each operation, under the functions that they call."""
    needed: dict[str, str] = {}
    wanted = {function_key(op, arity): (op, arity) for op, arity in uses if available(op)}
    entries = [entry(*wanted[key], needed) for key in sorted(wanted)]
    functions = [f"const {name} = {needed[name]};" for name in sorted(needed)]
    return "\n".join(["(() => {", *functions, "return {", *entries, "};", "})()"])


_CALLED = re.compile(r"\b_(\w+)\(")


def _entry(op: Operation, arity: int, needed: dict[str, str]) -> str:
    """Print the three functions of `op`; what they call is added to `needed`."""
    result, operands, partials = op.trace_partials(arity)
    names = {symbol: f"a{i}" for i, symbol in enumerate(operands)}
    parameter = f"[{', '.join(names.values())}]"

    lines, [value] = JavaScriptPrinter(names, needed).statements([_value(op, operands)])
    value_code = _arrow(f"({parameter})", lines, value)
    lines, slopes = JavaScriptPrinter({**names, result: "y"}, needed).statements(partials)
    partials_code = _arrow(f"(y, {parameter})", lines, f"[{', '.join(slopes)}]")

    valid_code = "() => true"
    if isinstance(op, Elementwise) and op.valid_expression is not None:
        printer = JavaScriptPrinter(names, needed)
        condition = printer.condition(op.valid_expression)
        unknown = " || ".join(f"{name} !== {name}" for name in names.values())
        valid_code = _arrow(f"({parameter})", printer.take_lines(), f"{unknown} || {condition}")

    functions = (f"value: {value_code},", f"partials: {partials_code},", f"valid: {valid_code},")
    return "\n".join([f'"{function_key(op, arity)}": {{', *functions, "},"])


def _lanes(op: Operation, arity: int, needed: dict[str, str]) -> str:
    """Print the two loops of `op`; what they call is added to `needed`."""
    result, operands, partials = op.trace_partials(arity)
    names = {symbol: f"a{i}[i]" for i, symbol in enumerate(operands)}
    given = f"[{', '.join([f'a{i}' for i in range(arity)])}]"
    signals = f"[{', '.join([f's{i}' for i in range(arity)])}]"

    loops = []
    for value in _parts(_value(op, operands), result):
        lines, [shown] = JavaScriptPrinter({**names, result: "y[i]"}, needed).statements([value])
        loops.append([*lines, f"y[i] = {shown};"])
    forward = _method(f"forward(y, {given})", *loops)

    lines, slopes = JavaScriptPrinter({**names, result: "y[i]"}, needed).statements(partials)
    added = [f"s{i}[i] += g[i] * ({slope});" for i, slope in enumerate(slopes)]
    backward = _method(f"backward(g, y, {given}, {signals})", [*lines, *added])
    return "\n".join([f'"{function_key(op, arity)}": {{', forward, backward, "},"])


_TERMS = 4  # a loop over more arrays than processors have registers takes several times as long


def _parts(value: Expression, result: Symbol) -> list[Expression]:
    """Split a long sum into short ones; each but the first adds to the result so far."""
    terms: list[Expression] = []
    rest = value
    while isinstance(rest, Symbol) and rest.op is TABLE["add"]:
        rest, term = rest.operands
        terms.insert(0, term)
    heads = [rest, *[result] * ((len(terms) - 1) // _TERMS)]
    return [sum(terms[k * _TERMS : (k + 1) * _TERMS], head) for k, head in enumerate(heads)]


def _method(head: str, *loops: Sequence[str]) -> str:
    """Return a method that runs the lines of each loop once for each lane."""
    each = ["\n".join(["for (let i = 0; i < y.length; i += 1) {", *lines, "}"]) for lines in loops]
    return "\n".join([f"{head} {{", *each, "},"])


def _value(op: Operation, operands: Sequence[Symbol]) -> Expression:
    """Return the operation applied to its operands; a reduction term by term, if it can be."""
    if isinstance(op, Reduction) and op.javascript is None:
        traced: Expression = op.function(operands)
        return traced
    return Symbol("", op, tuple(operands))


def _arrow(parameters: str, lines: Sequence[str], result: str) -> str:
    """Return an arrow function; with no lines before the result, as one expression."""
    if not lines:
        return f"{parameters} => {result}"
    return "\n".join([f"{parameters} => {{", *lines, f"return {result};", "}"])
