"""Data to learn from: points in the plane, handwritten digits, reviews, names and click logs."""

from __future__ import annotations

from scalargrad.data.click_log import ClickModel as ClickModel
from scalargrad.data.click_log import Impression as Impression
from scalargrad.data.click_log import click_model as click_model
from scalargrad.data.dataset import Dataset as Dataset
from scalargrad.data.dataset import Split as Split
from scalargrad.data.facts import Fact as Fact
from scalargrad.data.facts import facts as facts
from scalargrad.data.facts import names as names
from scalargrad.data.features import Vocabulary as Vocabulary
from scalargrad.data.features import crossed as crossed
from scalargrad.data.handwritten_digits import digits as digits
from scalargrad.data.reviews import bag_of_words as bag_of_words
from scalargrad.data.reviews import hotel_reviews as hotel_reviews
from scalargrad.data.reviews import sentiment as sentiment
from scalargrad.data.reviews import words as words
from scalargrad.data.synthetic import blobs as blobs
from scalargrad.data.synthetic import circles as circles
from scalargrad.data.synthetic import moons as moons
from scalargrad.data.synthetic import sine as sine
from scalargrad.data.synthetic import spirals as spirals
from scalargrad.data.synthetic import xor as xor

__all__ = [
    "ClickModel",
    "Dataset",
    "Fact",
    "Impression",
    "Split",
    "Vocabulary",
    "bag_of_words",
    "blobs",
    "circles",
    "click_model",
    "crossed",
    "digits",
    "facts",
    "hotel_reviews",
    "moons",
    "names",
    "sentiment",
    "sine",
    "spirals",
    "words",
    "xor",
]
