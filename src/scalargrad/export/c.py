"""C: a program as a function of C99 that needs nothing but <math.h>, and its header.

A program that repeats is loops over a block of memory. Others have a few statements for each
operation, in functions of bounded size. Both are written as compiled calls are, operation by
operation, so they have the same digits.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats
from scalargrad.compiler.backend.llvm.emitter import Operand
from scalargrad.compiler.backend.llvm.operations import DESCRIBED, apply, can_write
from scalargrad.compiler.nests.c_printer import HEAD, CBody, CEmitter, used
from scalargrad.compiler.nests.compile_nests import Scheduled
from scalargrad.compiler.nests.equations import CLASSES, SEQUENTIAL
from scalargrad.compiler.passes.kinds import PRODUCTS
from scalargrad.compiler.passes.partial import Partial, expression_of, subexpressions
from scalargrad.compiler.passes.program import without_dead_nodes
from scalargrad.errors import TraceError
from scalargrad.export.program import Exported, layout
from scalargrad.table.operation import Elementwise
from scalargrad.version import __version__

#: A workspace of at most this many numbers is on the stack.
ON_THE_STACK = 8192
#: About how many operations a function has at most: compilers take more than linear time over one.
_OPERATIONS = 300
#: Fewer zeros than this between numbers in memory are written.
_GAP = 8
_HEADER = files(__package__).joinpath("header.h.txt").read_text(encoding="utf-8")

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


class Source(NamedTuple):
    """The text of a C file, and how many numbers of static memory it computes in."""

    text: str
    cells: int


def c_source(exported: Exported) -> Source:
    """Return a program as C."""
    if exported.loops is None:
        return straight_line(exported)
    loops, text, cells = exported.loops
    return around_loops(exported, loops, text.removeprefix(HEAD), cells)


def _file(exported: Exported, functions: Sequence[str], body: Sequence[str]) -> str:
    """Return the text of a C file: functions, then the one that calls them."""
    name, results = exported.name, len(exported.outputs)
    lines = [*body]
    if exported.is_guarded:
        lines.append(f"for (long i = 0; out[{results}] == 0.0 && i < {results}; i++) out[i] = NAN;")
    main = _function(f"void {name}(const double *in, double *out)", "\n".join(lines))
    parts = ["\n".join(functions), main]
    helpers = HEAD if "int64_t" in parts[0] else "#include <math.h>\n"
    opening = f'/* Written by scalargrad {__version__}: see {name}.h */\n#include "{name}.h"\n'
    return "\n".join([opening, helpers, *filter(None, parts)])


def _function(head: str, body: str) -> str:
    """Return a function; parameters that it does not read are said to be there."""
    unread = [x for x in re.findall(r"\*(\w+)", head) if not re.search(rf"\b{x}\b", body)]
    text = "\n".join([*(f"(void){x};" for x in unread), body])
    return f"{head} {{\n{textwrap.indent(text, '  ')}\n}}\n"


# Loops --------------------------------------------------------------------------------------------


def around_loops(exported: Exported, loops: Scheduled, text: str, cells: int) -> Source:
    """Return the C that calls loops: it copies their inputs in and their results out.

    Parameters
    ----------
    exported : Exported
    loops : Scheduled
    text : str
        The source, or a declaration, of the function ``NAME_loops`` of so many `cells` of memory.
    cells : int
    """
    memory = loops.plan.begun(cells)
    first, inner = LINE + loops.outputs.start, LINE + loops.outputs.start + loops.results
    body = [
        f"static double m[{len(memory)}]{_initial_code(memory)};",
        f"for (long i = 0; i < {loops.inputs}; i++) m[{LINE} + i] = in[i];",
        f"{exported.name}_loops(m);",
        f"for (long i = 0; i < {loops.results}; i++) out[i] = m[{first} + i];",
    ]
    stop = LINE + loops.outputs.stop
    if inner < stop:  # numbers that others are computed from: none may be nan unseen
        every = f"for (long i = 0; sum != 0.0 && i < {len(exported.outputs)}; i++)"
        body += [
            f"double sum = 0.0;\nfor (long i = {inner}; i < {stop}; i++) sum += 0.0 * m[i];",
            f"{every} out[i] = NAN;",
        ]
    return Source(_file(exported, [text], body), len(memory))


def _initial_code(memory: Floats) -> str:
    """Return what memory is declared to hold: numbers other than 0, each group after its cell."""
    (cells,) = memory.view(np.int64).nonzero()
    if not len(cells):
        return " = {0.0}"
    parts = np.split(cells, np.flatnonzero(np.diff(cells) > _GAP) + 1)
    groups = []
    for part in parts:
        numbers = ", ".join(map(number_code, memory[part[0] : part[-1] + 1].tolist()))
        groups.append(f"[{part[0]}] =\n{textwrap.fill(numbers, 100)}")
    return " = {\n" + ",\n".join(groups) + "}"


# Straight-line code -------------------------------------------------------------------------------


class Statements(CEmitter):
    """Writes operations as C; a long one is a call of a function, which is written once."""

    def __init__(self, functions: dict[str, str]) -> None:
        super().__init__(CBody())
        self.functions = functions
        self.inline = False

    def number(self, x: Operand) -> str:
        """Return an operand as text."""
        return x if isinstance(x, str) else number_code(x)

    def shared(self, name: str, write: Callable[..., str], operands: Sequence[Operand]) -> str:
        """Call a function, which `write` prints at its first call."""
        full = "sg_" + re.sub(r"\W", "_", name)
        if full not in self.functions:
            e = Statements(self.functions)
            names = [f"x{k}" for k in range(len(operands))]
            result = write(e, *names)
            e.body.line(f"return {e.number(result)};")
            declared = ", ".join(f"double {x}" for x in names)
            head = f"static double {full}({declared})"
            self.functions[full] = _function(head, "\n".join(e.lines()))
        return self.intrinsic(full, *operands)

    def lines(self) -> list[str]:
        """Return the statements."""
        return [x.removeprefix("  ") for x in used(self.body.lines().split("\n")[1:])]

    def operation(self, op: Elementwise | Partial, operands: Sequence[Operand]) -> Operand:
        """Return an operation of numbers."""
        if not can_write(op):
            raise TraceError(
                f"{op.name} cannot be written in C, which knows the operations of scalargrad "
                "alone: write it as an expression of them"
            )
        parts = sum(x.op is not None for x in subexpressions(expression_of(op)[1]))
        if op.name in DESCRIBED or parts <= 1:
            return apply(self, op, *operands)
        name = op.name if isinstance(op, Elementwise) else f"{op.op.name}_d{op.index}"
        return self.shared(name, lambda e, *xs: apply(e, op, *xs), operands)

    def sum_of_products(self, terms: Sequence[tuple[Operand, Operand]]) -> Operand:
        """Return a sum of products, in the order of all sums."""
        if len(terms) > SEQUENTIAL:
            parts = [self.sum_of_products(terms[k::CLASSES]) for k in range(CLASSES)]
            return self.sum_of_products([(x, 1.0) for x in parts])
        total: Operand | None = None
        for x, y in terms:
            if total is None:
                total = x if y == 1.0 else self.mul(x, y)
            else:
                total = self.add(total, x) if y == 1.0 else self.fma(x, y, total)
        return -0.0 if total is None else total


def straight_line(exported: Exported) -> Source:
    """Return a program as C, operation by operation, each output as soon as it is known.

    What is read in another function than the one that computes it is in the workspace ``m``.
    """
    program = without_dead_nodes(exported.program)
    known: dict[int, Operand] = {k: f"in[{k}]" for k in range(program.inputs)}
    known.update(program.constants)
    places: dict[int, list[str]] = {}
    for k, node in enumerate(program.outputs):
        places.setdefault(node, []).append(f"out[{k}]")
    written = np.cumsum([0 if k in known else 1 + len(x) // 2 for k, x in enumerate(program.args)])
    parts = (written // _OPERATIONS).tolist()
    reads = ((x, node) for node, args in enumerate(program.args) for x in args)
    kept = sorted({x for x, node in reads if x not in known and parts[x] < parts[node]})
    cells = {node: f"m[{k}]" for k, node in enumerate(kept)}
    functions: dict[str, str] = {}
    bodies: list[str] = []
    node = 0
    for part in sorted({*parts}):
        e = Statements(functions)
        while node < len(program) and parts[node] == part:
            if node not in known:
                op, args = program.ops[node], [known[x] for x in program.args[node]]
                if op is PRODUCTS:
                    known[node] = e.sum_of_products([*zip(args[::2], args[1::2], strict=True)])
                else:
                    known[node] = e.operation(op, args)  # type: ignore[arg-type]
            for place in [*places.get(node, ()), *([cells[node]] if node in cells else ())]:
                e.store(known[node], place)
            node += 1
        known.update({x: cell for x, cell in cells.items() if x < node})
        bodies.append("\n".join(e.lines()))
    memory = "static " * (len(cells) > ON_THE_STACK) + f"double m[{len(cells)}];"
    texts, body = [*functions.values()], bodies
    if len(bodies) > 1:
        head = "(const double *in, double *m, double *out)"
        names = [f"{exported.name}_{k}" for k in range(len(bodies))]
        texts += [
            _function(f"static void {x}{head}", y) for x, y in zip(names, bodies, strict=True)
        ]
        body = [memory, *(f"{x}(in, m, out);" for x in names)]
    return Source(_file(exported, texts, body), len(cells) * (len(cells) > ON_THE_STACK))


def number_code(value: float) -> str:
    """Write a number exactly, as C.

    Examples
    --------
    >>> number_code(0.1), number_code(float("-inf"))
    ('0.1', '(-INFINITY)')
    """
    code = repr(float(value)).replace("inf", "INFINITY").replace("nan", "NAN")
    return f"({code})" if code.startswith("-") else code


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
