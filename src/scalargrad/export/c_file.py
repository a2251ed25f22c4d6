"""C: a program as a function of C99 that needs nothing but <math.h>, and its header."""

from __future__ import annotations

import re
import textwrap

from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.packing.instructions import Packed
from scalargrad.compiler.packing.pack import pack
from scalargrad.compiler.passes.program import without_dead_nodes
from scalargrad.export.c_header import ON_THE_STACK, header
from scalargrad.export.c_looped import LoopedStatements, initial
from scalargrad.export.c_packed import PackedStatements, memory_of
from scalargrad.export.c_parts import Parts
from scalargrad.export.c_statements import CStatement, Statements
from scalargrad.export.exported import Exported
from scalargrad.version import __version__

#: Programs of more nodes are written packed; so many single statements compile in a second.
_UNPACKED = 4000


def c_files(exported: Exported) -> dict[str, str]:
    """Return the texts of the ``.c`` and the ``.h`` file."""
    if exported.loops is not None:
        return _looped_files(exported, exported.loops)
    if len(exported.program) > _UNPACKED:
        return _packed_files(exported)
    statements = _statements(exported)
    parts = Parts(statements)
    return {".c": _source(exported, statements, parts), ".h": header(exported, parts.cells)}


def _packed_files(exported: Exported) -> dict[str, str]:
    """Return the texts of both files for a packed program."""
    packed = pack(exported.program)
    statements = PackedStatements(packed)
    functions = [*statements.functions.values(), memory_of(packed)]
    text = _text(exported, *_in_memory(exported, packed, statements.bodies, functions))
    return {".c": text, ".h": header(exported, len(packed.memory), always_static=True)}


def _looped_files(exported: Exported, loops: Looped) -> dict[str, str]:
    """Return the texts of both files for a program of loops."""
    statements = LoopedStatements(loops)
    functions = [*statements.functions.values(), initial(loops)]
    functions, body = _in_memory(exported, loops, statements.bodies, functions)
    inner = loops.inner
    if inner:  # gradients that are compared, or computed with: none may be nan unseen
        count = len(exported.outputs)
        every = f"for (long i = {inner.start}; i < {inner.stop}; i++)"
        body.append(f"double sum = 0.0;\n{every} sum += 0.0 * m[i];")
        body.append(f"for (long i = 0; i < {count}; i++) if (sum != 0.0) out[i] = NAN;")
    text = _text(exported, functions, body)
    return {".c": text, ".h": header(exported, loops.cells, always_static=True)}


def _in_memory(
    exported: Exported, program: Packed | Looped, bodies: list[str], functions: list[str]
) -> tuple[list[str], list[str]]:
    """Return functions of static memory with these bodies besides others, and what calls them."""
    name, functions = exported.name, [*functions]
    body = [f"for (long i = 0; i < {program.inputs}; i++) m[i] = in[i];"] if program.inputs else []
    for k, text in enumerate(bodies):
        functions.append(_function(f"static void {name}_{k}(void)", text))
        body.append(f"{name}_{k}();")
    found, results = program.outputs.start, len(exported.outputs)
    body.append(f"for (long i = 0; i < {results}; i++) out[i] = m[{found} + i];")
    if exported.outcomes:
        body.append(f"out[{results}] = 1.0;")
    for k, outcome in enumerate(exported.outcomes, found + results):
        body.append(f"if (m[{k}] {'==' if outcome else '!='} 0.0) out[{results}] = 0.0;")
    return functions, body


def _statements(exported: Exported) -> Statements:
    """Return the statements of a program, each output written as soon as it is known."""
    program = without_dead_nodes(exported.program)
    statements = Statements(program)
    wanted: dict[int, list[str]] = {}
    for k, node in enumerate(program.outputs):
        guard = k - len(exported.outputs)
        code = f"out[{k}] = {{0}};"
        if guard >= 0:
            sign = "==" if exported.outcomes[guard] else "!="
            code = f"if ({{0}} {sign} 0.0) out[{len(exported.outputs)}] = 0.0;"
        wanted.setdefault(node, []).append(code)
    for node in range(len(program)):
        if not statements.is_plain(node):
            statements.add(node)
        for code in wanted.get(node, ()):
            statements.listed.append(CStatement(code, (node,)))
    return statements


def _source(exported: Exported, statements: Statements, parts: Parts) -> str:
    """Return the text of the C file."""
    name, functions = exported.name, [*statements.functions.values()]
    static = "static " if parts.cells > ON_THE_STACK else ""
    body = [f"{static}double m[{parts.cells}];"] if parts.cells else []
    results = len(exported.outputs)
    if exported.outcomes:
        body.append(f"out[{results}] = 1.0;")
    if len(parts.bodies) == 1:
        body.append(parts.bodies[0])
    else:
        for k, text in enumerate(parts.bodies):
            used = [x for x in _PARAMETERS if re.search(rf"\b{x}\b", text)]
            declared = ", ".join(_PARAMETERS[x] for x in used)
            functions.append(_function(f"static void {name}_{k}({declared})", text))
            body.append(f"{name}_{k}({', '.join(used)});")
    return _text(exported, functions, body)


def _text(exported: Exported, functions: list[str], body: list[str]) -> str:
    """Return the text of the C file: helper functions, and the function that calls them."""
    name, results = exported.name, len(exported.outputs)
    if exported.outcomes:
        fill = f"for (long i = 0; i < {results}; i++) out[i] = NAN;"
        body.append(f"if (out[{results}] == 0.0) {fill}")
    text = "\n".join(body)
    body += [f"(void){x};" for x in ("in", "out") if not re.search(rf"\b{x}\b", text)]
    functions.append(_function(f"void {name}(const double *in, double *out)", "\n".join(body)))
    opening = f'/* Written by scalargrad {__version__}: see {name}.h */\n#include "{name}.h"\n'
    return "\n\n".join([f"{opening}\n#include <math.h>", *functions]) + "\n"


_PARAMETERS = {"in": "const double *in", "m": "double *m", "out": "double *out"}


def _function(head: str, body: str) -> str:
    return f"{head} {{\n{textwrap.indent(body, '  ')}\n}}"
