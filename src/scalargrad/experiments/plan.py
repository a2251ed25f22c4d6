"""The options with which an experiment is run, and the report of its results and files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scalargrad.nn import Module, save_model
from scalargrad.plots.style import save_figure
from scalargrad.show.html import require_page
from scalargrad.system.files import make_folder, require_writable
from scalargrad.system.packages import needed
from scalargrad.train import History

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Plan:
    """How a program is run.

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
    lr : float or None
        The learning rate to begin with; None leaves it to the program.
    """

    folder: Path
    epochs: int | None = None
    seed: int = 0
    resume: bool = False
    quiet: bool = False
    watch: Path | None = None
    lr: float | None = None

    def rate(self, usual: float) -> float:
        """Return the learning rate of this plan, or else the program's own."""
        return usual if self.lr is None else self.lr

    def options(self, name: str, epochs: int) -> dict[str, Any]:
        """Return the arguments of `fit` that follow from this plan, for a program by name.

        A checkpoint is written fifty times on the way, to the file ``name.checkpoint.json``.

        Raises
        ------
        MissingPackageError
            If a package that writes the picture or the model is not installed.
        LayoutError
            If the name of the training page does not end in .html.
        OSError
            If one of the program's files could not be written.
        """
        self._require_files(name)
        epochs = self.epochs or epochs
        return {
            "epochs": epochs,
            "seed": self.seed,
            "quiet": self.quiet,
            "checkpoint": self.checkpoint(name),
            "checkpoint_every": max(1, epochs // 50),
            "resume": self.resume,
        }

    def files(self, name: str) -> list[Path]:
        """Return where a program writes its picture, its model and its history."""
        return [self.folder / f"{name}.{kind}" for kind in ("png", "safetensors", "csv")]

    def checkpoint(self, name: str) -> Path:
        """Return where a program writes its checkpoint."""
        return self.folder / f"{name}.checkpoint.json"

    def _require_files(self, name: str) -> None:
        """Check before training that all of the program's files can be written."""
        make_folder(self.folder)
        for path in self.files(name):
            require_writable(path)
        if self.watch is not None:
            require_page(self.watch)
        with needed("the picture and the saved model need"):
            import matplotlib as mpl  # noqa: F401 - needed once training is over
            import safetensors  # noqa: F401


class Report(NamedTuple):
    """What a program returns.

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


def draw_training(history: History, axes: Axes) -> None:
    """Plot the training, or say that no epoch of it was completed."""
    if len(history):
        history.plot(axes)
    else:
        axes.set_axis_off()
        axes.set_title("No epoch was completed")


def report(
    plan: Plan,
    name: str,
    model: Module,
    history: History,
    *,
    draw: Callable[[Figure], object],
    summary: list[str],
    size: tuple[float, float] = (10.0, 4.2),
) -> Report:
    """Write a program's picture (its size is in inches), model and history; return the whole.

    Raises
    ------
    MissingPackageError
        If matplotlib or safetensors is not installed.
    """
    with needed("the picture needs"):
        from matplotlib.figure import Figure
    figure = Figure(figsize=size, layout="constrained")
    draw(figure)
    files = plan.files(name)
    save_figure(figure, files[0], dpi=120)
    save_model(model, files[1])
    history.to_csv(files[2])
    return Report([*summary, f"stopped: {history.stopped}"], model, history, files)
