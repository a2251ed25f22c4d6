"""What a step says: formulas in symbols and numbers, the pattern, the running sum, a nudge."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest

from scalargrad import (
    Parameter,
    Value,
    clip,
    cos,
    custom_op,
    dot,
    exp,
    floor,
    identity,
    log2,
    logsumexp,
    maximum,
    mean,
    minimum,
    relu,
    sigmoid,
    silu,
    sqrt,
    square,
    tanh,
    where,
)
from scalargrad import abs as magnitude
from scalargrad import sum as add_up
from scalargrad.errors import OperandError
from scalargrad.ops import gt
from scalargrad.show.number_format import signed
from scalargrad.show.steps import Step, Walk, nudges, walk
from scalargrad.show.steps.nudges import output_at

from .graphs import labelled


@pytest.fixture
def lecture() -> Walk:
    """Return the walk through (x + y)z at (-2, 5, -4)."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = labelled(x + y, "q")
    return walk(labelled(q * z, "f"))


@pytest.fixture
def regularised() -> tuple[Parameter, Walk]:
    """Return w and the walk through ½(σ(wx + b) - t)² + λ½w², in which w feeds a and u."""
    w, b = Parameter(0.5, "w"), Parameter(-0.25, "b")
    a = labelled(w * Value(2.0, "x"), "a")
    loss = labelled(0.5 * square(sigmoid(labelled(a + b, "z")) - 1.0), "L")
    penalty = labelled(0.5 * labelled(square(w), "u"), "R")
    return w, walk(labelled(0.1 * penalty + loss, "L_reg"))


def last(root: Value) -> Step:
    """Return the last step of a walk: the wire to the first operand of the first gate."""
    return walk(root)[-1]


# The formula of a step ------------------------------------------------------------------------


def test_every_step_of_the_lecture_s_first_graph_reads_as_the_lecture_writes_it(
    lecture: Walk,
) -> None:
    """One line a step, negatives in parentheses inside products only."""
    assert [step.text() for step in lecture] == [
        "x = −2, y = 5, z = −4",
        "q = x + y = 3",
        "f = q·z = 3·(−4) = −12",
        "∂f/∂f = 1",
        "∂f/∂z = 1·q = 1·3 = 3",
        "∂f/∂q = 1·z = 1·(−4) = −4",
        "∂f/∂y = ∂f/∂q·∂q/∂y = (−4)·1 = −4",
        "∂f/∂x = ∂f/∂q·∂q/∂x = (−4)·1 = −4",
    ]


def test_symbols_and_numbers_can_be_had_apart(lecture: Walk) -> None:
    """A page sets the chain rule in symbols above the same in numbers."""
    assert [step.symbols() for step in lecture] == [
        "x, y, z",
        "q = x + y",
        "f = q·z",
        "∂f/∂f",
        "∂f/∂z = 1·q",
        "∂f/∂q = 1·z",
        "∂f/∂y = ∂f/∂q·∂q/∂y",
        "∂f/∂x = ∂f/∂q·∂q/∂x",
    ]
    assert [step.numbers() for step in lecture] == [
        "−2, 5, −4",
        "−2 + 5 = 3",
        "3·(−4) = −12",
        "1",
        "1·3 = 3",
        "1·(−4) = −4",
        "(−4)·1 = −4",
        "(−4)·1 = −4",
    ]


@pytest.mark.parametrize(
    ("notation", "expected"),
    [
        ("partial", "∂f/∂y = ∂f/∂q·∂q/∂y = (−4)·1 = −4"),
        ("bar", "y\u0304 = q\u0304·∂q/∂y = (−4)·1 = −4"),
        ("delta", "∂f/∂y = ∂f/∂q·∂q/∂y = (−4)·1 = −4"),
    ],
)
def test_notations_change_how_gradients_are_written_and_nothing_else(
    lecture: Walk, notation: str, expected: str
) -> None:
    """∂f/∂y and ȳ are two names of one number; δ there is none, as q enters no unit."""
    assert lecture[6].text(notation) == expected  # type: ignore[arg-type]


