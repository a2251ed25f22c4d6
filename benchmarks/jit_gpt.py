"""A whole training run of a GPT on scalars, compiled, beside the same code on a plain Value class.

The GPT of ``experiments/gpt.py``, 4,192 parameters, learns 1,000 names of mixed lengths, one name
to a step of Adam. A compiled step is a program for loss and gradient, and an update in arrays;
recording and compiling are part of the time. Names of one length share a program, or all names do:
filled up to the longest, with weight 0 for what is filled in, they have the same loss. The plain
run is the same arithmetic on a Value class of thirty lines. It takes minutes, so it
is measured on some of the names and scaled by the number of characters. Run with

    python -m benchmarks.jit_gpt
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from typing import Any

import scalargrad as sg
from benchmarks.measuring import in_units, pack_anew, pin, take_turns
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.experiments.gpt import GPT
from scalargrad.experiments.names import Alphabet, plain_names
from scalargrad.optim import Adam
from scalargrad.train.carried import Carried
from scalargrad.train.compiled_gradient import CompiledGradient
from scalargrad.train.data_rows import Rows
from scalargrad.train.objective import Objective
from scalargrad.train.run_parts import Limits

STEPS, RATE, BETAS, EPS = 1000, 0.01, (0.9, 0.99), 1e-8
#: So many of the names the plain run is measured on.
SAMPLE = 12
TURNS = 20

Example = tuple[list[int], list[int]]
#: What is read; what follows, and the weight of each character in the loss.
Weighted = tuple[list[int], tuple[list[int], list[float]]]


def examples() -> list[Example]:
    """Return what is read and what is to follow, for 1,000 names drawn in a fixed order."""
    known = plain_names()
    order = random.Random(0)
    inputs, targets = Alphabet(known).examples([order.choice(known) for _ in range(STEPS)])
    return list(zip(inputs, targets, strict=True))


def weighted(example: Example, length: int) -> Weighted:
    """Return a name filled up to a length."""
    tokens, targets = example
    rest = length - len(tokens)
    weights = [1 / len(tokens)] * len(tokens) + [0.0] * rest
    return tokens + [0] * rest, (targets + [0] * rest, weights)


def cross_entropy(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the mean loss over the characters of a name."""
    scored = zip(predictions[0], *targets[0], strict=True)
    return sum((sg.logsumexp(scores) - sg.take(scores, t)) * w for scores, t, w in scored)


# Compiled -----------------------------------------------------------------------------------------


class Training:
    """Steps of Adam, a program for each length of name met, all on the same arrays.

    Parameters
    ----------
    length : int, optional
        Fill all names up to so many characters.
    """

    def __init__(self, length: int | None = None) -> None:
        self.length = length
        self.model = GPT(27, rng=0)
        parameters = self.model.parameters()
        self.optimizer = Adam(parameters, lr=RATE, betas=BETAS, eps=EPS)
        self.carried = Carried(self.optimizer, parameters)
        self.carried.load()
        self.programs: dict[int, tuple[CompiledGradient, Rows]] = {}

    def step(self, example: Example) -> float:
        """Learn one name and return its loss before."""
        filled = weighted(example, self.length or len(example[0]))
        recording, data = self._program(filled)
        tokens, (targets, weights) = filled
        data.numbers[0] = [*tokens, *targets, *weights]
        found = recording.found([0], self.carried, 1)
        assert found is not None
        assert self.carried.step(found.grads, found.reached, Limits())
        loss: float = found.loss
        return loss

    def _program(self, example: Weighted) -> tuple[CompiledGradient, Rows]:
        length = len(example[0])
        if length not in self.programs:
            data = Rows([example])
            objective = Objective(self.model, cross_entropy, None, {})
            self.programs[length] = CompiledGradient(objective, self.carried.leaves, data), data
        return self.programs[length]


# Plain --------------------------------------------------------------------------------------------


