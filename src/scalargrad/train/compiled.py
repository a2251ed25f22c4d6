"""Compiled: the steps of a run as programs, as soon as that pays and where it can be done."""

from __future__ import annotations

import functools
import itertools
import math
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.compiler.call.arguments import Key
from scalargrad.errors import TraceError
from scalargrad.graph import topological_order
from scalargrad.optim import Optimizer
from scalargrad.train.evaluation import Evaluation
from scalargrad.train.examples import Examples
from scalargrad.train.gradients import Gradients
from scalargrad.train.group_rules import group_rules, options_of
from scalargrad.train.limits_on_gradients import Limits
from scalargrad.train.modes import Eager
from scalargrad.train.objective import Objective, StepResult
from scalargrad.train.recordings import repeatable
from scalargrad.train.rectangle import Shape, Shapes
from scalargrad.train.step import Step
from scalargrad.train.store import Store
from scalargrad.train.surroundings import Surroundings
from scalargrad.train.update import Update
from scalargrad.value import Value

#: Recording and packing a step takes about as long as so many eager ones.
_WARM_UP = 5
#: Starting the compiler takes about as long as visiting so many operands eagerly.
_START = 200_000
#: So many steps are kept for one shape of batch: for options that are 0 or not, on or off.
_VARIANTS = 8
#: So many shapes of example are recorded, those most frequent; steps on others stay eager.
_SHAPES = 32


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
        each shape are left to eager evaluation, and so is all that cannot be recorded.
    limits : Limits
        On the gradients.
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
        limits: Limits,
    ) -> None:
        self._optimizer, self._objective, self._limits = optimizer, objective, limits
        self._examples, self._held_out, self._batch_size = data, held_out, batch_size
        self._wants_gradient, self._visited, self._at_once = gradient, visited, at_once
        self.warm_up = 0 if at_once else None
        self._counts: Counter[Shape] = Counter()
        self._ahead = False  # the store, of the objects
        self._forget()

    def _forget(self) -> None:
        self._store = Store(self._optimizer, self._objective.model.parameters())
        self._steps: dict[Shape, list[Step]] = {}
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
        self.warm_up = 0 if self._at_once else warm_up
        self._evaluation = self._new_evaluation(epochs)
        with suppress(Exception):  # whatever it is, the first step meets it again
            batches = self._shapes.batches()
            self._counts = Counter({shape: n * epochs for shape, n in batches.items()})

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
        if self._ahead:
            self._store.write_back()
            self._ahead = False

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

    def step(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step on these examples; None if it is to be taken eagerly."""
        ahead = self._steps_ahead(rows)
        result = self._result(rows) if ahead < 0 and not is_anomaly_enabled() else None
        if result is None:
            self.write_back()
        if ahead == 0:
            self._before = Surroundings(*self._objective.called)
        return result

    @functools.cached_property
    def _shapes(self) -> Shapes:
        return Shapes(list(zip(*self._examples, strict=True)), self._batch_size)

    def _steps_ahead(self, rows: Sequence[int]) -> float:
        """Count a step, and return how many more of its shape are left to eager evaluation."""
        if self.warm_up == math.inf:
            return math.inf
        try:
            number, rows = self._shapes.find(rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, eager steps are not affected
            self._refuse(error)
            return math.inf
        shape = number, len(rows)
        self._counts[shape] += 1
        if self.warm_up is None or number >= _SHAPES:
            return math.inf
        return self.warm_up - self._counts[shape]

    def _result(self, rows: Sequence[int]) -> StepResult | None:
        number, rows = self._shapes.find(rows)
        try:
            key, options = options_of(group_rules(self._optimizer))
            step = self._step_for(number, rows, key, options)
        except Exception as error:  # noqa: BLE001 - whatever it is, eager steps are not affected
            self._refuse(error)
            return None
        self._load()
        self._ahead = True
        if not step.run(rows, options):
            return None  # taken eagerly, it goes its own way, or raises the error
        for group in self._optimizer.param_groups:
            group["step"] += 1
        return StepResult(step.gradients.loss, step.gradients.predictions(), self._gradient())

    def _refuse(self, error: Exception) -> None:
        """Leave all further steps to eager evaluation, unless programs were asked for."""
        if self._at_once:
            raise TraceError(f"fit(…, jit=True) cannot record a step: {error}") from error
        self.warm_up = math.inf

    def _load(self) -> None:
        """Bring the store up to date."""
        if not self._ahead:
            self._store.load()

    def _gradient(self) -> list[float]:
        if not self._wants_gradient:
            return []
        return self._store.gradient(self._objective.model.parameters())

    def _step_for(self, number: int, rows: Sequence[int], key: Key, options: Sequence[Any]) -> Step:
        """Return the programs for a step, recording them if need be."""
        known = self._steps.setdefault((number, len(rows)), [])
        for step in known:
            if step.serves(key, options):
                return step
        self.write_back()
        self._load()
        step, self._surroundings = repeatable(
            lambda: self._new_step(known, number, rows, key, options), self._objective.called
        )
        if not known:
            step.gradients.require_agreement(rows)
        known.append(step)
        del known[:-_VARIANTS]
        return step

    def _new_step(
        self,
        known: list[Step],
        number: int,
        rows: Sequence[int],
        key: Key,
        options: Sequence[Any],
    ) -> Step:
        """Record what is not recorded yet: gradients for the shape, the optimiser for all."""
        store = self._store
        if known:
            gradients = known[0].gradients
        else:
            data = self._shapes.rectangles[number]
            gradients = Gradients(self._objective, store, data, rows)
        for step in itertools.chain.from_iterable(self._steps.values()):
            if step.update.visited == gradients.visited and step.serves(key, options):
                return Step(store, gradients, step.update, self._limits)
        return Step(store, gradients, Update(store, gradients.visited), self._limits)
