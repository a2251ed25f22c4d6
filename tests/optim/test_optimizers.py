"""Optimisers move parameters by the formulas of their papers, all or none, and can be resumed."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.interrupts import is_interrupted

from scalargrad import Parameter, Value, gradients, log, losses, nn, optim
from scalargrad.errors import (
    DomainError,
    NumericalError,
    OperandError,
    StateError,
    TrainingWarning,
)
from scalargrad.optim import rules

#: Adam's betas, not both one number; with them 1 - βᵗ is 1/2 and 1/4, then 3/4 and 7/16.
B: dict[str, Any] = {"betas": (0.5, 0.75), "eps": 1.0}
R: dict[str, Any] = {"alpha": 0.75, "eps": 1.0}
V, V2 = sqrt((9 / 4) / (7 / 16)), sqrt(31 / 7)  # roots of Adam's second moments, corrected

#: An optimiser, its options, the gradients of its steps, and where a parameter from 2 ends.
CASES: list[tuple[str, dict[str, Any], list[float], float]] = [
    ("SGD", {}, [3.0, 1.0], 2.0 - 0.3 - 0.1),
    ("SGD", {"weight_decay": 0.5}, [3.0], 2.0 - 0.1 * 4.0),
    ("SGD", {"maximize": True}, [3.0], 2.3),
    # v = 3, then 0.5 · 3 + 1; the first step is not dampened; nesterov: along 3 + 0.5 · 3, then …
    ("SGD", {"momentum": 0.5}, [3.0, 1.0], 2.0 - 0.3 - 0.25),
    ("SGD", {"momentum": 0.5, "dampening": 0.25}, [3.0, 1.0], 2.0 - 0.3 - 0.225),
    ("SGD", {"momentum": 0.5, "nesterov": True}, [3.0, 1.0], 2.0 - 0.45 - 0.225),
    # m = 3/2, v = 9/4; corrected 3 and 9; then m = 1/4, v = 31/16; corrected 1/3 and 31/7
    ("Adam", B, [3.0, -1.0], 1.925 - 0.1 / 3 / (V2 + 1)),
    ("Adam", {**B, "weight_decay": 0.5}, [3.0], 2.0 - 0.1 * 4 / (4 + 1)),
    ("Adam", {**B, "maximize": True}, [3.0], 2.075),
    # v = 27/16 after 9/4, which stays the largest; m = 3/4, corrected 1
    ("Adam", {**B, "amsgrad": True}, [3.0, 0.0], 1.925 - 0.1 / (V + 1)),
    # w shrinks by 1 - 0.1 · 0.5 first
    ("AdamW", {**B, "weight_decay": 0.5}, [3.0, -1.0], 1.825 * 0.95 - 0.1 / 3 / (V2 + 1)),
    ("AdamW", {**B, "weight_decay": 0.0, "amsgrad": True}, [3.0, 0.0], 1.925 - 0.1 / (V + 1)),
    ("AdamW", {**B, "weight_decay": 0.5, "maximize": True}, [3.0], 2.0 * 0.95 + 0.075),
    # a hundredth of lr is its weight decay if none is given, and lr a thousandth
    ("AdamW", {"lr": 1e-3}, [3.0], 2.0 * (1 - 1e-5) - 1e-3),
    # eps beside the uncorrected root 3/2: lr · √(1/4) / (1/2) · (3/2) / (3/2 + 1)
    ("SparseAdam", B, [3.0, -1.0],
     1.94 - 0.1 * sqrt(7 / 16) / (3 / 4) * (1 / 4) / (sqrt(31 / 16) + 1)),
    ("SparseAdam", {**B, "maximize": True}, [3.0], 2.06),
    # mean square 9/4; variance 9/4 - (3/4)²; steps 6/5, then half of it and 3 / (√(63/16) + 1)
    ("RMSprop", R, [3.0], 2.0 - 0.1 * 3 / (1.5 + 1)),
    ("RMSprop", {**R, "weight_decay": 0.5}, [3.0], 2.0 - 0.1 * 4 / (2 + 1)),
    ("RMSprop", {**R, "centered": True}, [3.0], 2.0 - 0.1 * 3 / (sqrt(27 / 16) + 1)),
    ("RMSprop", {**R, "momentum": 0.5}, [3.0, 3.0], 1.88 - 0.1 * (0.6 + 3 / (sqrt(63 / 16) + 1))),
    ("RMSprop", {**R, "maximize": True}, [3.0], 2.12),
    # sums 7 + 9 and 25; rates 0.1 and 0.1 / 1.5
    ("Adagrad", {"lr_decay": 0.5, "initial_accumulator_value": 7.0, "eps": 1.0}, [3.0, 3.0],
     2.0 - 0.1 * 3 / (4 + 1) - 0.1 / 1.5 * 3 / (5 + 1)),
    ("Adagrad", {"weight_decay": 0.5, "eps": 1.0}, [3.0], 2.0 - 0.1 * 4 / (4 + 1)),
    ("Adagrad", {"eps": 1.0, "maximize": True}, [3.0], 2.0 + 0.1 * 3 / (3 + 1)),
]  # fmt: skip


def test_an_option_does_what_its_paper_says() -> None:
    """By hand: a parameter alone, and forty that move at once."""
    for name, options, slopes, expected in CASES:
        for many in (1, 40):
            parameters = [Parameter(2.0) for _ in range(many)]
            optimizer = getattr(optim, name)(parameters, **{"lr": 0.1, **options})
            for gradient in slopes:
                for p in parameters:
                    p.grad = gradient
                optimizer.step()
            assert [p.data for p in parameters] == pytest.approx([expected] * many, rel=1e-9)


KINDS: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd": partial(optim.SGD, lr=0.1),
    "momentum": partial(optim.SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    "nesterov": partial(optim.SGD, lr=0.1, momentum=0.8, nesterov=True, maximize=True),
    "adam": partial(optim.Adam, lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1),
    "amsgrad": partial(optim.Adam, lr=0.05, amsgrad=True, maximize=True),
    "adamw": partial(optim.AdamW, lr=0.05, weight_decay=0.2),
    "sparse adam": partial(optim.SparseAdam, lr=0.05),
    "rmsprop": partial(optim.RMSprop, lr=0.02, centered=True, momentum=0.5),
    "adagrad": partial(optim.Adagrad, lr=0.1, lr_decay=0.05, initial_accumulator_value=0.1),
}
every_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS.keys())


@every_kind
def test_many_parameters_move_as_each_alone(make: Callable[[Any], optim.Optimizer]) -> None:
    """Parameters and state equal those of fifty optimisers of one parameter, to the last bit."""
    together, apart = ([Parameter(math.sin(i)) for i in range(50)] for _ in range(2))
    optimizer, optimizers = make(together), [make([p]) for p in apart]
    for step in range(4):
        for i in range(50):
            together[i].grad = apart[i].grad = 2.0 * math.cos(7.0 * step + i * i)
        for one in (optimizer, *optimizers):
            one.step()
    assert [p.data for p in together] == [p.data for p in apart]
    found = [optimizer.state.get(p) for p in together]
    assert found == [o.state.get(p) for o, p in zip(optimizers, apart, strict=True)]


# The formulas as functions -----------------------------------------------------------------------


def test_an_update_can_be_differentiated_by_the_learning_rate() -> None:
    """D loss(w - lr·g) / d lr = -g(w)·g(w'): the hypergradient of Baydin et al., 2018."""
    lr, w = Value(0.1), Value(2.0)
    grad = gradients(w * w, w, create_graph=True)
    moved, _ = rules.sgd(w, grad, 0.0, lr=lr)
    assert gradients(moved * moved, lr) == pytest.approx(-4.0 * 2.0 * moved.data, rel=1e-12)
    assert rules.sgd(3.0, 2.0, 5.0, lr=0.5)[0] == 2.0  # a velocity counts with momentum only
    assert rules.adagrad(parameter=2.0, grad=3.0, total=7.0, lr=0.5, eps=1.0) == (1.7, 16.0)


# All or nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize("many", [3, 40])
def test_a_gradient_that_is_not_finite_changes_nothing(many: int) -> None:
    """The first such parameter is named, and no parameter, state or step count moves."""
    named = [Parameter(1.0, f"w{i}") for i in range(many)]
    optimizer = optim.Adam(named)
    for step in range(2):
        for p in named:
            p.grad = 0.5 + step
        optimizer.step()
    before = [p.data for p in named], optimizer.state_dict()
    for bad, other in ((math.inf, -math.inf), (-math.inf, 1.0), (math.nan, math.inf)):
        named[1].grad, named[2].grad = bad, other
        with pytest.raises(NumericalError, match="w1"):
            optimizer.step()
        assert ([p.data for p in named], optimizer.state_dict()) == before


@pytest.mark.parametrize("many", [2, 50])
def test_a_step_that_would_overflow_changes_nothing(many: int) -> None:
    """The new value is looked at before anything is written; what only adds up to inf moves."""
    named = [Parameter(1.0, f"w{i}") for i in range(many)]
    for p in named:
        p.grad = 1e308
    with pytest.raises(NumericalError, match="w0"):
        optim.SGD(named, lr=100.0).step()
    assert all(p.data == 1.0 for p in named)
    optim.SGD(named, lr=1e-308).step()
    assert [p.data for p in named] == pytest.approx([0.0] * many, abs=1e-15)
    optimizer = optim.Adagrad(named, eps=0.0)
    for p in named:
        p.grad = 0.0
    with pytest.raises(NumericalError, match="w0"):  # 0/0, which PyTorch writes down as nan
        optimizer.step()


@pytest.mark.parametrize("name", ["SGD", "Adam", "SparseAdam"])
def test_step_warns_once_where_no_gradient_has_arrived_since_zero_grad(name: str) -> None:
    """Before the first backward, and where it is forgotten later; a gradient of 0 has arrived."""
    w = Parameter(3.0)
    for has_begun in (False, True):
        optimizer = getattr(optim, name)([w], lr=0.1)
        if has_begun:
            (w * w).backward()
        optimizer.zero_grad()
        with pytest.warns(TrainingWarning, match=r"call loss\.backward\(\)") as found:
            optimizer.step()
        assert found[0].filename == __file__
        optimizer.step()  # once
    optimizer = getattr(optim, name)([w], lr=0.1)
    for factor in (3.0, 0.0):
        optimizer.zero_grad()
        (w * factor).backward()
        optimizer.step()
    optimizer.step()  # with the gradients before


def test_step_warns_where_the_loss_reads_no_parameter() -> None:
    """As one of detached Values; a step over an embedding of which nothing is read, too."""
    w, table = Parameter(3.0), nn.Embedding(50, 2, rng=0)
    optimizer = optim.SGD([w, *table.parameters()], lr=0.1)
    (w.detach() * w.detach()).backward()
    with pytest.warns(TrainingWarning, match="on a loss that is computed from the parameters"):
        optimizer.step()
    optimizer.zero_grad()
    table(3)[0].backward()
    optimizer.has_warned = False
    optimizer.step()


@pytest.mark.parametrize("many", [4, 50])
def test_gradients_of_other_kinds_count_as_their_numbers(many: int) -> None:
    """NumPy's numbers, an int, True; a gradient of None is passed over, even by momentum."""
    parameters = [Parameter(1.0) for _ in range(many + 1)]
    others: list[Any] = [np.float32(0.5), 2, True, np.array(4.0)]
    for p, grad in zip(parameters, others, strict=False):
        p.grad = grad
    parameters[-1].grad = None  # type: ignore[assignment]
    optimizer = optim.SGD(parameters, lr=0.5, momentum=0.5)
    optimizer.step()
    assert [p.data for p in parameters] == [0.75, 0.0, 0.5, -1.0] + [1.0] * (many - 3)
    assert {type(p.data) for p in parameters} == {float}
    assert optimizer.state[parameters[-1]] == {"momentum_buffer": 0.0}


@pytest.mark.parametrize("many", [3, 40])
def test_ctrl_c_during_a_step_leaves_all_old_or_all_new(many: int) -> None:
    """Whichever line of the optimiser it arrives at, no parameter is left behind the others."""
    optimizer = optim.SGD([Parameter(1.0) for _ in range(many)], lr=0.5)
    [group] = optimizer.param_groups
    found, line, is_under_way = set[tuple[float, ...]](), 0, True
    while is_under_way:
        line += 1
        for p in group["params"]:
            p.data = p.grad = 1.0
        is_under_way = is_interrupted(optimizer.step, line, "scalargrad.optim")
        found.add(tuple(p.data for p in group["params"]))
    assert line > 10
    assert found == {(1.0,) * many, (0.5,) * many}


def test_a_rule_of_ones_own_takes_numbers() -> None:
    """A rule that asks questions of numbers moves them one by one, however many there are."""

    def by_sign(p: float, grad: float, velocity: float, *, lr: float) -> tuple[float, float]:
        return (p - lr if grad > 0.0 else p + lr), velocity

    class Sign(optim.SGD):
        def rule(self, group: Any) -> Any:
            return partial(by_sign, lr=group["lr"])

    parameters = [Parameter(0.0) for _ in range(50)]
    for i, p in enumerate(parameters):
        p.grad = 1.0 if i % 2 else -1.0
    Sign(parameters, lr=0.5).step()
    assert [p.data for p in parameters] == [0.5, -0.5] * 25


# Which parameters --------------------------------------------------------------------------------


def test_groups_have_options_of_their_own() -> None:
    """A dict gives a group; others can be added later, and begin at step 0."""
    a, b, c = Parameter(1.0), Parameter(1.0), Parameter(1.0)
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    a.grad = b.grad = 0.0
    optimizer.step()
    optimizer.add_param_group({"params": [c], "lr": 1.0})
    for parameter in (a, b, c):
        parameter.grad = 1.0
    optimizer.step()
    assert [p.data for p in (a, b, c)] == [0.9, 0.5, 0.0]
    assert [group["step"] for group in optimizer.param_groups] == [2, 1 + 1, 1]
    with pytest.raises(OperandError, match="twice"):
        optimizer.add_param_group({"params": [c]})


@pytest.mark.parametrize("name", ["SGD", "SparseAdam", "Adagrad"])
def test_a_step_over_a_vocabulary_moves_the_words_present(name: str) -> None:
    """Three words give gradient to 30 of 20,032 parameters, and to the dense rest."""
    net = nn.Sequential(nn.Linear(2_000, 10, rng=0), nn.ReLU(), nn.Linear(10, 2, rng=1))
    first: Any = net[0]
    optimizer = getattr(optim, name)(net.parameters(), lr=0.1)
    before = net.state_dict()["0.weight"]
    losses.cross_entropy(net({5: 1.0, 77: 2.0, 1_999: 1.0}), 1).backward()
    assert len(optimizer.active_parameters()) == 30 + 10 + 20 + 2
    optimizer.step()
    optimizer.zero_grad()
    assert optimizer.active_parameters() == [*first.bias, *net[2].bias]  # type: ignore[attr-defined]
    after = net.state_dict()["0.weight"]
    moved = {i for a, b in zip(before, after, strict=True) for i in range(2_000) if a[i] != b[i]}
    assert moved == {5, 77, 1_999}


def test_only_the_parameters_given_are_moved() -> None:
    """Two optimisers share a table: each moves and clears its own."""
    table = nn.Embedding(2, 1, rng=0)
    first = optim.SGD(list(table.weight[0]), lr=1.0)
    (table(0)[0] + table(1)[0]).backward()
    kept = table.weight[1][0].data
    first.step()
    assert table.weight[1][0].data == kept
    assert first.active_parameters() == [table.weight[0][0]]
    first.zero_grad()
    assert [row[0].grad for row in table.weight] == [0.0, 1.0]


def test_a_closure_is_run_and_its_loss_returned() -> None:
    """As PyTorch's step(closure)."""
    w = Parameter(3.0)
    optimizer = optim.SGD([w], lr=0.25)

    def closure() -> Value:
        optimizer.zero_grad()
        loss = w * w
        loss.backward()
        return loss

    assert optimizer.step(closure).data == 9.0
    assert w.data == 1.5
    assert optimizer.step() is None


# States ------------------------------------------------------------------------------------------


@every_kind
def test_a_run_resumes_to_the_last_bit(make: Callable[[Any], optim.Optimizer]) -> None:
    """Weights and optimiser through JSON and back, in the middle of a run over sparse input."""

    def model() -> nn.Sequential:
        return nn.Sequential(nn.Linear(6, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))

    def train(net: nn.Sequential, optimizer: optim.Optimizer, steps: range) -> None:
        for step in steps:
            optimizer.zero_grad()
            x = {step % 6: 1.0, step * step % 5: -0.5}
            losses.mse_loss(net(x), [math.sin(step)]).backward()
            optimizer.step()

    whole, first, second = model(), model(), model()
    train(whole, make(whole.parameters()), range(20))
    optimizer = make(first.parameters())
    train(first, optimizer, range(11))
    saved = json.loads(json.dumps([first.state_dict(), optimizer.state_dict()]))
    resumed = make(second.parameters())
    second.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    options = [[{**group, "params": []} for group in x.param_groups] for x in (optimizer, resumed)]
    assert options[0] == options[1]  # tuples, which JSON does not have, included
    train(second, resumed, range(11, 20))
    assert second.state_dict() == whole.state_dict()


def test_the_state_is_arranged_as_in_pytorch() -> None:
    """By the number of the parameter, then by name; in memory, by the parameter itself."""
    w, other = Parameter(1.0), Parameter(2.0)
    optimizer = optim.SGD([w, other], lr=0.1, momentum=0.5)
    assert optimizer.state == {}
    w.grad, other.grad = 2.0, None  # type: ignore[assignment]
    optimizer.step()
    expected = {"momentum_buffer": 2.0}, {"momentum_buffer": 0.0}
    assert optimizer.state == dict(zip((w, other), expected, strict=True))
    found = optimizer.state_dict()
    assert found["state"] == dict(enumerate(expected))
    assert found["param_groups"][0]["params"] == [0, 1]
    assert found["param_groups"][0]["step"] == 1


def saved(**options: Any) -> dict[str, Any]:
    """Return a group of one parameter as SGD saves it, with some options exchanged."""
    (group,) = optim.SGD([Parameter(1.0)], lr=0.1).state_dict()["param_groups"]
    return {**group, "step": 1, **options}


def test_a_state_that_does_not_fit_changes_nothing() -> None:
    """Other parameters or rules, and options out of range; what is damaged is in test_fuzz."""
    states: list[Any] = [{7: {"momentum_buffer": 0.0}}, {0: {"momentum_buffer": math.nan}},
                         {0: {"exp_avg": 0.0}}]  # fmt: skip
    options: list[tuple[str, Any]] = [
        *(("params", [0, 1]), ("step", -5), ("lr", -1.0), ("nesterov", 1.0), ("initial_lr", "0.1"))
    ]
    cases: list[Any] = [
        *({"state": state, "param_groups": [saved()]} for state in states),
        *({"state": {}, "param_groups": [saved(**{name: x})]} for name, x in options),
    ]
    for state in cases:
        optimizer = optim.SGD([Parameter(1.0)], lr=0.1)
        before = optimizer.state_dict()
        with pytest.raises(StateError):
            optimizer.load_state_dict(state)
        assert optimizer.state_dict() == before


def stepped(name: str) -> optim.Optimizer:
    """Return an optimizer of one parameter after a step."""
    parameter = Parameter(1.0)
    optimizer: optim.Optimizer = getattr(optim, name)([parameter])
    parameter.grad = 1.0
    optimizer.step()
    return optimizer


#: Every optimizer, and each state of its rule that cannot be negative, being a mean of squares.
SQUARES = [("Adam", "exp_avg_sq"), ("AdamW", "exp_avg_sq"), ("SparseAdam", "exp_avg_sq"),
           ("RMSprop", "square_avg"), ("Adagrad", "sum")]  # fmt: skip


@pytest.mark.parametrize("per_tensor", [False, True])
@pytest.mark.parametrize("step", ["3", 10**400, 2.5, -1, True, math.nan, None, 2**60], ids=str)
@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW", "SparseAdam", "RMSprop", "Adagrad"])
def test_load_state_dict_refuses_a_step_that_is_not_a_count(
    name: str, step: Any, per_tensor: bool
) -> None:
    """Ours is of a group, PyTorch's of a tensor; text that float() reads is not a number."""
    optimizer = stepped(name)
    before = optimizer.state_dict()
    state = optimizer.state_dict()
    if per_tensor:
        del state["param_groups"][0]["step"]
        state["state"].setdefault(0, {})["step"] = step
    else:
        state["param_groups"][0]["step"] = step
    with pytest.raises(StateError, match="step"):
        optimizer.load_state_dict(state)
    assert optimizer.state_dict() == before


@pytest.mark.parametrize("x", ["1", 10**400, -1.0, math.nan, None, [1.0]], ids=str)
@pytest.mark.parametrize(("name", "square"), SQUARES)
def test_load_state_dict_refuses_a_mean_of_squares_out_of_range(
    name: str, square: str, x: Any
) -> None:
    """Its root is taken at the next step."""
    optimizer = stepped(name)
    before = optimizer.state_dict()
    state = optimizer.state_dict()
    state["state"][0][square] = x
    with pytest.raises(StateError):
        optimizer.load_state_dict(state)
    assert optimizer.state_dict() == before


@pytest.mark.parametrize("kind", [set, frozenset])
def test_optimizer_refuses_a_set_of_parameters(kind: Any) -> None:
    """States are saved by position, and a set has another order in each process."""
    parameters = [Parameter(float(i)) for i in range(9)]
    for params in (kind(parameters), [{"params": kind(parameters)}]):
        with pytest.raises(OperandError, match="give a list"):
            optim.Adam(params)
    kept = optim.Adam(dict.fromkeys(parameters).keys()).param_groups[0]["params"]
    assert kept == parameters


# Options -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lr", [np.float32(0.1), np.array(0.1), True], ids=repr)
def test_a_rate_of_another_kind_leaves_parameters_floats(lr: Any) -> None:
    """Given or assigned, it counts as the float that it is: no digit of a parameter is lost."""
    results = []
    for rate in (lr, float(lr)):
        given, assigned = Parameter(1.0 / 3.0), Parameter(1.0 / 3.0)
        optimizers = [optim.Adam([given], lr=rate), optim.Adam([assigned], lr=0.5)]
        optimizers[1].param_groups[0]["lr"] = rate
        for optimizer, w in zip(optimizers, (given, assigned), strict=True):
            w.grad = 0.7
            optimizer.step()
            assert type(w.data) is float
            assert all(type(x) is float for x in optimizer.state[w].values())
        results.append((given.data, assigned.data))
    assert results[0] == results[1]


@pytest.mark.parametrize("lr", ["0.1", None, [0.1], Value(0.1), -0.1, math.nan, 10**400])
def test_a_rate_that_is_no_number_is_refused(lr: Any) -> None:
    """Where it is given, and at the step where it was assigned; nothing has moved then."""
    with pytest.raises((OperandError, DomainError), match="lr"):
        optim.SGD([Parameter(1.0)], lr=lr)
    w = Parameter(1.0)
    optimizer = optim.SGD([w], lr=0.1)
    w.grad = 1.0
    optimizer.param_groups[0]["lr"] = lr
    with pytest.raises((OperandError, DomainError), match="lr"):
        optimizer.step()
    assert (w.data, optimizer.param_groups[0]["step"]) == (1.0, 0)


# Clipping ----------------------------------------------------------------------------------------


def parameters(*grads: float) -> list[Parameter]:
    """Build parameters with these gradients."""
    found = [Parameter(0.0) for _ in grads]
    for parameter, grad in zip(found, grads, strict=True):
        parameter.grad = grad
    return found


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=5), st.floats(0.01, 1e3))
def test_the_direction_stays_and_the_length_is_limited(grads: list[float], limit: float) -> None:
    """The length before is returned."""
    found = parameters(*grads)
    norm = optim.clip_grad_norm_(found, limit)
    assert norm == pytest.approx(math.sqrt(math.fsum(g * g for g in grads)))
    factor = min(1.0, limit / (norm + 1e-6))
    assert [p.grad for p in found] == pytest.approx([factor * g for g in grads])


