"""The tree of folds: parts of a graph, each of which can be shown as one thing, or opened."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from scalargrad.errors import GraphError
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import is_word
from scalargrad.value import Value


@dataclass(eq=False, slots=True)
class Fold:
    """A part of a graph that can be shown as one box, or opened.

    No path leaves a fold and returns to it, so closed folds form an acyclic graph.

    Attributes
    ----------
    kind : str
        ``graph``, the whole; ``call``, of a module; ``parameters``, shared by several calls;
        ``stretch``, a part of a long sequence.
    path : str
        Its unique name: ``layers.0.neurons.3``, ``v12…v50``; "" for the whole graph.
    title : str
        A description: ``Layer 1: 16 neurons``, ``10 × (mul, tanh)``.
    items : list of Value or Fold
        The nodes and folds directly inside, in topological order.
    module : object or None
        The module that was called, or that owns the parameters.
    module_path : str
        The path of that module.
    number : int
        The number of that module among those of its kind in a list, from 1; 0 if it has a name.
    inputs : list of Value
        Nodes outside that are read inside, in topological order.
    outputs : list of Value
        Nodes inside that are read outside, and roots, in topological order.
    size : int
        Number of nodes inside, at any depth.
    shape : (int, int) or None
        Of a call, how many numbers it takes (not counting its parameters) and returns.
    outer : Fold or None
        The fold around it.
    """

    kind: str
    items: list[Value | Fold] = field(default_factory=list)
    module: Any = None
    module_path: str = ""
    number: int = 0
    path: str = ""
    title: str = ""
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    size: int = 0
    shape: tuple[int, int] | None = None
    outer: Fold | None = None

    @property
    def nodes(self) -> list[Value]:
        """The nodes directly inside."""
        return [item for item in self.items if isinstance(item, Value)]

    @property
    def folds(self) -> list[Fold]:
        """The folds directly inside."""
        return [item for item in self.items if isinstance(item, Fold)]

    def walk(self) -> Iterator[Fold]:
        """Yield this fold and all inside it, outer ones first."""
        pending = [self]
        while pending:
            fold = pending.pop()
            yield fold
            pending += reversed(fold.folds)

    def outwards(self) -> Iterator[Fold]:
        """Yield this fold and those around it, inner ones first."""
        fold: Fold | None = self
        while fold is not None:
            yield fold
            fold = fold.outer

    def everything(self) -> Iterator[Value]:
        """Yield all nodes inside, at any depth."""
        for fold in self.walk():
            yield from fold.nodes

    def find(self, path: str) -> Fold:
        """Return the fold of this path, here or inside.

        Raises
        ------
        GraphError
            If there is none.
        """
        paths = {fold.path: fold for fold in self.walk()}
        if not is_word(path, paths):
            known = [repr(name) for name in paths if name]
            there = ", ".join(known[:_SHOWN]) + ", …" * (len(known) > _SHOWN)
            raise GraphError(f"there is no fold {shown(path)}: there are {there or 'none at all'}")
        return paths[path]

    def shown(self, opened: Collection[Fold]) -> Shown:
        """Return what is shown for each node when, of all folds inside, `opened` are open.

        That is the node itself or, if a fold around it is closed, the outermost such fold.
        """
        stands: Shown = {}
        pending: list[Fold] = [self]
        while pending:
            for item in pending.pop().items:
                if isinstance(item, Value):
                    stands[item] = item
                elif item in opened:
                    pending.append(item)
                else:
                    stands.update(dict.fromkeys(item.everything(), item))
        return stands

    def __repr__(self) -> str:
        return f"<Fold {self.path!r}: {self.title}>"


Item: TypeAlias = Value | Fold
Shown: TypeAlias = dict[Value, Value | Fold]

_SHOWN = 8
