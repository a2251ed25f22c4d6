"""The directive ``operations``: a family of the table, each operation in every form it has."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from compiled_code import llvm_lines
from curves import curve
from docstrings import escaped
from docutils import nodes
from packages import parsed
from sphinx.application import Sphinx
from sphinx.ext.napoleon import NumpyDocstring
from sphinx.util.docutils import SphinxDirective

from scalargrad.codegen.code_printer import CodePrinter, PythonPrinter
from scalargrad.codegen.formulas import Expression, format_expression, mathml
from scalargrad.codegen.javascript import javascript_functions
from scalargrad.opdef.operation import FixedArityOperation, Operation, Reduction
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops import TABLE
from scalargrad.show.steps.symbolic_gates import ELLIPSIS, abbreviate, inline_helper, resolve

#: What the operands of a reduction, which takes any number, are called where some are shown.
_SHOWN = {"dot": ["w1", "w2", "x1", "x2", "b"]}
_LONGEST = 150  # letters of a formula; others have a name that says more
_MANY = ["x1", "x2", "x3"]

#: The symbols of result and operands, and the partials.
Traced: TypeAlias = tuple[Symbol, tuple[Symbol, ...], Sequence[Expression]]


class Operations(SphinxDirective):
    """``.. operations:: exponential`` documents what that file of the table lists."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write a description of each operation, and have it read."""
        family = importlib.import_module(f"scalargrad.ops.{self.arguments[0]}")
        lines = [".. py:currentmodule:: scalargrad", ""]
        for name in family.__all__:
            lines += described(name, getattr(family, name), self.config)
        return parsed(self, lines)


def described(name: str, op: object, config: object) -> Iterator[str]:
    """Yield the lines on one operation, or on a function made of operations."""
    called = inspect.signature(op).parameters.values()  # type: ignore[arg-type]
    parameters = ", ".join(str(p.replace(annotation=p.empty)) for p in called)
    yield from [f".. py:function:: {name}({parameters})", ""]
    doc = str(NumpyDocstring(escaped(inspect.getdoc(op) or ""), config))  # type: ignore[arg-type]
    body = doc.splitlines()
    if TABLE.get(name) is op:
        assert isinstance(op, Operation)
        body += ["", *_forms(op)]
    yield from (f"   {line}" for line in body)
    yield ""


def _forms(op: Operation) -> Iterator[str]:
    """Yield what the table knows of an operation, as raw HTML and code."""
    arity = op.arity if isinstance(op, FixedArityOperation) else len(_SHOWN.get(op.name, _MANY))
    result, operands, partials = traced = _traced(op, arity)
    names = _names(op, operands)
    rows = [("Pictures", f"<code>{_escaped(op.symbol)}</code>")]
    rows += [("Value", _formula("y", _value(op, operands), names))]
    for operand, partial in zip(operands, partials, strict=False):
        left = f"∂y/∂{names[operand]}"
        rows.append((left, _formula("", inline_helper(partial), {**names, result: "y"})))
    rows.append(
        (
            "In steps",
            _escaped(format_expression(abbreviate(_value(op, operands)), {**names, ELLIPSIS: "…"})),
        )
    )
    rows.append(("Backward", _escaped(op.pattern or "–")))
    rows += _domain(op, names)
    cells = "".join(f"<tr><th>{_escaped(a)}</th><td>{b}</td></tr>" for a, b in rows)
    yield from [".. raw:: html", ""]
    yield f"   <div class='operation'><table>{cells}</table>{curve(op)}</div>"
    yield ""
    yield from _code("python", "Python", _python(op, traced, names))
    yield from _code("llvm", "LLVM IR, in a compiled function", llvm_lines(op))
    yield from _code("javascript", "JavaScript", javascript_functions([(op, arity)]).splitlines())


def _traced(op: Operation, arity: int) -> Traced:
    """Return the symbols of result and operands, and the partials where they can be written."""
    try:
        return op.trace_partials(arity)
    except TypeError:  # its declaration compares operands, which symbols cannot
        return Symbol("y"), tuple(Symbol() for _ in range(arity)), ()


