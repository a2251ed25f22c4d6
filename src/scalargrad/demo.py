"""The demo of the command line: two graphs, stepped and drawn, and the training of a network."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

from rich.console import Console

from scalargrad import data, losses, optim, plots
from scalargrad.engine.value import Parameter, Value
from scalargrad.expression import parse
from scalargrad.nn import MLP, save_model
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.show.graphs import draw
from scalargrad.show.steps import show, walk
from scalargrad.show.training import watch
from scalargrad.system.files import make_folder, require_writable, write_atomically
from scalargrad.system.packages import optional_dependency
from scalargrad.train import History, fit

#: Arguments of the command that the demo proposes at its end.
NEXT_COMMAND = 'step "f = x * y + sin(x)" x=2 y=3 -o mine.html'


def chain_rule() -> Value:
    """Build f = (x + y)z at x = -2, y = 5, z = -4.

    References
    ----------
    Hosseini, Feed-forward networks, 2024.
    """
    return parse("q = x + y; f = q * z", x=-2, y=5, z=-4)


def sigmoid_neuron() -> Value:
    """Build f = 1 / (1 + e^-(w0·x0 + w1·x1 + w2)) from elementary gates.

    References
    ----------
    Hosseini, Feed-forward networks, 2024.
    """
    weights = {name: Parameter(x, name) for name, x in (("w0", 2), ("w1", -3), ("w2", -3))}
    return parse("f = 1 / (1 + exp(-(w0*x0 + w1*x1 + w2)))", **weights, x0=-1, x1=-2)


def run(
    folder: Path, console: Console, steps: int = 100, program: str = "scalargrad"
) -> list[Path]:
    """Run the demo, and return the files that it wrote to `folder`.

    The last line suggests a next command, which begins with `program`.

    Raises
    ------
    MissingPackageError
        If NumPy, matplotlib or safetensors is not installed; the graphs are written first.
    """
    make_folder(folder)
    files = [
        *_step_and_draw("f = (x + y)·z", chain_rule(), folder / "chain-rule", console),
        *_step_and_draw("A sigmoid neuron", sigmoid_neuron(), folder / "sigmoid", console),
    ]
    console.rule("[bold]Two moons: an MLP of 337 parameters learns to tell them apart")
    history, accuracy, more = train_moons(folder, steps)
    console.print(f"accuracy {accuracy:.0%} on the 100 points", highlight=False)
    console.print(f"stopped: {history.stopped}", highlight=False)
    console.rule("[bold]Done")
    console.print("Files, of which the pages are to be opened in a browser:")
    for path in [*files, *more]:
        console.print(f"  {path.resolve()}", soft_wrap=True, highlight=False, markup=False)
    console.print("Next, a page of your own (or, with -i, step by step in this terminal):")
    console.print(f"  {program} {NEXT_COMMAND}", soft_wrap=True, highlight=False, markup=False)
    return [*files, *more]


def _step_and_draw(title: str, root: Value, path: Path, console: Console) -> list[Path]:
    """Show the steps of a graph, and save a picture and a page of it under this path."""
    root.backward()
    console.rule(f"[bold]{title}, forwards and backwards")
    steps = walk(root)
    show(steps, console)
    return [draw(root).save(path.with_suffix(".svg")), steps.save(path.with_suffix(".html"))]


def train_moons(folder: Path, steps: int = 100) -> tuple[History, float, list[Path]]:
    """Train an MLP on two moons, and save a picture, the model, its history and a page.

    The MLP has 337 parameters; the loss is the max-margin loss with an L2 penalty. Each step uses
    all 100 points. The learning rate falls from 1 to 0.1 in 100 steps.

    Returns
    -------
    history : History
    accuracy : float
        The fraction of points that the trained network classifies correctly.
    files : list of Path
        A picture (PNG), the model (safetensors), the history (CSV), the training page (HTML) and
        the last checkpoint (JSON).

    References
    ----------
    A. Karpathy, micrograd, 2020, whose demo this is.
    """
    kinds = ("png", "safetensors", "csv")
    picture, weights, table = [folder / f"moons.{kind}" for kind in kinds]
    page, checkpoint = folder / "training.html", folder / "moons.checkpoint.json"
    for path in (picture, weights, table, page):
        require_writable(path)
    with optional_dependency("the picture and the saved model need"):
        import safetensors  # noqa: F401 - needed once training is over
        from matplotlib.figure import Figure
    inputs, classes = data.moons(100, 0.1, seed=1337)
    targets = [2 * y - 1 for y in classes]
    model = MLP(2, [16, 16, 1], rng=1337)
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    training = watch(model, inputs, targets, loss=losses.hinge_loss, optimizer=optimizer)
    history = fit(
        model,
        inputs,
        targets,
        epochs=steps,
        loss=losses.hinge_loss,
        regularizer=lambda parameters: 1e-4 * losses.l2_penalty(parameters),
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.1, total_iters=100),
        metrics=[losses.accuracy],
        batch_size=None,
        shuffle=False,
        checkpoint=checkpoint,
        checkpoint_every=max(1, steps // 50),
        callbacks=[training],
    )
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    if len(history):
        history.plot(left)
    plots.decision_boundary(model, inputs, targets, ax=right)
    _save_figure(figure, picture)
    save_model(model, weights)
    history.to_csv(table)
    training.save(page, title="Training on moons")
    accuracy = losses.accuracy([model(x) for x in inputs], targets)
    return history, accuracy, [picture, weights, table, page, checkpoint]


def _save_figure(figure: Any, path: Path) -> None:
    """Save a Matplotlib figure as PNG, completely or not at all."""
    picture = BytesIO()
    figure.savefig(picture, dpi=120)
    write_atomically(path, picture.getvalue())
