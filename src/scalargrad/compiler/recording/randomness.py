"""Randomness: generators a recorded function may draw from unseen, and what gives it away.

`drawn` makes a draw an input of the program. A draw made in any other way would stay the same at
every call, so it is refused: methods of ``random.Random`` are watched while recording, and all
generators that the function leads to must end up where the draws that were noted leave them.
"""

from __future__ import annotations

import functools
import pickle
import random
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from types import BuiltinMethodType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from scalargrad.compiler.closures.names import names_in
from scalargrad.draws import Draw, rewind, state_of
from scalargrad.errors import TraceError
from scalargrad.value import Value

REMEDY = (
    "it would stay the same at every call. Draw it by scalargrad.drawn(rng.random), or outside "
    "and pass it as an argument"
)
#: So many objects are looked at in search of generators, the nearest first.
_MANY = 5_000
_ATOMS = (float, int, str, bytes, bool, type(None), type, CodeType, Value)


class Generators:
    """Generators that a function may draw from, with their states before it is recorded."""

    def __init__(self, roots: Sequence[Any] = ()) -> None:
        self._before = {id(x): (x, state_of(x)) for x in reachable(roots)}

    def note(self, source: Any) -> None:
        """Remember the state of a generator that is about to be drawn from."""
        if id(source) not in self._before:
            self._before[id(source)] = source, state_of(source)

    def rewind(self) -> None:
        """Set all generators to where they were."""
        rewind(self._before.values())

    def check(self, draws: Sequence[Draw]) -> None:
        """Raise TraceError if more was drawn than `draws`; else rewind to before them."""
        before = [*self._before.values()]
        after = [(x, state_of(x)) for x, _ in before]
        rewind(before)
        for draw in draws:
            draw()
        hidden = [x for x, state in after if _differ(state, state_of(x))]
        if hidden:
            rewind(after)
            raise TraceError(
                f"a random number was drawn from {hidden[0]!r:.60} while a compiled function was "
                f"recorded: {REMEDY}"
            )
        self.rewind()


def _differ(a: Any, b: Any) -> bool:
    return pickle.dumps(a) != pickle.dumps(b)


def reachable(roots: Sequence[Any]) -> list[Any]:
    """Return the generators that objects hold, or whose functions name or close over them."""
    found: list[Any] = []
    waiting = deque(roots)
    seen: set[int] = set()
    while waiting and len(seen) < _MANY:
        x = waiting.popleft()
        if isinstance(x, _ATOMS) or id(x) in seen:
            continue
        seen.add(id(x))
        if _is_generator(x):
            found.append(x)
        else:
            waiting += _parts(x)
    return found


def _is_generator(x: Any) -> bool:
    known = isinstance(x, random.Random) or type(x).__module__.startswith("numpy.random")
    return known and state_of(x) is not None


def _parts(x: Any) -> Iterator[Any]:
    """Yield what an object leads to, modules by the names that a function uses only."""
    if isinstance(x, FunctionType):
        yield from _used(x)
    elif isinstance(x, dict):
        yield from x.values()
    elif isinstance(x, list | tuple | set | frozenset):
        yield from x
    elif isinstance(x, functools.partial):
        yield from (x.func, x.args, x.keywords)
    elif isinstance(x, MethodType | BuiltinMethodType):
        yield from (x.__self__, getattr(x, "__func__", None))
    elif not isinstance(x, ModuleType) and not _is_own(type(x)):
        yield from getattr(x, "__dict__", {}).values()
        yield from (method for kind in type(x).__mro__ for method in _methods(kind))
    elif _is_own(type(x)):
        yield from getattr(x, "__dict__", {}).values()


def _is_own(x: Any) -> bool:
    """Return whether something belongs to scalargrad, which draws by `drawn` only."""
    return str(getattr(x, "__module__", "")).startswith("scalargrad.")


def _methods(kind: type) -> list[Any]:
    return [x for x in vars(kind).values() if isinstance(x, FunctionType)]


def _used(function: FunctionType) -> Iterator[Any]:
    if _is_own(function):
        return
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
    yield from _looked_up(function.__globals__, set(names_in(function.__code__)))


def _looked_up(namespace: dict[str, Any], names: set[str]) -> Iterator[Any]:
    """Yield what names stand for, in modules too."""
    modules = [namespace]
    met = set()
    while modules:
        known = modules.pop()
        for name in names & known.keys():
            x = known[name]
            if not isinstance(x, ModuleType):
                yield x
            elif id(x) not in met and not x.__name__.startswith("scalargrad"):
                met.add(id(x))
                modules.append(vars(x))


def watched(
    kind: type[random.Random], method: str, current: Callable[[], Any], refuse: Callable[..., Any]
) -> Any:
    """Return what stands in for a method of Python's generators while functions are recorded."""
    usual = getattr(kind, method)

    @functools.wraps(usual)
    def draw(self: random.Random, *args: Any) -> Any:
        trace = current()
        if trace is not None and not trace.drawing:
            refuse("a random number was drawn", REMEDY)
        return usual(self, *args)

    return draw
