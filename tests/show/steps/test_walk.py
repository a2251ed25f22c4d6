"""The sequence of steps: what is in it, in which order, and what walking leaves alone."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence

import pytest

from scalargrad import Value, dot, gradients, maximum, relu, square, tanh
from scalargrad import sum as add_up
from scalargrad.autodiff import detect_anomaly
from scalargrad.errors import GraphChangedError, NumericalError, OperandError
from scalargrad.show.steps import Walk, walk
from scalargrad.table.operation import Elementwise, Reduction


def test_walk_is_a_sequence_of_its_steps() -> None:
    """It has a length, indices from either end, and steps that know their position."""
    x = Value(3.0, "x")
    steps = walk(x * x)
    assert isinstance(steps, Sequence)
    assert len(steps) == 5
    assert [step.index for step in steps] == [0, 1, 2, 3, 4]
    assert steps[-1] is steps[4]


def test_slice_of_a_walk_is_a_walk() -> None:
    """The backward half alone can be printed, and its steps keep their positions."""
    x = Value(3.0, "x")
    steps = walk(x * x)
    part = steps[3:]
    assert isinstance(part, Walk)
    assert [step.index for step in part] == [3, 4]
    assert part[0] is steps[3]


def test_walk_of_a_leaf_is_inputs_and_seed() -> None:
    """A leaf has nothing to compute and no wire."""
    steps = walk(Value(3.0, "x"))
    assert [step.text() for step in steps] == ["x = 3", "∂x/∂x = 1"]


def test_square_by_multiplication_has_two_wires() -> None:
    """A product x · x sends the gradient back along two wires, which arrive one after the other."""
    x = Value(3.0, "x")
    wires = walk(x * x)[-2:]
    assert [step.operand for step in wires] == [1, 0]
    assert [step.total for step in wires] == [3.0, 6.0]
    assert wires[0].parent is wires[1].parent is x


def test_constants_have_no_backward_step() -> None:
    """Of 2 - x³ only the wires that lead to x are walked back."""
    x = Value(2.0, "x")
    steps = walk(2.0 - x**3)
    assert [step.contribution for step in steps if step.phase == "backward"] == [-1.0, -12.0]


def test_upstream_of_a_gate_that_fans_out_is_its_completed_total() -> None:
    """Here q = 2x feeds q² and 3q, so back through q goes 2q + 3 = 15, not one term of it."""
    x = Value(3.0, "x")
    q = x * 2.0
    last = walk(square(q) + 3.0 * q)[-1]
    assert (last.node, last.upstream) == (q, 15.0)


def test_walking_changes_no_gradient() -> None:
    """Neither leaves nor interior nodes are written to."""
    x = Value(3.0, "x")
    q = x * x
    x.grad, q.grad = 5.0, 7.0
    str(walk(q * 2.0))
    assert (x.grad, q.grad) == (5.0, 7.0)


def test_last_totals_are_the_gradients() -> None:
    """Contribution by contribution, the steps arrive at what the backward sweep computes."""
    a, b, c = Value(0.3), Value(-1.7), Value(2.9)
    root = maximum(a * b, b * c, relu(c - a)) + dot([a, b], [b, 0.7], c) * a
    final = {s.parent: s.total for s in walk(root) if s.parent is not None}
    assert [final[x] for x in (a, b, c)] == gradients(root, [a, b, c])


def test_later_assignments_do_not_change_a_walk() -> None:
    """An optimiser may move a leaf; the steps still show the numbers that were walked."""
    x = Value(3.0, "x")
    steps = walk(x * 2.0)
    x.data = 50.0
    assert steps[0].text() == "x = 3"
    assert steps[1].text() == "v1 = x·2 = 3·2 = 6"


def test_a_graph_that_no_longer_fits_its_leaves_is_refused() -> None:
    """After an update the recorded 6 is not 2 · 50, so the error says to build it again."""
    x = Value(3.0, "x")
    y = x * 2.0
    x.data = 50.0
    with pytest.raises(GraphChangedError, match="it would be 100: data was assigned"):
        walk(y)


def test_a_graph_with_nan_can_be_walked() -> None:
    """What is not a number is not mistaken for a changed graph."""
    x = Value(float("nan"), "x")
    assert walk(x * 2.0)[1].text() == "v1 = x·2 = nan·2 = nan"


def test_only_a_value_can_be_walked() -> None:
    """The message shows what was given."""
    with pytest.raises(OperandError, match=r"walk needs a Value.* not 3\.0"):
        walk(3.0)  # type: ignore[arg-type]
    with pytest.raises(OperandError, match=r"as in walk\(f\(Value\(2\.0\)\)\)"):
        walk(abs)  # type: ignore[arg-type]


def test_anomalies_are_found_on_the_way() -> None:
    """Walking is a backward sweep, so detect_anomaly holds for it."""
    x = Value(0.0, "x")
    y = x * float("inf")
    with detect_anomaly(), pytest.raises(NumericalError, match="the gradient of x"):
        walk(y)


def test_repr_is_short() -> None:
    """A walk does not print its steps as its repr."""
    x = Value(3.0, "x")
    assert repr(walk(x * x)) == "<walk through v1: 5 steps>"


@pytest.mark.uncounted
def test_a_chain_far_deeper_than_the_recursion_limit_can_be_walked_and_printed() -> None:
    """5,000 gates in a row, and each has its step forward and back."""
    y = Value(1.0, "x")
    for _ in range(5000):
        y = y * 1.0
    steps = walk(y)
    assert len(steps) == 2 + 2 * 5000
    assert len(str(steps).splitlines()) == len(steps) + 4  # a heading and three passes


@pytest.mark.uncounted
@pytest.mark.parametrize("reduction", [add_up, lambda x: maximum(*x), lambda x: dot(x, x)])
def test_a_reduction_far_wider_than_the_recursion_limit_can_be_printed(reduction) -> None:  # type: ignore[no-untyped-def]
    """Formulas over 1,500 operands are shortened, not recursed into: every 100th is printed."""
    steps = walk(reduction([Value(float(i)) for i in range(1500)]))
    printed = [*steps[:4], *steps[4::100]]  # inputs, the gate, and wires from first to last
    longest = max(len(step.caption()) + len(step.text()) for step in printed)
    assert longest < 300


def test_partials_are_traced_once_for_each_operation_and_arity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Forty sums of forty operands cost one trace of forty partials, not forty."""
    leaves = [Value(float(i)) for i in range(40)]
    root = add_up([add_up(leaves) for _ in range(40)])
    counted: list[str] = []
    for kind in (Elementwise, Reduction):
        original = kind.trace_partials

        def trace(self, arity, original=original):  # type: ignore[no-untyped-def]
            counted.append(self.name)
            return original(self, arity)

        monkeypatch.setattr(kind, "trace_partials", trace)
    for step in walk(root):
        step.caption()
    assert counted == ["sum"]


def test_a_nudge_computes_anew_only_what_its_input_reaches() -> None:
    """In y = tanh(y xᵢ), fifty times over, the last xᵢ reaches two gates of the hundred."""
    leaves = [Value(0.5 + 0.01 * i) for i in range(51)]
    y = leaves[0]
    for x in leaves[1:]:
        y = tanh(y * x)
    scene = walk(y).scene
    assert [len(scene.gates_after(x)) for x in leaves] == [100, *range(100, 0, -2)]
    first, *_, last = scene.gates_after(leaves[-1])
    assert (first.parents[1], last) == (leaves[-1], y)


def test_dropping_a_walk_leaves_nothing_for_the_collector() -> None:
    """Steps share their scene without a cycle, so it goes with the last of them."""
    x = Value(3.0, "x")
    steps = walk(x * x)
    str(steps)
    scene = weakref.ref(steps.scene)
    gc.disable()
    try:
        del steps
        assert scene() is None
    finally:
        gc.enable()
