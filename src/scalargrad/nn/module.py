"""Module: anything made of Parameters and of other modules; functional_call, with other numbers."""

from __future__ import annotations

import threading
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from textwrap import indent
from types import SimpleNamespace
from typing import Any, ClassVar, Self

from scalargrad.errors import OperandError, StateError, TrainingWarning
from scalargrad.grad_mode import refuse_if_recorded
from scalargrad.nn.sparse import Table
from scalargrad.nn.state import (
    IncompatibleKeys,
    flat,
    load_state,
    parameter_shape,
    require_kept,
    state_of,
)
from scalargrad.system.short_repr import format_value
from scalargrad.table.validation import flag, mapping
from scalargrad.tree import flatten_like, is_object_array, replaced
from scalargrad.value import Parameter, Value

#: The Values that a `functional_call` under way has put in the places of Parameters.
stand_ins: set[int] = set()


class Module:
    """Base class of networks and their parts.

    Parameters and modules assigned to attributes, also inside lists, tuples, dicts, deques,
    namespaces and object arrays, belong to the module, in the order of assignment. Those in sets
    and in objects that are no modules do not, of which `parameters` warns. A subclass computes in
    `forward`, as in PyTorch, or in ``__call__``. It may override `parameters`, as micrograd
    programs do; to be saved, what that returns must be Parameters in attributes, not plain Values.

    Attributes
    ----------
    training : bool
        Whether the module trains, as Dropout asks; set by `train` and `eval`.

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
    #: The attributes that are shown when the module is printed.
    _shown: ClassVar[tuple[str, ...]] = ()

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Compute the module's output; see `forward`."""
        return self.forward(*inputs, **options)

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output; each module that can be called defines it."""
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

        A module inside whose class overrides `parameters` is asked for its own.

        Warns
        -----
        TrainingWarning
            If a set holds Parameters or modules, or an object that is no module.
        """
        found: dict[int, Any] = {}

        def lists_its_own(part: Any) -> bool:
            return isinstance(part, Module) and part is not self and _lists_its_own(part)

        for name, part in _walk(self, closed=lists_its_own):
            if _is_parameter(part):
                found[id(part)] = part
            elif lists_its_own(part):
                found.update((id(x), x) for x in part.parameters())
            elif _is_overlooked(part):
                warnings.warn(
                    f"{type(self).__name__}.{name} is a {type(part).__name__}, in which parameters "
                    "are not looked for, and holds some: make it a list, or its class an nn.Module",
                    TrainingWarning,
                    stacklevel=2,
                )
        return [*found.values()]

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield this module, under the name "", and every module inside, with their paths."""
        for name, value in _walk(self, closed=_holds_no_module):
            if isinstance(value, Module):
                yield name, value

    def modules(self) -> list[Module]:
        """Return this module and every module inside, each once."""
        return [module for _, module in self.named_modules()]

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the modules directly inside, with their paths, such as ``layers.0``."""
        stack = [(str(key), part) for key, part in reversed(_children(self))]
        while stack:
            name, part = stack.pop()
            if isinstance(part, Module):
                yield name, part
            elif not isinstance(part, Value | Table):
                stack += [(f"{name}.{key}", x) for key, x in reversed(_children(part))]

    def children(self) -> list[Module]:
        """Return the modules directly inside."""
        return [module for _, module in self.named_children()]

    def zero_grad(self) -> None:
        """Set the gradient of every parameter to 0; do so before each backward sweep.

        Notes
        -----
        Of `Linear` and `Embedding` weights only those that a gradient has reached are looked
        at, so the cost follows the entries an example used, not the size of the table.
        """
        refuse_if_recorded("zero_grad")
        for _, part in _walk(self, lambda part: _is_table(part) or _lists_its_own(part)):
            if _lists_its_own(part):
                for parameter in part.parameters():
                    parameter.zero_grad()
            elif isinstance(part, Parameter | Table):
                part.zero_grad()

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in every module inside, and return this module.

        As in PyTorch, a module inside whose class overrides `train` switches itself and its parts,
        so that one which is frozen can stay as it is.
        """

        def is_closed(part: Any) -> bool:
            return _holds_no_module(part) or (part is not self and _switches_itself(part))

        for _, part in _walk(self, is_closed):
            if part is not self and _switches_itself(part):
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
            is a float. A later training step does not change what was returned.

        Raises
        ------
        StateError
            If two parts have one name, which keys with dots in dicts can lead to, or if an
            override of `parameters` lists a number that is no Parameter in an attribute.

        Examples
        --------
        >>> from scalargrad.nn import Neuron
        >>> sorted(Neuron(2).state_dict())
        ['b', 'w']
        """
        return state_of(self.named_tensors())

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Set all parameters to the numbers in `state_dict`.

        Parameters
        ----------
        state_dict : mapping from str to nested lists, arrays or tensors
            As `state_dict` returns it, here or in PyTorch.
        strict : bool
            Whether every name must occur on both sides.

        Returns
        -------
        IncompatibleKeys
            The names missing from `state_dict`, and those it has too many.

        Raises
        ------
        StateError
            If an entry has the wrong shape, or, with `strict`, a name is missing or
            unexpected. All are listed, and no parameter is changed.
        """
        given = mapping(state_dict, "state_dict", "numbers by name")
        return load_state(type(self).__name__, self.named_tensors(), given, flag(strict, "strict"))

    def named_tensors(self) -> list[tuple[str, Any]]:
        """Return the largest rectangles of Parameters with their paths; a single one counts, too.

        Raises
        ------
        StateError
            If two have one path: a state would hold the numbers of only one. Or if a parameter of
            one's own list is in none of them.
        """
        parts = [*_walk(self, closed=lambda part: parameter_shape(part) is not None)]
        found = [(name, part) for name, part in parts if parameter_shape(part) is not None]
        counts = Counter(name for name, _ in found)
        for name in [name for name, count in counts.items() if count > 1]:
            raise StateError(
                f"{counts[name]} parts of {type(self).__name__} have the name {name} in a state: "
                "use other keys in its dicts, without dots, and not 0 beside '0'"
            )
        if any(_lists_its_own(part) for _, part in parts):
            require_kept(type(self).__name__, self.parameters(), found)
        return found

    def extra_repr(self) -> str:
        """Return the arguments shown between the brackets when the module is printed."""
        return ", ".join([f"{name}={getattr(self, name)!r}" for name in self._shown])

    def __repr__(self) -> str:
        parts = [f"({name}): {module!r}\n" for name, module in self.named_children()]
        inside = indent("".join(parts), "  ")
        separator = "\n" if parts else ""
        return f"{type(self).__name__}({self.extra_repr()}{separator}{inside})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        """Show a network as its units and weights in a notebook, other modules as a table."""
        from scalargrad.nn.display import shown

        return {"text/plain": repr(self), **shown(self)}


def _walk(module: Module, closed: Callable[[Any], bool] | None = None) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a module, depth first, each object once, under its first path.

    Shared parts and modules that contain themselves therefore take linear time. Parts that
    are `closed` are yielded but not entered.
    """
    stack: list[tuple[str, Any]] = [("", module)]
    seen: set[int] = set()
    while stack:
        name, part = stack.pop()
        if id(part) not in seen:
            seen.add(id(part))
            yield name, part
            if closed is None or not closed(part):
                prefix = f"{name}." if name else ""
                stack += [(f"{prefix}{key}", x) for key, x in reversed(_children(part))]


