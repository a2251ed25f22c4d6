"""Give a container back what it held."""

from __future__ import annotations

from collections import OrderedDict, deque
from typing import Any

#: The classes whose objects hold items that can be exchanged, each before those it derives from.
CONTAINERS = (OrderedDict, dict, list, set, deque)


def refill(container: Any, items: Any) -> None:
    """Let a container hold these items and no others, whatever its class does when one is added.

    Parameters
    ----------
    container : dict, list, set or deque
    items : dict for a dict, else iterable
    """
    kind: Any = next(x for x in CONTAINERS if isinstance(container, x))  # each orders its own way
    kind.clear(container)
    if issubclass(kind, dict):
        for key, x in items.items():
            kind.__setitem__(container, key, x)
    else:
        (kind.update if kind is set else kind.extend)(container, items)
