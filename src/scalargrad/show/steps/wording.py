"""What a step says in words: a sentence, the gate's pattern, the running sum, a nudge."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite, nan

from scalargrad.errors import ScalargradError
from scalargrad.ops.reductions import Largest
from scalargrad.show.graphs.gates import folds, gate_text
from scalargrad.show.number_format import is_rounded, number, running_sum, signed
from scalargrad.show.shown_graph import largest_of, scores_of
from scalargrad.show.steps import formulas
from scalargrad.show.steps.formulas import TEXT, Notation
from scalargrad.show.steps.scene import Scene, StepFacts
from scalargrad.system.short_repr import counted
from scalargrad.table.printing import MINUS
from scalargrad.value import Parameter, Value

_NUDGE = 0.01  # of 0, and of what is almost 0
_TRUE = 0.1  # a change that is foretold with "about" is off by no more than this fraction
_NOTHING = 0.02  # of the nudge: a change so small is about 0
_STRAIGHT = 1e-6  # of a change: so little is off where the function is straight


def change_note(scene: Scene, leaf: Value, total: float) -> str:
    """Say what a nudge of an input by a hundredth of its size does: ``nudge x by +0.01: …``.

    The graph is computed again there. Where the output does not change as the gradient foretells,
    as beside a kink, both numbers are given; where it is not finite, nothing is.
    """
    x, names, nudge = scene.data[leaf], scene.names, nudge_of(scene.data[leaf])
    foretold = nudge * total
    found = output_at(scene, leaf, x + nudge) - scene.data[scene.root]
    if not isfinite(foretold) or not isfinite(found):
        return ""
    said = f"nudge {names[leaf]} by {signed(nudge)}: {names[scene.root]} changes by "
    most, off = max(abs(found), abs(foretold)), abs(found - foretold)
    if off > _TRUE * most and most > _NOTHING * nudge:
        about = "about " if is_rounded(found) else ""
        end = f"not by {signed(foretold)} as the gradient foretells: it is no straight line there"
        return f"{said}{about}{signed(found)}, {end}"
    is_bent = off > _STRAIGHT * abs(foretold)
    about = "about " if is_bent or scene.exactness.gradient(leaf) == "≈" else ""
    return f"{said}{about}{signed(foretold)}"


def output_at(scene: Scene, leaf: Value, x: float) -> float:
    """Return the output where `leaf` is x; nan where it is undefined, or of another branch."""
    data: dict[Value, float] = {leaf: x}

    def now(y: Value | float) -> float:
        if isinstance(y, Largest) and scores_of(y, scene.place):
            return y.at(now)
        return data.get(y, scene.data[y]) if isinstance(y, Value) else y

    try:
        for node in scene.gates_after(leaf):
            assert node.op is not None
            data[node] = node.op.of_floats(*map(now, node.parents))
    except ScalargradError:
        return nan
    if not scene.branches_alike(now):
        return nan
    return data.get(scene.root, scene.data[scene.root])


def nudge_of(x: float) -> float:
    """Return by how much to nudge x: a hundredth of the greatest power of ten that is in it."""
    size = Decimal(repr(x)).adjusted() if x and isfinite(x) else 0
    return float(f"1e{size - 2}") or _NUDGE


_MOST_NAMES = 4


def sentence(step: StepFacts, notation: Notation) -> str:
    """Say what happens in this step."""
    scene, node = step.scene, step.node
    if node is None:
        return f"Start from {_inputs(scene)}."
    name = scene.names[node]
    if step.phase == "forward":
        assert node.op is not None
        return f"The gate {gate_text(node)} computes {name} from {_listed(_operands(step, node))}."
    if step.phase == "seed":
        return f"The backward pass starts at the output: {name} changes one for one with itself."
    assert step.parent is not None
    upstream, parent = formulas.signal(step, node, TEXT, notation), scene.names[step.parent]
    local = TEXT.partial(scene.in_formulas[node], scene.in_formulas[step.parent])
    return f"From {name} back to {parent}: upstream {upstream} times local {local}."


def _operands(step: StepFacts, node: Value) -> list[str]:
    """Return the names of a gate's operands, without a constant that is part of the gate."""
    shown = [x for x in node.parents if isinstance(x, Value)] if folds(node) else node.parents
    return [number(x) if isinstance(x, float) else step.scene.names[x] for x in shown]


def _inputs(scene: Scene) -> str:
    trained = [x for x in scene.inputs if isinstance(x, Parameter)]
    given = [x for x in scene.inputs if not isinstance(x, Parameter)]
    groups = [
        f"the {kind}{'s' * (len(nodes) > 1)} {_listed([scene.names[x] for x in nodes])}"
        for kind, nodes in (("input", given), ("parameter", trained))
        if nodes
    ]
    return " and ".join(groups)


