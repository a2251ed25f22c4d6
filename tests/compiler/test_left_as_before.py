"""Claims about what a call leaves behind that is refused, or that raises an error of its own."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, TraceError, Value, jit, vmap


class State:
    """All that a function may change: numbers, containers, counters and generators."""

    count = 0

    def __init__(self) -> None:
        self.weight, self.rows, self.names = Parameter(1.0, "w"), [0.0], {"a": 1}
        self.deep = Value(3.0)
        self.computed = self.deep * self.deep
        self.array, self.calls = np.zeros(2), 0
        self.rng, self.generator = random.Random(1), np.random.default_rng(1)

    def change(self) -> None:
        """Change everything once."""
        self.weight.data += 1.0
        self.weight.grad = 5.0
        self.computed.backward()
        self.rows.append(float(len(self.rows)))
        self.names["b"] = 2
        self.array += 1.0
        self.calls += 1
        type(self).count += 1
        self.rng.random(), self.generator.random(), random.random(), np.random.random()

    def seen(self) -> Any:
        """Return all of it in a form that can be compared."""
        return (
            [(x.data, x.grad) for x in (self.weight, self.deep, self.computed)],
            [*self.rows],
            {**self.names},
            self.array.tolist(),
            (self.calls, type(self).count),
            [repr(self.rng.getstate()), repr(self.generator.bit_generator.state)],
            [repr(random.getstate()), repr(np.random.get_state())],
        )


def run_by(how: str, f: Callable[[Any], Any]) -> None:
    """Call a function of one number compiled, or as it is."""
    if how == "vmap":
        jit(vmap(f))([2.0, 3.0])
    elif how == "eager":
        f(2.0)
    else:
        jit(f)(2.0 if how == "of floats" else Value(2.0))


@pytest.fixture(autouse=True)
def of_class() -> None:
    """Begin the count in the class at 0, and the shared generators anew."""
    State.count = 0
    random.seed(3)
    np.random.seed(3)


@pytest.mark.parametrize("how", ["of floats", "of Values", "vmap"])
@pytest.mark.parametrize(
    "refused",
    [
        lambda state, x: np.sin(np.array([x, x], dtype=float)),
        lambda state, x: x * state.weight.data,
        lambda state, x: x * state.rng.random(),
        lambda state, x: [x][int(x * 0)],
    ],
    ids=["converts", "reads data", "draws", "indexes"],
)
@pytest.mark.parametrize("is_first", [True, False])
def test_a_refused_call_changes_nothing(
    how: str, refused: Callable[[State, Any], Any], is_first: bool
) -> None:
    """What is refused has not happened, wherever the function would have changed something.

    Unless it raises an error in eager evaluation, too: that is the next test.
    """
    state = State()

    def f(x: Any) -> Any:
        if is_first:
            state.change()
        result = refused(state, x)
        if not is_first:
            state.change()
        return result

    before = state.seen()
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of whatever is refused
        run_by(how, f)
    if is_first and _raises_eagerly(refused, how):
        assert state.seen() != before
    else:
        assert state.seen() == before, caught.value


def _raises_eagerly(f: Callable[[State, Any], Any], how: str) -> bool:
    try:
        f(State(), Value(2.0) if how == "of Values" else 2.0)
    except Exception:  # noqa: BLE001 - of any kind
        return True
    return False


@pytest.mark.parametrize("how", ["of floats", "of Values"])
def test_an_error_leaves_what_eager_evaluation_leaves(how: str) -> None:
    """An error of the function arrives as it is; what was changed before it has changed once."""

    def outcome(by: str) -> tuple[Any, str, str]:
        of_class.__wrapped__()  # type: ignore[attr-defined]
        State.count = 0
        state = State()

        def f(x: Any) -> Any:
            state.rows.append(0.5)
            state.calls += 1
            state.names["b"] = state.names.get("b", 0) + 1
            state.rng.random()
            if state.calls:
                raise KeyError("no such row")
            return x

        with pytest.raises(KeyError) as caught:
            run_by(by, f)
        return state.seen(), type(caught.value).__name__, str(caught.value)

    assert outcome(how) == outcome("eager")


def test_an_error_after_a_change_of_numbers() -> None:
    """So have the numbers of a Value that were set before the error."""
    weight, log = Parameter(1.0), [0.0]

    def f(x: Any) -> Any:
        weight.data += 1.0
        log.append(weight.data)
        raise ZeroDivisionError("no loss")

    for k in (1, 2, 3):
        with pytest.raises(ZeroDivisionError, match="no loss"):
            jit(f)(2.0)
        assert (weight.data, log) == (1.0 + k, [0.0, *(1.0 + i for i in range(1, k + 1))])


def test_a_refused_call_can_be_made_again() -> None:
    """After the remedy, here jit taken away, the function starts from where it was."""
    weight = Parameter(1.0)

    def f(x: Any) -> Any:
        weight.data *= 2.0
        return x * weight

    for _ in range(2):
        with pytest.raises(TraceError, match=r"\.data was"):
            jit(f)(3.0)
    assert f(3.0).data == 6.0
