"""What a compiled function takes and what it returns: kinds, trees, static arguments, aliases."""

from __future__ import annotations

import array
import collections
import copy
import datetime as dt
import enum
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import OperandError, Parameter, TraceError, Value, grad, jit, vjp, vmap
from scalargrad.nn import Linear

# Arguments that are no numbers ------------------------------------------------------------------


@pytest.mark.parametrize(
    "given",
    [
        np.datetime64("2020-01-01", "ns"),
        np.array([1.0 + 2.0j]),
        slice(1, 3),
        "text",
    ],
    ids=repr,
)
def test_arguments_after_one_that_is_no_number_keep_theirs(given: Any) -> None:
    """A date of NumPy's is a number to no program: ``tolist`` makes an integer of it."""
    compiled = jit(lambda x, when, y: 10.0 * x + y)
    assert compiled(Value(1.0), given, 2.0).data == 12.0
    assert compiled(Value(2.0), given, 3.0).data == 23.0


class Mode(enum.IntEnum):
    """How to compute."""

    SLOW = 1
    FAST = 2


@dataclass(frozen=True)
class Layout:
    """Constants alone."""

    phase: complex
    sizes: tuple[int, ...] = (3, 4)


UTC, EAST = dt.UTC, dt.timezone(dt.timedelta(hours=1))
#: A function of a number and something else, and two of those that it tells apart.
APART: list[tuple[Callable[..., Any], Any, Any]] = [
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
    (lambda x, z: x * z[0].imag, np.array([1.0 + 2.0j]), np.array([1.0 + 3.0j])),
    (lambda x, part: x * len("abc"[part]), slice(0, 2), slice(1, 2)),
    (lambda x, mode: x * 10.0 if mode is Mode.FAST else x, Mode.FAST, Mode.SLOW),
    (
        lambda x, layout: math.copysign(sum(layout.sizes), layout.phase.real) * x,
        Layout(complex(0.0, 1.0)),
        Layout(complex(-0.0, 1.0)),
    ),
    (lambda x, d: x * math.copysign(1.0, *d), {0.0: 1.0}, {-0.0: 1.0}),
    (lambda x, d: x * len(type(next(iter(d))).__name__), {1: 0.0}, {1.0: 0.0}),
]


@pytest.mark.parametrize(("f", "one", "other"), APART, ids=lambda x: str(x)[:20])
@pytest.mark.parametrize("how", ["traced", "static", "in an object"])
def test_what_differs_has_a_program_of_its_own(f: Any, one: Any, other: Any, how: str) -> None:
    """Two moments in different time zones are equal, and have different hours."""
    compiled: Any = jit(f, static_argnums=1 if how == "static" else ())
    given = [one, other, one]
    if how == "in an object" or (how == "static" and isinstance(one, dict)):
        compiled = jit(lambda x, held: f(x, held.it))
        given = [SimpleNamespace(it=x) for x in given]
    expected = [float(f(3.0, x)) for x in (one, other, one)]
    assert expected[0] != expected[1]
    assert [compiled(3.0, x) for x in given] == expected


def test_static_arguments_are_known_by_position_and_name() -> None:
    """Whichever way one is passed; a negative position counts back; a wrong one is refused."""

    def chosen(x: float, n: int) -> float:
        return x * [1.0, 2.0][n]

    for options in ({"static_argnames": "n"}, {"static_argnums": 1}, {"static_argnums": -1}):
        compiled: Any = jit(chosen, **options)
        assert compiled(3.0, 1) == compiled(3.0, n=1) == 6.0
    for wrong in ({"static_argnames": "k"}, {"static_argnums": 2}):
        with pytest.raises(OperandError, match="static_arg"):
            jit(chosen, **wrong)
    with pytest.raises(OperandError, match="called"):
        jit(3)  # type: ignore[call-overload]


RECORDS = np.array([(7.0, 2), (3.0, 4)], dtype=[("height", float), ("count", int)])
BUFFER = memoryview(array.array("d", [1.0]))


