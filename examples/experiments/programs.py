"""Seven experiments, each with data, a model, a loss and a picture of the result."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from examples.experiments import gpt
from examples.experiments.click_log import ClickModel
from examples.experiments.wide_and_deep import WideAndDeep
from scalargrad import Value, data, gradients, losses, no_grad, optim, plots, watch
from scalargrad.data import Dataset
from scalargrad.data.texts import LABELS
from scalargrad.nn import MLP, Linear, Module, ReLU, Sequential, save_model
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.show.html import require_page_path
from scalargrad.show.number_format import polynomial
from scalargrad.system.files import make_folder, require_writable, write_atomically
from scalargrad.system.packages import optional_dependency
from scalargrad.train import History, fit

__all__ = [
    "Cubic",
    "Plan",
    "Report",
    "clicks",
    "digits",
    "digits28",
    "names",
    "sentiment",
    "sine",
    "xor",
]


@dataclass(frozen=True)
class Plan:
    """The options of a run of an experiment.

    Attributes
    ----------
    folder : Path
        The folder for all files; it is created if it does not exist.
    epochs : int or None
        Number of passes over the examples; None is the default of the experiment.
    seed : int
        Seed of all random numbers.
    resume : bool
        Continue from the last checkpoint of the experiment in `folder`.
    quiet : bool
        Do not show a progress bar.
    watch : Path or None
        The file for the training page, for experiments that classify points in the plane.
    """

    folder: Path
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    quiet: bool = False
    watch: Path | None = None

    def checkpoint(self, name: str) -> Path:
        """Return the path of an experiment's checkpoint."""
        return self.folder / f"{name}.checkpoint.json"


class Report(NamedTuple):
    """The result of an experiment.

    Attributes
    ----------
    summary : list of str
        The result, in a few lines.
    model : Module
        The trained model.
    history : History
        The training history.
    files : list of Path
        A picture (PNG), the model (safetensors) and the history (CSV).
    """

    summary: list[str]
    model: Module
    history: History
    files: list[Path]


def train(
    plan: Plan,
    name: str,
    model: Module,
    examples: tuple[Sequence[Any], Sequence[Any]],
    *,
    epochs: int,
    loss: Callable[..., Any],
    optimizer: Any,
    results: Callable[[Any], list[str]],
    decays: bool = False,
    wide: bool = False,
    **options: Any,
) -> Report:
    """Train a model, and write a picture, the model, its history and a checkpoint.

    Parameters
    ----------
    plan : Plan
    name : str
        Name of the experiment, and of its files.
    model : Module
    examples : inputs and targets
    epochs : int
        Number of epochs if the plan has none. A checkpoint is written fifty times.
    loss, optimizer
        Arguments of `fit`.
    results : callable
        Draws the result into the right part of the picture, a subfigure, and returns a summary in
        a few lines. The left part shows the training.
    decays : bool
        Whether the learning rate falls to a tenth within `epochs`.
    wide : bool
        Whether the right part of the picture has room for two drawings.
    options
        Further arguments of `fit`.

    Raises
    ------
    MissingPackageError
        If a package that writes the picture or the model is not installed.
    LayoutError
        If the name of the training page does not end in .html.
    OSError
        If a file of the experiment cannot be written; this is checked before training.
    """
    files = [plan.folder / f"{name}.{kind}" for kind in ("png", "safetensors", "csv")]
    make_folder(plan.folder)
    for path in files:
        require_writable(path)
    if plan.watch is not None:
        require_page_path(plan.watch)
    with optional_dependency("the picture and the saved model need"):
        import safetensors  # noqa: F401 - needed once training is over
        from matplotlib.figure import Figure
    page = None if plan.watch is None else watch(model, *examples, loss=loss, optimizer=optimizer)
    count = plan.epochs or epochs
    history = fit(
        model,
        *examples,
        epochs=count,
        seed=plan.seed,
        quiet=plan.quiet,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=epochs) if decays else None,
        checkpoint=plan.checkpoint(name),
        checkpoint_every=max(1, count // 50),
        resume=plan.resume,
        callbacks=[] if page is None else [page],
        loss=loss,
        optimizer=optimizer,
        **options,
    )
    figure = Figure(figsize=(14.5, 4.4) if wide else (10.0, 4.2), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=[1, 2 if wide else 1])
    axes = parts[0].subplots()
    if len(history):
        history.plot(axes)
    summary = results(parts[1])
    picture = BytesIO()
    figure.savefig(picture, dpi=120)
    write_atomically(files[0], picture.getvalue())
    save_model(model, files[1])
    history.to_csv(files[2])
    if page is not None and plan.watch is not None:
        files.append(page.save(plan.watch, title=f"Training on {name}"))
    return Report([*summary, f"stopped: {history.stopped}"], model, history, files)


