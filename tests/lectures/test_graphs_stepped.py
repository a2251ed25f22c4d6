"""walk through the graphs of the lectures gives their numbers at every step."""

from __future__ import annotations

import math

import pytest

import scalargrad as sg
from scalargrad import Parameter, Value, cos, exp, log, maximum, reciprocal, sigmoid, square
from scalargrad.show.steps import Walk, walk


def with_label(node: Value, label: str) -> Value:
    """Return a node after setting its label."""
    node.label = label
    return node


def backward_places(steps: Walk) -> list[str]:
    """Return the wires in the order of the backward pass."""
    return [step.place for step in steps if step.phase == "backward"]


def totals(steps: Walk) -> dict[str, float]:
    """Return the final gradient of every node with a wire, by name."""
    found: dict[str, float] = {}
    for step in steps:
        if step.parent is not None and step.total is not None:
            found[steps.graph.names[step.parent]] = step.total
    return found


def exactly(expected: float) -> object:
    """Return an approximation within 1e-12 of a lecture's number."""
    return pytest.approx(expected, rel=1e-12)


# Hosseini: f = (x + y)z at (-2, 5, -4) --------------------------------------------------------


@pytest.fixture
def product_of_sum() -> Walk:
    """Return the walk through (x + y)z with q = x + y."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = with_label(x + y, "q")
    return walk(with_label(q * z, "f"))


def test_walk_of_product_of_sum_has_eight_steps_in_order(product_of_sum: Walk) -> None:
    """Inputs, q, f, the seed, then z, q, y, x."""
    assert [step.phase for step in product_of_sum] == ["forward"] * 3 + ["seed"] + ["backward"] * 4
    assert [step.place for step in product_of_sum] == [
        "inputs",
        "q",
        "f",
        "f",
        "f → z",
        "f → q",
        "q → y",
        "q → x",
    ]


def test_walk_of_product_of_sum_has_the_lectures_gradients(product_of_sum: Walk) -> None:
    """The contributions df/dz = 3, df/dq = df/dy = df/dx = -4 are upstream times local."""
    wires = [
        (s.upstream, s.local, s.contribution, s.total)
        for s in product_of_sum
        if s.phase == "backward"
    ]
    assert wires == [
        (1.0, 3.0, 3.0, 3.0),
        (1.0, -4.0, -4.0, -4.0),
        (-4.0, 1.0, -4.0, -4.0),
        (-4.0, 1.0, -4.0, -4.0),
    ]


# Hosseini: f = 1/(1 + e^-(w0x0 + w1x1 + w2)) --------------------------------------------------

NEURON = 0.7310585786300049
NEURON_GRADIENTS = {
    "w0": -0.19661193324148188,
    "w1": -0.39322386648296376,
    "w2": 0.19661193324148188,
    "x0": 0.39322386648296376,
    "x1": -0.5898357997244457,
}


def neuron(elementary: bool) -> Walk:
    """Return the walk through the neuron, made of elementary gates or with one sigmoid."""
    w0, w1, w2 = Parameter(2.0, "w0"), Parameter(-3.0, "w1"), Parameter(-3.0, "w2")
    x0, x1 = Value(-1.0, "x0"), Value(-2.0, "x1")
    s = with_label(w0 * x0 + w1 * x1 + w2, "s")
    if not elementary:
        return walk(with_label(sigmoid(s), "f"))
    flipped = with_label(s * -1.0, "m")
    grown = with_label(exp(flipped), "e")
    shifted = with_label(grown + 1.0, "d")
    return walk(with_label(reciprocal(shifted), "f"))


@pytest.mark.parametrize("elementary", [True, False])
def test_walk_of_a_neuron_has_the_lectures_gradients(elementary: bool) -> None:
    """Different graphs have the same derivatives."""
    steps = neuron(elementary)
    assert steps.graph.root.data == exactly(NEURON)
    for name, gradient in NEURON_GRADIENTS.items():
        assert totals(steps)[name] == exactly(gradient)


def test_walk_of_an_elementary_neuron_passes_each_gate() -> None:
    """Back from f through 1/x, c + x, e^x and a·x: -f², -f², -f²e^-s and f²e^-s."""
    steps = neuron(elementary=True)
    assert backward_places(steps)[:4] == ["f → d", "d → e", "e → m", "m → s"]
    reached = [step.total for step in steps if step.phase == "backward"][:4]
    f, shrunk = NEURON, math.exp(-1.0)
    assert reached == [exactly(-f * f)] * 2 + [exactly(-f * f * shrunk), exactly(f * f * shrunk)]


def test_local_text_of_a_sigmoid_gate() -> None:
    """The local gradient (1 - s)s is written with the result of the gate."""
    step = next(step for step in neuron(elementary=False) if step.place == "f → s")
    assert step.local == exactly((1.0 - NEURON) * NEURON)
    assert step.local_text().startswith("∂f/∂s = σ(s)·(1 − σ(s)) = f·(1 − f) ≈ ")


def test_walk_of_the_two_neurons_differs_in_six_steps() -> None:
    """One gate replaces four: three values and three wires fewer."""
    assert len(neuron(elementary=True)) - len(neuron(elementary=False)) == 6


# Hosseini: patterns in gradient flow ----------------------------------------------------------


def test_walk_pattern_of_add_is_distributor() -> None:
    """Both operands of + receive the upstream gradient, here 7, unchanged."""
    x, y = Value(3.0, "x"), Value(-4.0, "y")
    wires = walk((x + y) * 7.0)[-2:]
    assert [step.pattern for step in wires] == ["distributor"] * 2
    assert [step.contribution for step in wires] == [step.upstream for step in wires] == [7.0, 7.0]


def test_walk_pattern_of_mul_is_swap_multiplier() -> None:
    """Each operand of · receives the upstream gradient times the other operand."""
    x, y = Value(3.0, "x"), Value(-4.0, "y")
    to_y, to_x = walk((x * y) * 2.0)[-2:]
    assert to_y.pattern == to_x.pattern == "swap multiplier"
    assert (to_y.contribution, to_x.contribution) == (2.0 * 3.0, 2.0 * -4.0)


def test_walk_of_a_node_that_fans_out_adds_contributions() -> None:
    """The node receives the sum of the contributions along its wires."""
    x = Value(3.0, "x")
    y = x * 5.0 + x * 11.0
    arriving = [step for step in walk(y) if step.parent is x]
    assert all(step.fans_out for step in arriving)
    assert [step.contribution for step in arriving] == [11.0, 5.0]
    assert [step.total for step in arriving] == [11.0, 16.0]
    assert [(step.arrived, step.expected) for step in arriving] == [(1, 2), (2, 2)]


def test_walk_pattern_of_maximum_is_router() -> None:
    """The largest operand receives the whole gradient, the others 0."""
    x, y, z = Value(3.0, "x"), Value(9.0, "y"), Value(1.0, "z")
    wires = walk(maximum(x, y, z) * 2.0)[-3:]
    assert [step.pattern for step in wires] == ["router"] * 3
    assert [step.contribution for step in wires] == [0.0, 2.0, 0.0]


# Toronto: the multivariate chain rule ---------------------------------------------------------


def test_walk_adds_the_paths_of_the_multivariate_chain_rule() -> None:
    """At t = 1, for f = y + e^(xy), x = cos t, y = t², df/dt is a sum over x and y."""
    t = Value(1.0, "t")
    x, y = with_label(cos(t), "x"), with_label(square(t), "y")
    steps = walk(with_label(y + exp(x * y), "f"))
    assert steps.graph.root.data == exactly(2.7165256995489035)
    assert totals(steps)["t"] == exactly(2.4104790162489094)
    by_path = {step.node: step.contribution for step in steps if step.parent is t}
    grown = math.exp(math.cos(1.0))
    assert by_path[x] == exactly(grown * -math.sin(1.0))  # ∂f/∂x · dx/dt
    assert by_path[y] == exactly((1.0 + math.cos(1.0) * grown) * 2.0)  # ∂f/∂y · dy/dt


# Toronto: logistic least squares --------------------------------------------------------------

W_BAR, B_BAR = -0.13981071068366963, -0.06990535534183481


def logistic_loss() -> tuple[Parameter, Value]:
    """Return w and the loss ½(σ(wx + b) - t)² at w = ½, b = -¼, x = 2, t = 1."""
    w, b = Parameter(0.5, "w"), Parameter(-0.25, "b")
    a = with_label(w * Value(2.0, "x"), "a")
    z = with_label(a + b, "z")
    y = with_label(sigmoid(z), "y")
    return w, with_label(0.5 * square(y - 1.0), "L")


def test_walk_of_logistic_least_squares_has_every_adjoint() -> None:
    """Its adjoints are ȳ = y - t, z̄ = ȳσ'(z), w̄ = z̄x, b̄ = z̄."""
    _, loss = logistic_loss()
    signals = totals(walk(loss))
    y = 0.679178699175393
    assert loss.data == exactly(0.0514631535313965)
    assert signals["y"] == exactly(y - 1.0)
    assert signals["z"] == exactly((y - 1.0) * y * (1.0 - y))
    assert signals["w"] == exactly(W_BAR)
    assert signals["b"] == exactly(B_BAR)


