"""Whichever way a function gets at an object, what is done with it is found by all that look.

Each way leads to one object: a generator, that must draw anew or be refused; or a number that a
recording must neither keep nor leave changed.
"""

from __future__ import annotations

import collections
import contextvars
import dataclasses
import enum
import functools
import operator
import sys
import threading
import types
import weakref
from collections.abc import Callable
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import TraceError, drawn, jit, nn, vmap

pytestmark = pytest.mark.usefixtures("backend")

#: Returns what reads an object again, given the object.
Way = Callable[[Any], Callable[[], Any]]
WAYS: dict[str, Way] = {}
SHARED: dict[str, Any] = {}


def way(make: Way) -> Way:
    """Add a way to get at an object."""
    WAYS[make.__name__.strip("_").replace("_", " ")] = make
    return make


class Equal:
    """An object with an equality and a hash of its own."""

    def __init__(self, held: Any) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return 7


class Slotted:
    """An object without a dict."""

    __slots__ = ("held",)
    held: Any


@dataclasses.dataclass(frozen=True)
class Fixed:
    """An object whose attributes cannot be assigned."""

    held: Any


@way
def a_variable(x: Any) -> Callable[[], Any]:  # noqa: D103
    return lambda: x


@way
def a_global(x: Any) -> Callable[[], Any]:  # noqa: D103
    SHARED["held"] = x
    return lambda: SHARED["held"]


@way
def an_attribute_in_a_list(x: Any) -> Callable[[], Any]:  # noqa: D103
    rows = [[SimpleNamespace(held=x)]]
    return lambda: rows[0][0].held


@way
def a_slot(x: Any) -> Callable[[], Any]:  # noqa: D103
    part = Slotted()
    part.held = x
    return lambda: part.held


@way
def an_object_with_a_hash(x: Any) -> Callable[[], Any]:  # noqa: D103
    part = Equal(x)
    return lambda: part.held


@way
def a_frozen_dataclass(x: Any) -> Callable[[], Any]:  # noqa: D103
    part = Fixed(x)
    return lambda: part.held


