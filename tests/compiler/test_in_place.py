"""Calls of compiled functions on large NumPy arrays, which may be read in place."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from scalargrad import grad, jit, tanh, vmap

Arrays = list[np.ndarray[Any, Any]]
Layout = Callable[[int, int, np.random.Generator], Arrays]

#: Numbers of examples: of the first, only several arrays together are large enough to be read in
#: place.
SIZES = [5_000, 20_003, 300_000]


def one(*xs: Any) -> Any:
    """Return a number computed from one entry of each array, by a loop over the arrays."""
    total = 0.0
    for x in xs:
        h = x
        for _ in range(2):
            h = tanh(h * 0.7 + 0.1 * x) + h * h * 0.01
        total = total + h * h
    return total


def expected_sum(arrays: Sequence[Any]) -> float:
    """Return the sum of `one` over all entries, by NumPy."""
    x = np.array([np.asarray(a, np.float64) for a in arrays])
    h = x
    for _ in range(2):
        h = np.tanh(h * 0.7 + 0.1 * x) + h * h * 0.01
    return float((h * h).sum())


def separate(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return arrays with memory of different lengths between them."""
    found = [rng.normal(size=n + 100 * k)[:n] for k in range(count)]
    return [np.array(x) for x in found]


def adjacent(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return adjacent parts of one array."""
    return [*rng.normal(size=count * n).reshape(count, n)]


def every_third_row(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return every third row of a matrix."""
    return [*rng.normal(size=(count, 3, n))[:, 0]]


def rows_backward(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return the rows of a matrix from the last to the first."""
    return [*rng.normal(size=(count, n))[::-1]]


def reversed_views(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return views that run backward through memory."""
    return [x[::-1] for x in separate(count, n, rng)]


def strided_views(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return the columns of a matrix."""
    return [*rng.normal(size=(n, count)).T]


def read_only(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return arrays that cannot be written to."""
    found = separate(count, n, rng)
    for x in found:
        x.setflags(write=False)
    return found


def integers(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return arrays of integers, every other one of floats."""
    found = [rng.integers(-2, 3, size=n) for _ in range(count)]
    return [x.astype(float) if k % 2 else x for k, x in enumerate(found)]


def singles(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return float32 arrays, every other one in float64."""
    found = [x.astype(np.float32) for x in separate(count, n, rng)]
    return [x.astype(float) if k % 2 else x for k, x in enumerate(found)]


def byte_swapped(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return arrays of floats in the other byte order, every other one in this one."""
    other = ">f8" if sys.byteorder == "little" else "<f8"
    return [x if k % 2 else x.astype(other) for k, x in enumerate(separate(count, n, rng))]


def unaligned(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return arrays whose addresses are not multiples of eight."""
    found = []
    for x in separate(count, n, rng):
        memory = np.zeros(8 * n + 3, np.uint8)
        view = memory[3:].view(np.float64)
        view[:] = x
        found.append(view)
    return found


def repeated_array(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return one array several times, and another."""
    first, last = separate(2, n, rng)
    return [*[first] * (count - 1), last]


def overlapping(count: int, n: int, rng: np.random.Generator) -> Arrays:
    """Return overlapping windows of one array."""
    x = rng.normal(size=n + count)
    return [x[k : k + n] for k in range(count)]


LAYOUTS: list[Layout] = [
    *(separate, adjacent, every_third_row, rows_backward, reversed_views, strided_views, read_only),
    *(integers, singles, byte_swapped, unaligned, repeated_array, overlapping),
]


def weighted_sum(w: float, *xs: Any) -> Any:
    """Return w times the sum over all examples."""
    return w * sum(vmap(one)(*xs))


def plain_sum(*xs: Any) -> Any:
    """Return the sum over all examples."""
    return sum(vmap(one)(*xs))


@pytest.mark.parametrize(
    "size", [pytest.param(x, marks=[pytest.mark.wide] * (x > 30_000)) for x in SIZES]
)
@pytest.mark.parametrize("count", range(2, 8))
def test_jit_of_vmap_reads_each_array_from_its_own_memory(count: int, size: int) -> None:
    """A loop over arrays reads all of them by one access, wherever they are in memory."""
    rng = np.random.default_rng([count, size])
    weighted, alone = jit(weighted_sum), jit(plain_sum)
    for layout in LAYOUTS:
        arrays = layout(count, size, rng)
        right = expected_sum(arrays)
        assert weighted(3.0, *arrays) == pytest.approx(3.0 * right, rel=1e-12), layout.__name__
        assert alone(*arrays) == pytest.approx(right, rel=1e-12), layout.__name__


def test_jit_reads_arrays_in_the_order_of_each_call() -> None:
    """Results of vmap over arrays in another order are those of the arrays in that order."""
    f = jit(lambda w, *xs: vmap(lambda *row: w * sum(k * tanh(x) for k, x in enumerate(row)))(*xs))
    arrays = separate(4, 20_000, np.random.default_rng(0))
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 1, 0, 0], [0, 1, 2, 3]):
        chosen = [arrays[k] for k in order]
        right = 2.0 * sum(k * np.tanh(x) for k, x in enumerate(chosen))
        np.testing.assert_allclose(f(2.0, *chosen), right, rtol=1e-12, atol=1e-14)


def test_jit_reads_an_array_allocated_where_another_was_freed() -> None:
    """Neither the numbers nor the addresses of an earlier call are kept."""
    f, rng = jit(plain_sum), np.random.default_rng(1)
    last = rng.normal(size=40_000)
    addresses = set()
    for _ in range(6):
        first, second = rng.normal(size=40_000), rng.normal(size=40_000)
        addresses |= {first.ctypes.data, second.ctypes.data}
        assert f(first, second, last) == pytest.approx(
            expected_sum([first, second, last]), rel=1e-12
        )
        del first, second
        gc.collect()
    assert len(addresses) < 12  # else no address was used twice


def test_jit_reads_the_elements_of_an_array_at_each_call() -> None:
    """Elements assigned between two calls are seen by the second."""
    f, arrays = jit(weighted_sum), separate(3, 20_000, np.random.default_rng(2))
    for k in range(3):
        arrays[k][:] = arrays[k - 1][::-1] + 0.5
        arrays[k - 1][k] = 7.0
        assert f(2.0, *arrays) == pytest.approx(2.0 * expected_sum(arrays), rel=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_jit_reads_matrices_in_c_and_fortran_order(order: Any) -> None:
    """A matrix of examples, together with a transposed view and a copy in the other order."""
    rng = np.random.default_rng(3)
    first = np.asarray(rng.normal(size=(20_000, 3)), order=order)
    second = rng.normal(size=(3, 20_000)).T
    f = jit(lambda *tables: sum(vmap(lambda a, b: tanh(a[0] * b[2]) - a[1] * b[1])(*tables)))
    for a, b in ((first, second), (second, first), (first, first.copy("C"))):
        right = (np.tanh(a[:, 0] * b[:, 2]) - a[:, 1] * b[:, 1]).sum()
        assert f(a, b) == pytest.approx(right, rel=1e-10)


def test_jit_reads_arrays_of_different_lengths() -> None:
    """Each vmap has as many examples as its own arrays; gradients are with respect to numbers."""
    sizes, rng = [20_000, 29_001, 26_007], np.random.default_rng(4)
    tables = [rng.normal(size=(2, 3, n))[:, 1] for n in sizes]

    def loss(w: Any, *xs: Any) -> Any:
        pairs = zip(xs[::2], xs[1::2], strict=True)
        return sum(sum(vmap(lambda x, y: (tanh(w * x) - y) ** 2)(x, y)) for x, y in pairs)

    value, slope = 0.0, 0.0
    for x, y in tables:
        t = np.tanh(0.3 * x)
        value += ((t - y) ** 2).sum()
        slope += (2 * (t - y) * (1 - t * t) * x).sum()
    arrays = [x for table in tables for x in table]
    assert jit(loss)(0.3, *arrays) == pytest.approx(value, rel=1e-12)
    assert jit(grad(loss))(0.3, *arrays) == pytest.approx(slope, rel=1e-10)


def test_explain_of_a_function_of_arrays_alone_has_displaced_reads() -> None:
    """Large arrays are read in place with a number among the arguments and without one."""
    x = np.linspace(0.0, 1.0, 50_000)
    weighted = jit(lambda w, x: w * sum(vmap(tanh)(x))).explain(2.0, x)
    alone = jit(lambda x: sum(vmap(tanh)(x))).explain(x)
    for text in (weighted, alone):
        assert "load i64" in text.code  # of the distance between the array and its copy
    assert "load i64" not in jit(lambda x: sum(vmap(tanh)(x))).explain(x[:100]).code


@pytest.mark.parametrize("count", [2, 5, 7])
def test_jit_reads_two_parts_of_one_array(count: int) -> None:
    """One part is read by itself, another in a loop over several arrays."""
    rng = np.random.default_rng([5, count])
    whole, *others = every_third_row(count, 45_000, rng)

    def f(w: Any, whole: Any, *others: Any) -> Any:
        alone = sum(vmap(lambda x: tanh(w * x) + x * x)(whole[:20_500]))
        return alone + sum(vmap(one)(whole[25_000:], *others))

    first, last = whole[:20_500], whole[25_000:]
    others = [np.array(x[:20_000]) for x in others]
    right = (np.tanh(0.5 * first) + first * first).sum() + expected_sum([last, *others])
    assert jit(f)(0.5, whole, *others) == pytest.approx(right, rel=1e-12)
