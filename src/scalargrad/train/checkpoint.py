"""Checkpoints: everything that a training run needs to continue as if it had not been stopped.

A checkpoint is JSON text, so reading one never runs code. Python writes floats with enough digits
to read back the same float. Files are written atomically. The main object is a dict of states:

    {"model": {"weight": [[0.5]], …}, "optimizer": {…}, "rng": [(3, (…), None)],
     "history": {"rows": [{"epoch": 1, "loss": 0.25}], …}, "best_state": None, "settings": {…}}
"""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalargrad.compiler.generators import generators_of
from scalargrad.engine.draws import rewind, state_of
from scalargrad.engine.value import Value
from scalargrad.errors import StateError
from scalargrad.losses import Loss
from scalargrad.optim.lr_scheduler import LRScheduler
from scalargrad.system.files import write_atomically
from scalargrad.system.short_repr import format_error, format_value
from scalargrad.train.examples import Examples
from scalargrad.train.history import History, spread

if TYPE_CHECKING:
    from scalargrad.train.trainer import Trainer


class RunState:
    """The state of a run, and the settings that must not differ when it is resumed.

    Parameters
    ----------
    run : Trainer
        A run before its first epoch.
    path : str or Path
        The file for its checkpoints.

    Raises
    ------
    StateError
        If the current state of a part cannot be stored in a checkpoint.
    """

    def __init__(self, run: Trainer, path: str | Path) -> None:
        self.path = Path(path)
        self._run = run
        self._settings = settings(run)
        self._generators = [run.rng, *generators_of(run.callables)]
        if outside := run.parameters_outside(run.model):
            raise StateError(
                f"{len(outside)} of the {len(run.trained)} parameters that the optimizer updates, "
                f"such as {format_value(outside[0])}, are not in the model and would be missing "
                "from the checkpoint: assign them to attributes of the model, as Parameters"
            )
        encode_state(self._parts(), "state")

    def save(self) -> None:
        """Write the checkpoint.

        Raises
        ------
        StateError
            If the file cannot be written, or the state cannot be stored as JSON.
        """
        self._run.write_back()
        try:
            state = encode_state({**self._parts(), "settings": self._settings}, "state")
            write_atomically(self.path, json.dumps({"format": _FORMAT, "state": state}).encode())
        except (OSError, StateError) as error:
            raise StateError(f"the checkpoint was not written: {error}") from error

    def load(self) -> None:
        """Load the state of the checkpoint, after checking that it belongs to this run.

        Raises
        ------
        StateError
            If it belongs to another run, or is not a checkpoint.
        """
        state = load_checkpoint(self.path)
        if found := differences(state.get("settings"), self._settings):
            raise StateError(
                f"{self.path} belongs to a run with other settings: {found}. Use the same "
                "settings, or start again without resume"
            )
        before = self._parts()
        try:
            self._restore(state)
        except Exception as error:
            self._restore(before)
            raise StateError(
                f"{self.path} does not fit this run ({format_error(error)}); nothing was changed. "
                "Start again without resume"
            ) from error

    def _restore(self, state: dict[str, Any]) -> None:
        """Restore every part from a checkpoint; after an error, some parts may have changed."""
        run, best = self._run, state["best_state"]
        history = History(**state["history"])
        if best is not None:  # checked now, because it is loaded only at the end of training
            run.model.load_state_dict(best)
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        rewind(list(zip(self._generators, state["rng"], strict=True)))
        run.history, run.best_state = history, best

    def _parts(self) -> dict[str, Any]:
        """Return the state of each part that an epoch changes."""
        return {
            **{name: part.state_dict() for name, part in self._stateful().items()},
            "rng": [_without_arrays(state_of(rng)) for rng in self._generators],
            "history": {**vars(self._run.history)},
            "best_state": self._run.best_state,
        }

    def _stateful(self) -> dict[str, Any]:
        names = ("model", "optimizer", "scheduler")
        return {x: part for x in names if (part := getattr(self._run, x)) is not None}


