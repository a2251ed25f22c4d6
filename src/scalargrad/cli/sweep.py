"""The command ``scalargrad sweep``: a program trained with many learning rates and seeds."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from enum import Enum
from functools import partial
from math import isfinite
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.markup import escape

from scalargrad.cli.train import PROGRAMS, Epochs, Quiet
from scalargrad.errors import NumericalError, OperandError, ScalargradError, SweepError
from scalargrad.system.files import make_folder, write_table
from scalargrad.system.terminals import console

if TYPE_CHECKING:
    from scalargrad.experiments import Plan

_Program = Enum("_Program", {name: name for name in PROGRAMS})  # type: ignore[misc]


class Outcome(NamedTuple):
    """The outcome of a run of a sweep.

    Attributes
    ----------
    plan : Plan
    rows : list of dict
        Its history, a row for each epoch; empty if it diverged.
    seconds : float
        How long it took.
    """

    plan: Plan
    rows: list[dict[str, float]]
    seconds: float


def train_once(program: str, plan: Plan) -> Outcome:
    """Train a program by name; a loss that is not finite is an outcome, not an error."""
    from scalargrad import experiments

    start = time.perf_counter()
    try:
        rows = getattr(experiments, program)(plan).history.rows
    except NumericalError:
        rows = []
    return Outcome(plan, rows, time.perf_counter() - start)


def sweep(
    program: Annotated[_Program, typer.Argument(help="What is trained.", show_default=False)],
    lr: Annotated[str, typer.Option(help="Learning rates, as in 0.01,0.1,1.", show_default=False)],
    *,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds for each rate: 0, 1, …")] = 3,
    workers: Annotated[int, typer.Option(help="Processes; -1 for one per core.")] = 1,
    epochs: Epochs = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder the files are written to.")
    ] = Path("scalargrad-sweep"),
    quiet: Quiet = False,
) -> None:
    """Train a program with several learning rates and seeds, and compare them."""
    from scalargrad import parallel
    from scalargrad.experiments import Plan

    name = program.value
    plans = [
        Plan(output / f"lr-{_written(rate)}-seed-{seed}", epochs, seed, quiet=True, lr=rate)
        for rate in _rates(lr)
        for seed in range(seeds)
    ]
    try:
        outcomes = parallel.sweep(partial(train_once, name), plans, workers, quiet=quiet)
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
    """Print a row for each rate, and write a row for each run, and the plot."""
    if not outcomes:
        return
    hidden = {"epoch", "loss", "gradient_norm", "learning_rate"}
    found = dict.fromkeys(x for outcome in outcomes for row in outcome.rows[-1:] for x in row)
    metrics = [x for x in found if x not in hidden]
    screen = console()
    title = f"{name}: the last epoch, medians over seeds, lowest and highest loss"
    rows = _summary(outcomes, metrics)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    screen.print(title, highlight=False)
    for row in rows:
        cells = [cell.rjust(width) for cell, width in zip(row, widths, strict=True)]
        screen.print("  ".join(cells), highlight=False, markup=False)
    make_folder(folder)
    for path in (_write_runs(name, outcomes, metrics, folder), _draw(name, outcomes, folder)):
        screen.print(f"  wrote {escape(str(path.resolve()))}", soft_wrap=True, highlight=False)


def _by_rate(outcomes: Iterable[Outcome]) -> dict[float, list[Outcome]]:
    found: dict[float, list[Outcome]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.plan.rate(0.0), []).append(outcome)
    return found


def _summary(outcomes: Sequence[Outcome], metrics: Sequence[str]) -> list[list[str]]:
    """Return headings, and a row for each rate: the last epoch's numbers over its seeds."""
    rows = [["lr", "seeds", "diverged", "loss", "lowest", "highest", *metrics, "seconds"]]
    for rate, found in _by_rate(outcomes).items():
        last = [x.rows[-1] for x in found if x.rows]
        losses = [row["loss"] for row in last]
        numbers = [f(losses) for f in (median, min, max)] if losses else []
        numbers += [median(row[x] for row in last) for x in metrics] if losses else []
        cells = [f"{x:.3g}" for x in numbers] or ["-"] * (3 + len(metrics))
        seconds = f"{median(x.seconds for x in found):.3g}"
        rows.append([f"{rate:g}", str(len(found)), str(len(found) - len(last)), *cells, seconds])
    return rows


def _write_runs(
    name: str, outcomes: Sequence[Outcome], metrics: Sequence[str], folder: Path
) -> Path:
    """Write a line for each run; one that diverged has no numbers."""
    table: list[list[Any]] = [["learning_rate", "seed", "epochs", "loss", *metrics, "seconds"]]
    for plan, rows, seconds in outcomes:
        last = rows[-1] if rows else {}
        numbers = [last.get(x, "") for x in ("loss", *metrics)]
        table.append([plan.lr, plan.seed, len(rows), *numbers, f"{seconds:.3f}"])
    return write_table(folder / f"{name}.csv", table)


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
