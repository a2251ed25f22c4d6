"""Experiments, mostly from lectures: each trains a model and draws what it learned.

Run from the root of the checkout, ``experiments.xor(Plan(Path("xor")))`` writes a picture, the
model and the history to a folder:

>>> from examples import experiments
>>> sorted(experiments.__all__)[:4]
['Alphabet', 'ClickModel', 'Cubic', 'GPT']
"""

from __future__ import annotations

from examples.experiments import click_log, gpt, programs, wide_and_deep
from examples.experiments.click_log import *
from examples.experiments.gpt import *
from examples.experiments.programs import *
from examples.experiments.wide_and_deep import *

__all__ = click_log.__all__ + gpt.__all__ + programs.__all__ + wide_and_deep.__all__
