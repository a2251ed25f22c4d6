"""The command ``scalargrad train``: run an experiment (moons, digits, gpt, …), chosen by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from scalargrad.errors import OperandError
from scalargrad.system.terminals import console

app = typer.Typer(
    help="Train a model on one of eight experiments, and save it with a picture.",
    no_args_is_help=True,
)

#: The programs, and the description of each.
PROGRAMS = {
    "moons": "Tell two moons apart, with the MLP of micrograd's demo.",
    "xor": "Learn exclusive or, which no single neuron can.",
    "digits": "Read handwritten digits.",
    "digits28": "Read them at 28 × 28 pixels, with 79,510 parameters.",
    "sine": "Fit a cubic to a sine on 2,000 points.",
    "sentiment": "Tell good reviews from bad ones by their words.",
    "clicks": "Recommend with a wide and deep network.",
    "names": "Invent names with a character-level GPT.",
}

#: The programs whose training can be watched.
IN_THE_PLANE = {"moons", "xor"}


_Output = Annotated[
    Path, typer.Option("--output", "-o", help="The folder the files are written to.")
]
Epochs = Annotated[
    int | None,
    typer.Option(min=1, help="Passes over the examples.", show_default="chosen by the program"),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress bar.")]
_Watch = Annotated[
    Path | None,
    typer.Option(
        help="A .html file: a page that moves through the training, of moons and xor.",
        dir_okay=False,
    ),
]


def _command(name: str) -> Callable[..., None]:
    def command(
        output: _Output = Path("scalargrad-train"),
        epochs: Epochs = None,
        *,
        seed: Annotated[int, typer.Option(help="Fixes every draw.")] = 0,
        resume: Annotated[
            bool, typer.Option("--resume", help="Resume from the last checkpoint.")
        ] = False,
        quiet: Quiet = False,
        watch: _Watch = None,
    ) -> None:
        from scalargrad import experiments

        if watch is not None and name not in IN_THE_PLANE:
            raise OperandError(f"--watch is for {' and '.join(sorted(IN_THE_PLANE))}")
        plan = experiments.Plan(output, epochs, seed, resume, quiet, watch)
        report = getattr(experiments, name)(plan)
        for line in report.summary:
            console().print(line, highlight=False, markup=False)
        for path in report.files:
            tell_written(path, "  ")

    return command


def tell_written(path: Path, before: str = "") -> None:
    """Say that a file was written."""
    text = f"{before}wrote {path.resolve()}"
    console().print(text, soft_wrap=True, highlight=False, markup=False)


for _name, _help in PROGRAMS.items():
    app.command(_name, help=_help)(_command(_name))
