"""The demo: two graphs stepped through and drawn, and a small network trained."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from scalargrad.experiments.programs import Plan, moons
from scalargrad.expression import parse
from scalargrad.show.graphs import draw
from scalargrad.show.steps import show, walk
from scalargrad.system.files import make_folder
from scalargrad.value import Parameter, Value

NEXT = 'step "f = x * y + sin(x)" x=2 y=3 -o mine.html'


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
    """Run the whole demo and return the files it wrote into `folder`.

    After the two graphs comes the experiment `moons`, with its training page. The last line
    suggests a command to try next, which begins with `program`.

    Raises
    ------
    MissingPackageError
        If NumPy, matplotlib or safetensors is not installed; the graphs are written before.
    """
    make_folder(folder)
    written = [
        *_step_and_draw("f = (x + y)·z", chain_rule(), folder / "chain-rule", console),
        *_step_and_draw("A sigmoid neuron", sigmoid_neuron(), folder / "sigmoid", console),
    ]
    console.rule("[bold]Two moons: an MLP of 337 parameters learns to tell them apart")
    plan = Plan(folder, epochs=steps, watch=folder / "training.html")
    report = moons(plan)
    for line in report.summary:
        console.print(line, highlight=False)
    written += [*report.files, plan.checkpoint("moons")]
    console.rule("[bold]Done")
    console.print("Files, of which the pages are to be opened in a browser:")
    for path in written:
        console.print(f"  {path.resolve()}", soft_wrap=True, highlight=False, markup=False)
    console.print("Next, a page of your own (or, with -i, step by step in this terminal):")
    console.print(f"  {program} {NEXT}", soft_wrap=True, highlight=False, markup=False)
    return written


def _step_and_draw(title: str, root: Value, path: Path, console: Console) -> list[Path]:
    """Show the steps, and save the graph as a picture and as a page with this name."""
    root.backward()
    console.rule(f"[bold]{title}, forwards and backwards")
    steps = walk(root)
    show(steps, console)
    return [draw(root).save(path.with_suffix(".svg")), steps.save(path.with_suffix(".html"))]
