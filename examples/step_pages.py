"""Write the worked examples of the lectures as step pages, one HTML file each.

    python -m examples.step_pages [FOLDER]

This is how the pages in docs/pages are made.
"""

from __future__ import annotations

import math
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from examples.experiments import Alphabet
from scalargrad import Parameter, Value, dot, maximum, parse, softmax, walk
from scalargrad.demo import chain_rule, sigmoid_neuron
from scalargrad.losses import cross_entropy
from scalargrad.nn import MLP, Embedding, Linear, Module, init
from scalargrad.optim import Adam
from scalargrad.show.steps import Walk

#: Added to a score that the causal mask hides. The softmax then gives 0, as after −∞, and the page
#: does not warn of a number that is infinite.
MASK = -1e9


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
    """Walk through the small network with collapsed layers; weights are named by position."""
    model, error = small_network()
    return walk(error, model=model)


class Head(Module):
    """The attention of a GPT, cut down to one head of two numbers, and its scores for a character.

    Parameters
    ----------
    characters, context : int
        Size of the alphabet, and how many positions there are.
    rng : random.Random
        Draws the weights.

    References
    ----------
    Vaswani et al., Attention is all you need, 2017, section 3.2.
    """

    def __init__(self, characters: int, context: int, rng: random.Random) -> None:
        self.token = Embedding(characters, 2, rng=rng)
        self.position = Embedding(context, 2, rng=rng)
        self.query, self.key, self.value = (Linear(2, 2, bias=False, rng=rng) for _ in range(3))
        self.unembed = Linear(2, characters, bias=False, rng=rng)
        for weight in (self.token.weight, self.position.weight):
            init.normal_(weight, 0.0, 0.5, rng=rng)

    def embed(self, tokens: Sequence[int]) -> list[list[Any]]:
        """Return a vector of 2 for each token: that of its character plus that of its place."""
        places = zip(self.token(tokens), self.position([*range(len(tokens))]), strict=True)
        return [[a + b for a, b in zip(*both, strict=True)] for both in places]

    def forward(self, xs: list[list[Any]], t: int) -> list[Any]:
        """Return scores for the character after position t, which sees positions 0 to t."""
        query, keys, values = self.query(xs[t]), self.key(xs), self.value(xs)
        scores = [dot(query, key) / math.sqrt(2) for key in keys]
        masked = [score if s <= t else score + MASK for s, score in enumerate(scores)]
        weights = softmax(masked)
        output = [dot(weights, column) for column in zip(*values, strict=True)]
        logits: list[Any] = self.unembed(output)
        for s, (key, value) in enumerate(zip(keys, values, strict=True)):
            label(key, f"key{s}")
            label(value, f"value{s}")
        rows = {"query": query, "masked": masked, "score": scores, "weight": weights}
        for name, row in (rows | {"output": output, "logit": logits}).items():
            label(row, name)
        return logits


def label(row: Sequence[Value], name: str) -> None:
    """Name the entries of a row by their places."""
    for i, entry in enumerate(row):
        entry.label = f"{name}[{i}]"


def attention() -> Walk:
    """Walk through one head of attention, which guesses the character after the l of lima.

    The head was trained for a few steps on two names. The query is at position 1 (l). It may look
    at position 0 (the mark at the beginning) and at itself; position 2 (i), the one to guess, is
    masked.
    """
    names = ["lima", "mali"]
    alphabet = Alphabet(names)
    inputs, targets = alphabet.examples(names)
    head = Head(len(alphabet), context=5, rng=random.Random(1))
    optimizer = Adam(head.parameters(), lr=0.05)
    for _ in range(10):
        optimizer.zero_grad()
        for tokens, following in zip(inputs, targets, strict=True):
            scores = [head(head.embed(tokens), t) for t in range(len(tokens))]
            cross_entropy(scores, following).backward()
        optimizer.step()
    tokens, following = inputs[0], targets[0]
    xs = [[Value(entry.data) for entry in x] for x in head.embed(tokens[:3])]
    for t, x in enumerate(xs):
        label(x, f"x{t}")
    for layer, name in [(head.query, "Q"), (head.key, "K"), (head.value, "V")]:
        for i, row in enumerate(layer.weight):
            label(row, f"{name}{i}")
    for i, row in enumerate(head.unembed.weight):
        label(row, f"U{i}")
    loss: Value = cross_entropy(head(xs, 1), following[1])
    loss.label = "L"
    return walk(loss)


PAGES: dict[str, Callable[[], Walk]] = {
    "chain-rule": lambda: walk(chain_rule()),
    "sigmoid-neuron": lambda: walk(sigmoid_neuron()),
    "regularised": lambda: walk(regularised()),
    "router": lambda: walk(router()),
    "simple_model": simple_model,
    "attention": attention,
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
