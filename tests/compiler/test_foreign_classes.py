"""Classes of attrs, which jit treats as dataclasses, and classes whose lookups raise any error."""

from __future__ import annotations

from typing import Any

import attr
import attrs
import pytest

from scalargrad import OperandError, TraceError, Value, cond, grad, jit, scan, vmap

WEIGHT = [2.0]


@attrs.define
class Spring:
    """A class with slots."""

    rate: Any
    count: int = 3

    def force(self, x: Any) -> Any:
        """Return the force at x."""
        return self.rate * x * self.count


@attrs.frozen
class Frozen:
    """A class whose fields cannot be assigned."""

    rate: Any
    count: int = 3

    force = Spring.force


@attr.s(auto_attribs=True)
class Old:
    """A class by the old interface of attrs, without slots."""

    rate: Any
    count: int = 3

    force = Spring.force


@attrs.define(eq=False)
class Single(Spring):
    """A class compared by identity."""


@attrs.define
class Pair:
    """An object with another object and a list of numbers."""

    first: Any
    weights: list[float] = attrs.field(factory=lambda: [1.0, WEIGHT[0]])


KINDS = [Spring, Frozen, Old, Single]


@pytest.mark.parametrize("kind", KINDS)
def test_jit_takes_and_returns_attrs_objects(kind: Any) -> None:
    """Captured, as an argument, static, made inside, and as a result."""
    spring = kind(2.0)
    assert jit(lambda x: x * spring.rate)(1.5) == 3.0
    assert jit(spring.force)(1.5) == 9.0
    assert jit(lambda x, held: held.force(x))(1.5, spring) == 9.0
    assert jit(lambda x, held: held.force(x), static_argnums=1)(1.5, spring) == 9.0
    assert jit(lambda x: kind(x).force(x))(1.5) == 6.75
    made = jit(lambda x: kind(x, 5))(1.5)
    assert (type(made), made.rate, made.count) == (kind, 1.5, 5)
    assert vmap(lambda x, held: held.force(x), in_axes=(0, None))([1.0, 2.0], spring) == [6.0, 12.0]


@pytest.mark.parametrize("wrap", [grad, lambda f: jit(grad(f))], ids=["grad", "jit"])
def test_grad_with_respect_to_an_attrs_object_is_one(wrap: Any) -> None:
    """Nested in another object, next to a list."""
    found = wrap(lambda pair: pair.first.rate**2 * pair.weights[1])(Pair(Spring(3.0)))
    assert type(found) is Pair
    assert (found.first.rate, found.weights) == (12.0, [0.0, 9.0])


def test_jit_sees_changes_of_an_attrs_object() -> None:
    """An attribute, data of a Value, state read by a factory, a size; a mutation is refused."""
    spring, weight = Spring(2.0), Value(3.0)
    held = Spring(weight)
    compiled = jit(lambda x: x * spring.rate + x * held.rate)
    assert compiled(2.0).data == 10.0
    spring.rate, weight.data = 5.0, 7.0
    assert compiled(2.0).data == 24.0
    made = jit(lambda x: Pair(x).weights[1] * x)
    assert made(3.0) == 6.0
    WEIGHT[0] = 4.0
    try:
        assert made(3.0) == 12.0
    finally:
        WEIGHT[0] = 2.0
    sized = jit(Spring.force)
    assert (sized(Spring(2.0, 3), 1.0), sized(Spring(2.0, 4), 1.0)) == (6.0, 8.0)

    def counting(x: Any) -> Any:
        spring.count += 1
        return x

    with pytest.raises(TraceError, match=r"changes Spring\.count"):
        jit(counting)(1.0)
    assert spring.count == 3


def test_jit_compares_frozen_attrs_objects_by_content() -> None:
    """An equal static argument needs no other trace."""
    compiled = jit(lambda x, held: held.force(x), static_argnums=1)
    assert [compiled(1.0, Frozen(rate)) for rate in (2.0, 2.0, 3.0)] == [6.0, 6.0, 9.0]
    assert len(compiled.all_paths()) == 2
    together = jit(lambda x: x if Frozen(2.0) == Frozen(2.0) else -x)
    assert together(3.0) == 3.0


def test_cond_and_scan_carry_attrs_objects() -> None:
    """As they carry dataclasses."""
    chosen = jit(lambda x: cond(x > 0.0, Frozen, lambda y: Frozen(-y), x))
    assert (chosen(2.0), chosen(-3.0)) == (Frozen(2.0), Frozen(3.0))
    run = jit(lambda x: scan(lambda held, y: (Frozen(held.rate + y), held.rate), Frozen(x), XS))
    assert run(1.0) == (Frozen(7.0), [1.0, 2.0, 4.0])


XS = [1.0, 2.0, 3.0]


# Classes with their own attribute lookup ----------------------------------------------------------


def make_class_and_object() -> tuple[Any, Any]:
    """Return a class whose metaclass looks attributes up in a dict, and an object with such lookup.

    They are not globals, since pytest reads attributes of all globals of a test module.
    """

    class Lookup(type):
        def __getattr__(cls, name: str) -> Any:
            return {"factor": 2.0}[name]

    class Registry(metaclass=Lookup):
        def __init__(self) -> None:
            self.rate = 3.0

    class Record:
        factor = 2.0

        def __init__(self) -> None:
            self.rate = 3.0

        def __getattr__(self, name: str) -> Any:
            raise LookupError(name)

        def scaled(self, x: Any) -> Any:
            return x * self.rate

    return Registry, Record()


@pytest.mark.parametrize("kind", ["class", "object of the class", "object"])
@pytest.mark.parametrize("place", ["captured", "made inside", "argument", "static"])
def test_jit_of_objects_whose_lookup_raises_a_key_error_matches_eager_code(
    kind: str, place: str
) -> None:
    """`hasattr` does not catch errors other than AttributeError."""
    registry, record = make_class_and_object()
    known = {"class": registry, "object of the class": registry(), "object": record}[kind]

    def f(x: Any, y: Any) -> Any:
        if place == "made inside":
            return x * registry().rate + record.scaled(x)
        y = known if place == "captured" else y
        return x * (y.factor if kind == "class" else y.rate)

    expected = f(1.5, known)
    compiled = jit(f, static_argnums=(1,) if place == "static" else ())
    assert compiled(1.5, known) == compiled(1.5, known) == expected
    assert jit(grad(f))(1.5, known) == grad(f)(1.5, known)
    batch = jit(lambda xs: sum(vmap(lambda x: f(x, known))(xs)))
    assert batch([1.5, 1.5]) == 2.0 * expected


@pytest.mark.parametrize("kind", ["object of the class", "object"])
def test_jit_refuses_to_return_an_object_whose_lookup_raises_a_key_error(kind: str) -> None:
    """The error names its class; as an argument of grad the error names the argument."""
    registry, record = make_class_and_object()
    x = record if kind == "object" else registry()
    with pytest.raises(TraceError, match="returned an object"):
        jit(lambda y: (y, x))(1.5)
    with pytest.raises(OperandError, match="argument 0 is"):
        grad(lambda y: y.rate)(x)
