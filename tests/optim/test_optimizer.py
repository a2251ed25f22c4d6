"""A step is all or nothing, costs what was touched, and can be resumed to the last bit."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import (
    DomainError,
    NumericalError,
    OperandError,
    Parameter,
    StateError,
    Value,
    losses,
    nn,
    optim,
)

OPTIMISERS: list[Callable[..., optim.Optimizer]] = [
    lambda p: optim.SGD(p, lr=0.1),
    lambda p: optim.SGD(p, lr=0.1, momentum=0.9),
    lambda p: optim.Adam(p, lr=0.1),
    lambda p: optim.Adam(p, lr=0.1, amsgrad=True),
    lambda p: optim.AdamW(p, lr=0.1),
    lambda p: optim.SparseAdam(p, lr=0.1),
    lambda p: optim.RMSprop(p, lr=0.1, momentum=0.5, centered=True),
    lambda p: optim.Adagrad(p, lr=0.1),
]

every_optimiser = pytest.mark.parametrize("build", OPTIMISERS)


def model() -> nn.Sequential:
    """Build 6 → 3 → 1, the first layer on sparse input."""
    return nn.Sequential(nn.Linear(6, 3, rng=0), nn.Tanh(), nn.Linear(3, 1, rng=1))


def train(net: nn.Sequential, optimizer: optim.Optimizer, steps: range) -> None:
    """Fit a function of two sparse entries."""
    for step in steps:
        optimizer.zero_grad()
        x = {step % 6: 1.0, step * step % 5: -0.5}
        losses.mse_loss(net(x), [math.sin(step)]).backward()
        optimizer.step()


@every_optimiser
@pytest.mark.parametrize("bad", [math.inf, -math.inf, math.nan])
def test_a_gradient_that_is_not_finite_changes_nothing(
    build: Callable[..., optim.Optimizer], bad: float
) -> None:
    """The parameter is named, and no parameter, state or step count moves."""
    net = model()
    optimizer = build(net.named_parameters())
    train(net, optimizer, range(3))
    before, state = net.state_dict(), optimizer.state_dict()
    net[2].bias[0].grad = bad  # type: ignore[attr-defined]
    with pytest.raises(NumericalError, match=r"gradient of 2\.bias\.0 = .*no parameter was"):
        optimizer.step()
    assert net.state_dict() == before
    assert optimizer.state_dict() == state


def test_a_step_that_would_overflow_changes_nothing() -> None:
    """The new value is looked at before anything is written."""
    first, second = Parameter(1.0), Parameter(1e308, "w")
    first.grad, second.grad = 1.0, -1e308
    with pytest.raises(NumericalError, match="new value of w = 1e"):
        optim.SGD([first, second], lr=10.0).step()
    assert first.data == 1.0


def test_a_division_by_zero_is_named_too() -> None:
    """Eps = 0 and no gradient leave Adagrad with 0/0, which PyTorch writes down as nan."""
    w = Parameter(1.0)
    with pytest.raises(NumericalError, match="new value of parameter 0 = 1 is nan"):
        optim.Adagrad([w], eps=0.0).step()
    assert w.data == 1.0


@every_optimiser
def test_a_run_resumes_to_the_last_bit(build: Callable[..., optim.Optimizer]) -> None:
    """Weights and optimiser through JSON and back, in the middle of a run."""
    whole, first, second = model(), model(), model()
    train(whole, build(whole.parameters()), range(20))
    optimizer = build(first.parameters())
    train(first, optimizer, range(11))
    saved = json.loads(json.dumps([first.state_dict(), optimizer.state_dict()]))
    resumed = build(second.parameters())
    second.load_state_dict(saved[0])
    resumed.load_state_dict(saved[1])
    options = [[{**group, "params": []} for group in x.param_groups] for x in (optimizer, resumed)]
    assert options[0] == options[1]  # tuples, which JSON does not have, included
    train(second, resumed, range(11, 20))
    assert second.state_dict() == whole.state_dict()


def test_the_state_is_arranged_as_in_pytorch() -> None:
    """By the number of the parameter, then by name."""
    w = Parameter(1.0)
    optimizer = optim.Adam([w, Parameter(2.0)])
    w.grad = 2.0
    optimizer.step()
    found = optimizer.state_dict()
    assert found["state"][0]["exp_avg"] == pytest.approx(0.2, rel=1e-12)
    assert found["param_groups"][0]["params"] == [0, 1]
    assert found["param_groups"][0]["step"] == 1


def saved(**options: Any) -> dict[str, Any]:
    """Return a group of one parameter as SGD saves it, with some options exchanged."""
    (group,) = optim.SGD([Parameter(1.0)], lr=0.1).state_dict()["param_groups"]
    return {**group, "step": 1, **options}


BAD_STATES: list[Any] = [
    None,
    {},
    {"state": {}, "param_groups": []},
    {"state": {}, "param_groups": [saved(params=[0, 1])]},
    {"state": {}, "param_groups": [{"params": [0], "step": 1}]},
    {"state": {7: {"momentum_buffer": 0.0}}, "param_groups": [saved()]},
    {"state": {-1: {"momentum_buffer": 0.0}}, "param_groups": [saved()]},
    {"state": {0.5: {"momentum_buffer": 0.0}}, "param_groups": [saved()]},
    {"state": {0: {"exp_avg": 0.0}}, "param_groups": [saved()]},
    {"state": {0: {"momentum_buffer": "x"}}, "param_groups": [saved()]},
    {"state": {0: {"momentum_buffer": 10**400}}, "param_groups": [saved()]},
    {"state": {0: {"momentum_buffer": math.nan}}, "param_groups": [saved()]},
    {"state": {"first": {"momentum_buffer": 0.0}}, "param_groups": [saved()]},
    {"state": [], "param_groups": [saved()]},
    {"state": {}, "param_groups": [saved(step=1.5)]},
    {"state": {}, "param_groups": [saved(step=-5)]},
    {"state": {}, "param_groups": [saved(step=10**400)]},  # Adam would raise a float to it
    {"state": {}, "param_groups": [saved(lr="high")]},
    {"state": {}, "param_groups": [saved(lr=10**400)]},
    {"state": {}, "param_groups": [saved(nesterov=1.0)]},
    {"state": {}, "param_groups": [saved(initial_lr="0.1")]},  # which a schedule multiplies
]


@pytest.mark.parametrize("state", BAD_STATES)
def test_a_state_that_does_not_fit_changes_nothing(state: Any) -> None:
    """Other groups, parameters or rules, and what is no state at all."""
    optimizer = optim.SGD([Parameter(1.0)], lr=0.1)
    before = optimizer.state_dict()
    with pytest.raises(StateError):
        optimizer.load_state_dict(state)
    assert optimizer.state_dict() == before


def test_options_in_a_state_are_checked() -> None:
    """A negative rate is refused from a file as it is from a program."""
    optimizer = optim.SGD([Parameter(1.0)], lr=0.1)
    with pytest.raises(StateError, match="nothing was changed: lr is -1"):
        optimizer.load_state_dict({"state": {}, "param_groups": [saved(lr=-1.0)]})
    assert optimizer.param_groups[0]["lr"] == 0.1


NUMBERS = [np.float32(0.1), np.float16(0.1), np.array(0.1), np.float64(0.1)]


@every_optimiser
@pytest.mark.parametrize("lr", NUMBERS, ids=repr)
def test_a_rate_of_numpys_leaves_parameters_floats(
    build: Callable[..., optim.Optimizer], lr: Any
) -> None:
    """Given or assigned, it counts as the float that it is: no digit of a parameter is lost."""
    results = []
    for rate in (lr, float(lr)):
        given, assigned = Parameter(1.0 / 3.0), Parameter(1.0 / 3.0)
        kind = type(build([Parameter(0.0)]))
        optimizers = [kind([given], lr=rate), kind([assigned], lr=0.5)]  # type: ignore[call-arg]
        optimizers[1].param_groups[0]["lr"] = rate
        for optimizer, w in zip(optimizers, (given, assigned), strict=True):
            w.grad = 0.7
            optimizer.step()
            assert type(w.data) is float
            assert all(type(x) is float for x in optimizer.state.get(w, ()))
        results.append((given.data, assigned.data))
    assert results[0] == results[1]


@every_optimiser
@pytest.mark.parametrize("where", ["given", "assigned", "loaded"])
def test_true_is_one_in_every_numeric_option(
    build: Callable[..., optim.Optimizer], where: str
) -> None:
    """A state has floats only, but for the options that are yes or no."""
    kind: Any = type(build([Parameter(0.0)]))
    usual = kind([Parameter(1.0)])
    flags = {"amsgrad", "centered", "maximize", "nesterov"}
    names = usual.param_groups[0].keys() - {"params", "step"} - flags
    below_one = {"betas": (False, False), "alpha": False}
    options = {name: below_one.get(name, True) for name in names}
    if where == "given":
        usual = kind([Parameter(1.0)], **options)
    elif where == "assigned":
        usual.param_groups[0].update(options, initial_lr=True)
    else:
        [group] = usual.state_dict()["param_groups"]
        state = {"state": {}, "param_groups": [{**group, **options, "initial_lr": True}]}
        usual.load_state_dict(state)
    [saved] = usual.state_dict()["param_groups"]
    numbers = {name: saved[name] for name in saved.keys() - {"params", "step"} - flags}
    betas = numbers.pop("betas", ())
    assert {type(x) for x in [*betas, *numbers.values()]} == {float}
    assert all(numbers[name] == options.get(name, True) for name in numbers)
    assert {type(saved[name]) for name in flags & saved.keys()} <= {bool}


@pytest.mark.parametrize(
    "lr", ["0.1", None, [0.1], 1j, Value(0.1), -0.1, math.nan, math.inf, 10**400, object()]
)
def test_a_rate_that_is_no_number_is_refused(lr: Any) -> None:
    """Where it is given, and at the step where it was assigned; nothing has moved then."""
    with pytest.raises((OperandError, DomainError), match=r"^lr is [^\n]*$"):
        optim.SGD([Parameter(1.0)], lr=lr)
    w = Parameter(1.0)
    optimizer = optim.SGD([w], lr=0.1)
    w.grad = 1.0
    optimizer.param_groups[0]["lr"] = lr
    with pytest.raises((OperandError, DomainError), match=r"^lr is [^\n]*$"):
        optimizer.step()
    assert (w.data, optimizer.param_groups[0]["step"]) == (1.0, 0)


@pytest.mark.parametrize("betas", [(0.9,), 0.9, (0.9, 0.99, 0.999), "no", (0.9, "x"), (0.9, 1.0)])
@pytest.mark.parametrize("kind", [optim.Adam, optim.AdamW, optim.SparseAdam])
def test_betas_are_two_numbers(kind: Any, betas: Any) -> None:
    """One, three, text and what lies beyond 1 are refused where they are given."""
    with pytest.raises((OperandError, DomainError), match=r"^betas is"):
        kind([Parameter(1.0)], betas=betas)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (optim.SGD, {"momentum": "x"}),
        (optim.SGD, {"dampening": None}),
        (optim.SGD, {"nesterov": "yes"}),
        (optim.SGD, {"maximize": 1}),
        (optim.Adam, {"amsgrad": None}),
        (optim.RMSprop, {"centered": 0}),
        (optim.RMSprop, {"alpha": (0.9, 0.9)}),
        (optim.Adagrad, {"lr_decay": "x"}),
        (optim.Adagrad, {"initial_accumulator_value": -1}),
    ],
)
def test_every_option_is_checked_where_it_is_given(kind: Any, options: dict[str, Any]) -> None:
    """The error names the option."""
    with pytest.raises((OperandError, DomainError), match=f"^{next(iter(options))} is"):
        kind([Parameter(1.0)], **options)


@pytest.mark.parametrize(
    "params", [None, 3, "w", [1.0], [{"lr": 0.1}], [{"params": None}], [3, {}]]
)
def test_what_are_no_parameters_is_refused(params: Any) -> None:
    """In one line that says what to give."""
    with pytest.raises(OperandError, match=r"^[^\n]*(Parameters|params)[^\n]*$"):
        optim.SGD(params, lr=0.1)


@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_the_rows_of_a_table_are_no_parameters(inputs: int) -> None:
    """Rows of two were taken for pairs of a name and a Parameter: the first column stayed."""
    weight: Any = nn.Linear(inputs, 2, rng=0).weight
    for params in (weight, [{"params": weight}], [weight]):
        with pytest.raises(OperandError, match="give those inside one by one"):
            optim.SGD(params, lr=0.1)
    entries = [p for row in weight for p in row]
    assert len(optim.SGD(entries, lr=0.1).param_groups[0]["params"]) == 2 * inputs


class Counted(list[Any]):
    """A list that counts how many items were read from it."""

    reads = 0

    def __iter__(self) -> Any:
        for x in super().__iter__():
            Counted.reads += 1
            yield x


@pytest.mark.uncounted
@pytest.mark.parametrize("build", [
    lambda p: optim.SGD(p, lr=0.1),
    lambda p: optim.SparseAdam(p, lr=0.1),
    lambda p: optim.Adagrad(p, lr=0.1),
])  # fmt: skip
def test_a_step_over_a_vocabulary_visits_the_words_present(
    build: Callable[..., optim.Optimizer],
) -> None:
    """Of 20,032 parameters, three words give gradient to 30 and the dense rest."""
    net = nn.Sequential(nn.Linear(2_000, 10, rng=0), nn.ReLU(), nn.Linear(10, 2, rng=1))
    optimizer = build(net.parameters())
    group = optimizer.param_groups[0]
    group["params"] = Counted(group["params"])
    Counted.reads = 0
    before = net.state_dict()["0.weight"]
    losses.cross_entropy(net({5: 1.0, 77: 2.0, 1_999: 1.0}), 1).backward()
    assert len(optimizer.active_parameters()) == 30 + 10 + 20 + 2
    optimizer.step()
    optimizer.zero_grad()
    assert optimizer.active_parameters() == [*net[0].bias, *net[2].bias]  # type: ignore[attr-defined]
    assert Counted.reads == 0
    after = net.state_dict()["0.weight"]
    moved = {i for a, b in zip(before, after, strict=True) for i in range(2_000) if a[i] != b[i]}
    assert moved == {5, 77, 1_999}


def test_momentum_goes_on_moving_what_was_touched_before() -> None:
    """So a rule with momentum visits every parameter, as PyTorch's dense gradients have it."""
    table = nn.Embedding(3, 1, rng=0)
    optimizer = optim.SGD(table.parameters(), lr=0.1, momentum=0.9)
    start = table.weight[1][0].data
    table(1)[0].backward()
    optimizer.step()
    optimizer.zero_grad()
    optimizer.step()
    assert table.weight[1][0].data == pytest.approx(start - 0.1 - 0.09, rel=1e-12)
    assert optimizer.active_parameters() == table.parameters()