#: Options of `fit` for full-batch gradient descent.
_FULL_BATCH: dict[str, Any] = {"batch_size": None, "shuffle": False}


def _classes(axes: Any, model: Module, examples: Any, labels: Sequence[str] | None = None) -> str:
    """Draw the confusion matrix of a model, and return its accuracy as text."""
    inputs, targets = examples
    with no_grad():
        scores = [[score.data for score in model(x)] for x in inputs]
    guessed = [max(range(len(row)), key=row.__getitem__) for row in scores]
    plots.confusion_matrix(targets, guessed, labels, axes)
    return f"{losses.accuracy(scores, targets):.1%} of the {len(inputs)} held out told correctly"


# Points in the plane ------------------------------------------------------------------------------


def xor(plan: Plan) -> Report:
    """Learn exclusive or with four hidden units, which no perceptron can.

    Adam on all four points; by default 200 epochs.

    References
    ----------
    Minsky and Papert, Perceptrons, 1969.
    """
    points = data.xor()
    model = MLP(2, [4, 1], activation="tanh", rng=plan.seed)
    return train(
        plan,
        "xor",
        model,
        points,
        epochs=200,
        loss=losses.binary_cross_entropy_with_logits,
        optimizer=optim.Adam(model.parameters(), lr=0.1),
        metrics=[losses.accuracy],
        results=lambda part: _boundary(part, model, points),
        **_FULL_BATCH,
    )


def _boundary(part: Any, model: Module, points: Dataset[Any, Any]) -> list[str]:
    """Draw the decision boundary, and return the accuracy."""
    plots.decision_boundary(model, *points, ax=part.subplots())
    hits = losses.accuracy([model(x) for x in points.inputs], points.targets)
    return [f"accuracy {hits:.0%} on the {len(points.inputs)} points"]


# Handwritten digits -------------------------------------------------------------------------------


def digits(plan: Plan) -> Report:
    """Classify handwritten digits with 64 inputs, 20 hidden units and a softmax over ten classes.

    Adam on batches of 32. The learning rate falls from 0.02 to 0.002 in 8 epochs, the default
    number.
    """
    return _train_digits(plan, "digits", size=8, hidden=20, rate=0.02, epochs=8)


def digits28(plan: Plan) -> Report:
    """Classify the digits enlarged to 28 × 28 pixels with a 784-100-10 network, 79,510 parameters.

    Adam on batches of 32. The learning rate falls from 0.002 to 0.0002 in 4 epochs, the default
    number.
    """
    return _train_digits(plan, "digits28", size=28, hidden=100, rate=0.002, epochs=4)


