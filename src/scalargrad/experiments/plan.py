"""The form of all experiments: data, a model, a loss and a picture, trained as planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from scalargrad.nn import Module, save_model
from scalargrad.plots.style import save_figure
from scalargrad.show.html import require_page
from scalargrad.show.training import watch
from scalargrad.system.files import make_folder, require_writable
from scalargrad.system.packages import needed
from scalargrad.train import History, fit


@dataclass(frozen=True)
class Plan:
    """The options of a run of a program.

    Attributes
    ----------
    folder : Path
        Where files are written; made if it does not exist.
    epochs : int or None
        Passes over the examples; None leaves it to the program.
    seed : int
        Fixes every draw.
    resume : bool
        Go on from the program's last checkpoint in `folder`.
    quiet : bool
        Show no progress bar.
    watch : Path or None
        Where the training page is written, by programs that classify points in the plane.
    """

    folder: Path
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    quiet: bool = False
    watch: Path | None = None

    def checkpoint(self, name: str) -> Path:
        """Return where a program writes its checkpoint."""
        return self.folder / f"{name}.checkpoint.json"


class Report(NamedTuple):
    """The result of a program.

    Attributes
    ----------
    summary : list of str
        What was learned, in a few lines.
    model : Module
        As trained.
    history : History
        Of its training.
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
    results: Callable[[Any], list[str]],
    callbacks: Sequence[Any] = (),
    wide: bool = False,
    **options: Any,
) -> Report:
    """Train a model, and write a picture, the model, its history and a checkpoint.

    Parameters
    ----------
    plan : Plan
    name : str
        Of the program, and of its files.
    model : Module
    examples : inputs and targets
    epochs : int
        Unless the plan says otherwise. A checkpoint is written fifty times on the way.
    results : callable
        Draws what was learned into the right part of the picture, a subfigure, and returns it in a
        few lines; to its left is the training.
    callbacks : sequence of callables
    wide : bool
        Whether the right part has room for two drawings.
    options
        Further ones of `fit`, such as `loss` and `optimizer`.

    Raises
    ------
    MissingPackageError
        If a package that writes the picture or the model is not installed.
    LayoutError
        If the name of the training page does not end in .html.
    OSError
        If one of the program's files could not be written; no epoch is trained.
    """
    files = [plan.folder / f"{name}.{kind}" for kind in ("png", "safetensors", "csv")]
    make_folder(plan.folder)
    for path in files:
        require_writable(path)
    if plan.watch is not None:
        require_page(plan.watch)
    with needed("the picture and the saved model need"):
        import safetensors  # noqa: F401 - needed once training is over
        from matplotlib.figure import Figure
    how = {x: options[x] for x in ("loss", "optimizer")}
    page = None if plan.watch is None else watch(model, *examples, **how)
    count = plan.epochs or epochs
    history = fit(
        model,
        *examples,
        epochs=count,
        seed=plan.seed,
        quiet=plan.quiet,
        checkpoint=plan.checkpoint(name),
        checkpoint_every=max(1, count // 50),
        resume=plan.resume,
        callbacks=[*callbacks, *([] if page is None else [page])],
        **options,
    )
    figure = Figure(figsize=(14.5, 4.4) if wide else (10.0, 4.2), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=[1, 2 if wide else 1])
    axes = parts[0].subplots()
    if len(history):
        history.plot(axes)
    else:
        axes.set_axis_off()
        axes.set_title("No epoch was completed")
    summary = results(parts[1])
    save_figure(figure, files[0], dpi=120)
    save_model(model, files[1])
    history.to_csv(files[2])
    if page is not None and plan.watch is not None:
        files.append(page.save(plan.watch, title=f"Training on {name}"))
    return Report([*summary, f"stopped: {history.stopped}"], model, history, files)