def test_norms_at_the_edges() -> None:
    """The Euclidean norm and the largest gradient; an infinite limit only measures."""
    cases: list[tuple[tuple[float, ...], float, float]] = [
        ((), 2.0, 0.0),
        ((0.0, 0.0), math.inf, 0.0),
        ((3.0, -4.0), math.inf, 4.0),
        ((3.0, -4.0), 2.0, 5.0),
        ((1e200, -1e200), 2.0, 2.0**0.5 * 1e200),
        ((math.inf, 1.0), math.inf, math.inf),
        ((math.nan, 1.0), math.inf, math.nan),
        ((1.5e308, 1.5e308), 2.0, math.inf),
        ((5e-324, 0.0), math.inf, 5e-324),
    ]
    for grads, p, norm in cases:
        found = parameters(*grads)
        measured = optim.clip_grad_norm_(found, math.inf, p, error_if_nonfinite=False)
        assert measured == pytest.approx(norm, rel=1e-14, abs=0.0, nan_ok=True)
        if math.isfinite(norm):
            assert tuple(p.grad for p in found) == grads
        else:
            again = parameters(*grads)
            with pytest.raises(NumericalError):
                optim.clip_grad_norm_(again, 1.0, p)
            assert [x.grad for x in again] == pytest.approx(list(grads), nan_ok=True)


