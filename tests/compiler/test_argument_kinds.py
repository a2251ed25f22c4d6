"""Arguments that are no numbers: part of a program's key exactly, or refused by name."""

from __future__ import annotations

import array
import datetime as dt
import math
from collections import deque
from collections.abc import Callable
from decimal import Decimal
from types import MappingProxyType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, jit

pytestmark = pytest.mark.usefixtures("backend")

UTC = dt.UTC
EAST = dt.timezone(dt.timedelta(hours=1))


@pytest.mark.parametrize(
    "given",
    [
        np.datetime64("2020-01-01", "ns"),
        np.timedelta64(3, "ns"),
        np.array(["2020-01-01"], dtype="datetime64[ns]"),
        np.array([3], dtype="timedelta64[ns]"),
        np.array([1.0 + 2.0j]),
        np.complex128(1.0 + 2.0j),
        np.array(["a", "b"]),
        np.str_("a"),
        np.void(b"abc"),
        slice(1, 3),
    ],
    ids=repr,
)
def test_arguments_after_one_that_is_no_number_keep_theirs(given: Any) -> None:
    """A date of NumPy's is a number to no program: ``tolist`` makes an integer of it."""
    compiled = jit(lambda x, when, y: 10.0 * x + y)
    assert compiled(Value(1.0), given, 2.0).data == 12.0
    assert compiled(Value(2.0), given, 3.0).data == 23.0


@pytest.mark.parametrize(
    ("function", "one", "other"),
    [
        (
            lambda x, t: x * t.hour,
            dt.datetime(2020, 1, 1, 12, tzinfo=UTC),
            dt.datetime(2020, 1, 1, 13, tzinfo=EAST),
        ),
        (lambda x, d: x * len(str(d)), Decimal("1.0"), Decimal("1.00")),
        (lambda x, z: x * math.copysign(1.0, z.real), complex(0.0, 1.0), complex(-0.0, 1.0)),
        (
            lambda x, t: x * float(t.astype(int)),
            np.datetime64("2020-01-01", "D"),
            np.datetime64("2020-01-01", "h"),
        ),
        (
            lambda x, t: x * float((t[1] - t[0]).astype(float)),
            np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[D]"),
            np.array(["2020-01-01", "2020-01-02"], dtype="datetime64[h]"),
        ),
        (lambda x, z: x * z[0].imag, np.array([1.0 + 2.0j]), np.array([1.0 + 3.0j])),
        (lambda x, words: x * len(words[0]), np.array(["ab"]), np.array(["a"])),
        (lambda x, part: x * len("abc"[part]), slice(0, 2), slice(1, 2)),
        (lambda x, d: x * math.copysign(1.0, *d), {0.0: 1.0}, {-0.0: 1.0}),
        (lambda x, d: x * math.copysign(1.0, next(iter(d))[0]), {(0.0, 1): 2.0}, {(-0.0, 1): 2.0}),
        (lambda x, d: x * len(str(next(iter(d)))), {(1, 2): 2.0}, {(True, 2): 2.0}),
    ],
)
@pytest.mark.parametrize("static", [False, True])
def test_what_differs_has_a_program_of_its_own(
    function: Callable[..., Any], one: Any, other: Any, static: bool
) -> None:
    """Two moments in different time zones are equal, and have different hours."""
    if static and isinstance(one, dict):
        one, other = SimpleNamespace(d=one), SimpleNamespace(d=other)
        of_keys, function = function, lambda x, holder: of_keys(x, holder.d)
    compiled = jit(function, static_argnums=1 if static else ())
    expected = [float(function(3.0, x)) for x in (one, other)]
    assert expected[0] != expected[1]
    assert [compiled(3.0, x) for x in (one, other, one)] == [*expected, expected[0]]


@pytest.mark.parametrize("kept", [np.array(["ab", "c"]), np.array([1.0, 2.0])], ids=["text", "x"])
def test_a_change_inside_an_array_that_is_not_traced_is_refused(kept: Any) -> None:
    """A program would change it at the first call only."""

    def change(holder: Any, x: Any) -> Any:
        holder.words[0] = holder.words[1]
        return x

    with pytest.raises(TraceError, match="changes a ndarray among its arguments"):
        jit(change)(SimpleNamespace(words=kept.copy()), 2.0)


def test_a_change_inside_an_array_of_text_is_refused() -> None:
    """The recording works on a copy of it."""

    def change(words: Any, x: Any) -> Any:
        words[0] = "z"
        return x

    words = np.array(["ab", "c"])
    with pytest.raises(TraceError, match="changes a ndarray among its arguments"):
        jit(change)(words, 2.0)
    assert words[0] == "ab"


RECORDS = np.array([(7.0, 2), (3.0, 4)], dtype=[("height", float), ("count", int)])


