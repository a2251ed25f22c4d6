"""What a compiled function has recorded, for those who look into it, as tests do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.call.specialization import Specialization
from scalargrad.compiler.jitted import Jitted
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown


def programs_of(compiled: Callable[..., Any]) -> list[Specialization]:
    """Return what calls of a compiled function have recorded: a program for each way they went.

    Parameters
    ----------
    compiled : callable
        What `jit` returned. Calls that are evaluated eagerly have recorded nothing.

    Returns
    -------
    list of Specialization
        Those for arguments of one shape together, the latest first. ``path.function.recorded`` is
        the program as it was recorded, and ``path.function.values.nests`` what a call runs.

    Raises
    ------
    OperandError
        If it is not a compiled function.

    Examples
    --------
    >>> from scalargrad import jit
    >>> leaky = jit(lambda x: x if x > 0 else 0.1 * x)
    >>> leaky(3.0), leaky(4.0)  # a way through a branch is compiled if the next call takes it
    (3.0, 4.0)
    >>> print(programs_of(leaky)[0].function.recorded)
    %0 = input  ←
    %1 = 0.0
    %2 = gt(%0, %1)  ←
    """
    if not isinstance(compiled, Jitted):
        raise OperandError(f"{shown(compiled)} is not a compiled function: give what jit returned")
    return compiled.all_paths()
