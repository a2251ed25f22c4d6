"""Take the steps of a run with compiled programs, if possible, and as soon as that pays."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.compiler.guards.surroundings import Surroundings
from scalargrad.errors import TraceError
from scalargrad.graph import topological_order
from scalargrad.nn import Embedding, Module
from scalargrad.optim import Optimizer
from scalargrad.optim.optimizer import write_data
from scalargrad.system.cached_property import cached_property
from scalargrad.train.examples import Examples
from scalargrad.train.objective import StepResult
from scalargrad.train.programs import Gradient, Predictor, Rows, listed
from scalargrad.train.run_parts import Eager, Limits, RunParts
from scalargrad.value import Value

#: Recording a step takes about as long as this many eager steps.
WARM_UP = 5
#: Starting the compiler takes about as long as visiting this many operands eagerly.
START = 200_000
#: A batch with this many examples × parameters used by each is compiled from the first step.
_LARGE = 100_000
#: The most structures of examples that are compiled, the most frequent ones; others stay eager.
STRUCTURES = 32


class Carried:
    """Parameters and gradients in arrays between steps; the optimiser keeps its state itself.

    Parameters
    ----------
    parameters : sequence of Value
        The parameters of the model. Those that the optimiser does not train get gradients, too.

    Attributes
    ----------
    leaves : list of Value
        The parameters trained, in the optimiser's order, then the model's others.
    count : int
        How many are trained.
    data, grads : float64
        The number of each leaf, and its gradient.
    is_ahead : bool
        Whether steps have moved the numbers since the objects were given theirs.
    """

    def __init__(self, optimizer: Optimizer, parameters: Sequence[Value]) -> None:
        self._optimizer = optimizer
        trained = [p for group in optimizer.param_groups for p in group["params"]]
        self.leaves, self.count = list(dict.fromkeys([*trained, *parameters])), len(trained)
        self.data = np.zeros(len(self.leaves))
        self.grads = np.zeros(len(self.leaves))
        self.is_ahead = False
        self._reached: Any = ()

    def load(self) -> None:
        """Read the numbers from the Values, unless the arrays are newer."""
        if not self.is_ahead:
            self.data[:] = [leaf.data for leaf in self.leaves]
            self.grads[self.count :] = [leaf.grad or 0.0 for leaf in self.leaves[self.count :]]

    def step(self, grads: Any, reached: Any, limits: Limits) -> bool:
        """Take a step; return False, and change nothing, if it must be taken eagerly.

        It must if a number would not be finite, or if the loss depends on no parameter.

        Parameters
        ----------
        grads : float64
            The gradients of the leaves reached.
        reached : integers
            The indices of these leaves.
        limits : Limits
            The limits on the gradients of trained parameters.
        """
        count, n = self.count, len(self.leaves)
        found, mask = grads.copy(), None
        if len(reached) < n:
            found, mask = np.zeros(n), np.zeros(n, dtype=np.bool_)
            found[reached], mask[reached] = grads, True
        limits.apply_to(found[:count])
        trained = None if mask is None else mask[:count]
        if not len(reached) or not self._optimizer.step_arrays(
            self.data[:count], found[:count], trained
        ):
            return False
        found[count:] += self.grads[count:]  # no optimiser clears those that are not trained
        self.grads, self._reached, self.is_ahead = found, reached, True
        return True

    def write_back(self) -> None:
        """Write the numbers to the Values, as the same steps taken eagerly would have left them."""
        if not self.is_ahead:
            return
        count, grads = self.count, self.grads.tolist()
        write_data(self.leaves[:count], self.data[:count].tolist())
        self._optimizer.zero_grad()
        for i in self._reached[self._reached < count].tolist():
            self.leaves[i].grad = grads[i]
        for leaf, grad in zip(self.leaves[count:], grads[count:], strict=True):
            if grad != (leaf.grad or 0.0):  # by the last step or one before
                leaf.grad = grad
        self.is_ahead = False


class Compiled(Eager):
    """Takes steps by a compiled gradient and an update in arrays, which hold the parameters.

    With `jit`, the first step is recorded, and an error raised if that is impossible. Otherwise the
    first few steps of each structure, and all that cannot be recorded, are taken eagerly.

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
        self._counts = Counter[tuple[int, int]]()  # of steps, by structure and size of batch
        self._evaluations = 0
        self._moment = 0  # counts the times at which a user's code may have run
        self._seen: bytes | None = None
        self._places: tuple[list[Any], list[Value]] | None = None
        self._forget()

    def _forget(self) -> None:
        self._carried = Carried(self._optimizer, self._objective.model.parameters())
        self._gradients: dict[int, Gradient] = {}
        self._predictor: Predictor | None = None
        self._is_refused = False  # the predictor

    # Between steps ----------------------------------------------------------------------------

    def resume(self, epochs: int, warm_up: float | None) -> None:
        """Continue after a number of completed epochs."""
        self.warm_up, self._evaluations = 0 if self._parts.jit else warm_up, epochs
        full, rest = divmod(len(self._parts.train.inputs), self._parts.batch_size)
        with suppress(Exception):  # whatever it is, the first step meets it again
            for structure, count in Counter(self._rows.structure).items():
                batches = full if self._parts.batch_size > 1 else count
                self._counts[structure, self._parts.batch_size] = epochs * batches
                self._counts[structure, rest] = epochs if rest else 0

    def begin_epoch(self) -> None:
        """Forget what was recorded if parameters or data have been replaced between epochs."""
        self._moment += 1
        if not self._parts.visited or self.warm_up == math.inf:
            return
        known = self._carried
        here = Carried(self._optimizer, self._objective.model.parameters())
        others = here.leaves != known.leaves or here.count != known.count
        if any([self._have_data_changed(), self._have_places_changed(), others]):
            self._forget()

    def _have_places_changed(self) -> bool:
        """Return whether parameters stand elsewhere in the model than before the last epoch.

        A program reads them from an array, so that its own guards leave their places alone.
        """
        before, called = self._places, self._objective.called
        around = Surroundings([lambda: called])
        self._places = around.places, around.values
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
        vars(self).pop("_rows", None)
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

    def predictions(self, inputs: list[Any]) -> list[Any] | None:
        """Return predictions for the held-out examples; None if they must be computed eagerly."""
        self._evaluations += 1
        batches = self._evaluations * math.ceil(len(inputs) / self._parts.batch_size)
        pays = self.warm_up is not None and batches > self.warm_up
        if not pays or self._is_refused or not self._gradients or is_anomaly_enabled():
            return None
        self._carried.load()
        try:
            if self._predictor is None:
                model, leaves = self._objective.model, self._carried.leaves
                self._predictor = Predictor(model, leaves, inputs, self.write_back)
            return self._predictor.predictions(self._carried.data)
        except Exception:  # noqa: BLE001 - whatever it is, eager evaluation is not affected
            self._predictor, self._is_refused = None, True
            return None

    # Steps ------------------------------------------------------------------------------------

    def step(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step on these examples; return None if it must be taken eagerly."""
        result = None
        try:
            if self._is_time(rows) and not is_anomaly_enabled():
                result = self._result(rows)
        except Exception as error:  # whatever it is, eager steps are not affected
            if self._parts.jit:
                raise TraceError(f"fit(…, jit=True) cannot record a step: {error}") from error
            self.refusal, self.warm_up = str(error), math.inf
        if result is None:
            self.write_back()
            self._moment += 1
        return result

    @cached_property
    def _rows(self) -> Rows:
        examples = list(zip(*self._parts.train, strict=True))
        return Rows(examples, alike=self._parts.batch_size > 1)

    def _is_time(self, rows: Sequence[int]) -> bool:
        """Count a step, and return whether enough of this structure have been taken eagerly."""
        if self.warm_up == math.inf:
            return False
        structure = self._rows.structure[rows[0]]
        self._counts[structure, len(rows)] += 1
        known = self.warm_up is not None and structure < STRUCTURES
        return known and self._counts[structure, len(rows)] > (self.warm_up or 0)

    def _result(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step with a program; None if it takes another branch or is not finite."""
        structure, carried = self._rows.structure[rows[0]], self._carried
        gradient = self._gradients.get(structure)
        if gradient is None:
            given = self._objective, carried.leaves, self._rows, rows[0], self.write_back
            gradient = self._gradients[structure] = Gradient(*given)
        carried.load()
        found = gradient.found(rows, carried.data, self._moment)
        if found is None:
            return None
        moved = False
        try:
            moved = carried.step(found.grads, found.reached, self._parts.limits)
        finally:
            if not moved:
                gradient.undo()
        if not moved:
            return None
        predictions = listed(found.predictions) if self._objective.metrics else []
        wanted = self._parts.wants_gradient
        grads = carried.grads[: carried.count].tolist() if wanted else []
        return StepResult(found.loss, predictions, grads)


def _parameters_met(model: Module, data: Examples) -> int:
    """Return how many parameters every example uses; of an embedding table it uses a few rows.

    Likewise a sparse example, a dictionary, uses the weights of the features it has.
    """
    if any(isinstance(example, Mapping) for example in data.inputs):
        return 0
    tables = [part for part in model.modules() if isinstance(part, Embedding)]
    return len(model.parameters()) - sum(len(table.parameters()) for table in tables)
