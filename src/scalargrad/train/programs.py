"""A step of `fit` as a function under `jit`: the gradient of a batch, and predictions for others.

A program takes arrays: the numbers of all parameters, and the examples, one per row. While it is
recorded, the model's parameters stand for those numbers. As it repeats what was recorded, the first
batch of each size is evaluated eagerly as well and compared. A smaller last batch is filled up
where that makes no difference, so that it needs no program of its own: recording and compiling one
takes longer than twenty epochs on a few hundred examples.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

from scalargrad.autodiff import gradients
from scalargrad.compiler.call.arguments import rebuilt, visit
from scalargrad.compiler.call.objects import Visit
from scalargrad.compiler.jitted import Jitted
from scalargrad.compiler.trace.batching import is_scalar
from scalargrad.compiler.trace.randomness import Generators
from scalargrad.compiler.trace.trace import current_trace
from scalargrad.compiler.vmap import vmap
from scalargrad.errors import TraceError
from scalargrad.train.examples import plain
from scalargrad.train.objective import Objective
from scalargrad.transforms.draws import rewind
from scalargrad.tree import flatten
from scalargrad.value import Value

# Examples as arrays ---------------------------------------------------------------------------


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

    Raises
    ------
    TraceError
        If an example holds Values, or they are not nested alike.
    """

    def __init__(self, examples: Sequence[Any], *, alike: bool) -> None:
        self.examples = examples
        keys, rows = zip(*map(_row, examples), strict=True)
        order = {key: rank for rank, (key, _) in enumerate(Counter(keys).most_common())}
        if alike and len(order) > 1:
            raise TraceError(
                "the examples are not all nested alike: give every input, and every target, as "
                "many numbers in the same places, or train with batch_size=1"
            )
        self.structure = [order[key] for key in keys]
        self._rows: Any = (
            [np.array(row, dtype=np.float64) for row in rows]
            if len(order) > 1
            else (np.array(rows, dtype=np.float64).reshape(len(rows), -1))
        )

    def at(self, rows: Sequence[int]) -> Any:
        """Return the numbers of examples of one structure, as an array of a row for each."""
        if isinstance(self._rows, list):
            return np.stack([self._rows[i] for i in rows])
        return self._rows[rows.start : rows.stop] if isinstance(rows, range) else self._rows[rows]

    def of_other_types(self, first: int) -> list[int]:
        """Return examples that hold an int, say, where neither `first` nor those before them do."""
        known: set[tuple[int, type]] = set()
        found = []
        for i in [first, *range(len(self.examples))]:
            kinds = _types(self.examples[i])
            if self.structure[i] == self.structure[first] and not known.issuperset(
                enumerate(kinds)
            ):
                known.update(enumerate(kinds))
                found.append(i)
        return found[1:]


def _row(example: Any) -> tuple[tuple[Hashable, ...], Any]:
    """Return the structure of an example, and its numbers."""
    walk = Visit()
    visit(example, walk)
    key, leaves = tuple(walk.key), walk.leaves
    if walk.finish() or not {1, 2}.isdisjoint(key):
        raise TraceError("an example holds Values: give numbers, or train eagerly with jit=False")
    arrays = any(hasattr(x, "ravel") for x in leaves)
    return key, np.concatenate([np.ravel(x) for x in leaves]) if arrays else leaves


def _types(x: Any) -> list[type]:
    """Return the types of what is in an example."""
    if isinstance(x, dict):
        x = [*x.values()]
    kinds = [*map(type, x)] if isinstance(x, list | tuple) else [type(x)]
    if {*kinds} <= {float, int} or not isinstance(x, list | tuple):
        return kinds
    return [t for part in x for t in _types(part)]


# What is recorded -----------------------------------------------------------------------------


class Found(NamedTuple):
    """The result of a compiled gradient: loss, gradient and predictions of a batch.

    Attributes
    ----------
    grads : float64
        The gradients of the parameters reached.
    reached : integers
        Which these are.
    predictions : array or list
        One for each example; an array if they are numbers, or lists of as many numbers each.
    """

    loss: Any
    grads: Any
    reached: Any
    predictions: Any


class _Unfollowed:
    """Wraps a constant object, which the guards need not search for changes."""

    __slots__ = ("content",)

    def __init__(self, content: Sequence[Value]) -> None:
        self.content = tuple(content)

    def __reduce__(self) -> Any:
        return _Unfollowed, (self.content,)


def _of_arrays(name: str, leaves: Sequence[Value], function: Callable[..., Any]) -> Any:
    """Return a function under `jit` whose first argument has the numbers of the leaves.

    Called eagerly, it returns None. It raises TraceError if the recording reads other Values.
    """
    parameters = _Unfollowed(leaves)

    def recorded(numbers: Any, *arrays: Any) -> Any:
        trace = current_trace()
        if trace is None:
            return None
        trace.substitute(parameters.content, numbers)
        found = function(*arrays)
        if trace.outside:
            what = trace.outside[0][0].label or "a Value"
            raise TraceError(
                f"the step reads {what}, which neither the model nor the optimiser has: make it a "
                "Parameter of the model, or a plain number"
            )
        return found

    recorded.__qualname__ = name
    return Jitted(recorded, strict=True)