def test_delta_is_the_error_of_a_pre_activation_and_of_nothing_else() -> None:
    """UNC: of s = wx it is δ_s, of the weight ∂f/∂w = δ_s·∂s/∂w; and so of a linear unit's sum."""
    w, x = Parameter(2.0, "w"), Value(0.5, "x")
    s = w * x
    s.label = "s"
    f = tanh(s)
    f.label = "f"
    texts = [step.symbols("delta") for step in walk(f)[-3:]]
    assert texts == ["δ_s = 1·(1 − f·f)", "∂f/∂x = δ_s·∂s/∂x", "∂f/∂w = δ_s·∂s/∂w"]
    linear = dot([w], [x])
    linear.label = "s"
    penalty = dot([w], [w])
    penalty.label = "p"
    assert walk(square(linear))[-1].symbols("delta") == "∂v1/∂w = δ_s·∂s/∂w"
    assert "δ" not in walk(square(penalty))[-1].symbols("delta")


def test_unknown_notations_and_forms_are_refused_by_name(lecture: Walk) -> None:
    """The message lists what is known."""
    with pytest.raises(OperandError, match="'leibniz'; use one of 'partial', 'bar', 'delta'"):
        lecture[4].text("leibniz")  # type: ignore[arg-type]
    with pytest.raises(OperandError, match="'latex'; use 'text' or 'mathml'"):
        lecture[4].symbols(form="latex")  # type: ignore[arg-type]


def test_rounded_numbers_are_joined_by_an_approximate_sign() -> None:
    """σ(0.75) = 0.679178…, shown as ≈ 0.6792."""
    y = labelled(sigmoid(Value(0.75, "z")), "y")
    assert walk(y)[1].text() == "y = σ(z) = σ(0.75) ≈ 0.6792"


def test_rounded_operands_make_the_substitution_approximate() -> None:
    """1/3 stands as 0.3333 in the product already."""
    f = labelled(Value(1 / 3, "x") * Value(2.0, "y"), "f")
    assert walk(f)[1].text() == "f = x·y ≈ 0.3333·2 ≈ 0.6667"


def test_sum_of_many_terms_shows_the_first_and_the_last() -> None:
    """The middle of a long sum is an ellipsis."""
    values = [Value(float(i), f"x{i}") for i in range(10)]
    step = walk(labelled(add_up(values), "s"))[1]
    assert step.symbols() == "s = x0 + x1 + x2 + x3 + … + x9"
    assert step.numbers() == "0 + 1 + 2 + 3 + … + 9 = 45"


def test_dot_product_is_spelled_out() -> None:
    """A neuron shows each weight beside its input, a constant input as its number."""
    w, b = [Value(1.0, "w0"), Value(2.0, "w1")], Value(-3.0, "b")
    step = walk(labelled(dot(w, [3.0, Value(4.0, "x")], b), "z"))[1]
    assert step.text() == "z = b + w0·3 + w1·x = −3 + 1·3 + 2·4 = 8"


def test_mean_divides_by_a_number() -> None:
    """The count is not an operand."""
    values = [Value(1.0, "a"), Value(5.0, "b")]
    assert walk(labelled(mean(values), "m"))[1].text() == "m = (a + b) / 2 = (1 + 5) / 2 = 3"


def test_operation_that_chooses_stands_as_a_call() -> None:
    """Maximum and log-sum-exp cannot be spelled out as arithmetic."""
    a, b = Value(1.0, "a"), Value(5.0, "b")
    assert walk(labelled(maximum(a, b), "m"))[1].text() == "m = maximum(a, b) = maximum(1, 5) = 5"
    assert walk(labelled(logsumexp([a]), "l"))[1].symbols() == "l = logsumexp(a)"


def test_formula_that_would_say_a_number_twice_says_it_once() -> None:
    """It reads y = x = 3, not y = x = 3 = 3; 1·1 = 1, not 1·1 = 1·1 = 1."""
    y = labelled(identity(Value(3.0, "x")), "y")
    assert [step.text() for step in walk(y)[1:]] == ["y = x = 3", "∂y/∂y = 1", "∂y/∂x = 1·1 = 1"]


def test_many_inputs_are_counted() -> None:
    """A network has hundreds of parameters; the step names eight."""
    values = [Value(float(i), f"x{i}") for i in range(30)]
    assert walk(add_up(values))[0].text().endswith("x7 = 7, and 22 more")