def test_only_the_parameters_given_are_moved() -> None:
    """Of a table shared with another optimiser, each moves and clears its own."""
    table = nn.Embedding(2, 1, rng=0)
    first = optim.SGD(list(table.weight[0]), lr=1.0)
    (table(0)[0] + table(1)[0]).backward()
    kept = table.weight[1][0].data
    first.step()
    assert table.weight[1][0].data == kept
    assert first.active_parameters() == [table.weight[0][0]]
    first.zero_grad()
    assert [row[0].grad for row in table.weight] == [0.0, 1.0]


def test_groups_have_options_of_their_own() -> None:
    """A dict gives a group; others can be added later, and begin at step 0."""
    a, b, c = Parameter(1.0), Parameter(1.0), Parameter(1.0)
    optimizer = optim.SGD([{"params": [a]}, {"params": b, "lr": 0.5}], lr=0.1)
    optimizer.step()
    optimizer.add_param_group({"params": [c], "lr": 1.0})
    for parameter in (a, b, c):
        parameter.grad = 1.0
    optimizer.step()
    assert [p.data for p in (a, b, c)] == [0.9, 0.5, 0.0]
    assert [group["step"] for group in optimizer.param_groups] == [2, 1 + 1, 1]


@pytest.mark.parametrize("count", [3, 40])
@pytest.mark.parametrize(
    "change",
    [
        lambda params: params.pop(0),
        lambda params: params.append(Parameter(1.0)),
        lambda params: params.__setitem__(0, Parameter(1.0)),
        lambda params: params.reverse(),
    ],
    ids=["removed", "added", "replaced", "reversed"],
)
@every_optimiser
def test_the_parameters_of_a_group_stay_those_it_was_made_with(
    build: Callable[..., optim.Optimizer], change: Callable[[list[Any]], Any], count: int
) -> None:
    """Each has a row of the state: another list of them would move some by the state of others."""
    parameters = [Parameter(1.0) for _ in range(count)]
    optimizer = build(parameters)
    for p in parameters:
        p.grad = 1.0
    optimizer.step()
    moved = [p.data for p in parameters]
    change(optimizer.param_groups[0]["params"])
    with pytest.raises(StateError, match="not those it was made with"):
        optimizer.step()
    assert [p.data for p in parameters] == moved


