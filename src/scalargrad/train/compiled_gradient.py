"""The compiled gradient of batches of examples with equal structure, and predictions for others.

A program repeats what was recorded. Therefore the first batch of each size is computed eagerly as
well and compared, as predictions are, and the model and the loss are checked for side effects. A
smaller last batch is filled up where that makes no difference, so that it needs no program of its
own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np

from scalargrad.compiler.trace.randomness import Generators
from scalargrad.compiler.trace.snapshots import Around
from scalargrad.errors import TraceError
from scalargrad.nn import Module
from scalargrad.system.one_line import shown
from scalargrad.train.carried import Carried
from scalargrad.train.data_rows import Rows
from scalargrad.train.examples import plain
from scalargrad.train.objective import Objective
from scalargrad.train.programs import Forward, Found, agree, forward_of, gradient_of
from scalargrad.transforms.draws import rewind
from scalargrad.tree import flatten
from scalargrad.value import Value


class CompiledGradient:
    """The gradient of batches of examples with equal structure.

    Parameters
    ----------
    leaves : sequence of Value
        The Values to differentiate with respect to.
    """

    def __init__(self, objective: Objective, leaves: Sequence[Value], data: Rows) -> None:
        self._objective, self._leaves, self._data = objective, leaves, data
        self._gradient = self._compiled(together=True)
        self._sizes: set[int] = set()
        self._compared_at = 0
        self._repeated: Callable[..., Any] = self._gradient
        self._full = 0  # how many examples batches are filled up to; 0 if they are not
        self._draws = False  # whether a program has drawn random numbers

    def _compiled(self, *, together: bool) -> Any:
        example = self._data.examples[0]
        return gradient_of(self._objective, self._leaves, example, together=together)

    def found(self, rows: Sequence[int], carried: Carried, moment: int) -> Found | None:
        """Return loss and gradients of a batch; None if a program cannot compute them.

        Parameters
        ----------
        rows : sequence of int
            The numbers of the batch's examples.
        carried : Carried
            The parameters.
        moment : int
            When a user's code was last run, counted from 1: what the model and the loss read is
            compared once in each.

        Raises
        ------
        TraceError
            If a program could not repeat what a step does.
        """
        if not self._sizes and len(self._data.examples) % len(rows):
            targets = [y for _, y in self._data.examples]
            self._full = len(rows) if self._objective.is_mean_over(targets) else 0
        if self._size(len(rows)) not in self._sizes:
            carried.write_back()
            if not self._look_at_first(rows, carried):
                return None
            self._sizes.add(self._size(len(rows)))
            self._compared_at = 0  # the model has been evaluated eagerly
        if self._compared_at != moment:
            self._compared_at, self._repeated = moment, self._gradient.repeated()
        is_filled = self._size(len(rows)) > len(rows)
        found = self._run(self._repeated, rows, carried)
        self._draws = self._draws or bool(self._gradient.before)
        if self._draws and is_filled:  # by dropout, say, that this batch is the first to come to
            self.undo()
            return self.found(rows, carried, moment)
        return found

    def undo(self) -> None:
        """Rewind generators to before the last batch."""
        rewind(self._gradient.before)

    def _run(
        self, gradient: Callable[..., Any], rows: Sequence[int], carried: Carried
    ) -> Found | None:
        self._gradient.before = []
        numbers, size = self._data.numbers, self._size(len(rows))
        cells = numbers[rows.start : rows.stop] if isinstance(rows, range) else numbers[rows]
        found: Found | Literal[False] | None = False
        if size == self._full:  # the same examples once more, as good as others
            filled = cells if size == len(rows) else np.resize(cells, (size, numbers.shape[1]))
            found = gradient(carried.data, filled, np.arange(size) < len(rows))
        if found is False:
            self.undo()
            found = gradient(carried.data, cells, None)
        return found._replace(predictions=found.predictions[: len(rows)]) if found else None

    def _size(self, count: int) -> int:
        """Return the number of examples in the program for a batch of `count`.

        A smaller batch is filled up only if nothing is drawn: a program would draw for the examples
        that do not count, too.
        """
        return count if self._draws else max(count, self._full)

    def _look_at_first(self, rows: Sequence[int], carried: Carried) -> bool:
        """Record the first batch of a size; generators are rewound.

        Returns False if no program has run, as within `disable_jit`: nothing is known then of what
        a step draws, or whether a program computes what it does.
        """
        called = self._objective.called
        generators = Generators(called)
        if not self._sizes and (iterators := Around(lambda: called).iterators()):
            raise TraceError(f"it reads {shown(iterators[0])}, which a program could not advance")
        try:
            found = self._recorded(rows, carried)
            if found is None:
                return False
            self._draws = self._draws or bool(self._gradient.before)
            generators.rewind()
            self._require_agreement(found, rows)
            for i in [] if self._sizes else self._data.of_other_types(rows[0]):
                generators.rewind()
                others = [i, *rows[1:]]
                if (found := self._run(self._gradient, others, carried)) is not None:
                    generators.rewind()
                    self._require_agreement(found, others)
        finally:
            generators.rewind()
        return True

    def _recorded(self, rows: Sequence[int], carried: Carried) -> Found | None:
        """Record the model once for all examples where possible, else for each example."""
        try:
            return self._run(self._gradient, rows, carried)
        except TraceError:
            self._gradient = self._compiled(together=False)
            return self._run(self._gradient, rows, carried)

    def _require_agreement(self, found: Found, rows: Sequence[int]) -> None:
        """Raise TraceError if eager evaluation gives a different loss for a batch.

        It does if the model or the loss depends on more than numbers, such as their type. The model
        is evaluated on one example, unless it draws random numbers, and the loss on all of them.
        Also if that one changes what is around the model: a flag, say, that a second sets back.
        """
        inputs, targets = zip(*[self._data.examples[i] for i in rows], strict=True)
        simple = found.is_regular and not self._gradient.before
        count = 1 if simple else len(inputs)
        called, model = self._objective.called, self._objective.model
        around = Around(lambda: called)
        predictions = [model(inputs[0])]
        if around.changed():
            around.put_back()
            raise TraceError("the model changes at each call what it reads, such as a flag")
        predictions += map(model, inputs[1:count])
        others = found.listed()[count:]
        predictions += [[*map(Value, x)] if isinstance(x, list) else Value(x) for x in others]
        expected = plain(self._objective.value(predictions, [*targets]))
        if not agree(found.loss, expected):
            raise TraceError(
                f"the loss of a batch is {expected:.6g}, and {found.loss:.6g} as a program: the "
                "model or the loss depends on more than numbers and shapes, for example on "
                "isinstance(target, int)"
            )


class Predictor:
    """Computes a model's predictions for a fixed list of inputs.

    Parameters
    ----------
    size : int
        The size of a batch in training.
    times : int
        How often predictions were made before.
    """

    def __init__(self, model: Module, inputs: Sequence[Any], size: int, times: int = 0) -> None:
        self._model, self._inputs = model, inputs
        self._batches = math.ceil(len(inputs) / size)
        self._times = times
        self._is_refused = self._is_checked = False
        self._recorded: tuple[Forward, Rows] | None = None

    def is_time(self, warm_up: float) -> bool:
        """Count one more evaluation, and return whether compiling pays by now."""
        self._times += 1
        return self._times * self._batches > warm_up

    def predictions(self, carried: Carried) -> list[Any] | None:
        """Return a prediction for each input; None if they must be computed eagerly.

        Parameters
        ----------
        carried : Carried
            Up to date.
        """
        if self._is_refused:
            return None
        try:
            if self._recorded is None:
                rows = Rows(self._inputs)
                self._recorded = forward_of(self._model, carried.leaves, self._inputs[0]), rows
            forward, rows = self._recorded
            found = forward(carried.data, rows.numbers)
            if found is not None and not self._is_checked:
                carried.write_back()
                self._require_agreement(found, rows)
        except Exception:  # noqa: BLE001 - whatever it is, eager evaluation is not affected
            self._is_refused = True
            return None
        if found is None:
            return None
        numbers, rebuild = flatten(found.tolist() if hasattr(found, "tolist") else found, "found")
        values: list[Any] = rebuild(map(Value, numbers))
        return values

    def _require_agreement(self, found: Any, rows: Rows) -> None:
        """Raise TraceError if eager evaluation predicts something else: it may ask for types.

        An example of each type of number is evaluated, unless the model draws random numbers.
        """
        generators = Generators([self._model])
        for i in [0, *rows.of_other_types(0)]:
            predicted = plain(self._model(self._inputs[i]))
            if generators.have_drawn():
                generators.rewind()
                break
            pairs = zip(flatten(found[i], "")[0], flatten(predicted, "")[0], strict=True)
            if not all(agree(a, b) for a, b in pairs):
                raise TraceError("a prediction depends on more than numbers and shapes")
        self._is_checked = True
