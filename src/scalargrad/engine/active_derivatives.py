"""Derivatives whose functions are running: the leaves that they create and are differentiated by.

A derivative of a function that reads a Value from outside is refused where it would be 0 without
a word. For that, each running derivative has the set of leaves created within it.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, TypeVar

from scalargrad.engine.recorder import recorder

R = TypeVar("R")


class ActiveDerivative(NamedTuple):
    """A derivative whose function is running now.

    Attributes
    ----------
    created : set of Value
        The leaves that the function creates; any other leaf that it reads is closed over.
    leaves : sequence of Value
        The leaves with respect to which it is differentiated.
    older : set of Value
        Nodes known to be older than the derivatives nested in this one.
    """

    created: set[Any]
    leaves: Sequence[Any]
    older: set[Any]


#: Derivatives whose functions are running, the innermost last.
active_derivatives: ContextVar[tuple[ActiveDerivative, ...]] = ContextVar("derivatives", default=())


def derivative_level() -> int:
    """Return the number of nested derivatives here: 2 in a function whose Hessian is computed.

    The trace of a compiled function does not count.
    """
    return len(active_derivatives.get()) - (recorder() is not None)


def register_leaf(node: R) -> R:
    """Add a new leaf to those created within each active derivative, and return it."""
    for created, _, _ in active_derivatives.get():
        created.add(node)
    return node
