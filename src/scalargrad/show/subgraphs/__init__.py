"""Folds: a large graph divided into nested parts, each of which can be shown as one box or opened.

`folds` makes the tree of folds, and names them; `calls` finds which call of which module computed
each node.
"""

from scalargrad.show.subgraphs.calls import Model as Model
from scalargrad.show.subgraphs.folds import LIMIT as LIMIT
from scalargrad.show.subgraphs.folds import Fold as Fold
from scalargrad.show.subgraphs.folds import fold as fold

__all__ = [
    "LIMIT",
    "Fold",
    "Model",
    "fold",
]