# Line search -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lr", "options", "rate"),
    [
        (16.0, {}, 0.5),  # on w² the error is multiplied by 1 - 2η: it falls where η < 1
        (0.25, {}, 0.25),
        (0.75, {"sufficient_decrease": 0.0}, 0.75),
        (0.75, {"sufficient_decrease": 0.5}, 0.375),  # by 36η(1 - η) > 36cη where η < 1 - c
        (1.5, {"factor": 0.1}, 0.15),
    ],
)
def test_the_rate_is_lowered_until_the_loss_falls_enough(
    lr: float, options: dict[str, Any], rate: float
) -> None:
    """Gradient descent from 3 on w², by Armijo's condition; the loss after the step is returned."""
    w = Parameter(3.0)
    optimizer = optim.SGD([w], lr=lr)
    found = optim.backtracking_line_search(optimizer, lambda: w * w, **options)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(rate)
    assert w.data == pytest.approx(3.0 - rate * 6.0)
    assert found == pytest.approx(w.data**2)


def test_at_a_minimum_nothing_is_changed() -> None:
    """No rate lowers the loss, so parameter, rate, state and step count stay."""
    w = Parameter(0.0)
    optimizer = optim.SGD([w], lr=0.25, momentum=0.5)
    assert optim.backtracking_line_search(optimizer, lambda: w * w + 1.0) == 1.0
    assert (w.data, optimizer.param_groups[0]["lr"], optimizer.state) == (0.0, 0.25, {})
    assert optimizer.param_groups[0]["step"] == 0


