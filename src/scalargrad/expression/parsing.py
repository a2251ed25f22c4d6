"""parse: the second whitelist, from the text of an expression to its graph.

One kind of syntax node is read at a time.
"""

from __future__ import annotations

import ast
import inspect
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from scalargrad import ops
from scalargrad.errors import ExpressionError
from scalargrad.expression.tokens import DEEPEST, UNDERSTOOD, ExpressionText, scan, short
from scalargrad.ops import TABLE
from scalargrad.other_names import OTHER_NAMES
from scalargrad.table.domain_message import another_operand
from scalargrad.table.numbers import as_float
from scalargrad.table.operation import Elementwise, ListReduction, Operation
from scalargrad.value import Scalar, Value

if TYPE_CHECKING:
    import numpy.typing as npt

_CONSTANTS = {"pi": math.pi, "e": math.e}
_OPERATORS: dict[type[ast.AST], Operation] = {
    ast.Add: ops.add,
    ast.Sub: ops.sub,
    ast.Mult: ops.mul,
    ast.Div: ops.div,
    ast.Pow: ops.pow,
    ast.USub: ops.neg,
    ast.Lt: ops.lt,
    ast.LtE: ops.le,
    ast.Gt: ops.gt,
    ast.GtE: ops.ge,
    ast.Eq: ops.eq,
    ast.NotEq: ops.ne,
}

#: Operations by the names lectures give them.
_ALIASES = {
    "ln": "log",
    "logistic": "sigmoid",
    "max": "maximum",
    "min": "minimum",
    "σ": "sigmoid",
}

#: What to write for operations of other libraries: those of several numbers, and the others.
_INSTEAD = {
    **{name: f"Write {written}" for name, written in OTHER_NAMES.items()},
    "log_softmax": "It would be several numbers: write one of them, a - logsumexp(a, b, c)",
    "softmax": "It would be several numbers: write one of them, exp(a - logsumexp(a, b, c))",
}

_NOT_UNDERSTOOD = f"this is not understood: {UNDERSTOOD}"


