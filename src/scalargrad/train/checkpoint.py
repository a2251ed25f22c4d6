"""Checkpoints: everything that a training run needs to continue as if it had never stopped.

A checkpoint is JSON text: reading one can give numbers, text and lists, and never runs code.
Python writes a float with the digits that give back the same float, so nothing is rounded. A
digest of the content tells a damaged file from a whole one, down to a single digit.
"""

from __future__ import annotations

import copy
import hashlib
import json
import random
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any

from scalargrad.errors import StateError
from scalargrad.losses import Loss
from scalargrad.optim import Optimizer
from scalargrad.optim.lr_scheduler import LRScheduler
from scalargrad.system.files import write_atomically
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import flag
from scalargrad.train.examples import Examples
from scalargrad.train.history import History, spread
from scalargrad.train.settings import Settings
from scalargrad.train.trainer import Trainer
from scalargrad.transforms.draws import MODULE, rewind, state_of
from scalargrad.value import Value


class RunState:
    """The state of a run, and the settings that must be the same when it is resumed.

    Parameters
    ----------
    run : Trainer
        Before its first epoch.
    path : str
        The file of its checkpoints.
    """

    def __init__(self, run: Trainer, path: str) -> None:
        self.path = path
        self._run = run
        self._conditions = conditions(run.settings)

    def save(self) -> None:
        """Write a checkpoint.

        Raises
        ------
        StateError
            If it cannot be written, or the state holds what no checkpoint can.
        """
        self._run.write_back()
        try:
            save_checkpoint(self.path, {**self._parts(), "conditions": self._conditions})
        except (OSError, StateError) as error:
            raise StateError(f"the checkpoint was not written: {error}") from error

    def require_saveable(self) -> None:
        """Raise StateError if a checkpoint could not hold a part's state, as it is now."""
        self._require_models_own()
        encoded(self._parts(), "state")

    def _require_models_own(self) -> None:
        """Raise StateError if the optimiser moves what is no part of the model's state."""
        kept = {id(p) for p in self._run.model.parameters()}
        trained = self._run.settings.trained
        if strange := [p for p in trained if id(p) not in kept]:
            raise StateError(
                f"no checkpoint would hold {len(strange)} of the {len(trained)} parameters that "
                f"the optimizer moves, such as {shown(strange[0])}: they are not the model's. "
                "Assign them to attributes of the model, as Parameters"
            )

    def load(self) -> None:
        """Load the state of a checkpoint; on an error, nothing is changed.

        Raises
        ------
        StateError
            If it belongs to another run, or is not a checkpoint of one.
        """
        state = load_checkpoint(self.path)
        if found := differences(state.get("conditions"), self._conditions):
            raise StateError(
                f"{self.path} is of a run that differs from this one: {found}. Give the same, or "
                "start again without resume"
            )
        before = copy.deepcopy(self._parts())
        try:
            self._take_on(state)
        except BaseException as error:
            self._give(before)
            if not isinstance(error, Exception):
                raise
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise StateError(
                f"{self.path} holds no state of this run, and nothing was changed ({reason}): "
                "start again without resume"
            ) from error

    def _parts(self) -> dict[str, Any]:
        """Return the state of every part that an epoch changes."""
        run = self._run
        return {
            **{name: part.state_dict() for name, part in self._stateful().items()},
            "rng": [_listed(state_of(rng)) for rng in self._generators()],
            "random": random.getstate(),
            "history": vars(run.history),
            "ended": run.ended,
        }

    def _take_on(self, state: dict[str, Any]) -> None:
        """Load a state into every part, after checking those that would accept anything."""
        run = self._run
        history, ended = History(**state["history"]), flag(state["ended"], "ended")
        self._give(state)
        if run.patience is not None and run.patience.best_state is not None:
            run.model.load_state_dict(run.patience.best_state)  # whether it fits
            run.model.load_state_dict(state["model"])
        run.history, run.ended = history, ended

    def _give(self, state: dict[str, Any]) -> None:
        """Load the state of every part that has its own `load_state_dict`."""
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        rewind(list(zip(self._generators(), state["rng"], strict=True)))
        random.setstate(state["random"])

    def _stateful(self) -> dict[str, Any]:
        run = self._run
        parts: dict[str, Any] = {"model": run.model, "optimizer": run.optimizer}
        parts |= {"scheduler": run.settings.scheduler, "patience": run.patience}
        return {name: part for name, part in parts.items() if part is not None}

    def _generators(self) -> list[Any]:
        """Return the generator that shuffles, and those that steps draw from."""
        found = self._run.objective.generators()
        return [self._run.rng, *(x for x in found if x is not MODULE)]


