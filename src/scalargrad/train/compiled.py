"""Take the steps of a run with compiled programs, if possible, and as soon as that pays."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.compiler.guards.closed_over import ClosedOver
from scalargrad.errors import TraceError
from scalargrad.graph import topological_order
from scalargrad.nn import Embedding, Module
from scalargrad.system.cached_property import cached_property
from scalargrad.train.carried import Carried
from scalargrad.train.compiled_gradient import CompiledGradient, Predictor
from scalargrad.train.data_rows import Shape, Shapes
from scalargrad.train.eager_steps import Eager
from scalargrad.train.examples import Examples
from scalargrad.train.objective import StepResult
from scalargrad.train.programs import Found
from scalargrad.train.run_parts import RunParts
from scalargrad.value import Value

#: Recording a step takes about as long as this many eager steps.
WARM_UP = 5
#: Starting the compiler takes about as long as visiting this many operands eagerly.
START = 200_000
#: A batch with this many examples × parameters used by each is compiled from the first step.
_LARGE = 100_000
#: The most shapes of examples that are compiled, the most frequent ones; others stay eager.
SHAPES = 32


class Compiled(Eager):
    """Takes steps by a compiled gradient and an update in arrays, which hold the parameters.

    With `jit`, the first step is recorded, and an error raised if that is impossible. Otherwise the
    first few steps of each shape, and all that cannot be recorded, are taken eagerly.

    Parameters
    ----------
    parts : RunParts
        The optimiser is one of `scalargrad.optim`.
    """

    def __init__(self, parts: RunParts) -> None:
        self._parts, self._objective = parts, parts.objective
        self._optimizer: Any = parts.optimizer
        met = _parameters_met(self._objective.model, parts.train)
        large = parts.batch_size * met >= _LARGE
        self.warm_up = 0 if parts.jit or large else None
        self._counts: Counter[Shape] = Counter()
        self._moment = 0  # counts the times at which a user's code may have run
        self._seen: bytes | None = None
        self._places: dict[Any, Any] | None = None
        self._forget()

    def _forget(self) -> None:
        self._carried = Carried(self._optimizer, self._objective.model.parameters())
        self._recordings: dict[int, CompiledGradient] = {}
        self._evaluation = self._new_evaluation()

    def _new_evaluation(self, epochs: int = 0) -> Predictor | None:
        held_out = self._parts.held_out
        if held_out is None:
            return None
        return Predictor(self._objective.model, held_out.inputs, self._parts.batch_size, epochs)

    # Between steps ----------------------------------------------------------------------------

    def resume(self, epochs: int, warm_up: float | None) -> None:
        """Continue after a number of completed epochs."""
        self.warm_up = 0 if self._parts.jit else warm_up
        self._evaluation = self._new_evaluation(epochs)
        with suppress(Exception):  # whatever it is, the first step meets it again
            batches = self._shapes.batches()
            self._counts = Counter({shape: n * epochs for shape, n in batches.items()})

    def begin_epoch(self) -> None:
        """Forget what was recorded if parameters or data have been replaced between epochs."""
        self._moment += 1
        if not self._parts.visited or self.warm_up == math.inf:
            return
        changed = [self._have_data_changed(), self._have_places_changed()]
        if any(changed) or not self._carried.fits(self._objective.model.parameters()):
            self._forget()

    def _have_places_changed(self) -> bool:
        """Return whether parameters stand elsewhere in the model than before the last epoch.

        A program reads them from an array, so that its own guards leave their places alone.
        """
        before, called = self._places, self._objective.called
        slots = ClosedOver([lambda: called]).slots
        self._places = {place: (x.key, x.values) for place, x in slots.items() if x.values}
        return before is not None and self._places != before

    def _have_data_changed(self) -> bool:
        """Return whether examples have changed since the last epoch, and then read them anew."""
        before = self._seen
        try:
            self._seen = pickle.dumps((self._parts.train, self._parts.held_out))
        except Exception:  # noqa: BLE001 - objects of any class
            self._seen = b""  # they might have
        if before is None or (self._seen and self._seen == before):
            return False
        vars(self).pop("_shapes", None)
        return True

    def write_back(self) -> None:
        """Write parameters and optimiser state back after compiled steps."""
        self._carried.write_back()

    def watch(self, loss: Value) -> None:
        """Estimate, from the graph of the first loss, after how many steps compiling pays.

        Nothing is timed, so that two runs of a script agree to the last bit.
        """
        if self.warm_up is None:
            wires = sum(len(node.parents) for node in topological_order(loss))
            self.warm_up = WARM_UP + START // max(1, wires)

    def predictions(self) -> list[Any] | None:
        """Return predictions for the held-out examples; None if they must be computed eagerly."""
        evaluation, warm_up = self._evaluation, self.warm_up
        if evaluation is None or warm_up is None or not evaluation.is_time(warm_up):
            return None
        if not self._recordings or is_anomaly_enabled():
            return None
        self._carried.load()
        return evaluation.predictions(self._carried)

    # Steps ------------------------------------------------------------------------------------

    def step(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step on these examples; return None if it must be taken eagerly."""
        result = None
        try:
            if self._is_time(rows) and not is_anomaly_enabled():
                result = self._result(rows)
        except Exception as error:  # noqa: BLE001 - whatever it is, eager steps are not affected
            self._refuse(error)
        if result is None:
            self.write_back()
            self._moment += 1
        return result

    @cached_property
    def _shapes(self) -> Shapes:
        return Shapes(list(zip(*self._parts.train, strict=True)), self._parts.batch_size)

    def _is_time(self, rows: Sequence[int]) -> bool:
        """Count a step, and return whether enough of this shape have been taken eagerly."""
        if self.warm_up == math.inf:
            return False
        part, rows = self._shapes.find(rows)
        shape = part, len(rows)
        self._counts[shape] += 1
        known = self.warm_up is not None and part < SHAPES
        return known and self._counts[shape] > (self.warm_up or 0)

    def _refuse(self, error: Exception) -> None:
        """Take all further steps eagerly; with ``jit=True``, raise the error instead."""
        if self._parts.jit:
            raise TraceError(f"fit(…, jit=True) cannot record a step: {error}") from error
        self.refusal, self.warm_up = str(error), math.inf

    def _result(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step with a program; None if it takes another branch or is not finite."""
        part, rows = self._shapes.find(rows)
        recording, carried = self._recording(part), self._carried
        carried.load()
        found = recording.found(rows, carried, self._moment)
        if found is None:
            return None
        moved = False
        try:
            if len(found.looked_up):
                self._require_still(found)
            moved = carried.step(found.grads, found.reached, self._parts.limits)
        finally:
            if not moved:
                recording.undo()
        if not moved:
            return None
        predictions = found.listed() if self._objective.metrics else []
        gradient = carried.gradient() if self._parts.wants_gradient else []
        return StepResult(found.loss, predictions, gradient)

    def _recording(self, part: int) -> CompiledGradient:
        if part not in self._recordings:
            data = self._shapes.parts[part]
            self._recordings[part] = CompiledGradient(self._objective, self._carried.leaves, data)
        return self._recordings[part]

    def _require_still(self, found: Found) -> None:
        """Raise TraceError if a rule moves table entries that this step does not look up.

        A program looks up other rows at each run, and has a gradient for every row: 0 for those it
        does not look up. A rule that visits only rows with a gradient would visit them all.
        """
        looked_up = [self._carried.leaves[i] for i in found.looked_up.tolist()]
        if not self._optimizer.is_still(looked_up):
            raise TraceError(
                f"{type(self._optimizer).__name__} moves a parameter that is looked up even "
                "where its gradient is 0, and a program cannot tell the rows it looks up "
                "from the others: train with Adam, or with jit=False"
            )


def _parameters_met(model: Module, data: Examples) -> int:
    """Return how many parameters every example uses; of an embedding table it uses a few rows.

    Likewise a sparse example, a dictionary, uses the weights of the features it has.
    """
    if any(isinstance(example, Mapping) for example in data.inputs):
        return 0
    tables = [part for part in model.modules() if isinstance(part, Embedding)]
    return len(model.parameters()) - sum(len(table.parameters()) for table in tables)
