"""What the two ways to repeat the step of a scan in one call of machine code have in common.

A short step is compiled to a loop of its own (`loops.scan_loop`); of a long one, the packed program
is repeated (`backend.llvm.step_loop`).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from scalargrad.compiler.array_types import Floats


class StepShape(NamedTuple):
    """The roles of the inputs and outputs of a step.

    Its inputs are the carry, then the entry of `xs`; its outputs are the next carry, the result,
    and the comparisons, whose outcomes must be those recorded.

    Attributes
    ----------
    carried, given, results : int
        How many numbers are in the carry, in an entry, and in a result.
    outcomes : tuple of bool
        The recorded outcomes of the comparisons.
    """

    carried: int
    given: int
    results: int
    outcomes: tuple[bool, ...]


class RepeatedStep(Protocol):
    """A step that is repeated in one call."""

    def run(self, state: Floats, given: Floats, results: Floats) -> int:
        """Run as many steps as possible, and return how many; `state` and `results` are updated.

        Parameters
        ----------
        state : float64, carried
            The carry.
        given, results : float64, steps × numbers
            The entries, and where to write the results.
        """
