"""Eager evaluation: Python code, generated from the trace of an operation and compiled.

`compile_floats` generates a function from floats to a float. `compile_nodes` generates a function
that also creates the node: data, parents and local gradients; the partials of operands that are
plain numbers are never evaluated. The generated code of ``x * 3.0`` is, in short,

    a0 = x0.data
    y = a0 * x1
    node = new(Node)
    node.data = y
    node.op = op
    node.parents = (x0, x1)
    node.local_grads = (x1, None)
    return node

Generation takes tens of microseconds, once for each operation. The generated code takes a tenth of
the time of the definition itself.
"""

from __future__ import annotations

import functools
import keyword
import linecache
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias
from zlib import crc32

from scalargrad.checks.numbers import SMALL, float_of
from scalargrad.codegen.code_printer import PythonPrinter
from scalargrad.codegen.formulas import Expression
from scalargrad.engine.active_derivatives import register_leaf
from scalargrad.engine.branch_log import record_comparison
from scalargrad.engine.grad_mode import builds_graphs
from scalargrad.engine.recorder import active_modes, recorder
from scalargrad.opdef.declaration import Operation
from scalargrad.opdef.symbol import Symbol

#: An operation of fixed arity: the class in `table.operation`, which imports this module.
FixedArityOperation: TypeAlias = Any
#: For each operand, True if it is a node.
Mask = tuple[bool, ...]


def compile_floats(op: FixedArityOperation, checked: bool = True) -> Callable[..., float]:
    """Return `op` as a function of floats, in which only the check of its domain can raise."""
    names = [f"a{i}" for i in range(op.arity)]
    printer = PythonPrinter(dict(zip(op.operand_symbols, names, strict=True)))
    lines = _domain_check(op, printer, names) if checked else []
    computed, [value] = printer.statements([op.value_expression])
    lines += [*computed, f"return {value}"]
    return _compile(op, names, lines, {**printer.functions, "check": op.check_domain})


def apply_without_graph(
    op: Operation, operands: tuple[Any, ...], node_class: type, checked: bool = True
) -> Any:
    """Apply an operation without building a graph; return None if a graph is to be built.

    A recorder records the operation. If gradients are disabled, the result is a leaf.
    """
    current = recorder()
    if current is not None:
        return current.node(op, operands)
    return None if builds_graphs() else op.make_node(operands, node_class, checked, leaf=True)


def compile_nodes(
    op: FixedArityOperation, mask: Mask, node_class: type, checked: bool = True, leaf: bool = False
) -> Callable[..., Any]:
    """Return a function of operands that creates the node of `op`; a `leaf` stores no operands."""
    operands = [f"x{i}" for i in range(op.arity)]
    lines, functions = node_lines(op, mask, checked, leaf)
    return _compile(op, operands, lines, {**functions, **_environment(op, node_class)})


def node_lines(
    op: FixedArityOperation, mask: Mask, checked: bool = True, leaf: bool = False
) -> tuple[list[str], dict[str, Any]]:
    """Return statements that create the node of `op` from operands x0, x1, … and return it.

    The second result contains the functions that the statements call, by name.
    """
    data = [f"a{i}" if is_node else f"x{i}" for i, is_node in enumerate(mask)]
    printer = PythonPrinter(dict(zip(op.operand_symbols, data, strict=True)))
    pairs = () if leaf else zip(op.partial_expressions, mask, strict=True)
    needed = [p for p, is_node in pairs if is_node]
    printer.plan([op.value_expression, *needed])
    nodes = [i for i, is_node in enumerate(mask) if is_node]
    lines = [f"a{i} = x{i}.data" for i in nodes]
    lines += [f"if type(a{i}) is not float: a{i} = float_of(x{i})" for i in nodes]
    if checked:
        lines += _domain_check(op, printer, [f"x{i}" for i in range(op.arity)])
    value = _value_lines(printer, op.value_expression)
    if leaf:
        return [*lines, *value, *_NODE, *_LEAF], printer.functions
    remaining = iter(needed)
    partials = [next(remaining) if is_node else None for is_node in mask]
    parents = _tuple([f"x{i}" for i in range(op.arity)])
    creation = _creation_lines(printer, op.result_symbol, partials, parents)
    return [*lines, *value, *creation], printer.functions


