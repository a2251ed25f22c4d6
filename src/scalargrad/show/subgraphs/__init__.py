"""Folds: a large graph as parts within parts, each shown as one thing or opened.

`fold` makes the tree of folds, which `folds` defines. `calls` finds which call of which module made
which node and `between` what lies between them; `homes` makes folds of the calls, `sorting` puts
what is inside in order, `grouping` divides what is still too much, with the help of `dominators`,
and `titles` names the parts.
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
