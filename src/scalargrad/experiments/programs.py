"""The eight programs, each a model, its data, a loss and a picture of what was learned."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from scalargrad import data
from scalargrad.autodiff import gradients
from scalargrad.data import Dataset
from scalargrad.data.click_log import log_loss
from scalargrad.data.texts import LABELS
from scalargrad.experiments.gpt import (
    GPT,
    NO_CHARACTER,
    Alphabet,
    next_character_loss,
    padded,
    plain_names,
)
from scalargrad.experiments.plan import Plan, Report, train
from scalargrad.experiments.wide_and_deep import WideAndDeep
from scalargrad.grad_mode import no_grad
from scalargrad.losses import (
    accuracy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    l2_penalty,
    mse_loss,
)
from scalargrad.nn import MLP, Linear, Module, ReLU, Sequential
from scalargrad.ops import softmax
from scalargrad.optim import SGD, Adam, AdamW
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.plots import confusion_matrix, decision_boundary, first_layer_weights
from scalargrad.plots.style import BLUE, MARKERS, ORANGE, colour, legend_above, styled
from scalargrad.show.number_format import polynomial, signed
from scalargrad.train import History
from scalargrad.value import Value

#: Hidden units whose weights are drawn.
_DRAWN = 20


def _scores(model: Module, inputs: Sequence[Any]) -> list[list[float]]:
    """Return the scores of each input, recording no graph."""
    with no_grad():
        return [[score.data for score in model(x)] for x in inputs]


# Points in the plane ------------------------------------------------------------------------------


def moons(plan: Plan) -> Report:
    """Tell two moons apart with an MLP of 337 parameters, max-margin loss and L2 penalty.

    Gradient descent on all 100 points at once, the learning rate falling from 1 to 0.1 in 100
    epochs, which are all unless the plan says otherwise.

    References
    ----------
    A. Karpathy, micrograd, 2020, whose demo this is.
    """
    points = data.moons(100, 0.1, seed=1337 + plan.seed)
    examples = Dataset(points.inputs, [2 * y - 1 for y in points.targets])
    model = MLP(2, [16, 16, 1], rng=1337 + plan.seed)
    optimizer = SGD(model.parameters(), lr=1.0)

    def results(part: Any) -> list[str]:
        penalty = _weak_penalty(model.parameters()).data
        told = f"{penalty:.2g} of the loss is the L2 penalty, which the training page leaves out"
        return [*_boundary(part, model, examples), *([told] if plan.watch else [])]

    return train(
        plan,
        "moons",
        model,
        examples,
        epochs=100,
        loss=hinge_loss,
        regularizer=_weak_penalty,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=100),
        batch_size=None,
        shuffle=False,
        metrics=[accuracy],
        results=results,
    )


def _weak_penalty(parameters: list[Any]) -> Any:
    return 1e-4 * l2_penalty(parameters)


def xor(plan: Plan) -> Report:
    """Learn exclusive or with four hidden units, which no perceptron can.

    Adam on all four points at once; 200 epochs unless the plan says otherwise.

    References
    ----------
    Minsky and Papert, Perceptrons, 1969.
    """
    points = data.xor()
    examples = Dataset(points.inputs, [float(y) for y in points.targets])
    model = MLP(2, [4, 1], activation="tanh", rng=plan.seed)
    return train(
        plan,
        "xor",
        model,
        examples,
        epochs=200,
        loss=binary_cross_entropy_with_logits,
        optimizer=Adam(model.parameters(), lr=0.1),
        batch_size=None,
        metrics=[accuracy],
        results=lambda part: _boundary(part, model, points),
    )


def _boundary(part: Any, model: Module, points: Dataset[Any, Any]) -> list[str]:
    """Draw the decision boundary, and return the accuracy."""
    decision_boundary(model, *points, ax=part.subplots())
    hits = accuracy([model(x) for x in points.inputs], points.targets)
    return [f"accuracy {hits:.0%} on the {len(points.inputs)} points"]


# Handwritten digits -------------------------------------------------------------------------------


def digits(plan: Plan) -> Report:
    """Classify handwritten digits with 64 inputs, 20 hidden units and a softmax over ten classes.

    Adam on batches of 32, the learning rate falling from 0.02 to 0.002 in 8 epochs, which are all
    unless the plan says otherwise.
    """
    return _read(plan, "digits", size=8, hidden=20, rate=0.02, epochs=8)


def digits28(plan: Plan) -> Report:
    """Classify the digits enlarged to 28 × 28 pixels with a 784-100-10 network, 79,510 parameters.

    Adam on batches of 32, the learning rate falling from 0.002 to 0.0002 in 4 epochs, which are all
    unless the plan says otherwise.
    """
    return _read(plan, "digits28", size=28, hidden=100, rate=0.002, epochs=4)


def _read(plan: Plan, name: str, *, size: int, hidden: int, rate: float, epochs: int) -> Report:
    examples, held_out = data.digits(size)
    first = Linear(size * size, hidden, rng=plan.seed)
    model = Sequential(first, ReLU(), Linear(hidden, 10, rng=plan.seed + 1))
    optimizer = Adam(model.parameters(), lr=rate)

    def results(part: Any) -> list[str]:
        scores = _scores(model, held_out.inputs)
        left, right = part.subfigures(1, 2)
        guessed = [max(range(10), key=row.__getitem__) for row in scores]
        confusion_matrix(held_out.targets, guessed, ax=left.subplots())
        first_layer_weights(first.weight[:_DRAWN], (size, size), columns=5, figure=right)
        drawn = f"the {hidden}" if hidden <= _DRAWN else f"{_DRAWN} of the {hidden}"
        right.suptitle(
            f"What {drawn} hidden units look for:\nblue ink counts for them, orange against"
        )
        return [f"{accuracy(scores, held_out.targets):.1%} of the held-out digits read correctly"]

    return train(
        plan,
        name,
        model,
        examples,
        epochs=epochs,
        loss=cross_entropy,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=epochs),
        validation_data=held_out,
        metrics=[accuracy],
        results=results,
        wide=True,
    )


# A sine -------------------------------------------------------------------------------------------


class Cubic(Module):
    """The polynomial a + bx + cx² + dx³, linear in its four parameters.

    Examples
    --------
    >>> cubic = Cubic(rng=0)
    >>> len(cubic.parameters())
    4
    >>> sorted(cubic.state_dict())
    ['linear.bias', 'linear.weight']
    """

    def __init__(self, rng: Any = None) -> None:
        self.linear = Linear(3, 1, rng=rng)

    def forward(self, x: Sequence[float]) -> Any:
        """Compute the polynomial at the one number in `x`; returns a list of one Value."""
        (number,) = x
        return self.linear([number, number**2, number**3])

    def example_input(self) -> list[float]:
        """Return one number."""
        return [1.0]

    def __str__(self) -> str:
        a = self.linear.bias[0].data if self.linear.bias else 0.0
        return f"y = {polynomial([a, *(w.data for w in self.linear.weight[0])])}"


def squared_error(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the sum of squared errors, which UCSB's program minimises."""
    return mse_loss(predictions, targets, reduction="sum")


