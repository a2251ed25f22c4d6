"""The signature of a call: the key that chooses its program, and the numbers that it runs on.

Static arguments are part of the key, however they are passed.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from scalargrad.compiler.call.arguments import taken_at_once, visit
from scalargrad.compiler.call.objects import Key, LastWalk, Visit, is_object
from scalargrad.compiler.guards.frozen import frozen
from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown
from scalargrad.value import Value


def static_of(
    function: Callable[..., Any], numbers: Sequence[int], names: Sequence[str]
) -> frozenset[int | str]:
    """Return the positions and names of the static arguments of a function.

    Raises
    ------
    OperandError
        If `function` cannot be called, or does not have these arguments.
    """
    if not callable(function):
        raise OperandError(
            f"jit was given {shown(function)}, which cannot be called: give a function"
        )
    if not numbers and not names:
        return frozenset()
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # a builtin without one
        return frozenset([*numbers, *names])
    open_ended = {p.kind for p in parameters} & {inspect.Parameter.VAR_POSITIONAL}
    any_name = inspect.Parameter.VAR_KEYWORD in {p.kind for p in parameters}
    places = [p.name for p in parameters if p.kind in _POSITIONAL]
    known = {p.name for p in parameters}
    found: set[int | str] = set()
    for k in numbers:
        if not (open_ended or -len(places) <= k < len(places)):
            raise OperandError(f"jit: static_argnums {k}, and there are {len(places)} arguments")
        found |= {k, places[k]} if 0 <= k < len(places) else {k}
        found |= {k + len(places), places[k]} if not open_ended and k < 0 else set()
    for name in names:
        if name not in known and not any_name:
            raise OperandError(f"jit: static_argnames {shown(name)} is none of {', '.join(known)}")
        found |= {name, places.index(name)} if name in places else {name}
    return frozenset(found)


_POSITIONAL = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}


def visit_static(x: Any, where: str, key: list[Hashable]) -> None:
    """Add a static argument to the key, with its attributes if it is an object."""
    if not is_object(x):
        key.append(frozen(x, where))
        return
    walk = Visit()
    walk.part(x)
    key += [*walk.key, *walk.module_values]


class ArgumentName:
    """Says which argument of a call is meant, if a message asks for it.

    Attributes
    ----------
    given : int or str
        Its position or name.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self.given: int | str = 0

    def __str__(self) -> str:
        if isinstance(self.given, str):
            return f"the argument {self.given}"
        try:
            parameters = [*inspect.signature(self._function).parameters.values()]
        except (TypeError, ValueError):  # a builtin without one
            parameters = []
        named = self.given < len(parameters) and parameters[self.given].kind in _POSITIONAL
        return f"the argument {parameters[self.given].name if named else self.given + 1}"


class Signature:
    """Finds the signatures of calls of one function.

    Parameters
    ----------
    static : set of int or str
        Positions and names of static arguments.
    """

    def __init__(self, function: Callable[..., Any], static: frozenset[int | str]) -> None:
        self._function, self._static = function, static
        self._is_object = is_object(function)  # such as a module, which counts as an argument
        #: Whether all arguments are traced: none is static, and the function is not an object.
        self._is_traced_whole = not static and not self._is_object
        self._last_walk = LastWalk()

    def of(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Key, list[Any], list[Value]]:
        """Return the key of the program, the numbers of arguments, and the Values of objects.

        Raises
        ------
        TraceError
            If an argument is refused; the message names it.
        OperandError
            If an argument contains itself.
        """
        if self._is_traced_whole and not kwargs:
            found = taken_at_once(args)  # twice as fast
            if found is not None:
                return *found, []
        walk = Visit(self._last_walk)
        try:
            if self._is_object:
                walk.whole(self._function)
            walk.where = name = ArgumentName(self._function)
            given: list[tuple[int | str, Any]] = [*enumerate(args), *kwargs.items()]
            for name.given, x in given:
                if self._static or kwargs:
                    walk.key.append(name.given)
                if name.given in self._static:
                    visit_static(x, f"static argument {name.given!r}", walk.key)
                else:
                    visit(x, walk)
        except RecursionError:
            raise OperandError(
                "an argument contains itself, or is nested too deeply to be searched for numbers: "
                "give a list of its numbers"
            ) from None
        module_values = walk.finish()
        return tuple(walk.key), walk.leaves, module_values
