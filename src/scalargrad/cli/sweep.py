"""The command ``scalargrad sweep``: a program trained with many learning rates and seeds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from enum import Enum
from math import isfinite
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scalargrad.cli.train import PROGRAMS
from scalargrad.errors import OperandError, ScalargradError, SweepError
from scalargrad.system.files import make_folder

if TYPE_CHECKING:
    from scalargrad.experiments.runs import Outcome

_WIDEST = 10_000  # columns: as wide as a table would be if there were room
_Program = Enum("_Program", {name: name for name in PROGRAMS})  # type: ignore[misc]


def sweep(
    program: Annotated[_Program, typer.Argument(help="What is trained.", show_default=False)],
    lr: Annotated[str, typer.Option(help="Learning rates, as in 0.01,0.1,1.", show_default=False)],
    *,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds for each rate: 0, 1, …")] = 3,
    workers: Annotated[int, typer.Option(help="Processes; -1 for one per core.")] = 1,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the examples.", show_default="chosen by the program"),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder the files are written to.")
    ] = Path("scalargrad-sweep"),
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bar.")] = False,
) -> None:
    """Train a program with several learning rates and seeds, and compare them."""
    from scalargrad import parallel
    from scalargrad.experiments.runs import TrainingRun, train_once

    name = program.value
    runs = [
        TrainingRun(name, rate, seed, epochs, output / f"lr-{_written(rate)}-seed-{seed}")
        for rate in _rates(lr)
        for seed in range(seeds)
    ]
    try:
        outcomes = parallel.sweep(train_once, runs, workers, quiet=quiet)
    except (SweepError, parallel.SweepInterrupt) as error:
        finished = [error.finished[i] for i in sorted(error.finished)]
        _report(name, finished, output)
        if isinstance(error, SweepError):
            raise _failure(error, len(finished)) from error.__cause__
        raise
    _report(name, outcomes, output)


def _failure(error: SweepError, finished: int) -> SweepError:
    """Return the error of a run in the words of the command line."""
    from scalargrad.parallel.workers import in_words

    run, cause = error.point, error.__cause__
    why = str(cause) if isinstance(cause, ScalargradError | OSError) else in_words(cause or error)
    kept = f"; the files are of the {finished} that had finished" if finished else ""
    message = (
        f"the run with learning rate {_written(run.lr)} and seed {run.seed} failed: {why}{kept}"
    )
    return SweepError(message, error.index, run, error.finished)


def _rates(text: str) -> list[float]:
    """Return the learning rates that were given, without duplicates."""
    try:
        rates = [float(x) for x in text.split(",")]
    except ValueError:
        raise OperandError(f"--lr is {text!r}: give numbers, as in --lr 0.01,0.1,1") from None
    wrong = [x for x in rates if not (isfinite(x) and x > 0)]
    if wrong:
        raise OperandError(f"--lr holds {wrong[0]:g}: a learning rate is positive and finite")
    return list(dict.fromkeys(rates))


def _written(rate: float) -> str:
    """Write a learning rate with all its digits: rates that differ have folders of their own."""
    return repr(rate).removesuffix(".0")


def _report(name: str, outcomes: Sequence[Outcome], folder: Path) -> None:
    """Show the table, and write it with the plot."""
    if not outcomes:
        return
    console = Console()
    _show(name, _cells(outcomes), console)
    make_folder(folder)
    for path in (_write_rows(name, outcomes, folder), _draw(name, outcomes, folder)):
        console.print(f"  wrote {escape(str(path.resolve()))}", soft_wrap=True, highlight=False)


def _metrics(outcomes: Iterable[Outcome]) -> list[str]:
    """Return what was measured besides the loss."""
    hidden = {"epoch", "loss", "gradient_norm", "learning_rate"}
    columns = dict.fromkeys(x for found in outcomes for row in found.rows[-1:] for x in row)
    return [x for x in columns if x not in hidden]


def _by_rate(outcomes: Iterable[Outcome]) -> dict[float, list[Outcome]]:
    found: dict[float, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.run.lr, []).append(outcome)
    return found


def _cells(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """Return headings, and a row for each rate: the last epoch's numbers over its seeds."""
    metrics = _metrics(outcomes)
    rows = [["lr", "seeds", "diverged", "loss", "lowest", "highest", *metrics, "seconds"]]
    for rate, found in _by_rate(outcomes).items():
        last = [x.rows[-1] for x in found if x.rows]
        losses = [row["loss"] for row in last]
        shown = [f(losses) for f in (median, min, max)] if losses else []
        shown += [median(row[x] for row in last) for x in metrics] if losses else []
        cells = [f"{x:.3g}" for x in shown] or ["-"] * (3 + len(metrics))
        seconds = f"{median(x.seconds for x in found):.3g}"
        gone = str(len(found) - len(last))
        rows.append([f"{rate:g}", str(len(found)), gone, *cells, seconds])
    return rows


def _show(name: str, rows: Sequence[Sequence[str]], console: Console) -> None:
    """Print rows as a table or, where it would cut numbers off, as a line for each."""
    title = f"{name}: the last epoch, medians over seeds, lowest and highest loss"
    headings, *measured = rows
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for row in measured:
        table.add_row(*row)
    options = console.options.update_width(_WIDEST)
    if console.measure(table, options=options).maximum <= console.width:
        console.print(table)
        return
    console.print(title, highlight=False)
    for row in measured:
        pairs = [f"{heading} {cell}" for heading, cell in zip(headings, row, strict=True)]
        console.print(f"{pairs[0]}: {', '.join(pairs[1:])}", highlight=False, markup=False)


def _write_rows(name: str, outcomes: Sequence[Outcome], folder: Path) -> Path:
    """Write a line for each run; one that diverged has no numbers."""
    from scalargrad.system.files import write_atomically

    columns = ["loss", *_metrics(outcomes)]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["learning_rate", "seed", "epochs", *columns, "seconds"])
    for run, rows, seconds in outcomes:
        last = rows[-1] if rows else {}
        numbers = [last.get(x, "") for x in columns]
        writer.writerow([run.lr, run.seed, len(rows), *numbers, f"{seconds:.3f}"])
    return write_atomically(folder / f"{name}.csv", text.getvalue().encode())


def _draw(name: str, outcomes: Sequence[Outcome], folder: Path) -> Path:
    from scalargrad.plots import sweep_curves, sweep_outcomes
    from scalargrad.plots.style import save_figure
    from scalargrad.system.packages import needed

    with needed("the picture needs"):
        from matplotlib.figure import Figure
    losses = {
        rate: [[row["loss"] for row in x.rows] for x in found]
        for rate, found in _by_rate(outcomes).items()
    }
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    sweep_curves(losses, left)
    sweep_outcomes(losses, right)
    return save_figure(figure, folder / f"{name}.png", dpi=120)
