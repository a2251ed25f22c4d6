"""Which parts of a run are a user's code, which may keep or change anything between two steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scalargrad.nn import Module
from scalargrad.optim.lr_scheduler import LambdaLR


def is_foreign(part: object) -> bool:
    """Return whether what `fit` calls may keep or change anything; scalargrad's own does not."""
    return part is not None and not all(map(_is_own, [part, getattr(part, "__self__", part)]))


def _is_own(part: object) -> bool:
    module = getattr(part, "__module__", None) or type(part).__module__
    return module.partition(".")[0] == "scalargrad"


def runs_between_epochs(
    model: Module, metrics: Mapping[str, Any], held_out: Any, schedule: Any
) -> bool:
    """Return whether a user's metric, schedule or switch of modes runs after each epoch."""
    switches = held_out is not None and _has_foreign_switch(model)
    return switches or any(map(is_foreign, metrics.values())) or _calls_back(schedule)


def _has_foreign_switch(model: Module) -> bool:
    """Return whether `train` and `eval` run code of a user's, here or in a module inside."""
    parts = model.modules()
    switches = [model.eval, *(part.train for part in parts)]
    if not all(_is_own(getattr(x, "__func__", x)) for x in switches):
        return True
    kinds = {type(part) for part in parts}
    setters = [(kind.__setattr__, isinstance(kind.training, bool)) for kind in kinds]
    return any(x != (Module.__setattr__, True) for x in setters)


def _calls_back(schedule: Any) -> bool:
    """Return whether a schedule, or a part of it, is or calls the code of a user."""
    if is_foreign(schedule) or isinstance(schedule, LambdaLR):
        return True
    own = getattr(schedule, "__dict__", {})  # such as a step that was put around that of the class
    parts = own.get("schedulers", ())
    return not own.keys().isdisjoint(dir(type(schedule))) or any(map(_calls_back, parts))
