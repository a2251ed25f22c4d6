"""Data sets: points in the plane, handwritten digits, reviews, names and click logs."""

from __future__ import annotations

from scalargrad.data import click_log, datasets, texts
from scalargrad.data.click_log import *
from scalargrad.data.datasets import *
from scalargrad.data.texts import *

__all__ = click_log.__all__ + datasets.__all__ + texts.__all__