class Reader:
    """Builds the graph of a syntax tree, statement by statement."""

    def __init__(self, source: ExpressionText, values: Mapping[str, Any]) -> None:
        self.source = source
        self.names: dict[str, Value] = {}
        self.vectors: dict[str, tuple[Value, ...]] = {}
        self.owner: dict[str, str] = {}  # of an entry, its vector
        self.used: set[str] = set()
        self.ahead: list[str] = []  # names that statements further on assign
        self.depth = 0
        for written, value in values.items():
            self.give(unicodedata.normalize("NFKC", written), value)
        self.given = [name for name in (*self.names, *self.vectors) if name not in self.owner]

    def give(self, name: str, value: Any) -> None:
        """Give a name its value; of a vector, w0, w1 and so on, its entries."""
        self.require_free(name)
        if not isinstance(value, list | tuple) and getattr(value, "ndim", 0) != 1:
            self.names[name] = _leaf(name, value)
            return
        entries = {f"{name}{i}": x for i, x in enumerate(value)}
        if not entries:
            raise ExpressionError(f"{short(name)} is a vector without entries: give it numbers")
        for entry, x in entries.items():
            self.require_free(entry)
            self.names[entry], self.owner[entry] = _leaf(entry, x), name
        self.vectors[name] = tuple(self.names[entry] for entry in entries)

    def require_free(self, name: str) -> None:
        """Raise ExpressionError if a name has a meaning already."""
        if taken := self.taken(name):
            raise ExpressionError(f"{short(name)} cannot be given a value: {taken}")

    def taken(self, name: str) -> str:
        """Return why a name cannot be given a meaning, or nothing."""
        if name in _CONSTANTS:
            return f"it is the constant {_CONSTANTS[name]:.6g}; choose another name"
        if name in ops.TABLE:
            return "it is an operation; choose another name"
        if name in self.names or name in self.vectors:
            return "it has a value already; choose a new name, so that labels are unique"
        return ""

    def read(self, module: ast.Module) -> Value:
        """Return the last statement's Value, having checked that every value given is used."""
        if not module.body:
            raise ExpressionError('the expression is empty: write one, such as "f = x * y"')
        self.ahead = [_target(statement) for statement in module.body]
        results = [self.statement(statement) for statement in module.body]
        unused = [name for name in self.given if name not in self.used]
        if unused:
            raise ExpressionError(
                f"{_listed(unused)}: given a value, but not used by the expression, which uses "
                f"{_listed(self.used) or 'no names'}; leave it out, or check its spelling"
            )
        return results[-1]

    def statement(self, statement: ast.stmt) -> Value:
        """Return the Value of one statement; an assignment labels it."""
        del self.ahead[:1]
        match statement:
            case ast.Expr():
                result = self.evaluate(statement.value)
                return result if isinstance(result, Value) else Value(result)
            case ast.Assign(targets=[ast.Name() as target]):
                return self.assign(target, statement.value)
        raise self.source.error_at(statement, "write an expression, or assign to one name: q = x")

    def assign(self, target: ast.Name, expression: ast.expr) -> Value:
        """Return the node that carries the target's name."""
        if taken := self.taken(target.id):
            problem = f"{short(target.id)} cannot be assigned: {taken}"
            raise self.source.error_at(target, problem)
        made = self.evaluate(expression)
        if not isinstance(made, Value):
            made = Value(made)
        elif made.label or made in self.names.values():
            made = ops.identity(made)
        made.label = target.id
        self.names[target.id] = made
        return made

    def evaluate(self, node: ast.expr) -> Scalar:
        """Return what a part of an expression stands for: a node, or a number."""
        self.depth += 1
        if self.depth > DEEPEST:
            problem = f"nested more than {DEEPEST} deep: give parts names"
            raise self.source.error_at(node, problem)
        result = self.part(node)
        self.depth -= 1
        return result

    def part(self, node: ast.expr) -> Scalar:
        """Read one node of the syntax tree, if it is of a kind that is understood."""
        match node:
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return float(number)
            case ast.Name():
                return self.name(node)
            case ast.UnaryOp():
                return self.unary(node)
            case ast.BinOp():
                return self.binary(node)
            case ast.Compare(ops=[comparison], comparators=[right]):
                return self.apply(node, comparison, self.evaluate(node.left), self.evaluate(right))
            case ast.Call():
                return self.finite(node, self.call(node))
        raise self.source.error_at(node, _unreadable(node))

    def name(self, node: ast.Name) -> Scalar:
        """Return what a name stands for."""
        name = node.id
        if name in self.names:
            self.used.add(self.owner.get(name, name))
            return self.names[name]
        if name in self.vectors:
            problem = f"{short(name)} is a vector: it is an argument of reductions, as in sum(w), "
            problem += f"and its entries are {short(name)}0, …"
            if len(self.vectors[name]) == 2:
                problem += "; if its comma is that of a decimal number, write a point"
            raise self.source.error_at(node, problem)
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name in ops.TABLE:
            raise self.source.error_at(node, f"{name} is an operation: call it, {name}(…)")
        if name in self.ahead:
            problem = f"{short(name)} is used before it is assigned: write {short(name)} = … first"
            raise self.source.error_at(node, problem)
        known = [*self.names, *self.vectors, *_CONSTANTS]
        nearest = _nearest(name, [*known, *_public()])
        remedy = "" if nearest else f"Give it a value, as in {short(name)}=2. "
        remedy += _as_product(name, known)
        problem = f"{short(name)} is not known here. {nearest}{remedy}Known: {_listed(known)}"
        raise self.source.error_at(node, problem)

    def unary(self, node: ast.UnaryOp) -> Scalar:
        """Read a sign in front of an operand; + changes nothing."""
        operand = self.evaluate(node.operand)
        return operand if isinstance(node.op, ast.UAdd) else self.apply(node, node.op, operand)

    def binary(self, node: ast.BinOp) -> Scalar:
        """Read a chain such as a + b - c, which nests to the left, without recursion."""
        chain = [node]
        while isinstance(chain[-1].left, ast.BinOp):
            chain.append(chain[-1].left)
        result = self.evaluate(chain[-1].left)
        for link in reversed(chain):
            right = self.evaluate(link.right)
            if isinstance(link.op, ast.Pow) and _is_e(link.left):
                result = self.finite(link, ops.exp.of(right))  # e^x is drawn as exp, not 2.718^x
            else:
                result = self.apply(link, link.op, result, right)
        return result

    def apply(self, node: ast.expr, operator: ast.AST, *operands: Scalar) -> Scalar:
        """Apply the operation an operator stands for."""
        op = _OPERATORS.get(type(operator))
        if op is None:
            raise self.source.error_at(node, _NOT_UNDERSTOOD)
        return self.finite(node, op.of(*operands))

    def finite(self, node: ast.expr, result: Scalar) -> Scalar:
        """Return `result`, unless it was computed from numbers alone and overflowed."""
        if isinstance(result, float) and not math.isfinite(result):
            problem = f"these numbers overflow to {result}: a float goes to 1.8e308"
            raise self.source.error_at(node, problem)
        return result

    def call(self, node: ast.Call) -> Scalar:
        """Apply the operation that is called, having checked how many arguments it gets."""
        op = self.operation(node.func)
        if node.keywords:
            problem = f"arguments are given by position, not by name: {_usage(op)}"
            raise self.source.error_at(node.keywords[0], problem)
        if not isinstance(op, Elementwise):
            return self.reduce(node, op)
        arguments = [self.evaluate(x) for x in node.args]
        if not _required(op) <= len(arguments) <= op.arity:
            problem = f"{op.name} was given {len(arguments)} arguments: write {_usage(op)}"
            if len(arguments) > op.arity:
                problem += another_operand(op)
            raise self.source.error_at(node, problem)
        applied: Any = op
        result: Scalar = applied(*arguments)
        return result

    def operation(self, node: ast.expr) -> Operation:
        """Return the operation of the table that is called by this name."""
        if not isinstance(node, ast.Name) or node.id in {*self.names, *self.vectors, *_CONSTANTS}:
            problem = "only operations are called; a product is written with *, as in 2*(x + 1)"
            raise self.source.error_at(node, problem)
        name = _ALIASES.get(node.id, node.id)
        if name not in ops.TABLE:
            advice = _INSTEAD.get(node.id) or _nearest(node.id, _public())
            advice = advice or f"The operations: {_listed(_public())}"
            problem = f"no operation is named {short(node.id)}. {advice.rstrip()}"
            raise self.source.error_at(node, problem)
        return ops.TABLE[name]

    def reduce(self, node: ast.Call, op: Any) -> Scalar:
        """Apply an operation of any number of operands, given one by one or as one list."""
        arguments = [self.sequence(x) for x in node.args]
        if len(arguments) == 1 and isinstance(arguments[0], tuple):
            arguments = list(arguments[0])
        if not arguments:
            raise self.source.error_at(node, f"{op.name} was given no arguments")
        try:
            result: Scalar = op(arguments) if isinstance(op, ListReduction) else op(*arguments)
        except TypeError as error:
            called = (
                f"It is called as {_usage(op)}; numbers that belong together are written (a, b)"
            )
            raise self.source.error_at(node, f"{error}. {called}") from None
        return result

    def sequence(self, node: ast.expr) -> Any:
        """Return an argument of a reduction: a number, a node, or a tuple of them."""
        if isinstance(node, ast.Name) and node.id in self.vectors:
            self.used.add(node.id)
            return self.vectors[node.id]
        if isinstance(node, ast.Tuple | ast.List):
            return tuple(self.evaluate(x) for x in node.elts)
        return self.evaluate(node)


