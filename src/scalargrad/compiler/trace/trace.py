"""Trace: what is noted while a function is recorded, and which recording goes on."""

from __future__ import annotations

from contextvars import ContextVar

from scalargrad.compiler.trace.numbers import Numbers
from scalargrad.compiler.trace.randomness import Generators
from scalargrad.compiler.trace.refusal import refuse
from scalargrad.compiler.trace.stacking import Lanes
from scalargrad.errors import TraceError
from scalargrad.transforms.draws import Draw
from scalargrad.value import Value


class CaughtError(TraceError):
    """A function went on after leaving a domain."""


class Trace:
    """What is noted while a function runs.

    Parameters
    ----------
    generators : Generators
        Those the function could draw from.
    together : bool
        Whether vmap records one example for all.

    Attributes
    ----------
    nodes : list of Value
        Every node made, operands before results.
    guards : list of (Value, bool)
        Numbers whose truth was asked for, and the answer given.
    draws : list of (Draw, Value)
        Random draws, and the inputs that stand for them.
    lanes : Lanes or None
        Which nodes stand for a number of every example, where vmap was used.
    numbers : Numbers
        Which nodes stand for what are plain numbers in eager evaluation.
    """

    def __init__(self, generators: Generators, together: bool = True) -> None:
        self.generators = generators
        self.together = together
        self.nodes: list[Value] = []
        self.guards: list[tuple[Value, bool]] = []
        self.draws: list[tuple[Draw, Value]] = []
        self.unfinished: Value | None = None
        self.left_domain = False
        self.refusal: TraceError | None = None
        self.nested = 0
        self.lanes: Lanes | None = None
        self.numbers = Numbers()

    def size(self, node: Value) -> int:
        """Return for how many numbers a Value stands: one of every example of vmap, or one."""
        return 1 if self.lanes is None else self.lanes.size(node)


CURRENT: ContextVar[Trace | None] = ContextVar("trace", default=None)
#: Return the recording that goes on in this thread or task, if any.
current_trace = CURRENT.get


def check_finished(trace: Trace) -> None:
    """Raise TraceError if a `grad` was written that did not belong to a new node."""
    if trace.unfinished is not None:
        refuse(".grad was assigned", "do so outside; gradients come from grad or value_and_grad")


def check_caught(trace: Trace) -> None:
    """Raise a refusal that was caught, or CaughtError if a function left a domain and went on."""
    if trace.refusal is not None:
        raise trace.refusal
    if trace.left_domain:
        raise CaughtError(
            "a DomainError was caught while a compiled function is recorded: its program would "
            "take that way at every call. Guard the operand with where instead of try and except"
        )