#: Statements that create a node with the value y.
_NODE = ["node = new(Node)", "node.data = y", "node.grad = 0.0", "node.label = ''"]
#: Statements that make the node a leaf, and return it.
_LEAF = ["node.op = None; node.parents = node.local_grads = ()", "return register_leaf(node)"]


def _value_lines(printer: PythonPrinter, value: Expression) -> list[str]:
    """Return statements that compute the value, y."""
    code = printer.print(value)
    return [*printer.take_lines(), f"y = {code}"]


def _creation_lines(
    printer: PythonPrinter,
    result: Symbol,
    partials: Sequence[Expression | None],
    parents: str,
    *,
    constants: Sequence[str] = (),
) -> list[str]:
    """Return statements that create the node with the value y and return it.

    `partials` contains None for an operand without a partial. `constants` contains, for each
    operand, the code of a condition under which it has none.
    """
    printer.names[result] = "y"
    local_grads = ["None" if p is None else printer.print(p) for p in partials]
    if constants:
        pairs = zip(constants, local_grads, strict=True)
        local_grads = [f"None if {constant} else {p}" for constant, p in pairs]
    lines = [*printer.take_lines(), *_NODE, "node.op = op", f"node.parents = {parents}"]
    return [*lines, f"node.local_grads = {_tuple(local_grads)}", "return node"]


def compile_operator(op: FixedArityOperation, node_class: type) -> Callable[..., Any]:
    """Return `op`, of one or two operands, as a method of `node_class`.

    The code that creates the node is inlined after one type check, because a function call would
    take a third of the time of an addition. It begins with the check of the active modes.
    """
    lines, functions = _method_lines(op, (True,) * op.arity)
    if op.arity == 1:
        return _compile(op, ["x0"], lines, {**functions, **_environment(op, node_class)})
    forward, more = _method_lines(op, (True, False))
    lines = ["if isinstance(x1, Node):", *_indent(lines), *_coerce("x1"), *forward]
    return _compile(op, ["x0", "x1"], lines, {**functions, **more, **_environment(op, node_class)})


def compile_reflected(op: FixedArityOperation, node_class: type) -> Callable[..., Any]:
    """Return `op` as the reflected method of `node_class`, whose first operand is a number."""
    reflected, functions = _method_lines(op, (False, True))
    lines = [*_coerce("x0"), *reflected]
    return _compile(op, ["x1", "x0"], lines, {**functions, **_environment(op, node_class)})


def compile_comparison(op: FixedArityOperation, node_class: type) -> Callable[..., Any]:
    """Return a comparison as the method for its operator, which returns a bool."""
    assert op.comparison is not None
    lines = [
        "if active_modes and (current := recorder()) is not None:",
        "    return current.compared(op, x0, x1)",
        "a0, a1 = x0.data, x1",
        "if type(a0) is not float: a0 = float_of(x0)",
        "if isinstance(x1, Node): a1 = float_of(x1)",
        "elif type(a1) is not float and type(a1) is not int:",
        "    a1 = x1 = number(x1)",
        "    if a1 is NotImplemented: return a1",
        f"return record_comparison(op, x0, x1, {op.comparison.template.format('a0', 'a1')})",
    ]
    return _compile(
        op,
        ["x0", "x1"],
        lines,
        {**_environment(op, node_class), "record_comparison": record_comparison},
    )


#: Maximum number of operands for which code of a reduction is unrolled, which is twice as fast.
UNROLLED = 64


