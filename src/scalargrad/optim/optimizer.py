"""What all optimisers share: groups of parameters, one safe step, and their state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import repeat
from math import isfinite, nan
from typing import Any, ClassVar, NamedTuple

from scalargrad.errors import NumericalError, OperandError, StateError
from scalargrad.optim.options import Group, at_least_zero, flags, plain, saved_options
from scalargrad.sparse import SparseParameter, Touched
from scalargrad.table.validation import listed, number, shown, whole
from scalargrad.value import Value

Rule = Callable[..., tuple[Any, ...]]


class _Update(NamedTuple):
    parameter: Value
    data: float
    state: tuple[float, ...]


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
    state : dict from Parameter to tuple of float
        What the rule remembers of each parameter; empty until its first step.

    Raises
    ------
    OperandError
        If there are no parameters, or one occurs twice.
    DomainError
        If an option is out of its range.

    Notes
    -----
    A parameter that no gradient has reached has gradient 0. Where the rule would not move it
    then (see each optimiser), entries of tables, such as Embedding's, are visited only if a
    gradient was written to them, so a step costs what was touched.
    """

    #: Names of the rule's state, in its order, and their values before the first step.
    state_names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        self.defaults = dict(defaults)
        self.param_groups: list[Group] = []
        self.state: dict[Value, tuple[float, ...]] = {}
        self._names: dict[Value, str] = {}
        self._group_of: dict[Value, int] = {}
        self._tables: list[tuple[list[Value], list[Touched]]] = []
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
        given = _params_of(group)
        given = [given] if isinstance(given, Value) else listed(given, "params", "Parameters")
        named = [_named(x) for x in given]
        options = plain({**self.defaults, **group, "params": [p for _, p in named], "step": 0})
        self._check_parameters(named)
        self.check(options)
        self._names |= {p: name for name, p in named if name}
        self._group_of |= dict.fromkeys(options["params"], len(self.param_groups))
        self.param_groups.append(options)
        self._tables.append(_by_table(options["params"]))

    def _check_parameters(self, named: list[tuple[str, Value]]) -> None:
        parameters = [p for _, p in named]
        if not parameters:
            raise OperandError("an optimiser needs parameters to train, and was given none")
        known = self._group_of.keys()
        if len(set(parameters)) < len(parameters) or not known.isdisjoint(parameters):
            raise OperandError("a parameter was given to the optimiser twice")

    def check(self, group: Group) -> None:
        """Raise DomainError if an option of a group is out of its range."""
        at_least_zero(group, "lr", "eps", "weight_decay", "momentum")
        flags(group, "maximize")

    def next_group(self, group: Group) -> Group:
        """Return a group as its next step takes it: counted on, its options checked again.

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
        result = None if closure is None else closure()
        updates = [update for i in range(len(self.param_groups)) for update in self._updates(i)]
        parameters = [update.parameter for update in updates]
        # Each a single call into C, which Ctrl-C cannot interrupt halfway.
        deque(map(setattr, parameters, repeat("_data"), [u.data for u in updates]), maxlen=0)
        self.state.update({u.parameter: u.state for u in updates if u.state})
        for group in self.param_groups:
            group["step"] += 1
        return result

    def _updates(self, i: int) -> Iterator[_Update]:
        group = self.next_group(self.param_groups[i])
        update = self.rule(group)
        first, remembers = self.first_state(group), self.has_state(group)
        sign = -1.0 if group.get("maximize") else 1.0
        for parameter in self._visited(i):
            grad: float | None = parameter.grad
            if grad is None:
                continue
            self._require_finite(parameter, grad, "gradient")
            try:
                data, *state = update(
                    parameter.data, sign * grad, *self.state.get(parameter, first)
                )
            except ZeroDivisionError:
                data, state = nan, []
            self._require_finite(parameter, data, "new value")
            yield _Update(parameter, data, tuple(state) if remembers else ())

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
        """
        numbers = {p: i for i, p in enumerate(self._group_of)}
        state = {
            numbers[p]: dict(zip(self.state_names, found, strict=True))
            for p, found in self.state.items()
        }
        groups = [
            {**group, "params": [numbers[p] for p in group["params"]]}
            for group in self.param_groups
        ]
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on where an optimiser of the same kind, over the same parameters, stood.

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
        Together with the parameters themselves this makes a run go on bit by bit as it would
        have without the interruption.
        """
        try:
            groups, state = self._read(state_dict)
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise StateError(
                f"this state does not fit {type(self).__name__}, and nothing was changed: {error}"
            ) from error
        for own, group in zip(self.param_groups, groups, strict=True):
            own.update(group)
        self.state = state

    def _read(self, state_dict: Mapping[str, Any]) -> tuple[list[Group], dict[Value, Any]]:
        """Return groups and state as saved, once all of it is seen to fit."""
        from scalargrad.optim.torch_state import by_numbers, is_by_tensors

        if is_by_tensors(state_dict) and state_dict["param_groups"]:
            state_dict = by_numbers(state_dict, self)
        parameters = list(self._group_of)
        groups = [saved_options(group) for group in state_dict["param_groups"]]
        sizes = [len(group["params"]) for group in groups]
        expected = [len(group["params"]) for group in self.param_groups]
        if sizes != expected:
            raise ValueError(f"it is of groups of {sizes} parameters, these are of {expected}")
        numbers = {_index(i): self._state_of(found) for i, found in state_dict["state"].items()}
        if not numbers.keys() <= set(range(len(parameters))):
            raise ValueError(f"it numbers its parameters beyond the {len(parameters)} trained here")
        merged = [self._merged(*pair) for pair in zip(self.param_groups, groups, strict=True)]
        return merged, {parameters[i]: found for i, found in numbers.items()}

    def _merged(self, own: Group, saved: Group) -> Group:
        """Return the options of a group as saved, checked."""
        if missing := own.keys() - saved.keys() - {"initial_lr"}:
            raise ValueError(f"a group has no {', '.join(sorted(missing))}")
        step = whole(saved["step"], "step", 0)
        merged = plain({**own, **saved, "params": own["params"], "step": step})
        self.check(merged)
        return merged

    def _state_of(self, found: Mapping[str, Any]) -> tuple[float, ...]:
        if found.keys() != set(self.state_names):
            raise ValueError(f"its rule remembers {self.state_names}, not {tuple(found)}")
        return tuple(number(found[name], name, finite=False) for name in self.state_names)

    def __repr__(self) -> str:
        shown = [
            ", ".join(f"{k}={v!r}" for k, v in group.items() if k not in {"params", "step"})
            for group in self.param_groups
        ]
        return f"{type(self).__name__}({'; '.join(shown)})"


def _params_of(group: Any) -> Any:
    if not isinstance(group, Mapping) or "params" not in group:
        raise OperandError(f"a group is {shown(group)}; give a dict with its params")
    return group["params"]


def _named(given: Any) -> tuple[str, Value]:
    name, parameter = given if isinstance(given, tuple) and len(given) == 2 else ("", given)
    if not isinstance(parameter, Value):
        raise OperandError(f"an optimiser trains Parameters, not {shown(parameter)}")
    if parameter.parents:
        raise OperandError(
            f"{parameter!r} was computed by {parameter.op}: only leaves can be trained"
        )
    return str(name), parameter


def _index(key: Any) -> int:
    """Return the number of a parameter; JSON turned it into text."""
    return whole(int(key) if isinstance(key, str) else key, "the number of a parameter", 0)


def _by_table(parameters: Iterable[Value]) -> tuple[list[Value], list[Touched]]:
    """Split parameters into those of no table, and the tables' records of what was touched."""
    members: list[Value] = []
    records: dict[int, Touched] = {}
    for parameter in parameters:
        touched = parameter.touched if isinstance(parameter, SparseParameter) else None
        if touched is None:
            members.append(parameter)
        else:
            records[id(touched)] = touched
    return members, list(records.values())
