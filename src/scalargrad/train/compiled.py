"""Steps of `fit` as a function under `jit`, which takes parameters and examples in arrays.

The first batch of each size is evaluated eagerly as well, and compared. A smaller last batch is
filled up where that makes no difference, so that it needs no program of its own.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from scalargrad.compiler.decorator import jit
from scalargrad.compiler.vmap import vmap
from scalargrad.errors import TraceError
from scalargrad.grad_mode import no_grad
from scalargrad.graph import topological_order
from scalargrad.nn import Module
from scalargrad.nn.functional_call import exchanged
from scalargrad.optim.optimizer import write_data
from scalargrad.system.short_repr import shown
from scalargrad.train.examples import PLAIN, is_flat, plain
from scalargrad.train.objective import StepResult
from scalargrad.train.settings import Settings
from scalargrad.transforms.draws import rewind, state_of
from scalargrad.transforms.functional import value_and_grad
from scalargrad.tree import flatten, is_array
from scalargrad.value import Value

#: Recording a step takes about as long as this many eager steps.
RECORDING = 5
#: Compiling it takes about as long as visiting this many operands eagerly.
COMPILING = 200_000
#: The most structures of examples that are compiled, the most frequent ones; others stay eager.
STRUCTURES = 32


class CompiledSteps:
    """Takes steps by a compiled gradient and an update in arrays, which hold the parameters.

    Parameters
    ----------
    settings : Settings
        The optimizer is one of `scalargrad.optim`.
    epochs : int
        How many are to be run; by default steps are compiled where that pays in so many.
    operands : int
        How many an eager step visits for an example.

    Attributes
    ----------
    refusal : str
        Why steps could not be compiled; "" if they could.
    """

    def __init__(self, settings: Settings, epochs: int, operands: int) -> None:
        self._epochs, self._operands, self.refusal = epochs, max(1, operands), ""
        self._settings, self._objective = settings, settings.objective
        self._optimizer: Any = settings.optimizer
        self._generators = self._objective.generators()
        self._leaves: list[Value] = []  # those that the optimizer moves, then the others
        self._count = 0  # of those that it moves
        self._held: set[Value] = set()  # by the model, the loss and the penalty
        self._is_ahead = False  # the arrays, of the parameters
        self._forget()

    def _forget(self) -> None:
        self._programs: dict[int, Any] = {}
        self._running: dict[int, Callable[..., Any]] = {}
        self._compared: set[tuple[int, int]] = set()
        self._draws = False
        self._evaluation: Any = None

    # Parameters -------------------------------------------------------------------------------

    def begin_epoch(self) -> None:
        """Read the parameters, and what a callback could have changed."""
        if self._leaves and not self._settings.is_looked_at:
            return
        trained = self._settings.trained
        held = _Called(self._objective.called).parameters()
        leaves = [*dict.fromkeys([*trained, *held])]
        if (leaves, len(trained), {*held}) != (self._leaves, self._count, self._held):
            self._forget()
            self._leaves, self._count, self._held = leaves, len(trained), {*held}
        if self._settings.callbacks:
            vars(self).pop("_rows", None)
            vars(self).pop("_fills", None)
        self._read()

    def _read(self) -> None:
        self._running.clear()
        count = self._count
        self._data = np.array([leaf.data for leaf in self._leaves], dtype=np.float64)
        self._grads = np.zeros(len(self._leaves))
        self._grads[count:] = [leaf.grad or 0.0 for leaf in self._leaves[count:]]

    def write_back(self) -> None:
        """Write numbers and gradients to the Values, as the same steps taken eagerly leave them."""
        if self._is_ahead:
            count = self._count
            write_data(self._leaves[:count], self._data[:count].tolist())
            self._optimizer.zero_grad()
            for leaf, grad in zip(self._leaves, self._grads.tolist(), strict=True):
                if grad != leaf.grad:
                    leaf.grad = grad
            self._is_ahead = False

    # Steps ------------------------------------------------------------------------------------

    def step(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step on these examples; return None if it must be taken eagerly."""
        if self.refusal:
            return None
        result = None
        try:
            if self._pays(rows):
                result = self._result(rows)
        except Exception as error:  # whatever it is, eager steps are not affected
            if self._settings.jit:
                raise TraceError(f"fit(…, jit=True) cannot record a step: {error}") from error
            self.refusal = str(error)
        if result is None:
            self.write_back()
            self._running.clear()
        return result

    @cached_property
    def _rows(self) -> Rows:
        examples = list(zip(*self._settings.train, strict=True))
        return Rows(examples, alike=self._settings.batch_size > 1)

    @cached_property
    def _fills(self) -> bool:
        """Whether a smaller last batch may be filled up: the loss is a mean over examples."""
        targets, size = self._settings.train.targets, self._settings.batch_size
        return len(targets) % size > 0 and self._objective.is_mean_over(targets)

    def _pays(self, rows: Sequence[int]) -> bool:
        """Return whether there are so many batches like this one that compiling a step pays."""
        structure, size = self._rows.structure[rows[0]], self._settings.batch_size
        batches = self._rows.counts[structure] // size if len(rows) == size else 1
        pays = self._epochs * batches > RECORDING + COMPILING / (self._operands * len(rows))
        return self._settings.jit or (pays and structure < STRUCTURES) or self._is_filled(rows)

    def _is_filled(self, rows: Sequence[int]) -> bool:
        """Return whether a batch that is smaller than others is filled up."""
        size = self._settings.batch_size
        known = len(rows) < size and (0, size) in self._compared
        return known and not self._draws and self._fills

    def _result(self, rows: Sequence[int]) -> StepResult | None:
        if not self._running and not self._is_ahead:
            self._read()
        before = [(x, state_of(x)) for x in self._generators]
        found = self._found(rows)
        if found is None:
            rewind(before)
            return None
        (loss, predictions), grads = found
        if grads.dtype == object:
            raise TraceError(
                f"the step reads {_outside(loss)}, which neither the model nor the optimiser has: "
                "make it a Parameter of the model, or a plain number"
            )
        size = self._settings.batch_size if self._is_filled(rows) else len(rows)
        structure = self._rows.structure[rows[0]]
        if (structure, size) not in self._compared:
            self._compare(rows, loss, predictions, before)
            self._compared.add((structure, size))
        if not grads.any():  # perhaps no parameter is under the loss, which an eager step tells
            rewind(before)
            return None
        count, grads = self._count, grads.copy()
        self._settings.limits.apply_to(grads[:count])
        if not self._optimizer.step_arrays(self._data[:count], grads[:count]):
            rewind(before)
            return None
        grads[count:] += self._grads[count:]  # no optimiser clears those that are not trained
        self._grads, self._is_ahead = grads, True
        metrics, wanted = self._objective.metrics, self._settings.wants_gradient
        numbers = _listed(predictions)[: len(rows)] if metrics else []
        return StepResult(loss, numbers, grads[:count].tolist() if wanted else [])

    def _found(self, rows: Sequence[int]) -> Any:
        """Return ((loss, predictions), gradient) of a batch; None if it must be taken eagerly."""
        structure, size = self._rows.structure[rows[0]], self._settings.batch_size
        cells, used = self._rows.at(rows), None
        if self._is_filled(rows):
            cells = np.resize(cells, (size, cells.shape[1]))
        if self._fills and len(cells) == size:
            used = (np.arange(size) < len(rows)).astype(np.float64)
        given = self._data, cells, used
        if structure not in self._programs:
            self._programs[structure] = self._program(rows[0], together=True)
        if structure not in self._running:
            self._running[structure] = self._programs[structure].repeated()
        try:
            return self._running[structure](*given)
        except TraceError:
            self._programs[structure] = self._program(rows[0], together=False)
            self._running[structure] = self._programs[structure].repeated()
            return self._running[structure](*given)

    def _program(self, row: int, *, together: bool) -> Any:
        """Return the compiled gradient of batches that have the structure of an example.

        Parameters
        ----------
        together : bool
            Whether to record the model once for all examples, or once for each.
        """
        objective, called = self._objective, self._objective.called
        leaves, held = self._leaves, self._held
        _, rebuild = flatten(self._rows.examples[row], "an example")

        def step_of_fit(data: Any, cells: Any, used: Any) -> Any:
            if not isinstance(data[0], Value):
                return None  # called eagerly

            def loss_of(data: Any) -> Any:
                pairs = zip(leaves, data, strict=True)
                numbers = {leaf: x for leaf, x in pairs if leaf in held}
                inputs, targets = zip(*[rebuild(iter(row)) for row in cells], strict=True)
                with exchanged(_Called(called), numbers):
                    model = called[0]
                    found = vmap(model)([*inputs]) if together else [model(x) for x in inputs]
                    loss = objective.value(found, [*targets], used)
                return loss, _arranged(found)

            return value_and_grad(loss_of, has_aux=True)(data)

        return jit(step_of_fit)

    def _compare(
        self, rows: Sequence[int], loss: float, found: Any, before: list[tuple[Any, Any]]
    ) -> None:
        """Raise TraceError if eager evaluation gives a different loss for a batch.

        The model is evaluated on one example, unless it draws random numbers, and the loss on all.
        """
        self.write_back()
        after = [(x, state_of(x)) for x in self._generators]
        self._draws |= repr(after) != repr(before)
        rewind(before)
        try:
            inputs, targets = zip(*[self._rows.examples[i] for i in rows], strict=True)
            with no_grad():
                count = len(inputs) if self._draws else 1
                predictions = [self._objective.model(x) for x in inputs[:count]]
                predictions += _as_values(_listed(found)[count : len(rows)])
                expected = float(plain(self._objective.value(predictions, [*targets])))
        finally:
            rewind(after)
        if not math.isclose(loss, expected, rel_tol=1e-6, abs_tol=1e-9):
            raise TraceError(
                f"the loss of a batch is {expected:.6g}, and {loss:.6g} as a program: the model "
                "or the loss depends on more than numbers and shapes, for example on "
                "isinstance(target, int)"
            )

    # Evaluation -------------------------------------------------------------------------------

    def predictions(self, inputs: list[Any]) -> list[Any] | None:
        """Return predictions for the held-out examples; None if they must be computed eagerly."""
        if not self._compared or self._evaluation is False:
            return None
        try:
            if self._evaluation is None:
                self._evaluation = self._evaluating(inputs)
            run, cells = self._evaluation
            if self._settings.callbacks:
                cells = Rows(inputs, alike=True).at(range(len(inputs)))
            found = run(cells)
        except Exception:  # noqa: BLE001 - whatever it is, eager evaluation is not affected
            self._evaluation = False
            return None
        return None if found is None else _as_values(_listed(found))

    def _evaluating(self, inputs: list[Any]) -> tuple[Any, Any]:
        """Return the compiled model, and the inputs in an array; compare an example with eager."""
        model = self._objective.model
        _, rebuild = flatten(inputs[0], "an input")

        def evaluation_of_fit(cells: Any) -> Any:
            if not isinstance(cells[0][0], Value):
                return None  # called eagerly
            return _arranged(vmap(model)([rebuild(iter(row)) for row in cells]))

        run, cells = jit(evaluation_of_fit), Rows(inputs, alike=True).at(range(len(inputs)))
        before = [(x, state_of(x)) for x in self._generators]
        found = run(cells)
        rewind(before)
        expected = model(inputs[0])
        pairs = zip(
            flatten(plain(_listed(found)[0]), "")[0], flatten(plain(expected), "")[0], strict=True
        )
        drew = any(repr(state_of(x)) != repr(state) for x, state in before)
        rewind(before)
        if not drew and not all(math.isclose(x, y, rel_tol=1e-6, abs_tol=1e-9) for x, y in pairs):
            raise TraceError("a prediction depends on more than numbers and shapes")
        return run, cells


