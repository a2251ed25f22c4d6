"""The settings of a run as text, which must be the same when it is resumed from a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import partial
from types import FunctionType
from typing import Any

from scalargrad.losses import Loss
from scalargrad.optim import Optimizer
from scalargrad.optim.lr_scheduler import LRScheduler
from scalargrad.train.examples import Examples
from scalargrad.train.history import spread
from scalargrad.train.run_parts import RunParts
from scalargrad.value import Value

#: How many examples are compared, evenly spread over all.
_LOOKED_AT = 10_000
_DIGITS = 12


def conditions(run: RunParts) -> dict[str, Any]:
    """Return the settings of a run as text, by name.

    Lambdas and other functions of one name are told apart by the names and constants they use.
    """
    objective = run.objective
    return {
        "number of examples": len(run.train.inputs),
        "training examples": _digest(run.train),
        "number of held-out examples": len(run.held_out.inputs) if run.held_out else 0,
        "held-out examples": _digest(run.held_out) if run.held_out else None,
        "batch_size": run.batch_size,
        "shuffle": run.shuffle,
        "seed": run.seed,
        "loss": described(objective.loss),
        "regularizer": described(objective.regularizer),
        "metrics": ", ".join(f"{name}={described(f)}" for name, f in objective.metrics.items()),
        "optimizer": type(run.optimizer).__name__,
        **_options(run),
        "scheduler": described(run.scheduler),
        "patience": run.patience is not None,
        "clip_grad_norm": run.limits.norm,
        "clip_grad_value": run.limits.value,
        "gradient_tolerance": run.wants_gradient,
    }


def _options(run: RunParts) -> dict[str, Any]:
    """Return the options of the optimiser as they were before a schedule changed the rate."""
    if not isinstance(run.optimizer, Optimizer):
        return {}
    found: dict[str, Any] = {}
    for i, group in enumerate(run.optimizer.param_groups):
        behind = f" of group {i}" if len(run.optimizer.param_groups) > 1 else ""
        options = {**group, "lr": group.get("initial_lr", group["lr"])}
        if run.scheduler is not None and "initial_lr" not in group:
            del options["lr"]
        kept = {name: x for name, x in options.items() if name not in _NO_OPTIONS}
        found |= {f"{name}{behind}": x for name, x in kept.items()}
    return found


_NO_OPTIONS = {"params", "step", "initial_lr"}


def differences(saved: Any, here: dict[str, Any]) -> str:
    """Describe the differences; empty if there are none.

    Examples
    --------
    >>> differences({"lr": 0.1, "seed": 0}, {"lr": 0.01, "seed": 0})
    'lr was 0.1 and is 0.01'
    """
    if not isinstance(saved, dict):
        return "it does not say what it was made with"
    names = [*here, *(name for name in saved if name not in here)]
    return ", ".join(
        f"the {name} are others"
        if name in _DIGESTS
        else f"{name} was {_worded(saved.get(name))} and is {_worded(here.get(name))}"
        for name in names
        if saved.get(name) != here.get(name)
    )


def _worded(setting: Any) -> str:
    return "none" if setting == "" else str(setting)


_DIGESTS = {"training examples", "held-out examples"}


def described(part: Any) -> str:
    """Return text that identifies a function or an object, the same in every process.

    Examples
    --------
    >>> from scalargrad.losses import HuberLoss, mse_loss
    >>> described(mse_loss), described(HuberLoss(delta=2.0))
    ('mse_loss', "HuberLoss(reduction='mean', delta=2.0)")
    """
    if isinstance(part, partial):
        given = [*map(described, part.args)]
        given += [f"{name}={described(x)}" for name, x in part.keywords.items()]
        return f"{described(part.func)}({', '.join(given)})"
    if isinstance(part, FunctionType):
        own = part.__module__.partition(".")[0] == "scalargrad"
        return part.__qualname__ + ("" if own else f" #{_code(part)}")
    if part is None or isinstance(part, bool | int | float | str | Loss | LRScheduler):
        return str(part)
    return type(part).__qualname__


def _code(function: FunctionType) -> str:
    code = function.__code__
    plain = [x for x in code.co_consts if isinstance(x, bool | int | float | complex)]
    return _hash([repr((code.co_names, plain))])


def _digest(data: Examples) -> str:
    rows = spread(len(data.inputs), _LOOKED_AT)
    return _hash(text for i in rows for x in (data.inputs[i], data.targets[i]) for text in _text(x))


def _text(x: Any) -> Iterator[str]:
    """Yield the numbers and texts of an example; of other objects, their type."""
    if isinstance(x, dict):
        yield "{"
        for pair in x.items():
            yield from _text(pair)
    elif isinstance(x, list | tuple):
        yield "["
        for part in x:
            yield from _text(part)
        yield "]"
    elif isinstance(x, bool | int | float | str | None):
        yield repr(x)
    else:
        yield repr(x.data) if isinstance(x, Value) else type(x).__qualname__


def _hash(parts: Any) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part.encode("utf-8", "surrogatepass"))
        found.update(b" ")
    return found.hexdigest()[:_DIGITS]