def compile_reduction(
    op: Operation, arity: int, node_class: type, fallback: Callable[..., Any] | None = None
) -> Callable[..., Any]:
    """Return a function of a tuple of `arity` operands that creates the node of a reduction.

    With a `fallback`, the code is generated for nodes alone and calls `fallback` if there are other
    operands; without one, it is generated for nodes and floats. `make_reduction` is used for many
    operands, and if the data of a node must be converted.
    """
    general = functools.partial(make_reduction, op, node_class)
    if arity > UNROLLED:
        return general
    result, operands, partials = op.trace_partials(arity)
    data = [f"a{i}" for i in range(arity)]
    printer = PythonPrinter(dict(zip(operands, data, strict=True)))
    are_floats = "type(y) is float"  # then all terms of a sum or product are floats
    try:
        value = op.function(operands)
    except TypeError:  # it compares numbers, so the definition itself is called
        are_floats = f"{{*map(type, {_tuple(data)})}} == {{float}}"
        value = Symbol()
        printer.names[value] = f"function({_tuple(data)})"
    printer.plan([value, *partials])
    names = [f"x{i}" for i in range(arity)]
    constants = [] if fallback else [f"type({x}) is float" for x in names]
    read = "{0}.data" if fallback else "{0} if type({0}) is float else {0}.data"
    computation = [f"{', '.join(names)}, = operands"]
    computation += [f"a{i} = {read.format(x)}" for i, x in enumerate(names)]
    computation += _value_lines(printer, value)
    lines = ["try:", *_indent(computation)]
    lines += ["except AttributeError: return fallback(operands)"]
    lines += ["except (TypeError, OverflowError): return general(operands)"]
    lines += [f"if not ({are_floats}): return general(operands)"]
    lines += _creation_lines(printer, result, partials, "operands", constants=constants)
    own = {"function": op.function, "general": general, "fallback": fallback or general}
    return _compile(op, ["operands"], lines, printer.functions | _environment(op, node_class) | own)


def make_reduction(
    op: Operation, node_class: type, operands: tuple[Any, ...], leaf: bool = False
) -> Any:
    """Create the node of a reduction, by its definition on floats."""
    try:
        data: list[float] = [operand.data for operand in operands]
        are_nodes = {*map(type, data)} == {float}  # NumPy's scalars have a `data`, not a float
    except AttributeError:
        are_nodes = False
    if not are_nodes:
        operands = tuple([x if isinstance(x, node_class) else op.as_operand(x) for x in operands])
        data = [float_of(x) if isinstance(x, node_class) else x for x in operands]
    node: Any = object.__new__(node_class)
    node.data = result = op.function(data)
    node.grad = 0.0
    node.label = ""
    if leaf:
        node.op = None
        node.parents = node.local_grads = ()
        return register_leaf(node)
    partials: Sequence[float | None] = op.partials(result, data)
    if not are_nodes:
        partials = [
            p if isinstance(x, node_class) else None
            for p, x in zip(partials, operands, strict=True)
        ]
    node.op = op
    node.parents = operands
    node.local_grads = tuple(partials)
    return node


def _environment(op: Operation, node_class: type) -> dict[str, Any]:
    return {
        "op": op,
        "Node": node_class,
        "new": object.__new__,
        "active_modes": active_modes,
        "recorder": recorder,
        "building": builds_graphs,
        "register_leaf": register_leaf,
        "check": op.check_domain,
        "number": op.coerce_other,
        "float_of": float_of,
    }


def _domain_check(
    op: FixedArityOperation, printer: PythonPrinter, operands: Sequence[str]
) -> list[str]:
    if op.valid_expression is None:
        return []
    condition = printer.condition(op.valid_expression)
    return [*printer.take_lines(), f"if not ({condition}): check({', '.join(operands)})"]


def _method_lines(op: FixedArityOperation, mask: Mask) -> tuple[list[str], dict[str, Any]]:
    """Return statements that check the active modes, then create a node and return it."""
    lines, functions = node_lines(op, mask)
    leaf, more = node_lines(op, mask, leaf=True)
    operands = _tuple([f"x{i}" for i in range(op.arity)])
    head = [
        "current = recorder()",
        f"if current is not None: return current.node(op, {operands})",
        "if not building():",
        *_indent(leaf),
    ]
    return ["if active_modes:", *_indent(head), *lines], functions | more


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
    """Compile generated lines into a function named after the operation.

    Its source is stored in `linecache` for tracebacks, debuggers and `inspect.getsource`.
    """
    taken = keyword.iskeyword(op.name) or op.name in environment or op.name in parameters
    name = op.name if op.name.isidentifier() and not taken else "generated"
    source = "\n".join([f"def {name}({', '.join(parameters)}):", *_indent(lines)]) + "\n"
    file = f"<generated from scalargrad.ops.{op.name}, {crc32(source.encode()):08x}>"
    linecache.cache[file] = len(source), None, source.splitlines(keepends=True), file
    namespace = dict(environment)
    exec(compile(source, file, "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    function.__name__ = op.name
    function.__doc__ = op.__doc__
    return function
