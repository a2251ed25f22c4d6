"""The facts of one step of a walk, from which its texts are written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from scalargrad.show.steps.scene import Scene
from scalargrad.value import Value

Phase: TypeAlias = Literal["forward", "seed", "backward"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class StepFacts:
    """The graph, the wire and the numbers of a step; `Step` has the attributes one by one."""

    scene: Scene
    index: int
    phase: Phase
    node: Value | None = None
    operand: int | None = None
    parent: Value | None = None
    upstream: float | None = None
    local: float | None = None
    contribution: float | None = None
    total: float | None = None
    arrived: int = 0
    expected: int = 0

    @property
    def pattern(self) -> str:
        """What the gate does to a gradient on its way back, in a word or two; may be empty."""
        return self.node.op.pattern if self.node is not None and self.node.op is not None else ""

    @property
    def fans_out(self) -> bool:
        """Whether the parent feeds several wires, so that its gradient is a sum."""
        return self.expected > 1

    @property
    def reads(self) -> tuple[Value, ...]:
        """Nodes whose forward values the local derivative, as it is written here, reads."""
        if self.node is None or self.operand is None:
            return ()
        return tuple(self.scene.gate(self.node).reads(self.operand))

    @property
    def place(self) -> str:
        """Where the step is: ``inputs``, a node ``f``, or a wire ``f → z``."""
        if self.node is None:
            return "inputs"
        name = self.scene.names[self.node]
        return name if self.parent is None else f"{name} → {self.scene.names[self.parent]}"
