"""UCSB's sentiment program, 10,000 → 10 → 2, on five reviews like those of the lecture."""

from __future__ import annotations

import pytest

from scalargrad import Value, gradients, no_grad, softmax
from scalargrad.data import bag_of_words, hotel_reviews, sentiment, words
from scalargrad.losses import cross_entropy
from scalargrad.nn import Linear, Module, ReLU, Sequential
from scalargrad.optim import SGD
from scalargrad.train import fit


def trained_network() -> Module:
    """Return the network after 15 epochs on the reviews of the package."""
    reviews, labels = sentiment().train
    model = Sequential(Linear(10_000, 10, rng=0), ReLU(), Linear(10, 2, rng=1))
    fit(
        model,
        [bag_of_words(review) for review in reviews],
        labels,
        loss=cross_entropy,
        optimizer=SGD(model.parameters(), lr=0.1),
        epochs=15,
        batch_size=1,
        quiet=True,
    )
    return model


def deciding_words(model: Module, review: str) -> dict[str, float]:
    """Return the gradient of the log-odds by the count of each word, largest first."""
    counts = {i: Value(count) for i, count in bag_of_words(review).items()}
    bad, good = model(counts)
    says = gradients(good - bad, counts)
    found = {word: says[next(iter(bag_of_words(word)))] for word in words(review)}
    return dict(sorted(found.items(), key=lambda pair: -abs(pair[1])))


def test_sentiment_network_judges_reviews_by_the_right_words() -> None:
    """The gradient of the log-odds by a word's count is largest for plausible words.

    Where no hidden unit switches, it is the change of the log-odds without the word.
    """
    model = trained_network()
    with no_grad():
        scores = [[x.data for x in model(bag_of_words(r))] for r in hotel_reviews().inputs]
    positive = [softmax(row)[1] for row in scores]
    assert [int(p > 0.5) for p in positive] == hotel_reviews().targets
    assert max(abs(p - y) for p, y in zip(positive, hotel_reviews().targets, strict=True)) < 0.45
    named = [("wonderful", 1), ("dirty", -1), ("brilliant", 1), ("awful", -1), ("well", 1)]
    for review, (word, sign) in zip(hotel_reviews().inputs, named, strict=True):
        found = deciding_words(model, review)
        assert word in list(found)[:3]
        assert found[word] * sign > 0.5
    review = hotel_reviews().inputs[4]
    gradients_by_word = deciding_words(model, review)
    (lovely,) = bag_of_words("lovely")
    odds = []
    for count in (1.0 - 1e-6, 1.0 + 1e-6):
        with no_grad():
            bad, good = model({**bag_of_words(review), lovely: count})
        odds.append(good.data - bad.data)
    assert gradients_by_word["lovely"] == pytest.approx((odds[1] - odds[0]) / 2e-6, rel=1e-6)
