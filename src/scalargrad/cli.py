"""The command line: the commands ``step``, ``draw`` and ``demo``, and the format of errors."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.markup import escape

from scalargrad.engine.graph import topological_order
from scalargrad.engine.naming import name_nodes
from scalargrad.engine.value import Value
from scalargrad.errors import ExpressionError, ScalargradError
from scalargrad.expression import parse_assigned
from scalargrad.system.terminals import console, make_tolerant
from scalargrad.version import __version__

app = typer.Typer(
    help="Step through and draw graphs of scalar operations.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_Expression = Annotated[
    str, typer.Argument(help="An expression, such as 'q = x + y; f = q * z'.", show_default=False)
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
        bool, typer.Option("--interactive", "-i", help="Move through the steps with keys.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="A .html file for a page that moves through the steps."
        ),
    ] = None,
) -> None:
    """Show every step of an expression, forwards and backwards."""
    from scalargrad.show.steps import explore, outcome, show, walk

    steps = walk(parse_assigned(expression, assignments))
    if output is not None:
        _report_file(steps.save(output))
    if interactive:
        explore(steps)
    elif output is None:
        show(steps)
        if gradients := outcome(steps.graph):
            console().print(f"\ngradients: {escape(gradients)}", soft_wrap=True, highlight=False)


@app.command()
def draw(
    expression: _Expression,
    assignments: _Assignments = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="A .svg, .png, .pdf, .tikz, .dot or .mmd file.")
    ] = Path("graph.svg"),
    *,
    direction: Annotated[str, typer.Option(help="LR, left to right, or TB, top to bottom.")] = "LR",
    copies: Annotated[
        bool,
        typer.Option("--copies", help="Show the gradient that each use of a node contributes."),
    ] = False,
    highlight: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="A node to highlight; may be repeated."),
    ] = None,
) -> None:
    """Draw the graph of an expression, with values and gradients."""
    from scalargrad.show.graphs import draw as draw_graph

    root = parse_assigned(expression, assignments)
    root.backward()
    chosen = [_find_node(root, name) for name in highlight or []]
    picture = draw_graph(root, direction=direction, copies=copies, highlight=chosen)
    _report_file(picture.save(output))


def _find_node(root: Value, name: str) -> Value:
    """Return the node of a graph that has this name."""
    known = {word: node for node, word in name_nodes(topological_order(root)).items()}
    if name not in known:
        raise ExpressionError(f"{name} is not in the expression; its names are {', '.join(known)}")
    return known[name]


@app.command()
def demo(
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="The folder for all files."),
    ] = Path("scalargrad-demo"),
    steps: Annotated[int, typer.Option(min=1, help="The number of training steps.")] = 100,
) -> None:
    """Step through two graphs, draw them, and train a small network on two moons."""
    from scalargrad.demo import run

    run(output, console(), steps, _command_name())


def _report_file(path: Path) -> None:
    """Print the path of a file that was written."""
    console().print(f"wrote {path.resolve()}", soft_wrap=True, highlight=False, markup=False)


def _command_name() -> str:
    """Return the command by which the user started this program."""
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
    """Step through and draw graphs of scalar operations."""


def main() -> None:
    """Run the command line; print errors of scalargrad as messages, without a traceback."""
    make_tolerant(sys.stdout)
    make_tolerant(sys.stderr)
    try:
        app(args=_protect_expressions(sys.argv[1:]))
    except (ScalargradError, OSError) as error:
        _exit_with_error(error)


_OPTION = re.compile(r"-[io]|--.*|-o.+\.(svg|png|pdf|dot|mmd)")


def _protect_expressions(arguments: Sequence[str]) -> list[str]:
    """Return arguments with a space before expressions such as ``-log(x)``.

    Without it they would be parsed as options.
    """
    if not arguments or arguments[0] not in {"step", "draw"}:
        return list(arguments)
    return [
        f" {word}" if word.startswith("-") and not _OPTION.fullmatch(word) else word
        for word in arguments
    ]


def _exit_with_error(error: Exception) -> NoReturn:
    message = escape(str(error))
    console(stderr=True).print(f"[bold red]error:[/] {message}", soft_wrap=True, highlight=False)
    sys.exit(2)
