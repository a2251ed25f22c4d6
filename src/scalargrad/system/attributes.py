"""Safe access to attributes of arbitrary objects, whose `__getattr__` may raise any error."""

from __future__ import annotations

from typing import Any


def has_attribute(x: object, name: str) -> bool:
    """Return True if an object has an attribute; False if the lookup raises an error.

    ``hasattr`` catches only AttributeError. A class that looks names up in a dict may raise a
    KeyError instead, which must not escape from library code.

    Examples
    --------
    >>> has_attribute(2.0, "is_integer"), has_attribute(2.0, "dtype")
    (True, False)
    """
    try:
        return hasattr(x, name)
    except Exception:  # noqa: BLE001 - a foreign __getattr__ may raise anything
        return False


def get_attribute(x: object, name: str, default: Any = None) -> Any:
    """Return an attribute of an object, or `default` if the lookup raises an error.

    Examples
    --------
    >>> get_attribute(2.0, "dtype", "no dtype")
    'no dtype'
    """
    try:
        return getattr(x, name, default)
    except Exception:  # noqa: BLE001 - a foreign __getattr__ may raise anything
        return default
