"""Compile all steps of a scan as one function, for gradients through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.compiler.backend.choice import has_llvm
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.jitted import Jitted
from scalargrad.grad_mode import is_grad_enabled

#: The fewest steps of a scan that is compiled as a whole, and the most nodes of all its steps.
_STEPS, _NODES = 50, 1_000_000
#: The most nodes of one step; longer ones are called one by one.
_LONGEST = 200


def can_be_whole(count: int) -> bool:
    """Return whether a scan of so many steps may be compiled as one function."""
    return count >= _STEPS and is_grad_enabled() and has_llvm()


def is_plain(paths: Sequence[Path], count: int) -> bool:
    """Return whether a step has one short path with gradients and without random draws."""
    if len(paths) != 1:
        return False
    (path,) = paths
    short = path.recorded <= min(_LONGEST, _NODES // count)
    return short and path.differentiable and not path.outcomes and not path.draws


def whole_scan(
    f: Jitted[..., Any], repeated: Callable[..., Any], length: int | None
) -> Jitted[..., Any]:
    """Return a compiled function of `init` and `xs` that makes all steps of a scan.

    Parameters
    ----------
    f : Jitted
        The step; the compiled scan is kept in its ``scans``.
    repeated : callable
        ``repeated(f, init, xs, length)`` calls the step for one entry after the other.
    length : int or None
        The number of steps, needed without `xs`.
    """
    if length not in f.scans:

        def whole(init: Any, xs: Any) -> Any:
            return repeated(f, init, xs, length)

        whole.__name__ = whole.__qualname__ = f"scan of {getattr(f, '__name__', 'a step')}"
        f.scans[length] = Jitted(whole)
    return f.scans[length]