@pytest.mark.parametrize(
    ("given", "remedy"),
    [
        (RECORDS, r"records, with the fields height, count: give its columns"),
        (RECORDS[0], r"records, with the fields height, count: give its columns"),
        (memoryview(b"ab"), r"a memoryview: .* give numpy\.asarray"),
        (memoryview(array.array("d", [1.0])), r"a memoryview: .* give numpy\.asarray"),
        (np.ma.array([1.0, 2.0], mask=[False, True]), r"MaskedArray: .* give x\.filled\(0\.0\)"),
        (deque([1.0]), r"a deque, which cannot be hashed.* give list\(x\)"),
        ({1.0}, r"a set, which cannot be hashed.* give list\(x\), or frozenset\(x\)"),
        (bytearray(b"a"), r"a bytearray, which cannot be hashed.* give bytes\(x\)"),
        (MappingProxyType({"a": 1.0}), r"a mappingproxy, which cannot be hashed.* give dict\(x\)"),
        (iter([1.0]), r"a list_iterator, which a program could read only once: give a list"),
    ],
    ids=lambda x: type(x).__name__,
)
def test_what_cannot_be_an_argument_is_refused_by_name(given: Any, remedy: str) -> None:
    """The message names the argument, by position, by keyword and inside a list, and what helps."""

    def function(x: Any, rows: Any) -> Any:
        return x * len(rows)

    compiled: Any = jit(function)
    for args, kwargs in (((given,), {}), ((), {"rows": given}), (([given],), {})):
        with pytest.raises(TraceError, match=f"the argument rows is or holds .*{remedy}"):
            compiled(2.0, *args, **kwargs)


def test_what_is_refused_without_a_signature_is_named_by_its_number() -> None:
    """A function that takes any arguments has no names for them."""
    with pytest.raises(TraceError, match="the argument 2 is or holds a deque"):
        jit(lambda *args: args[0])(2.0, deque([1.0]))


@pytest.mark.parametrize(
    ("given", "instead"),
    [([1.0], "tuple"), ({1.0}, "frozenset"), (deque([1.0]), "tuple"), (bytearray(b"a"), "bytes")],
)
def test_the_remedy_for_a_static_argument_works(given: Any, instead: str) -> None:
    """What the message says to give can be given."""
    compiled = jit(lambda x, n: x * len(n), static_argnames="n")
    with pytest.raises(TraceError, match=rf"static argument 1 is or holds .*{instead}\(x\)"):
        compiled(2.0, given)
    remedies: dict[str, Any] = {"tuple": tuple, "frozenset": frozenset, "bytes": bytes}
    made = remedies[instead](given)
    assert compiled(2.0, made) == 2.0


def test_the_remedies_for_a_static_dict_work() -> None:
    """Settings with a number of steps become a tuple to be read, or are closed over."""
    settings = {"steps": 3, "rate": 0.5}

    def grown(x: Any, given: Any) -> Any:
        for _ in range(given["steps"]):
            x = x + given["rate"] * x
        return x

    with pytest.raises(
        TraceError, match=r"give tuple\(x\.items\(\)\), .* dict\(x\), or let it close"
    ):
        jit(grown, static_argnames="given")(2.0, settings)
    of_tuple = jit(lambda x, given: grown(x, dict(given)), static_argnames="given")
    assert of_tuple(2.0, tuple(settings.items())) == 2.0 * 1.5**3
    assert jit(lambda x: grown(x, settings))(2.0) == 2.0 * 1.5**3


def test_the_remedy_for_a_table_of_pandas_works() -> None:
    """A dict of columns is read by their names, as the table is."""
    pandas = pytest.importorskip("pandas", reason="a DataFrame is what is given")
    table = pandas.DataFrame({"t": [1.0, 2.0], "y": [3.0, 5.0]})
    misfit = jit(lambda a, x: sum((a * t - y) ** 2 for t, y in zip(x["t"], x["y"], strict=True)))
    with pytest.raises(TraceError, match=r"or the columns, \{name: x\[name\]\.to_numpy\(\) for"):
        misfit(2.0, table)
    assert misfit(2.0, {name: table[name].to_numpy() for name in table}) == 2.0


def test_a_buffer_that_an_object_holds_is_refused() -> None:
    """A memoryview that can be written to cannot be hashed, which is no ValueError of Python's."""
    holder = SimpleNamespace(buffer=memoryview(array.array("d", [1.0])))
    with pytest.raises(TraceError, match="an attribute of the argument holder is or holds a memo"):
        jit(lambda holder, x: x * holder.buffer[0])(holder, 2.0)


@pytest.mark.parametrize("kind", ["Series", "DataFrame"])
def test_columns_of_pandas_are_refused_with_what_to_give(kind: str) -> None:
    """Not what a table holds inside is named, but the argument, and its numbers as an array."""
    pandas = pytest.importorskip("pandas", reason="pandas is what is given")
    table = getattr(pandas, kind)({"a": 1.0, "b": 2.0}, index=["a", "b"], dtype=float)
    compiled: Any = jit(lambda p, rows: p * len(rows))
    said = rf"the argument rows is or holds a pandas\.{kind}: .* give numpy\.asarray"
    with pytest.raises(TraceError, match=said):
        compiled(2.0, table)
    assert compiled(2.0, table.to_numpy()) == 4.0


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_an_array_of_sequences_of_one_length_keeps_them(kind: Any) -> None:
    """NumPy would take them for the rows of an array of numbers."""
    given = np.empty(2, dtype=object)
    given[0], given[1] = kind([1.0, 2.0]), kind([3.0, 4.0])
    assert jit(lambda cells: cells[0][1] * cells[1][0] + sum(cells[1]))(given) == 2 * 3 + 3 + 4
