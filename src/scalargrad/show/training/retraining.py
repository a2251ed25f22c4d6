"""What a page needs to train its network again: the optimiser's rule, and resizable layers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.record import Recording, record
from scalargrad.errors import ScalargradError
from scalargrad.ops import dot
from scalargrad.optim import SGD, Optimizer
from scalargrad.show.places import unit_name
from scalargrad.show.training.model_record import Cell, Json, as_json, is_repeatable, layers_of
from scalargrad.table.operation import Operation
from scalargrad.value import Parameter, Value

#: The most units a hidden layer can be given in the page, unless it has more already.
MOST_UNITS = 16

#: The most epochs a page trains for.
MOST_EPOCHS = 2000


@dataclass(frozen=True)
class Retraining:
    """How a page takes a training step, and which networks it can train.

    Attributes
    ----------
    optimizer : str
        The name of its class.
    rate : float
        The initial learning rate.
    first, later : Program
        The update of one parameter in the first step, and in each after it. Inputs are the
        parameter, its gradient, its state, the learning rate and the number of the step; outputs
        the new parameter and the new state.
    state : list of float
        The state of a parameter before the first step.
    ascends : bool
        Whether the optimiser maximises.
    resizes : bool
        Whether hidden layers can be resized.
    is_known : bool
        Whether the optimiser is that of the recording: one was given.
    """

    optimizer: str
    rate: float
    first: Program
    later: Program
    state: list[float]
    ascends: bool
    resizes: bool
    is_known: bool

    def uses(self, cells: list[Cell]) -> Iterator[tuple[Operation, int]]:
        """Yield the weighted sums that resized layers need."""
        if not self.resizes:
            return
        most = _most_units(cells)
        for bias in {len(cell.sources) and cell.bias is not None for cell in cells}:
            for width in range(1, most + 1):
                yield dot, 2 * width + bool(bias)

    def as_json(self, cells: list[Cell]) -> Json:
        """Return this for the page."""
        deepest = len(layers_of(cells)) - 1
        most = _most_units(cells)
        return {
            "optimizer": self.optimizer,
            "isKnown": self.is_known,
            "rate": self.rate,
            "first": as_json(self.first),
            "later": as_json(self.later),
            "state": self.state,
            "mostEpochs": MOST_EPOCHS,
            "ascends": self.ascends,
            "resizes": self.resizes,
            "names": [
                [unit_name(layer, place, deepest, 1) for place in range(most)]
                for layer in range(1, deepest)
            ],
        }


def _most_units(cells: list[Cell]) -> int:
    """Return the most units a layer before the last can have: no fewer than there are inputs."""
    return max(MOST_UNITS, *map(len, layers_of(cells)[:-1]))


def find_retraining(program: Program, cells: list[Cell], optimizer: Any) -> Retraining | None:
    """Record an optimiser's rule; without an optimiser, that of gradient descent.

    Returns
    -------
    Retraining, or None
        None where a page cannot repeat the rule: parameters in groups with rules of their own,
        an optimiser of another package, one whose rule branches on the step number.
    """
    chosen = SGD([Parameter(0.0)], lr=0.1) if optimizer is None else optimizer
    if not isinstance(chosen, Optimizer) or len(chosen.param_groups) != 1:
        return None
    (group,) = chosen.param_groups
    state = [float(x) for x in chosen.first_state(group)]
    try:
        first = _rule(chosen, len(state), 1.0)
        later = _rule(chosen, len(state), None)
    except (ScalargradError, TypeError, ValueError, ArithmeticError):
        return None  # for example, it takes floats only
    if first is None or later is None:
        return None
    return Retraining(
        type(chosen).__name__,
        float(group["lr"]),
        first.program,
        later.program,
        state,
        bool(group.get("maximize")),
        is_stack(program, cells),
        optimizer is not None,
    )


def _rule(optimizer: Optimizer, states: int, step: float | None) -> Recording | None:
    """Record the update of a parameter in a step; None where it branches on a number."""
    leaves = [Value(0.5, name) for name in ("parameter", "gradient", *["state"] * states)]
    leaves += [Value(0.5, "lr"), Value(2.0, "step")]
    parameter, gradient, *state, rate, counted = leaves

    def update() -> list[Any]:
        (group,) = optimizer.param_groups
        asked = {**group, "lr": rate, "step": counted if step is None else step}
        return list(optimizer.rule(asked)(parameter, gradient, *state))

    found, _ = record(update, leaves)
    plain = not found.outcomes and not found.closed_over and is_repeatable(found.program)
    return found if plain and len(found.program.outputs) == states + 1 else None


def is_stack(program: Program, cells: list[Cell]) -> bool:
    """Return whether layers can be resized: each is fully connected to the one before.

    Every weight and bias belongs to one unit, and units of a hidden layer have one activation.
    """
    layers = layers_of(cells)
    hidden = layers[1:-1]
    return (
        bool(hidden)
        and all(_reads_all(cells, *pair) for pair in itertools.pairwise(layers))
        and _used(cells) == list(range(len(layers[0]), program.inputs))
        and all(_are_alike([_made(program, cells[i]) for i in layer]) for layer in hidden)
    )


def _reads_all(cells: list[Cell], before: list[int], layer: list[int]) -> bool:
    """Return whether each unit of a layer reads all of the one before; biases have all or none."""
    reading = all([source.cell for source in cells[i].sources] == before for i in layer)
    return reading and len({cells[i].bias is None for i in layer}) == 1


def _used(cells: list[Cell]) -> list[int]:
    """Return the parameters that units use, sorted, each as often as it is used."""
    weights = [source.weight for cell in cells for source in cell.sources]
    return sorted([*weights, *(cell.bias for cell in cells if cell.bias is not None)])


def _are_alike(made: list[Any]) -> bool:
    return None not in made and all(each == made[0] for each in made)


def _made(program: Program, cell: Cell) -> list[Any] | None:
    """Return the operations from a unit's sum to its output; None where they read an input."""
    assert cell.output is not None
    places, written, waiting = {cell.weighted: 0}, [], [cell.output]
    while waiting:
        node = waiting[-1]
        needed = [i for i in program.args[node] if i not in places]
        if node in places or not needed:
            waiting.pop()
            if node not in places:
                places[node] = len(places)
                operands = tuple(places[i] for i in program.args[node])
                written.append((program.ops[node], operands, program.constants.get(node)))
        elif any(i < program.inputs for i in needed):
            return None
        else:
            waiting += needed
    return written
