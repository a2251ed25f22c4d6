"""Steps on arrays: many parameters move at once, to the bits of one by one."""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, nn, optim
from scalargrad.errors import NumericalError
from scalargrad.optim.group_step import write_data
from scalargrad.optim.state_columns import StateColumns

KINDS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    "nesterov": partial(optim.SGD, lr=0.1, momentum=0.8, nesterov=True, maximize=True),
    "adam": partial(optim.Adam, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    "amsgrad": partial(optim.Adam, lr=0.05, amsgrad=True, maximize=True),
    "adamw": partial(optim.AdamW, lr=0.05, weight_decay=0.2),
    "sparse adam": partial(optim.SparseAdam, lr=0.05),
    "rmsprop": partial(optim.RMSprop, lr=0.02, weight_decay=0.1),
    "centered": partial(optim.RMSprop, lr=0.02, centered=True, momentum=0.5),
    "adagrad": partial(optim.Adagrad, lr=0.1, lr_decay=0.05, initial_accumulator_value=0.1),
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())
COUNT = 50


def _numbers(seed: int) -> list[float]:
    rng = random.Random(seed)
    return [rng.uniform(-2.0, 2.0) for _ in range(COUNT)]


def _one_by_one(make: Callable[[Any], optim.Optimizer], steps: int) -> tuple[Any, Any]:
    """Return parameters and state after steps of optimisers of one parameter each."""
    parameters = [Parameter(x) for x in _numbers(0)]
    optimizers = [make([p]) for p in parameters]
    for step in range(steps):
        for p, optimizer, grad in zip(parameters, optimizers, _numbers(step + 1), strict=True):
            p.grad = grad
            optimizer.step()
    states = [o.state.get(p) for o, p in zip(optimizers, parameters, strict=True)]
    return [p.data for p in parameters], states


@every_kind
def test_many_parameters_move_as_each_alone(make: Callable[[Any], optim.Optimizer]) -> None:
    """Parameters and state equal those of fifty optimisers of one parameter, to the last bit."""
    parameters = [Parameter(x) for x in _numbers(0)]
    optimizer = make(parameters)
    for step in range(4):
        for p, grad in zip(parameters, _numbers(step + 1), strict=True):
            p.grad = grad
        optimizer.step()
    found = [p.data for p in parameters], [optimizer.state.get(p) for p in parameters]
    assert found == _one_by_one(make, 4)


@every_kind
def test_arrays_move_as_parameters_do(make: Callable[[Any], optim.Optimizer]) -> None:
    """`step_arrays` moves the array, keeps the state, counts the step and leaves the objects."""
    parameters = [Parameter(x) for x in _numbers(0)]
    optimizer, data = make(parameters), np.array(_numbers(0))
    for step in range(4):
        assert optimizer.step_arrays(data, np.array(_numbers(step + 1)))
    states = [optimizer.state.get(p) for p in parameters]
    assert (data.tolist(), states) == _one_by_one(make, 4)
    assert optimizer.param_groups[0]["step"] == 4
    assert [p.data for p in parameters] == _numbers(0)


@pytest.mark.parametrize("bad", [math.inf, math.nan, 1e308])
def test_arrays_that_are_not_finite_are_left(bad: float) -> None:
    """A gradient of inf or nan, or a number that overflows, moves nothing, in no group."""
    first, second = [Parameter(1.0), Parameter(1.0)], [Parameter(1.0)]
    optimizer = optim.SGD([{"params": first}, {"params": second, "lr": 1e3}], momentum=0.5, lr=0.1)
    data = np.ones(3)
    assert not optimizer.step_arrays(data, np.array([1.0, 1.0, bad]))
    assert data.tolist() == [1.0, 1.0, 1.0]
    assert (dict(optimizer.state), optimizer.param_groups[0]["step"]) == ({}, 0)