def _print_every_hundredth(_: Module, history: History) -> None:
    """Print the step and its loss, as UCSB's program does."""
    if len(history) % 100 == 0:
        print(f"{len(history):>6}  {history['loss'][-1]:.4f}")


def sine(plan: Plan) -> Report:
    """Fit a cubic to sin on 2,000 points of [-π, π] by gradient descent.

    All points at once, at learning rate 10⁻⁶ on the *sum* of squared errors; 2,000 epochs
    unless the plan says otherwise. Every hundredth step is printed, unless the plan is quiet.
    """
    points = data.sine(2000)
    model = Cubic(rng=plan.seed)

    def results(part: Any) -> list[str]:
        axes, every = part.subplots(), points.inputs[::20]
        xs = [x for (x,) in every]
        sine = axes.plot(xs, points.targets[::20], color=ORANGE, ls="--", label="sin x")
        cubic = axes.plot(xs, [model(x)[0].data for x in every], color=BLUE, label=str(model))
        axes.set(xlabel="x, radians", ylabel="y")
        legend_above(styled(axes), "The sine and the cubic fitted to it", [*sine, *cubic])
        return [f"Result: {model}"]

    return train(
        plan,
        "sine",
        model,
        (points.inputs, [[y] for y in points.targets]),
        epochs=2000,
        loss=squared_error,
        optimizer=SGD(model.parameters(), lr=1e-6),
        batch_size=None,
        shuffle=False,
        callbacks=() if plan.quiet else (_print_every_hundredth,),
        results=results,
    )