class Tensor:
    """Another library's array."""

    dtype = object()

    def ravel(self) -> Any:
        """Be flat."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        """Convert."""
        return np.ones(2)

    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        """Pickle in a way of its own."""
        return Tensor, ()


class Poly(list[Any]):
    """Coefficients, with a factor."""

    scale = 1.0


class Modular(int):
    """An integer modulo 7."""

    def __add__(self, other: int) -> Modular:
        return Modular((int(self) + int(other)) % 7)


class Loud(Value):
    """A Value that doubles its sums."""

    def __add__(self, other: Any) -> Any:
        return 2.0 * Value(self.data + float(other))


def scaled(made: Any, scale: float) -> Any:
    """Return an object with this factor."""
    made.scale = scale
    return made


NO_ARGUMENTS: dict[str, tuple[Any, str]] = {
    "records": (RECORDS, "columns"),
    "a buffer": (BUFFER, "asarray"),
    "a masked array": (np.ma.array([1.0, 2.0], mask=[False, True]), "filled"),
    "an array of a library": (Tensor(), "asarray"),
    "a deque": (collections.deque([1.0]), "list"),
    "a set": ({1.0}, "list"),
    "an iterator": (iter([1.0]), "list"),
    "a list with an attribute": (scaled(Poly([1.0, 2.0]), 10.0), "scale"),
    "a number with operators": (Modular(5), "__add__"),
    "a Value with operators": (Loud(5.0), "__add__"),
}


@pytest.mark.parametrize(("given", "noun"), NO_ARGUMENTS.values(), ids=NO_ARGUMENTS)
def test_what_cannot_be_an_argument_is_refused(given: Any, noun: str) -> None:
    """By position, by keyword and in a list; the message names the argument, and what helps."""
    compiled: Any = jit(lambda x, rows: x)
    for args, kwargs in (((given,), {}), ((), {"rows": given}), (([given],), {})):
        with pytest.raises(TraceError, match=noun) as caught:
            compiled(2.0, *args, **kwargs)
        assert "rows" in str(caught.value)
    with pytest.raises(TraceError):
        jit(lambda *args: args[0])(2.0, given)


# Kinds and trees --------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [3.0, np.array(3.0), np.array(3), np.array([3.0])], ids=repr)
def test_arrays_of_one_number_may_stand_in_lists(last: Any) -> None:
    """An array without a dimension is the number that it holds."""
    product = jit(lambda xs: xs[0] * xs[-1])
    for first in (2.0, 5.0):
        assert product([np.array(first), np.array(7.0), last]) == 3.0 * first


def test_masks_are_numbers_of_each_call() -> None:
    """A mask that has changed is seen, and what follows it gets its own number."""
    for size in (2, 500):
        none, some = np.zeros(size, bool), np.arange(size) < 1
        masked: Any = jit(lambda mask, x: (sum(x for flag in mask if flag), x))
        assert [masked(none, 5.0), masked(some, 7.0), masked(none, 2.0)] == [(0, 5), (7, 7), (0, 2)]
    held, x = np.array([True, False, True]), np.array([1.0, 2.0, 3.0])
    assert jit(lambda x: x[held] * 2.0)(x).tolist() == [2.0, 6.0]


@pytest.mark.parametrize("lay", [np.transpose, np.asfortranarray, np.fliplr, lambda w: w[:, 1]])
def test_arrays_hold_the_same_however_they_lie_in_memory(lay: Callable[[Any], Any]) -> None:
    """In rows, in columns, backwards or apart: alone and in objects, given and returned."""
    names = lay(np.array([["a", "b", "c"], ["d", "e", "f"]], dtype=object))
    compiled: Any = jit(lambda model, x: (model.weight * x, len(names)))
    for scale in (1.0, 3.0):
        given = lay(np.array([[Value(scale * k) for k in (1, 2, 3)]] * 2))
        found, count = compiled(SimpleNamespace(weight=given), 2.0)
        assert (found.shape, count) == (given.shape, len(names))
        assert [x.data for x in found.flat] == [2.0 * x.data for x in given.flat]
        plain = lay(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, scale]]))
        assert jit(lambda w: w * 2.0)(plain).tolist() == (plain * 2.0).tolist()


# Aliases ----------------------------------------------------------------------------------------


class Body:
    """Knows all bodies, itself among them."""

    def __init__(self, mass: float) -> None:
        self.mass = mass

    def pulled(self, x: Any) -> Any:
        """Return x times the mass of all others."""
        return x * sum(other.mass for other in WORLD if other is not self)

    def numbered(self, x: Any) -> Any:
        """Return x times its own place."""
        return x * WORLD.index(self)

    def weighed(self, x: Any) -> Any:
        """Return x times a weight that is looked up."""
        return x * WEIGHTS[self]


FIRST, SECOND = Body(1.0), Body(5.0)
WORLD = [FIRST, SECOND]
WEIGHTS = {FIRST: 10.0, SECOND: 20.0}


@pytest.mark.parametrize("name", ["pulled", "numbered", "weighed"])
def test_an_object_may_be_an_argument_and_around(name: str) -> None:
    """It is itself: one that is another of those around has another program."""
    method = getattr(Body, name)
    for compiled in (jit(method), jit(lambda body, x: method(body, 1.0 * x))):
        for body in (SECOND, FIRST, Body(3.0), SECOND):
            if name not in {"numbered", "weighed"} or body in WORLD:
                assert compiled(body, 2.0) == method(body, 2.0)
    in_a_list = jit(lambda bodies, x: method(bodies[0], x))
    assert in_a_list([SECOND], 2.0) == method(SECOND, 2.0)


def test_a_list_as_two_arguments_or_closed_over_is_refused_where_code_asks() -> None:
    """Before and after calls with two; given once, it is one; without `is`, it may be both."""
    asking = jit(lambda xs, ys: 1.0 if xs is ys else 0.0)
    held: Any = [3.0]
    closing = jit(lambda xs: 2.0 if xs is held else 1.0)
    for points in ([0.0, 1.0], np.array([0.0, 1.0]), {"a": 0.0, "b": 1.0}, held, (0.0, 1.0)):
        for _ in range(2):
            with pytest.raises(TraceError, match="twice"):
                asking(points, points)
            assert asking(points, (0.0, 9.0) if type(points) is tuple else copy.copy(points)) == 0.0
        assert jit(lambda xs: 1.0 if xs is xs else 0.0)(points) == 1.0
    for held in ([3.0], [3.0]):  # one in place of another that equals it
        assert closing([3.0]) == 1.0
        with pytest.raises(TraceError, match="list"):
            closing(held)
    assert closing([3.0]) == 1.0
    xs = [1.0, 2.0]
    assert jit(lambda a, b: sum(x * y for x, y in zip(a, b, strict=True)))(xs, xs) == 5.0
    assert jit(lambda a, b: a[0] if a.__class__ is b.__class__ else b)(xs, xs) == 1.0
    for rows in ([[1.0], [2.0]], ((1.0,), (2.0,)), {0: [1.0], 1: [2.0]}):
        others = jit(lambda row: sum(rows[k][0] for k in (0, 1) if rows[k] is not row))  # noqa: B023
        with pytest.raises(TraceError, match="also reads by a name"):
            others(rows[0])
        assert others([1.0]) == 3.0
    # A batch that is drawn with replacement holds a pair twice.
    assert jit(lambda ps: sum(x * y for x, y in ps if xs is xs))([(2.0, 3.0)] * 2) == 12.0
    # A frozen class asks by `is` in a method that `dataclass` has made.
    assert jit(lambda a, b: a[0].phase * b[0].phase)(*[[Layout(2.0)]] * 2) == 4.0


# Results ----------------------------------------------------------------------------------------


def test_results_of_derived_classes_keep_what_they_hold_besides_items() -> None:
    """And are not initialised again; a computed attribute would belong to the first call."""
    found: Any = jit(lambda x: scaled(Poly([x, 2.0 * x]), 7.0))(3.0)
    assert (type(found), found, found.scale) == (Poly, [3.0, 6.0], 7.0)
    with pytest.raises(TraceError, match="return"):
        jit(lambda x: scaled(Poly([x]), x))(3.0).scale * 2.0


NO_RESULTS: dict[str, Callable[[Any], Any]] = {
    "a set": lambda x: {x},
    "an iterator": lambda x: (x for _ in range(2)),
    "a deque": lambda x: collections.deque([x]),
    "a module": lambda x: Linear(1, 1, rng=0),
    "an exception": ValueError,
    "a masked array": lambda x: np.ma.masked_array([x, 2.0 * x], mask=[True, False]),
    "records": lambda x: np.array([(x, 1)], dtype=[("x", object), ("n", int)]),
    "a closure": lambda x: lambda: x * 2.0,
    "a pull-back": lambda x: vjp(lambda y: y * y, x),
}


@pytest.mark.parametrize("made", NO_RESULTS.values(), ids=NO_RESULTS)
def test_what_hides_results_is_refused(made: Callable[[Any], Any]) -> None:
    """It would hold numbers of a recording that is over; found out when the function returns."""
    with pytest.raises(TraceError, match="return"):
        jit(made)(Value(3.0))


def test_a_result_is_nested_as_deep_as_it_was() -> None:
    """Pairs of a number and the rest, as functional programs write a list of 300."""

    def chain(x: Any) -> Any:
        return functools.reduce(lambda rest, k: [x * k, 0.0, None, rest], map(float, range(300)), x)

    assert jit(chain)(2.0) == chain(2.0)


class Ends(NamedTuple):
    """Two rows, which may be empty."""

    first: tuple[float, ...]
    last: list[float]


@pytest.mark.parametrize(
    "empty",
    [
        (), [], {}, ((), [()]), {"a": (), "b": {}}, Ends((), []),
        collections.OrderedDict(), Poly(),
    ],
    ids=repr,
)  # fmt: skip
def test_jit_returns_empty_containers_of_the_type_they_had(empty: Any) -> None:
    """Alone, beside a number, and as an argument that is returned; also in a gradient."""

    def types(x: Any) -> Any:
        inside = x.values() if isinstance(x, dict) else x
        return (type(x), *map(types, inside)) if isinstance(x, list | tuple | dict) else x

    for found in (
        jit(lambda x: (x, empty))(1.0)[1],
        jit(lambda _: empty)(1.0),
        jit(lambda xs: xs[1])((1.0, empty)),
        jit(lambda **named: named["held"])(held=empty),
    ):
        assert types(found) == types(empty)
        assert found == empty
    assert types(jit(grad(lambda xs: xs[0] ** 2))((3.0, ()))) == (tuple, 6.0, (tuple,))


def test_keys_of_results_are_text_and_constants() -> None:
    """Of a Value around the function, the next call may have another."""
    weight = Parameter(2.0)
    named: Any = jit(lambda x: {Mode.FAST: 3.0 * x, "x": x, (1, "y"): weight})
    assert (named(3.0)[Mode.FAST], named(3.0)["x"], named(3.0)[1, "y"].data) == (9.0, 3.0, 2.0)
    with pytest.raises(TraceError, match="keys"):
        jit(lambda x: {weight: weight * x})(2.0)
    inside: Any = jit(lambda v, xs: vmap(lambda x: {v: v * x})(xs)[1][v])
    assert inside(weight, [1.0, 2.0]).data == 4.0


# Compiled functions are copied ------------------------------------------------------------------


def test_copies_compute_on() -> None:
    """A copy takes arguments of shapes never recorded, and reads the same Values around it."""
    w = Value(2.0)
    compiled = jit(lambda x: w * x)
    assert compiled(Value(3.0)).data == 6.0
    for copied in (copy.copy(compiled), copy.deepcopy(compiled)):
        assert copied(4.0).data == 8.0
        w.data = 5.0
        assert copied(Value(3.0)).data == 15.0
        w.data = 2.0


@pytest.mark.parametrize("kind", [bool, np.int8, np.int64, np.float32, object])
def test_arrays_of_any_kind_stand_beside_values(kind: Any) -> None:
    """Few numbers or many, which are those of each call: (w·Σx²)' = Σx² by w."""
    compiled = jit(lambda w, x: w * sum(y * y for y in x))
    for size, fill in ((2, 1), (100, 1), (2, 0), (100, 0), (2, 1)):
        x, w = np.full(size, fill).astype(kind), Value(0.5)
        y = compiled(w, x)
        y.backward()
        assert (y.data, w.grad) == (0.5 * fill * size, fill * size)
    with pytest.raises(TraceError, match="float"):
        compiled(Value(1.0), np.array([2**53 + 1, 1]))


