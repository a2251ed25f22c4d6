"""Eager evaluation: Python printed from the trace of an operation, and compiled.

Two kinds of function are printed. `compile_floats` gives one from floats to a float.
`compile_nodes` gives one that also makes the node: data, parents and local gradients, with the
partial of a number operand never evaluated. Printing costs tens of microseconds once per
operation; running printed code costs a tenth of running the declaration itself.
"""

from __future__ import annotations

import functools
import keyword
import linecache
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from zlib import crc32

from scalargrad.grad_mode import as_leaf, builds_graphs, recorder, switches
from scalargrad.table.code import PythonPrinter
from scalargrad.table.compared import keep
from scalargrad.table.declaration import Operation
from scalargrad.table.numbers import SMALL, float_of
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol

#: An operation of fixed arity, of `table.operation`, which imports this file.
Elementwise: TypeAlias = Any
Mask = tuple[bool, ...]


def compile_floats(op: Elementwise, checked: bool = True) -> Callable[..., float]:
    """Return `op` as a function of floats; only the check of its domain can raise."""
    names = [f"a{i}" for i in range(op.arity)]
    printer = PythonPrinter(dict(zip(op.operand_symbols, names, strict=True)))
    lines = _domain_check(op, printer, names) if checked else []
    computed, [value] = printer.statements([op.value_expression])
    lines += [*computed, f"return {value}"]
    return _compile(op, names, lines, {**printer.functions, "check": op.check_domain})


def apply_without_graph(
    op: Operation, operands: tuple[Any, ...], node: type, checked: bool = True
) -> Any:
    """Apply an operation where no graph is built; return None where one is.

    A recorder records the operation; without gradients, the result is a leaf.
    """
    current = recorder()
    if current is not None:
        return current.node(op, operands)
    return None if builds_graphs() else op.make_node(operands, node, checked, leaf=True)


def compile_nodes(
    op: Elementwise, mask: Mask, node: type, checked: bool = True, leaf: bool = False
) -> Callable[..., Any]:
    """Return a function of operands that makes `op`'s node; ``mask[i]``: operand i is a node.

    As a `leaf` the node keeps no operands.
    """
    operands = [f"x{i}" for i in range(op.arity)]
    lines, functions = node_lines(op, mask, checked, leaf)
    return _compile(op, operands, lines, {**functions, **_environment(op, node)})


def node_lines(
    op: Elementwise, mask: Mask, checked: bool = True, leaf: bool = False
) -> tuple[list[str], dict[str, Any]]:
    """Return the statements that make `op`'s node from operands x0, x1, … and return it."""
    data = [f"a{i}" if is_node else f"x{i}" for i, is_node in enumerate(mask)]
    printer = PythonPrinter(dict(zip(op.operand_symbols, data, strict=True)))
    partials_wanted = () if leaf else zip(op.partial_expressions, mask, strict=True)
    wanted = [p for p, is_node in partials_wanted if is_node]
    printer.plan([op.value_expression, *wanted])
    nodes = [i for i, is_node in enumerate(mask) if is_node]
    lines = [f"a{i} = x{i}.data" for i in nodes]
    lines += [f"if type(a{i}) is not float: a{i} = float_of(x{i})" for i in nodes]
    if checked:
        lines += _domain_check(op, printer, [f"x{i}" for i in range(op.arity)])
    value = _value_lines(printer, op.value_expression)
    if leaf:
        return [*lines, *value, *_NODE, *_LEAF], printer.functions
    partials = iter(wanted)
    printed = [next(partials) if is_node else None for is_node in mask]
    parents = _tuple([f"x{i}" for i in range(op.arity)])
    made = _make_lines(printer, op.result_symbol, printed, parents)
    return [*lines, *value, *made], printer.functions


#: The statements from a value to a node that has it.
_NODE = ["node = new(Node)", "node.data = y", "node.grad = 0.0", "node.label = ''"]
#: The statements that make it a leaf.
_LEAF = ["node.op = None; node.parents = node.local_grads = ()", "return as_leaf(node)"]


