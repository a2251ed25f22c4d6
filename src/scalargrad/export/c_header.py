"""The header of an exported function: its declaration, and the layout of inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.export.exported import Exported
from scalargrad.export.naming import layout
from scalargrad.version import __version__

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
