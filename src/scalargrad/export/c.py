"""C: a program as a function of C99 that needs nothing but <math.h>, and its header.

Its loops run over a block of memory, as those of compiled calls do, and have the same digits.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from importlib.resources import files
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import LINE, Floats
from scalargrad.compiler.nests.c_printer import number_text, print_c
from scalargrad.compiler.nests.compile_nests import Scheduled, scheduled, written
from scalargrad.compiler.nests.lowering import Lowered
from scalargrad.export.program import Exported, layout
from scalargrad.version import __version__

#: The most numbers of a workspace on the stack; a larger one is static.
ON_THE_STACK = 1024
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

    def printed(lowered: Lowered) -> tuple[Scheduled, str]:
        found = scheduled(lowered, lanes=False)
        return found, print_c(found.body, found.plan, f"{exported.name}_loops")

    return around_loops(exported, *written(exported.recorded, printed))


def around_loops(exported: Exported, loops: Scheduled, text: str) -> Source:
    """Return the C that calls loops: it copies their inputs in and their results out.

    Parameters
    ----------
    exported : Exported
    loops : Scheduled
    text : str
        The source, or a declaration, of the function ``NAME_loops``.
    """
    memory, name, results = loops.plan.initial_memory(), exported.name, len(exported.outputs)
    is_large = len(memory) > ON_THE_STACK
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
    """Return the initializer of memory: numbers other than 0, each with its cell."""
    (cells,) = memory.view(np.int64).nonzero()
    numbers = ", ".join(f"[{k}] = {number_text(memory[k])}" for k in cells)
    return f" = {{\n{textwrap.fill(numbers or '0.0', 100)}}}"


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
