"""Programs of the lectures and beyond, ready to run: each trains a model and draws a picture.

``scalargrad train moons`` and its siblings run them from the shell.
"""

from __future__ import annotations

from scalargrad.experiments.gpt import GPT, Alphabet
from scalargrad.experiments.programs import (
    Cubic,
    Plan,
    Report,
    clicks,
    digits,
    digits28,
    moons,
    names,
    sentiment,
    sine,
    xor,
)
from scalargrad.experiments.wide_and_deep import Ranker, WideAndDeep

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
