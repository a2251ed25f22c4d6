"""What a step says in words: a sentence, the gate's pattern, the running sum, a nudge."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from math import isfinite

from scalargrad.show.graphs.gates import folds, gate_text
from scalargrad.show.number_format import number, running_sum, signed
from scalargrad.show.shown_graph import largest_of
from scalargrad.show.steps import formulas
from scalargrad.show.steps.formulas import TEXT, Notation, say
from scalargrad.show.steps.scene import Scene, StepFacts
from scalargrad.system.short_repr import counted
from scalargrad.table.printing import MINUS
from scalargrad.value import Parameter, Value


def change_note(scene: Scene, leaf: Value, total: float) -> str:
    """Say what a nudge of an input by a hundredth of its size does: ``nudge x by +0.01: …``.

    Where that or the output is not finite, nothing is said.
    """
    nudge = nudge_of(scene.data[leaf])
    if not isfinite(nudge * total) or not isfinite(scene.data[scene.root]):
        return ""
    said = {"leaf": scene.names[leaf], "root": scene.names[scene.root]}
    return say("nudge", nudge=signed(nudge), change=signed(nudge * total), **said)


def nudge_of(x: float) -> float:
    """Return by how much to nudge x: a hundredth of the greatest power of ten that is in it."""
    size = Decimal(repr(x)).adjusted() if x and isfinite(x) else 0
    return float(f"1e{size - 2}") or 0.01  # of what is almost 0


_MOST_NAMES = 4


def sentence(step: StepFacts, notation: Notation) -> str:
    """Say what happens in this step."""
    scene, node = step.scene, step.node
    if node is None:
        return say("inputs", inputs=_inputs(scene))
    name = scene.names[node]
    if step.phase == "forward":
        operands = [scene.names[x] if isinstance(x, Value) else "" for x in node.parents]
        return gate_sentence(node, name, operands)
    if step.phase == "seed":
        return say("seed", name=name)
    assert step.parent is not None
    upstream, parent = formulas.signal(step, node, TEXT, notation), scene.names[step.parent]
    local = TEXT.partial(scene.in_formulas[node], scene.in_formulas[step.parent])
    return say("backward", name=name, parent=parent, upstream=upstream, local=local)


def gate_sentence(node: Value, name: str, operands: Sequence[str]) -> str:
    """Say what a gate of such operands computes; a constant that is part of it is left out."""
    read = [
        number(x) if isinstance(x, float) else operand
        for x, operand in zip(node.parents, operands, strict=True)
        if isinstance(x, Value) or not folds(node)
    ]
    return say("forward", gate=gate_text(node), name=name, operands=_listed(read))


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
        words = [*words[: _MOST_NAMES - 1], say("rest", count=len(words) - _MOST_NAMES + 1)]
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
    return say("held", largest=written)


def alarm_note(step: StepFacts) -> str:
    """Say where inf or nan comes from, at the step at which it appears first."""
    alarm = step.scene.alarm
    return alarm.text if alarm is not None and alarm.position == step.index else ""


def alarm_text(step: StepFacts, node: Value, formula: str) -> str:
    """Say that the number of a node, which appears at a step, is not finite."""
    scene, gate = step.scene, step.node
    if gate is None:
        return say("not finite", name=scene.names[node], value=number(scene.data[node]))
    return say(
        "too large" if step.local is None or isfinite(step.local) else "vertical",
        kind="gradient" if step.phase == "backward" else "value",
        formula=formula,
        name=scene.names[gate],
    )


def fan_out_notes(step: StepFacts, notation: Notation) -> list[str]:
    """Announce the gradients that will be sums: ``w feeds 2 gates; w̄ needs 2 terms``."""
    scene = step.scene
    sums = [node for node in scene.order if scene.readers[node] > 1]
    announced = [
        f"{scene.names[node]} feeds {counted(scene.feeds[node], 'gate')}; "
        f"{formulas.signal(step, node, TEXT, notation)} needs {scene.readers[node]} terms"
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
    pattern = gate.form.pattern(step.operand)
    is_dead = _is_stopped(step)
    if pattern == "swap multiplier":
        partial = gate.partial(step.operand)
        factor = TEXT.factor_of(partial, step.scene.words(gate, partial))
        at_root = step.node is step.scene.root  # there the formula writes 1·q, too
        product = (
            TEXT.put("product", "1", factor) if at_root else TEXT.put("product", factor, signal)
        )
        text = "stopped" if is_dead else "received"
        return say(text, pattern=pattern, parent=parent, received=product)
    if pattern in {"distributor", "gradient router", "sign flip"}:
        text = "nothing" if is_dead else "received"
        return say(text, pattern=pattern, parent=parent, received=_share(step, signal))
    if is_dead:
        is_rounded = "≈" in gate.relations(step.operand)  # to 0, as the slope of tanh at 400
        return say("saturated" if is_rounded else "flat", gate=gate_text(step.node))
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
    if local in {1.0, -1.0}:
        return signal if local > 0 else f"{MINUS}{signal}"
    return TEXT.put("product", TEXT.factor(local), signal)


def sum_note(step: StepFacts, notation: Notation) -> str:
    """Give the sum so far of a gradient that several wires contribute to."""
    if not step.fans_out:
        return ""
    assert step.parent is not None
    written = running_sum(step.scene.terms[step.parent], step.arrived, step.expected)
    return say(
        "sum" if step.arrived == step.expected else "part",
        signal=formulas.signal(step, step.parent, TEXT, notation),
        sum=written,
        arrived=step.arrived,
        expected=step.expected,
    )


def nudge_note(step: StepFacts) -> str:
    """Say what a complete gradient of an input means: ``nudge x by +0.01: …``."""
    parent, total = step.parent, step.total
    if parent is None or total is None or parent.parents or step.arrived < step.expected:
        return ""
    return change_note(step.scene, parent, total)
