"""The states of optimisers and schedules, as a target of fuzzing: loaded whole or not at all."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from typing import Any

from scalargrad import Parameter, optim
from scalargrad.errors import ScalargradError
from scalargrad.optim import lr_scheduler as schedules
from scalargrad.train.checkpoint import decoded, encoded

Part = Any  # an optimiser or a schedule


def state(data: bytes) -> None:
    """Load a state into the part that the bytes name, and take a step from there."""
    try:
        content = json.loads(data)
        name, found = content["part"], decoded(content["state"])
        made = PARTS[name]
    except (ValueError, LookupError, TypeError, RecursionError, AttributeError):
        return  # no state of a part at all
    loads(made, found)


def loads(made: Callable[[], tuple[Part, optim.Optimizer]], found: Any) -> bool:
    """Return whether a state is loaded; what is refused changes nothing, what is not can go on."""
    part, optimizer = made()
    before = repr((part.state_dict(), optimizer.state_dict()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            part.load_state_dict(found)
        except ScalargradError:
            after = repr((part.state_dict(), optimizer.state_dict()))
            assert after == before, "a refused state was half applied"
            return False
        other, _ = made()
        other.load_state_dict(part.state_dict())
        assert repr(other.state_dict()) == repr(part.state_dict()), "a state is not its own"
        _go_on(part, optimizer)
    return True


def _go_on(part: Part, optimizer: optim.Optimizer) -> None:
    """Take steps from a state; numbers that are far too large may overflow, and say so."""
    try:
        for _ in range(2):
            _step(part, optimizer)
    except ScalargradError:
        return
    numbers = [p.data for group in optimizer.param_groups for p in group["params"]]
    assert all(type(x) is float for x in numbers), "a parameter is no float"


def _step(part: Part, optimizer: optim.Optimizer) -> None:
    for group in optimizer.param_groups:
        for p in group["params"]:
            p.grad = 0.5
    optimizer.step()
    if isinstance(part, schedules.ReduceLROnPlateau):
        part.step(1.0)
    elif part is not optimizer:
        part.step()


def _optimizer(kind: Callable[..., optim.Optimizer], **options: Any) -> Callable[[], Any]:
    def made() -> tuple[Part, optim.Optimizer]:
        groups = [{"params": [Parameter(1.0), Parameter(2.0)]}, {"params": [Parameter(3.0)]}]
        optimizer = kind(groups, lr=0.1, **options)
        return optimizer, optimizer

    return made


def _schedule(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Callable[[], Any]:
    def made() -> tuple[Part, optim.Optimizer]:
        optimizer = optim.SGD([Parameter(1.0)], lr=0.1, momentum=0.9)
        return kind(optimizer, *arguments, **options), optimizer

    return made


def _in_turn(optimizer: optim.Optimizer) -> schedules.SequentialLR:
    parts = [schedules.ConstantLR(optimizer), schedules.ExponentialLR(optimizer, 0.9)]
    return schedules.SequentialLR(optimizer, parts, [2])


def _at_once(optimizer: optim.Optimizer) -> schedules.ChainedScheduler:
    parts = [schedules.StepLR(optimizer, 2), schedules.ExponentialLR(optimizer, 0.9)]
    return schedules.ChainedScheduler(parts)


PARTS: dict[str, Callable[[], tuple[Part, optim.Optimizer]]] = {
    "SGD": _optimizer(optim.SGD, momentum=0.9, nesterov=True),
    "Adagrad": _optimizer(optim.Adagrad, lr_decay=0.1),
    "Adam": _optimizer(optim.Adam, amsgrad=True),
    "AdamW": _optimizer(optim.AdamW),
    "RMSprop": _optimizer(optim.RMSprop, momentum=0.5, centered=True),
    "SparseAdam": _optimizer(optim.SparseAdam),
    "ConstantLR": _schedule(schedules.ConstantLR),
    "CosineAnnealingLR": _schedule(schedules.CosineAnnealingLR, 5),
    "CosineAnnealingWarmRestarts": _schedule(schedules.CosineAnnealingWarmRestarts, 3, 2),
    "ExponentialLR": _schedule(schedules.ExponentialLR, 0.9),
    "LambdaLR": _schedule(schedules.LambdaLR, lambda epoch: math.exp(-epoch)),
    "LinearLR": _schedule(schedules.LinearLR),
    "MultiStepLR": _schedule(schedules.MultiStepLR, [2, 4]),
    "OneCycleLR": _schedule(schedules.OneCycleLR, 0.5, total_steps=9),
    "PolynomialLR": _schedule(schedules.PolynomialLR, 5),
    "ReduceLROnPlateau": _schedule(schedules.ReduceLROnPlateau, patience=0),
    "StepLR": _schedule(schedules.StepLR, 2),
    "SequentialLR": _schedule(_in_turn),
    "ChainedScheduler": _schedule(_at_once),
}


def written(name: str) -> bytes:
    """Return the state of a part after three steps, as the bytes that spell it."""
    part, optimizer = PARTS[name]()
    for _ in range(3):
        _step(part, optimizer)
    return json.dumps({"part": name, "state": encoded(part.state_dict(), "state")}).encode()
