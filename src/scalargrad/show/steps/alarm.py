"""Find the first number of a walk that is inf or nan, and describe it."""

from __future__ import annotations

from math import isfinite

from scalargrad.show.number_format import number
from scalargrad.show.steps.scene import Alarm
from scalargrad.show.steps.step import Step
from scalargrad.value import Value


def first_alarm(steps: list[Step]) -> Alarm | None:
    """Return the first number that is not finite: a value if there is one, else a gradient."""
    scene = steps[0].scene
    for node in scene.order:
        if not isfinite(scene.data[node]):
            return _alarm(node, steps[scene.known_at[node]])
    for step in steps[scene.seed_at + 1 :]:
        assert step.total is not None
        if not isfinite(step.total):
            assert step.parent is not None
            return _alarm(step.parent, step)
    return None


def _alarm(node: Value, step: Step) -> Alarm:
    scene, gate = step.scene, step.node
    if gate is None:
        value = f"{scene.names[node]} = {number(scene.data[node])}"
        said = f"first value that is not finite: {value}; give a finite number"
    else:
        kind = "gradient" if step.phase == "backward" else "value"
        vertical = step.local is not None and not isfinite(step.local)
        said = (
            f"first {kind} that is not finite: {step.text()}; "
            f"{'shift' if vertical else 'scale'} the operands of "
            f"{scene.names[gate]}, or guard them with where"
        )
    return Alarm(node, step.index, said)
