"""Compiled: the steps of a run as programs, as soon as that pays and where it can be done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.compiler.arguments import Key
from scalargrad.errors import TraceError
from scalargrad.graph import topological_order
from scalargrad.optim import Optimizer
from scalargrad.train.chance import shared_generators, undone_draws
from scalargrad.train.examples import Examples
from scalargrad.train.modes import Eager
from scalargrad.train.objective import Objective, Taken
from scalargrad.train.rectangle import Rectangle
from scalargrad.train.step import Step, options_of, updates
from scalargrad.train.store import Store
from scalargrad.train.surroundings import Surroundings
from scalargrad.value import Value

#: Recording and packing a step takes about as long as so many eager ones.
_WARM_UP = 10
#: Starting the compiler takes about as long as visiting so many operands eagerly.
_START = 1_000_000
#: So many programs are kept for one size of batch: for options that are 0 or not, on or off.
_VARIANTS = 8


class Compiled(Eager):
    """Takes the steps of a run as programs in whose memory parameters and state stay.

    Parameters
    ----------
    objective : Objective
    optimizer : scalargrad.optim.Optimizer
    data : Examples
        To train on.
    gradient : bool
        Whether each step's gradient is asked for.
    at_once : bool
        Record the first step, and raise if that cannot be done; else the first few steps of
        each size are left to eager evaluation, and all steps that cannot be recorded.
    visited : bool
        Whether a user's code runs between epochs, which may change anything.

    Attributes
    ----------
    warm_up : int or None
        How many steps of each size are left to eager evaluation; None if not yet known.
    refused : str
        Why all steps are; empty while none is known.
    """

    def __init__(
        self,
        objective: Objective,
        optimizer: Optimizer,
        data: Examples,
        *,
        gradient: bool,
        at_once: bool,
        visited: bool,
    ) -> None:
        self._objective, self._optimizer, self._examples = objective, optimizer, data
        self._gradient, self._at_once, self._visited = gradient, at_once, visited
        self.warm_up = 0 if at_once else None
        self.refused = ""
        self._counts: Counter[int] = Counter()
        self._data: Rectangle | None = None
        self._store = self._new_store()
        self._steps: dict[int, list[Step]] = {}
        self._current: Step | None = None
        self._surroundings: Surroundings | None = None

    def _new_store(self) -> Store:
        return Store(self._optimizer, self._objective.model.parameters())

    # Between steps ----------------------------------------------------------------------------

    def resume(self, counts: Mapping[int, int], warm_up: int | None) -> None:
        """Go on after so many steps of each size."""
        self._counts = Counter(counts)
        self.warm_up = warm_up

    def begin_epoch(self) -> None:
        """Forget what was recorded if a visitor has changed what steps read."""
        if self._visited and self._steps and self._is_outdated():
            self._store, self._steps = self._new_store(), {}
            self._counts.clear()

    def _is_outdated(self) -> bool:
        parameters = self._objective.model.parameters()
        return not self._store.fits(parameters) or self._surroundings != self._surveyed()

    def write_back(self) -> None:
        """Give model and optimiser what the steps have made of them."""
        if self._current is not None:
            self._current.leave()
            self._store.write_back()
            self._current = None

    def watch(self, loss: Value) -> None:
        """See how much work an eager step is, and decide how many come before programs pay.

        Nothing is timed, so that two runs of one script agree to the last bit.
        """
        if self.warm_up is None:
            wires = sum(len(node.parents) for node in topological_order(loss))
            self.warm_up = _WARM_UP + _START // max(1, wires)

    # Steps ------------------------------------------------------------------------------------

    def step(self, rows: Sequence[int]) -> Taken | None:
        """Take a step on these examples; None if it is to be taken eagerly."""
        self._counts[len(rows)] += 1
        taken = self._taken(rows) if self._is_time(rows) else None
        if taken is None:
            self.write_back()
        return taken

    def _is_time(self, rows: Sequence[int]) -> bool:
        ready = self.warm_up is not None and self._counts[len(rows)] > self.warm_up
        return ready and not self.refused and not is_anomaly_enabled()

    def _taken(self, rows: Sequence[int]) -> Taken | None:
        found = updates(self._optimizer)
        key, options = options_of(found)
        step = self._step_for(rows, key, options)
        if step is None:
            return None
        self._enter(step)
        if not step.run(rows, options):
            return None  # taken eagerly, it raises the error
        for group in self._optimizer.param_groups:
            group["step"] += 1
        return Taken(step.loss, step.predictions(), self._gradient_after(step))

    def _enter(self, step: Step) -> None:
        if step is self._current:
            return
        if self._current is None:
            self._store.load()
        else:
            self._current.leave()
        step.enter()
        self._current = step

    def _gradient_after(self, step: Step) -> list[float]:
        if not self._gradient:
            return []
        step.leave()
        return self._store.gradient(self._objective.model.parameters())

    # Recording --------------------------------------------------------------------------------

    def _step_for(self, rows: Sequence[int], key: Key, options: Sequence[Any]) -> Step | None:
        """Return the program for a step, recording it if need be; None if that cannot be done."""
        known = self._steps.setdefault(len(rows), [])
        for step in known:
            if step.serves(key, options):
                return step
        self.write_back()
        try:
            step = self._recorded(rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, eager steps are not affected
            return self._refuse(error)
        known.append(step)
        del known[:-_VARIANTS]
        return step

    def _refuse(self, error: Exception) -> None:
        """Leave all further steps to eager evaluation, unless programs were asked for."""
        if self._at_once:
            raise TraceError(f"fit(…, jit=True) cannot record a step: {error}") from error
        self.refused = f"{type(error).__name__}: {error}"

    def _recorded(self, rows: Sequence[int]) -> Step:
        if self._data is None:
            self._data = Rectangle(self._examples)
        self._store.load()
        before = self._surveyed()
        with undone_draws([*shared_generators(), *before.generators()]) as draws:
            step = Step(self._objective, self._store, self._data, rows)
        if draws.happened:
            raise TraceError("the step draws at random: a program would draw the same every time")
        if before != self._surveyed():
            raise TraceError(
                "the model, the loss or the regularizer changes something it reads, such as an "
                "attribute or a list: a program would not"
            )
        self._surroundings = before
        return step

    def _surveyed(self) -> Surroundings:
        objective = self._objective
        return Surroundings(objective.model, objective.loss, objective.regularizer)
