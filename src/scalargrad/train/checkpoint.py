"""Checkpoints: everything that a training run needs to continue as if it had never stopped.

A checkpoint is JSON text: reading one can give numbers, text and lists, and never runs code.
Python writes a float with the digits that give back the same float, so nothing is rounded. A file
appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalargrad.compiler.generators import generators_of
from scalargrad.errors import StateError
from scalargrad.losses import Loss
from scalargrad.optim.lr_scheduler import LRScheduler
from scalargrad.system.files import write_atomically
from scalargrad.system.short_repr import format_error, format_value
from scalargrad.train.examples import Examples
from scalargrad.train.history import History, spread
from scalargrad.transforms.draws import rewind, state_of
from scalargrad.value import Value

if TYPE_CHECKING:
    from scalargrad.train.fit import Trainer


class RunState:
    """The state of a run, and the settings that must be the same when it is resumed.

    Parameters
    ----------
    run : Trainer
        Before its first epoch.
    path : str or Path
        The file of its checkpoints.

    Raises
    ------
    StateError
        If a checkpoint could not hold a part's state, as it is now.
    """

    def __init__(self, run: Trainer, path: str | Path) -> None:
        self.path = Path(path)
        self._run = run
        self._settings = settings(run)
        self._generators = [run.rng, *generators_of(run.called)]
        if strange := run.strangers(run.model):
            raise StateError(
                f"no checkpoint would hold {len(strange)} of the {len(run.trained)} parameters "
                f"that the optimizer moves, such as {format_value(strange[0])}: they are not the "
                "model's. Assign them to attributes of the model, as Parameters"
            )
        encoded(self._parts(), "state")

    def save(self) -> None:
        """Write a checkpoint.

        Raises
        ------
        StateError
            If it cannot be written, or the state holds what no checkpoint can.
        """
        self._run.write_back()
        try:
            state = encoded({**self._parts(), "settings": self._settings}, "state")
            write_atomically(self.path, json.dumps({"format": _FORMAT, "state": state}).encode())
        except (OSError, StateError) as error:
            raise StateError(f"the checkpoint was not written: {error}") from error

    def load(self) -> None:
        """Load the state of a checkpoint, once it is seen to be of this run.

        Raises
        ------
        StateError
            If it belongs to another run, or is not a checkpoint of one.
        """
        state = load_checkpoint(self.path)
        if found := differences(state.get("settings"), self._settings):
            raise StateError(
                f"{self.path} is of a run that differs from this one: {found}. Give the same, or "
                "start again without resume"
            )
        before = self._parts()
        try:
            self._restore(state)
        except Exception as error:
            self._restore(before)
            raise StateError(
                f"{self.path} holds no state of this run ({format_error(error)}), and nothing was "
                "changed: start again without resume"
            ) from error

    def _restore(self, state: dict[str, Any]) -> None:
        """Set every part to its state in a checkpoint; on an error, some parts may be changed."""
        run, best = self._run, state["best_state"]
        history = History(**state["history"])
        if best is not None:  # checked here: it is not loaded before the end of training
            run.model.load_state_dict(best)
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        rewind(list(zip(self._generators, state["rng"], strict=True)))
        run.history, run.best_state = history, best

    def _parts(self) -> dict[str, Any]:
        """Return the state of every part that an epoch changes."""
        return {
            **{name: part.state_dict() for name, part in self._stateful().items()},
            "rng": [_listed(state_of(rng)) for rng in self._generators],
            "history": {**vars(self._run.history)},
            "best_state": self._run.best_state,
        }

    def _stateful(self) -> dict[str, Any]:
        names = ("model", "optimizer", "scheduler")
        return {x: part for x in names if (part := getattr(self._run, x)) is not None}


def _listed(state: Any) -> Any:
    """Return the state of a generator as a checkpoint can hold it: lists instead of arrays."""
    if isinstance(state, dict):
        return {name: _listed(part) for name, part in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


# The settings of a run, which must be the same when it is resumed ---------------------------------

#: The most examples that are compared, evenly spread over all.
_LOOKED_AT = 10_000


def settings(run: Trainer) -> dict[str, Any]:
    """Return the settings of a run as numbers and text, by name."""
    names = ["batch_size", "shuffle", "seed", "loss", "regularizer", "optimizer", "scheduler"]
    return {
        "training examples": _digest(run.train),
        "held-out examples": _digest(run.held_out) if run.held_out else "none",
        **{name: described(getattr(run, name)) for name in (*names, "clip_grad_norm")},
        "metrics": {name: described(f) for name, f in run.metrics.items()},
        **{name: str(x) for name, x in getattr(run.optimizer, "defaults", {}).items()},
        "patience": run.patience is not None,
        "gradient_tolerance": run.gradient_tolerance is not None,
    }


def differences(saved: Any, here: dict[str, Any]) -> str:
    """Describe the differences; empty if there are none.

    Examples
    --------
    >>> differences({"lr": 0.1, "seed": 0}, {"lr": 0.01, "seed": 0})
    'lr was 0.1 and is 0.01'
    """
    if not isinstance(saved, dict):
        return "it does not say what it was made with"
    return ", ".join(
        f"{name} was {saved.get(name)} and is {here.get(name)}"
        for name in dict.fromkeys([*here, *saved])
        if saved.get(name) != here.get(name)
    )


def described(part: Any) -> str:
    """Return text that names a function or an object, the same in every process.

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
    if part is None or isinstance(part, bool | int | float | str | Loss | LRScheduler):
        return str(part)
    return str(getattr(part, "__qualname__", type(part).__qualname__))


