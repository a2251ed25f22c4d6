"""Changes: what a function did to its arguments while it was recorded, and a program would not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from scalargrad.compiler.objects import attributes, has_state
from scalargrad.errors import TraceError
from scalargrad.value import Value

_ATOMS = (int, float, str, bytes)


def unchanging(run: Callable[[], Any], arguments: Any, compiled: Any) -> Callable[[], Any]:
    """Return `run` with a check that what it changes of its arguments is in its result.

    Raises
    ------
    TraceError
        When called, if something else is changed: a program is given copies, so that its caller
        would see the change in eager calls only.
    """

    def checked() -> Any:
        before = Contents(arguments)
        result = run()
        for changed in before.changes(beside=Contents(result)):
            raise TraceError(
                f"{compiled!r} changes {changed} among its arguments, which its program would not: "
                "change a copy, and return what is new"
            )
        return result

    return checked


class Contents:
    """What lists, dicts, arrays and objects hold, all the way down.

    Parameters
    ----------
    x : object
        Where to start.
    """

    def __init__(self, x: Any) -> None:
        self._found: dict[int, tuple[Any, dict[Any, Any]]] = {}
        ahead = [x]
        while ahead:
            part = ahead.pop()
            held = None if id(part) in self._found else _held(part)
            if held is not None:
                self._found[id(part)] = part, dict(held)
                ahead += held.values()

    def changes(self, beside: Contents) -> Iterator[str]:
        """Name what is not as it was and not in `beside` either; attributes may be added."""
        for place, (part, before) in self._found.items():
            now = _held(part) or {}
            name = type(part).__name__
            if place in beside._found:
                continue
            if not has_state(part) and len(now) != len(before):
                yield f"a {name}"
            for key, x in before.items():
                if key not in now or not _is_same(x, now[key]):
                    yield f"{name}.{key}" if has_state(part) else f"a {name}"


def _held(x: Any) -> dict[Any, Any] | None:
    """Return what something holds by key, number or name; None if it cannot change."""
    if isinstance(x, Value):
        return None
    if isinstance(x, dict):
        return x
    if isinstance(x, list | tuple):
        return dict(enumerate(x))
    if getattr(getattr(x, "dtype", None), "kind", "") == "O":
        return dict(enumerate(x.ravel().tolist()))
    return attributes(x) if has_state(x) else None


def _is_same(x: Any, y: Any) -> bool:
    return x is y or (type(x) is type(y) and isinstance(x, _ATOMS) and x == y)
