"""The demo: two graphs stepped through and drawn, and a small network trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from scalargrad.losses import hinge_loss
from scalargrad.nn import MLP
from scalargrad.ops import exp
from scalargrad.show.graphs import draw
from scalargrad.show.steps import show, walk
from scalargrad.system.packages import needed
from scalargrad.value import Parameter, Value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from scalargrad.show.training import TrainingPage

SEED = 1337
STEPS = 100
NEXT = 'step "f = x * y + sin(x)" x=2 y=3 -o mine.html'


def chain_rule() -> Value:
    """Build f = (x + y)z at x = -2, y = 5, z = -4.

    References
    ----------
    Hosseini, Feed-forward networks, 2024.
    """
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    return f


def sigmoid_neuron() -> Value:
    """Build f = 1 / (1 + e^-(w0·x0 + w1·x1 + w2)) from elementary gates.

    References
    ----------
    Hosseini, Feed-forward networks, 2024.
    """
    w0, w1, w2 = Parameter(2.0, "w0"), Parameter(-3.0, "w1"), Parameter(-3.0, "w2")
    x0, x1 = Value(-1.0, "x0"), Value(-2.0, "x1")
    f = 1.0 / (1.0 + exp(-(w0 * x0 + w1 * x1 + w2)))
    f.label = "f"
    return f


class Moons(NamedTuple):
    """The two-moons data: 100 points in the plane and their labels, -1 or 1."""

    points: list[list[float]]
    labels: list[float]


def load_moons() -> Moons:
    """Make the data of the demo, seeded so that every run is the same.

    Raises
    ------
    MissingPackageError
        If scikit-learn is not installed.
    """
    with needed("the demo needs"):
        from sklearn.datasets import make_moons
    points, labels = make_moons(n_samples=100, noise=0.1, random_state=SEED)
    return Moons(points.tolist(), [2.0 * y - 1.0 for y in labels.tolist()])


def moons_loss(model: MLP, moons: Moons) -> tuple[Value, float]:
    """Compute the max-margin loss with L2 regularisation, and the accuracy.

    Parameters
    ----------
    model : MLP
        From two inputs to one score.
    moons : Moons
        The whole batch.

    Returns
    -------
    loss, accuracy : Value, float
        Mean of max(0, 1 - y·score) plus 1e-4 · Σ p², and the fraction of scores with the
        sign of their label.
    """
    scores = [model(point) for point in moons.points]
    margins: list[Value] = [
        (1 + -y * score).relu() for y, score in zip(moons.labels, scores, strict=True)
    ]
    data_loss = sum(margins) * (1.0 / len(margins))
    penalty = 1e-4 * sum(p * p for p in model.parameters())
    hits = [(y > 0) == (s > 0) for y, s in zip(moons.labels, scores, strict=True)]
    return data_loss + penalty, sum(hits) / len(hits)


class Progressed(NamedTuple):
    """Where training stands after one step."""

    step: int
    loss: float
    accuracy: float


def train(model: MLP, moons: Moons, steps: int = STEPS) -> Iterator[Progressed]:
    """Train by gradient descent with a learning rate falling from 1 to 0.1, yielding each step.

    The loss and accuracy are those before the step's update; the model is left usable
    whenever the caller stops.
    """
    for step in range(steps):
        loss, accuracy = moons_loss(model, moons)
        model.zero_grad()
        loss.backward()
        learning_rate = 1.0 - 0.9 * step / steps
        for parameter in model.parameters():
            parameter.data -= learning_rate * parameter.grad
        yield Progressed(step, loss.data, accuracy)


def run(
    folder: Path, console: Console, steps: int = STEPS, program: str = "scalargrad"
) -> list[Path]:
    """Run the whole demo and return the files it wrote into `folder`.

    It ends with a command to go on with, which begins with `program`.

    Raises
    ------
    MissingPackageError
        If scikit-learn or matplotlib is not installed; the graphs are written before.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = [
        *_step_and_draw("f = (x + y)·z", chain_rule(), folder / "chain-rule", console),
        *_step_and_draw("A sigmoid neuron", sigmoid_neuron(), folder / "sigmoid", console),
    ]
    moons = load_moons()
    _figure_class()  # if the plots cannot be made, say so before training
    model = MLP(2, [16, 16, 1], rng=SEED)
    console.rule("[bold]Two moons: an MLP of 337 parameters learns to tell them apart")
    from scalargrad.show.training import watch

    page = watch(model, *moons, loss=hinge_loss)
    history = _train_with_bar(model, moons, console, steps, page)
    loss, accuracy = moons_loss(model, moons)
    console.print(f"loss {loss.data:.4f}, accuracy {accuracy:.0%} on the 100 points")
    written += save_plots(folder, model, moons, history)
    written.append(page.save(folder / "training.html", title="Two moons"))
    _conclude(written, program, console)
    return written


def _step_and_draw(title: str, root: Value, path: Path, console: Console) -> list[Path]:
    """Show the steps, and save the graph as a picture and as a page under the path's name."""
    root.backward()
    console.rule(f"[bold]{title}, forwards and backwards")
    steps = walk(root)
    show(steps, console)
    return [draw(root).save(path.with_suffix(".svg")), steps.save(path.with_suffix(".html"))]


def _conclude(written: list[Path], program: str, console: Console) -> None:
    console.rule("[bold]Done")
    for heading, pages in (("Pictures:", False), ("Pages, to be opened in a browser:", True)):
        console.print(heading)
        for path in written:
            if (path.suffix == ".html") == pages:
                console.print(f"  {path.resolve()}", soft_wrap=True, highlight=False)
    console.print("Next, a page of your own:")
    console.print(f"  {program} {NEXT}", soft_wrap=True, highlight=False)


def _train_with_bar(
    model: MLP, moons: Moons, console: Console, steps: int, page: TrainingPage
) -> list[Progressed]:
    """Train and record with a progress bar; Ctrl-C ends it early and keeps what was learned."""
    history: list[Progressed] = []
    columns = (
        TextColumn("training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.0%}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task("train", total=steps, loss=float("nan"), accuracy=0.0)
        try:
            for done in train(model, moons, steps):
                page.record()
                history.append(done)
                progress.update(bar, advance=1, loss=done.loss, accuracy=done.accuracy)
        except KeyboardInterrupt:
            console.print(f"stopped after {len(history)} steps; the model so far is kept")
    return history


def save_plots(folder: Path, model: MLP, moons: Moons, history: list[Progressed]) -> list[Path]:
    """Save the loss curve and the decision boundary as PNG files in `folder`.

    Raises
    ------
    MissingPackageError
        If matplotlib is not installed.
    """
    figure_class = _figure_class()
    from scalargrad.plots import decision_boundary, loss_curve
    from scalargrad.plots.style import save_figure

    def saved(name: str, plot: Callable[[Axes], object]) -> Path:
        figure = figure_class(figsize=(6.0, 4.2), layout="constrained")
        plot(figure.subplots())
        return save_figure(figure, folder / name, dpi=150)

    losses = [done.loss for done in history]
    accuracies = [done.accuracy for done in history]
    return [
        saved("loss.png", lambda ax: loss_curve(losses, accuracies, ax)),
        saved("boundary.png", lambda ax: decision_boundary(model, *moons, ax=ax)),
    ]


def _figure_class() -> type[Figure]:
    with needed("the plots need"):
        from matplotlib.figure import Figure
    return Figure
