"""functional_call: what a module computes with other numbers in the places of its Parameters."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from scalargrad.errors import OperandError, StateError
from scalargrad.nn.module import Module, stand_ins
from scalargrad.nn.state import flat
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import mapping
from scalargrad.tree import flatten_like, replaced
from scalargrad.value import Value

#: Held while a module holds other numbers, so that no two calls mix theirs.
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
        By the names and in the shapes of ``module.state_dict()``; an array may stand for lists. A
        Parameter that has no name here is used as it is.
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
        raise OperandError(f"module is {shown(module)}; give a Module")
    given = mapping(parameters, "parameters", "numbers by name")
    named = mapping({} if kwargs is None else kwargs, "kwargs", "arguments by name")
    with _exchanging, exchanged(module, _by_parameter(module, given)):
        return module(*(args if isinstance(args, tuple) else (args,)), **named)


def _by_parameter(module: Module, given: Mapping[str, Any]) -> dict[Value, Any]:
    """Return the numbers for each Parameter, which no other call exchanges meanwhile."""
    tensors = dict(module.named_tensors())
    numbers: dict[Value, Any] = {}
    for name, part in given.items():
        if name not in tensors:
            raise OperandError(
                f"{type(module).__name__} has no parameter {name}: it has {', '.join(tensors)}"
            )
        own = tensors[name]
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
                    f"{shown(next(iter(left)))} stands in a deque or a namespace of "
                    f"{type(module).__name__}, where it cannot be exchanged: put it in a list"
                )
            yield
        finally:
            stand_ins.difference_update(added)
            for held, name, x in before:
                held[name] = x