class _Called(Module):
    """The model with its loss and its penalty, which may be modules with Parameters, too."""

    def __init__(self, called: tuple[Any, ...]) -> None:
        self.called = [*called]


def _arranged(predictions: list[Any]) -> Any:
    """Return predictions as an array, if they are lists of as many numbers each."""
    rows = [x if isinstance(x, list | tuple) else [x] for x in predictions]
    flat = [x for row in rows for x in row]
    if len({*map(len, rows)}) > 1 or not all(isinstance(x, Value) for x in flat):
        return predictions
    found = np.empty(len(flat), dtype=object)
    found[:] = flat
    return found if isinstance(predictions[0], Value) else found.reshape(len(rows), -1)


def _listed(predictions: Any) -> list[Any]:
    found: list[Any] = predictions.tolist() if is_array(predictions) else predictions
    return found


def _as_values(predictions: list[Any]) -> list[Any]:
    """Return predictions as Values, as a model makes them."""
    numbers, rebuild = flatten(predictions, "the predictions")
    values: list[Any] = rebuild(x if isinstance(x, Value) else Value(x) for x in numbers)
    return values


def _outside(loss: Any) -> str:
    found = [x for x in topological_order(loss) if x is not loss]
    return shown(found[0]) if found else "a Value"


# Examples as arrays -----------------------------------------------------------------------------