def test_contribution_to_a_sum_names_the_gate_it_comes_by() -> None:
    """∂f/∂x alone would be the whole sum."""
    x = Value(3.0, "x")
    a, b = labelled(x * 2.0, "a"), labelled(x * 5.0, "b")
    assert last(labelled(a + b, "f")).text() == "∂f/∂x by a: ∂f/∂a·∂a/∂x = 1·2 = 2"


def test_two_wires_into_one_gate_are_told_apart() -> None:
    """In x · x the gradient comes by the second operand, then by the first."""
    x = Value(3.0, "x")
    by_second, by_first = walk(labelled(x * x, "f"))[-2:]
    assert by_second.text() == "∂f/∂x by f, operand 2: 1·x = 1·3 = 3"
    assert by_first.text() == "∂f/∂x by f, operand 1: 1·x = 1·3 = 3"


# The local derivative -------------------------------------------------------------------------


def test_local_rules_are_those_of_the_table(lecture: Walk) -> None:
    """∂f/∂z = q, ∂f/∂q = z, and 1 for both operands of a sum."""
    assert [step.local_rule() for step in lecture[4:]] == [
        "∂f/∂z = q",
        "∂f/∂q = z",
        "∂q/∂y = 1",
        "∂q/∂x = 1",
    ]
    assert [step.local_text() for step in lecture[4:6]] == ["∂f/∂z = q = 3", "∂f/∂q = z = −4"]


def test_steps_that_are_not_backward_have_no_local_derivative(lecture: Walk) -> None:
    """Inputs, gates and the seed have no wire."""
    assert [step.local_rule() + step.local_text() for step in lecture[:4]] == [""] * 4


def test_local_derivative_may_use_the_result() -> None:
    """σ' = σ(1 - σ)."""
    step = last(labelled(sigmoid(Value(1.0, "s")), "f"))
    assert step.local_text() == (
        "∂f/∂s = σ(s)·(1 − σ(s)) = f·(1 − f) ≈ 0.7311·(1 − 0.7311) ≈ 0.1966"
    )
    assert step.symbols() == "∂f/∂s = 1·f·(1 − f)"


@pytest.mark.parametrize(
    ("f", "rule"),
    [
        (lambda x: 1 / x, "∂f/∂x = (−1) / x² = −f / x"),
        (lambda x: Value(3.0, "a") / x, "∂f/∂x = −a / x² = −f / x"),
        (tanh, "∂f/∂x = 1 − tanh(x)² = 1 − f·f"),
        (sqrt, "∂f/∂x = 1 / (2·√x) = 1 / (2·f)"),
        (exp, "∂f/∂x = exp(x) = f"),
    ],
)
def test_the_textbook_s_derivative_comes_first(f: Any, rule: str) -> None:
    """Then the form that uses what the forward pass has saved."""
    steps = walk(labelled(f(Value(2.0, "x")), "f"))
    (step,) = [step for step in steps if step.parent is not None and step.parent.label == "x"]
    assert step.local_rule() == rule


def test_power_with_a_constant_exponent_has_the_school_rule() -> None:
    """(x³)' = 3x² and (x²)' = 2x; the exponent is a number, not a symbol."""
    x = Value(2.0, "x")
    assert last(labelled(x**3, "f")).local_text() == "∂f/∂x = 3·x² = 3·2² = 12"
    assert last(labelled(x**2, "f")).local_text() == "∂f/∂x = 2·x = 2·2 = 4"


@pytest.mark.parametrize(("at", "slope"), [(3.0, "1"), (-3.0, "0")])
def test_conditions_are_decided_at_the_point(at: float, slope: str) -> None:
    """The slope of ReLU is written as the number it is here, not as a case distinction."""
    assert last(labelled(relu(Value(at, "z")), "h")).local_text() == f"∂h/∂z = {slope}"


def test_tie_of_a_maximum_is_split() -> None:
    """Two equal largest operands receive half each."""
    a, b = Value(5.0, "a"), Value(5.0, "b")
    assert last(labelled(maximum(a, b), "m")).local_text() == "∂m/∂a = 0.5"


def test_rounded_constants_in_a_rule_are_marked() -> None:
    """The number ln 2 stands in the rule as 0.6931."""
    step = last(labelled(log2(Value(8.0, "x")), "f"))
    assert step.local_rule() == "∂f/∂x ≈ 1 / (x·0.6931)"