def _digest(data: Examples) -> str:
    """Return the number of examples, and a digest of their numbers and texts."""
    count = len(data.inputs)
    looked_at = data.at(spread(count, _LOOKED_AT))
    written = json.dumps(looked_at, default=_jsonable, skipkeys=True)
    return f"{count}, {hashlib.sha256(written.encode()).hexdigest()[:12]}"


def _jsonable(x: Any) -> Any:
    """Return an object in an example as JSON can write it: its numbers, or its type."""
    if isinstance(x, Value):
        return x.data
    return x.tolist() if hasattr(x, "tolist") else type(x).__qualname__


# The file -----------------------------------------------------------------------------------------

_FORMAT = "scalargrad checkpoint 4"


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the state in a file, equal to what was written to the last bit.

    Raises
    ------
    StateError
        If the file cannot be read, is damaged, or is not a checkpoint.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), object_hook=_decoded)
        if content["format"] != _FORMAT:
            raise ValueError(f"its format is {format_value(content['format'])}")
        state = content["state"]
        if not isinstance(state, dict):
            raise ValueError(f"its state is a {type(state).__name__}")
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise StateError(
            f"{path} is not a checkpoint, or is damaged ({format_error(error)}): start again "
            "without resume, or name another file"
        ) from error
    return state


def encoded(part: Any, where: str) -> Any:
    """Turn tuples and dicts, which JSON would change, into lists that say what they were."""
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, list | tuple):
        items = [encoded(x, f"{where}[{i}]") for i, x in enumerate(part)]
        return items if isinstance(part, list) else {"tuple": items}
    if isinstance(part, dict):
        pairs = [[encoded(k, where), encoded(x, f"{where}[{k!r}]")] for k, x in part.items()]
        return {"dict": pairs}
    raise StateError(
        f"{where} is of type {type(part).__name__}, which a checkpoint cannot hold: only "
        "numbers, text, None, lists, tuples and dicts can be saved"
    )


def _decoded(part: dict[str, Any]) -> Any:
    """Return the original of an `encoded` part, whose parts inside have been decoded."""
    if part.keys() == {"tuple"}:
        return tuple(part["tuple"])
    return dict(part["dict"]) if part.keys() == {"dict"} else part
