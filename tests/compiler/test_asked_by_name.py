"""What a function asks of functions, classes and settings is as it is at each call."""

from __future__ import annotations

import abc
import decimal
import functools
import io
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, Value, jit

pytestmark = pytest.mark.usefixtures("backend")


def require_fresh(function: Callable[[Any], Any], change: Callable[[], object]) -> None:
    """Compare compiled calls before and after a change with eager ones, which differ."""
    compiled = jit(function)
    before = function(1.0)
    assert [compiled(1.0), compiled(1.0)] == [before, before]
    change()
    after = function(1.0)
    assert after != before
    assert [compiled(1.0), compiled(1.0)] == [after, after]
    assert compiled.paths(1.0)  # it is a program that computes this


class Layer:
    """A class that others derive from."""


class Derived(Layer):
    """A class derived from it."""

    scale = 3.0


def new_class() -> Any:
    """Return a class with text and an annotation."""

    class Changing:
        """Something."""

        width: int

    return Changing


def new_function() -> Any:
    """Return a function with text."""

    def changing(x: Any) -> Any:
        """Return x."""
        return x

    return changing


@pytest.mark.parametrize("made", [new_class, new_function])
@pytest.mark.parametrize("name", ["__name__", "__qualname__", "__doc__", "__module__"])
def test_what_functions_and_classes_are_called_is_read(made: Any, name: str) -> None:
    """Their names, text and module may be assigned again."""
    of = made()
    readers: dict[str, Callable[[Any], Any]] = {
        "__name__": lambda x: x * len(of.__name__),
        "__qualname__": lambda x: x * len(of.__qualname__),
        "__doc__": lambda x: x * len(of.__doc__),
        "__module__": lambda x: x * len(of.__module__),
    }
    require_fresh(readers[name], lambda: setattr(of, name, "another"))


@pytest.mark.parametrize("made", [new_class, new_function])
def test_annotations_are_read(made: Any) -> None:
    """An annotation that is added counts."""
    of = made()
    change = functools.partial(of.__annotations__.update, depth=int)
    require_fresh(lambda x: x * len(of.__annotations__), change)


def test_derived_classes_are_those_there_are() -> None:
    """One that is made later is found, and so is what another holds."""

    def total(x: Any) -> Any:
        kinds: list[Any] = Layer.__subclasses__()
        return x * sum(kind.scale for kind in kinds)

    made: list[Any] = []
    require_fresh(total, lambda: made.append(type("Later", (Layer,), {"scale": 5.0})))
    require_fresh(total, lambda: setattr(made[0], "scale", 7.0))


def test_a_class_registered_with_an_abstract_one_counts_from_then_on() -> None:
    """`isinstance` answers otherwise after `register`."""

    class Scaled(abc.ABC):  # noqa: B024
        """Abstract."""

    layer = Layer()

    def f(x: Any) -> Any:
        return 2.0 * x if isinstance(layer, Scaled) else 3.0 * x

    require_fresh(f, lambda: Scaled.register(Layer))


def scaled(rate: Any, x: Any, power: float = 1.0) -> Any:
    """Return a multiple."""
    return rate * x**power


@pytest.mark.parametrize(
    "state",
    [(scaled, (3.0,), {}, None), (scaled, (2.0,), {"power": 3.0}, None), (max, (7.0,), {}, None)],
)
def test_the_state_of_a_partial_function_may_be_set(state: Any) -> None:
    """What it calls, and the arguments it passes on, are those of now."""
    part: Any = functools.partial(scaled, 2.0)
    require_fresh(lambda x: x * part(5.0), lambda: part.__setstate__(state))


def test_a_list_that_is_another_of_equals_is_told_apart() -> None:
    """`a is b` is as it is now while both are equal; a third that is neither changes nothing."""
    first, second = [1.0, 2.0], [1.0, 2.0]
    holder = SimpleNamespace(kept=first, array=np.array([1.0]))

    def f(x: Any) -> Any:
        return 2.0 * x if holder.kept is first else 3.0 * x

    compiled = jit(f)
    assert compiled(1.0) == 2.0
    holder.kept = second
    assert compiled(1.0) == 3.0
    (path,) = compiled.paths(1.0)
    holder.kept = [1.0, 2.0]
    assert compiled(1.0) == 3.0
    assert [x.function for x in compiled.paths(1.0)] == [path.function]
    holder.kept = first
    assert compiled(1.0) == 2.0
    first[0] = 5.0
    assert compiled(1.0) == 2.0