def test_partial_of_one_wire_of_several_is_marked() -> None:
    """For f = x · x the local derivative x is not df/dx, which is 2x."""
    x = Value(3.0, "x")
    assert last(labelled(x * x, "f")).local_rule() == "∂f/∂x on this wire = x"


def test_negative_formula_stands_in_parentheses_after_a_product_sign() -> None:
    """1·(−f / y), never 1·-f / y."""
    to_y = walk(labelled(Value(1.0, "x") / Value(2.0, "y"), "f"))[-2]
    assert to_y.symbols() == "∂f/∂y = 1·(−f / y)"


def test_saved_values_are_those_the_local_derivative_reads() -> None:
    """A product reads the other operand, sigmoid its result, a sum nothing."""
    x, y = Value(2.0, "x"), Value(3.0, "y")
    product = x * y
    assert [step.reads for step in walk(product)[-2:]] == [(x,), (y,)]
    bent = sigmoid(x)
    assert last(bent).reads == (bent,)
    assert last(x + 1.0).reads == ()
    assert walk(product)[0].reads == ()


def test_a_custom_operation_is_printed_from_its_own_partials() -> None:
    """A user's op needs no text of its own."""

    @custom_op(partials=lambda y, x: (3 * square(x),), pattern="cubic")
    def cube(x: float) -> float:
        return x**3

    step = last(labelled(cube(Value(2.0, "x")), "f"))
    assert step.local_text() == "∂f/∂x = 3·x² = 3·2² = 12"
    assert step.notes()[0] == "cubic"


# Captions -------------------------------------------------------------------------------------


def test_captions_of_the_lecture_s_first_graph(lecture: Walk) -> None:
    """Swap multiplier, distributor, and what a nudge of an input does."""
    notes = [step.notes() for step in lecture]
    assert notes[:4] == [[], [], [], []]
    assert notes[4] == [
        "swap multiplier: z receives 1·q",
        "nudge z by +0.01: f changes by +0.03",
    ]
    assert notes[5] == ["swap multiplier: q receives 1·z"]
    assert notes[6][0] == "distributor: y receives ∂f/∂q"
    assert notes[7][1] == "nudge x by +0.01: f changes by −0.04"


def test_captions_fall_back_to_what_there_is_to_say(lecture: Walk) -> None:
    """Remarks, else the local derivative, else the sentence."""
    x = Value(0.0, "x")
    to_gate = walk(labelled(exp(labelled(x * 2.0, "g")), "f"))[-2]
    assert lecture[4].caption().startswith("swap multiplier: z receives 1·q; nudge z")
    assert to_gate.caption() == "∂f/∂g = exp(g) = f = 1"
    assert lecture[1].caption() == "The gate + computes q from x and y."


def test_fan_out_is_announced_counted_and_completed(
    regularised: tuple[Parameter, Walk],
) -> None:
    """w̄ is a sum of two terms: told before, after the first, and when complete."""
    w, steps = regularised
    seed = next(step for step in steps if step.phase == "seed")
    assert seed.notes("bar") == ["w feeds 2 gates; w\u0304 needs 2 terms"]
    by_a, by_u = (step for step in steps if step.parent is w)
    assert by_a.text("bar") == "w\u0304 by a: a\u0304·∂a/∂w ≈ (−0.06991)·2 ≈ −0.1398"
    assert by_a.notes("bar")[1] == "w\u0304 ≈ −0.1398 + ?, 1 of 2"
    assert by_u.numbers("bar") == "0.05·1 = 0.05"
    assert (
        by_u.notes("bar")[0] == "w\u0304 ≈ −0.1398 + 0.05 = −0.0898, complete: adder at a fan-out"
    )


def test_many_fan_outs_are_counted() -> None:
    """The seed names the first four."""
    values = [Value(1.0, f"x{i}") for i in range(7)]
    seed = walk(add_up([x * x for x in values]))[9]
    assert seed.phase == "seed"
    assert len(seed.notes()) == 5
    assert seed.notes()[0] == "x0 feeds 1 gate; ∂v8/∂x0 needs 2 terms"
    assert seed.notes()[-1] == "and 3 more that fan out"