def test_steps_out_of_the_domain_and_beyond_the_floats_count_as_failures() -> None:
    """From 2 a step of 16 on w - ln w would leave the domain of the logarithm."""
    w, far = Parameter(2.0), Parameter(1e200)
    loss = optim.backtracking_line_search(optim.SGD([w], lr=16.0), lambda: w - log(w))
    assert loss < 2.0 - math.log(2.0)
    assert w.data > 0.0
    optimizer = optim.SGD([far], lr=1e200)
    found = optim.backtracking_line_search(optimizer, lambda: abs(far), factor=0.001)
    assert found < 1e200


def test_a_rule_with_memory_is_taken_back_whole() -> None:
    """Adam's failed trials leave no trace: one step at the rate found gives the same."""
    found, direct = Parameter(3.0), Parameter(3.0)
    optimizer = optim.Adam([found], lr=64.0)
    optim.backtracking_line_search(optimizer, lambda: found * found)
    twin = optim.Adam([direct], lr=optimizer.param_groups[0]["lr"])
    (direct * direct).backward()
    twin.step()
    assert found.data == direct.data
    assert list(optimizer.state.values()) == list(twin.state.values())


def test_options_of_a_search_out_of_range_are_refused() -> None:
    """A factor of 1 would search for ever."""
    w = Parameter(1.0)
    for name in ("factor", "sufficient_decrease"):
        for odd in (1.0, -0.1):
            with pytest.raises(DomainError, match=name):
                optim.backtracking_line_search(optim.SGD([w]), lambda: w * w, **{name: odd})
