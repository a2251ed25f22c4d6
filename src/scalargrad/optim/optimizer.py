"""The base class of all optimizers: parameter groups, the step, and the optimizer state.

A step computes the new numbers of every group before it writes any of them, so an error leaves
parameters, state and step counts unchanged. The state is stored in one array for each name, with
one row for each parameter: ``_columns["exp_avg"][_rows[parameter]]``.
"""

from __future__ import annotations

import importlib.util
import itertools
import struct
import warnings
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import repeat
from math import isfinite, nan
from typing import Any, ClassVar, cast

from scalargrad.checks.arguments import check_function, check_list, check_mapping
from scalargrad.checks.numbers import as_float, float_of
from scalargrad.engine.recorder import refuse_if_recorded
from scalargrad.engine.value import NO_GRADIENT, Value
from scalargrad.errors import NumericalError, OperandError, StateError, TrainingWarning
from scalargrad.nn.sparse import Touched
from scalargrad.optim import rules
from scalargrad.optim.state import Group, active_state_names, check_options, read_state
from scalargrad.system.short_repr import format_value

Rule = Callable[..., tuple[Any, ...]]
#: Parameters, their new values, their rows, and the new state in these rows, one column per name.
_Move = tuple[Sequence[Value], Sequence[float], Any, Sequence[Any]]

#: Minimum number of parameters for which arrays are faster than a loop over parameters.
_MIN_ARRAY_SIZE = 32
_HAS_NUMPY = importlib.util.find_spec("numpy") is not None
#: The rules that accept arrays; a user's rule may accept single numbers only.
_ARRAY_RULES = {getattr(rules, name) for name in rules.__all__}


