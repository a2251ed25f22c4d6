"""Plots of training, of fits and of what was learned, with matplotlib.

Each draws on the Axes it is given, or on a new figure of pyplot, and returns them.
"""

from __future__ import annotations

from scalargrad.plots import models, training
from scalargrad.plots.models import *
from scalargrad.plots.training import *

__all__: list[str] = []
__all__ += models.__all__
__all__ += training.__all__
