"""Compiled: the steps of a run as programs, as soon as that pays and where it can be done."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.compiler.arguments import Key
from scalargrad.errors import TraceError
from scalargrad.graph import topological_order
from scalargrad.optim import Optimizer
from scalargrad.train.evaluation import Evaluation
from scalargrad.train.examples import Examples
from scalargrad.train.modes import Eager
from scalargrad.train.objective import Objective, Taken
from scalargrad.train.recordings import repeatable
from scalargrad.train.rectangle import Rectangle
from scalargrad.train.step import Step
from scalargrad.train.store import Store
from scalargrad.train.surroundings import Surroundings
from scalargrad.train.update import options_of, updates
from scalargrad.value import Value

#: Recording and packing a step takes about as long as so many eager ones.
_WARM_UP = 5
#: Starting the compiler takes about as long as visiting so many operands eagerly.
_START = 200_000
#: So many programs are kept for one size of batch: for options that are 0 or not, on or off.
_VARIANTS = 8


class Compiled(Eager):
    """Takes the steps of a run as programs in whose memory parameters and state stay.

    Parameters
    ----------
    optimizer : scalargrad.optim.Optimizer
    objective : Objective
    data : Examples
        To train on.
    held_out : Examples or None
    batch_size : int
    gradient : bool
        Whether each step's gradient is asked for.
    visited : bool
        Whether a user's code runs between epochs, which may change anything.
    at_once : bool
        Record the first step, and raise if that cannot be done; else the first few steps of
        each size are left to eager evaluation, and so is all that cannot be recorded.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        objective: Objective,
        data: Examples,
        held_out: Examples | None,
        batch_size: int,
        *,
        gradient: bool,
        visited: bool,
        at_once: bool,
    ) -> None:
        self._optimizer, self._objective = optimizer, objective
        self._examples, self._held_out, self._batch_size = data, held_out, batch_size
        self._gradient, self._visited, self._at_once = gradient, visited, at_once
        self.warm_up = 0 if at_once else None
        self._counts: Counter[int] = Counter()
        self._data: Rectangle | None = None
        self._current: Step | None = None
        self._forget()

    def _forget(self) -> None:
        self._store = Store(self._optimizer, self._objective.model.parameters())
        self._steps: dict[int, list[Step]] = {}
        self._surroundings: Surroundings | None = None
        self._before: Surroundings | None = None
        self._evaluation = self._new_evaluation()

    def _new_evaluation(self, epochs: int = 0) -> Evaluation | None:
        if self._held_out is None:
            return None
        model, inputs = self._objective.model, self._held_out.inputs
        return Evaluation(model, inputs, self._batch_size, epochs)

    # Between steps ----------------------------------------------------------------------------

    def resume(self, epochs: int, warm_up: float | None) -> None:
        """Go on after so many epochs."""
        full, rest = divmod(len(self._examples.inputs), self._batch_size)
        self._counts = Counter({self._batch_size: full * epochs, rest: epochs})
        self.warm_up = 0 if self._at_once else warm_up
        self._evaluation = self._new_evaluation(epochs)

    def begin_epoch(self) -> None:
        """Forget what was recorded if a visitor has changed what steps read."""
        if self._visited and self._is_outdated():
            self._forget()
            self._counts.clear()

    def _is_outdated(self) -> bool:
        parameters = self._objective.model.parameters()
        known = self._surroundings
        changed = known is not None and known != Surroundings(*self._objective.called)
        return changed or not self._store.fits(parameters)

    def write_back(self) -> None:
        """Give model and optimiser what the steps have made of them."""
        if self._current is not None:
            self._current.leave()
            self._store.write_back()
            self._current = None

    def watch(self, loss: Value) -> None:
        """See what an eager step does whose loss has just been computed.

        The first tells how much work a step is, and thereby how many come before programs pay.
        Nothing is timed, so that two runs of one script agree to the last bit. The last before
        recording tells whether steps change what they read.
        """
        if self.warm_up is None:
            wires = sum(len(node.parents) for node in topological_order(loss))
            self.warm_up = _WARM_UP + _START // max(1, wires)
        elif self._before is not None and self._before != Surroundings(*self._objective.called):
            self.warm_up = math.inf
        self._before = None

    def predictions(self) -> list[Any] | None:
        """Return a prediction for each example held out; None if that is left to the caller."""
        evaluation, warm_up = self._evaluation, self.warm_up
        if evaluation is None or warm_up is None or not evaluation.is_time(warm_up):
            return None
        if self._surroundings is None or is_anomaly_enabled():
            return None
        self._load()
        return evaluation.predictions(self._store, visited=self._visited)

    # Steps ------------------------------------------------------------------------------------

    def step(self, rows: Sequence[int]) -> Taken | None:
        """Take a step on these examples; None if it is to be taken eagerly."""
        self._counts[len(rows)] += 1
        ahead = math.inf if self.warm_up is None else self.warm_up - self._counts[len(rows)]
        taken = self._taken(rows) if ahead < 0 and not is_anomaly_enabled() else None
        if taken is None:
            self.write_back()
        if ahead == 0:
            self._before = Surroundings(*self._objective.called)
        return taken

    def _taken(self, rows: Sequence[int]) -> Taken | None:
        try:
            key, options = options_of(updates(self._optimizer))
            step = self._step_for(rows, key, options)
        except Exception as error:  # noqa: BLE001 - whatever it is, eager steps are not affected
            self._refuse(error)
            return None
        self._enter(step)
        if not step.run(rows, options):
            return None  # taken eagerly, it goes its own way, or raises the error
        for group in self._optimizer.param_groups:
            group["step"] += 1
        return Taken(step.loss, step.predictions(), self._gradient_after(step))

    def _refuse(self, error: Exception) -> None:
        """Leave all further steps to eager evaluation, unless programs were asked for."""
        if self._at_once:
            raise TraceError(f"fit(…, jit=True) cannot record a step: {error}") from error
        self.warm_up = math.inf

    def _enter(self, step: Step) -> None:
        if step is self._current:
            return
        self._load()
        step.enter()
        self._current = step

    def _load(self) -> None:
        """Bring the store up to date."""
        if self._current is None:
            self._store.load()
        else:
            self._current.leave()

    def _gradient_after(self, step: Step) -> list[float]:
        if not self._gradient:
            return []
        step.leave()
        return self._store.gradient(self._objective.model.parameters())

    def _step_for(self, rows: Sequence[int], key: Key, options: Sequence[Any]) -> Step:
        """Return the program for a step, recording it if need be."""
        known = self._steps.setdefault(len(rows), [])
        for step in known:
            if step.serves(key, options):
                return step
        self.write_back()
        known.append(self._recorded(rows))
        del known[:-_VARIANTS]
        return known[-1]

    def _recorded(self, rows: Sequence[int]) -> Step:
        if self._data is None:
            self._data = Rectangle(list(zip(*self._examples, strict=True)))
        data = self._data
        self._load()
        step, self._surroundings = repeatable(
            lambda: Step(self._objective, self._store, data, rows), self._objective.called
        )
        return step