class Optimizer:
    """Base class of optimizers: update parameters from their gradients by a rule.

    Parameters
    ----------
    params : iterable of Parameters, or of dicts
        The parameters to train. A dict defines a group: its ``params``, and any options that
        differ from `defaults`.
    defaults : dict
        Default options of the groups.

    Attributes
    ----------
    param_groups : list of dict
        Each has ``params``, its options such as ``lr``, which you may assign, and ``step``, the
        number of steps taken.
    state : dict from Parameter to dict from str to float
        The state of the rule for each parameter, by name; empty before the first step of a group.
        This is a copy: use `load_state_dict` to change the state.
    has_warned : bool
        True once a step has warned that no gradient has arrived, which it does once. `fit` sets
        it, as a loss may read no parameter.

    Raises
    ------
    OperandError
        If there are no parameters, a parameter occurs twice, or the parameters are in a set,
        which has no order.
    DomainError
        If an option is out of its range.
    StateError
        At the next step, if the ``params`` of a group have been changed.

    Notes
    -----
    A parameter that has not received a gradient has gradient 0. If the rule does not move
    parameters whose gradient is 0 (see each optimizer), a step visits the entries of a parameter
    matrix, such as the weight of an Embedding, only if a gradient was written to them. The cost of
    a step is then proportional to the number of entries with a gradient.

    A parameter whose gradient is None is skipped, as in PyTorch. Steps are counted per group,
    however, whereas PyTorch counts them per parameter: when a skipped parameter moves again,
    Adam's bias corrections, `lr_decay` and `dampening` use the group's step count. To train
    parameters from a later step on, use `add_param_group`, which starts counting at 0.
    """

    #: Names of the state of the rule, in the order in which the rule takes it.
    state_names: ClassVar[tuple[str, ...]] = ()
    #: Names of the state that is never negative, such as a mean of squares.
    nonnegative_state: ClassVar[frozenset[str]] = frozenset()
    #: The update rule without its options, one of `scalargrad.optim.rules`.
    formula: ClassVar[Rule]

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(check_mapping(defaults, "defaults", "options"))
        self.param_groups: list[Group] = []
        self._rows: dict[Value, int] = {}  # the row of each parameter in the columns of the state
        self._columns = {name: array("d") for name in self.state_names}
        self._tables: list[tuple[list[Value], list[Touched]]] = []
        self._group_members: list[list[Value]] = []  # the parameters of each group
        self.has_warned = False
        given = check_list(
            [params] if isinstance(params, Value) else params, "params", "Parameters"
        )
        groups = given if given and isinstance(given[0], dict) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add a group of parameters, with its own options.

        Parameters
        ----------
        group : mapping
            ``params``, and any options that differ from the defaults.
        """
        parameters = _parse_params(group)
        if not parameters:
            raise OperandError(
                "an optimizer needs at least one parameter, and params is empty. The parameters of "
                "a Module are the Parameters in its attributes: write Parameter(0.5) there, not "
                "Value(0.5)"
            )
        if len(set(parameters)) < len(parameters) or not self._rows.keys().isdisjoint(parameters):
            raise OperandError("a parameter occurs twice in params; list each parameter once")
        options = {**self.defaults, **group, "params": parameters, "step": 0}
        self.check(options)
        self._rows |= zip(parameters, itertools.count(len(self._rows)))
        for name, x in zip(self.state_names, self.first_state(options), strict=True):
            self._columns[name] = self._columns[name] + array("d", [x]) * len(parameters)
        self.param_groups.append(options)
        self._group_members.append([*parameters])
        tables = [getattr(p, "touched", None) for p in parameters]
        members = [p for p, touched in zip(parameters, tables, strict=True) if touched is None]
        records = {id(touched): touched for touched in tables if touched is not None}
        self._tables.append((members, [*records.values()]))

    def check(self, group: Group) -> None:
        """Convert options to Python numbers; raise DomainError if one is out of its range."""
        group.update(check_options(group))

    def rule(self, group: Group) -> Rule:
        """Return the update rule with the options of a group, for step number ``group["step"]``.

        The rule takes a parameter, its gradient and its state. It returns the new parameter and
        the new state.
        """
        options = {name: group[name] for name in self.defaults if name != "maximize"}
        return partial(self.formula, **options)

    def first_state(self, group: Group) -> tuple[float, ...]:  # noqa: ARG002 - subclasses use it
        """Return the initial state of a parameter."""
        return (0.0,) * len(self.state_names)

    def is_sparse(self, group: Group) -> bool:  # noqa: ARG002 - subclasses use it
        """Return True if the rule does not move parameters whose gradient is 0."""
        return False

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0.

        In parameter matrices, only the entries with a gradient are visited.
        """
        refuse_if_recorded("zero_grad")
        for members, records in self._tables:
            for parameter in members:
                parameter.grad = NO_GRADIENT
            for touched in records:
                for parameter in [p for p in touched if p in self._rows]:
                    parameter.zero_grad()

    def active_parameters(self) -> list[Value]:
        """Return the parameters that the next step will visit.

        Clip these to skip matrix entries without a gradient:
        ``clip_grad_norm_(opt.active_parameters(), 1.0)``.
        """
        return [p for i in range(len(self.param_groups)) for p in self._parameters_to_visit(i)]

    def _parameters_to_visit(self, i: int) -> list[Value]:
        group = self.param_groups[i]
        return self._touched_parameters(i) if self.is_sparse(group) else [*group["params"]]

    def _touched_parameters(self, i: int) -> list[Value]:
        """Return the parameters of a group, of a parameter matrix only those with a gradient."""
        members, records = self._tables[i]
        span, rows = self._row_slice(i), self._rows
        touched = [p for record in records for p in record]
        return [*members, *(p for p in touched if span.start <= rows.get(p, -1) < span.stop)]

    # A step -----------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter once.

        Parameters
        ----------
        closure : callable, optional
            Called first. It clears the gradients, computes the loss, calls `backward` and returns
            the loss.

        Returns
        -------
        The result of `closure`, or None without one.

        Raises
        ------
        NumericalError
            If a gradient or a new parameter is inf or nan; the error names the parameter. No
            parameter, state or step count is changed then.

        Warns
        -----
        TrainingWarning
            The first time that no gradient has arrived at any parameter since `zero_grad`.
        """
        refuse_if_recorded("step")
        result = (
            None
            if closure is None
            else check_function(closure, "closure", "one that returns the loss")()
        )
        self.require_unchanged()
        if not self.has_warned and not self._has_gradient():
            self.has_warned = True
            warnings.warn(
                "step() found no gradient: call loss.backward() before it and after zero_grad(), "
                "on a loss that is computed from the parameters",
                TrainingWarning,
                stacklevel=2,
            )
        moves = [self._compute_step(i) for i in range(len(self.param_groups))]
        for parameters, numbers, _, _ in moves:
            write_data(parameters, numbers)
        self._store_state((rows, columns) for _, _, rows, columns in moves)
        return result

    def step_arrays(self, data: Any, grads: Any) -> bool:
        """Update numbers in arrays as `step` updates parameters; the parameters do not change.

        Parameters
        ----------
        data : float64 array
            The number of each parameter, in the order of `param_groups`; updated in place.
        grads : float64 array
            The gradient of each parameter, in the same order.

        Returns
        -------
        bool
            True if the arrays were updated. False, with nothing changed, if a gradient or a new
            number is not finite, or a rule is not one of `scalargrad.optim.rules`.
        """
        updates = []
        for i in range(len(self.param_groups)):
            rows = self._row_slice(i)
            update = self._step_in_arrays(i, rows, data[rows], grads[rows])
            if update is None:
                return False
            updates.append((rows, *update))
        for rows, new, _ in updates:
            data[rows] = new
        self._store_state((rows, columns) for rows, _, columns in updates)
        return True

    def _has_gradient(self) -> bool:
        """Return True if a gradient has arrived at a parameter since `zero_grad`."""
        for i, group in enumerate(self.param_groups):
            reached = self._touched_parameters(i) if self.is_sparse(group) else group["params"]
            if any(p.grad is not NO_GRADIENT for p in reached):
                return True
        return False

    def require_unchanged(self) -> None:
        """Raise StateError if the ``params`` of a group have changed since it was added.

        The rows of the state depend on them.
        """
        pairs = zip(self.param_groups, self._group_members, strict=True)
        for i, (group, members) in enumerate(pairs):
            if group["params"] != members:
                raise StateError(
                    f"the params of param_groups[{i}] have changed since the group was added: to "
                    "train other parameters, use add_param_group or a new optimizer; to freeze "
                    "some, make a new optimizer without them"
                )

    def _row_slice(self, i: int) -> slice:
        """Return the rows of a group in the columns of the state."""
        first = self._rows[self._group_members[i][0]]
        return slice(first, first + len(self._group_members[i]))

    def _next_rule(self, i: int) -> tuple[Rule, Group]:
        """Return the rule of a group's next step, and the group with checked options.

        Options may have been assigned since the last check. They are converted to Python numbers,
        so that parameters stay floats.
        """
        group = self.param_groups[i]
        following = {**group, "step": group["step"] + 1}
        self.check(following)
        return self.rule(following), following

    def _store_state(self, states: Iterable[tuple[Any, Sequence[Any]]]) -> None:
        """Store the state of each group after a step, and count the step."""
        for group, (rows, columns) in zip(self.param_groups, states, strict=True):
            new = dict(zip(self.state_names, columns, strict=True))
            for name in active_state_names(self.state_names, group):
                _set_rows(self._columns[name], rows, new[name])
            group["step"] += 1

    def _compute_step(self, i: int) -> _Move:
        """Compute the next step of a group: parameters, their new values, rows and new state."""
        parameters = self._parameters_to_visit(i)
        is_large = len(parameters) >= _MIN_ARRAY_SIZE
        if is_large and _HAS_NUMPY and (arrays := _pack_arrays(parameters)):
            is_sparse = self.is_sparse(self.param_groups[i])
            rows = [self._rows[p] for p in parameters] if is_sparse else self._row_slice(i)
            if update := self._step_in_arrays(i, rows, *arrays):
                # Unlike a list, an array creates each float when the one it replaces is freed.
                return parameters, array("d", update[0].tobytes()), rows, update[1]
        # This names the parameter that is not finite, and skips gradients that are None.
        return self._step_one_by_one(i, parameters)

    def _step_in_arrays(
        self, i: int, rows: Any, data: Any, grads: Any
    ) -> tuple[Any, Sequence[Any]] | None:
        """Compute the step of several parameters with arrays: new values, and state in columns.

        Return None if a number is not finite, or the rule is a user's.
        """
        import numpy as np

        rule, group = self._next_rule(i)
        if not (isinstance(rule, partial) and rule.func in _ARRAY_RULES):
            return None
        known = [np.frombuffer(column)[rows] for column in self._columns.values()]
        with np.errstate(all="ignore"):
            new, *columns = rule(data, -grads if group.get("maximize") else grads, *known)
        return (new, columns) if np.isfinite(grads).all() and np.isfinite(new).all() else None

    def _step_one_by_one(self, i: int, parameters: Iterable[Value]) -> _Move:
        """Compute the step of each parameter with floats, skipping gradients that are None.

        Raises
        ------
        NumericalError
            If a gradient or a new number is not finite.
        """
        rule, group = self._next_rule(i)
        sign = -1.0 if group.get("maximize") else 1.0
        moved = [p for p in parameters if cast("Any", p.grad) is not None]
        rows = [self._rows[p] for p in moved]
        updates: list[Any] = []
        for parameter, row in zip(moved, rows, strict=True):
            data, grad = float_of(parameter), as_float(parameter.grad, "a gradient")
            self._require_finite(parameter, grad, "gradient")
            try:
                new, *state = rule(data, sign * grad, *[x[row] for x in self._columns.values()])
            except ZeroDivisionError:
                new, state = nan, []
            self._require_finite(parameter, new, "new value")
            updates.append((new, *state))
        numbers, *columns = [*zip(*updates, strict=True)] or [()] * (1 + len(self._columns))
        return moved, numbers, rows, columns

    def _require_finite(self, parameter: Value, number: float, what: str) -> None:
        if isfinite(number):
            return
        name = parameter.label or f"parameter {self._rows[parameter]}"
        raise NumericalError(
            f"the {what} of {name} = {parameter.data:.6g} is {number}; no parameter was changed. "
            "Lower the learning rate, clip the gradients, or look for the operation under "
            "detect_anomaly()"
        )

    # States -----------------------------------------------------------------------------------

    @property
    def state(self) -> dict[Value, dict[str, float]]:
        """The state of the rule for each parameter, by name."""
        states: dict[Value, dict[str, float]] = {}
        for group in self.param_groups:
            names = active_state_names(self.state_names, group) if group["step"] else []
            for p in group["params"] if names else ():
                states[p] = {name: self._columns[name][self._rows[p]] for name in names}
        return states

    def state_dict(self) -> dict[str, Any]:
        """Return the step counts, options and state of the rule, as plain numbers.

        Returns
        -------
        dict
            In PyTorch's layout: ``state`` maps the index of a parameter, in the order of
            `param_groups`, to its state by name; ``param_groups`` lists the options. Saving it
            as JSON and loading it again loses nothing.

        Raises
        ------
        OperandError, DomainError
            If an option that was assigned is not a number, or is out of its range.
        """
        rows = self._rows
        groups = [{**x, "params": [rows[p] for p in x["params"]]} for x in self.param_groups]
        for group in groups:
            self.check(group)
        return {"state": {rows[p]: x for p, x in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the state of an optimizer of the same class, over the same parameters.

        Parameters
        ----------
        state_dict : mapping
            The result of `state_dict`, or of the PyTorch optimizer of the same name over tensors
            with the same numbers in the same order.

        Raises
        ------
        StateError
            If the state does not fit: its groups, parameters or state names differ, or a number
            or an option has the wrong type or is out of its range. Nothing is changed then.

        Notes
        -----
        If the parameters are restored too, the run continues exactly, to the last bit, as if it
        had not been interrupted.
        """
        try:
            groups, columns = read_state(state_dict, self)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise StateError(
                f"this state does not fit {type(self).__name__}, and nothing was changed: {error}"
            ) from error
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update(group)
        self._columns = columns

    def __repr__(self) -> str:
        options = [
            ", ".join(f"{k}={v!r}" for k, v in group.items() if k not in {"params", "step"})
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(options)})"


