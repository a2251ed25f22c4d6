"""Compiled steps of `fit`: a function under `jit` of arrays of parameters and examples.

The first batch of each size is also evaluated eagerly, and the losses are compared.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Any

import numpy as np

from scalargrad.compiler.generators import generators_of
from scalargrad.compiler.jitted import jit
from scalargrad.compiler.vmap import vmap
from scalargrad.engine.draws import rewind, state_of
from scalargrad.engine.grad_mode import no_grad
from scalargrad.engine.tree import Rebuild, flatten
from scalargrad.engine.value import Value
from scalargrad.errors import TraceError
from scalargrad.nn import Module, ModuleList
from scalargrad.nn.module import substitute_parameters
from scalargrad.optim import SGD, Adagrad, Adam, AdamW, RMSprop
from scalargrad.optim.clipping import factor_for
from scalargrad.optim.optimizer import write_data
from scalargrad.train.examples import detach_values
from scalargrad.transforms.functional import value_and_grad

if TYPE_CHECKING:
    from scalargrad.train.trainer import StepResult, Trainer

#: Optimizers with updates of arrays; SparseAdam has none, because it needs the rows looked up.
_ARRAY_OPTIMIZERS = (SGD, Adam, AdamW, RMSprop, Adagrad)
#: Time to trace a step, in eager steps.
TRACING = 5
#: Time to compile a step, in operands visited by an eager step.
COMPILING = 200_000


class CompiledSteps:
    """Takes steps by a compiled gradient and an update of arrays, which hold the parameters.

    Parameters
    ----------
    run : Trainer
        The run. If a part cannot be compiled, this is found at the first step that would be.
    epochs : int
        The number of epochs, from which it is decided whether compilation pays.
    operands : int
        Number of operands that an eager step visits for one example.

    Attributes
    ----------
    refusal : str
        The reason why steps could not be compiled; "" if they could.
    """

    def __init__(self, run: Trainer, epochs: int, operands: int) -> None:
        self._run = run
        self._optimizer: Any = run.optimizer
        self._epochs, self._operands, self.refusal = epochs, max(1, operands), ""
        self._generators = generators_of(run.callables)
        self._leaves: list[Value] = []  # those of the optimizer, then the others
        self._count = 0  # number of leaves of the optimizer
        self._owned: set[Value] = set()  # parameters of model, loss and penalty
        self._is_ahead = False  # whether the arrays are newer than the parameters
        self._rows: Any = None  # the examples
        self._clear_programs()

    def _clear_programs(self) -> None:
        """Discard compiled programs, after a change of parameters or layers."""
        self._programs: dict[str, Any] = {}
        self._running: dict[str, Callable[..., Any]] = {}
        self._compared: set[tuple[str, int]] = set()
        self._evaluate: Any = None

    # Parameters -------------------------------------------------------------------------------

    def begin_epoch(self) -> None:
        """Read the parameters, which callbacks may have changed."""
        if self.refusal or (self._leaves and not self._run.needs_synced_model):
            return
        if type(self._optimizer) in _ARRAY_OPTIMIZERS:
            self._optimizer.require_unchanged()
        trained, owned = self._run.trained, _modules(self._run.callables).parameters()
        leaves = [*dict.fromkeys([*trained, *owned])]
        if (leaves, len(trained), {*owned}) != (self._leaves, self._count, self._owned):
            self._clear_programs()
            self._leaves, self._count, self._owned = leaves, len(trained), {*owned}
        self._read()

    def _read(self) -> None:
        self._running.clear()
        self._data = np.array([leaf.data for leaf in self._leaves], dtype=np.float64)

    def write_back(self) -> None:
        """Write data and gradients to the Values, like the same steps taken eagerly."""
        if self._is_ahead:
            trained = self._leaves[: self._count]
            write_data(trained, self._data[: self._count].tolist())
            self._optimizer.zero_grad()
            for leaf, grad in zip(trained, self._grads.tolist(), strict=True):
                if grad != leaf.grad:
                    leaf.grad = grad
            self._is_ahead = False

    # Steps ------------------------------------------------------------------------------------

    def step(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step on these examples; return None if it must be taken eagerly."""
        if self.refusal:
            return None
        before, result = self._states(), None
        try:
            if self._pays(rows):
                result = self._result(rows, before)
        except Exception as error:  # eager steps are not affected
            if self._run.jit:
                raise TraceError(f"fit(…, jit=True) cannot compile a step: {error}") from error
            self.refusal = str(error)
        if result is None:
            rewind(before)
            self.write_back()
            self._running.clear()
        return result

    def _states(self) -> list[tuple[Any, Any]]:
        """Return the random number generators with their states."""
        return [(x, state_of(x)) for x in self._generators]

    def _pays(self, rows: Sequence[int]) -> bool:
        """Return True if there are enough batches of this kind for compilation to pay."""
        if self._rows is None:
            pairs = list(zip(*self._run.train, strict=True))
            self._rows = Rows(pairs, one_structure=self._run.batch_size > 1)
        count, size = self._rows.counts[self._rows.keys[rows[0]]], len(rows)
        batches = count // size if size == self._run.batch_size else 1
        pays = self._epochs * batches > TRACING + COMPILING / (self._operands * size)
        return self._run.jit or pays

    def _result(self, rows: Sequence[int], before: list[tuple[Any, Any]]) -> StepResult | None:
        if type(self._optimizer) not in _ARRAY_OPTIMIZERS:
            raise TraceError(
                f"{type(self._optimizer).__name__} has no update of arrays: use SGD, Adam, AdamW, "
                "RMSprop or Adagrad of scalargrad.optim"
            )
        if not self._running and not self._is_ahead:
            self._read()
        found = self._gradient(rows)
        if found is None:
            return None
        (loss, predictions), grads = found
        if grads.dtype == object:
            raise TraceError(
                "the loss depends on a Value that is neither in the model nor in the optimizer: "
                "make it a Parameter of the model, or a plain number"
            )
        batch = self._rows.keys[rows[0]], len(rows)
        if batch not in self._compared:
            self._compare(rows, loss, predictions, before)
            self._compared.add(batch)
        data, grads = self._data[: self._count], grads[: self._count].copy()
        if (most := self._run.clip_grad_norm) is not None:
            grads *= factor_for(math.hypot(*grads.tolist()), most)
        if not self._optimizer.step_arrays(data, grads):
            return None
        self._grads, self._is_ahead = grads, True
        numbers = predictions if self._run.metrics else []
        wanted = self._run.gradient_tolerance is not None
        return loss, numbers, grads.tolist() if wanted else []

    def _gradient(self, rows: Sequence[int]) -> Any:
        """Return ((loss, predictions), gradient) of a batch; None if computed eagerly."""
        key = self._rows.keys[rows[0]]
        if key not in self._programs:
            self._programs[key] = self._program(self._rows.rebuilds[key])
        if key not in self._running:
            self._running[key] = self._programs[key].repeated()
        return self._running[key](self._data, self._rows.at(rows))

    def _program(self, rebuild: Rebuild) -> Any:
        """Return the compiled gradient for batches of examples, each rebuilt from its numbers."""
        callables, batch_loss = (
            self._run.callables,
            self._run.batch_loss,
        )  # closure variables of `jit`
        positions = [k for k, leaf in enumerate(self._leaves) if leaf in self._owned]
        owned = [self._leaves[k] for k in positions]

        def step_of_fit(data: Any, rows: Any) -> Any:
            if not isinstance(data[0], Value):
                return None  # called eagerly

            def loss_of(data: Any) -> Any:
                numbers = dict(zip(owned, [data[k] for k in positions], strict=True))
                inputs, targets = zip(*[rebuild(iter(row)) for row in rows], strict=True)
                with substitute_parameters(_modules(callables), numbers):
                    found = _predictions(callables[0], [*inputs])
                    return batch_loss(callables, found, [*targets]), found

            return value_and_grad(loss_of, has_aux=True)(data)

        return jit(step_of_fit)

    def _compare(
        self, rows: Sequence[int], loss: float, found: list[Any], before: list[tuple[Any, Any]]
    ) -> None:
        """Raise TraceError if eager evaluation of a batch gives another loss.

        The loss is evaluated on all examples; the model on one, unless it draws random numbers.
        """
        self.write_back()
        after = self._states()
        rewind(before)
        inputs, targets = self._run.train.at(rows)
        with no_grad():
            count = len(inputs) if repr(after) != repr(before) else 1
            predictions = [self._run.model(x) for x in inputs[:count]]
            numbers, rebuild = flatten(found[count:], "the predictions")
            predictions += rebuild(map(Value, numbers))  # predictions of a model are Values
            expected = float(
                detach_values(self._run.batch_loss(self._run.callables, predictions, targets))
            )
        rewind(after)
        _require_near(loss, expected, "the loss of a batch")

    # Evaluation -------------------------------------------------------------------------------

    def predictions(self, inputs: list[Any]) -> list[Any] | None:
        """Return predictions for the held-out examples; None if they must be computed eagerly."""
        if not self._compared or self._evaluate is False:
            return None
        before, model, first = self._states(), self._run.model, None
        try:
            if self._evaluate is None:
                self._evaluate = jit(lambda inputs: _predictions(model, inputs))
                first = detach_values(model(inputs[0]))
                rewind(before)
            found: list[Any] = self._evaluate(inputs)
            if first is not None:
                pairs = [flatten(part, "")[0] for part in (detach_values(found[0]), first)]
                for x, y in zip(*pairs, strict=True):
                    _require_near(x, y, "a prediction")
        except Exception:  # noqa: BLE001 - eager evaluation is not affected
            rewind(before)
            self._evaluate = False
            return None
        return found


