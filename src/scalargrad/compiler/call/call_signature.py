"""The signature of a call: the key that chooses its program, and the numbers that it runs on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.compiler.call.arguments import Key, key_of_numbers, visit
from scalargrad.compiler.call.objects import LastWalk, Visit, is_object
from scalargrad.compiler.call.static_arguments import ArgumentName, visit_static
from scalargrad.errors import OperandError
from scalargrad.value import Value


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
            known = key_of_numbers(args)  # the common case, twice as fast
            if known is not None:
                return known, [*args], []
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
