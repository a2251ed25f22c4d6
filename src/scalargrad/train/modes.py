"""Choose whether the steps of a run are eager or compiled."""

from __future__ import annotations

import importlib.util
from typing import Any

from scalargrad.compiler.jit_mode import is_jit_disabled
from scalargrad.errors import TraceError
from scalargrad.optim import Optimizer
from scalargrad.system.packages import needed
from scalargrad.train.eager_steps import Eager
from scalargrad.train.run_parts import RunParts
from scalargrad.train.users_code import is_foreign

#: What a user's class of optimiser may override: `fit` asks for it where the parameters have been
#: written back. Array updates bypass the rest, or it would find the parameters of an earlier epoch.
_HARMLESS = {"add_param_group", "load_state_dict", "state_dict"}


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
    known = {*dir(ours), "defaults", "param_groups", "state"} - _HARMLESS
    own = [name for x in kind.__mro__ if is_foreign(x) for name in vars(x)]
    own += {*dir(kind)}.intersection(vars(optimizer))
    changed = [name for name in own if name in known and not name.startswith("__")]
    return f"{kind.__name__} has its own {changed[0]}" if changed else ""
