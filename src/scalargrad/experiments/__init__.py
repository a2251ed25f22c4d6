"""Programs of the lectures and beyond, ready to run: each trains a model and draws a picture.

``scalargrad train moons`` and its siblings run them from the shell.
"""

from __future__ import annotations

from scalargrad.experiments import gpt, programs, wide_and_deep
from scalargrad.experiments.gpt import *
from scalargrad.experiments.programs import *
from scalargrad.experiments.wide_and_deep import *

__all__ = gpt.__all__ + programs.__all__ + wide_and_deep.__all__
