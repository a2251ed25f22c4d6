"""How an array lies in memory, which a function may ask, as ``x.ravel(order="K")`` does."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from scalargrad.tree import object_array


def laid_out(x: Any) -> Hashable:
    """Return the shape of an array, and its strides if they are not the usual ones."""
    shape: tuple[int, ...] = x.shape
    return shape if x.ndim <= 1 or x.flags.c_contiguous else (shape, *x.strides)


def of_objects_like(x: Any) -> Any:
    """Return a new array of objects that lies in memory as an array does."""
    import numpy as np

    made = np.empty_like(x, dtype=object)
    if made.flags.f_contiguous and not (x.flags.f_contiguous or made.flags.c_contiguous):
        made = np.empty((x.shape[0] + 1, *x.shape[1:]), dtype=object, order="F")[:-1]
    return made


def objects_like(x: Any, items: Sequence[Any]) -> Any:
    """Return an array of objects, with these in the order of C, that lies in memory as `x` does."""
    made = of_objects_like(x)
    made[...] = object_array(items).reshape(made.shape)
    return made