def _gradient(
    objective: Objective, leaves: Sequence[Value], example: tuple[Any, Any], *, together: bool
) -> Any:
    """Return the compiled gradient of a batch.

    It takes the numbers of the leaves; a batch, with one row per example; and None, or 1 for each
    row that counts and 0 for those that fill the batch up. It returns False if filling up is
    wrong, as predictions have different lengths; None if the step must be taken eagerly.

    Parameters
    ----------
    leaves : sequence of Value
        The Values to differentiate with respect to.
    example : (input, target)
        An example, for the structure of all.
    together : bool
        Whether to record the model once for all examples, or once for each.
    """
    called, parameters = objective.called, _Unfollowed(leaves)

    def step(cells: Any, used: Any) -> Found | Literal[False]:
        batch = [rebuilt(example, iter(row)) for row in cells]
        inputs, model = [x for x, _ in batch], called[0]
        predictions = vmap(model)(inputs) if together else [model(x) for x in inputs]
        arranged = _arranged(predictions)
        if used is not None and not isinstance(arranged, np.ndarray):
            return False  # of predictions of different lengths, the mean is not one over examples
        loss = objective.value(predictions, [y for _, y in batch], used)
        grads = gradients(loss, parameters.content, allow_nonfinite=True)
        reached = [i for i, x in enumerate(grads) if isinstance(x, Value)]
        indices = np.array(reached, dtype=np.intp)
        return Found(loss, _array([grads[i] for i in reached]), indices, arranged)

    return _of_arrays("step of fit", leaves, step)


def _forward(model: Any, leaves: Sequence[Value], example: Any) -> Any:
    """Return a compiled model: from numbers and inputs, one row for each, to predictions."""

    def evaluation(cells: Any) -> Any:
        return _arranged(vmap(model)([rebuilt(example, iter(row)) for row in cells]))

    return _of_arrays("evaluation of fit", leaves, evaluation)


def _arranged(predictions: list[Any]) -> Any:
    """Return predictions as an array, if they are all numbers, or lists of as many numbers."""
    if all(map(is_scalar, predictions)):
        return _array(predictions)
    first = predictions[0]
    if all(isinstance(p, list | tuple) and len(p) == len(first) for p in predictions):
        flat = [x for p in predictions for x in p]
        if all(map(is_scalar, flat)):
            return _array(flat).reshape(len(predictions), -1)
    return predictions


def _array(items: Sequence[Any]) -> Any:
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


def listed(predictions: Any) -> list[Any]:
    """Return the predictions of a program as a list."""
    found: list[Any] = predictions.tolist() if hasattr(predictions, "tolist") else predictions
    return found


def _as_values(predictions: list[Any]) -> list[Any]:
    """Return predictions as Values, as a model makes them."""
    numbers, rebuild = flatten(predictions, "the predictions")
    values: list[Any] = rebuild(map(Value, numbers))
    return values


def _agree(computed: float, expected: float) -> bool:
    """Return whether what a program computes is what eager evaluation does, up to rounding."""
    return math.isclose(computed, expected, rel_tol=1e-6, abs_tol=1e-9)


# What is run ----------------------------------------------------------------------------------