def _set_rows(column: array[float], rows: Any, numbers: Any) -> None:
    """Write numbers, an array or a tuple, to some rows of a column, a slice or a list."""
    if isinstance(numbers, tuple):
        for row, x in zip(rows, numbers, strict=True):
            column[row] = x
    else:
        import numpy as np

        np.frombuffer(column)[rows] = numbers


def _parse_params(group: Any) -> list[Value]:
    """Return the parameters of a group as a list; check that they are leaves."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise OperandError(f"a parameter group is {format_value(group)}; give a dict with 'params'")
    params = group["params"]
    parameters = (
        [params] if isinstance(params, Value) else check_list(params, "params", "Parameters")
    )
    for x in parameters:
        if not isinstance(x, Value):
            remedy = "; give a flat list of Parameters, such as module.parameters()"
            suffix = remedy if isinstance(x, list | tuple) else ""
            raise OperandError(f"an optimizer trains Parameters, not {format_value(x)}{suffix}")
        if x.parents:
            raise OperandError(f"{x!r} was computed by {x.op}; only leaves can be trained")
    return parameters


def _pack_arrays(parameters: Sequence[Value]) -> tuple[Any, Any] | None:
    """Return arrays of the numbers and gradients of parameters; None if one is not a number."""
    import numpy as np

    pack = struct.Struct(f"{len(parameters)}d").pack  # twice as fast as NumPy from a list
    try:
        data, grads = pack(*[p.data for p in parameters]), pack(*[p.grad for p in parameters])
    except struct.error:  # None, for example
        return None
    return np.frombuffer(data), np.frombuffer(grads)


def write_data(parameters: Sequence[Value], numbers: Sequence[float]) -> None:
    """Write the numbers of parameters in one call into C, which Ctrl-C cannot interrupt."""
    any(map(setattr, parameters, repeat("data"), numbers))  # setattr returns None: any never stops