def _listed(state: Any) -> Any:
    """Return the state of a generator as a checkpoint can hold it: lists instead of arrays."""
    if isinstance(state, dict):
        return {name: _listed(part) for name, part in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


# The settings of a run, which must be the same when it is resumed ---------------------------------

#: How many examples are compared, evenly spread over all.
_LOOKED_AT = 10_000
_DIGITS = 12


def conditions(run: Settings) -> dict[str, Any]:
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


def _options(run: Settings) -> dict[str, Any]:
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
        x = [*x.items()]
    if isinstance(x, list | tuple):
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


# The file -----------------------------------------------------------------------------------------

_FORMAT = "scalargrad checkpoint 2"


def save_checkpoint(path: str | Path, state: dict[str, Any]) -> None:
    """Write the state of a run; the file appears whole or not at all.

    Parameters
    ----------
    path : str or Path
        The file, replaced if it exists.
    state : dict
        Numbers, text, None, lists, tuples and dicts of them, nested in any way.

    Raises
    ------
    StateError
        If the state holds anything else; the message names it.
    OSError
        If the file cannot be written.
    """
    written = encoded(state, "state")
    content = {"format": _FORMAT, "sha256": _sha256(written), "state": written}
    write_atomically(path, json.dumps(content).encode())


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the state that `save_checkpoint` wrote, equal to the last bit.

    Raises
    ------
    StateError
        If the file cannot be read, is damaged, or is not a checkpoint.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {shown(content['format'])}")
        if content["sha256"] != _sha256(content["state"]):
            raise ValueError("its content is not what was written")
        state = decoded(content["state"])
        if not isinstance(state, dict):
            raise ValueError(f"its state is a {type(state).__name__}")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = " ".join(f"{error}".split())
        raise StateError(
            f"{path} is not a checkpoint, or is damaged ({reason}): start again without "
            "resume, or name another file"
        ) from error
    return state


def _sha256(written: Any) -> str:
    return hashlib.sha256(json.dumps(written).encode()).hexdigest()


def encoded(part: Any, where: str) -> Any:
    """Turn tuples and dicts, which JSON would change, into lists that say what they were."""
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, list):
        return [encoded(x, f"{where}[{i}]") for i, x in enumerate(part)]
    if isinstance(part, tuple):
        return {"tuple": [encoded(x, f"{where}[{i}]") for i, x in enumerate(part)]}
    if isinstance(part, dict):
        pairs = [[encoded(k, where), encoded(x, f"{where}[{k!r}]")] for k, x in part.items()]
        return {"dict": pairs}
    raise StateError(
        f"{where} is of type {type(part).__name__}, which a checkpoint cannot hold: only "
        "numbers, text, None, lists, tuples and dicts can be saved"
    )


def decoded(part: Any) -> Any:
    """Return what `encoded` was given."""
    if isinstance(part, list):
        return [decoded(x) for x in part]
    if not isinstance(part, dict):
        return part
    ((kind, content),) = part.items()
    if kind == "tuple":
        return tuple(decoded(x) for x in content)
    if kind != "dict":
        raise ValueError(f"it holds an unknown {kind!r}")
    return {decoded(key): decoded(x) for key, x in content}
