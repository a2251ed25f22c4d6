"""The state of a run between two epochs, saved in a checkpoint and restored as a whole."""

from __future__ import annotations

import copy
import random
from typing import Any

from scalargrad.compiler.trace.randomness import Generators
from scalargrad.errors import StateError
from scalargrad.system.one_line import shown
from scalargrad.table.validation import flag, number
from scalargrad.train.checkpoint import encoded, load_checkpoint, save_checkpoint
from scalargrad.train.history import History
from scalargrad.train.run_settings import conditions, differences
from scalargrad.train.trainer import Trainer
from scalargrad.transforms.draws import MODULE, rewind, state_of


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
        self._conditions = conditions(run.parts)

    def save(self) -> None:
        """Write a checkpoint.

        Raises
        ------
        StateError
            If it cannot be written, or the state holds what no checkpoint can.
        """
        self._run.mode.write_back()
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
        trained = self._run.parts.trained
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
            "warm_up": run.mode.warm_up,
        }

    def _take_on(self, state: dict[str, Any]) -> None:
        """Load a state into every part, after checking those that would accept anything."""
        run = self._run
        history, ended = History(**state["history"]), flag(state["ended"], "ended")
        warm_up = state["warm_up"]
        if warm_up is not None:
            number(warm_up, "warm_up", 0.0, finite=False)
        self._give(state)
        if run.patience is not None and run.patience.best_state is not None:
            run.model.load_state_dict(run.patience.best_state)  # whether it fits
            run.model.load_state_dict(state["model"])
        run.history, run.ended = history, ended
        run.mode.resume(len(history), warm_up)

    def _give(self, state: dict[str, Any]) -> None:
        """Load the state of every part that has its own `load_state_dict`."""
        for name, part in self._stateful().items():
            part.load_state_dict(state[name])
        rewind(list(zip(self._generators(), state["rng"], strict=True)))
        random.setstate(state["random"])

    def _stateful(self) -> dict[str, Any]:
        run = self._run
        parts: dict[str, Any] = {"model": run.model, "optimizer": run.optimizer}
        parts |= {"scheduler": run.parts.scheduler, "patience": run.patience}
        return {name: part for name, part in parts.items() if part is not None}

    def _generators(self) -> list[Any]:
        """Return the generator that shuffles, and those that steps draw from."""
        found = Generators(self._run.objective.called)
        return [self._run.rng, *(x for x in found if x is not MODULE)]


def _listed(state: Any) -> Any:
    """Return the state of a generator as a checkpoint can hold it: lists instead of arrays."""
    if isinstance(state, dict):
        return {name: _listed(part) for name, part in state.items()}
    return state.tolist() if hasattr(state, "tolist") else state
