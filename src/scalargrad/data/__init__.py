"""Data sets: points in the plane, handwritten digits, reviews and names."""

from __future__ import annotations

from scalargrad.data import datasets, texts
from scalargrad.data.datasets import *
from scalargrad.data.texts import *

__all__ = datasets.__all__ + texts.__all__