@way
def a_class_attribute(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        held = x

    return lambda: Noise.held


@way
def a_class_attribute_of_an_instance(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Base:
        held = x

    class Noise(Base):
        pass

    part = Noise()
    return lambda: part.held


@way
def a_metaclass(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Meta(type):
        held = x

    class Noise(metaclass=Meta):
        pass

    return lambda: Noise.held


@way
def a_method(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        def get(self) -> Any:
            return x

    part = Noise()

    def read() -> Any:
        return part.get()

    return read


@way
def a_bound_method(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        def __init__(self) -> None:
            self.held = x

        def get(self) -> Any:
            return self.held

    get = Noise().get

    def read() -> Any:
        return get()

    return read


@way
def a_property(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        @property
        def held(self) -> Any:
            return x

    part = Noise()
    return lambda: part.held


@way
def a_static_and_a_class_method(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        @staticmethod
        def get() -> Any:
            return x

        @classmethod
        def found(cls) -> Any:
            return cls.get()

    part = Noise()

    def read() -> Any:
        return part.found()

    return read


@way
def a_method_with_an_argument(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        def given(self, y: Any) -> Any:
            return y

        get = functools.partialmethod(given, x)

    part = Noise()

    def read() -> Any:
        return part.get()

    return read


@way
def a_descriptor(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Field:
        def __get__(self, instance: Any, owner: Any = None) -> Any:
            return x

    class Noise:
        held = Field()

    part = Noise()
    return lambda: part.held


@way
def a_default(x: Any) -> Callable[[], Any]:  # noqa: D103
    def get(y: Any = x, *, z: Any = x) -> Any:
        assert y is z
        return y

    def read() -> Any:
        return get()

    return read


@way
def a_function_attribute(x: Any) -> Callable[[], Any]:  # noqa: D103
    def get() -> Any:
        return get.held  # type: ignore[attr-defined]

    get.held = x  # type: ignore[attr-defined]
    return get


@way
def a_partial_function(x: Any) -> Callable[[], Any]:  # noqa: D103
    get = functools.partial(lambda y, z: (y, z)[0], x, z=x)

    def read() -> Any:
        return get()

    return read


@way
def an_attribute_of_a_partial_function(x: Any) -> Callable[[], Any]:  # noqa: D103
    get: Any = functools.partial(int)
    get.held = x
    return lambda: get.held


@way
def an_attribute_of_a_compiled_function(x: Any) -> Callable[[], Any]:  # noqa: D103
    compiled: Any = jit(lambda y: y)
    compiled.held = x
    return lambda: compiled.held


@way
def a_method_of_a_list(x: Any) -> Callable[[], Any]:  # noqa: D103
    get = [x].__getitem__
    return lambda: get(0)


@way
def a_method_by_name(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        def get(self) -> Any:
            return x

    part, call = Noise(), operator.methodcaller("get")
    return lambda: call(part)


@way
def a_key(x: Any) -> Callable[[], Any]:  # noqa: D103
    table = {Equal(x): 1.0}
    return lambda: next(iter(table)).held


@way
def a_set(x: Any) -> Callable[[], Any]:  # noqa: D103
    parts = frozenset({Equal(x)})
    return lambda: next(iter(parts)).held


@way
def a_read_only_dict(x: Any) -> Callable[[], Any]:  # noqa: D103
    table = types.MappingProxyType({"held": x})
    return lambda: table["held"]


@way
def the_values_of_a_dict(x: Any) -> Callable[[], Any]:  # noqa: D103
    values = {"held": x}.values()
    return lambda: next(iter(values))


@way
def an_array_of_objects(x: Any) -> Callable[[], Any]:  # noqa: D103
    array = np.empty(1, dtype=object)
    array[0] = x
    return lambda: array[0]


@way
def a_default_factory(x: Any) -> Callable[[], Any]:  # noqa: D103
    table: Any = collections.defaultdict(lambda: x)

    def read() -> Any:
        return table.default_factory()

    return read


@way
def an_attribute_beside_items(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Rows(list[Any]):
        pass

    rows: Any = Rows([1.0])
    rows.held = x
    return lambda: rows.held


@way
def a_slot_beside_items(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Table(dict[str, Any]):
        __slots__ = ("held",)
        held: Any

    table = Table(a=1.0)
    table.held = x
    return lambda: table.held


@way
def a_class_of_items(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Rows(tuple[Any, ...]):
        __slots__ = ()

        def get(self) -> Any:
            return x

    rows = Rows([1.0])

    def read() -> Any:
        return rows.get()

    return read


@way
def a_member_of_an_enumeration(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Kind(enum.Enum):
        ONE = 1

    Kind.ONE.held = x  # type: ignore[attr-defined]
    return lambda: Kind.ONE.held  # type: ignore[attr-defined]


@way
def a_class_in_a_list(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        def get(self) -> Any:
            return x

    kinds = [Noise]
    return lambda: kinds[0]().get()


@way
def a_module_closed_over(x: Any) -> Callable[[], Any]:  # noqa: D103
    module: Any = types.ModuleType("closed_over_by_a_test")
    module.held = x
    return lambda: module.held


@way
def a_module_in_a_list(x: Any) -> Callable[[], Any]:  # noqa: D103
    module: Any = types.ModuleType("in_a_list_of_a_test")
    module.held = x
    modules = [module]
    return lambda: modules[0].held


@way
def a_module_imported(x: Any) -> Callable[[], Any]:  # noqa: D103
    module: Any = types.ModuleType("imported_by_a_test")
    sys.modules["imported_by_a_test"] = module
    module.held = x

    def get() -> Any:
        import imported_by_a_test  # type: ignore[import-not-found]

        return imported_by_a_test.held

    return get


@way
def what_a_module_makes_up(x: Any) -> Callable[[], Any]:  # noqa: D103
    module: Any = types.ModuleType("made_up_by_a_test")
    module.__getattr__ = lambda _: x
    return lambda: module.held


@way
def a_context_variable(x: Any) -> Callable[[], Any]:  # noqa: D103
    variable: Any = contextvars.ContextVar("variable")
    variable.set(x)
    return variable.get  # type: ignore[no-any-return]


@way
def the_default_of_a_context_variable(x: Any) -> Callable[[], Any]:  # noqa: D103
    variable: Any = contextvars.ContextVar("variable", default=x)
    return variable.get  # type: ignore[no-any-return]


@way
def a_weak_reference(x: Any) -> Callable[[], Any]:  # noqa: D103
    part = Equal(x)
    SHARED["kept alive"] = part
    reference, proxy = weakref.ref(part), weakref.proxy(part)
    return lambda: (reference(), proxy.held)[1]


@way
def a_dict_of_weak_references(x: Any) -> Callable[[], Any]:  # noqa: D103
    part = Equal(x)
    SHARED["kept alive"] = part
    table = weakref.WeakValueDictionary({"part": part})
    return lambda: table["part"].held


@way
def a_threads_own(x: Any) -> Callable[[], Any]:  # noqa: D103
    own = threading.local()
    own.held = x
    return lambda: own.held


@way
def an_exception(x: Any) -> Callable[[], Any]:  # noqa: D103
    error = ValueError(x)
    return lambda: error.args[0]


@way
def a_cache(x: Any) -> Callable[[], Any]:  # noqa: D103
    kept = functools.cache(lambda: x)
    kept()
    return kept


@way
def a_cache_of_limited_size(x: Any) -> Callable[[], Any]:  # noqa: D103
    kept = functools.lru_cache(maxsize=2)(lambda name: SimpleNamespace(**{name: x}))
    kept("other"), kept("held")
    return lambda: kept("held").held


@way
def a_function_of_arrays(x: Any) -> Callable[[], Any]:  # noqa: D103
    get = np.frompyfunc(lambda _: x, 1, 1)
    return lambda: get(0)


@way
def a_default_of_a_constructor(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Noise:
        def __init__(self, held: Any = x) -> None:
            self.held = held

    return lambda: Noise().held


@way
def a_module_of_layers(x: Any) -> Callable[[], Any]:  # noqa: D103
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.held = x

    layer = Layer()
    return lambda: layer.held


each_way = pytest.mark.parametrize("make", WAYS.values(), ids=WAYS)


@each_way
@pytest.mark.parametrize("kind", [Random, np.random.default_rng])
def test_a_generator_draws_anew_or_is_refused(make: Way, kind: Any) -> None:
    """A plain draw is an error that leaves the generator as it was; `drawn` draws as eager code."""
    get = make(kind(3))
    with pytest.raises(TraceError, match="drawn"):
        jit(lambda x: x + get().random())(1.0)
    noisy, again = jit(lambda x: x + drawn(get().random)), kind(3)
    assert [noisy(1.0) for _ in range(3)] == [1.0 + again.random() for _ in range(3)]


@each_way
def test_a_number_that_changes_is_read_again(make: Way) -> None:
    """The next call computes with the new number."""
    held = SimpleNamespace(rate=2.0)
    get = make(held)
    scaled = jit(lambda x: x * get().rate)
    assert scaled(1.0) == 2.0
    held.rate = 5.0
    assert scaled(1.0) == 5.0


def counted(held: Any, x: Any) -> Any:
    """Count, and compute with the count."""
    held.count += 1.0
    return x * held.count


def logged(held: Any, x: Any) -> Any:
    """Keep a result in a list."""
    held.log.append(x * 2.0)
    return x


def noted(held: Any, x: Any) -> Any:
    """Keep a result."""
    held.last = x * 2.0
    return x


@pytest.mark.alike
@each_way
@pytest.mark.parametrize("change", [counted, logged, noted])
@pytest.mark.parametrize("is_mapped", [False, True], ids=["once", "for each example"])
def test_a_change_is_refused_and_taken_back(make: Way, change: Any, is_mapped: bool) -> None:
    """No number of the recording stays behind, and no count."""
    held = SimpleNamespace(count=0.0, log=[], last=None)
    get = make(held)
    f: Any = lambda x: change(get(), x)  # noqa: E731
    with pytest.raises(TraceError, match="changes"):
        jit(lambda x: sum(vmap(f)([x, x])) if is_mapped else f(x))(3.0)
    assert held == SimpleNamespace(count=0.0, log=[], last=None)


class Total:
    """A count in the class, as instances share it."""

    count = 0.0
    log: Any = None


def test_what_a_class_or_module_is_given_is_taken_back() -> None:
    """A new attribute, another number and a global that was not there before."""
    module: Any = types.ModuleType("changed_by_a_test")
    module.count = 0.0

    def of_the_class(x: Any) -> Any:
        type(Total()).count += 1.0
        return x

    def of_the_module(x: Any) -> Any:
        module.count = x
        return x

    def new(x: Any) -> Any:
        Total.made = x  # type: ignore[attr-defined]
        return x

    for f, named in [(of_the_class, "Total.count"), (of_the_module, "count"), (new, "made")]:
        with pytest.raises(TraceError, match=rf"changes .*{named}"):
            jit(f)(1.0)
    assert (Total.count, module.count, hasattr(Total, "made")) == (0.0, 0.0, False)


class Named(list[float]):
    """A list with attributes beside its items."""

    name: str


def test_an_attribute_beside_others_of_a_container_is_not_added() -> None:
    """A number of the recording would stay in it."""
    around = Named([1.0])
    around.name = "row"

    def naming(x: Any) -> Any:
        around.made = x * 2.0  # type: ignore[attr-defined]
        return x

    with pytest.raises(TraceError, match=r"attributes of Named"):
        jit(naming)(2.0)
    assert not hasattr(around, "made")


@pytest.mark.parametrize(
    "make", [collections.OrderedDict, functools.partial(functools.partial, max)]
)
def test_an_attribute_beside_what_a_library_holds_is_read_again(make: Any) -> None:
    """Of a dict or a partial function, also when it had none at first."""
    part = make()
    compiled = jit(lambda x: x * getattr(part, "rate", 1.0))
    assert compiled(2.0) == 2.0
    for rate in (3.0, 5.0):
        part.rate = rate
        assert compiled(2.0) == 2.0 * rate


def test_a_change_of_an_argument_with_a_hash_is_taken_back() -> None:
    """It is given itself, not a copy: a new attribute is a note, and a list stays as it was."""
    part = Equal([1.0])

    def logging(x: Any, part: Equal) -> Any:
        part.held.append(x * 2.0)
        return x

    with pytest.raises(TraceError, match="changes a list among its arguments"):
        jit(logging)(2.0, part)
    assert part.held == [1.0]


class Answering:
    """Answers to every name, as a library's wrapper of C functions does, and has no attributes."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        """Return something that is neither a dict nor a function."""
        return object()


class AnsweringWithSlots(Answering):
    """Does so, too, and keeps something in a slot."""

    __slots__ = ("held",)


Answering.__module__ = AnsweringWithSlots.__module__ = "numpy"


@pytest.mark.parametrize("kind", [Answering, AnsweringWithSlots])
def test_a_library_object_that_answers_to_every_name_is_walked_past(kind: Any) -> None:
    """It is asked for its dict, and what it answers is none."""
    answering = kind()
    assert jit(lambda x: (x * 2.0, answering)[0])(1.5) == 3.0
