"""A network that classifies reviews by the words in them."""

from __future__ import annotations

from typing import Any

from scalargrad import data
from scalargrad.autodiff import gradients
from scalargrad.data.texts import LABELS
from scalargrad.experiments.plan import Plan, Report, train
from scalargrad.grad_mode import no_grad
from scalargrad.losses import accuracy, cross_entropy
from scalargrad.nn import Linear, Module, ReLU, Sequential
from scalargrad.ops import softmax
from scalargrad.optim import SGD
from scalargrad.plots import confusion_matrix
from scalargrad.show.number_format import signed
from scalargrad.value import Value


def sentiment_model(seed: int = 0) -> Sequential:
    """Make the network 10,000 → 10 → 2, one input for each entry of a bag of words.

    Examples
    --------
    >>> len(sentiment_model().parameters())
    100032
    """
    return Sequential(Linear(10_000, 10, rng=seed), ReLU(), Linear(10, 2, rng=seed + 1))


def deciding_words(model: Module, review: str) -> dict[str, float]:
    """Return how much each word of a review decides, the most decisive first.

    Parameters
    ----------
    model : Module
        From a bag of words to two scores, negative and positive.
    review : str
        Any text.

    Returns
    -------
    dict from str to float
        The gradient of the log-odds of positive with respect to the count of each word, in nats:
        above 0 the word speaks for a positive review, below 0 against it.

    Examples
    --------
    >>> sorted(deciding_words(sentiment_model(), "Good, good food!"))
    ['food', 'good']
    """
    positions = {word: next(iter(data.bag_of_words(word))) for word in data.words(review)}
    counts = {i: Value(count) for i, count in data.bag_of_words(review).items()}
    negative, positive = model(counts)
    found = gradients(positive - negative, list(counts.values()))
    says = dict(zip(counts, found, strict=True))
    ranked = sorted(positions, key=lambda word: -abs(says[positions[word]]))
    return {word: says[positions[word]] for word in ranked}


def _judged(model: Module) -> list[str]:
    """Return the five hotel reviews with their probabilities and the words that decide."""
    lines = []
    for review, label in zip(*data.hotel_reviews(), strict=True):
        with no_grad():
            scores = [score.data for score in model(data.bag_of_words(review))]
        found = list(deciding_words(model, review).items())[:3]
        decisive = [f"{word} {signed(float(f'{x:.2g}'))}" for word, x in found]
        given = f"{LABELS[label]}: probability {softmax(scores)[label]:.0%}"
        lines.append(f"{given}, mostly from {', '.join(decisive)}: {review:.40}…")
    return lines


def sentiment(plan: Plan) -> Report:
    """Tell good reviews from bad ones by a bag of 10,000 words.

    Gradient descent on one review at a time, so that a step touches only the weights of that
    review's words; 20 epochs unless the plan says otherwise.
    """
    reviews, held_out = data.sentiment()
    bags = [data.bag_of_words(review) for review in reviews.inputs]
    unseen = [data.bag_of_words(review) for review in held_out.inputs]
    model = sentiment_model(plan.seed)

    def results(part: Any) -> list[str]:
        with no_grad():
            scores = [[score.data for score in model(bag)] for bag in unseen]
        guessed = [int(bad < good) for bad, good in scores]
        confusion_matrix(held_out.targets, guessed, LABELS, part.subplots())
        hits = accuracy(scores, held_out.targets)
        return [
            f"{hits:.0%} of the {len(unseen)} held-out reviews judged correctly",
            *_judged(model),
        ]

    return train(
        plan,
        "sentiment",
        model,
        (bags, reviews.targets),
        epochs=20,
        loss=cross_entropy,
        optimizer=SGD(model.parameters(), lr=0.1),
        batch_size=1,
        validation_data=(unseen, held_out.targets),
        metrics=[accuracy],
        results=results,
    )
