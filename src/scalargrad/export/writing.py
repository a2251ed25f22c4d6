"""Write a compiled function to a file, in the format that the suffix of its path names."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import OperandError
from scalargrad.export.c_file import c_files
from scalargrad.export.exported import Exported, exported
from scalargrad.export.object_file import object_file, shared_library
from scalargrad.system.files import file_path, write_atomically
from scalargrad.system.short_repr import shortened, shown
from scalargrad.table.c import LIBM

_KEYWORDS = frozenset(
    """
    auto break case char const continue default do double else enum extern float for goto if
    inline int long register restrict return short signed sizeof static struct switch typedef
    union unsigned void volatile while main in out class delete new template this
    """.split()  # noqa: SIM905 - read more easily
)
_WRITERS: dict[str, Callable[[Exported], Mapping[str, str | bytes]]] = {
    ".c": c_files,
    ".o": object_file,
    ".so": shared_library,
}


def write(
    compiled: Jitted[Any, Any],
    path: str | os.PathLike[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> list[Path]:
    """Write the program of a compiled function for such arguments; see `Jitted.export`."""
    target = Path(file_path(path))
    called = shortened(str(path))
    if target.suffix not in _WRITERS:
        known = ", ".join(_WRITERS)
        raise OperandError(f"{called} ends in {shown(target.suffix)}: end it in one of {known}")
    name = target.stem
    if not re.fullmatch(r"[A-Za-z]\w*", name, re.ASCII) or name in _KEYWORDS | LIBM:
        raise OperandError(
            f"{called} would name a function {shown(name)}, which C does not allow: use a letter, "
            "then letters, digits and _, and no keyword or function of C"
        )
    files = _WRITERS[target.suffix](exported(compiled, name, args, kwargs))
    return [
        write_atomically(target.with_suffix(suffix), x if isinstance(x, bytes) else x.encode())
        for suffix, x in files.items()
    ]
