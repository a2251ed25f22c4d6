"""Reach: the generators of random numbers that a function leads to, and names of their methods.

Only what the function leads to is looked at: all generators that exist would take longer to find
than a small function to record, and would include those of other threads.
"""

from __future__ import annotations

import functools
import random
from collections import deque
from collections.abc import Iterator, Sequence
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from scalargrad.compiler.guards.names import names_in
from scalargrad.compiler.trace.exchange import Place
from scalargrad.compiler.trace.interception import is_bound
from scalargrad.transforms.draws import state_of
from scalargrad.value import Value

#: So many objects are looked at, the nearest first.
_MANY = 5_000
_ATOMS = (float, int, str, bytes, bool, type(None), CodeType, Value)


class Reach:
    """What objects hold, and what functions among it name or close over, all the way down.

    Parameters
    ----------
    roots : sequence
        Where to start.

    Attributes
    ----------
    generators : list
        Python's and NumPy's, whose state can be read.
    names : list of Place
        Where functions find methods bound to a generator of Python's.
    """

    def __init__(self, roots: Sequence[Any]) -> None:
        self.generators: list[Any] = []
        self.names: list[Place] = []
        waiting = deque(roots)
        seen: set[int] = set()
        while waiting and len(seen) < _MANY:
            x = waiting.popleft()
            if isinstance(x, _ATOMS) or id(x) in seen:
                continue
            seen.add(id(x))
            if _is_generator(x):
                self.generators.append(x)
            elif isinstance(x, FunctionType):
                waiting += self._used(x)
            else:
                waiting += _parts(x)

    def _used(self, function: FunctionType) -> Iterator[Any]:
        """Yield what a function reads besides its arguments, and note names of methods."""
        if _is_own(function):
            return
        yield from function.__defaults__ or ()
        yield from (function.__kwdefaults__ or {}).values()
        names = set(names_in(function.__code__))
        for place in (*_closed_over(function), *_looked_up(function.__globals__, names)):
            found = place.get()
            if is_bound(found):
                self.names.append(place)
            yield found


def _is_generator(x: Any) -> bool:
    known = isinstance(x, random.Random) or type(x).__module__.startswith("numpy.random")
    return known and state_of(x) is not None


def _parts(x: Any) -> Iterator[Any]:
    """Yield what an object leads to, of a class what its methods do."""
    if isinstance(x, dict):
        yield from x.values()
    elif isinstance(x, list | tuple | set | frozenset):
        yield from x
    elif isinstance(x, functools.partial):
        yield from (x.func, x.args, x.keywords)
    elif isinstance(x, MethodType | BuiltinMethodType):
        yield from (x.__self__, getattr(x, "__func__", None))
    elif isinstance(x, type):
        yield from _methods(x)
    elif not isinstance(x, ModuleType):
        yield from getattr(x, "__dict__", {}).values()
        yield from _methods(type(x))


def _methods(kind: type) -> list[Any]:
    """Return the functions of a class, unless it belongs to scalargrad, which draws by `drawn`."""
    if _is_own(kind):
        return []
    return [x for k in kind.__mro__ for x in vars(k).values() if isinstance(x, FunctionType)]


def _is_own(x: Any) -> bool:
    return str(getattr(x, "__module__", "")).startswith("scalargrad.")


def _closed_over(function: FunctionType) -> Iterator[Place]:
    for cell in function.__closure__ or ():
        yield Place(cell)


def _looked_up(namespace: dict[str, Any], names: set[str]) -> Iterator[Place]:
    """Yield where names stand for something, in modules too, by the names in use only."""
    modules = [namespace]
    met = set()
    while modules:
        known = modules.pop()
        for name in names & known.keys():
            x = known[name]
            if not isinstance(x, ModuleType):
                yield Place(known, name)
            elif id(x) not in met and not x.__name__.startswith("scalargrad"):
                met.add(id(x))
                modules.append(vars(x))
