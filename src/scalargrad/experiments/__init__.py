"""Experiments, mostly from lectures: each trains a model and draws what it learned.

``experiments.moons(Plan(Path("moons")))`` writes a picture, the model and the history
to a folder.
"""

from __future__ import annotations

from scalargrad.experiments import gpt, programs, wide_and_deep
from scalargrad.experiments.gpt import *
from scalargrad.experiments.programs import *
from scalargrad.experiments.wide_and_deep import *

__all__ = gpt.__all__ + programs.__all__ + wide_and_deep.__all__