def _public() -> list[str]:
    """Return the names of the operations, without those that only derivatives have."""
    return [name for name in ops.TABLE if not name.startswith("_")]


def _leaf(name: str, value: Any) -> Value:
    if isinstance(value, Value):
        return value
    return Value(as_float(value, f"the value of {short(name)}"), name)


def _is_e(node: ast.expr) -> bool:
    """Return whether this is the constant e, a name that nothing else can have."""
    return isinstance(node, ast.Name) and node.id == "e"


def _required(op: Operation) -> int:
    """Return how many arguments an operation cannot do without."""
    _, *parameters = inspect.signature(type(op).__call__).parameters.values()
    return sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in parameters)


def _usage(op: Operation) -> str:
    """Write how an operation is called; arguments in square brackets may be left out."""
    if not isinstance(op, Elementwise):
        _, *parameters = inspect.signature(type(op).__call__).parameters
        parameters = parameters[:1] if isinstance(op, ListReduction) else parameters
        return f"{op.name}({', '.join(parameters)})"
    names = [symbol.name for symbol in op.operand_symbols]
    needed = _required(op)
    optional = f"[, {', '.join(names[needed:])}]" if names[needed:] else ""
    return f"{op.name}({', '.join(names[:needed])}{optional})"


def _unreadable(node: ast.expr) -> str:
    """Say why a kind of syntax is refused, and what to write."""
    match node:
        case ast.Compare():
            return "comparisons cannot be chained: write (a < b) * (b < c)"
        case ast.Tuple() | ast.List():
            return "lists of numbers are arguments of reductions, as in dot((w0, w1), (x0, x1), b)"
        case ast.Subscript():
            return "nothing is indexed: of a vector w the entries are named w0, w1"
        case ast.Starred():
            return "write the arguments one by one, without *"
    return _NOT_UNDERSTOOD