def _is_parameter(part: Any) -> bool:
    return isinstance(part, Parameter) or id(part) in stand_ins


def _is_table(part: Any) -> bool:
    return isinstance(part, Table)


def _holds_no_module(part: Any) -> bool:
    """Return whether a part is a table, or a list of Parameters only."""
    return _is_table(part) or (isinstance(part, list) and {*map(type, part)} <= {Parameter})


def _lists_its_own(part: Any) -> bool:
    return isinstance(part, Module) and type(part).parameters is not Module.parameters


def _is_overlooked(part: Any) -> bool:
    """Return whether a part that is not entered holds Parameters or modules, or lists of them."""
    if isinstance(part, Value) or callable(part) or _children(part):
        return False
    held = part if isinstance(part, set | frozenset) else getattr(part, "__dict__", {}).values()
    lists = [x for x in held if isinstance(x, list | tuple)]
    return any(isinstance(x, Parameter | Module) for xs in (held, *lists) for x in xs)


def _switches_itself(part: Any) -> bool:
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


#: The lock held while a module holds other numbers, so that no two calls mix theirs.
_exchanging = threading.RLock()


def functional_call(
    module: Module,
    parameters: Mapping[str, Any],
    args: Any = (),
    kwargs: Mapping[str, Any] | None = None,
) -> Any:
    """Call a module with other numbers in the places of its Parameters.

    As ``torch.func.functional_call``: it makes the module a function of its parameters, for `grad`,
    `vmap`, `jit` and the like. The Parameters themselves are not changed.

    Parameters
    ----------
    module : Module
    parameters : mapping from str to numbers or Values
        By the names and in the shapes of ``module.state_dict()``, where an array may stand for
        lists, or by those of ``module.named_parameters()``, one number each. A Parameter that has
        no name here is used as it is.
    args : tuple, or one argument that is none
    kwargs : mapping, optional
        What the module is called with.

    Returns
    -------
    what the module returns

    Raises
    ------
    OperandError
        If the module has no parameter of a name, or one of another shape.
    StateError
        If a Parameter stands in a deque or a namespace, where none is exchanged.

    Notes
    -----
    During the call the module holds the numbers in its attributes, and `parameters` lists them; the
    Parameters are put back at its end, also after an error. Calls in several threads wait for each
    other; a thread that calls the module itself meanwhile meets the numbers.

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
    given = mapping(parameters, "parameters", "numbers by name")
    named = mapping({} if kwargs is None else kwargs, "kwargs", "arguments by name")
    with _exchanging, exchanged(module, _by_parameter(module, given)):
        return module(*(args if isinstance(args, tuple) else (args,)), **named)


def _by_parameter(module: Module, given: Mapping[str, Any]) -> dict[Value, Any]:
    """Return the numbers for each Parameter, which no other call exchanges meanwhile."""
    tensors = dict(module.named_tensors())
    by_number = {} if given.keys() <= tensors.keys() else dict(module.named_parameters())
    known = {**by_number, **tensors}
    numbers: dict[Value, Any] = {}
    for name, part in given.items():
        if name not in known:
            raise OperandError(
                f"{type(module).__name__} has no parameter {name}: it has {', '.join(tensors)}"
            )
        own = known[name]
        numbers |= zip(flat(own), flatten_like(part, own, name, "the parameter"), strict=True)
    return numbers


@contextmanager
def exchanged(module: Module, numbers: Mapping[Value, Any]) -> Iterator[None]:
    """Let a module hold other numbers in the places of some Parameters, in a ``with`` block.

    Raises
    ------
    StateError
        If one of them stands in none of the attributes, nor in lists, tuples, dicts and arrays
        there.
    """
    inside = {p: x if isinstance(x, Value) else Value(x) for p, x in numbers.items()}
    left, before = set(numbers), list[tuple[dict[str, Any], str, Any]]()
    added = {*map(id, inside.values())} - stand_ins

    def number_for(x: Value) -> Any:
        left.discard(x)
        return inside.get(x, x)

    with _exchanging:
        try:
            stand_ins.update(added)
            for part in module.modules():
                held = vars(part)
                for name, x in [*held.items()]:
                    here = replaced(x, number_for)
                    if here is not x:
                        before.append((held, name, x))
                        held[name] = here
            if left:
                raise StateError(
                    f"{format_value(next(iter(left)))} stands in a deque or a namespace of "
                    f"{type(module).__name__}, where it cannot be exchanged: put it in a list"
                )
            yield
        finally:
            stand_ins.difference_update(added)
            for held, name, x in before:
                held[name] = x