class Gradient:
    """The gradient of batches of examples of one structure.

    Parameters
    ----------
    objective : Objective
    leaves : sequence of Value
        The Values to differentiate with respect to.
    rows : Rows
        The examples.
    first : int
        One of this structure.
    write_back : callable
        Called before anything is evaluated eagerly.
    """

    def __init__(
        self,
        objective: Objective,
        leaves: Sequence[Value],
        rows: Rows,
        first: int,
        write_back: Callable[[], None],
    ) -> None:
        self._objective, self._leaves, self._rows = objective, leaves, rows
        self._example, self._write_back = rows.examples[first], write_back
        self._gradient = self._compiled(together=True)
        self._repeated: Callable[..., Any] = self._gradient
        self._sizes: set[int] = set()
        self._compared_at = 0
        self._full = 0  # how many examples batches are filled up to; 0 if they are not
        self._draws = False  # whether a program has drawn random numbers

    def _compiled(self, *, together: bool) -> Any:
        return _gradient(self._objective, self._leaves, self._example, together=together)

    def found(self, rows: Sequence[int], data: Any, moment: int) -> Found | None:
        """Return loss and gradients of a batch; None if a program cannot compute them.

        Parameters
        ----------
        rows : sequence of int
            The numbers of the batch's examples.
        data : array
            The numbers of the leaves.
        moment : int
            When a user's code was last run, counted from 1: what the model and the loss read is
            compared once in each.

        Raises
        ------
        TraceError
            If a program could not repeat what a step does.
        """
        if not self._sizes and len(self._rows.examples) % len(rows):
            targets = [y for _, y in self._rows.examples]
            self._full = len(rows) if self._objective.is_mean_over(targets) else 0
        if self._size(len(rows)) not in self._sizes:
            self._write_back()
            if not self._look_at_first(rows, data):
                return None
            self._sizes.add(self._size(len(rows)))
            self._compared_at = 0  # the model has been evaluated eagerly
        if self._compared_at != moment:
            self._compared_at, self._repeated = moment, self._gradient.repeated()
        is_filled = self._size(len(rows)) > len(rows)
        found = self._run(self._repeated, rows, data)
        self._draws = self._draws or bool(self._gradient.before)
        if self._draws and is_filled:  # by dropout, say, that this batch is the first to come to
            self.undo()
            return self.found(rows, data, moment)
        return found

    def undo(self) -> None:
        """Rewind generators to before the last batch."""
        rewind(self._gradient.before)

    def _size(self, count: int) -> int:
        """Return the number of examples in the program for a batch of `count`.

        A smaller batch is filled up only if nothing is drawn: a program would draw for the examples
        that do not count, too.
        """
        return count if self._draws else max(count, self._full)

    def _run(self, gradient: Callable[..., Any], rows: Sequence[int], data: Any) -> Found | None:
        self._gradient.before = []
        cells, size = self._rows.at(rows), self._size(len(rows))
        found: Found | Literal[False] | None = False
        if size == self._full:  # the same examples once more, as good as others
            filled = cells if size == len(rows) else np.resize(cells, (size, cells.shape[1]))
            found = gradient(data, filled, np.arange(size) < len(rows))
        if found is False:
            self.undo()
            found = gradient(data, cells, None)
        return found._replace(predictions=found.predictions[: len(rows)]) if found else None

    def _look_at_first(self, rows: Sequence[int], data: Any) -> bool:
        """Record the first batch of a size, and compare it; generators are rewound.

        Returns False if no program has run, as within `disable_jit`: nothing is known then of what
        a step draws, or whether a program computes what it does.
        """
        generators = Generators(self._objective.called)
        others = [] if self._sizes else self._rows.of_other_types(rows[0])
        try:
            for i in [rows[0], *others]:
                batch = [i, *rows[1:]] if i != rows[0] else rows
                found = self._recorded(batch, data)
                if found is None:
                    if i == rows[0]:
                        return False
                    continue
                self._draws = self._draws or bool(self._gradient.before)
                generators.rewind()
                self._require_agreement(found, batch)
                generators.rewind()
        finally:
            generators.rewind()
        return True

    def _recorded(self, rows: Sequence[int], data: Any) -> Found | None:
        """Record the model once for all examples where possible, else for each example."""
        try:
            return self._run(self._gradient, rows, data)
        except TraceError:
            self._gradient = self._compiled(together=False)
            return self._run(self._gradient, rows, data)

    def _require_agreement(self, found: Found, rows: Sequence[int]) -> None:
        """Raise TraceError if eager evaluation gives a different loss for a batch.

        It does if the model or the loss depends on more than numbers, such as their type. The model
        is evaluated on one example, unless it draws random numbers, and the loss on all of them.
        """
        inputs, targets = zip(*[self._rows.examples[i] for i in rows], strict=True)
        simple = isinstance(found.predictions, np.ndarray) and not self._gradient.before
        count = 1 if simple else len(inputs)
        predictions = [self._objective.model(x) for x in inputs[:count]]
        predictions += _as_values(listed(found.predictions)[count:])
        expected = plain(self._objective.value(predictions, [*targets]))
        if not _agree(found.loss, expected):
            raise TraceError(
                f"the loss of a batch is {expected:.6g}, and {found.loss:.6g} as a program: the "
                "model or the loss depends on more than numbers and shapes, for example on "
                "isinstance(target, int)"
            )


class Predictor:
    """Computes a model's predictions for a fixed list of inputs, compared with eager ones once."""

    def __init__(
        self,
        model: Any,
        leaves: Sequence[Value],
        inputs: Sequence[Any],
        write_back: Callable[[], None],
    ) -> None:
        self._model, self._rows = model, Rows(inputs, alike=True)
        self._forward = _forward(model, leaves, inputs[0])
        self._write_back, self._is_checked = write_back, False

    def predictions(self, data: Any) -> list[Any] | None:
        """Return a prediction for each input; None if they must be computed eagerly.

        Raises
        ------
        TraceError
            If a program could not compute them.
        """
        found = self._forward(data, self._rows.at(range(len(self._rows.examples))))
        if found is None:
            return None
        if not self._is_checked:
            self._write_back()
            self._require_agreement(listed(found))
            self._is_checked = True
        return _as_values(listed(found))

    def _require_agreement(self, found: list[Any]) -> None:
        """Raise TraceError if eager evaluation predicts something else: it may ask for types.

        An example of each type of number is evaluated, unless the model draws random numbers.
        """
        generators = Generators([self._model])
        for i in [0, *self._rows.of_other_types(0)]:
            predicted = plain(self._model(self._rows.examples[i]))
            if generators.have_drawn():
                generators.rewind()
                break
            pairs = zip(flatten(found[i], "")[0], flatten(predicted, "")[0], strict=True)
            if not all(_agree(a, b) for a, b in pairs):
                raise TraceError("a prediction depends on more than numbers and shapes")
