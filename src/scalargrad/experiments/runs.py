"""One run of a sweep: a program trained with a learning rate and a seed."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from scalargrad import experiments
from scalargrad.errors import NumericalError
from scalargrad.experiments.plan import Plan, Report


class TrainingRun(NamedTuple):
    """What a run trains, and where it writes.

    Attributes
    ----------
    program : str
        A function of `scalargrad.experiments`, by name.
    lr : float
        The learning rate to begin with.
    seed : int
        Fixes every draw.
    epochs : int or None
        Passes over the examples; None leaves it to the program.
    folder : Path
        Where its files are written.
    """

    program: str
    lr: float
    seed: int
    epochs: int | None
    folder: Path


class Outcome(NamedTuple):
    """The outcome of a run.

    Attributes
    ----------
    run : TrainingRun
    rows : list of dict
        Its history, a row for each epoch; empty if it diverged.
    seconds : float
        How long it took.
    """

    run: TrainingRun
    rows: list[dict[str, float]]
    seconds: float


def train_once(run: TrainingRun) -> Outcome:
    """Train a program, quietly; a loss that is not finite is an outcome, not an error."""
    program: Callable[[Plan], Report] = getattr(experiments, run.program)
    start = time.perf_counter()
    try:
        rows = program(Plan(run.folder, run.epochs, run.seed, quiet=True, lr=run.lr)).history.rows
    except NumericalError:
        rows = []
    return Outcome(run, rows, time.perf_counter() - start)
