"""The programs of the lectures, ready to run: each trains a model and leaves a picture.

``scalargrad train moons`` and its siblings run them from the shell.
"""

from __future__ import annotations

from scalargrad.programs.clicks import WideAndDeep as WideAndDeep
from scalargrad.programs.clicks import clicks as clicks
from scalargrad.programs.digits import digits as digits
from scalargrad.programs.gpt import GPT as GPT
from scalargrad.programs.names import Alphabet as Alphabet
from scalargrad.programs.names import names as names
from scalargrad.programs.plan import Plan as Plan
from scalargrad.programs.plan import Report as Report
from scalargrad.programs.plane import moons as moons
from scalargrad.programs.plane import xor as xor
from scalargrad.programs.sentiment import sentiment as sentiment
from scalargrad.programs.sine import Cubic as Cubic
from scalargrad.programs.sine import sine as sine