def test_a_gradient_of_none_is_passed_over() -> None:
    """PyTorch's habit: such a parameter does not move, not even by momentum."""
    w = Parameter(1.0)
    optimizer = optim.SGD([w], lr=0.1, momentum=0.9)
    w.grad = None
    optimizer.step()
    assert w.data == 1.0


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


def test_an_optimiser_shows_its_options() -> None:
    """Without its thousands of parameters."""
    found = repr(optim.Adagrad([Parameter(0.0)], lr=0.5))
    assert found.startswith("Adagrad(lr=0.5, lr_decay=0.0, ")
    assert "Parameter" not in found


w = Parameter(1.0)

REFUSED: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: optim.SGD([]), OperandError, "given none"),
    (lambda: optim.SGD([w, w]), OperandError, "twice"),
    (lambda: optim.SGD([w]).add_param_group({"params": [w]}), OperandError, "twice"),
    (lambda: optim.SGD([1.0]), OperandError, "trains Parameters, not 1.0"),
    (lambda: optim.SGD([w * w]), OperandError, "only leaves can be trained"),
    (lambda: optim.SGD([w], lr=-0.1), DomainError, "lr is -0.1"),
    (lambda: optim.SGD([w], lr=math.nan), DomainError, "lr is nan"),
    (lambda: optim.SGD([w], momentum=-0.1), DomainError, "momentum is -0.1"),
    (lambda: optim.SGD([w], nesterov=True), DomainError, "nesterov needs momentum"),
    (lambda: optim.Adam([w], betas=(1.0, 0.9)), DomainError, "betas is"),
    (lambda: optim.SparseAdam([w], betas=(0.9, -1.0)), DomainError, "betas is"),
    (lambda: optim.RMSprop([w], alpha=1.0), DomainError, "alpha is"),
    (lambda: optim.Adagrad([w], lr_decay=-1.0), DomainError, "lr_decay is"),
]


@pytest.mark.parametrize(("build", "error", "message"), REFUSED)
def test_what_makes_no_sense_is_refused(
    build: Callable[[], Any], error: type[Exception], message: str
) -> None:
    """The error names the option and its value."""
    with pytest.raises(error, match=message):
        build()
