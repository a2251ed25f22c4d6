"""Test the form in which functions and data are sent to another process."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from scalargrad.parallel.parcels import parcel, unpacked


def sent(x: object) -> Any:
    """Return what another process makes of an object."""
    made = parcel(x, "x")
    return unpacked({made.key: pickle.loads(pickle.dumps(made.content))})[made.key]


def locked() -> Any:
    """Return an array that cannot be written to."""
    array = np.arange(3.0)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(12.0)[::3],
        np.zeros((0, 4)),
        np.array(2.5),
        np.arange(7, dtype=np.int8),
        np.array(["a", None], dtype=object),
        locked(),
    ],
)
def test_arrays_arrive_as_they_were_sent(array: Any) -> None:
    """Shape, type, order of memory, numbers, and whether they may be written all arrive."""
    found = sent({"x": array})["x"]
    assert (found.dtype, found.shape) == (array.dtype, array.shape)
    assert found.flags.f_contiguous or not array.flags.f_contiguous
    assert found.flags.writeable is array.flags.writeable
    assert found.tolist() == array.tolist()


def test_writing_to_one_array_leaves_those_beside_it() -> None:
    """Arrays that lie side by side do not overlap."""
    first, second, third = sent((np.zeros(3), np.ones(5, np.int8), np.full(2, 7.0)))
    second[:] = 9
    assert first.tolist() == [0.0, 0.0, 0.0]
    assert third.tolist() == [7.0, 7.0]


def test_parcels_of_one_request_are_kept_apart() -> None:
    """Each parcel gets its own arrays, also beside a parcel without any."""
    sent_here = [np.arange(3.0), "no array", [np.ones(2), np.arange(4)]]
    parcels = [parcel(x, "x") for x in sent_here]
    found = unpacked({p.key: p.content for p in parcels})
    first, text, (third, fourth) = (found[p.key] for p in parcels)
    assert (first.tolist(), text) == ([0.0, 1.0, 2.0], "no array")
    assert (third.tolist(), fourth.tolist()) == ([1.0, 1.0], [0, 1, 2, 3])


def test_arrays_lie_in_one_block() -> None:
    """The arrays of one request follow one another in memory, each from a new line of 64 bytes."""
    first, second = sent([np.zeros(5), np.zeros(5)])
    places = [x.__array_interface__["data"][0] for x in (first, second)]
    assert places[1] - places[0] == 64


def test_parcels_with_other_numbers_have_other_keys() -> None:
    """The key depends on the numbers of arrays, and on where one array ends and the next begins."""
    some = [
        (np.arange(3.0), np.arange(2.0)),
        (np.arange(2.0), np.arange(3.0)),
        (np.arange(3.0), np.arange(2.0) + 1.0),
    ]
    assert len({parcel(x, "x").key for x in some}) == 3
    assert parcel(some[0], "x").key == parcel((np.arange(3.0), np.arange(2.0)), "x").key
