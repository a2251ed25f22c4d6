"""Steps of `fit` as a function under `jit`, which takes parameters and examples in arrays.

The first batch of each size is evaluated eagerly as well, and compared.
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
from scalargrad.errors import TraceError
from scalargrad.grad_mode import no_grad
from scalargrad.nn import Module, ModuleList
from scalargrad.nn.module import substitute_parameters
from scalargrad.optim import SGD, Adagrad, Adam, AdamW, RMSprop
from scalargrad.optim.clipping import factor_for
from scalargrad.optim.optimizer import write_data
from scalargrad.train.examples import detached
from scalargrad.transforms.draws import rewind, state_of
from scalargrad.transforms.functional import value_and_grad
from scalargrad.tree import Rebuild, flatten
from scalargrad.value import Value

if TYPE_CHECKING:
    from scalargrad.train.fit import StepResult, Trainer

#: Optimisers whose rules move numbers in arrays; SparseAdam asks which rows were looked up.
_OF_ARRAYS = (SGD, Adam, AdamW, RMSprop, Adagrad)
#: The time to record a step, in eager steps.
RECORDING = 5
#: The time to compile it, in operands visited eagerly.
COMPILING = 200_000


class CompiledSteps:
    """Takes steps by a compiled gradient and an update in arrays, which hold the parameters.

    Parameters
    ----------
    run : Trainer
        The run; a part that cannot be compiled is refused, at the first step that would pay.
    epochs : int
        The number of epochs to run; by default steps are compiled if that pays within them.
    operands : int
        How many an eager step visits for an example.

    Attributes
    ----------
    refusal : str
        Why steps could not be compiled; "" if they could.
    """

    def __init__(self, run: Trainer, epochs: int, operands: int) -> None:
        self._run = run
        self._optimizer: Any = run.optimizer
        self._epochs, self._operands, self.refusal = epochs, max(1, operands), ""
        self._generators = generators_of(run.called)
        self._leaves: list[Value] = []  # those that the optimizer moves, then the others
        self._count = 0  # of those that it moves
        self._held: set[Value] = set()  # by the model, the loss and the penalty
        self._is_ahead = False  # the arrays, of the parameters
        self._rows: Any = None  # the examples
        self._forget()

    def _forget(self) -> None:
        """Forget programs, which are of the parameters and layers that there were."""
        self._programs: dict[str, Any] = {}
        self._running: dict[str, Callable[..., Any]] = {}
        self._compared: set[tuple[str, int]] = set()
        self._evaluate: Any = None

    # Parameters -------------------------------------------------------------------------------

    def begin_epoch(self) -> None:
        """Read the parameters, and what a callback could have changed."""
        if self.refusal or (self._leaves and not self._run.is_looked_at):
            return
        if type(self._optimizer) in _OF_ARRAYS:
            self._optimizer.require_unchanged()
        trained, held = self._run.trained, _modules(self._run.called).parameters()
        leaves = [*dict.fromkeys([*trained, *held])]
        if (leaves, len(trained), {*held}) != (self._leaves, self._count, self._held):
            self._forget()
            self._leaves, self._count, self._held = leaves, len(trained), {*held}
        self._read()

    def _read(self) -> None:
        self._running.clear()
        self._data = np.array([leaf.data for leaf in self._leaves], dtype=np.float64)

    def write_back(self) -> None:
        """Write numbers and gradients to the Values, as the same steps taken eagerly leave them."""
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
        except Exception as error:  # whatever it is, eager steps are not affected
            if self._run.jit:
                raise TraceError(f"fit(…, jit=True) cannot record a step: {error}") from error
            self.refusal = str(error)
        if result is None:
            rewind(before)
            self.write_back()
            self._running.clear()
        return result

    def _states(self) -> list[tuple[Any, Any]]:
        """Return the generators with their states."""
        return [(x, state_of(x)) for x in self._generators]

    def _pays(self, rows: Sequence[int]) -> bool:
        """Return whether there are enough batches like this one for compiling a step to pay."""
        if self._rows is None:
            pairs = list(zip(*self._run.train, strict=True))
            self._rows = Rows(pairs, alike=self._run.batch_size > 1)
        count, size = self._rows.counts[self._rows.keys[rows[0]]], len(rows)
        batches = count // size if size == self._run.batch_size else 1
        pays = self._epochs * batches > RECORDING + COMPILING / (self._operands * size)
        return self._run.jit or pays

    def _result(self, rows: Sequence[int], before: list[tuple[Any, Any]]) -> StepResult | None:
        if type(self._optimizer) not in _OF_ARRAYS:
            raise TraceError(
                f"{type(self._optimizer).__name__} moves parameters one by one: use SGD, Adam, "
                "AdamW, RMSprop or Adagrad of scalargrad.optim"
            )
        if not self._running and not self._is_ahead:
            self._read()
        found = self._gradient(rows)
        if found is None:
            return None
        (loss, predictions), grads = found
        if grads.dtype == object:
            raise TraceError(
                "the loss depends on a Value that neither the model nor the optimizer has: make it "
                "a Parameter of the model, or a plain number"
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
        """Return ((loss, predictions), gradient) of a batch; None if it must be taken eagerly."""
        key = self._rows.keys[rows[0]]
        if key not in self._programs:
            self._programs[key] = self._program(self._rows.rebuilds[key])
        if key not in self._running:
            self._running[key] = self._programs[key].repeated()
        return self._running[key](self._data, self._rows.at(rows))

    def _program(self, rebuild: Rebuild) -> Any:
        """Return the compiled gradient of batches of examples, each rebuilt from its numbers."""
        called, batch_loss = self._run.called, self._run.batch_loss  # which `jit` is to see
        places = [k for k, leaf in enumerate(self._leaves) if leaf in self._held]
        held = [self._leaves[k] for k in places]

        def step_of_fit(data: Any, cells: Any) -> Any:
            if not isinstance(data[0], Value):
                return None  # called eagerly

            def loss_of(data: Any) -> Any:
                numbers = dict(zip(held, [data[k] for k in places], strict=True))
                inputs, targets = zip(*[rebuild(iter(row)) for row in cells], strict=True)
                with substitute_parameters(_modules(called), numbers):
                    found = _predictions(called[0], [*inputs])
                    return batch_loss(called, found, [*targets]), found

            return value_and_grad(loss_of, has_aux=True)(data)

        return jit(step_of_fit)

    def _compare(
        self, rows: Sequence[int], loss: float, found: list[Any], before: list[tuple[Any, Any]]
    ) -> None:
        """Raise TraceError if eager evaluation gives a different loss for a batch.

        The model is evaluated on one example, unless it draws random numbers, and the loss on all.
        """
        self.write_back()
        after = self._states()
        rewind(before)
        inputs, targets = self._run.train.at(rows)
        with no_grad():
            count = len(inputs) if repr(after) != repr(before) else 1
            predictions = [self._run.model(x) for x in inputs[:count]]
            numbers, rebuild = flatten(found[count:], "the predictions")
            predictions += rebuild(map(Value, numbers))  # as a model makes them
            expected = float(detached(self._run.batch_loss(self._run.called, predictions, targets)))
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
                first = detached(model(inputs[0]))
                rewind(before)
            found: list[Any] = self._evaluate(inputs)
            if first is not None:
                pairs = [flatten(part, "")[0] for part in (detached(found[0]), first)]
                for x, y in zip(*pairs, strict=True):
                    _require_near(x, y, "a prediction")
        except Exception:  # noqa: BLE001 - whatever it is, eager evaluation is not affected
            rewind(before)
            self._evaluate = False
            return None
        return found


def _modules(called: tuple[Any, ...]) -> ModuleList:
    """Return the model with its loss and its penalty, which may be modules with Parameters, too."""
    return ModuleList([x for x in called if isinstance(x, Module)])


def _predictions(model: Module, inputs: list[Any]) -> list[Any]:
    """Return a prediction for each input; of several, one is recorded for all."""
    return [model(inputs[0])] if len(inputs) == 1 else vmap(model)(inputs)


def _require_near(found: float, expected: float, what: str) -> None:
    """Raise TraceError if a number differs from the eager one by more than rounding."""
    if not math.isclose(found, expected, rel_tol=1e-6, abs_tol=1e-9):
        raise TraceError(
            f"{what} is {expected:.6g}, and {found:.6g} as a program: the model or the loss "
            "depends on more than numbers and shapes, for example on isinstance(target, int)"
        )


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
    keys : list of str
        The structure of each: how its numbers are nested, with the texts beside them.
    counts : mapping from str to int
        How many examples have each.
    rebuilds : dict from str to callable
        What makes an example of each of its numbers, from an iterator over them.

    Raises
    ------
    TraceError
        If they are not nested alike.
    OperandError, TypeError
        If an example holds anything but numbers, text and None.
    """

    def __init__(self, examples: Sequence[Any], *, alike: bool) -> None:
        found = [flatten(x, "an example") for x in examples]
        self.keys = [repr(rebuild(repeat(0))) for _, rebuild in found]
        self.counts = Counter(self.keys)
        self.rebuilds = {key: rebuild for key, (_, rebuild) in zip(self.keys, found, strict=True)}
        if alike and len(self.counts) > 1:
            raise TraceError(
                "the examples are not all nested alike: give every input, and every target, as "
                "many numbers in the same places, or train with batch_size=1"
            )
        rows = [row for row, _ in found]
        self._rows: Any = [np.array(row, dtype=np.float64) for row in rows]
        if len(self.counts) == 1:
            self._rows = np.array(self._rows).reshape(len(rows), -1)

    def at(self, rows: Sequence[int]) -> Any:
        """Return the numbers of examples of one structure, as an array of a row for each."""
        if isinstance(self._rows, list):
            return np.stack([self._rows[i] for i in rows])
        return self._rows[rows.start : rows.stop] if isinstance(rows, range) else self._rows[rows]