def test_step_symbols_in_bar_notation() -> None:
    """The last wire of the loss reads w̄ = ā · ∂a/∂w."""
    _, loss = logistic_loss()
    assert walk(loss)[-1].symbols("bar") == "w\u0304 = a\u0304·∂a/∂w"


def test_walk_of_a_regularized_loss_adds_two_terms_to_the_weight() -> None:
    """In L_reg = L + λR, R = ½w², w has two wires, and w̄ is the sum of z̄x and λw."""
    w, loss = logistic_loss()
    u = with_label(square(w), "u")
    steps = walk(with_label(loss + 0.1 * (0.5 * u), "L_reg"))
    arriving = {step.node: step for step in steps if step.parent is w}
    assert steps.graph.root.data == exactly(0.0639631535313965)
    assert sorted(step.expected for step in arriving.values()) == [2, 2]
    assert arriving[u].contribution == exactly(0.1 * 0.5)
    assert totals(steps)["w"] == exactly(-0.08981071068366962)


# Toronto: softmax regression ------------------------------------------------------------------


def test_walk_of_softmax_and_cross_entropy_has_the_lectures_gradients() -> None:
    """The gradient of the logits is ∂L/∂z = y - t."""
    logits = [Value(v, f"z{i}") for i, v in enumerate((2.0, 1.0, 0.1))]
    steps = walk(-log(sg.softmax(logits)[0]))
    assert steps.graph.root.data == exactly(0.41703001627783354)
    expected = (-0.3409988611140321, 0.2424329707047139, 0.0985658904093182)
    assert [totals(steps)[f"z{i}"] for i in range(3)] == [exactly(g) for g in expected]
