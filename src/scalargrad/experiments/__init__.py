"""Programs of the lectures and beyond, ready to run: each trains a model and draws a picture.

``scalargrad train moons`` and its siblings run them from the shell.
"""

from __future__ import annotations

from scalargrad.experiments.clicks import Ranker, WideAndDeep, clicks
from scalargrad.experiments.digits import digits, digits28
from scalargrad.experiments.moons import moons, xor
from scalargrad.experiments.names import GPT, Alphabet, names
from scalargrad.experiments.plan import Plan, Report
from scalargrad.experiments.sentiment import sentiment
from scalargrad.experiments.sine import Cubic, sine

__all__ = [
    "GPT",
    "Alphabet",
    "Cubic",
    "Plan",
    "Ranker",
    "Report",
    "WideAndDeep",
    "clicks",
    "digits",
    "digits28",
    "moons",
    "names",
    "sentiment",
    "sine",
    "xor",
]
