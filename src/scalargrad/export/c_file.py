"""C: a program as a function of C99 that needs nothing but <math.h>, and its header."""

from __future__ import annotations

import re
import textwrap

from scalargrad.compiler.array_types import LINE
from scalargrad.compiler.nests.c_printer import print_c
from scalargrad.compiler.nests.compile_nests import Scheduled
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.pack import pack
from scalargrad.compiler.passes.program import without_dead_nodes
from scalargrad.export.c_header import ON_THE_STACK, header
from scalargrad.export.c_operations import initial_code
from scalargrad.export.c_packed import PackedStatements
from scalargrad.export.c_statements import Statements, is_single
from scalargrad.export.exported import Exported
from scalargrad.version import __version__

#: Programs of more nodes are written packed; so many single statements compile in a second.
UNPACKED = 4000

_PARAMETERS = {"in": "const double *in", "m": "double *m", "out": "double *out"}


def c_files(exported: Exported) -> dict[str, str]:
    """Return the texts of the ``.c`` and the ``.h`` file."""
    loops = exported.loops
    is_large = loops is not None or len(exported.program) > UNPACKED
    before, after = list[str](), list[str]()
    written: Statements | LoopStatements | PackedStatements
    if not is_large and all(map(is_single, exported.program.ops)):
        written = _single_statements(exported)
    else:
        program = pack(exported.program) if loops is None else loops
        written = (
            PackedStatements(program)
            if isinstance(program, Packed)
            else LoopStatements(program, f"{exported.name}_loops")
        )
        before, after = _copies(exported, program)
    static = is_large or written.cells > ON_THE_STACK
    text = _source(exported, written, before, after, static=static)
    return {".c": text, ".h": header(exported, written.cells, always_static=static)}


def _copies(exported: Exported, program: Packed | Scheduled) -> tuple[list[str], list[str]]:
    """Return what copies inputs to memory, and what copies the outputs from there."""
    first = 0 if isinstance(program, Packed) else LINE
    found, results = first + program.outputs.start, len(exported.outputs)
    copy = f"for (long i = 0; i < {program.inputs}; i++) m[{first} + i] = in[i];"
    before = [copy] * bool(program.inputs)
    after = [f"for (long i = 0; i < {results}; i++) out[i] = m[{found} + i];"]
    for k, outcome in enumerate(exported.outcomes):
        after.append(_guard(exported, outcome).format(f"m[{found + results + k}]"))
    inner = 0 if isinstance(program, Packed) else first + program.outputs.start + program.results
    if inner < first + program.outputs.stop:  # that are computed with: none may be nan unseen
        every = f"for (long i = {inner}; i < {first + program.outputs.stop}; i++)"
        after.append(f"double sum = 0.0;\n{every} sum += 0.0 * m[i];")
        after.append(f"for (long i = 0; i < {results}; i++) if (sum != 0.0) out[i] = NAN;")
    return before, after


def _guard(exported: Exported, outcome: bool) -> str:
    """Return what notes that a number, ``{}``, takes another way than the recorded one."""
    return f"if ({{}} {'==' if outcome else '!='} 0.0) out[{len(exported.outputs)}] = 0.0;"


class LoopStatements:
    """The loops of a program as a function, and its call.

    Attributes
    ----------
    bodies : list of str
    functions : dict from str to str
        The source of the function, by name.
    cells : int
        The size of the memory.
    initial : str
        What it holds at first.
    """

    def __init__(self, program: Scheduled, name: str) -> None:
        text, self.cells = print_c(program.body, program.plan, name, static=True)
        memory = program.plan.begun(self.cells)
        self.cells, self.initial = len(memory), initial_code(memory)
        self.functions, self.bodies = {name: text.rstrip()}, [f"{name}(m);"]


def _single_statements(exported: Exported) -> Statements:
    """Return the statements of a program, each output written as soon as it is known."""
    program, lines = without_dead_nodes(exported.program), dict[int, list[str]]()
    written = [f"out[{k}] = {{}};" for k in range(len(exported.outputs))]
    written += [_guard(exported, outcome) for outcome in exported.outcomes]
    for node, line in zip(program.outputs, written, strict=True):
        lines.setdefault(node, []).append(line)
    return Statements(program, lines)


def _source(
    exported: Exported,
    written: Statements | LoopStatements | PackedStatements,
    before: list[str],
    after: list[str],
    *,
    static: bool,
) -> str:
    """Return the text of the C file: helper functions, and the function that calls them."""
    name, results = exported.name, len(exported.outputs)
    functions, bodies = [*written.functions.values()], written.bodies
    memory = f"{'static ' * static}double m[{written.cells}]{written.initial};"
    body = [*[memory] * (written.cells > 0), *before]
    if exported.outcomes:
        body.append(f"out[{results}] = 1.0;")
        fill = f"for (long i = 0; i < {results}; i++) out[i] = NAN;"
        after = [*after, f"if (out[{results}] == 0.0) {fill}"]
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
