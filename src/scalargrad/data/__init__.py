"""Data to learn from: points in the plane, handwritten digits, reviews, names and click logs."""

from __future__ import annotations

from scalargrad.data.click_log import ClickModel, Impression, Vocabulary, crossed
from scalargrad.data.datasets import (
    Dataset,
    Split,
    blobs,
    circles,
    digits,
    moons,
    sine,
    spirals,
    xor,
)
from scalargrad.data.texts import bag_of_words, hotel_reviews, names, sentiment, words

__all__ = [
    "ClickModel",
    "Dataset",
    "Impression",
    "Split",
    "Vocabulary",
    "bag_of_words",
    "blobs",
    "circles",
    "crossed",
    "digits",
    "hotel_reviews",
    "moons",
    "names",
    "sentiment",
    "sine",
    "spirals",
    "words",
    "xor",
]
