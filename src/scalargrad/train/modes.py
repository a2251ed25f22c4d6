"""Choose whether the steps of a run are eager or compiled."""

from __future__ import annotations

import importlib.util
from typing import Any

from scalargrad.compiler.jit_mode import is_jit_disabled
from scalargrad.errors import TraceError
from scalargrad.optim import Optimizer
from scalargrad.system.packages import needed
from scalargrad.train.eager_steps import Eager
from scalargrad.train.objective import is_foreign
from scalargrad.train.run_parts import RunParts

#: Optimiser methods that a user's class must not override: array updates bypass some, and the
#: others would find the parameters as they were before the epoch.
_METHODS = (
    *("step", "_moved", "_visited", "zero_grad"),
    *("rule", "next_group", "check", "first_state", "has_state", "is_sparse"),
)


def mode_of(parts: RunParts) -> Eager:
    """Return the object that takes the steps of a run: eager or compiled.

    Raises
    ------
    TraceError
        With `jit`, if the optimiser is not one that can be recorded.
    MissingPackageError
        With `jit`, if NumPy is not installed.
    """
    if is_jit_disabled():
        return Eager()
    jit = parts.jit
    reason = "" if jit is False else _obstacle(parts.optimizer)
    if reason and jit:
        raise TraceError(f"fit(…, jit=True) cannot record a step: {reason}")
    if jit is False or reason or (jit is None and importlib.util.find_spec("numpy") is None):
        return Eager()
    with needed("jit=True needs"):
        from scalargrad.train.compiled import Compiled
    return Compiled(parts)


def _obstacle(optimizer: Any) -> str:
    """Return why an optimiser's steps cannot be recorded; empty if they can."""
    kind = type(optimizer)
    if not isinstance(optimizer, Optimizer):
        return (
            f"its rule is hidden inside {kind.__name__}, which is not a scalargrad.optim.Optimizer"
        )
    ours = next(x for x in kind.__mro__ if not is_foreign(x))
    changed = [
        name
        for name in _METHODS
        if getattr(kind, name) is not getattr(ours, name) or name in vars(optimizer)
    ]
    return f"{kind.__name__} has a {changed[0]} of its own" if changed else ""
