"""What all optimisers share: groups of parameters, one safe step, and their state."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from math import isfinite
from typing import Any, ClassVar

from scalargrad.errors import NumericalError, OperandError, StateError
from scalargrad.grad_mode import unless_recorded
from scalargrad.optim.group_step import (
    GroupStep,
    Rule,
    Update,
    all_finite,
    arrays_of,
    has_numpy,
    write_data,
)
from scalargrad.optim.options import Group, at_least_zero, flags, plain
from scalargrad.optim.param_groups import by_table, in_table, params_of, with_name
from scalargrad.optim.saved import read, written
from scalargrad.optim.state_columns import StateColumns
from scalargrad.sparse import Touched
from scalargrad.table.numbers import as_float, float_of
from scalargrad.table.validation import function, listed, mapping
from scalargrad.value import Value

#: From this many parameters on, arrays are faster than single numbers.
_MANY = 32


class Optimizer:
    """Base class: moves parameters against their gradients by a rule.

    Parameters
    ----------
    params : iterable of Parameters, of (name, Parameter) pairs, or of dicts
        What to train. A dict is a group with its own options beside its ``params``.
    defaults : dict
        Options of groups that do not give their own.

    Attributes
    ----------
    param_groups : list of dict
        Each with ``params``, its options such as ``lr``, which may be assigned, and ``step``,
        the number of steps taken.
    state : mapping from Parameter to tuple of float
        What the rule remembers of each parameter; empty until its first step. Entries may be
        assigned.

    Raises
    ------
    OperandError
        If there are no parameters, or one occurs twice.
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

    #: Names of the rule's state, in its order, and their values before the first step.
    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(mapping(defaults, "defaults", "options"))
        self.param_groups: list[Group] = []
        self.state = StateColumns(len(self.state_names))
        self._names: dict[Value, str] = {}
        self._group_of: dict[Value, int] = {}
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
        named = [with_name(x) for x in params_of(group)]
        options = plain({**self.defaults, **group, "params": [p for _, p in named], "step": 0})
        self._check_parameters(named)
        self.check(options)
        self._names |= {p: name for name, p in named if name}
        self._group_of |= dict.fromkeys(options["params"], len(self.param_groups))
        self.state.add(options["params"])
        self.param_groups.append(options)
        self._given.append([*options["params"]])
        self._tables.append(by_table(options["params"]))

    def _check_parameters(self, named: list[tuple[str, Value]]) -> None:
        parameters = [p for _, p in named]
        if not parameters:
            raise OperandError(
                "an optimiser needs parameters to train, and was given none: those of a Module are "
                "the Parameters in its attributes, so write Parameter(0.5) there, not Value(0.5)"
            )
        known = self._group_of.keys()
        if len(set(parameters)) < len(parameters) or not known.isdisjoint(parameters):
            raise OperandError("a parameter was given to the optimiser twice")

    def check(self, group: Group) -> None:
        """Make the numbers of a group floats; raise DomainError if one is out of its range."""
        at_least_zero(group, "lr", "initial_lr", "eps", "weight_decay", "momentum")
        flags(group, "maximize")

    def next_group(self, group: Group) -> Group:
        """Return a group as its next step takes it: that step counted, its options checked again.

        Options may have been assigned since: whatever kind of number they are, a parameter
        stays a float.
        """
        following = plain({**group, "step": group["step"] + 1})
        self.check(following)
        return following

    def rule(self, group: Group) -> Rule:
        """Return the update rule with the options of a group, for its step ``group["step"]``.

        It takes a parameter, its gradient and its state, and returns the new parameter and
        the new state.
        """
        raise NotImplementedError

    def first_state(self, group: Group) -> tuple[float, ...]:
        """Return the state of a parameter before its first step."""
        del group
        return (0.0,) * len(self.state_names)

    def has_state(self, group: Group) -> bool:
        """Return whether the rule remembers anything from step to step."""
        del group
        return True

    def is_sparse(self, group: Group) -> bool:
        """Return whether the rule leaves a parameter alone whose gradient is 0."""
        del group
        return False

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0, looking only at what was touched."""
        unless_recorded("zero_grad")
        for members, records in self._tables:
            for parameter in members:
                parameter.grad = 0.0
            for touched in records:
                for parameter in [p for p in touched if p in self._group_of]:
                    parameter.zero_grad()

    def active_parameters(self) -> list[Value]:
        """Return the parameters that the next step will visit.

        Clipping these costs what was touched: ``clip_grad_norm_(opt.active_parameters(), 1.0)``.
        """
        return [p for i in range(len(self.param_groups)) for p in self._visited(i)]

    def _visited(self, i: int) -> Iterator[Value]:
        group, (members, records) = self.param_groups[i], self._tables[i]
        if not self.is_sparse(group):
            yield from group["params"]
            return
        yield from members
        for touched in records:
            yield from (p for p in touched if self._group_of.get(p) == i)

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
        unless_recorded("step")
        result = (
            None if closure is None else function(closure, "closure", "one that returns the loss")()
        )
        updates = [self._moved(i) for i in range(len(self.param_groups))]
        for parameters, update in updates:
            write_data(parameters, update.data)
        self._remember(update for _, update in updates)
        return result

    def step_arrays(self, data: Any, grads: Any, reached: Any = None) -> bool:
        """Move numbers in arrays as `step` moves parameters, leaving the parameters as they are.

        Parameters
        ----------
        data, grads : float64 array
            The number of each parameter, moved in place, and its gradient, in the order the
            parameters were given.
        reached : bool array, optional
            Which parameters a gradient has reached; by default all.

        Returns
        -------
        bool
            False, and nothing is changed, where a gradient or a new number is not finite, or
            a rule is not one of `scalargrad.optim.rules`.
        """
        updates = []
        for i, span in enumerate(self._spans()):
            rows = span if reached is None else self._rows_reached(i, span, reached)
            step = self._group_step(i)
            if not step.takes_arrays:
                return False
            update = step.on_arrays(rows, data[rows], grads[rows], self.state)
            if not all_finite(grads[rows], update.data):
                return False
            updates.append(update)
        for update in updates:
            data[update.rows] = update.data
        self._remember(updates)
        return True

    def is_still(self, parameters: Iterable[Value]) -> bool:
        """Return whether the next step leaves parameters unchanged if their gradient is 0.

        Only those in tables are considered; all others are visited by every step anyway.
        """
        groups = {self._group_of.get(p) for p in parameters if in_table(p)} - {None}
        return all(map(self._is_still, groups))

    def _is_still(self, i: Any) -> bool:
        if not self.is_sparse(self.param_groups[i]):
            return True
        moved = self._group_step(i).on_numbers(1.0, 0.0, [1.0] * len(self.state_names))
        return bool(moved[0] == 1.0)

    def _spans(self) -> list[slice]:
        """Return the rows of each group."""
        ends = accumulate((len(group["params"]) for group in self.param_groups), initial=0)
        return [slice(*pair) for pair in pairwise(ends)]

    def _rows_reached(self, i: int, span: slice, reached: Any) -> Any:
        """Return the rows that a step visits, as `_visited` does."""
        if not self.is_sparse(self.param_groups[i]) or reached[span].all():
            return span
        visited = reached.copy()
        visited[self._rows(self._tables[i][0])] = True
        return visited[span].nonzero()[0] + span.start

    def _rows(self, parameters: Iterable[Value]) -> list[int]:
        return [*map(self.state.rows.__getitem__, parameters)]

    def _group_step(self, i: int) -> GroupStep:
        """Return the next step of a group.

        Raises
        ------
        StateError
            If its parameters are others than it was made with: states and tables go by these.
        """
        if self.param_groups[i]["params"] != self._given[i]:
            raise StateError(
                f"the parameters in param_groups[{i}] are not those it was made with: train others "
                "by a new optimizer, or by add_param_group; freeze some by a new one without them"
            )
        group = self.next_group(self.param_groups[i])
        up, remembers = bool(group.get("maximize")), self.has_state(group)
        return GroupStep(self.rule(group), self.first_state(group), up, remembers)

    def _remember(self, updates: Iterable[Update]) -> None:
        """Store the state after a step, and count the step."""
        for update in updates:
            if update.columns:
                self.state.put(update.rows, update.columns)
        for group in self.param_groups:
            group["step"] += 1

    def _moved(self, i: int) -> tuple[Sequence[Value], Update]:
        """Return the parameters of a group that a step moves, and their new numbers."""
        group, step = self.param_groups[i], self._group_step(i)
        sparse = self.is_sparse(group)
        parameters = [*self._visited(i)] if sparse else group["params"]
        if len(parameters) >= _MANY and step.takes_arrays and has_numpy():
            arrays = arrays_of(parameters)
            if arrays is not None:
                rows = self._rows(parameters) if sparse else self._spans()[i]
                update = step.on_arrays(rows, *arrays, self.state)
                if all_finite(arrays[1], update.data):
                    # an array makes each float as the one it replaces is freed, unlike a list
                    return parameters, update._replace(data=array("d", update.data.tobytes()))
        return self._moved_each(parameters, step)  # names what is not finite, leaves out None

    def _moved_each(
        self, parameters: Iterable[Value], step: GroupStep
    ) -> tuple[Sequence[Value], Update]:
        """Return the parameters that a step moves, and their new numbers, computed one by one.

        Raises
        ------
        NumericalError
            If a gradient or a new number is not finite.
        """
        moved: list[Value] = []
        found = []
        for parameter in parameters:
            given: Any = parameter.grad
            if given is None:
                continue
            data, grad = float_of(parameter), as_float(given, "a gradient")
            self._require_finite(parameter, grad, "gradient")
            state = self.state.get(parameter, step.first)
            new = step.on_numbers(data, grad, state)
            self._require_finite(parameter, new[0], "new value")
            moved.append(parameter)
            found.append(new)
        numbers, *columns = zip(*found, strict=True) if found else ((),)
        return moved, Update(self._rows(moved), numbers, columns if step.remembers else ())

    def _require_finite(self, parameter: Value, number: float, what: str) -> None:
        if isfinite(number):
            return
        name = self._names.get(parameter) or parameter.label
        name = name or f"parameter {list(self._group_of).index(parameter)}"
        raise NumericalError(
            f"the {what} of {name} = {parameter.data:.6g} is {number}; no parameter was changed. "
            "Lower the learning rate, clip the gradients, or look for the operation under "
            "detect_anomaly()"
        )

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
        return written(self)

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
            If it does not fit: other groups, parameters or state, or an option out of its range.
            Nothing is changed then.

        Notes
        -----
        Together with the parameters themselves, this makes a run continue, to the last bit, as if
        it had not been interrupted.
        """
        try:
            groups, state = read(state_dict, self)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateError(
                f"this state does not fit {type(self).__name__}, and nothing was changed: {error}"
            ) from error
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update(group)
        self.state.replace(state)

    def __repr__(self) -> str:
        shown = [
            ", ".join(f"{k}={v!r}" for k, v in group.items() if k not in {"params", "step"})
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(shown)})"