class Rows:
    """Examples, each as a row of numbers, with the structures that they have.

    Parameters
    ----------
    examples : sequence
        Numbers nested in any way.
    alike : bool
        Whether they must have one structure, as those that share a batch.

    Attributes
    ----------
    structure : list of int
        That of each example; 0 is the most frequent one.
    counts : list of int
        How many examples have each.

    Raises
    ------
    TraceError
        If an example holds anything but numbers, text and None, or they are not nested alike.
    """

    def __init__(self, examples: Sequence[Any], *, alike: bool) -> None:
        self.examples = examples
        keys, rows = [*map(structure_of, examples)], [flatten(x, "an example")[0] for x in examples]
        ranks = Counter(keys).most_common()
        if alike and len(ranks) > 1:
            raise TraceError(
                "the examples are not all nested alike: give every input, and every target, as "
                "many numbers in the same places, or train with batch_size=1"
            )
        order = {key: rank for rank, (key, _) in enumerate(ranks)}
        self.structure, self.counts = [order[key] for key in keys], [n for _, n in ranks]
        self._rows: Any = [np.array(row, dtype=np.float64) for row in rows]
        if len(ranks) == 1:
            self._rows = np.array(self._rows).reshape(len(rows), -1)

    def at(self, rows: Sequence[int]) -> Any:
        """Return the numbers of examples of one structure, as an array of a row for each."""
        if isinstance(self._rows, list):
            return np.stack([self._rows[i] for i in rows])
        return self._rows[rows.start : rows.stop] if isinstance(rows, range) else self._rows[rows]


def structure_of(x: Any) -> Hashable:
    """Return what examples share whose numbers stand in the same places."""
    if type(x) in PLAIN:
        return float
    if isinstance(x, list | tuple):
        return (type(x), len(x)) if is_flat(x) else (type(x), *map(structure_of, x))
    if isinstance(x, dict):
        return (type(x), *((key, structure_of(part)) for key, part in x.items()))
    if is_array(x):
        return (np.ndarray, x.shape)
    if isinstance(x, Value):
        raise TraceError("an example holds Values: give numbers, or train eagerly with jit=False")
    return type(x), x if isinstance(x, str) else None