def _target(statement: ast.stmt) -> str:
    """Return the name that a statement assigns, or nothing."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)]):
            return name
    return ""


def _nearest(name: str, known: Iterable[str]) -> str:
    near = get_close_matches(name, known)
    return f"Did you mean {' or '.join(near)}? " if near else ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(map(short, sorted(names)))


def _as_product(name: str, known: Sequence[str]) -> str:
    """Advise to write a product with a sign, if a name is two known ones in a row."""
    for k in range(1, len(name)):
        if name[:k] in known and name[k:] in known:
            return f"A product is written with *: {name[:k]}*{name[k:]}. "
    return ""


def parse(text: str, /, **values: Scalar | Sequence[Scalar] | npt.NDArray[Any]) -> Value:
    """Read ``q = x + y; f = q * z`` into a graph and return the last Value, here f.

    Parameters
    ----------
    text : str
        Statements ``name = expression``, or bare expressions, separated by semicolons or
        line ends; ``#`` starts a comment. Expressions are made of names, decimal numbers,
        ``+ - * /``, powers as ``x^2`` or ``x**2``, comparisons, ``pi``, ``e`` and every
        operation of the table by name; ``σ`` and ``logistic`` are the sigmoid, ``ln`` is log,
        ``max`` and ``min`` are maximum and minimum. Reductions are written ``sum(a, b, c)``
        and ``dot((w0, w1), (x0, x1), b)``, or with vectors by name, ``dot(w, x, b)``.
    **values : real number or Value, or list, tuple or array of them
        What the names stand for. A number becomes a leaf labelled with its name; a Value is
        used as it is. A list or array is a vector, whose entries are named w0, w1, ….

    Returns
    -------
    Value
        The result of the last statement. What is assigned to a name has it as its label.

    Raises
    ------
    ExpressionError
        If the text is not such an expression; a name is unknown, is given or assigned
        twice, or is that of a constant or an operation; or a value is not used. The message
        marks the column.
    DomainError
        If an operation is applied outside its domain.
    OperandError
        If a value is not a real number.

    Notes
    -----
    What has no name in it is computed at once, without a node: ``2 * 3`` is 6. A second
    name, as in ``y = x``, is an `identity` node of its own. Comparisons are nodes, so
    ``where(x > 0, x, 0)`` records the choice. Names are compared in Unicode's normal form
    NFKC, as in Python. Nothing is evaluated as Python code.

    Examples
    --------
    >>> parse("q = x + y; f = q * z", x=-2, y=5, z=-4)
    Value(data=-12.0, grad=0.0, label='f')
    >>> parse("sigmoid(w*x) > 0.5", w=2, x=1).data
    1.0
    >>> round(parse("σ(dot(w, x, b)) + λ*dot(w, w)/2", w=[2, -3], x=[-1, -2], b=-3, λ=0.1).data, 6)
    1.381059
    >>> parse("f = floot(x)", x=1)
    Traceback (most recent call last):
        ...
    scalargrad.errors.ExpressionError: column 5: no operation is named floot. Did you mean floor?
        f = floot(x)
            ^
    """
    try:
        source = ExpressionText(text)
        scan(source)
        return Reader(source, values).read(_structure(source))
    except (RecursionError, MemoryError):
        raise ExpressionError(
            "the expression is nested too deeply for the stack that is left: give parts names"
        ) from None


def _structure(source: ExpressionText) -> ast.Module:
    """Return the syntax tree of text that has passed the scan."""
    try:
        return ast.parse("\n".join(source.python))
    except IndentationError as error:
        advice = "begin all statements in one column, and bracket what goes over several lines"
        raise _marked(source, error, advice) from None
    except SyntaxError as error:
        advice = "is an operator such as *, or a bracket, missing or too many?"
        if error.msg.startswith("cannot assign"):
            advice = "the left side is one name, as in f = x**2"
        raise _marked(source, error, advice) from None


def _marked(source: ExpressionText, error: SyntaxError, advice: str) -> ExpressionError:
    """Return a syntax error as one that marks its place, which Python may put past the end."""
    row = min(error.lineno or 1, len(source.lines)) - 1
    line = source.lines[row]
    indent = len(line) - len(line.lstrip(" \t"))
    column = max(source.column(row, (error.offset or 1) - 1), indent)
    reason = re.split(r"[.;] ", error.msg)[0]
    if reason == "invalid syntax" and re.search(r"[\w)]\s*$", line[:column]):
        word = re.search(r"(\w+)\s+$", line[:column])
        if word is not None and word[1] in TABLE:
            advice = f"call it, {word[1]}(…)"
        elif re.match(r"[\w(]", line[column:]):
            advice = f"{advice} A product is written with *, as in a*b"
    return source.error(row, column, f"{reason}: {advice}")


def parse_assigned(expression: str, assignments: Iterable[str] | None) -> Value:
    """Parse an expression with its inputs given as ``name=number`` or ``name=number,number``."""
    values: dict[str, float | list[float]] = {}
    for assignment in assignments or []:
        name, equals, number = assignment.partition("=")
        if not equals or not name.strip().isidentifier():
            raise ExpressionError(
                f"{assignment!r} is not an input: write name=number without spaces, as in x=-2"
            )
        if name.strip() in values:
            raise ExpressionError(f"the input {name.strip()} is given twice: leave one out")
        values[name.strip()] = _given(name.strip(), number)
    return parse(expression.lstrip(" "), **values)


def _given(name: str, written: str) -> float | list[float]:
    """Read a number, ``-2`` or ``pi/2``, or the entries of a vector, separated by commas."""
    try:
        numbers = [_number(part) for part in written.split(",")]
    except ExpressionError:
        raise ExpressionError(
            f"the input {name} is {written!r}: write a number, as in {name}=-2 or {name}=pi/2, "
            f"or those of a vector, {name}=2,-3"
        ) from None
    return numbers[0] if len(numbers) == 1 else numbers


def _number(written: str) -> float:
    try:
        return float(written)
    except ValueError:
        return parse(written).data
