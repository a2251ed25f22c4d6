"""Programs of the lectures and beyond, ready to run: each trains a model and draws a picture.

``scalargrad train moons`` and its siblings run them from the shell.
"""

from __future__ import annotations

from scalargrad.experiments.clicks import Ranker as Ranker
from scalargrad.experiments.clicks import WideAndDeep as WideAndDeep
from scalargrad.experiments.clicks import clicks as clicks
from scalargrad.experiments.digits import digits as digits
from scalargrad.experiments.digits import digits28 as digits28
from scalargrad.experiments.names import GPT as GPT
from scalargrad.experiments.names import Alphabet as Alphabet
from scalargrad.experiments.names import names as names
from scalargrad.experiments.plan import Plan as Plan
from scalargrad.experiments.plan import Report as Report
from scalargrad.experiments.plane import moons as moons
from scalargrad.experiments.plane import xor as xor
from scalargrad.experiments.sentiment import sentiment as sentiment
from scalargrad.experiments.sine import Cubic as Cubic
from scalargrad.experiments.sine import sine as sine

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
