"""Data to learn from: points in the plane, handwritten digits, reviews, names and click logs."""

from __future__ import annotations

from scalargrad.data.click_log import ClickModel, Impression, click_model
from scalargrad.data.dataset import Dataset, Split
from scalargrad.data.facts import Fact, facts, names
from scalargrad.data.features import Vocabulary, crossed
from scalargrad.data.handwritten_digits import digits
from scalargrad.data.reviews import bag_of_words, hotel_reviews, sentiment, words
from scalargrad.data.synthetic import blobs, circles, moons, sine, spirals, xor

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