def test_bias_of_a_neuron_is_distributed_to() -> None:
    """Of a dot product the weights and inputs are swapped, the bias receives all."""
    z = dot([Value(2.0, "w")], [Value(3.0, "x")], Value(1.0, "b"))
    assert [step.notes()[0] for step in walk(labelled(z, "z"))[-3:]] == [
        "distributor: b receives ∂z/∂z",
        "swap multiplier: x receives 1·w",
        "swap multiplier: w receives 1·x",
    ]


def test_a_multiplier_says_what_of_the_upstream_gradient_it_passes() -> None:
    """Of L = (a - 1)² with a = w·2, w receives twice ∂L/∂a, not 2."""
    w = Parameter(0.5, "w")
    to_w = last(labelled(square(labelled(w * 2.0, "a") - 1.0), "L"))
    assert to_w.notes()[0].startswith("swap multiplier: w receives 2·∂L/∂a")
    assert to_w.notes("bar")[0].startswith("swap multiplier: w receives 2·a\u0304")
    flipped = last(labelled(square(labelled(w * -2.0, "a") - 1.0), "L"))
    assert flipped.notes()[0] == "swap multiplier: w receives (−2)·∂L/∂a"


def test_router_says_who_receives() -> None:
    """The chosen operand receives the gradient, at the others it stops."""
    m = labelled(maximum(Value(1.0, "a"), Value(5.0, "b")), "m")
    assert [step.notes()[0] for step in walk(m)[-2:]] == [
        "gradient router: b receives ∂m/∂m",
        "gradient router: a receives nothing, it stops here",
    ]


def test_sign_flips_and_shares_are_spelled_out() -> None:
    """-x and |x| flip the sign, a mean of four gives a quarter to each."""
    x = Value(-1.0, "x")
    assert last(labelled(-x, "f")).notes()[0] == "sign flip: x receives −∂f/∂f"
    assert last(labelled(magnitude(x), "f")).notes()[0] == "gradient router: x receives −∂f/∂f"
    m = labelled(mean([x, *(Value(0.0) for _ in range(3))]), "m")
    assert last(m).notes()[0] == "distributor: x receives 0.25·∂m/∂m"


@pytest.mark.parametrize("f", [tanh, sigmoid])
def test_a_slope_that_rounds_to_0_is_called_saturated(f: Any) -> None:
    """At 40 that of tanh is 7e-35, but 1 − 1·1 is 0; a parabola's slope at its foot is 0."""
    name = "tanh" if f is tanh else "σ"
    said = last(f(Value(40.0, "x"))).notes()[0]
    assert said == f"{name} is saturated: its slope rounds to 0, and the gradient stops here"


def test_zero_local_derivatives_stop_the_gradient() -> None:
    """A step function and a product with 0 let nothing through, and say so."""
    x, y = Value(1.5, "x"), Value(0.0, "y")
    assert last(floor(x)).notes()[0] == "floor is flat here: the gradient stops here"
    assert last(square(y)).notes()[0] == "x² is flat here: the gradient stops here"
    assert last(labelled(x * y, "f")).notes()[0] == (
        "swap multiplier: x receives 1·y, which is 0, so it stops here"
    )


def test_a_zero_is_not_said_to_stop_before_it_meets_an_infinite_slope() -> None:
    """Of y·√x at 0, 0 goes back to √x, whose slope is inf: 0·inf is nan, which did not stop."""
    steps = walk(labelled(Value(0.0, "y") * sqrt(Value(0.0, "x")), "f"))
    assert steps[-1].total != steps[-1].total
    assert not any("stops" in note for step in steps for note in step.notes())


def test_the_slope_of_the_absolute_value_at_its_kink_is_written_as_a_number() -> None:
    """The table takes x·0 there, so that nan passes, which is no rule to be read."""
    assert last(labelled(magnitude(Value(0.0, "x")), "f")).local_text() == "∂f/∂x = 0"


def test_nudge_of_a_bent_function_is_only_about_right() -> None:
    """x² changes by 0.0601 where the gradient says 0.06; 2x changes by exactly 0.02."""
    x = Value(3.0, "x")
    assert last(labelled(x * x, "f")).notes()[-1] == "nudge x by +0.01: f changes by about +0.06"
    assert last(labelled(x * 2.0, "f")).notes()[-1] == "nudge x by +0.01: f changes by +0.02"


