"""One step of a walk through a graph, and what it says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from scalargrad.errors import OperandError
from scalargrad.show.steps import formulas, wording
from scalargrad.show.steps.formulas import (
    MATHML,
    TEXT,
    Form,
    Formula,
    FormulaWriter,
    Link,
    Notation,
    Part,
)
from scalargrad.show.steps.scene import Alarm, StepFacts
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import is_word
from scalargrad.value import Value

_MOST_INPUTS = 8
_WRITERS: dict[str, FormulaWriter] = {"text": TEXT, "mathml": MATHML}


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step(StepFacts):
    """One step: the inputs, a gate computed, the seed, or a gradient sent back along a wire.

    Attributes
    ----------
    scene : Scene
        The walked graph, with its names and numbers.
    index : int
        Position in the whole walk, from 0.
    phase : {"forward", "seed", "backward"}
        Which part of the walk.
    node : Value or None
        The gate at work; the root in the seed; None for the inputs.
    operand : int or None
        Backward: which operand of the gate receives; x · x has two wires to one node.
    parent : Value or None
        Backward: the node that receives.
    upstream : float or None
        Backward: the gate's own gradient, complete, in root unit / gate unit.
    local : float or None
        Backward: ∂gate/∂operand, in gate unit / parent unit.
    contribution : float or None
        Backward: upstream · local, in root unit / parent unit.
    total : float or None
        Backward: the parent's gradient so far, this contribution included. Seed: 1.
    arrived, expected : int
        Backward: how many contributions the total holds, and how many it will.

    Examples
    --------
    >>> from scalargrad import Value
    >>> from scalargrad.show.steps import walk
    >>> x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    >>> q = x + y
    >>> q.label = "q"
    >>> step = walk(q * z)[4]
    >>> step
    Step(4, 'v1 → z', '∂v1/∂z = 1·q = 1·3 = 3')
    >>> step.upstream, step.local, step.contribution, step.pattern
    (1.0, 3.0, 3.0, 'swap multiplier')
    """

    def __repr__(self) -> str:
        return f"Step({self.index}, {self.place!r}, {self.text()!r})"

    def text(self, notation: Notation = "partial") -> str:
        """Write the step as one line: symbols, then numbers.

        Parameters
        ----------
        notation : {"partial", "bar", "delta"}
            How gradients are written: ∂f/∂x; x̄; or δ_s for the sum s that enters a unit
            and ∂f/∂x for all else.

        Examples
        --------
        >>> from scalargrad import Value
        >>> from scalargrad.show.steps import walk
        >>> x, y = Value(3.0, "x"), Value(-4.0, "y")
        >>> for step in walk(x * y):
        ...     print(step.text())
        x = 3, y = −4
        v1 = x·y = 3·(−4) = −12
        ∂v1/∂v1 = 1
        ∂v1/∂y = 1·x = 1·3 = 3
        ∂v1/∂x = 1·y = 1·(−4) = −4
        """
        return self._formula("whole", "text", notation)

    def mathml(self, notation: Notation = "partial") -> str:
        """Write the same line as a MathML element."""
        return self._formula("whole", "mathml", notation)

    def symbols(self, notation: Notation = "partial", form: Form = "text") -> str:
        """Write the step in symbols only: ``∂f/∂y = ∂f/∂q·∂q/∂y``."""
        return self._formula("symbols", form, notation)

    def numbers(self, notation: Notation = "partial", form: Form = "text") -> str:
        """Write the step in numbers only: ``(-4)·1 = -4``."""
        return self._formula("numbers", form, notation)

    def local_rule(self, form: Form = "text") -> str:
        """Write the local derivative in symbols, ``∂f/∂z = q``; empty if not backward."""
        found = self._local(form)
        links = found.links("whole") if len(found.symbols) == 1 else found.symbols
        return _written(links, form)

    def local_text(self, form: Form = "text") -> str:
        """Write the local derivative with its number, ``∂f/∂z = q = 3``; empty if not backward."""
        return _written(self._local(form).links("whole"), form)

    def _local(self, form: Form) -> Formula:
        if self.node is None or self.operand is None:
            return Formula([], [])
        return formulas.local_formula(self.scene, self.node, self.operand, _writer(form))

    def sentence(self, notation: Notation = "partial") -> str:
        """Say in a sentence what happens."""
        return wording.sentence(self, notation)

    def notes(self, notation: Notation = "partial") -> list[str]:
        """Return the remarks on the step: the gate's pattern, the running sum, a nudge.

        A gate without a name for what it does has no pattern; the seed announces the
        gradients that will be sums.

        Examples
        --------
        >>> from scalargrad import Value
        >>> from scalargrad.show.steps import walk
        >>> x = Value(3.0, "x")
        >>> for note in walk(x * x)[-1].notes("bar"):
        ...     print(note)
        swap multiplier: x receives 1·x
        x̄ = 3 + 3 = 6, complete: adder at a fan-out
        nudge x by +0.01: the gradient foretells that v1 changes by +0.06
        """
        return wording.notes(self, notation)

    def _formula(self, part: Part, form: Form, n: Notation) -> str:
        writer = _writer(form)
        if self.node is None:
            found = formulas.inputs_formulas(self, writer)
            pieces = [writer.chain(formula.links(part)) for formula in found[:_MOST_INPUTS]]
            if len(found) > _MOST_INPUTS:
                pieces.append(writer.phrase(formulas.say("more", count=len(found) - _MOST_INPUTS)))
            return writer.put("whole", writer.row(pieces, "comma"))
        if self.phase == "forward":
            formula = formulas.forward_formula(self, writer)
        elif self.phase == "seed":
            formula = formulas.seed_formula(self, writer, n)
        else:
            formula = formulas.backward_formula(self, writer, n)
        return _written(formula.links(part), form)


def _written(links: Sequence[Link], form: Form) -> str:
    return _writer(form).put("whole", _writer(form).chain(links)) if links else ""


def _writer(form: Form) -> FormulaWriter:
    if not is_word(form, _WRITERS):
        raise OperandError(f"form is {shown(form)}; use 'text' or 'mathml'")
    return _WRITERS[form]


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
    return Alarm(node, step.index, wording.alarm_text(step, node, step.text()))
