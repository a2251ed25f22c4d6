"""C: a program as a function of C99 that needs nothing but <math.h>, and its header.

A program that repeats is loops over a block of memory. Others have a statement for each operation,
in functions of bounded size: a number that is only read in the function that computes it is a local
variable there, others are cells of the workspace ``m``.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats
from scalargrad.compiler.nests.c_printer import print_c
from scalargrad.compiler.nests.compile_nests import Scheduled
from scalargrad.compiler.passes.kinds import PRODUCTS
from scalargrad.compiler.passes.partial import Partial, expression_of
from scalargrad.compiler.passes.program import Program, without_dead_nodes
from scalargrad.export.exported import Exported
from scalargrad.export.naming import layout
from scalargrad.table.c import CPrinter, number_code
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import Symbol
from scalargrad.version import __version__

#: A workspace of at most this many numbers is on the stack.
ON_THE_STACK = 8192
#: About how many lines a function has at most: compilers take more than linear time over one.
_LINES = 400
#: The terms of a sum in a line.
_TERMS = 4
#: Fewer zeros than this between numbers in memory are written.
_GAP = 8
_HEADER = """\
/* {name}: a function recorded by scalargrad {version}.
 *
 * It reads {inputs} numbers and writes {outputs}, which must not overlap. Numbers follow IEEE 754:
 * outside a domain they are nan or infinite, too large ones infinite.{note}{memory}{target}
 *
 * in, {inputs} numbers:
{ins}
 *
 * out, {outputs} numbers:
{outs}
 */
#ifndef {upper}_H
#define {upper}_H

#define {upper}_INPUTS {inputs}
#define {upper}_OUTPUTS {outputs}

#ifdef __cplusplus
extern "C" {{
#endif

void {name}(const double *in, double *out);

#ifdef __cplusplus
}}
#endif