@pytest.mark.parametrize(
    ("x", "nudge"),
    [(0.1, "0.01"), (-0.02, "0.001"), (1e-6, "1e−7"), (1.67e-27, "1e−28"), (5e-324, "0.01")],
)
def test_nudge_is_small_beside_a_small_number(x: float, nudge: str) -> None:
    """A promise of +0.01 · df/dx would be false of 1/x at 1e-6."""
    assert last(Value(x, "x") * 2.0).notes()[-1].startswith(f"nudge x by +{nudge}:")


@pytest.mark.parametrize(
    ("make", "x", "said"),
    [
        (relu, 0.0, "0 from the left and 1 from the right; 0 is taken by convention"),
        (magnitude, 0.0, "−1 from the left and 1 from the right; 0 is taken by convention"),
        (lambda x: maximum(x, 2.0), 2.0, "0 from the left and 1 from the right; 0.5 is taken"),
        (lambda x: minimum(x, 2.0), 2.0, "1 from the left and 0 from the right; 0.5 is taken"),
        (lambda x: clip(x, -1.0, 1.0), 1.0, "1 from the left and 0 from the right; 1 is taken"),
        (lambda x: maximum(x * x, x), 0.0, "0 from the left and 1 from the right; 0.5 is taken"),
        (lambda x: relu(x) * tanh(Value(0.5)), 0.0, "0 from the left and 0.4621 from the right"),
        (lambda x: relu(x) - relu(-x), 0.0, "kinks meet at x = 0: the derivative of f is 1, but"),
        (floor, 2.0, "f jumps at x = 2: it is 1 just below and 2 just above; the gradient leaves"),
        (lambda x: gt(x, 0.0), 0.0, "f jumps at x = 0: it is 0 just below and 1 just above"),
    ],
)
def test_no_nudge_is_foretold_at_a_kink_or_jump(make: Any, x: float, said: str) -> None:
    """The slopes on both sides are those of the textbook: relu(0) rises by 0.01, not by about 0."""
    note = last(labelled(make(Value(x, "x")), "f")).notes()[-1]
    assert "nudge" not in note
    assert said in note


@pytest.mark.parametrize(
    ("make", "x", "nudge", "change"),
    [
        (lambda x: relu(x - 1.0), 0.999, "+0.001", "about 0"),  # the kink is 0.001 away
        (lambda x: exp(30.0 * x), 0.0, "+0.001", "about +0.03"),  # e^0.3 - 1 is 0.35, not 0.3
        (lambda x: x * x, 0.0, "+0.01", "about 0"),
    ],
)
def test_a_nudge_is_so_small_that_its_promise_holds(
    make: Any, x: float, nudge: str, change: str
) -> None:
    """Where a step of 0.01 would pass a kink or bend too much, a smaller one is spoken of."""
    note = last(labelled(make(Value(x, "x")), "f")).notes()[-1]
    assert note == f"nudge x by {nudge}: f changes by {change}"


@pytest.mark.parametrize("seed", range(20))
def test_what_is_foretold_is_what_the_function_does(seed: int) -> None:
    """Of random functions with kinks, at whole numbers where kinks are likely."""
    draw = random.Random(seed)
    x, y = Value(float(draw.randint(-2, 2)), "x"), Value(float(draw.randint(-2, 2)), "y")
    pool = [x, y]
    for _ in range(6):
        a, b = draw.choice(pool), draw.choice(pool)
        pool.append(draw.choice([relu(a), magnitude(a), maximum(a, b), a * b, a - b, tanh(a)]))
    f = labelled(add_up(pool), "f")
    for step in walk(f):
        note = step.notes()[-1] if step.parent in {x, y} and step.arrived == step.expected else ""
        if found := re.match(r"nudge . by \+([\d.]+): f changes by (?:about )?(\S+)", note):
            nudge, foretold = float(found[1]), float(found[2].replace("−", "-"))
            assert step.parent is not None
            moved = output_at(walk(f).scene, step.parent, step.parent.data + nudge)
            assert moved - f.data == pytest.approx(foretold, rel=0.12, abs=0.03 * nudge)


