"""The operation `detach`, through which no gradient flows; it occurs only in recordings."""

from __future__ import annotations

from typing import Any

from scalargrad.table.notation import ATOM, Notation
from scalargrad.table.operation import Unary


class Internal(Unary):
    """An operation of one operand that only recordings hold."""

    def __reduce__(self) -> str:
        return self.name.upper()


def _same(x: float) -> float:
    return x


def _none(*_: Any) -> tuple[float, ...]:
    return (0.0,)


#: The identity, through which no gradient flows.
DETACH = Internal(_same, partials=_none, python=Notation("{0}", ATOM, (ATOM,)), name="detach")
