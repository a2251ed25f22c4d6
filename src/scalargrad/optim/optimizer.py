"""The base of all optimisers: groups of parameters, one safe step, and their state."""

from __future__ import annotations

import importlib.util
import itertools
import struct
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import repeat
from math import isfinite, nan
from typing import Any, ClassVar, cast

from scalargrad.errors import NumericalError, OperandError, StateError
from scalargrad.grad_mode import refuse_if_recorded
from scalargrad.nn.sparse import Touched
from scalargrad.optim import rules
from scalargrad.optim.state import Group, checked, kept_names, read
from scalargrad.system.short_repr import format_value
from scalargrad.table.numbers import as_float, float_of
from scalargrad.table.validation import function, listed, mapping
from scalargrad.value import Value

Rule = Callable[..., tuple[Any, ...]]
#: Parameters, their new numbers, their rows, and the new state in these, a column for each name.
_Move = tuple[Sequence[Value], Sequence[float], Any, Sequence[Any]]

#: The number of parameters from which on arrays are faster than single numbers.
_MANY = 32
_HAS_NUMPY = importlib.util.find_spec("numpy") is not None
#: The rules that take arrays; a user's rule may take single numbers only.
_OF_ARRAYS = {getattr(rules, name) for name in rules.__all__}


class Optimizer:
    """Base class: moves parameters against their gradients by a rule.

    Parameters
    ----------
    params : iterable of Parameters, or of dicts
        What to train. A dict is a group with its own options beside its ``params``.
    defaults : dict
        Options of groups that do not give their own.

    Attributes
    ----------
    param_groups : list of dict
        Each with ``params``, its options such as ``lr``, which may be assigned, and ``step``,
        the number of steps taken.
    state : dict from Parameter to dict from str to float
        What the rule remembers of each parameter, by name, from its group's first step on. A copy:
        `load_state_dict` changes it.

    Raises
    ------
    OperandError
        If there are no parameters, one occurs twice, or they are in a set, which has no order.
    DomainError
        If an option is out of its range.
    StateError
        By the next step, if the ``params`` of a group have been changed.

    Notes
    -----
    A parameter that no gradient has reached has gradient 0. Where the rule would not move it
    then (see each optimiser), entries of tables, such as Embedding's, are visited only if a
    gradient was written to them, so a step costs what was touched.

    A parameter whose gradient is None is passed over, as in PyTorch. Steps are counted for a group
    as a whole, though, and PyTorch counts them for each parameter: when it moves again, Adam's
    corrections, `lr_decay` and `dampening` are those of the group's step. Train what joins later by
    `add_param_group`, which counts from 0.
    """

    #: Names of the rule's state, in its order.
    state_names: ClassVar[tuple[str, ...]] = ()
    #: Names of the rule's state that is never negative, such as a mean of squares.
    nonnegative_state: ClassVar[frozenset[str]] = frozenset()
    #: The function that `rule` gives its options, one of `scalargrad.optim.rules`.
    formula: ClassVar[Rule]

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(mapping(defaults, "defaults", "options"))
        self.param_groups: list[Group] = []
        self._rows: dict[Value, int] = {}  # of each parameter, in the columns of the state
        self._columns = {name: array("d") for name in self.state_names}
        self._tables: list[tuple[list[Value], list[Touched]]] = []
        self._given: list[list[Value]] = []  # the parameters of each group
        given = listed([params] if isinstance(params, Value) else params, "params", "Parameters")
        groups = given if given and isinstance(given[0], dict) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Train further parameters, with options of their own.

        Parameters
        ----------
        group : mapping
            ``params``, and any options.
        """
        parameters = _params_of(group)
        if not parameters:
            raise OperandError(
                "an optimiser needs parameters to train, and was given none: those of a Module are "
                "the Parameters in its attributes, so write Parameter(0.5) there, not Value(0.5)"
            )
        if len(set(parameters)) < len(parameters) or not self._rows.keys().isdisjoint(parameters):
            raise OperandError("a parameter was given to the optimiser twice")
        options = {**self.defaults, **group, "params": parameters, "step": 0}
        self.check(options)
        self._rows |= zip(parameters, itertools.count(len(self._rows)))
        for name, x in zip(self.state_names, self.first_state(options), strict=True):
            self._columns[name] = self._columns[name] + array("d", [x]) * len(parameters)
        self.param_groups.append(options)
        self._given.append([*parameters])
        tables = [getattr(p, "touched", None) for p in parameters]
        members = [p for p, touched in zip(parameters, tables, strict=True) if touched is None]
        records = {id(touched): touched for touched in tables if touched is not None}
        self._tables.append((members, [*records.values()]))

    def check(self, group: Group) -> None:
        """Make options Python's own numbers; raise DomainError if one is out of its range."""
        group.update(checked(group))

    def rule(self, group: Group) -> Rule:
        """Return the update rule with the options of a group, for its step ``group["step"]``.

        It takes a parameter, its gradient and its state, and returns the new parameter and
        the new state.
        """
        options = {name: group[name] for name in self.defaults if name != "maximize"}
        return partial(self.formula, **options)

    def first_state(self, group: Group) -> tuple[float, ...]:  # noqa: ARG002 - others look
        """Return the state of a parameter before its first step."""
        return (0.0,) * len(self.state_names)

    def is_sparse(self, group: Group) -> bool:  # noqa: ARG002 - others look
        """Return whether the rule leaves a parameter alone whose gradient is 0."""
        return False

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, looking only at what was touched."""
        refuse_if_recorded("zero_grad")
        for members, records in self._tables:
            for parameter in members:
                parameter.grad = 0.0
            for touched in records:
                for parameter in [p for p in touched if p in self._rows]:
                    parameter.zero_grad()

    def active_parameters(self) -> list[Value]:
        """Return the parameters that the next step will visit.

        Clipping these costs what was touched: ``clip_grad_norm_(opt.active_parameters(), 1.0)``.
        """
        return [p for i in range(len(self.param_groups)) for p in self._visited(i)]

    def _visited(self, i: int) -> list[Value]:
        group = self.param_groups[i]
        return self._reached(i) if self.is_sparse(group) else [*group["params"]]

    def _reached(self, i: int) -> list[Value]:
        """Return the parameters of a group without those of tables that no gradient has reached."""
        members, records = self._tables[i]
        span, rows = self._span(i), self._rows
        touched = [p for record in records for p in record]
        return [*members, *(p for p in touched if span.start <= rows.get(p, -1) < span.stop)]

    # A step -----------------------------------------------------------------------------------

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every parameter once.

        Parameters
        ----------
        closure : callable, optional
            Called first: it clears gradients, computes the loss, runs backward and returns
            the loss.

        Returns
        -------
        what `closure` returned, or None

        Raises
        ------
        NumericalError
            If a gradient is inf or nan, or a parameter would become so; the parameter is
            named. No parameter, state or step count is changed then.
        """
        refuse_if_recorded("step")
        result = (
            None if closure is None else function(closure, "closure", "one that returns the loss")()
        )
        self.require_unchanged()
        moves = [self._next_step(i) for i in range(len(self.param_groups))]
        for parameters, numbers, _, _ in moves:
            write_data(parameters, numbers)
        self._remember((rows, columns) for _, _, rows, columns in moves)
        return result

    def step_arrays(self, data: Any, grads: Any) -> bool:
        """Move numbers in arrays as `step` moves parameters, leaving the parameters as they are.

        Parameters
        ----------
        data, grads : float64 array
            The number of each parameter, moved in place, and its gradient, in the order the
            parameters were given.

        Returns
        -------
        bool
            False, and nothing is changed, where a gradient or a new number is not finite, or
            a rule is not one of `scalargrad.optim.rules`.
        """
        updates = []
        for i in range(len(self.param_groups)):
            rows = self._span(i)
            found = self._in_arrays(i, rows, data[rows], grads[rows])
            if found is None:
                return False
            updates.append((rows, *found))
        for rows, new, _ in updates:
            data[rows] = new
        self._remember((rows, columns) for rows, _, columns in updates)
        return True

    def require_unchanged(self) -> None:
        """Raise StateError if parameters of groups are others than those they were made with.

        States and tables go by these.
        """
        for i, (group, given) in enumerate(zip(self.param_groups, self._given, strict=True)):
            if group["params"] != given:
                raise StateError(
                    f"the parameters in param_groups[{i}] are not those it was made with: train "
                    "others by a new optimizer, or by add_param_group; freeze some by a new one "
                    "without them"
                )

    def _span(self, i: int) -> slice:
        """Return the rows of a group."""
        first = self._rows[self._given[i][0]]
        return slice(first, first + len(self._given[i]))

    def _prepared(self, i: int) -> tuple[Rule, Group]:
        """Return the rule of a group's next step, and its options as that takes them.

        These may have been assigned since: whatever kind of number they are, a parameter stays a
        float.
        """
        group = self.param_groups[i]
        following = {**group, "step": group["step"] + 1}
        self.check(following)
        return self.rule(following), following

    def _remember(self, states: Iterable[tuple[Any, Sequence[Any]]]) -> None:
        """Store the state of each group after a step, and count the step."""
        for group, (rows, columns) in zip(self.param_groups, states, strict=True):
            new = dict(zip(self.state_names, columns, strict=True))
            for name in kept_names(self.state_names, group):
                _set_rows(self._columns[name], rows, new[name])
            group["step"] += 1

    def _next_step(self, i: int) -> _Move:
        """Return the next step of a group: parameters, numbers, rows and state."""
        parameters = self._visited(i)
        if len(parameters) >= _MANY and _HAS_NUMPY and (arrays := _arrays_of(parameters)):
            is_sparse = self.is_sparse(self.param_groups[i])
            rows = [self._rows[p] for p in parameters] if is_sparse else self._span(i)
            if found := self._in_arrays(i, rows, *arrays):
                # an array makes each float as the one it replaces is freed, unlike a list
                return parameters, array("d", found[0].tobytes()), rows, found[1]
        return self._one_by_one(i, parameters)  # names what is not finite, leaves out None

    def _in_arrays(
        self, i: int, rows: Any, data: Any, grads: Any
    ) -> tuple[Any, Sequence[Any]] | None:
        """Return the new numbers of parameters moved at once, and their state in columns.

        None, where a number is not finite, or the rule is a user's.
        """
        import numpy as np

        rule, group = self._prepared(i)
        if not (isinstance(rule, partial) and rule.func in _OF_ARRAYS):
            return None
        known = [np.frombuffer(column)[rows] for column in self._columns.values()]
        with np.errstate(all="ignore"):
            new, *columns = rule(data, -grads if group.get("maximize") else grads, *known)
        return (new, columns) if np.isfinite(grads).all() and np.isfinite(new).all() else None

    def _one_by_one(self, i: int, parameters: Iterable[Value]) -> _Move:
        """Return the parameters that a step moves, and what it makes of each by itself.

        Raises
        ------
        NumericalError
            If a gradient or a new number is not finite.
        """
        rule, group = self._prepared(i)
        sign = -1.0 if group.get("maximize") else 1.0
        moved = [p for p in parameters if cast("Any", p.grad) is not None]
        rows = [self._rows[p] for p in moved]
        found: list[Any] = []
        for parameter, row in zip(moved, rows, strict=True):
            data, grad = float_of(parameter), as_float(parameter.grad, "a gradient")
            self._require_finite(parameter, grad, "gradient")
            try:
                new, *state = rule(data, sign * grad, *[x[row] for x in self._columns.values()])
            except ZeroDivisionError:
                new, state = nan, []
            self._require_finite(parameter, new, "new value")
            found.append((new, *state))
        numbers, *columns = [*zip(*found, strict=True)] or [()] * (1 + len(self._columns))
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
        """The state that the rule keeps for each parameter, by name."""
        found: dict[Value, dict[str, float]] = {}
        for group in self.param_groups:
            names = kept_names(self.state_names, group) if group["step"] else []
            for p in group["params"] if names else ():
                found[p] = {name: self._columns[name][self._rows[p]] for name in names}
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return steps, options and what the rule remembers, as plain numbers.

        Returns
        -------
        dict
            As PyTorch arranges it: ``state`` maps the number of a parameter, in the order
            given, to its state by name; ``param_groups`` lists options. It can be written as
            JSON and read again without loss.

        Raises
        ------
        OperandError, DomainError
            If an option that was assigned is no number, or out of its range.
        """
        rows = self._rows
        groups = [{**x, "params": [rows[p] for p in x["params"]]} for x in self.param_groups]
        for group in groups:
            self.check(group)
        return {"state": {rows[p]: x for p, x in self.state.items()}, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore the state of an optimiser of the same kind, over the same parameters.

        Parameters
        ----------
        state_dict : mapping
            As `state_dict` returned it, or as PyTorch's optimiser of the same name returned its
            own, over tensors of the same numbers in the same order.

        Raises
        ------
        StateError
            If it does not fit: other groups, parameters or state, or a number or an option of
            another type or out of its range. Nothing is changed then.

        Notes
        -----
        Together with the parameters themselves, this makes a run continue, to the last bit, as if
        it had not been interrupted.
        """
        try:
            groups, columns = read(state_dict, self)
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise StateError(
                f"this state does not fit {type(self).__name__}, and nothing was changed: {error}"
            ) from error
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update(group)
        self._columns = columns

    def __repr__(self) -> str:
        shown = [
            ", ".join(f"{k}={v!r}" for k, v in group.items() if k not in {"params", "step"})
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(shown)})"