class Value:
    """A number with its operands and its slopes by them."""

    __slots__ = ("children", "data", "grad", "slopes")

    def __init__(self, data: float, children: Any = (), slopes: Any = ()) -> None:
        self.data, self.grad, self.children, self.slopes = data, 0.0, children, slopes

    def __add__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data + other.data, (self, other), (1.0, 1.0))

    def __mul__(self, other: Any) -> Value:
        other = other if isinstance(other, Value) else Value(other)
        return Value(self.data * other.data, (self, other), (other.data, self.data))

    def __pow__(self, other: float) -> Value:
        return Value(self.data**other, (self,), (other * self.data ** (other - 1),))

    def __sub__(self, other: float) -> Value:
        return self + -other

    __radd__, __rmul__ = __add__, __mul__

    def log(self) -> Value:
        """Return the natural logarithm."""
        return Value(math.log(self.data), (self,), (1 / self.data,))

    def exp(self) -> Value:
        """Return the exponential."""
        return Value(math.exp(self.data), (self,), (math.exp(self.data),))

    def relu(self) -> Value:
        """Return the positive part."""
        return Value(max(0.0, self.data), (self,), (float(self.data > 0),))

    def backward(self) -> None:
        """Add the gradient of this number to that of every number below it."""
        order: list[Value] = []
        seen: set[Value] = set()

        def visit(node: Value) -> None:
            if node not in seen:
                seen.add(node)
                for child in node.children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            for child, slope in zip(node.children, node.slopes, strict=True):
                child.grad += slope * node.grad


def linear(x: list[Any], rows: list[list[Any]]) -> list[Any]:
    """Apply a layer without bias."""
    return [sum(w * xi for w, xi in zip(row, x, strict=True)) for row in rows]