def _modules(callables: tuple[Any, ...]) -> ModuleList:
    """Return the modules among model, loss and penalty; all of them may have Parameters."""
    return ModuleList([x for x in callables if isinstance(x, Module)])


def _predictions(model: Module, inputs: list[Any]) -> list[Any]:
    """Return a prediction for each input; several inputs are traced once, by `vmap`."""
    return [model(inputs[0])] if len(inputs) == 1 else vmap(model)(inputs)


def _require_near(found: float, expected: float, what: str) -> None:
    """Raise TraceError if a number differs from the eager one by more than rounding errors."""
    if not math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9):
        raise TraceError(
            f"{what} is {expected:.6g} in eager evaluation, but {found:.6g} if compiled: the model "
            "or the loss depends on more than numbers and shapes, such as isinstance(target, int)"
        )


# Examples as arrays -----------------------------------------------------------------------------


class Rows:
    """Examples, each as a row of numbers and a structure.

    The example ``([0.5, 2.0], 1.0)`` is the row ``0.5 2.0 1.0`` of the structure ``([0, 0], 0)``.

    Parameters
    ----------
    examples : sequence
        Trees of numbers.
    one_structure : bool
        Whether all must have the same structure, as examples of one batch do.

    Attributes
    ----------
    keys : list of str
        The structure of each example: its nesting, with 0 for numbers, and its texts.
    counts : mapping from str to int
        Number of examples of each structure.
    rebuilds : dict from str to callable
        For each structure, a function from an iterator over numbers to an example.

    Raises
    ------
    TraceError
        If the examples must have one structure, but have several.
    OperandError, TypeError
        If an example holds anything but numbers, text and None.
    """

    def __init__(self, examples: Sequence[Any], *, one_structure: bool) -> None:
        found = [flatten(x, "an example") for x in examples]
        self.keys = [repr(rebuild(repeat(0))) for _, rebuild in found]
        self.counts = Counter(self.keys)
        self.rebuilds = {key: rebuild for key, (_, rebuild) in zip(self.keys, found, strict=True)}
        if one_structure and len(self.counts) > 1:
            raise TraceError(
                "the examples differ in structure: give all inputs, and all targets, the same "
                "number and nesting of numbers, or train with batch_size=1"
            )
        rows = [row for row, _ in found]
        self._rows: Any = [np.array(row, dtype=np.float64) for row in rows]
        if len(self.counts) == 1:
            self._rows = np.array(self._rows).reshape(len(rows), -1)

    def at(self, rows: Sequence[int]) -> Any:
        """Return the numbers of examples of one structure, as an array with one row for each."""
        if isinstance(self._rows, list):
            return np.stack([self._rows[i] for i in rows])
        return self._rows[rows.start : rows.stop] if isinstance(rows, range) else self._rows[rows]
