"""A walk is a sequence of steps that ends with the gradients of the graph."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

import pytest
from tests.inner import TABLE, FixedArityOperation

import scalargrad as sg
from scalargrad import Value
from scalargrad.errors import OperandError
from scalargrad.nn import MLP, Linear, ReLU, Sequential
from scalargrad.show.graphs import network
from scalargrad.show.steps import Step, Walk, outcome, walk

from .graphs import labelled, lecture


def backward(root: Value) -> list[Step]:
    """Return the steps of the wires."""
    return [step for step in walk(root) if step.phase == "backward"]


# The sequence -----------------------------------------------------------------------------------


def test_walk_slice_is_a_walk_with_unchanged_steps() -> None:
    """An index counts from either end."""
    steps = lecture()
    part = steps[4:]
    assert isinstance(part, Walk)
    assert isinstance(steps, Sequence)
    assert repr(steps) == "<walk through f: 8 steps>"
    assert outcome(steps.graph) == "∂f/∂x = −4, ∂f/∂y = −4, ∂f/∂z = 3"
    assert [step.index for step in part] == [4, 5, 6, 7]
    assert part[0] is steps[4]
    assert steps[-1] is steps[7]
    assert repr(steps[100:]) == "<walk: 0 steps>"


def test_walk_has_two_wires_for_a_product_with_itself() -> None:
    """For x · x the second operand comes first; both terms are x, and the sum is 2x."""
    x = Value(3.0, "x")
    by_second, by_first = backward(x * x)
    assert (by_second.operand, by_first.operand) == (1, 0)
    assert (by_second.total, by_first.total) == (3.0, 6.0)
    assert (by_second.arrived, by_first.arrived, by_first.expected) == (1, 2, 2)
    assert by_first.fans_out
    assert by_first.parent is by_second.parent is x
    assert by_first.local_text() == "∂v1/∂x on this wire = x = 3"


def test_step_text_numbers_only_repeated_operands() -> None:
    """For x·x + x·2 at x = 2, only the wires into x·x are distinguished by their operands."""
    x = Value(2.0, "x")
    told = [step.text().partition(":")[0] for step in backward(x * x + x * 2.0)[2:]]
    assert told == [f"∂v3/∂x via {gate}" for gate in ("v2", "v1, operand 2", "v1, operand 1")]


def test_walk_names_parameters_by_their_position_in_the_model() -> None:
    """By layers, W₁[0,0], or by the attributes of an object."""
    first, last = Linear(2, 3, rng=0), Linear(3, 1, rng=0)
    net = Sequential(first, ReLU(), last)
    (y,) = net([1.0, 2.0])
    for steps in (walk(y), walk(y, model=net)):
        named = steps.graph.names
        assert [named[w] for w in last.weight[0]] == ["W₂[0,0]", "W₂[0,1]", "W₂[0,2]"]
        assert named[first.weight[2][1]] == "W₁[2,1]"
        assert first.bias is not None
        assert last.bias is not None
        assert named[first.bias[2]] == "b₁[2]"
        rows = [*first.weight, first.bias, *last.weight, last.bias]  # in order of creation
        assert steps.graph.inputs == [x for row in rows for x in row]

    class Net:
        def __init__(self) -> None:
            self.weight = [[Value(0.5), Value(-1.0)] for _ in range(2)]
            self.bias = [Value(1.0)]

    net_of_mine = Net()
    hidden = sg.tanh(sg.dot(net_of_mine.weight[0], [1.0, 2.0], net_of_mine.bias[0]))
    own = walk(hidden * net_of_mine.weight[1][1], model=net_of_mine)
    assert own[0].text() == "weight[0,0] = 0.5, weight[0,1] = −1, weight[1,1] = −1, bias[0] = 1"
    assert len(own.graph.layers) == 1

    with pytest.raises(OperandError, match="model"):
        walk(y, model=3)


def test_walk_lists_inputs_by_their_numbers() -> None:
    """In e[2] / sum(e) the graph reads z2 first."""
    z = [Value(float(i), f"z{i}") for i in (0, 1, 2, 10)]
    e = [sg.exp(x) for x in z]
    assert walk(e[2] / sum(e))[0].text() == "z0 = 0, z1 = 1, z2 = 2, z10 = 10"
    theta = [Value(float(i), f"theta{i}") for i in range(2)]
    assert walk(theta[0] + theta[1] * 3.0)[0].text() == "θ₀ = 0, θ₁ = 1"
    assert walk(Value(1.0, "Theta_2") * 3.0)[0].text() == "Θ₂ = 1"


def test_walk_omits_the_zero_of_sum() -> None:
    """Also in a picture; a root 0 + x is a gate."""
    x, y = Value(1.0, "x"), Value(2.0, "y")
    f = labelled(sum([x, y]) * x, "f")
    steps = walk(f)
    assert [step.text() for step in steps[:3]] == [
        "x = 1, y = 2",
        "v1 = x + y = 3",
        "f = v1·x = 3·1 = 3",
    ]
    total: Any = f.parents[0]
    assert "+0" not in sg.draw(f, highlight=total).mermaid
    assert walk(labelled(0.0 + x, "g"))[1].text() == "g = 0 + x = 1"


def test_walk_last_totals_equal_gradients() -> None:
    """The contributions add up to the results of `gradients`."""
    a, b, c = Value(0.3), Value(-1.7), Value(2.9)
    root = sg.maximum(a * b, b * c, sg.relu(c - a)) + sg.dot([a, b], [b, 0.7], c) * a
    final = {step.parent: step.total for step in backward(root)}
    assert [final[x] for x in (a, b, c)] == sg.gradients(root, [a, b, c])
    chosen = sg.where(sg.gt(a, b), a * a, b)
    assert [step.contribution for step in backward(chosen)][:3] == [0.0, 1.0, 0.0]


def test_walk_keeps_its_numbers_and_changes_no_grad() -> None:
    """A leaf may be assigned to later; `grad` is not changed."""
    x = Value(3.0, "x")
    q = x * x
    x.grad, q.grad = 5.0, 7.0
    steps = walk(q * 2.0)
    x.data = 50.0
    assert [step.text() for step in steps[:2]] == ["x = 3", "v1 = x·x = 3·3 = 9"]
    str(steps)
    assert (x.grad, q.grad) == (5.0, 7.0)
    assert walk(Value(math.nan, "x") * 2.0)[1].text() == "v1 = x·2 = nan·2 = nan"  # no change
    x.data = math.nan
    with pytest.raises(sg.GraphChangedError, match="nan"):
        walk(q)


@pytest.mark.parametrize(
    "reduce",
    [sg.sum, lambda values: sg.maximum(*values), lambda values: sg.dot(values, values)],
    ids=["sum", "maximum", "dot"],
)
def test_walk_abbreviates_the_texts_of_wide_reductions(reduce: Any) -> None:
    """Over 1,200 operands."""
    steps = walk(reduce([Value(float(i)) for i in range(1200)]))
    for step in [*steps[:4], *steps[4::100]]:
        assert len("; ".join(step.notes())) + len(step.text()) < 300


def test_walk_of_deep_graphs_can_be_printed() -> None:
    """1,200 gates in a row; a sum doubled 60 times."""
    y = Value(1.0, "x")
    for _ in range(1200):
        y = y * 1.0
    assert len(str(walk(y)).splitlines()) == 2 + 2 * 1200 + 4  # a heading and three phases
    doubled = Value(1.0, "x")
    for _ in range(60):
        doubled = doubled + doubled
    assert walk(doubled)[-1].total == 2.0**60


# Formulas ---------------------------------------------------------------------------------------


PLAIN = {
    "⌊": "floor(",
    "⌋": ")",
    "²": "^2",
    "³": "^3",
    "·": "*",
    "−": "-",
    "π": "pi",
    "inf": "1e300",
}


def evaluated(formula: str, **names: float) -> float:
    """Return the value of a formula of a step, evaluated by `parse`."""
    for sign, plain in PLAIN.items():
        formula = formula.replace(sign, plain)
    formula = re.sub(r"√(\w+)", r"sqrt(\1)", formula).replace("√", "sqrt")
    used = {name: x for name, x in names.items() if re.search(rf"\b{name}\b", formula)}
    return float(sg.parse(f"0*t + {formula}", t=0.0, **used).data)


@pytest.mark.parametrize(
    "name", [name for name, op in TABLE.items() if isinstance(op, FixedArityOperation)]
)
def test_local_text_has_the_derivative_of_each_operation(name: str) -> None:
    """Each form, as 3·x² and −f / x, equals the central difference of the operation."""
    op = TABLE[name]
    assert isinstance(op, FixedArityOperation)
    bounds = map(op.domain.interval, range(op.arity))
    point = [(low + 2 * high) / 3 + 0.013 * (i + 1) for i, (low, high) in enumerate(bounds)]
    node = labelled(op.of(*map(Value, point, "xyz")), "f")
    names = {**dict(zip("xyz", point, strict=False)), "f": node.data}
    for step in backward(node):
        up, down = (
            op.of_floats(*(x + h * (i == step.operand) for i, x in enumerate(point)))
            for h in (1e-5, -1e-5)
        )
        slope = pytest.approx((up - down) / 2e-5, rel=1e-7, abs=1e-9)
        about = pytest.approx((up - down) / 2e-5, rel=2e-3)
        assert step.local == slope, step.place
        close = slope
        for sign, form in re.findall(r" ([=≈]) (.*?)(?= [=≈] |$)", step.local_text()):
            close = about if sign == "≈" else close
            if "…" not in form:
                assert evaluated(form, **names) == close, form


def test_walk_formats_a_custom_operation_from_its_partials() -> None:
    """Its pattern is the one that the user declares."""

    @sg.custom_op(partials=lambda y, x: (3 * sg.square(x),), pattern="cubic")
    def cube(x: float) -> float:
        return x**3

    steps = walk(labelled(cube(Value(2.0, "x")), "f"))
    assert steps[1].text() == "f = cube(x) = cube(2) = 8"
    assert steps[-1].local_text() == "∂f/∂x = 3·x² = 3·2² = 12"
    assert steps[-1].pattern == steps[-1].notes()[0] == "cubic"
    angle = backward(labelled(sg.atan2(Value(3.0, "y"), Value(4.0, "x")), "f"))
    assert {x.local_text().split(" = ")[-1] for x in angle} == {"0.16", "−0.12"}  # 4 and -3 by 5²


# Softmax, and names of parameters -----------------------------------------------------------------


def test_walk_names_the_maximum_in_softmax() -> None:
    """It comes after its scores, also in pictures, and is held constant."""
    z = [Value(x, f"z{i}") for i, x in enumerate([2.0, 1.0, 0.1, 0.0], 1)]
    p = sg.softmax(z)[0]
    first = walk(p)[1]
    assert first.text() == "v1 = z1 − max(z1, z2, z3, z4) = 2 − 2 = 0"
    assert "constant" in first.notes()[0]
    assert "−max" in sg.draw(p).svg()
    computed = walk(
        sg.softmax([sg.square(Value(2.0, "x")), labelled(sg.tanh(Value(0.5, "y")), "h")])[0]
    )
    shifted = next(step for step in computed if "max(v1, h)" in step.text())
    assert shifted.index > next(step for step in computed if step.place == "h").index
    assert first.node is not None
    assert walk(first.node)[1].text() == "v1 = z1 − 2 = 0"  # the scores are not in this graph


def test_walk_names_parameters_of_mlp_with_and_without_the_model() -> None:
    """W₂[0,2] leads from unit 2 to unit 0 of layer 2, in formulas and pictures; b₂ has no index."""
    model = MLP(2, [3, 1], rng=0)
    root = labelled(model([Value(0.5, "x0"), Value(-1.0, "x1")]), "L_reg")
    for steps in (walk(root, model=model), walk(root)):
        named = steps.graph.names
        assert len({named[x] for x in model.parameters()}) == 13
        assert named[model.layers[1].neurons[0].w[2]] == "W₂[0,2]"
        assert named[model.layers[1].neurons[0].b] == "b₂"
        assert named[model.layers[0].neurons[1].b] == "b₁[1]"
        (written,) = [step.mathml() for step in steps if step.place == "L_reg → W₂[0,2]"]
        assert "<mi>W₂[0,2]</mi>" in written
        assert "<msub><mi>L</mi><mtext>reg</mtext></msub>" in written
    for given in (model, None):
        drawn = sg.draw(root, model=given, depth=None).svg()
        assert all(f"value of {name}: " in drawn for name in ("W₂[0,2]", "b₁[1]", "b₂"))
    assert all(name in network(model).mermaid for name in ("x₁", "a₂", '"y"'))
    with pytest.raises(OperandError, match="Module"):
        walk(root, model=MLP)
