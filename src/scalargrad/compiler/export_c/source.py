"""The C source of an exported program, and its header.

The function copies its inputs into memory, calls the loops, and copies the results out:

    double m[32] = {…};
    for (long i = 0; i < 1; i++) m[8 + i] = in[i];
    square_loops(m);
    for (long i = 0; i < 2; i++) out[i] = m[16 + i];
"""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats
from scalargrad.compiler.export_c.program import ExportedProgram
from scalargrad.compiler.nests.c_printer import number_text, print_c
from scalargrad.compiler.nests.compile_nests import Scheduled, choose, scheduled
from scalargrad.compiler.nests.lowering import Lowered
from scalargrad.version import __version__


def layout(names: Sequence[str], most: int = 200) -> list[str]:
    """Format a layout as lines; consecutive numbers of one container share a line.

    Examples
    --------
    >>> layout(["w[0][0]", "w[0][1]", "w[1][0]", "w[1][1]", "b"])
    ['0 to 3: w[0][0] to w[1][1]', '4: b']
    """
    lines: list[str] = []
    start = 0
    for _, group in itertools.groupby(names, lambda name: re.sub(r"\[\d+\]", "[]", name)):
        first, *others = group
        stop = start + len(others)
        lines.append(
            f"{start} to {stop}: {first} to {others[-1]}" if others else f"{start}: {first}"
        )
        start = stop + 1
    if len(lines) <= most:
        return lines
    return [*lines[: most - 1], f"… and so on, to {len(names) - 1}: {names[-1]}"]


#: Maximum size of a workspace on the stack, in numbers; a larger one is static.
MAX_STACK_NUMBERS = 1024
_HEADER = files(__package__).joinpath("header.h.txt").read_text(encoding="utf-8")

_NOTE = """
 *
 * The function has other branches for some numbers. The last number of out is 1 if the recorded
 * branch was taken, and 0 otherwise; then all other numbers are nan."""

_MEMORY = """
 *
 * It uses {bytes:,} bytes of static memory: call it from one thread at a time."""

_TARGET = """
 *
 * The code is for {target}, and for processors with all features of the one it was made on."""


class Source(NamedTuple):
    """The text of a C file, and the size of its static memory, in numbers."""

    text: str
    static_size: int


def c_source(exported: ExportedProgram) -> Source:
    """Render a program as C."""

    def printed(lowered: Lowered) -> tuple[Scheduled, str]:
        found = scheduled(lowered, lanes=False)
        return found, print_c(found.body, found.plan, f"{exported.name}_loops")

    return around_loops(exported, *choose(exported.recorded, printed)[0])


def around_loops(exported: ExportedProgram, loops: Scheduled, text: str) -> Source:
    """Render the C function that copies inputs in, calls the loops, and copies results out.

    Parameters
    ----------
    exported : ExportedProgram
        The program.
    loops : Scheduled
        Its loops.
    text : str
        The source or the declaration of the function ``NAME_loops``.
    """
    memory, name, results = loops.plan.initial_memory(), exported.name, len(exported.outputs)
    is_large = len(memory) > MAX_STACK_NUMBERS
    first = LINE + loops.outputs.start
    lines = [
        f"void {name}(const double *in, double *out) {{",
        f"{'static ' * is_large}double m[{len(memory)}]{_initial_code(memory)};",
        f"for (long i = 0; i < {loops.inputs}; i++) m[{LINE} + i] = in[i];",
        f"{name}_loops(m);",
        f"for (long i = 0; i < {loops.results}; i++) out[i] = m[{first} + i];",
    ]
    if exported.is_guarded:
        taken = f"out[{results}] == 0.0"
        lines.append(f"for (long i = 0; {taken} && i < {results}; i++) out[i] = NAN;")
    head = f'/* Written by scalargrad {__version__}: see {name}.h */\n#include "{name}.h"\n'
    return Source("\n".join([head, text, *lines, "}\n"]), len(memory) * is_large)


def _initial_code(memory: Floats) -> str:
    """Render the initializer of memory: numbers other than 0 with their indices."""
    (indices,) = memory.view(np.int64).nonzero()
    numbers = ", ".join(f"[{k}] = {number_text(memory[k])}" for k in indices)
    return f" = {{\n{textwrap.fill(numbers or '0.0', 100)}}}"


# The header ---------------------------------------------------------------------------------------


def header(exported: ExportedProgram, static_size: int, target: str = "") -> str:
    """Render the header.

    Parameters
    ----------
    exported : ExportedProgram
        The program.
    static_size : int
        Size of its static memory, in numbers.
    target : str
        The processor that the machine code is for; "" for C.
    """
    outputs = [*exported.outputs, *["whether the recorded branch was taken"] * exported.is_guarded]
    return _HEADER.format(
        name=exported.name,
        upper=exported.name.upper(),
        version=__version__,
        inputs=len(exported.inputs),
        outputs=len(outputs),
        note=_NOTE if exported.is_guarded else "",
        memory=_MEMORY.format(bytes=8 * static_size) if static_size else "",
        target=_TARGET.format(target=target) if target else "",
        ins=_format_layout(exported.inputs),
        outs=_format_layout(outputs),
    )


def _format_layout(names: Sequence[str]) -> str:
    lines = [line.replace("*/", "* /").replace("/*", "/ *") for line in layout(names)]
    return "\n".join(f" *   {line}" for line in lines or ["none"])