def _train_digits(
    plan: Plan, name: str, *, size: int, hidden: int, rate: float, epochs: int
) -> Report:
    examples, held_out = data.digits(size)
    first = Linear(size * size, hidden, rng=plan.seed)
    model = Sequential(first, ReLU(), Linear(hidden, 10, rng=plan.seed + 1))

    def results(part: Any) -> list[str]:
        left, right = part.subfigures(1, 2)
        text = _classes(left.subplots(), model, held_out)
        plots.first_layer_weights(first.weight[:20], (size, size), columns=5, figure=right)
        right.suptitle("What 20 hidden units look for:\nblue ink counts for them, orange against")
        return [text]

    return train(
        plan,
        name,
        model,
        examples,
        epochs=epochs,
        loss=losses.cross_entropy,
        optimizer=optim.Adam(model.parameters(), lr=rate),
        decays=True,
        validation_data=held_out,
        metrics=[losses.accuracy],
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
        """Return the polynomial at the single number in `x`, as a list of one Value."""
        (number,) = x
        return self.linear([number, number**2, number**3])

    def __str__(self) -> str:
        a = self.linear.bias[0].data if self.linear.bias else 0.0
        return f"y = {polynomial([a, *(w.data for w in self.linear.weight[0])])}"


def sine(plan: Plan) -> Report:
    """Fit a cubic to sin on 2,000 points of [-π, π] by gradient descent.

    Full-batch descent at learning rate 10⁻⁶ on the *sum* of squared errors, as in UCSB's program;
    by default 2,000 epochs.
    """
    points = data.sine(2000)
    model = Cubic(rng=plan.seed)

    def results(part: Any) -> list[str]:
        axes, every = part.subplots(), points.inputs[::20]
        xs = [x for (x,) in every]
        sine = axes.plot(xs, points.targets[::20], color=plots.ORANGE, ls="--", label="sin x")
        cubic = axes.plot(xs, [model(x)[0].data for x in every], color=plots.BLUE, label=str(model))
        axes.set(xlabel="x, radians", ylabel="y")
        plots.legend_above(plots.style_axes(axes), "The sine and the fitted cubic", [*sine, *cubic])
        return [f"Result: {model}"]

    return train(
        plan,
        "sine",
        model,
        (points.inputs, [[y] for y in points.targets]),
        epochs=2000,
        loss=partial(losses.mse_loss, reduction="sum"),
        optimizer=optim.SGD(model.parameters(), lr=1e-6),
        results=results,
        **_FULL_BATCH,
    )


# Reviews ------------------------------------------------------------------------------------------


def deciding_words(model: Module, review: str) -> dict[str, float]:
    """Return the influence of each word of a review on its classification, largest first.

    Parameters
    ----------
    model : Module
        Maps a bag of words to two scores, negative and positive.
    review : str
        Any text.

    Returns
    -------
    dict from str to float
        The gradient of the log-odds of positive with respect to the count of each word, in nats:
        above 0 the word makes a positive review more likely, below 0 less.

    Examples
    --------
    >>> model = Sequential(Linear(10_000, 10, rng=0), ReLU(), Linear(10, 2, rng=1))
    >>> sorted(deciding_words(model, "Good, good food!"))
    ['food', 'good']
    """
    positions = {word: next(iter(data.bag_of_words(word))) for word in data.words(review)}
    counts = {i: Value(count) for i, count in data.bag_of_words(review).items()}
    negative, positive = model(counts)
    found = gradients(positive - negative, list(counts.values()))
    says = dict(zip(counts, found, strict=True))
    ranked = sorted(positions, key=lambda word: -abs(says[positions[word]]))
    return {word: says[positions[word]] for word in ranked}


def sentiment(plan: Plan) -> Report:
    """Classify reviews as good or bad by a bag of 10,000 words.

    Gradient descent on one review at a time, so that a step changes only the weights of the words
    in that review; by default 20 epochs.
    """
    reviews, held_out = (
        ([data.bag_of_words(text) for text in texts], targets)
        for texts, targets in data.sentiment()
    )
    layers = Linear(10_000, 10, rng=plan.seed), ReLU(), Linear(10, 2, rng=plan.seed + 1)
    model = Sequential(*layers)
    return train(
        plan,
        "sentiment",
        model,
        reviews,
        epochs=20,
        loss=losses.cross_entropy,
        optimizer=optim.SGD(model.parameters(), lr=0.1),
        batch_size=1,
        validation_data=held_out,
        metrics=[losses.accuracy],
        results=lambda part: [_classes(part.subplots(), model, held_out, LABELS)],
    )


# A click log --------------------------------------------------------------------------------------


def clicks(plan: Plan) -> Report:
    """Learn click probabilities from 6,000 impressions, and compare with the true ones.

    AdamW on batches of 32. The learning rate falls from 0.02 to 0.002 in 6 epochs, the default
    number.
    """
    truth = ClickModel(seed=plan.seed)
    log = truth.log(6000, seed=plan.seed + 1)
    seen = truth.log(2000, seed=plan.seed + 2)
    unseen = truth.log(2000, seed=plan.seed + 3, unseen=True)
    model = WideAndDeep(range(20), range(20), rng=plan.seed)
    base = sum(log.targets) / len(log.targets)

    def results(part: Any) -> list[str]:
        axes, drawn, lines = part.subplots(), [], []
        for i, (name, log) in enumerate({"seen": seen, "unseen": unseen}.items()):
            ours = [model.probability(shown) for shown in log.inputs]
            true = [truth.probability(shown) for shown in log.inputs]
            look = {
                "color": plots.class_colour(i),
                "mec": "white",
                "mew": 0.5,
                "label": f"{name} pairs",
            }
            drawn += axes.plot(true[:400], ours[:400], plots.MARKERS[i], **look)
            chances = [base] * len(ours), true, ours
            rate, best, found = (losses.binary_cross_entropy(x, log.targets) for x in chances)
            text = f"base rate {rate:.3f}, the truth itself {best:.3f}"
            lines.append(f"{name} pairs: log loss {found:.3f}, {text}")
        drawn += axes.plot([0, 1], [0, 1], color="black", lw=1, label="as it should be")
        axes.set(xlabel="true probability", ylabel="learned probability", xlim=(0, 1), ylim=(0, 1))
        axes.set_aspect("equal")
        plots.legend_above(plots.style_axes(axes), "Chances of a click", drawn)
        return lines

    def examples(log: Any) -> tuple[list[list[float]], list[float]]:
        return [model.encode(x) for x in log.inputs], [float(y) for y in log.targets]

    return train(
        plan,
        "clicks",
        model,
        examples(log),
        epochs=6,
        loss=losses.binary_cross_entropy_with_logits,
        optimizer=optim.AdamW(model.groups(), lr=0.02),
        decays=True,
        validation_data=examples(seen),
        results=results,
    )


# Names --------------------------------------------------------------------------------------------


def names(plan: Plan) -> Report:
    """Train a GPT of some 4,000 parameters on names, and sample twenty new ones.

    Adam on batches of 4; by default 20 epochs. After Ctrl-C, a plan with ``resume=True`` continues
    from the last checkpoint. All names are padded to the length of the longest, so that one
    compiled program serves every batch. Attention is causal, and the loss leaves out the padding.
    """
    known = gpt.plain_names()
    alphabet = gpt.Alphabet(known)
    model = gpt.GPT(len(alphabet), rng=plan.seed)
    inputs, targets = alphabet.examples(known)

    def results(part: Any) -> list[str]:
        rng = random.Random(plan.seed)
        invented = [alphabet.invent(model, rng) for _ in range(20)]
        axes = part.subplots()
        axes.set_axis_off()
        axes.set_title("Invented names, those that exist marked with *")
        for i, name in enumerate(invented):
            starred = name + "*" * (name in known)
            axes.text(0.1 + 0.45 * (i // 10), 0.9 - 0.09 * (i % 10), starred)
        return [", ".join(invented)]

    return train(
        plan,
        "names",
        model,
        (gpt.padded(inputs, 0), gpt.padded(targets, gpt.NO_CHARACTER)),
        epochs=20,
        loss=gpt.next_character_loss,
        optimizer=optim.Adam(model.parameters(), lr=0.01, betas=(0.9, 0.99)),
        batch_size=4,
        results=results,
    )