def rms_norm(x: list[Any]) -> list[Any]:
    """Scale to root mean square 1."""
    scale = (sum(xi * xi for xi in x) * (1 / len(x)) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def softmax(scores: list[Any]) -> list[Any]:
    """Return probabilities."""
    largest = max(x.data for x in scores)
    powers = [(x - largest).exp() for x in scores]
    scale = sum(powers) ** -1
    return [p * scale for p in powers]


def attention(x: list[list[Any]], weights: dict[str, Any], heads: int) -> list[list[Any]]:
    """Mix positions, each with those before it."""
    queries, keys, values = (
        [linear(v, weights[f"blocks.0.attention.{name}.weight"]) for v in x]
        for name in ("query", "key", "value")
    )
    size = len(x[0]) // heads
    mixed = []
    for t, query in enumerate(queries):
        found: list[Any] = []
        for start in range(0, len(query), size):
            part = slice(start, start + size)
            scores = [
                sum(q * k for q, k in zip(query[part], key[part], strict=True)) * size**-0.5
                for key in keys[: t + 1]
            ]
            shares = softmax(scores)
            columns = zip(*(v[part] for v in values[: t + 1]), strict=True)
            found += [sum(s * v for s, v in zip(shares, c, strict=True)) for c in columns]
        mixed.append(linear(found, weights["blocks.0.attention.out.weight"]))
    return mixed


def plain_loss(weights: dict[str, Any], name: Example) -> Any:
    """Return the mean loss over the characters of a name."""
    tokens, targets = name
    x = [
        rms_norm([a + b for a, b in zip(weights["token.weight"][i], position, strict=True)])
        for i, position in zip(tokens, weights["position.weight"], strict=False)
    ]
    gathered = attention([rms_norm(v) for v in x], weights, 4)
    x = [[a + b for a, b in zip(v, g, strict=True)] for v, g in zip(x, gathered, strict=True)]
    wide, narrow = weights["blocks.0.wide.weight"], weights["blocks.0.narrow.weight"]
    thought = [linear([h.relu() for h in linear(rms_norm(v), wide)], narrow) for v in x]
    x = [[a + b for a, b in zip(v, g, strict=True)] for v, g in zip(x, thought, strict=True)]
    scored = [softmax(linear(v, weights["head.weight"])) for v in x]
    losses = [shares[target].log() * -1 for shares, target in zip(scored, targets, strict=True)]
    return sum(losses) * (1 / len(losses))


class PlainTraining:
    """The same steps on plain Values."""

    def __init__(self) -> None:
        state = GPT(27, rng=0).state_dict()
        self.weights = {
            name: [[Value(x) for x in row] for row in rows] for name, rows in state.items()
        }
        self.parameters = [p for rows in self.weights.values() for row in rows for p in row]
        self.moments = [[0.0, 0.0] for _ in self.parameters]
        self.count = 0

    def step(self, example: Example) -> float:
        """Learn one name and return its loss before."""
        loss = plain_loss(self.weights, example)
        loss.backward()
        self.count += 1
        first, second = (1 - beta**self.count for beta in BETAS)
        for p, moments in zip(self.parameters, self.moments, strict=True):
            moments[0] += (1 - BETAS[0]) * (p.grad - moments[0])
            moments[1] += (1 - BETAS[1]) * (p.grad * p.grad - moments[1])
            p.data -= RATE * (moments[0] / first) / (math.sqrt(moments[1] / second) + EPS)
            p.grad = 0.0
        found: float = loss.data
        return found


def forward_and_backward() -> tuple[float, float]:
    """Return the seconds a compiled loss and gradient of a 7-letter name take, run and call."""
    model = GPT(27, rng=0)
    name = next(x for x in examples() if len(x[0]) == 8)
    compiled = sg.jit(lambda tokens, targets: cross_entropy([model(tokens)], [targets]))
    example = weighted(name, len(name[0]))
    compiled(*example)
    (path,) = programs_of(compiled)
    executable = path.function.values_and_row.executable()
    turns = take_turns(
        {"run": executable.run, "call": lambda: compiled(*example)}, TURNS, clock=time.process_time
    )
    return turns["run"], turns["call"]


def timed(training: Training, names: Sequence[Example]) -> tuple[float, list[float]]:
    """Train on all names; return the seconds of processor time it took, and the losses."""
    pack_anew()
    started = time.process_time()
    losses = [training.step(name) for name in names]
    return time.process_time() - started, losses


def plain_run(names: Sequence[Example], losses: Sequence[float]) -> float:
    """Return the seconds the plain run would take, and compare its first losses."""
    plain, sample = PlainTraining(), names[:SAMPLE]
    started = time.process_time()
    found = [plain.step(name) for name in sample]
    taken = time.process_time() - started
    apart = max(abs(a - b) / abs(b) for a, b in zip(losses, found, strict=False))
    total = taken * sum(len(x) for x, _ in names) / sum(len(x) for x, _ in sample)
    print(f"plain Values: {taken:.2f} s for {SAMPLE} names, so {total:.0f} s for all")
    print(f"  losses of these names differ by {apart:.1e} at most, relatively")
    return total


def main() -> None:
    """Print how long the runs take, and how far apart their losses are."""
    print(pin())
    names = examples()
    longest = max(len(tokens) for tokens, _ in names)
    runs = {"one program for all names": longest, "one for each length": None}
    taken: dict[str, float] = {}
    for what, length in runs.items():
        training = Training(length)
        taken[what], losses = timed(training, names)
        again, _ = timed(training, names)
        print(f"compiled, {what}: {taken[what]:.2f} s, recording included")
        print(f"  {len(training.programs)} recorded; a step alone {in_units(again / len(names))}")
    total = plain_run(names, losses)
    for what, found in taken.items():
        print(f"{what}: {total / found:.0f} × faster (goal 40, stretch 150)")
    run, call = forward_and_backward()
    print(f"forward and backward of a 7-letter name: {in_units(run)} (goal 80 µs)")
    print(f"  called on the model's Parameters, result a Value: {in_units(call)}")
    print(f"last hundred names: {sum(losses[-100:]) / 100:.3f} nats a character")


if __name__ == "__main__":
    main()
