"""fold: divide a graph into nested folds."""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.errors import OperandError
from scalargrad.show.softmax_maximum import shown_order
from scalargrad.show.subgraphs.call_folds import CallFolds
from scalargrad.show.subgraphs.calls import Calls, Model
from scalargrad.show.subgraphs.folds import Fold, Item
from scalargrad.show.subgraphs.grouping import Member, grouped
from scalargrad.show.subgraphs.interface import note_interfaces
from scalargrad.show.subgraphs.sorting import in_order
from scalargrad.show.subgraphs.titles import name_folds
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import whole
from scalargrad.value import Value

#: The default for the most items on one level: as many as can be read in one picture.
LIMIT = 60


def fold(*roots: Value, model: Model | None = None, limit: int = LIMIT) -> Fold:
    """Divide a graph into nested folds, with few items on each level.

    Parameters
    ----------
    *roots : Value
        Nodes whose graphs are folded together.
    model : Module, optional
        Its calls become folds, as do the calls of the modules inside. They are recognised by
        the parameters that nodes use, so that modules without any are not folded. Parameters
        that several calls share, as those of a batch do, are one fold beside these.
    limit : int
        Most nodes and folds beside one another, at least 4. A level with more is cut into
        stretches, between repetitions if there are any.

    Returns
    -------
    Fold
        The whole graph. Every node is directly inside exactly one fold.

    Notes
    -----
    Takes time nearly linear in nodes and wires, without recursion. Equal graphs give equal folds.
    To find the nodes of an `activation` that is not an operation, it is applied once more, to a
    stand-in. Calls that need results of each other cannot be folded.

    Examples
    --------
    >>> from scalargrad.nn import MLP
    >>> model = MLP(2, [3, 1], rng=0)
    >>> tree = fold(model([1.0, -1.0]), model=model)
    >>> for part in tree.walk():
    ...     print(part.path or "-", "|", part.title, "|", part.size)
    - | 20 nodes | 20
    MLP | MLP: 2 layers | 20
    layers.0 | Layer 1: 3 neurons | 15
    layers.0.neurons.0 | Neuron 1: relu | 5
    layers.0.neurons.1 | Neuron 2: relu | 5
    layers.0.neurons.2 | Neuron 3: relu | 5
    layers.1 | Layer 2: 1 neuron | 5
    layers.1.neurons.0 | Neuron 1: linear | 5
    """
    if model is not None and (isinstance(model, type) or not hasattr(model, "named_modules")):
        raise OperandError(f"model is {shown(model)}; give the Module of the graph")
    limit = whole(limit, "limit", 4)
    order = shown_order(*roots)
    by_calls = None if model is None else CallFolds(order, Calls(order, model))
    root = by_calls.whole if by_calls else Fold("graph", list(order))
    position = {node: i for i, node in enumerate(order)}
    for part in root.walk():  # its contents are visited after it has been divided
        _divide(part, position, limit)
    note_interfaces(root, order, roots)
    if by_calls:
        by_calls.measure()
    name_folds(root, order)
    return root


def _divide(part: Fold, position: dict[Value, int], limit: int) -> None:
    """Sort the items of a fold, and group them if there are too many."""
    reads = in_order(part, position)
    if len(part.items) <= limit:
        return
    shared = [item for item in part.items if isinstance(item, Fold) and item.kind == "parameters"]
    if not 0 < len(shared) <= limit // 2:
        part.items = _as_folds(grouped(reads, limit, _forms(part)), part.items)
        return
    part.items = [item for item in part.items if item not in shared]  # they stay in sight
    reads = in_order(part, position)
    if len(part.items) + len(shared) > limit:
        part.items = _as_folds(grouped(reads, limit - len(shared), _forms(part)), part.items)
    part.items = [*shared, *part.items]


def _forms(part: Fold) -> list[object]:
    """Return what each item of a fold is: an operation, a leaf, a call of a module."""
    return [item.op if isinstance(item, Value) else item.module_path for item in part.items]


def _as_folds(members: Sequence[Member], items: Sequence[Item]) -> list[Item]:
    """Return folds for stretches of items."""
    whole = Fold("graph")
    pending = [(whole, members)]
    while pending:
        part, inside = pending.pop()
        for member in inside:
            if isinstance(member, int):
                part.items.append(items[member])
            else:
                made = Fold("stretch")
                part.items.append(made)
                pending.append((made, member))
    return whole.items