def _value_lines(printer: PythonPrinter, value: Expression) -> list[str]:
    """Return the statements that compute the value."""
    shown = printer.print(value)
    return [*printer.take_lines(), f"y = {shown}"]


def _make_lines(
    printer: PythonPrinter,
    result: Symbol,
    partials: Sequence[Expression | None],
    parents: str,
    *,
    constants: Sequence[str] = (),
) -> list[str]:
    """Return the statements from the value to the finished node; None prints no partial.

    `constants` are conditions under which an operand has none.
    """
    printer.names[result] = "y"
    local_grads = ["None" if p is None else printer.print(p) for p in partials]
    if constants:
        pairs = zip(constants, local_grads, strict=True)
        local_grads = [f"None if {constant} else {p}" for constant, p in pairs]
    lines = [*printer.take_lines(), *_NODE, "node.op = op", f"node.parents = {parents}"]
    return [*lines, f"node.local_grads = {_tuple(local_grads)}", "return node"]


def compile_operator(op: Elementwise, node: type) -> Callable[..., Any]:
    """Return `op`, of one operand or two, as a method of `node`.

    The node code stands inline in the method, behind one type test, because a further call
    would cost a third of an addition's time. At its head stands the one question who records.
    """
    lines, functions = _headed(op, (True,) * op.arity)
    if op.arity == 1:
        return _compile(op, ["x0"], lines, {**functions, **_environment(op, node)})
    forward, more = _headed(op, (True, False))
    lines = ["if isinstance(x1, Node):", *_indent(lines), *_coerce("x1"), *forward]
    return _compile(op, ["x0", "x1"], lines, {**functions, **more, **_environment(op, node)})


def compile_reflected(op: Elementwise, node: type) -> Callable[..., Any]:
    """Return `op` as the reflected method of `node`, whose first operand is a number."""
    backward, functions = _headed(op, (False, True))
    lines = [*_coerce("x0"), *backward]
    return _compile(op, ["x1", "x0"], lines, {**functions, **_environment(op, node)})


def compile_comparison(op: Elementwise, node: type) -> Callable[..., Any]:
    """Return `op` as the method for an operator, which gives a bool."""
    assert op.comparison is not None
    lines = [
        "if switches and (current := recorder()) is not None: return current.compared(op, x0, x1)",
        "a0, a1 = x0.data, x1",
        "if type(a0) is not float: a0 = float_of(x0)",
        "if isinstance(x1, Node): a1 = float_of(x1)",
        "elif type(a1) is not float and type(a1) is not int:",
        "    a1 = x1 = number(x1)",
        "    if a1 is NotImplemented: return a1",
        f"return keep(op, x0, x1, {op.comparison.template.format('a0', 'a1')})",
    ]
    return _compile(op, ["x0", "x1"], lines, {**_environment(op, node), "keep": keep})


#: A reduction of at most this many operands is printed without a loop, twice as fast.
UNROLLED = 64


