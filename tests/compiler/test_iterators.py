"""Claims about iterators that a compiled function advances: it is refused, and takes one item."""

from __future__ import annotations

import io
import itertools
from collections import deque
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, jit

NUMBERS = [float(k) for k in range(1, 10)]


def generated() -> Iterator[float]:
    """Yield the numbers."""
    yield from NUMBERS


KINDS: dict[str, Callable[[], Iterator[Any]]] = {
    "list": lambda: iter(NUMBERS),
    "tuple": lambda: iter((*NUMBERS,)),
    "range": lambda: iter(range(1, 10)),
    "reversed": lambda: reversed([*range(9, 0, -1)]),
    "dict": lambda: iter(dict.fromkeys(NUMBERS)),
    "set": lambda: iter({*range(1, 10)}),
    "deque": lambda: iter(deque(NUMBERS)),
    "zip": lambda: (x for x, _ in zip(NUMBERS, NUMBERS, strict=True)),
    "map": lambda: map(float, NUMBERS),
    "filter": lambda: filter(None, NUMBERS),
    "enumerate": lambda: map(sum, enumerate([1.0] * 9)),
    "generator": generated,
    "count": lambda: itertools.count(1),
    "cycle": lambda: itertools.cycle(NUMBERS),
    "chain": lambda: itertools.chain(NUMBERS, NUMBERS),
    "islice": lambda: itertools.islice(itertools.count(1), 9),
    "accumulate": lambda: itertools.accumulate([1.0] * 9),
    "takewhile": lambda: itertools.takewhile(bool, NUMBERS),
    "file": lambda: map(float, io.StringIO("\n".join(map(str, NUMBERS)))),
    "text": lambda: io.StringIO("\n".join(map(str, NUMBERS))),
    "flat": lambda: np.array(NUMBERS).flat,
    "nditer": lambda: np.nditer(np.array(NUMBERS)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["variable", "attribute", "default"])
def test_an_iterator_that_is_advanced_is_refused(kind: str, place: str) -> None:
    """A program would compute with the same item again; each refused call has taken one."""
    iterator = KINDS[kind]()
    holder = SimpleNamespace(it=iterator)
    functions: dict[str, Callable[..., Any]] = {
        "variable": lambda x: x * float(next(iterator)),
        "attribute": lambda x: x * float(next(holder.it)),
        "default": lambda x, it=iterator: x * float(next(it)),
    }
    compiled = jit(functions[place])
    for _ in range(3):
        with pytest.raises(TraceError, match=r"changes a.*and its program would not: pass"):
            compiled(2.0)
    assert float(next(iterator)) == 4.0


@pytest.mark.parametrize("argument", [2.0, Value(2.0)])
def test_an_error_after_an_item_was_taken(argument: Any) -> None:
    """It reaches the caller, and one item was taken, as in eager evaluation."""
    iterator = iter(NUMBERS)

    def f(x: Any) -> Any:
        raise KeyError(next(iterator))

    for k in (1.0, 2.0, 3.0):
        with pytest.raises(KeyError) as caught:
            jit(f)(argument)
        assert caught.value.args == (k,)
    assert next(iterator) == 4.0


def test_an_array_that_is_read_by_its_flat_view() -> None:
    """That advances nothing, and entries are seen to change."""
    array = np.array([1.0, 2.0])
    flat = array.flat
    compiled = jit(lambda x: x * flat[1])
    assert compiled(3.0) == 6.0
    array[1] = 5.0
    assert compiled(3.0) == 15.0
