"""Arguments and results of jit: types, containers, static arguments, aliases."""

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

from scalargrad import (
    OperandError,
    Parameter,
    TraceError,
    Value,
    cond,
    grad,
    gradients,
    hvp,
    jit,
    jvp,
    value_and_grad,
    vjp,
    vmap,
)
from scalargrad.nn import Linear
from scalargrad.solvers import root

# Arguments that are not numbers -----------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        np.datetime64("2020-01-01", "ns"),
        np.array([1.0 + 2.0j]),
        slice(1, 3),
        "text",
    ],
    ids=repr,
)
def test_jit_takes_numbers_after_an_argument_that_is_not_a_number(other: Any) -> None:
    """In particular a NumPy date, of which ``tolist`` makes an integer."""
    compiled = jit(lambda x, other, y: 10.0 * x + y)
    assert compiled(Value(1.0), other, 2.0).data == 12.0
    assert compiled(Value(2.0), other, 3.0).data == 23.0


class Mode(enum.IntEnum):
    """Mode of a computation."""

    SLOW = 1
    FAST = 2


@dataclass(frozen=True)
class Layout:
    """An object of constants."""

    phase: complex
    sizes: tuple[int, ...] = (3, 4)


UTC, EAST = dt.UTC, dt.timezone(dt.timedelta(hours=1))
#: A function of a number and a constant, and two constants for which its results differ.
CONSTANT_PAIRS: list[tuple[Callable[..., Any], Any, Any]] = [
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


@pytest.mark.parametrize(("f", "one", "other"), CONSTANT_PAIRS, ids=lambda x: str(x)[:20])
@pytest.mark.parametrize("how", ["traced", "static", "in an object"])
def test_jit_distinguishes_constant_arguments(f: Any, one: Any, other: Any, how: str) -> None:
    """Even equal ones: two moments in different time zones are equal and have different hours."""
    compiled: Any = jit(f, static_argnums=1 if how == "static" else ())
    arguments = [one, other, one]
    if how == "in an object" or (how == "static" and isinstance(one, dict)):
        compiled = jit(lambda x, holder: f(x, holder.constant))
        arguments = [SimpleNamespace(constant=x) for x in arguments]
    expected = [float(f(3.0, x)) for x in (one, other, one)]
    assert expected[0] != expected[1]
    assert [compiled(3.0, x) for x in arguments] == expected


def select_factor(x: float, n: int) -> float:
    """Return x or 2x; n must be a constant index."""
    return x * [1.0, 2.0][n]


@pytest.mark.parametrize(
    "options", [{"static_argnames": "n"}, {"static_argnums": 1}, {"static_argnums": -1}], ids=str
)
def test_jit_static_arguments_by_position_and_name(options: Any) -> None:
    """The call may pass them in either form; a negative position counts from the end."""
    compiled: Any = jit(select_factor, **options)
    assert compiled(3.0, 1) == compiled(3.0, n=1) == 6.0


@pytest.mark.parametrize("options", [{"static_argnames": "k"}, {"static_argnums": 2}], ids=str)
def test_jit_refuses_static_arguments_that_the_function_does_not_have(options: Any) -> None:
    """When the function is decorated, not at the first call."""
    with pytest.raises(OperandError, match="static_arg"):
        jit(select_factor, **options)


def test_jit_refuses_an_object_that_cannot_be_called() -> None:
    """When it is decorated."""
    with pytest.raises(OperandError, match="called"):
        jit(3)  # type: ignore[call-overload]


RECORDS = np.array([(7.0, 2), (3.0, 4)], dtype=[("height", float), ("count", int)])
BUFFER = memoryview(array.array("d", [1.0]))


class Tensor:
    """An array of another library."""

    dtype = object()

    def ravel(self) -> Any:
        """Return a flat array, as arrays of NumPy do."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        """Convert to NumPy."""
        return np.ones(2)

    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        """Define pickling."""
        return Tensor, ()


class Poly(list[Any]):
    """A list of coefficients with a class attribute."""

    scale = 1.0


class Modular(int):
    """An integer modulo 7."""

    def __add__(self, other: int) -> Modular:
        return Modular((int(self) + int(other)) % 7)


class Loud(Value):
    """A Value that doubles its sums."""

    def __add__(self, other: Any) -> Any:
        return 2.0 * Value(self.data + float(other))


def set_scale(target: Any, scale: float) -> Any:
    """Assign the attribute `scale` and return the object."""
    target.scale = scale
    return target


INVALID_ARGUMENTS: dict[str, tuple[Any, str]] = {
    "records": (RECORDS, "columns"),
    "buffer": (BUFFER, "asarray"),
    "masked array": (np.ma.array([1.0, 2.0], mask=[False, True]), "filled"),
    "array of another library": (Tensor(), "asarray"),
    "deque": (collections.deque([1.0]), "list"),
    "set": ({1.0}, "list"),
    "iterator": (iter([1.0]), "list"),
    "list with an attribute": (set_scale(Poly([1.0, 2.0]), 10.0), "scale"),
    "int with operators": (Modular(5), "__add__"),
    "Value with operators": (Loud(5.0), "__add__"),
}


@pytest.mark.parametrize(("argument", "remedy"), INVALID_ARGUMENTS.values(), ids=INVALID_ARGUMENTS)
def test_jit_refuses_an_invalid_argument(argument: Any, remedy: str) -> None:
    """By position, by keyword and in a list; the message names the argument and a remedy."""
    compiled: Any = jit(lambda x, rows: x)
    for args, kwargs in (((argument,), {}), ((), {"rows": argument}), (([argument],), {})):
        with pytest.raises(TraceError, match=remedy) as caught:
            compiled(2.0, *args, **kwargs)
        assert "rows" in str(caught.value)
    with pytest.raises(TraceError):
        jit(lambda *args: args[0])(2.0, argument)


# Types and containers ---------------------------------------------------------------------------


@pytest.mark.parametrize("last", [3.0, np.array(3.0), np.array(3), np.array([3.0])], ids=repr)
def test_jit_takes_arrays_of_one_number_in_lists(last: Any) -> None:
    """A zero-dimensional array counts as its number."""
    product = jit(lambda xs: xs[0] * xs[-1])
    for first in (2.0, 5.0):
        assert product([np.array(first), np.array(7.0), last]) == 3.0 * first


@pytest.mark.parametrize("size", [2, 500])
def test_jit_reads_a_boolean_mask_at_each_call(size: int) -> None:
    """The argument after the mask has its own number."""
    none, one = np.zeros(size, bool), np.arange(size) < 1
    masked: Any = jit(lambda mask, x: (sum(x for flag in mask if flag), x))
    assert [masked(none, 5.0), masked(one, 7.0), masked(none, 2.0)] == [(0, 5), (7, 7), (0, 2)]


def test_jit_indexes_an_argument_with_a_captured_mask() -> None:
    """As NumPy does."""
    mask, x = np.array([True, False, True]), np.array([1.0, 2.0, 3.0])
    assert jit(lambda x: x[mask] * 2.0)(x).tolist() == [2.0, 6.0]


@pytest.mark.parametrize(
    "layout",
    [np.transpose, np.asfortranarray, np.fliplr, lambda w: w[:, 1]],
    ids=["transpose", "fortran", "reversed", "column"],
)
def test_jit_takes_and_returns_arrays_of_any_memory_layout(layout: Callable[[Any], Any]) -> None:
    """As arguments, in objects, captured and as results."""
    names = layout(np.array([["a", "b", "c"], ["d", "e", "f"]], dtype=object))
    compiled: Any = jit(lambda model, x: (model.weight * x, len(names)))
    for scale in (1.0, 3.0):
        weight = layout(np.array([[Value(scale * k) for k in (1, 2, 3)]] * 2))
        found, count = compiled(SimpleNamespace(weight=weight), 2.0)
        assert (found.shape, count) == (weight.shape, len(names))
        assert [x.data for x in found.flat] == [2.0 * x.data for x in weight.flat]
        numbers = layout(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, scale]]))
        assert jit(lambda w: w * 2.0)(numbers).tolist() == (numbers * 2.0).tolist()


# Aliases ----------------------------------------------------------------------------------------


class Body:
    """A body whose methods compare it with all bodies, by identity."""

    def __init__(self, mass: float) -> None:
        self.mass = mass

    def attract(self, x: Any) -> Any:
        """Return x times the mass of all other bodies."""
        return x * sum(other.mass for other in WORLD if other is not self)

    def multiply_by_index(self, x: Any) -> Any:
        """Return x times the index of this body."""
        return x * WORLD.index(self)

    def multiply_by_weight(self, x: Any) -> Any:
        """Return x times a weight from a dict with this key."""
        return x * WEIGHTS[self]


FIRST, SECOND = Body(1.0), Body(5.0)
WORLD = [FIRST, SECOND]
WEIGHTS = {FIRST: 10.0, SECOND: 20.0}


@pytest.mark.parametrize("name", ["attract", "multiply_by_index", "multiply_by_weight"])
def test_jit_takes_an_object_that_is_also_captured(name: str) -> None:
    """Identity is preserved: each captured object has its own program."""
    method = getattr(Body, name)
    for compiled in (jit(method), jit(lambda body, x: method(body, 1.0 * x))):
        for body in (SECOND, FIRST, Body(3.0), SECOND):
            if name == "attract" or body in WORLD:
                assert compiled(body, 2.0) == method(body, 2.0)
    in_a_list = jit(lambda bodies, x: method(bodies[0], x))
    assert in_a_list([SECOND], 2.0) == method(SECOND, 2.0)


@pytest.mark.parametrize(
    "points",
    [[0.0, 1.0], np.array([0.0, 1.0]), {"a": 0.0, "b": 1.0}, [3.0], (0.0, 1.0)],
    ids=["list", "array", "dict", "list of one", "tuple"],
)
def test_jit_refuses_one_container_as_two_arguments_if_code_compares_with_is(points: Any) -> None:
    """Before and after calls with two containers; a single argument may be compared with itself."""
    compare = jit(lambda xs, ys: 1.0 if xs is ys else 0.0)
    for _ in range(2):
        with pytest.raises(TraceError, match="twice"):
            compare(points, points)
        assert compare(points, (0.0, 9.0) if type(points) is tuple else copy.copy(points)) == 0.0
    assert jit(lambda xs: 1.0 if xs is xs else 0.0)(points) == 1.0


def test_jit_refuses_a_captured_list_as_argument_if_code_compares_with_is() -> None:
    """Also after the captured list was replaced by an equal one."""
    captured: Any = [3.0]
    compare = jit(lambda xs: 2.0 if xs is captured else 1.0)
    for captured in ([3.0], [3.0]):
        assert compare([3.0]) == 1.0
        with pytest.raises(TraceError, match="list"):
            compare(captured)
    assert compare([3.0]) == 1.0


@pytest.mark.parametrize(
    "rows", [[[1.0], [2.0]], ((1.0,), (2.0,)), {0: [1.0], 1: [2.0]}], ids=["list", "tuple", "dict"]
)
def test_jit_refuses_an_item_of_captured_rows_if_code_compares_with_is(rows: Any) -> None:
    """An equal list that is not captured is allowed."""
    others = jit(lambda row: sum(rows[k][0] for k in (0, 1) if rows[k] is not row))
    with pytest.raises(TraceError, match="also reads by a name"):
        others(rows[0])
    assert others([1.0]) == 3.0


def test_jit_takes_one_list_as_two_arguments_if_code_does_not_compare_them() -> None:
    """Comparisons of other objects with `is`, and of methods of dataclasses, do not count."""
    xs = [1.0, 2.0]
    assert jit(lambda a, b: sum(x * y for x, y in zip(a, b, strict=True)))(xs, xs) == 5.0
    assert jit(lambda a, b: a[0] if a.__class__ is b.__class__ else b)(xs, xs) == 1.0
    # A batch drawn with replacement contains a pair twice.
    assert jit(lambda ps: sum(x * y for x, y in ps if xs is xs))([(2.0, 3.0)] * 2) == 12.0
    # A method that `dataclass` generates for a frozen class compares with `is`.
    assert jit(lambda a, b: a[0].phase * b[0].phase)(*[[Layout(2.0)]] * 2) == 4.0


# Results ----------------------------------------------------------------------------------------


def test_jit_returns_subclasses_of_list_with_constant_attributes() -> None:
    """Without calling `__init__`; a computed attribute would be that of the first call."""
    found: Any = jit(lambda x: set_scale(Poly([x, 2.0 * x]), 7.0))(3.0)
    assert (type(found), found, found.scale) == (Poly, [3.0, 6.0], 7.0)
    with pytest.raises(TraceError, match="return"):
        jit(lambda x: set_scale(Poly([x]), x))(3.0).scale * 2.0


INVALID_RESULTS: dict[str, Callable[[Any], Any]] = {
    "set": lambda x: {x},
    "iterator": lambda x: (x for _ in range(2)),
    "deque": lambda x: collections.deque([x]),
    "module": lambda x: Linear(1, 1, rng=0),
    "exception": ValueError,
    "masked array": lambda x: np.ma.masked_array([x, 2.0 * x], mask=[True, False]),
    "records": lambda x: np.array([(x, 1)], dtype=[("x", object), ("n", int)]),
    "closure": lambda x: lambda: x * 2.0,
    "pullback": lambda x: vjp(lambda y: y * y, x),
}


@pytest.mark.parametrize("f", INVALID_RESULTS.values(), ids=INVALID_RESULTS)
def test_jit_refuses_a_result_that_hides_traced_numbers(f: Callable[[Any], Any]) -> None:
    """It would contain numbers of a trace that has ended."""
    with pytest.raises(TraceError, match="return"):
        jit(f)(Value(3.0))


def test_jit_returns_a_deeply_nested_result() -> None:
    """Pairs of a number and the rest, like a linked list of 300."""

    def chain(x: Any) -> Any:
        return functools.reduce(lambda rest, k: [x * k, 0.0, None, rest], map(float, range(300)), x)

    assert jit(chain)(2.0) == chain(2.0)


class Ends(NamedTuple):
    """Two sequences, which may be empty."""

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
def test_jit_returns_empty_containers_with_their_type(empty: Any) -> None:
    """Alone, next to a number, and as a returned argument; also in a gradient."""

    def types(x: Any) -> Any:
        inside = x.values() if isinstance(x, dict) else x
        return (type(x), *map(types, inside)) if isinstance(x, list | tuple | dict) else x

    for found in (
        jit(lambda x: (x, empty))(1.0)[1],
        jit(lambda _: empty)(1.0),
        jit(lambda xs: xs[1])((1.0, empty)),
        jit(lambda **options: options["empty"])(empty=empty),
    ):
        assert types(found) == types(empty)
        assert found == empty
    assert types(jit(grad(lambda xs: xs[0] ** 2))((3.0, ()))) == (tuple, 6.0, (tuple,))


def test_jit_returns_dicts_whose_keys_are_constants() -> None:
    """A captured Value is not a constant, since the next call may capture another."""
    weight = Parameter(2.0)
    found: Any = jit(lambda x: {Mode.FAST: 3.0 * x, "x": x, (1, "y"): weight})(3.0)
    assert (found[Mode.FAST], found["x"], found[1, "y"].data) == (9.0, 3.0, 2.0)
    with pytest.raises(TraceError, match="keys"):
        jit(lambda x: {weight: weight * x})(2.0)
    inside: Any = jit(lambda v, xs: vmap(lambda x: {v: v * x})(xs)[1][v])
    assert inside(weight, [1.0, 2.0]).data == 4.0


# Copies of jitted functions ---------------------------------------------------------------------


def test_a_copy_of_a_jitted_function_can_be_called() -> None:
    """With signatures not traced before; it captures the original Values."""
    w = Value(2.0)
    compiled = jit(lambda x: w * x)
    assert compiled(Value(3.0)).data == 6.0
    for copied in (copy.copy(compiled), copy.deepcopy(compiled)):
        assert copied(4.0).data == 8.0
        w.data = 5.0
        assert copied(Value(3.0)).data == 15.0
        w.data = 2.0


@pytest.mark.parametrize("dtype", [bool, np.int8, np.int64, np.float32, object])
def test_jit_takes_arrays_of_any_dtype_together_with_values(dtype: Any) -> None:
    """Short and long arrays, whose elements are read at each call; ∂(w·Σx²)/∂w = Σx²."""
    compiled = jit(lambda w, x: w * sum(y * y for y in x))
    for size, fill in ((2, 1), (100, 1), (2, 0), (100, 0), (2, 1)):
        x, w = np.full(size, fill).astype(dtype), Value(0.5)
        y = compiled(w, x)
        y.backward()
        assert (y.data, w.grad) == (0.5 * fill * size, fill * size)
    with pytest.raises(TraceError, match="float"):
        compiled(Value(1.0), np.array([2**53 + 1, 1]))


# Numbers in nested containers, read in one pass if the signature repeats -------------------------


def test_jit_reads_special_numbers_in_nested_lists_to_the_bit() -> None:
    """Signed zeros, subnormal numbers, 10³⁰⁸ and nan."""
    rows = [[float(k), -0.5 * k, 2.0] for k in range(100)]
    compiled = jit(lambda m, x: [[1.0 * y for y in row] for row in m] + [[x]])
    compiled(rows, 1.0)
    special = [-0.0, 5e-324, -1e308, 0.1, 1.0 + 2.0**-52, 2.0**-1074]
    for call in range(3):
        shifted = [[special[(call + i + k) % 6] for i in range(3)] for k in range(100)]
        found = compiled(shifted, 2.0)
        assert np.array(found[:-1]).tobytes() == np.array(shifted).tobytes()
        assert found[-1] == [2.0]
    rows[7][1] = math.nan
    assert math.isnan(compiled(rows, 1.0)[7][1])


def test_jit_distinguishes_the_keys_of_long_dict_arguments() -> None:
    """Of text and of numbers."""
    totals = jit(lambda named: {key: sum(x) for key, x in named.items()})
    count = jit(lambda named: 1.0 * len(named))
    for key in "bbcb":
        assert count({key: ["only text" * 20]}) == 1.0
        assert totals({key: [0.5] * 300}) == {key: 150.0}


def test_jit_reads_nested_lists_together_with_other_arguments() -> None:
    """Next to an array, a Value and a static text, by position and name, in changing lengths."""

    def f(w: Any, rows: Any, x: Any, how: str, *, named: Any) -> Any:
        total = sum(k * y for k, y in enumerate([z for row in rows for z in row]))
        return w * total + (x * named["a"][0]).sum() + (named["b"] if how == "b" else 0.0)

    compiled = jit(f, static_argnames="how")
    for call, how in enumerate("abbaabab"):
        rows = [[float(call + k), 0.5 * call] for k in range(20 + call % 2)]
        named = {"a": [1.5 + call, 2.0], "b": 7.0 * call}
        w, x = Value(0.25 + call), np.full(3, call + 1.0)
        for xs in (rows, [[3.0 * y for y in row] for row in rows]):
            assert compiled(w, xs, x, how, named=named).data == f(w, xs, x, how, named=named).data


def make_cyclic(make: Callable[[], Any]) -> Any:
    """Return a list or dict that contains 1.0 and itself."""
    container = make()
    if isinstance(container, list):
        container += [1.0, container]
    else:
        container |= {"x": 1.0, "rest": container}
    return container


def nest(wrap: Callable[[Any], Any]) -> Any:
    """Return 1.0 in 1,000 containers."""
    return functools.reduce(lambda x, _: wrap(x), range(1000), 1.0)


@dataclass
class Box:
    """An object with one field."""

    content: Any


INVALID_TREES: dict[str, Callable[[], Any]] = {
    "cyclic list": lambda: make_cyclic(list),
    "cyclic dict": lambda: make_cyclic(dict),
    "deep lists": lambda: nest(lambda x: [x]),
    "deep tuples": lambda: nest(lambda x: (x, 2.0)),
    "deep dicts": lambda: nest(lambda x: {"x": x}),
    "deep dataclasses": lambda: nest(Box),
}


@pytest.mark.parametrize("name", INVALID_TREES)
@pytest.mark.parametrize(
    ("call", "where"),
    [
        (lambda x: jit(lambda a, b: a)(1.0, x), "the argument b"),
        (lambda x: jit(lambda a, b: a, static_argnames="a")(1.0, b=x), "the argument b"),
        (lambda x: jit(lambda a: (a, x))(1.0), "the result"),
        (lambda x: jit(grad(lambda a, _: a))(1.0, x), "the argument"),
        (lambda x: jit(lambda a: cond(a > 0.0, lambda: x, lambda: x))(1.0), "cond"),
        (lambda x: jit(lambda a, b: a, check=True)(1.0, x), "the argument b"),
        (grad(lambda _: 1.0), "argument 0"),
        (lambda x: hvp(lambda _: 1.0, x, x), "v"),
        (lambda x: jvp(lambda a: a, (x,), (x,)), "argument 0"),
        (lambda x: vjp(lambda _: x, 1.0), "f"),
        (lambda x: gradients(Value(1.0), x), "xs"),
        (lambda x: value_and_grad(lambda a: (a, x), has_aux=True)(1.0), "what is returned"),
        (lambda x: root(lambda y: y, x), "x0"),
    ],
)  # fmt: skip
def test_jit_and_transforms_name_a_cyclic_or_too_deep_tree(
    name: str, call: Any, where: str
) -> None:
    """A RecursionError would say neither which argument it is nor why."""
    with pytest.raises(OperandError, match=r"contains itself|nested .* levels deep") as caught:
        call(INVALID_TREES[name]())
    assert where in str(caught.value)


def test_jit_names_a_list_that_contains_itself_twice() -> None:
    """Each level has twice as many items as the one before."""
    xs: list[Any] = []
    xs += [xs, xs]
    with pytest.raises(OperandError, match="the argument xs: a container in it contains itself"):
        jit(lambda xs: xs[0])(xs)


@pytest.mark.parametrize("name", [x for x in INVALID_TREES if x != "deep dataclasses"])
def test_vmap_names_a_cyclic_or_too_deep_result(name: str) -> None:
    """Instead of stacking it in arrays."""
    with pytest.raises(OperandError, match="result of vmap"):
        vmap(lambda _: INVALID_TREES[name]())(np.ones(1))


def test_grad_of_endless_recursion_raises_recursion_error() -> None:
    """It is not reported as a cyclic tree."""

    def endless(x: Any) -> Any:
        return grad(endless)(x)

    with pytest.raises(RecursionError):
        grad(endless)(1.0)