def test_the_power_one_half_is_a_root() -> None:
    """In names and in numbers, and of what stands in parentheses too."""
    x = Value(4.0, "x")
    assert walk(labelled(x**0.5, "f"))[1].text() == "f = √x = √4 = 2"
    assert walk(labelled(Value(9.0, "a + b") ** 0.5, "f"))[1].text() == "f = √(a + b) = √9 = 3"


def test_a_sum_that_swallows_the_input_promises_nothing() -> None:
    """1 + 1e16 - 1e16 does not change by 0.01, nor does 1 + 1e16, in however many gates."""
    x = Value(1.0, "x")
    for f in ((x + 1e16) - 1e16, x + 1e16, add_up([x, 1e16, -1e16]), dot([x, 1e16], [1.0, 1.0])):
        assert not any("nudge" in note for note in walk(f)[-1].notes())


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: x * x, "f = x·x = 1e−300·1e−300 ≈ 0"),
        (square, "f = x² = (1e−300)² ≈ 0"),
        (lambda x: x**3, "f = x³ = (1e−300)³ ≈ 0"),
        (lambda x: x / 1e300, "f = x / 1e300 = 1e−300 / 1e300 ≈ 0"),
        (lambda x: exp(x - 800.0), "f = exp(v1) ≈ exp(−800) ≈ 0"),
        (lambda x: x * 0.0, "f = x·0 = 1e−300·0 = 0"),
    ],
)
def test_what_is_too_small_for_a_float_is_only_about_0(make: Any, text: str) -> None:
    """1e-600 is not 0, which a product with 0 is."""
    steps = walk(labelled(make(Value(1e-300, "x")), "f"))
    assert text in [step.text() for step in steps]


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (tanh, "f = tanh(x) = tanh(40) ≈ 1"),
        (sigmoid, "f = σ(x) = σ(40) ≈ 1"),
        (silu, "f = silu(x) = silu(40) ≈ 40"),
        (lambda x: cos(1e-9 * x / 40.0), "f = cos(v2) = cos(1e−9) ≈ 1"),
        (lambda x: 1.0 + exp(-x), "f = 1 + v2 ≈ 1"),
        (lambda x: x + 1e18, "f = x + 1e18 ≈ 1e18"),
        (lambda x: tanh(0.0 * x), "f = tanh(v1) = tanh(0) = 0"),
        (lambda x: x + 1.0, "f = x + 1 = 41"),
    ],
)
def test_what_a_float_rounds_to_few_digits_is_only_about_them(make: Any, text: str) -> None:
    """The tanh of 40 is less than 1, and 1 + 4e-18 more; tanh(0) is 0."""
    steps = walk(labelled(make(Value(40.0, "x")), "f"))
    assert text in [step.text() for step in steps]


def test_inputs_come_before_parameters() -> None:
    """However they are first read, as the sentence names them."""
    w, x, b = Parameter(2.0, "w"), Value(3.0, "x"), Parameter(1.0, "b")
    first = walk(w * x + b)[0]
    assert first.text() == "x = 3, w = 2, b = 1"
    assert first.sentence() == "Start from the input x and the parameters w and b."


def test_nudge_is_exact_in_one_operand_of_a_product_and_not_below_a_bend() -> None:
    """Of a·b² + max(a, b) + c/a + cb only c is a straight line: max and 1/a bend a."""
    a, b, c = Value(4.0, "a"), Value(2.0, "b"), Value(5.0, "c")
    f = labelled(a * square(b) + maximum(a, b) + c / a + c * b, "f")
    said = {s.parent: s.notes()[-1] for s in walk(f) if s.parent and s.arrived == s.expected}
    assert said[c] == "nudge c by +0.01: f changes by +0.0225"
    assert "about" in said[a]
    assert "about" in said[b]