def compile_reduction(
    op: Operation, arity: int, node: type, otherwise: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Return a function of a tuple of `arity` operands that makes the reduction's node.

    Printed term by term where operands are few, for nodes alone, and `otherwise` is called where
    there are others; without it, for nodes and floats. Else `make_reduction` runs the declaration,
    also where the data of a node is to be converted.
    """
    general = functools.partial(make_reduction, op, node)
    if arity > UNROLLED:
        return general
    result, operands, partials = op.trace_partials(arity)
    data = [f"a{i}" for i in range(arity)]
    printer = PythonPrinter(dict(zip(operands, data, strict=True)))
    are_floats = "type(y) is float"  # sums and products are, of floats alone
    try:
        value = op.function(operands)
    except TypeError:  # it compares, and so runs as it stands
        are_floats = f"{{*map(type, {_tuple(data)})}} == {{float}}"
        value = Symbol()
        printer.names[value] = f"function({_tuple(data)})"
    printer.plan([value, *partials])
    names = [f"x{i}" for i in range(arity)]
    constants = [] if otherwise else [f"type({x}) is float" for x in names]
    given = "{0}.data" if otherwise else "{0} if type({0}) is float else {0}.data"
    computed = [f"{', '.join(names)}, = operands"]
    computed += [f"a{i} = {given.format(x)}" for i, x in enumerate(names)]
    computed += _value_lines(printer, value)
    lines = ["try:", *_indent(computed)]
    lines += ["except AttributeError: return otherwise(operands)"]
    lines += ["except (TypeError, OverflowError): return general(operands)"]
    lines += [f"if not ({are_floats}): return general(operands)"]
    lines += _make_lines(printer, result, partials, "operands", constants=constants)
    own = {"function": op.function, "general": general, "otherwise": otherwise or general}
    return _compile(op, ["operands"], lines, printer.functions | _environment(op, node) | own)


def make_reduction(op: Operation, node: type, operands: tuple[Any, ...], leaf: bool = False) -> Any:
    """Make the node of a reduction; its declaration runs on floats as it stands."""
    try:
        data: list[float] = [operand.data for operand in operands]
        are_nodes = {*map(type, data)} == {float}  # NumPy's numbers have data that are none
    except AttributeError:
        are_nodes = False
    if not are_nodes:
        operands = tuple([x if isinstance(x, node) else op.operand(x) for x in operands])
        data = [float_of(x) if isinstance(x, node) else x for x in operands]
    made: Any = object.__new__(node)
    made.data = result = op.function(data)
    made.grad = 0.0
    made.label = ""
    if leaf:
        made.op = None
        made.parents = made.local_grads = ()
        return as_leaf(made)
    partials: Sequence[float | None] = op.partials(result, data)
    if not are_nodes:
        partials = [
            p if isinstance(x, node) else None for p, x in zip(partials, operands, strict=True)
        ]
    made.op = op
    made.parents = operands
    made.local_grads = tuple(partials)
    return made


def _environment(op: Operation, node: type) -> dict[str, Any]:
    return {
        "op": op,
        "Node": node,
        "new": object.__new__,
        "switches": switches,
        "recorder": recorder,
        "building": builds_graphs,
        "as_leaf": as_leaf,
        "check": op.check_domain,
        "number": op.number_beside,
        "float_of": float_of,
    }


def _domain_check(op: Elementwise, printer: PythonPrinter, operands: Sequence[str]) -> list[str]:
    if op.valid_expression is None:
        return []
    condition = printer.condition(op.valid_expression)
    return [*printer.take_lines(), f"if not ({condition}): check({', '.join(operands)})"]


def _headed(op: Elementwise, mask: Mask) -> tuple[list[str], dict[str, Any]]:
    """Return the statements that make a node, with the question who records at their head."""
    lines, functions = node_lines(op, mask)
    leaf, more = node_lines(op, mask, leaf=True)
    operands = _tuple([f"x{i}" for i in range(op.arity)])
    head = [
        "current = recorder()",
        f"if current is not None: return current.node(op, {operands})",
        "if not building():",
        *_indent(leaf),
    ]
    return ["if switches:", *_indent(head), *lines], functions | more


def _tuple(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _coerce(name: str) -> list[str]:
    return [
        f"if type({name}) is not float:",
        f"    if type({name}) is int and -{SMALL} < {name} < {SMALL}:",
        f"        {name} = float({name})",
        "    else:",
        f"        {name} = number({name})",
        f"        if {name} is NotImplemented: return {name}",
    ]


def _indent(lines: Sequence[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _compile(
    op: Operation,
    parameters: Sequence[str],
    lines: Sequence[str],
    environment: dict[str, Any],
) -> Callable[..., Any]:
    """Compile printed lines into a function named after the operation.

    Its text is left in `linecache`, where tracebacks, debuggers and `inspect.getsource` look.
    """
    taken = keyword.iskeyword(op.name) or op.name in environment or op.name in parameters
    name = op.name if op.name.isidentifier() and not taken else "printed"
    source = "\n".join([f"def {name}({', '.join(parameters)}):", *_indent(lines)]) + "\n"
    file = f"<printed from scalargrad.ops.{op.name}, {crc32(source.encode()):08x}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace = dict(environment)
    exec(compile(source, file, "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    function.__name__ = op.name
    function.__doc__ = op.__doc__
    return function
