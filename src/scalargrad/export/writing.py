"""Write a compiled function to a file, in the format that the suffix of its path names."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import OperandError
from scalargrad.export.c import c_files
from scalargrad.export.library import machine_code
from scalargrad.export.program import exported
from scalargrad.system.files import file_path, write_atomically
from scalargrad.system.short_repr import shortened, shown

#: Words of C and C++, and the functions of <math.h>.
_TAKEN = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while main in out class delete new template this
    acos acosh asin asinh atan atan2 atanh cbrt ceil copysign cos cosh erf erfc exp exp2 expm1 fabs
    fdim floor fma fmax fmin fmod frexp hypot ilogb ldexp lgamma llrint llround log log10 log1p
    log2 logb lrint lround modf nan nearbyint nextafter pow remainder remquo rint round scalbn sin
    sinh sqrt tan tanh tgamma trunc
    """.split()  # noqa: SIM905 - read more easily
)
_SUFFIXES = (".c", ".o", ".so")


def write(
    compiled: Jitted[Any, Any],
    path: str | os.PathLike[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[Path]:
    """Write the program of a compiled function for such arguments; see `Jitted.export`."""
    target = Path(file_path(path))
    called = shortened(str(path))
    name, kind = target.stem, target.suffix
    if kind not in _SUFFIXES:
        raise OperandError(f"{called} ends in {shown(kind)}: end it in .c, .o or .so")
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in _TAKEN:
        raise OperandError(
            f"{called} would name a function {shown(name)}, which C does not allow: use a letter, "
            "then letters, digits and _, and no keyword or function of C"
        )
    program = exported(compiled, name, args, kwargs)
    files = c_files(program) if kind == ".c" else machine_code(program, kind)
    return [write_atomically(target.with_suffix(end), files[end]) for end in files]