#endif
"""

_NOTE = """
 *
 * The function takes another way for some numbers. The last number of out is 1 where it takes the
 * one that was recorded, and 0 where it does not; then all others are nan."""

_MEMORY = """
 *
 * It computes in {bytes:,} bytes of static memory: call it from one thread at a time."""

_TARGET = """
 *
 * The code is for {target}, and for processors that can do all that this one can."""

_PARAMETERS = {"in": "const double *in", "m": "double *m", "out": "double *out"}


def c_files(exported: Exported) -> dict[str, str]:
    """Return the texts of the ``.c`` and the ``.h`` file."""
    written = _statements(exported) if exported.loops is None else Loops(exported, exported.loops)
    static = written.cells > ON_THE_STACK or exported.loops is not None
    text = _source(exported, written, static=static)
    return {".c": text, ".h": header(exported, written.cells * static)}


class Loops:
    """The loops of a program as a function, its call, and the copies before and after it.

    Attributes
    ----------
    bodies, before, after : list of str
        Statements.
    functions : dict from str to str
        The source of the function, by name.
    cells : int
        The size of the memory.
    initial : str
        What it holds at first.
    """

    def __init__(self, exported: Exported, loops: Scheduled) -> None:
        name = f"{exported.name}_loops"
        text, cells = print_c(loops.body, loops.plan, name, static=True)
        memory = loops.plan.begun(cells)
        self.cells, self.initial = len(memory), _initial_code(memory)
        self.functions, self.bodies = {name: text.rstrip()}, [f"{name}(m);"]
        first, results = LINE + loops.outputs.start, loops.results
        copy = f"for (long i = 0; i < {loops.inputs}; i++) m[{LINE} + i] = in[i];"
        self.before = [copy] * bool(loops.inputs)
        self.after = [f"for (long i = 0; i < {results}; i++) out[i] = m[{first} + i];"]
        inner, stop = first + results, LINE + loops.outputs.stop
        if inner < stop:  # that are computed with: none may be nan unseen
            every = f"for (long i = 0; i < {len(exported.outputs)}; i++)"
            self.after += [
                f"double sum = 0.0;\nfor (long i = {inner}; i < {stop}; i++) sum += 0.0 * m[i];",
                f"{every} if (sum != 0.0) out[i] = NAN;",
            ]


def _statements(exported: Exported) -> Statements:
    """Return the statements of a program, each output written as soon as it is known."""
    program, lines = without_dead_nodes(exported.program), dict[int, list[str]]()
    for k, node in enumerate(program.outputs):
        lines.setdefault(node, []).append(f"out[{k}] = {{}};")
    return Statements(program, lines)


class Statements:
    """The statements of a program.

    Parameters
    ----------
    results : mapping
        For nodes, lines to write as soon as they are known, with ``{}`` for the number.

    Attributes
    ----------
    bodies : list of str
    functions : dict from str to str
        The sources of the functions that they need, by name.
    cells : int
        How large the workspace is.
    before, after : sequences of str
        Statements before and after them: none.
    initial : str
        What it holds at first: anything.
    """

    before: Sequence[str] = ()
    after: Sequence[str] = ()
    initial = ""

    def __init__(self, program: Program, results: Mapping[int, Sequence[str]]) -> None:
        self._program = program
        self._codes: dict[Elementwise | Partial, str] = {}
        self.functions: dict[str, str] = {}
        self._names = {k: self._plain(k) for k in {*range(program.inputs), *program.constants}}
        parts = self._parts()
        reads = ((x, node) for node, args in enumerate(program.args) for x in args)
        kept = {x for x, node in reads if x not in self._names and parts[x] < parts[node]}
        self._names |= {x: f"m[{k}]" for k, x in enumerate(sorted(kept))}
        self.cells = len(kept)
        found: list[list[str]] = [[] for _ in range(max(parts, default=0) + 1)]
        for node, part in enumerate(parts):
            if node not in self._names or node in kept:
                found[part].append(self._statement(node))
            found[part] += [line.format(self._names[node]) for line in results.get(node, ())]
        self.bodies = ["\n".join(lines) for lines in found]

    def _plain(self, node: int) -> str:
        """Return an input or constant as C."""
        if node < self._program.inputs:
            return f"in[{node}]"
        code = number_code(self._program.constants[node])
        return f"({code})" if code.startswith("-") else code

    def _parts(self) -> list[int]:
        """Return the function in which each node is computed."""
        parts, part, lines = [], 0, 0
        for node, args in enumerate(self._program.args):
            if lines > _LINES:
                part, lines = part + 1, 0
            parts.append(part)
            lines += 0 if node in self._names else 1 + len(args) // (2 * _TERMS)
        return parts

    def _statement(self, node: int) -> str:
        """Return the statement that computes a node."""
        op, names = self._program.ops[node], self._names
        read = [names[x] for x in self._program.args[node]]
        if op is PRODUCTS:
            code = self._sum(self._program.args[node])
        else:
            assert isinstance(op, Elementwise | Partial), f"{op.name} has been left in a program"
            code = self._code(op).format(*read)
        if node in names:
            return f"{names[node]} = {code};"
        names[node] = f"v{node}"
        return f"const double v{node} = {code};"

    def _sum(self, args: Sequence[int]) -> str:
        names, one = self._names, self._program.one
        pairs = zip(args[::2], args[1::2], strict=True)
        terms = (names[a] if b == one else f"{names[a]} * {names[b]}" for a, b in pairs)
        lines = []
        while some := [*islice(terms, _TERMS)]:
            lines.append(" + ".join(some))
        return "\n    + ".join(lines)

    def _code(self, op: Elementwise | Partial) -> str:
        """Return an operation on ``{0}``, ``{1}``, … as C; a long one is a call of a function."""
        if op not in self._codes:
            self._codes[op] = self._written(op)
        return self._codes[op]

    def _written(self, op: Elementwise | Partial) -> str:
        symbols, expression = expression_of(op)
        names = {symbol: f"{{{k}}}" for k, symbol in enumerate(symbols)}
        if isinstance(expression, Symbol) and all(
            x in names or not isinstance(x, Symbol) for x in expression.operands
        ):
            return CPrinter(names, self.functions).print(expression)
        base = f"sg_{op.name}" if isinstance(op, Elementwise) else f"sg_{op.op.name}_d{op.index}"
        parameters = [f"x{k}" for k in range(len(symbols))]
        printer = CPrinter(dict(zip(symbols, parameters, strict=True)), self.functions)
        printer.plan([expression])
        result = printer.print(expression)
        declared = ", ".join(f"double {x}" for x in parameters)
        lines = [*printer.take_lines(), f"return {result};"]
        body = "\n".join(f"  {line}" for line in lines)
        self.functions[base] = f"static double {base}({declared}) {{\n{body}\n}}"
        return f"{base}({', '.join(names.values())})"


def _source(exported: Exported, written: Statements | Loops, *, static: bool) -> str:
    """Return the text of the C file: helper functions, and the function that calls them."""
    name, results = exported.name, len(exported.outputs)
    functions, bodies = [*written.functions.values()], written.bodies
    after = [*written.after]
    memory = f"{'static ' * static}double m[{written.cells}]{written.initial};"
    body = [*[memory] * (written.cells > 0), *written.before]
    if exported.is_guarded:
        fill = f"for (long i = 0; i < {results}; i++) out[i] = NAN;"
        after.append(f"if (out[{results}] == 0.0) {fill}")
    for k, text in enumerate(bodies if len(bodies) > 1 else ()):
        used = [x for x in _PARAMETERS if re.search(rf"\b{x}\b", text)]
        declared = ", ".join(_PARAMETERS[x] for x in used) or "void"
        functions.append(_function(f"static void {name}_{k}({declared})", text))
        body.append(f"{name}_{k}({', '.join(used)});")
    body += [*([] if len(bodies) > 1 else bodies), *after]
    text = "\n".join(body)
    body += [f"(void){x};" for x in ("in", "out") if not re.search(rf"\b{x}\b", text)]
    functions.append(_function(f"void {name}(const double *in, double *out)", "\n".join(body)))
    opening = f'/* Written by scalargrad {__version__}: see {name}.h */\n#include "{name}.h"\n'
    return "\n\n".join([f"{opening}\n#include <math.h>", *functions]) + "\n"


def _function(head: str, body: str) -> str:
    return f"{head} {{\n{textwrap.indent(body, '  ')}\n}}"


def _initial_code(memory: Floats) -> str:
    """Return what memory is declared to hold: numbers other than 0, each group after its cell."""
    (cells,) = memory.view(np.int64).nonzero()
    parts = np.split(cells, np.flatnonzero(np.diff(cells) > _GAP) + 1) if len(cells) else []
    bounds = [(int(part[0]), int(part[-1]) + 1) for part in parts]
    groups = [f"[{a}] =\n{_rows_of(map(number_code, memory[a:b].tolist()))}" for a, b in bounds]
    return " = {\n" + ",\n".join(groups) + "}" if groups else " = {0.0}"


def _rows_of(items: Iterable[str]) -> str:
    """Return numbers, eight in a line."""
    listed = list(items)
    lines = [", ".join(listed[k : k + 8]) for k in range(0, len(listed), 8)]
    return "  " + ",\n  ".join(lines)


# The header ---------------------------------------------------------------------------------------


def header(exported: Exported, cells: int, target: str = "") -> str:
    """Return the text of the header.

    Parameters
    ----------
    exported : Exported
    cells : int
        How many numbers of static memory it computes in.
    target : str
        The processor that machine code is for; empty for C.
    """
    outputs = [*exported.outputs, *["whether the recorded way was taken"] * exported.is_guarded]
    return _HEADER.format(
        name=exported.name,
        upper=exported.name.upper(),
        version=__version__,
        inputs=len(exported.inputs),
        outputs=len(outputs),
        note=_NOTE if exported.is_guarded else "",
        memory=_MEMORY.format(bytes=8 * cells) if cells else "",
        target=_TARGET.format(target=target) if target else "",
        ins=_listed(exported.inputs),
        outs=_listed(outputs),
    )


def _listed(names: Sequence[str]) -> str:
    lines = [line.replace("*/", "* /").replace("/*", "/ *") for line in layout(names)]
    return "\n".join(f" *   {line}" for line in lines or ["none"])
