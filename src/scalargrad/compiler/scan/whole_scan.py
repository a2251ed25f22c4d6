"""Compile a whole scan as one function, for gradients through all of its steps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.jitted import Jitted
from scalargrad.grad_mode import is_grad_enabled

#: The fewest steps of a scan that is recorded as a whole, and the most nodes it may have.
_STEPS, _NODES = 50, 1_000_000
#: Steps of more nodes are called one by one.
_LONGEST = 200


def can_be_whole(count: int) -> bool:
    """Return whether this many steps may be recorded as one program."""
    return count >= _STEPS and is_grad_enabled() and has_llvm()


def is_plain(paths: Sequence[Path], count: int) -> bool:
    """Return whether steps all go one way, short and without chance, and have gradients."""
    if len(paths) != 1:
        return False
    (path,) = paths
    short = path.recorded <= min(_LONGEST, _NODES // count)
    return short and path.differentiable and not path.outcomes and not path.draws


def whole_scan(
    f: Jitted[..., Any], scan: Callable[..., Any], length: int | None
) -> Jitted[..., Any]:
    """Return the scan of a step as a compiled function of what is carried and given.

    Parameters
    ----------
    f : Jitted
        The step, which keeps what is made of it.
    scan : callable
        ``scan(f, init, xs, length)``.
    length : int or None
        The number of steps, if what is given does not tell.
    """
    if length not in f.scans:

        def whole(init: Any, xs: Any) -> Any:
            return scan(f, init, xs, length)

        whole.__name__ = whole.__qualname__ = f"scan of {getattr(f, '__name__', 'a step')}"
        f.scans[length] = Jitted(whole)
    return f.scans[length]