def test_notes_of_many_inputs_take_no_sweep_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a weighted sum each changes the output by 0.01 w, without its being computed again."""
    weights = [0.25 * (1 + i % 7) for i in range(300)]
    inputs = [Value(1.0 + i, f"x{i}") for i in range(300)]
    f = inputs[0] * weights[0]
    for x, w in zip(inputs[1:], weights[1:], strict=True):
        f = f + x * w
    monkeypatch.setattr(nudges, "output_at", pytest.fail)
    said = {s.parent: s.notes()[-1] for s in walk(f) if s.parent and s.arrived == s.expected}
    for x, w in zip(inputs, weights, strict=True):
        assert said[x].endswith(f" by {signed(0.01 * w)}")


def test_nudges_wait_for_the_whole_gradient_of_an_input() -> None:
    """Not after the first of two terms, and not at a gate."""
    x = Value(3.0, "x")
    steps = walk(labelled(x * x, "f"))
    assert not any("nudge" in note for note in steps[-2].notes())


def test_nudge_of_an_infinite_gradient_is_left_out() -> None:
    """There is no change to foretell."""
    f = labelled(Value(0.0, "x") ** 0.5, "f")
    assert last(f).total == float("inf")
    assert not any("nudge" in note for note in last(f).notes())


def test_large_graphs_are_not_searched_for_bends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where looking would take long, a nudge is called approximate."""
    monkeypatch.setattr("scalargrad.show.steps.affinity.LARGEST", 1)
    note = last(labelled(Value(3.0, "x") * 2.0, "f")).notes()[-1]
    assert note == "nudge x by +0.01: f changes by about +0.02"


def test_sentences_say_what_happens(lecture: Walk) -> None:
    """One sentence for every kind of step."""
    assert [lecture[i].sentence() for i in (0, 1, 3)] == [
        "Start from the inputs x, y and z.",
        "The gate + computes q from x and y.",
        "The backward pass starts at the output: f changes one for one with itself.",
    ]
    assert lecture[6].sentence() == "From q back to y: upstream ∂f/∂q times local ∂q/∂y."


def test_sentences_tell_parameters_from_inputs_and_count_the_many() -> None:
    """A gate is called what it shows, its constant with it."""
    w = [Parameter(1.0, f"w{i}") for i in range(6)]
    steps = walk(labelled(dot(w, [1.0] * 6, Value(2.0, "x")), "z"))
    assert steps[0].sentence() == (
        "Start from the input x and the parameters w0, w1, w2 and 3 more."
    )
    assert walk(labelled(2.0 - Value(1.0, "x"), "f"))[1].sentence() == (
        "The gate 2−x computes f from x."
    )


def test_condition_recorded_as_a_node_receives_nothing() -> None:
    """where(c, a, b) with a node as condition routes to the arm chosen."""
    c, a, b = Value(1.0, "c"), Value(2.0, "a"), Value(3.0, "b")
    steps = walk(labelled(where(c, a, b), "f"))
    assert [step.contribution for step in steps[-3:]] == [0.0, 1.0, 0.0]


# Names ----------------------------------------------------------------------------------------


def test_labels_that_are_formulas_are_put_in_parentheses() -> None:
    """A node called a + b times c is (a + b)·c; one already in parentheses is left alone."""
    f = labelled(Value(3.0, "a + b") * Value(2.0, "(c)"), "f")
    assert walk(f)[1].text() == "f = (a + b)·(c) = 3·2 = 6"


def test_an_index_in_brackets_is_part_of_a_name() -> None:
    """A weight of Linear, w[0,1], needs no parentheses; w[0]+b does, and so does a + b."""
    f = labelled(Value(3.0, "w[0,1]") * Value(2.0, "w[0]+b"), "f")
    assert walk(f)[1].text() == "f = w[0,1]·(w[0]+b) = 3·2 = 6"
    assert walk(f)[-1].text("bar").startswith("w\N{COMBINING MACRON}[0,1] = ")


def test_control_characters_in_labels_are_shown_as_signs() -> None:
    """A line break, an escape sequence or a change of direction would break what is printed."""
    x = Value(1.0, "a\nb\x1b[31m\u202e")
    assert walk(labelled(x * 2.0, "f"))[0].symbols() == "a␊b␛[31m\N{REPLACEMENT CHARACTER}"


def test_bar_goes_over_the_letter_of_an_indexed_name_and_over_all_of_a_word() -> None:
    """w̄1, w̄_x, and a line over every letter of a longer name."""
    names = ("w1", "w_x", "loss")
    a, b, c = (Value(1.0, name) for name in names)
    steps = walk(labelled(add_up([a, b, c]), "f"))
    written = [step.symbols("bar").split(" = ")[0] for step in steps[-3:]]
    assert written == ["l\u0305o\u0305s\u0305s\u0305", "w\u0304_x", "w\u03041"]
