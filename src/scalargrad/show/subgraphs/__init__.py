"""Folds: a large graph divided into nested parts, each of which can be shown as one box or opened.

`build` holds `fold`, which makes the tree of folds; `folds` defines these, and names them. `calls`
finds which call of which module computed each node.
"""

from scalargrad.show.subgraphs.build import LIMIT as LIMIT
from scalargrad.show.subgraphs.build import fold as fold
from scalargrad.show.subgraphs.calls import Model as Model
from scalargrad.show.subgraphs.folds import Fold as Fold

__all__ = [
    "LIMIT",
    "Fold",
    "Model",
    "fold",
]