def _names(op: Operation, operands: Sequence[Symbol]) -> dict[Symbol, str]:
    if isinstance(op, FixedArityOperation):
        return {x: x.name for x in operands}
    return dict(zip(operands, _SHOWN.get(op.name, _MANY), strict=True))


def _value(op: Operation, operands: tuple[Symbol, ...]) -> Expression:
    """Return what an operation computes, as far as other operations can say it."""
    try:
        if isinstance(op, Reduction):
            return resolve(op.function(operands), {})
        if op.composite and len(repr(expression := op.function(*operands))) < _LONGEST:
            return expression
    except TypeError:  # its declaration compares operands, which symbols cannot
        pass
    return Symbol("", op, operands)


def _formula(left: str, expression: Expression, names: dict[Symbol, str]) -> str:
    if len(repr(expression)) > 4 * _LONGEST:
        return "a formula as long as the code below"
    shown = mathml(abbreviate(expression), {**names, ELLIPSIS: "…"})
    before = f"<mi>{left}</mi><mo>=</mo>" if left else ""
    return f"<math><mrow>{before}{shown}</mrow></math>"


def _domain(op: Operation, names: dict[Symbol, str]) -> Iterator[tuple[str, str]]:
    """Yield where the operation is defined, and where its slope is a convention."""
    if isinstance(op, FixedArityOperation) and op.valid_expression is not None:
        yield "Defined", _escaped(op.domain.needs or format_expression(op.valid_expression, names))
    else:
        yield "Defined", "everywhere"
    kinks = _kinks(op)
    if kinks:
        yield "Kink or jump", _escaped("; ".join(kinks))


def _kinks(op: Operation) -> list[str]:
    """Return where a function of one number has a kink or jump in the interval of its tests."""
    if not isinstance(op, FixedArityOperation) or op.arity != 1:
        return []
    low, high = op.domain.interval(0)
    points = sorted({x / 2 for x in range(int(2 * low) - 1, int(2 * high) + 2)})
    at = [x for x in points if low <= x <= high and not op.domain.smooth(x)]
    by_slope: dict[float, list[str]] = {}
    for x in at:
        by_slope.setdefault(_slope(op, x), []).append(f"{x:g}")
    return [f"x = {', '.join(xs)}: slope {slope:g}" for slope, xs in by_slope.items()]


def _slope(op: Operation, x: float) -> float:
    from scalargrad import Value, gradients

    leaf = Value(x)
    return gradients(op.of(leaf), [leaf])[0]


def _python(op: Operation, traced: Traced, names: dict[Symbol, str]) -> list[str]:
    """Return the code of value and partials as eager evaluation runs it."""
    try:
        lines, slopes = _printed(PythonPrinter(names), op, traced, "y = {}")
    except TypeError:  # its declaration compares operands: it runs as it stands
        return inspect.getsource(op.function).splitlines()
    return [*lines, f"partials = ({', '.join(slopes)},)"]


def _printed(
    printer: CodePrinter, op: Operation, traced: Traced, assignment: str
) -> tuple[list[str], list[str]]:
    """Return the statements up to the partials, and these as expressions."""
    result, operands, partials = traced
    value = op.value_expression if isinstance(op, FixedArityOperation) else op.function(operands)
    printer.plan([value, *partials])
    shown = printer.print(value)
    lines = [*printer.take_lines(), assignment.format(shown)]
    printer.names[result] = "y"
    slopes = [printer.print(partial) for partial in partials]
    return [*lines, *printer.take_lines()], slopes


def _code(language: str, title: str, lines: Sequence[str]) -> Iterator[str]:
    """Yield a block of code that is folded until it is asked for, if there is any."""
    if not lines:
        return
    yield from [".. raw:: html", "", f"   <details><summary>{title}</summary>", ""]
    yield from [f".. code-block:: {language}", "", *(f"   {line}" for line in lines), ""]
    yield from [".. raw:: html", "", "   </details>", ""]


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;")


def setup(app: Sphinx) -> dict[str, bool]:
    """Add the directive."""
    app.add_directive("operations", Operations)
    return {"parallel_read_safe": True}