# Reviews ------------------------------------------------------------------------------------------


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
        [scores] = _scores(model, [data.bag_of_words(review)])
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
        scores = _scores(model, unseen)
        guessed = [int(bad < good) for bad, good in scores]
        confusion_matrix(held_out.targets, guessed, LABELS, part.subplots())
        hits = accuracy(scores, held_out.targets)
        told = f"{hits:.0%} of the {len(unseen)} held-out reviews judged correctly"
        return [told, *_judged(model)]

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


# A click log --------------------------------------------------------------------------------------


def clicks(plan: Plan) -> Report:
    """Learn from 6,000 impressions who clicks on what, and compare with the known truth.

    AdamW on batches of 32, the learning rate falling from 0.02 to 0.002 in 6 epochs, which are
    all unless the plan says otherwise.
    """
    truth = data.click_model(seed=plan.seed)
    log = truth.log(6000, seed=plan.seed + 1)
    seen = truth.log(2000, seed=plan.seed + 2)
    unseen = truth.log(2000, seed=plan.seed + 3, unseen=True)
    model = WideAndDeep(range(20), range(20), rng=plan.seed)
    optimizer = AdamW(model.groups(), lr=0.02)
    logs = {"seen": seen, "unseen": unseen}

    def results(part: Any) -> list[str]:
        axes, drawn = part.subplots(), []
        for i, (name, x) in enumerate(logs.items()):
            true = [truth.probability(shown) for shown in x.inputs[:400]]
            ours = [model.probability(shown) for shown in x.inputs[:400]]
            style: dict[str, Any] = {"color": colour(i), "marker": MARKERS[i], "ms": 5.5, "ls": ""}
            drawn += axes.plot(true, ours, mec="white", mew=0.5, label=f"{name} pairs", **style)
        drawn += axes.plot([0, 1], [0, 1], color="black", lw=1, label="as it should be")
        axes.set(xlabel="true probability", ylabel="learned probability", xlim=(0, 1), ylim=(0, 1))
        axes.set_aspect("equal")
        legend_above(styled(axes), "Chances of a click", drawn)
        base = sum(log.targets) / len(log.targets)
        lines = []
        for name, x in logs.items():
            mean = log_loss(map(model.probability, x.inputs), x.targets)
            rate = log_loss([base] * len(x.inputs), x.targets)
            told = f"log loss {mean:.3f}, base rate {rate:.3f}"
            lines.append(f"{name} pairs: {told}, the truth itself {truth.log_loss(*x):.3f}")
        return lines

    def examples(log: Any) -> tuple[list[list[float]], list[float]]:
        return [model.encode(x) for x in log.inputs], [float(y) for y in log.targets]

    return train(
        plan,
        "clicks",
        model,
        examples(log),
        epochs=6,
        loss=binary_cross_entropy_with_logits,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=6),
        validation_data=examples(seen),
        results=results,
    )


# Names --------------------------------------------------------------------------------------------


def names(plan: Plan) -> Report:
    """Train a GPT of some 4,000 parameters on names, and let it invent twenty.

    Adam on batches of 4; 20 epochs unless the plan says otherwise. Ctrl-C keeps what was learned,
    and ``--resume`` goes on from the last checkpoint. All names are padded to the longest, so
    that one compiled program serves every batch; no position sees what comes after it, and the
    loss leaves out the padding.
    """
    known = plain_names()
    alphabet = Alphabet(known)
    model = GPT(len(alphabet), rng=plan.seed)
    inputs, targets = alphabet.examples(known)

    def results(part: Any) -> list[str]:
        rng = random.Random(plan.seed)
        invented = [alphabet.invent(model, rng) for _ in range(20)]
        axes = part.subplots()
        axes.set_axis_off()
        axes.set_title("Invented names, those that exist marked with *")
        for i, name in enumerate(invented):
            mark = "*" if name in known else ""
            axes.text(0.1 + 0.45 * (i // 10), 0.9 - 0.09 * (i % 10), name + mark)
        return [", ".join(invented)]

    return train(
        plan,
        "names",
        model,
        (padded(inputs, 0), padded(targets, NO_CHARACTER)),
        epochs=20,
        loss=next_character_loss,
        optimizer=Adam(model.parameters(), lr=0.01, betas=(0.9, 0.99)),
        batch_size=4,
        results=results,
    )