# Numbers in nested containers, found in one pass where calls are alike -------------------------


def test_numbers_of_any_size_are_found_in_nested_lists() -> None:
    """Signed zeros, subnormal numbers, 10³⁰⁸ and nan, with their bits, and by their keys."""
    rows = [[float(k), -0.5 * k, 2.0] for k in range(100)]
    compiled = jit(lambda m, x: [[1.0 * y for y in row] for row in m] + [[x]])
    compiled(rows, 1.0)
    special = [-0.0, 5e-324, -1e308, 0.1, 1.0 + 2.0**-52, 2.0**-1074]
    for turn in range(3):
        given = [[special[(turn + i + k) % 6] for i in range(3)] for k in range(100)]
        found = compiled(given, 2.0)
        assert np.array(found[:-1]).tobytes() == np.array(given).tobytes()
        assert found[-1] == [2.0]
    rows[7][1] = math.nan
    assert math.isnan(compiled(rows, 1.0)[7][1])
    named = jit(lambda held: {key: sum(x) for key, x in held.items()})
    counted = jit(lambda held: 1.0 * len(held))
    for key in "bbcb":
        assert counted({key: ["of text alone" * 20]}) == 1.0
        assert named({key: [0.5] * 300}) == {key: 150.0}


def test_nested_numbers_stand_beside_all_else() -> None:
    """Beside an array, a Value and a static text, by position and by name, in turns of lengths."""

    def f(w: Any, rows: Any, x: Any, how: str, *, held: Any) -> Any:
        total = sum(k * y for k, y in enumerate([z for row in rows for z in row]))
        return w * total + (x * held["a"][0]).sum() + (held["b"] if how == "b" else 0.0)

    compiled = jit(f, static_argnames="how")
    for turn, how in enumerate("abbaabab"):
        rows = [[float(turn + k), 0.5 * turn] for k in range(20 + turn % 2)]
        held = {"a": [1.5 + turn, 2.0], "b": 7.0 * turn}
        w, x = Value(0.25 + turn), np.full(3, turn + 1.0)
        for given in (rows, [[3.0 * y for y in row] for row in rows]):
            assert compiled(w, given, x, how, held=held).data == f(w, given, x, how, held=held).data


def test_a_list_that_contains_itself_is_refused() -> None:
    """Each level holds more than the one before."""
    xs: list[Any] = []
    xs += [xs, xs]
    with pytest.raises(RecursionError, match="itself"):
        jit(lambda xs: xs[0])(xs)