def test_an_array_that_is_another_of_equals_is_told_apart() -> None:
    """So it is with arrays and with attributes of two objects."""
    holder = SimpleNamespace(a=np.ones(2), b=np.ones(2))
    require_fresh(
        lambda x: 2.0 * x if holder.a is holder.b else 3.0 * x,
        lambda: setattr(holder, "a", holder.b),
    )


def test_the_precision_of_decimals_is_that_of_the_call() -> None:
    """Also where no name tells that a number is decimal."""
    third, one = Decimal(3), [Decimal(1)]

    def f(x: Any) -> Any:
        return x * float(one[0] / third)

    with decimal.localcontext():
        require_fresh(f, lambda: setattr(decimal.getcontext(), "prec", 3))
    with decimal.localcontext() as context:
        context.prec = 5
        assert jit(f)(1.0) == 0.33333
    assert jit(f)(1.0) == f(1.0)


def test_how_numpy_treats_errors_is_as_now_where_code_asks() -> None:
    """Code asks by `geterr`, or by catching FloatingPointError."""
    zero, two = np.zeros(()), np.array(2.0)

    def caught(x: Any) -> Any:
        try:
            return x * float(np.isinf(two / zero))
        except FloatingPointError:
            return 5.0 * x

    with np.errstate(all="ignore"):
        require_fresh(lambda x: x * len(np.geterr()["over"]), lambda: np.seterr(over="raise"))
        require_fresh(caught, lambda: np.seterr(divide="raise"))


def test_an_attribute_of_a_function_may_be_named_like_a_global() -> None:
    """Each of them is read where it is."""
    space: dict[str, Any] = {"rate": 2.0}
    exec("def f(x):\n    return x * rate * f.rate", space)
    function = space["f"]
    function.rate = 3.0
    require_fresh(function, lambda: space.update(rate=5.0))
    require_fresh(function, lambda: setattr(function, "rate", 7.0))


@pytest.mark.parametrize(("kind", "content"), [(io.BytesIO, b"ab"), (io.StringIO, "ab")])
def test_a_buffer_is_read_by_content_and_position(kind: Any, content: Any) -> None:
    """Reading all of it changes nothing; moving its position is refused."""
    buffer = kind(content)
    more: Any = buffer.getvalue() * 2
    require_fresh(lambda x: x * len(buffer.getvalue()), lambda: buffer.write(more))
    require_fresh(lambda x: x * (1 + buffer.tell()), lambda: buffer.seek(0))
    with pytest.raises(TraceError, match=f"changes a {type(buffer).__name__}"):
        jit(lambda x: x * len(buffer.read()))(1.0)


def test_whether_a_value_was_computed_is_asked_at_each_call() -> None:
    """A Value that is made anew in place has no parents any more."""
    value = Value(2.0) * Value(5.0)
    require_fresh(lambda x: x * (1 + len(value.parents)), lambda: value.__init__(3.0))  # type: ignore[misc]
    other = Value(2.0) * Value(5.0)
    require_fresh(lambda x: x * (2.0 if other.op else 1.0), lambda: other.__init__(3.0))  # type: ignore[misc]


def test_a_value_made_anew_in_place_is_refused_while_recorded() -> None:
    """Its number would change at the recording alone, or be the one before."""
    outside = Value(2.0)

    def assigned(x: Any) -> Any:
        outside.__init__(3.0)  # type: ignore[misc]
        return outside * x

    def named(x: Any) -> Any:
        outside.__init__(x)  # type: ignore[misc]
        return outside * x

    def used(x: Any) -> Any:
        inside = Value(2.0)
        before = inside * x
        inside.__init__(3.0)  # type: ignore[misc]
        return before + inside * x

    for function in (assigned, named, used):
        with pytest.raises(TraceError, match=r"\.data was assigned"):
            jit(function)(1.0)
        assert outside.data == 2.0
