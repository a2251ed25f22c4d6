"""The command line: ``step``, ``draw``, ``demo`` and ``train``, and how errors are shown."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from scalargrad.errors import ExpressionError, OperandError, ScalargradError
from scalargrad.expression import parse_assigned
from scalargrad.graph import topological_order
from scalargrad.names import names
from scalargrad.system.terminals import console, make_tolerant
from scalargrad.value import Value
from scalargrad.version import __version__

app = typer.Typer(
    help="Step through, draw and train graphs of scalar operations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Expression = Annotated[
    str, typer.Argument(help="Such as 'q = x + y; f = q * z'.", show_default=False)
]
_Assignments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="NAME=NUMBER",
        help="The inputs, such as x=-2, t=pi/4, or a vector w=2,-3.",
        show_default=False,
    ),
]


@app.command()
def step(
    expression: _Expression,
    assignments: _Assignments = None,
    interactive: Annotated[
        bool, typer.Option("--interactive", "-i", help="Move with keys, one step at a time.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="A .html file: a page that moves through the steps."),
    ] = None,
) -> None:
    """Show every step of an expression, forwards and backwards."""
    from scalargrad.show.steps import explore, outcome, show, walk

    steps = walk(parse_assigned(expression, assignments))
    if output is not None:
        tell_written(steps.save(output))
    if interactive:
        explore(steps)
    elif output is None:
        show(steps)
        if gradients := outcome(steps.scene):
            console().print(f"\ngradients: {escape(gradients)}", soft_wrap=True, highlight=False)


@app.command()
def draw(
    expression: _Expression,
    assignments: _Assignments = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .svg, .png, .pdf, .tikz, .dot or .mmd file.")
    ] = Path("graph.svg"),
    *,
    direction: Annotated[str, typer.Option(help="LR, from left to right, or TB, down.")] = "LR",
    copies: Annotated[
        bool, typer.Option("--copies", help="Show what each reader of a node sends back to it.")
    ] = False,
    highlight: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="What stands out; may be given several times."),
    ] = None,
) -> None:
    """Draw the graph of an expression, with values and gradients."""
    from scalargrad.show.graphs import draw as draw_graph

    root = parse_assigned(expression, assignments)
    root.backward()
    chosen = [_named(root, name) for name in highlight or []]
    picture = draw_graph(root, direction=direction, copies=copies, highlight=chosen)
    tell_written(picture.save(output))


def _named(root: Value, name: str) -> Value:
    """Return the node of this name in a graph."""
    known = {word: node for node, word in names(topological_order(root)).items()}
    if name not in known:
        raise ExpressionError(f"there is no {name} in the expression: there are {', '.join(known)}")
    return known[name]


@app.command()
def demo(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The folder all files are written to."),
    ] = Path("scalargrad-demo"),
    steps: Annotated[int, typer.Option(min=1, help="How many training steps.")] = 100,
) -> None:
    """Step through two graphs, draw them, and train a small network on two moons."""
    from scalargrad.experiments.programs import run

    run(output, console(), steps, _program())


train_app = typer.Typer(
    help="Train a model on one of eight experiments, and save it with a picture.",
    no_args_is_help=True,
)
app.add_typer(train_app, name="train")

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
    train_app.command(_name, help=_help)(_command(_name))


def _program() -> str:
    """Return the command that runs the command line, as it was typed this time."""
    if Path(sys.argv[0]).name == "__main__.py":
        return f"{sys.orig_argv[0]} -m scalargrad"
    return "scalargrad" if shutil.which("scalargrad") is not None else sys.argv[0]


def _version(wanted: bool) -> None:
    if wanted:
        console().print(f"scalargrad {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Step through, draw and train graphs of scalar operations."""


def main() -> None:
    """Run the command line; an error of scalargrad's own is a message, not a traceback."""
    make_tolerant(sys.stdout)
    make_tolerant(sys.stderr)
    try:
        app(args=_marked(sys.argv[1:]))
    except (ScalargradError, OSError) as error:
        _fail(error)


_OPTION = re.compile(r"-[io]|--.*|-o.+\.(svg|png|pdf|dot|mmd)")


def _marked(arguments: Sequence[str]) -> list[str]:
    """Put a space before an expression such as ``-log(x)``, which would be read as options."""
    if not arguments or arguments[0] not in {"step", "draw"}:
        return list(arguments)
    return [
        f" {word}" if word.startswith("-") and not _OPTION.fullmatch(word) else word
        for word in arguments
    ]


def _fail(error: Exception) -> NoReturn:
    message = escape(str(error))
    console(stderr=True).print(f"[bold red]error:[/] {message}", soft_wrap=True, highlight=False)
    sys.exit(2)
