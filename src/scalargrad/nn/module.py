"""Module, the base class of networks, and functional_call, which calls a module with other numbers.

A module is a tree of attributes. Walking it yields the parts with their paths:

    Sequential(Linear(2, 1))  →  "0.weight": ParameterMatrix, "0.bias": Vector
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from textwrap import indent
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from scalargrad.checks.arguments import check_flag, check_mapping
from scalargrad.engine.recorder import refuse_if_recorded
from scalargrad.engine.tree import flatten_like, is_object_array, replace_values
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import OperandError, StateError, TrainingWarning
from scalargrad.nn.sparse import ParameterMatrix
from scalargrad.nn.state import (
    IncompatibleKeys,
    flatten_nested,
    load_state,
    parameter_shape,
    require_in_state,
    to_state_dict,
)
from scalargrad.system.short_repr import format_value

#: Identities of the Values that an active `functional_call` has substituted for Parameters.
substituted_ids: set[int] = set()


class Module:
    """Base class of networks and their parts.

    Parameters and modules in attributes belong to the module, in the order of assignment. They may
    be inside lists, tuples, dicts, deques, namespaces and object arrays. Parameters in sets and in
    objects of other classes do not belong to it, and `parameters` warns about them. A subclass
    defines `forward`, as in PyTorch, or ``__call__``. It may override `parameters`, as micrograd
    programs do. To be saved, the items of that list must be Parameters in attributes, not plain
    Values.

    Attributes
    ----------
    training : bool
        True in training mode, which Dropout depends on; set by `train` and `eval`.

    Examples
    --------
    >>> class Line(Module):
    ...     def __init__(self):
    ...         self.slope, self.offset = Parameter(2.0), Parameter(1.0)
    ...     def forward(self, x):
    ...         return self.slope * x + self.offset
    >>> line = Line()
    >>> [name for name, _ in line.named_parameters()]
    ['slope', 'offset']
    >>> line(3.0).data
    7.0
    """

    training = True
    #: Names of the attributes in the repr of the module.
    _repr_names: ClassVar[tuple[str, ...]] = ()

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output; see `forward`."""
        return self.forward(*inputs, **options)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output; subclasses override this method."""
        raise NotImplementedError(f"{type(self).__name__} defines neither forward nor __call__")

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield each Parameter once, with its path of attributes, such as ``layers.0.b``.

        Returns
        -------
        iterator of (str, Parameter)
            In the order of assignment, depth first.
        """
        for name, value in _walk(self):
            if _is_parameter(value):
                yield name, value

    def parameters(self) -> list[Any]:
        """Return the module's Parameters, each once, in the order of `named_parameters`.

        If the class of an inner module overrides `parameters`, its override is called.

        Warns
        -----
        TrainingWarning
            If Parameters or modules are in a set, or in an object that is not a module.
        """
        parameters: dict[int, Any] = {}

        def has_override(part: Any) -> bool:
            return part is not self and _overrides_parameters(part)

        for name, part in _walk(self, is_closed=has_override):
            if _is_parameter(part):
                parameters[id(part)] = part
            elif has_override(part):
                parameters.update((id(x), x) for x in part.parameters())
            elif _hides_parameters(part):
                warnings.warn(
                    f"{type(self).__name__}.{name} is a {type(part).__name__} that contains "
                    "parameters, but it is not searched for them: make it a list, or make its "
                    "class an nn.Module",
                    TrainingWarning,
                    stacklevel=2,
                )
        return [*parameters.values()]

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield this module, under the name "", and every module inside it, with their paths."""
        for name, value in _walk(self, is_closed=_has_no_modules):
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> list[Module]:
        """Return this module and every module inside it, each once."""
        return [module for _, module in self.named_modules()]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct children of this module, with their paths, such as ``layers.0``."""
        stack = [(str(key), part) for key, part in reversed(_children(self))]
        while stack:
            name, part = stack.pop()
            if isinstance(part, Module):
                yield name, part
            elif not isinstance(part, Value | ParameterMatrix):
                stack += [(f"{name}.{key}", x) for key, x in reversed(_children(part))]

    def children(self) -> list[Module]:
        """Return the direct children of this module."""
        return [module for _, module in self.named_children()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; call it before each backward pass.

        Notes
        -----
        Of the weights of `Linear` and `Embedding`, only those with a gradient are visited. The
        cost depends on the entries that an example used, not on the size of the matrix.
        """
        refuse_if_recorded("zero_grad")
        for _, part in _walk(self, lambda part: _is_matrix(part) or _overrides_parameters(part)):
            if _overrides_parameters(part):
                for parameter in part.parameters():
                    parameter.zero_grad()
            elif isinstance(part, Parameter | ParameterMatrix):
                part.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Set `training` of this module and of every module inside it; return this module.

        As in PyTorch, if the class of an inner module overrides `train`, its override is called
        for it and its parts. A frozen module can so keep its mode.
        """

        def is_closed(part: Any) -> bool:
            return _has_no_modules(part) or (part is not self and _overrides_train(part))

        for _, part in _walk(self, is_closed):
            if part is not self and _overrides_train(part):
                part.train(mode)
            elif isinstance(part, Module):
                part.training = mode
        return self

    def eval(self) -> Self:
        """Switch to prediction: ``train(False)``."""
        return self.train(False)

    def state_dict(self) -> dict[str, Any]:
        """Return all parameters as plain numbers, by the names PyTorch gives them.

        Returns
        -------
        dict from str to nested lists of float
            ``weight`` of a Linear is a list of nout lists of nin numbers; a single Parameter
            is a float. The result is a copy: later training steps do not change it.

        Raises
        ------
        StateError
            If two parts have the same name, for example because a key of a dict contains a dot,
            or if an override of `parameters` returns anything but Parameters in attributes.

        Examples
        --------
        >>> from scalargrad.nn import Neuron
        >>> sorted(Neuron(2).state_dict())
        ['b', 'w']
        """
        return to_state_dict(self.named_tensors())

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Set all parameters to the numbers in `state_dict`.

        Parameters
        ----------
        state_dict : mapping from str to nested lists, arrays or tensors
            The result of `state_dict`, here or in PyTorch.
        strict : bool
            Require that the module and `state_dict` have the same names.

        Returns
        -------
        IncompatibleKeys
            The names missing from `state_dict`, and its unexpected names.

        Raises
        ------
        StateError
            If an entry has the wrong shape, or, with `strict`, a name is missing or unexpected.
            The message lists all of them, and no parameter is changed.
        """
        state = check_mapping(state_dict, "state_dict", "numbers by name")
        return load_state(
            type(self).__name__, self.named_tensors(), state, check_flag(strict, "strict")
        )

    def named_tensors(self) -> list[tuple[str, Any]]:
        """Return the tensors of the module with their paths.

        A tensor is a Parameter, or the largest rectangle of nested lists of Parameters.

        Raises
        ------
        StateError
            If two tensors have the same path, because a state would contain only one of them, or
            if an override of `parameters` returns a parameter outside all tensors.
        """
        parts = [*_walk(self, is_closed=lambda part: parameter_shape(part) is not None)]
        tensors = [(name, part) for name, part in parts if parameter_shape(part) is not None]
        counts = Counter(name for name, _ in tensors)
        for name in [name for name, count in counts.items() if count > 1]:
            raise StateError(
                f"{counts[name]} parts of {type(self).__name__} have the name {name} in its state: "
                "use keys without dots in its dicts, and not both 0 and '0'"
            )
        if any(_overrides_parameters(part) for _, part in parts):
            require_in_state(type(self).__name__, self.parameters(), tensors)
        return tensors

    def extra_repr(self) -> str:
        """Return the text between the parentheses of the repr of the module."""
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in self._repr_names])

    def __repr__(self) -> str:
        parts = [f"({name}): {module!r}\n" for name, module in self.named_children()]
        body = indent("".join(parts), "  ")
        separator = "\n" if parts else ""
        return f"{type(self).__name__}({self.extra_repr()}{separator}{body})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Display an MLP in a notebook as a picture of its neurons, other modules as a table."""
        from scalargrad.nn.display import mime_bundle

        return {"text/plain": repr(self), **mime_bundle(self)}


def _walk(
    module: Module, is_closed: Callable[[Any], bool] | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a module depth first, each object once, with its first path.

    Shared parts, and modules that contain themselves, therefore take linear time. If `is_closed`
    is true of a part, the part is yielded but not searched.
    """
    stack: list[tuple[str, Any]] = [("", module)]
    seen: set[int] = set()
    while stack:
        name, part = stack.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield name, part
            if is_closed is None or not is_closed(part):
                prefix = f"{name}." if name else ""
                stack += [(f"{prefix}{key}", x) for key, x in reversed(_children(part))]


def _is_parameter(part: Any) -> bool:
    return isinstance(part, Parameter) or id(part) in substituted_ids


def _is_matrix(part: Any) -> bool:
    return isinstance(part, ParameterMatrix)


def _has_no_modules(part: Any) -> bool:
    """Return True if a part is a parameter matrix, or a list of Parameters only."""
    return _is_matrix(part) or (isinstance(part, list) and {*map(type, part)} <= {Parameter})


def _overrides_parameters(part: Any) -> bool:
    return isinstance(part, Module) and type(part).parameters is not Module.parameters


def _hides_parameters(part: Any) -> bool:
    """Return True if a part that is not searched contains Parameters or modules."""
    if isinstance(part, Value) or callable(part) or _children(part):
        return False
    items = part if isinstance(part, set | frozenset) else getattr(part, "__dict__", {}).values()
    lists = [x for x in items if isinstance(x, list | tuple)]
    return any(isinstance(x, Parameter | Module) for xs in (items, *lists) for x in xs)


def _overrides_train(part: Any) -> bool:
    return isinstance(part, Module) and getattr(part.train, "__func__", None) is not Module.train


def _children(part: Any) -> list[tuple[Any, Any]]:
    if isinstance(part, Module | SimpleNamespace):
        return list(vars(part).items())
    if isinstance(part, dict):
        return list(part.items())
    if isinstance(part, list | tuple | deque):
        return list(enumerate(part))
    if is_object_array(part):
        return list(enumerate(part.ravel().tolist()))
    return []


#: Lock for the time in which a module has other numbers, so that two calls do not mix theirs.
_substitution_lock = threading.RLock()


def functional_call(
    module: Module,
    parameters: Mapping[str, Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Call a module with other numbers in place of its Parameters.

    Like ``torch.func.functional_call``, it makes the module a function of its parameters, for
    `grad`, `vmap`, `jit` and other transforms. The Parameters themselves are not changed.

    Parameters
    ----------
    module : Module
        The module to call.
    parameters : mapping from str to numbers or Values
        Either the names and shapes of ``module.state_dict()``, where arrays may replace lists, or
        the names of ``module.named_parameters()`` with one number each. Parameters that are not in
        the mapping keep their own numbers.
    args : tuple, or a single argument that is not a tuple
        The positional arguments of the call.
    kwargs : mapping, optional
        The keyword arguments of the call.

    Returns
    -------
    The result of the call.

    Raises
    ------
    OperandError
        If the module does not have a parameter of one of the names, or its shape differs.
    StateError
        If a Parameter is in a deque or a namespace, where Parameters are not replaced.

    Notes
    -----
    During the call, the attributes of the module contain the numbers, and `parameters` returns
    them. The Parameters are restored at the end, also after an error. Calls in several threads
    wait for each other. A thread that calls the module directly at the same time sees the numbers.

    Examples
    --------
    >>> from scalargrad import grad
    >>> from scalargrad.nn import Linear
    >>> line = Linear(2, 1, rng=0)
    >>> slopes = grad(lambda p: functional_call(line, p, ([3.0, 4.0],))[0])(line.state_dict())
    >>> slopes
    {'weight': [[3.0, 4.0]], 'bias': [1.0]}
    """
    if not isinstance(module, Module):
        raise OperandError(f"module is {format_value(module)}; give a Module")
    by_name = check_mapping(parameters, "parameters", "numbers by name")
    keywords = check_mapping({} if kwargs is None else kwargs, "kwargs", "arguments by name")
    with _substitution_lock, substitute_parameters(module, _numbers_by_parameter(module, by_name)):
        return module(*(args if isinstance(args, tuple) else (args,)), **keywords)


def _numbers_by_parameter(module: Module, by_name: Mapping[str, Any]) -> dict[Value, Any]:
    """Return the number for each Parameter; the caller holds the lock."""
    tensors = dict(module.named_tensors())
    single = {} if by_name.keys() <= tensors.keys() else dict(module.named_parameters())
    known = {**single, **tensors}
    numbers: dict[Value, Any] = {}
    for name, part in by_name.items():
        if name not in known:
            raise OperandError(
                f"{type(module).__name__} has no parameter {name}; it has {', '.join(tensors)}"
            )
        own = known[name]
        numbers |= zip(
            flatten_nested(own), flatten_like(part, own, name, "the parameter"), strict=True
        )
    return numbers


@contextmanager
def substitute_parameters(module: Module, numbers: Mapping[Value, Any]) -> Iterator[None]:
    """Replace some Parameters of a module by other numbers, inside a ``with`` block.

    Raises
    ------
    StateError
        If one of the Parameters is not in an attribute, nor in a list, tuple, dict or array in an
        attribute.
    """
    substitutes = {p: x if isinstance(x, Value) else Value(x) for p, x in numbers.items()}
    not_found, before = set(numbers), list[tuple[dict[str, Any], str, Any]]()
    added = {*map(id, substitutes.values())} - substituted_ids

    def substitute(x: Value) -> Any:
        not_found.discard(x)
        return substitutes.get(x, x)

    with _substitution_lock:
        try:
            substituted_ids.update(added)
            for part in module.modules():
                attributes = vars(part)
                for name, x in [*attributes.items()]:
                    new = replace_values(x, substitute)
                    if new is not x:
                        before.append((attributes, name, x))
                        attributes[name] = new
            if not_found:
                raise StateError(
                    f"{format_value(next(iter(not_found)))} is in a deque or a namespace of "
                    f"{type(module).__name__}, where it cannot be replaced; put it in a list"
                )
            yield
        finally:
            substituted_ids.difference_update(added)
            for attributes, name, x in before:
                attributes[name] = x
