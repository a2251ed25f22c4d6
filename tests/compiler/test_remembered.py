"""A model is walked over once for calls in a row, and anew when anything in it has changed."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, Value, jit, nn
from scalargrad.compiler.call.objects import Visit


class Model(nn.Module):
    """Holds a part in each of the ways that a model may."""

    def __init__(self) -> None:
        self.w: list[Any] = [Parameter(2.0), Parameter(3.0)]
        self.named: dict[str, Any] = {"b": Parameter(0.5), "scale": 1.0}
        self.part = SimpleNamespace(k=Parameter(1.5), on=True)
        self.rate = 1.0
        self.pair: Any = (Parameter(0.25), [1.0, 0.0])
        self.table = nn.Linear(1, 2, rng=0)

    def __call__(self, x: Any) -> Any:
        """Read all of it."""
        total = sum(w * x for w in self.w) * self.rate
        for name, y in self.named.items():
            total = total + y * (2.0 if name == "b" else 1.0)
        total = total * self.part.k if self.part.on is True else total
        first, flags = self.pair
        total = total + first * len(flags) + sum(1.0 for flag in flags if flag is True)
        return total + sum(self.table([x]))


def _tie(model: Model) -> None:
    model.w[1] = model.w[0]


def _freeze(model: Model) -> None:
    model.w[1] = model.w[1].data


def _rename(model: Model) -> None:
    model.named = {"c": model.named["b"], "scale": 1.0}


def _swap_keys(model: Model) -> None:
    b = model.named.pop("b")
    model.named["b"] = b
    model.named["more"] = Parameter(7.0)


def _other_class(model: Model) -> None:
    class Other(Model):
        def __call__(self, x: Any) -> Any:
            return super().__call__(x) * 10.0

    model.__class__ = Other


def _other_space(model: Model) -> None:
    model.__dict__ = {**model.__dict__, "rate": 8.0}


CHANGES: dict[str, Callable[[Model], Any]] = {
    "a number": lambda m: setattr(m.w[0], "data", -4.0),
    "a parameter": lambda m: m.w.__setitem__(0, Parameter(9.0)),
    "one more": lambda m: m.w.append(Parameter(5.0)),
    "one less": lambda m: m.w.pop(),
    "two that are one": _tie,
    "a table": lambda m: setattr(m, "table", nn.Linear(1, 3, rng=1)),
    "a parameter by its number": _freeze,
    "a parameter by a Value": lambda m: m.w.__setitem__(0, Value(2.0)),
    "an attribute": lambda m: setattr(m, "rate", 3.0),
    "a name": _rename,
    "the order of names": _swap_keys,
    "a flag": lambda m: setattr(m.part, "on", False),
    "a flag by a number": lambda m: setattr(m.part, "on", 1),
    "a number by a flag": lambda m: m.pair[1].__setitem__(0, True),
    "a class": _other_class,
    "all attributes": _other_space,
    "one attribute more": lambda m: setattr(m, "more", Parameter(1.0)),
    "what is inside a part": lambda m: setattr(m.part, "k", Parameter(-1.0)),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("how", ["itself", "its method", "an argument", "with an array"])
def test_every_change_is_seen(change: Callable[[Model], Any], how: str) -> None:
    """After calls that repeat a walk, a model that has changed gives what it gives eagerly."""
    model, other, x = Model(), Model(), 3.0
    runs: dict[str, tuple[Any, Any, tuple[Any, ...]]] = {
        "itself": (jit(model), model, (x,)),
        "its method": (jit(model.__call__), model.__call__, (x,)),
        "an argument": (jit(lambda m, x: m(x)), lambda m, x: m(x), (model, x)),
        "with an array": (jit(lambda m, x: m(x[0])), lambda m, x: m(x[0]), (model, np.array([x]))),
    }
    compiled, eager, given = runs[how]
    for _ in range(4):
        assert compiled(*given).data == pytest.approx(other(x).data, rel=1e-14)
    change(model)
    for _ in range(3):
        found, expected = compiled(*given), eager(*given)
        assert found.data == pytest.approx(expected.data, rel=1e-14)
        leaves = [p for p in model.parameters() if isinstance(p, Value)]
        for p in leaves:
            p.grad = 0.0
        found.backward()
        ours = [p.grad for p in leaves]
        for p in leaves:
            p.grad = 0.0
        expected.backward()
        assert ours == pytest.approx([p.grad for p in leaves], rel=1e-13)


def test_a_walk_is_not_made_again_while_nothing_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the third call on, no part of the model is walked over."""
    model = nn.MLP(3, [4, 1], rng=0)
    compiled = jit(model)
    for _ in range(3):
        compiled([1.0, 2.0, 3.0])
    monkeypatch.setattr(Visit, "part", None)
    for p in model.parameters():
        p.data += 0.5
    assert compiled([1.0, 2.0, 3.0]).data == pytest.approx(model([1.0, 2.0, 3.0]).data)


def test_two_models_that_share_a_part_are_told_apart_from_two_that_do_not() -> None:
    """What follows a remembered model is walked over as behind one that was walked over."""

    class Half(nn.Module):
        def __init__(self, w: Parameter) -> None:
            self.held: list[Any] = [w, 1.0]

    compiled = jit(lambda a, b, x: a.held[0] * x + b.held[0] * b.held[1])
    a = Half(Parameter(2.0))
    b = Half(a.held[0])
    apart = Half(Parameter(5.0))
    apart.held = [Parameter(5.0), 1.0]
    for _ in range(3):
        assert compiled(a, b, 3.0).data == 8.0
    for _ in range(3):
        assert compiled(a, apart, 3.0).data == 11.0
    b.held = a.held
    assert compiled(a, b, 3.0).data == 8.0


def test_what_a_walk_cannot_compare_is_walked_over_at_each_call() -> None:
    """An array that is an attribute is part of the program, and written in place."""

    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.w, self.by = Parameter(2.0), np.array([1.0, 2.0])

        def __call__(self, x: Any) -> Any:
            return self.w * x * float(self.by[0])

    model = Scaled()
    compiled = jit(model)
    for _ in range(3):
        assert compiled(3.0).data == 6.0
    model.by[0] = 10.0
    assert compiled(3.0).data == 60.0


def test_a_remembered_model_is_given_up() -> None:
    """A compiled function does not keep the last model it was called with."""

    class Line(nn.Module):
        def __init__(self) -> None:
            self.w = [Parameter(2.0)]

    compiled = jit(lambda m, x: m.w[0] * x)
    model = Line()
    for _ in range(4):
        compiled(model, 3.0)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