def _set_rows(column: array[float], rows: Any, numbers: Any) -> None:
    """Set a column in these rows, a slice or a list, to the numbers of an array or a tuple."""
    if isinstance(numbers, tuple):
        for row, x in zip(rows, numbers, strict=True):
            column[row] = x
    else:
        import numpy as np

        np.frombuffer(column)[rows] = numbers


def _params_of(group: Any) -> list[Value]:
    """Return the parameters of a group, which are leaves; one alone is a list of one."""
    if not isinstance(group, Mapping) or "params" not in group:
        raise OperandError(f"a group is {format_value(group)}; give a dict with its params")
    given = group["params"]
    found = [given] if isinstance(given, Value) else listed(given, "params", "Parameters")
    for x in found:
        if not isinstance(x, Value):
            remedy = ": give those inside one by one, as module.parameters() does"
            inside = remedy if isinstance(x, list | tuple) else ""
            raise OperandError(f"an optimiser trains Parameters, not {format_value(x)}{inside}")
        if x.parents:
            raise OperandError(f"{x!r} was computed by {x.op}: only leaves can be trained")
    return found


def _arrays_of(parameters: Sequence[Value]) -> tuple[Any, Any] | None:
    """Return the numbers and the gradients of parameters; None if one of them is no number."""
    import numpy as np

    pack = struct.Struct(f"{len(parameters)}d").pack  # twice as fast as NumPy from a list
    try:
        data, grads = pack(*[p.data for p in parameters]), pack(*[p.grad for p in parameters])
    except struct.error:  # None, for example
        return None
    return np.frombuffer(data), np.frombuffer(grads)


def write_data(parameters: Sequence[Value], numbers: Sequence[float]) -> None:
    """Write the numbers of parameters, by a single call into C, which Ctrl-C cannot interrupt."""
    any(map(setattr, parameters, repeat("data"), numbers))  # each returns None: to the end
