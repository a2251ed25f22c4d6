"""Write the worked examples of the lectures as step pages, one HTML file each.

    python examples/step_pages.py [FOLDER]

This is how the pages in docs/pages are made.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

from scalargrad import Parameter, Value, maximum, parse, walk
from scalargrad.experiments.demo import chain_rule, sigmoid_neuron
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk


def regularised() -> Value:
    """Build the logistic least-squares loss with L2 regularisation: w fans out.

    References
    ----------
    Toronto, STA414 week 6.
    """
    return parse(
        "y = sigmoid(w*x + b); L = 0.5*(y - t)**2; R = 0.5*w**2; L_reg = 0.1*R + L",
        w=Parameter(0.5, "w"),
        x=2.0,
        b=Parameter(-0.25, "b"),
        t=1.0,
    )


def router() -> Value:
    """Build f = max(x, y) · z: the larger operand receives the whole gradient."""
    x, y, z = Value(2.0, "x"), Value(-1.0, "y"), Value(3.0, "z")
    larger = maximum(x, y)
    larger.label = "m"
    f = larger * z
    f.label = "f"
    return f


def large_network() -> Walk:
    """Walk through the squared error of an MLP of 423 nodes, whose layers open at a click."""
    model = MLP(3, [16, 16, 1], activation="tanh", rng=4)
    inputs = [Value(x, f"x{i}") for i, x in enumerate([0.5, -1.0, 2.0])]
    error: Value = (model(inputs) - Value(1.0, "t")) ** 2
    error.label = "L"
    return walk(error, model=model)


def small_network(first: int = 0) -> tuple[MLP, Value]:
    """Build an MLP with two inputs, two tanh units and one output, and its squared error.

    Inputs are counted from `first`.
    """
    random.seed(2)
    model = MLP(2, [2, 1], activation="tanh")
    inputs = [Value(x, f"x{i}") for i, x in enumerate([0.5, -1.0], first)]
    error: Value = (model(inputs) - Value(1.0, "t")) ** 2
    error.label = "L"
    return model, error


def simple_model() -> Walk:
    """Walk through the small network gate by gate: u in the first layer, w in the second."""
    model, error = small_network(first=1)
    hidden, (output,) = (layer.neurons for layer in model.layers)
    for j, neuron in enumerate(hidden, 1):
        for i, weight in enumerate(neuron.w, 1):
            weight.label = f"u{j}{i}"
        neuron.b.label = f"b{j}"
    for j, weight in enumerate(output.w, 1):
        weight.label = f"w{j}"
    output.b.label = "c"
    return walk(error)


def network() -> Walk:
    """Walk through the small network with its layers folded, its weights named by their places."""
    model, error = small_network()
    return walk(error, model=model)


PAGES: dict[str, Callable[[], Walk]] = {
    "chain-rule": lambda: walk(chain_rule()),
    "sigmoid-neuron": lambda: walk(sigmoid_neuron()),
    "regularised": lambda: walk(regularised()),
    "router": lambda: walk(router()),
    "simple_model": simple_model,
    "network": network,
    "large-network": large_network,
}


def write(folder: Path) -> list[Path]:
    """Write every page into `folder` and return the files."""
    folder.mkdir(parents=True, exist_ok=True)
    return [build().save(folder / f"{name}.html") for name, build in PAGES.items()]


if __name__ == "__main__":
    for path in write(Path(sys.argv[1] if sys.argv[1:] else "docs/pages")):
        print(path)
