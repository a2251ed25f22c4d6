"""What is said of the first number of a walk that is inf or nan."""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from scalargrad.show.figures import number
from scalargrad.value import Value

if TYPE_CHECKING:
    from scalargrad.show.steps.step import Step


class Alarm(NamedTuple):
    """Where a walk first meets inf or nan.

    Attributes
    ----------
    node : Value
        Whose value or, in the backward pass, whose gradient it is.
    step : Step
        At which it appears.
    """

    node: Value
    step: Step

    @property
    def text(self) -> str:
        """Say where the number comes from, and what to do about it."""
        scene, gate = self.step.scene, self.step.node
        if gate is None:
            value = f"{scene.names[self.node]} = {number(scene.data[self.node])}"
            return f"first value that is not finite: {value}; give a finite number"
        kind = "gradient" if self.step.phase == "backward" else "value"
        return (
            f"first {kind} that is not finite: {self.step.text()}; scale the operands of "
            f"{scene.names[gate]}, or guard them with where"
        )


def first_alarm(steps: list[Step]) -> Alarm | None:
    """Return the first number that is not finite: a value if there is one, else a gradient."""
    scene = steps[0].scene
    for node in scene.order:
        if not isfinite(scene.data[node]):
            return Alarm(node, steps[scene.known_at[node]])
    for step in steps[scene.seed_at + 1 :]:
        assert step.total is not None
        if not isfinite(step.total):
            assert step.parent is not None
            return Alarm(step.parent, step)
    return None