def _listed(words: Sequence[str]) -> str:
    """Join words with commas and "and"; of many, name the first and count the rest."""
    if len(words) > _MOST_NAMES:
        words = [*words[: _MOST_NAMES - 1], f"{len(words) - _MOST_NAMES + 1} more"]
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def notes(step: StepFacts, notation: Notation) -> list[str]:
    """Return the remarks on a step, in the order they are read; none of them is empty."""
    alarm = alarm_note(step)
    if step.phase == "seed":
        return fan_out_notes(step, notation)
    if step.phase == "forward":
        return [note for note in (held_note(step), alarm) if note]
    found = [pattern_note(step, notation), sum_note(step, notation), nudge_note(step), alarm]
    return [note for note in found if note]


def held_note(step: StepFacts) -> str:
    """Say why no gradient goes back to the maximum that softmax subtracts."""
    scores = step.scene.held(step.node) if step.node is not None else []
    if not scores:
        return ""
    written = largest_of([step.scene.in_formulas[x] for x in scores])
    return f"{written} is held constant: softmax is the same whatever is subtracted"


def alarm_note(step: StepFacts) -> str:
    """Say where inf or nan comes from, at the step at which it appears first."""
    alarm = step.scene.alarm
    return alarm.text if alarm is not None and alarm.position == step.index else ""


def fan_out_notes(step: StepFacts, notation: Notation) -> list[str]:
    """Announce the gradients that will be sums: ``w feeds 2 gates; w̄ needs 2 terms``."""
    scene = step.scene
    sums = [node for node in scene.order if scene.expected[node] > 1]
    announced = [
        f"{scene.names[node]} feeds {counted(scene.feeds[node], 'gate')}; "
        f"{formulas.signal(step, node, TEXT, notation)} needs {scene.expected[node]} terms"
        for node in sums[:_MOST_NAMES]
    ]
    rest = len(sums) - len(announced)
    return [*announced, f"and {rest} more that fan out"] if rest else announced


def pattern_note(step: StepFacts, notation: Notation) -> str:
    """Say what the gate does to the gradient on its way back along this wire."""
    assert step.node is not None
    assert step.parent is not None
    assert step.operand is not None
    gate = step.scene.gate(step.node)
    parent = step.scene.names[step.parent]
    signal = formulas.signal(step, step.node, TEXT, notation)
    pattern = gate.op.pattern
    if pattern == "swap multiplier" and gate.is_constant(step.operand):
        pattern = "distributor"  # a neuron's bias
    if pattern == "swap multiplier":
        partial = gate.partial(step.operand)
        factor = TEXT.factor_of(partial, step.scene.words(gate, partial))
        stopped = ", which is 0, so it stops here" if _is_stopped(step) else ""
        at_root = step.node is step.scene.root  # there the formula writes 1·q, too
        product = TEXT.product("1", factor) if at_root else TEXT.product(factor, signal)
        return f"swap multiplier: {parent} receives {product}{stopped}"
    if pattern in {"distributor", "router", "sign flip"}:
        title = "gradient router" if pattern == "router" else pattern
        return f"{title}: {parent} receives {_share(step, signal)}"
    if _is_stopped(step):
        is_rounded = "≈" in gate.relations(step.operand)  # to 0, as the slope of tanh at 400
        place = "saturated: its slope rounds to 0, and" if is_rounded else "flat here:"
        return f"{gate_text(step.node)} is {place} the gradient stops here"
    return pattern


def _is_stopped(step: StepFacts) -> bool:
    """Return whether a wire passes no gradient: its local is 0, and so is the product.

    Beside inf or nan it may not be: the 0 can become nan later, as 0·inf.
    """
    return step.local == 0 and step.contribution == 0 and step.scene.alarm is None


def _share(step: StepFacts, signal: str) -> str:
    """Say how much of a gradient a gate lets through."""
    local = step.local
    assert local is not None
    if _is_stopped(step):
        return "nothing, it stops here"
    if local in {1.0, -1.0}:
        return signal if local > 0 else f"{MINUS}{signal}"
    return TEXT.product(TEXT.factor(local), signal)


def sum_note(step: StepFacts, notation: Notation) -> str:
    """Give the sum so far of a gradient that several wires contribute to."""
    if not step.fans_out:
        return ""
    assert step.parent is not None
    terms, expected = step.scene.terms[step.parent], step.expected
    complete = step.arrived == expected
    end = "complete: adder at a fan-out" if complete else f"{step.arrived} of {expected}"
    signal = formulas.signal(step, step.parent, TEXT, notation)
    sign = step.scene.exactness.terms(step.parent, step.arrived)
    return f"{signal} {running_sum(terms, step.arrived, expected, sign)}, {end}"


def nudge_note(step: StepFacts) -> str:
    """Say what a complete gradient of an input means: ``nudge x by +0.01: …``."""
    parent, total = step.parent, step.total
    if parent is None or total is None or parent.parents or step.arrived < step.expected:
        return ""
    return change_note(step.scene, parent, total)
