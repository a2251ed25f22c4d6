"""The folds of a graph as a page draws them, each with a number and a name."""

from __future__ import annotations

from dataclasses import dataclass, field

from scalargrad.show.subgraphs import Fold
from scalargrad.show.subgraphs.folds import Item, Shown


@dataclass(slots=True)
class Level:
    """A fold as a drawing by itself, with a number.

    A fold that holds nothing but another fold is drawn as that one.

    Attributes
    ----------
    fold : Fold
        The fold.
    index : int
        The number of its drawing.
    parent : int or None
        The number of the drawing around it.
    stands : dict from Value to Value or Fold
        The item that each node inside is drawn in.
    """

    fold: Fold
    index: int
    parent: int | None
    items: list[Item] = field(init=False)
    stands: Shown = field(init=False)

    def __post_init__(self) -> None:
        self.items, opened = self.fold.items, list[Fold]()
        while len(self.items) == 1 and isinstance(self.items[0], Fold):
            opened.append(self.items[0])
            self.items = self.items[0].items
        self.stands = self.fold.shown(opened)

    @property
    def title(self) -> str:
        """The title of its drawing."""
        return "whole graph" if self.parent is None else named(self.fold)


def named(fold: Fold) -> str:
    """Return a short name for a fold: ``Layer 1``, ``Layer 1, call 2 of 3``, ``v57``."""
    if fold.kind not in {"call", "parameters"}:
        return fold.path
    name, _, rest = fold.title.partition(": ")
    _, call, which = (rest or name).partition(", call ")
    return f"{name.partition(', call ')[0]}{call}{which}"


def lines(fold: Fold) -> tuple[str, str]:
    """Return the two lines of a fold's box: ``fc (Linear)`` and ``16 → 4``, or which call it is."""
    if fold.kind not in {"call", "parameters"}:
        return fold.path, fold.title.removeprefix(f"{fold.path}: ")
    before, _, call = fold.title.partition(", call ")
    name, _, detail = before.partition(": ")
    if not detail and fold.shape:
        detail = f"{fold.shape[0]:,} → {fold.shape[1]:,}"
    return name, f"call {call}" if call else detail


def levels(whole: Fold) -> list[Level]:
    """Return every fold that has a drawing, the whole graph first."""
    found = [Level(whole, 0, None)]
    for level in found:
        for item in level.items:
            if isinstance(item, Fold):
                found.append(Level(item, len(found), level.index))
    return found