def _without_arrays(state: Any) -> Any:
    """Return the state of a generator with lists in place of arrays."""
    if isinstance(state, dict):
        return {name: _without_arrays(part) for name, part in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state


# The settings of a run, which must match when it is resumed ---------------------------------------

#: Maximum number of examples in a digest, evenly spread over all examples.
_MAX_DIGEST_EXAMPLES = 10_000


def settings(run: Trainer) -> dict[str, Any]:
    """Return the settings of a run by name, as numbers and text."""
    names = ["batch_size", "shuffle", "seed", "loss", "regularizer", "optimizer", "scheduler"]
    return {
        "training examples": _digest(run.train),
        "held-out examples": _digest(run.held_out) if run.held_out else "none",
        **{name: describe_setting(getattr(run, name)) for name in (*names, "clip_grad_norm")},
        "metrics": {name: describe_setting(f) for name, f in run.metrics.items()},
        **{name: str(x) for name, x in getattr(run.optimizer, "defaults", {}).items()},
        "patience": run.patience is not None,
        "gradient_tolerance": run.gradient_tolerance is not None,
    }


def differences(saved: Any, here: dict[str, Any]) -> str:
    """Describe the differences between settings; "" if there are none.

    Examples
    --------
    >>> differences({"lr": 0.1, "seed": 0}, {"lr": 0.01, "seed": 0})
    'lr was 0.1 and is 0.01'
    """
    if not isinstance(saved, dict):
        return "it has no settings"
    return ", ".join(
        f"{name} was {saved.get(name)} and is {here.get(name)}"
        for name in dict.fromkeys([*here, *saved])
        if saved.get(name) != here.get(name)
    )


def describe_setting(part: Any) -> str:
    """Describe a function or an object by text that does not depend on the process.

    Examples
    --------
    >>> from scalargrad.losses import HuberLoss, mse_loss
    >>> describe_setting(mse_loss), describe_setting(HuberLoss(delta=2.0))
    ('mse_loss', "HuberLoss(reduction='mean', delta=2.0)")
    """
    if isinstance(part, partial):
        arguments = [*map(describe_setting, part.args)]
        arguments += [f"{name}={describe_setting(x)}" for name, x in part.keywords.items()]
        return f"{describe_setting(part.func)}({', '.join(arguments)})"
    if part is None or isinstance(part, bool | int | float | str | Loss | LRScheduler):
        return str(part)
    return str(getattr(part, "__qualname__", type(part).__qualname__))


def _digest(data: Examples) -> str:
    """Return the number of examples and a digest of their content."""
    count = len(data.inputs)
    sample = data.at(spread(count, _MAX_DIGEST_EXAMPLES))
    content = json.dumps(sample, default=_jsonable, skipkeys=True)
    return f"{count}, {hashlib.sha256(content.encode()).hexdigest()[:12]}"


def _jsonable(x: Any) -> Any:
    """Return a JSON form of an object in an example: its numbers, or the name of its type."""
    if isinstance(x, Value):
        return x.data
    return x.tolist() if hasattr(x, "tolist") else type(x).__qualname__


# The file -----------------------------------------------------------------------------------------

_FORMAT = "scalargrad checkpoint 4"


def load_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read the state from a checkpoint file; floats are restored exactly.

    Raises
    ------
    StateError
        If the file cannot be read, is damaged, or is not a checkpoint.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"), object_hook=_decode_state)
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


def encode_state(part: Any, where: str) -> Any:
    """Encode tuples and dicts, which JSON cannot represent exactly, as tagged lists."""
    if part is None or isinstance(part, bool | int | float | str):
        return part
    if isinstance(part, list | tuple):
        items = [encode_state(x, f"{where}[{i}]") for i, x in enumerate(part)]
        return items if isinstance(part, list) else {"tuple": items}
    if isinstance(part, dict):
        pairs = [
            [encode_state(k, where), encode_state(x, f"{where}[{k!r}]")] for k, x in part.items()
        ]
        return {"dict": pairs}
    raise StateError(
        f"{where} is of type {type(part).__name__}, which cannot be stored in a checkpoint: use "
        "numbers, text, None, lists, tuples and dicts"
    )


def _decode_state(part: dict[str, Any]) -> Any:
    """Decode an encode_state part whose inner parts have been decoded."""
    if part.keys() == {"tuple"}:
        return tuple(part["tuple"])
    return dict(part["dict"]) if part.keys() == {"dict"} else part
