"""Choose whether the steps of a run are eager or compiled."""

from __future__ import annotations

import importlib.util
from typing import Any

from scalargrad.compiler.jit_mode import is_jit_disabled
from scalargrad.errors import TraceError
from scalargrad.optim import Optimizer
from scalargrad.system.packages import needed
from scalargrad.train.eager_steps import Eager
from scalargrad.train.examples import Examples
from scalargrad.train.gradient_clipping import Limits
from scalargrad.train.objective import Objective

#: Optimiser methods that a subclass must not override, since array updates bypass them.
_REPLACED = ("step", "_moved", "_visited", "zero_grad")


def mode_of(
    jit: bool | None,
    optimizer: Any,
    objective: Objective,
    data: tuple[Examples, Examples | None, int],
    *,
    gradient: bool,
    visited: bool,
    limits: Limits,
) -> Eager:
    """Return the object that takes the steps: eager or compiled.

    Parameters
    ----------
    jit : bool or None
        As for `fit`.
    optimizer : object
        What moves the parameters.
    objective : Objective
    data : (Examples to train on, Examples held out or None, batch size)
    gradient, visited : bool
    limits : Limits
        As for `Compiled`.

    Raises
    ------
    TraceError
        With True, if the optimiser is not one that can be recorded.
    MissingPackageError
        With True, if NumPy is not installed.
    """
    if is_jit_disabled():
        return Eager()
    reason = "" if jit is False else _obstacle(optimizer)
    if reason and jit:
        raise TraceError(f"fit(…, jit=True) cannot record a step: {reason}")
    if jit is False or reason or (jit is None and importlib.util.find_spec("numpy") is None):
        return Eager()
    with needed("jit=True needs"):
        from scalargrad.train.compiled import Compiled
    return Compiled(
        optimizer,
        objective,
        *data,
        gradient=gradient,
        visited=visited,
        at_once=bool(jit),
        limits=limits,
    )


def _obstacle(optimizer: Any) -> str:
    """Return why an optimiser's steps cannot be recorded; empty if they can."""
    kind = type(optimizer)
    if not isinstance(optimizer, Optimizer):
        return (
            f"its rule is hidden inside {kind.__name__}, which is not a scalargrad.optim.Optimizer"
        )
    changed = [
        name
        for name in _REPLACED
        if getattr(kind, name) is not getattr(Optimizer, name) or name in vars(optimizer)
    ]
    if changed:
        return f"{kind.__name__} has a {changed[0]} of its own"
    if not optimizer.takes_arrays:
        return f"the rule of {kind.__name__} is none of scalargrad.optim.rules, which take arrays"
    return ""