def test_a_rule_of_ones_own_takes_numbers() -> None:
    """A rule that asks questions of numbers moves them one by one, and no arrays."""

    def by_sign(p: float, grad: float, velocity: float, *, lr: float) -> tuple[float, float]:
        return (p - lr if grad > 0.0 else p + lr), velocity

    class Sign(optim.SGD):
        def rule(self, group: Any) -> Any:
            return partial(by_sign, lr=group["lr"])

    parameters = [Parameter(0.0) for _ in range(COUNT)]
    for i, p in enumerate(parameters):
        p.grad = 1.0 if i % 2 else -1.0
    optimizer = Sign(parameters, lr=0.5)
    optimizer.step()
    assert [p.data for p in parameters] == [0.5, -0.5] * (COUNT // 2)
    assert not optimizer.step_arrays(np.zeros(COUNT), np.ones(COUNT))


def test_many_parameters_with_a_gradient_of_none() -> None:
    """Those are passed over; the others move."""
    parameters = [Parameter(1.0) for _ in range(COUNT)]
    for p in parameters[1:]:
        p.grad = 1.0
    parameters[0].grad = None
    optimizer = optim.SGD(parameters, lr=0.5, momentum=0.5)
    optimizer.step()
    assert [p.data for p in parameters] == [1.0] + [0.5] * (COUNT - 1)
    assert parameters[0] not in optimizer.state


def test_many_parameters_take_gradients_of_other_kinds_and_stay_floats() -> None:
    """An int or a scalar of NumPy's, as code of one's own may assign, counts as its number."""
    parameters = [Parameter(1.0) for _ in range(COUNT)]
    others: list[Any] = [np.float32(0.5), 2, True, np.array(4.0)]
    for p, grad in zip(parameters, others, strict=False):
        p.grad = grad
    optim.SGD(parameters, lr=0.5).step()
    assert [p.data for p in parameters] == [0.75, 0.0, 0.5, -1.0] + [1.0] * (COUNT - 4)
    assert {type(p.data) for p in parameters} == {float}


@pytest.mark.parametrize("lines", range(1, 12))
def test_ctrl_c_while_numbers_are_written_leaves_all_old_or_all_new(lines: int) -> None:
    """The interrupt arrives, and no parameter is left behind the others."""
    parameters = [Parameter(1.0) for _ in range(3)]
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        seen += event == "line"
        if frame.f_code is write_data.__code__ and seen == lines:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        with suppress(KeyboardInterrupt):
            write_data(parameters, [2.0, 3.0, 4.0])
    finally:
        sys.settrace(before)
    assert seen >= min(lines, 8)
    assert [p.data for p in parameters] in ([1.0] * 3, [2.0, 3.0, 4.0])


def test_among_many_the_parameter_that_overflows_is_named() -> None:
    """As where they move one by one; none has moved."""
    parameters = [(f"w{i}", Parameter(1.0)) for i in range(COUNT)]
    for _, p in parameters:
        p.grad = 1.0
    parameters[7][1].grad = -1e308
    optimizer = optim.SGD(parameters, lr=100.0)
    with pytest.raises(NumericalError, match="the new value of w7 = 1 is inf"):
        optimizer.step()
    assert all(p.data == 1.0 for _, p in parameters)


def test_infinities_of_both_signs_among_many_name_the_first() -> None:
    """Their sum would be nan, of which NumPy warns; the error is the one promised."""
    parameters = [(f"w{i}", Parameter(1.0)) for i in range(COUNT)]
    for i, (_, p) in enumerate(parameters):
        p.grad = {3: math.inf, 5: -math.inf}.get(i, 1.0)
    with pytest.raises(NumericalError, match="the gradient of w3 = 1 is inf"):
        optim.SGD(parameters, lr=0.1).step()


def test_gradients_whose_sum_overflows_are_finite() -> None:
    """Each of many is finite, so all of them move, without a warning of NumPy's."""
    parameters = [Parameter(1.0) for _ in range(COUNT)]
    for p in parameters:
        p.grad = 1e308
    optim.SGD(parameters, lr=1e-308).step()
    assert [p.data for p in parameters] == pytest.approx([0.0] * COUNT, abs=1e-15)


def test_arrays_visit_what_a_gradient_has_reached() -> None:
    """Of a table, SparseAdam moves the rows reached; a layer beside it is always visited."""
    table, layer = nn.Embedding(3, 2, rng=0), nn.Linear(1, 1, rng=0)
    optimizer = optim.SparseAdam([*table.parameters(), *layer.parameters()], lr=0.5)
    data = np.zeros(8)
    reached = np.array([False, False, True, True, False, False, True, False])
    assert optimizer.step_arrays(data, np.where(reached, 1.0, 0.0), reached)
    assert data == pytest.approx([0.0, 0.0, -0.5, -0.5, 0.0, 0.0, -0.5, 0.0], abs=1e-6)
    known = [*table.weight[1], *layer.parameters()]
    assert list(optimizer.state) == known


def test_a_state_is_a_mapping() -> None:
    """Entries can be read, set and removed; a parameter that is not trained is no key."""
    v, w, stranger = Parameter(1.0), Parameter(2.0), Parameter(3.0)
    state = StateColumns(2)
    state.add([v, w])
    assert (dict(state), len(state), stranger in state) == ({}, 0, False)
    state[w] = (1.0, 2.0)
    assert (dict(state), repr(state)) == ({w: (1.0, 2.0)}, repr({w: (1.0, 2.0)}))
    with pytest.raises(KeyError):
        state[v]
    with pytest.raises(KeyError):
        state[stranger] = (0.0, 0.0)
    with pytest.raises(KeyError):
        del state[v]
    del state[w]
    assert state == {}
    state.replace({v: (3.0, 4.0)})
    state.replace(state)
    assert state == {v: (3.0, 4.0)}
